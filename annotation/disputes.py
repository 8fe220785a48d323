"""What annotators of a document disagree on, as far as it changes what is learned: the labels and kinds of passages, and topics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from .agreement import SharedDocument
from .annotations import Span
from .labels import LabelScheme
from .passage_labels import spans_of_passages
from .splitting.passages import Passage

Mark = tuple[str, str | None]
"""A label and its kind, as a passage gets them."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"  # these scripts put no space between words
_WORD_BEFORE, _WORD_AFTER = re.compile(rf"[^\W{_UNSPACED}]*\Z"), re.compile(rf"[^\W{_UNSPACED}]*")
_LONGEST_WORD = 100


@dataclass(frozen=True)
class PassageVotes:
    """A passage to which not all annotators give the same labels and kinds: what each gives."""

    passage: Passage
    marks: Mapping[str, frozenset[Mark]]


@dataclass(frozen=True)
class SpanVotes:
    """A span that some annotators mark and others don't.

    Attributes:
        span: what is marked, with the borders and the id of the first who marked it.
        marked_by: annotators who marked it: same label and kind, and the same words.
        not_by: the other annotators of the document who were offered its label.
    """

    span: Span
    marked_by: tuple[str, ...]
    not_by: tuple[str, ...]


@dataclass(frozen=True)
class Dispute:
    """What the annotators of one document disagree on, and what they agree on; all of it agreed where there is no passage and no topic.

    Attributes:
        shared: the document and its annotations.
        passages: those with different marks, in reading order.
        spans: the spans that make the difference, those over which the annotators are divided most evenly first, then in reading order.
        topics: each annotator's topics; empty where all give the same.
        agreed: spans that give passages only what all annotators give them who were offered the label: those of the first of these, cut where others stop.
        agreed_topics: topics that all give.
    """

    shared: SharedDocument
    passages: tuple[PassageVotes, ...]
    spans: tuple[SpanVotes, ...]
    topics: Mapping[str, tuple[str, ...]]
    agreed: tuple[Span, ...]
    agreed_topics: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of passages, spans and topic lists in dispute; 0 where the annotators agree."""
        return len(self.passages) + len(self.spans) + bool(self.topics)


def compare_annotations(shared: Iterable[SharedDocument], scheme: LabelScheme) -> list[Dispute]:
    """Compare the annotations of each document that has no ground truth yet.

    Two annotations agree where they give all passages the same labels and kinds, and the document the same topics. Doubled
    spans count once, and borders agree within a word, white space or punctuation. About a label only those who were offered it
    agree or disagree.
    """
    return [_compare(one, scheme) for one in shared if not one.decided]


def _compare(shared: SharedDocument, scheme: LabelScheme) -> Dispute:
    text = shared.document.text
    # each annotator's spans by what they mark, whole words; of doubled ones the first stays
    spans = {name: {whole_words(span, text): span for span in reversed(one.spans)} for name, one in shared.annotations.items()}
    giving = {name: spans_of_passages(shared.passages, list(own), scheme) for name, own in spans.items()}
    marks = {name: [frozenset(map(_mark, own)) for own in found] for name, found in giving.items()}
    judging = {label: shared.judging(label) for label in shared.offered}
    given = [frozenset.union(*(own[index] for own in marks.values())) for index in range(len(shared.passages))]
    agreed = [frozenset(mark for mark in some if all(mark in marks[name][index] for name in judging[mark[0]])) for index, some in enumerate(given)]
    different = [index for index, common in enumerate(agreed) if given[index] != common]

    topics = {name: one.topics for name, one in shared.annotations.items()}
    common_topics = set.intersection(*(set(some) for some in topics.values()))
    first = {label: names[0] for label, names in judging.items()}  # whose spans are taken where all agree
    in_all = {words for own in spans.values() for words in own if all(words in spans[name] for name in judging[words.label])}
    agreed_spans = [
        span
        for name in spans
        for span in _agreed({words: span for words, span in spans[name].items() if first[words.label] == name}, giving[name], agreed, shared.passages, in_all)
    ]
    return Dispute(
        shared,
        tuple(PassageVotes(shared.passages[index], {name: own[index] for name, own in marks.items()}) for index in different),
        tuple(_votes(spans, giving, agreed, judging)),
        topics if len({frozenset(some) for some in topics.values()}) > 1 else {},
        tuple(sorted(_with_own_ids(agreed_spans), key=lambda span: (span.start, span.end, span.label))),
        tuple(topic for topic in scheme.topic_names if topic in common_topics),
    )


def _with_own_ids(spans: Sequence[Span]) -> Iterator[Span]:
    """Give spans of different annotators that happen to share an id ids of their own."""
    taken: set[str] = set()
    for span in spans:
        own, number = span.id, 1
        while own in taken:
            number += 1
            own = f"{span.id}-{number}"
        taken.add(own)
        yield replace(span, id=own)


def _votes(
    spans: Mapping[str, Mapping[Span, Span]],
    giving: Mapping[str, list[list[Span]]],
    agreed: Sequence[frozenset[Mark]],
    judging: Mapping[str, Sequence[str]],
) -> list[SpanVotes]:
    divided: dict[Span, Span] = {}  # in dispute: the whole words, and the span as it was first marked
    for name, found in giving.items():
        for own, common in zip(found, agreed, strict=True):
            for words in own:
                if _mark(words) not in common:
                    divided.setdefault(words, spans[name][words])
    votes = []
    for words in sorted(divided, key=lambda one: (one.start, one.end, one.label, one.kind or "")):
        by = tuple(sorted(name for name, own in spans.items() if words in own))
        votes.append(SpanVotes(divided[words], by, tuple(sorted(set(judging[words.label]) - set(by)))))
    return sorted((one for one in votes if one.not_by), key=lambda one: -min(len(one.marked_by), len(one.not_by)))


def _agreed(
    spans: Mapping[Span, Span], giving: list[list[Span]], agreed: Sequence[frozenset[Mark]], passages: Sequence[Passage], in_all: set[Span]
) -> Iterator[Span]:
    """The spans of one annotator, cut down to the passages to which all annotators give their mark."""
    reach: dict[Span, list[int]] = {words: [] for words in spans}
    for index, own in enumerate(giving):
        for words in own:
            if words in reach:
                reach[words].append(index)
    for words, span in spans.items():
        kept = [index for index in reach[words] if _mark(words) in agreed[index]]
        if len(kept) == len(reach[words]):
            if kept or words in in_all:
                yield span
            continue
        for number, (_, run) in enumerate(groupby(enumerate(kept), key=lambda pair: pair[1] - pair[0]), start=1):
            indices = [index for _, index in run]
            start, end = max(span.start, passages[indices[0]].start), min(span.end, passages[indices[-1]].end)
            yield replace(span, id=f"{span.id}-{number}", start=start, end=end)


def whole_words(span: Span, text: str) -> Span:
    """Take a span from its first word to its last, both whole, without its id: two that differ only in their borders within a word are equal."""
    marked = text[span.start : span.end]
    inner = list(re.finditer(r"\w", marked))
    start, end = (span.start + inner[0].start(), span.start + inner[-1].end()) if inner else (span.start, span.end)
    if inner:
        before = _WORD_BEFORE.search(text[max(start - _LONGEST_WORD, 0) : start])
        after = _WORD_AFTER.match(text[end : end + _LONGEST_WORD])
        if not re.match(f"[{_UNSPACED}]", text[start]):
            start -= len(before[0]) if before else 0
        if not re.match(f"[{_UNSPACED}]", text[end - 1]):
            end += len(after[0]) if after else 0
    return replace(span, id="", start=start, end=end, accepted=False)


def _mark(span: Span) -> Mark:
    return span.label, span.kind
