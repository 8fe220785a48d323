"""How far annotators agree on the same documents, per label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from .annotations import Annotation, Span, labels_of_passages
from .documents import Document
from .labels import LabelScheme
from .splitting.passages import Passage, split_passages


@dataclass(frozen=True)
class Agreement:
    """Agreement of two annotators on one label, over all documents that both annotated.

    Attributes:
        first_count: passages to which the first annotator gives the label.
        second_count: the same of the second.
        passage_kappa: Cohen's kappa over passages; NaN where both always or never give the label.
        passage_f1: F1 of the one's passages against the other's (symmetric); NaN where neither gives the label.
        exact_f1: F1 over spans with the same start, end and kind.
        overlap_f1: F1 over spans that share at least one character.
    """

    label: str
    first_count: int
    second_count: int
    passage_kappa: float
    passage_f1: float
    exact_f1: float
    overlap_f1: float


def measure_agreement(documents: Iterable[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> dict[tuple[str, str], list[Agreement]]:
    """Compare every two annotators, the ground truth left out.

    Returns:
        For each pair of annotators that share a document, one ``Agreement`` a label.
    """
    by_id = {document.id: document for document in documents}
    names = sorted({annotation.annotator for annotation in annotations if not annotation.ground_truth})
    result = {}
    for first, second in combinations(names, 2):
        pairs = _shared(annotations, first, second)
        if pairs:
            result[first, second] = [_compare(label, pairs, by_id, scheme) for label in scheme.label_names]
    return result


def krippendorff_alpha(documents: Iterable[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> dict[str, float]:
    """Krippendorff's alpha (nominal) of each label over passages, for any number of annotators, the ground truth left out.

    Returns:
        Alpha by label; NaN where all always or never give the label. Source: the library ``krippendorff``.
    """
    votes = passage_votes(documents, annotations, scheme)
    return {label: _alpha([{name: label in labels for name, labels in one.labels.items()} for one in votes]) for label in scheme.label_names}


def topic_alpha(documents: Iterable[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> float:
    """Krippendorff's alpha (nominal) over the pairs of document and topic, as ``krippendorff_alpha`` does for labels."""
    shared = [own for _, own in _of_several(documents, annotations)]
    return _alpha([{one.annotator: topic in one.topics for one in own} for own in shared for topic in scheme.topic_names])


@dataclass(frozen=True)
class PassageVotes:
    """The labels that each annotator gives a passage."""

    document: Document
    passage: Passage
    labels: dict[str, frozenset[str]]

    @property
    def disputed(self) -> frozenset[str]:
        """Labels that some annotators give and others do not."""
        given = list(self.labels.values())
        return frozenset[str]().union(*given) - frozenset.intersection(*given)


def passage_votes(documents: Iterable[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> list[PassageVotes]:
    """Collect every annotator's labels of every passage of the documents that two or more annotated."""
    votes = []
    for document, own in _of_several(documents, annotations):
        passages = split_passages(document.text, document.language)
        by_annotator = {one.annotator: labels_of_passages(passages, one.spans, scheme) for one in own}
        for index, passage in enumerate(passages):
            votes.append(PassageVotes(document, passage, {name: labels[index] for name, labels in by_annotator.items()}))
    return votes


@dataclass(frozen=True)
class SpanVotes:
    """A span that some annotators mark and others do not mark alike.

    Attributes:
        document: the span's document.
        span: what is marked; its id is that of the first who marked it.
        marked_by: annotators who marked it, with the same start, end, label and kind.
        not_by: the other annotators of the document.
    """

    document: Document
    span: Span
    marked_by: tuple[str, ...]
    not_by: tuple[str, ...]


def disputed_spans(documents: Iterable[Document], annotations: Sequence[Annotation]) -> list[SpanVotes]:
    """Collect the spans that not all annotators of a document mark alike: first those over which they are divided most evenly, then in reading order."""
    disputed = []
    for document, own in _of_several(documents, annotations):
        marked: dict[tuple[int, int, str, str], tuple[Span, list[str]]] = {}
        for one in own:
            for span in one.spans:
                marked.setdefault((span.start, span.end, span.label, span.kind or ""), (span, []))[1].append(one.annotator)
        names = sorted({one.annotator for one in own})
        votes = [SpanVotes(document, span, tuple(by), tuple(name for name in names if name not in by)) for _, (span, by) in sorted(marked.items())]
        disputed += sorted((one for one in votes if one.not_by), key=lambda one: -min(len(one.marked_by), len(one.not_by)))
    return disputed


def disputed_topics(documents: Iterable[Document], annotations: Sequence[Annotation]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Each annotator's topics, by the id of each document to which they do not all give the same."""
    shared = [(document.id, {one.annotator: one.topics for one in own}) for document, own in _of_several(documents, annotations)]
    return {document_id: topics for document_id, topics in shared if len({frozenset(some) for some in topics.values()}) > 1}


def topic_kappa(annotations: Sequence[Annotation], first: str, second: str, scheme: LabelScheme) -> float:
    """Cohen's kappa over the pairs of document and topic, over the documents that both annotated; NaN where both always or never give one."""
    pairs = _shared(annotations, first, second)
    sides = ([topic in pair[side].topics for pair in pairs for topic in scheme.topic_names] for side in (0, 1))
    return kappa_and_f1(*sides)[0]


def topic_f1(annotations: Sequence[Annotation], first: str, second: str) -> float:
    """F1 of one annotator's pairs of document and topic against the other's, over the documents that both annotated."""
    pairs = _shared(annotations, first, second)
    both = sum(len(set(one.topics) & set(two.topics)) for one, two in pairs)
    return _ratio(2 * both, sum(len(one.topics) + len(two.topics) for one, two in pairs))


def kappa_and_f1(first: Sequence[bool], second: Sequence[bool]) -> tuple[float, float]:
    """Compare who gives a label to which passage.

    Returns:
        Cohen's kappa (NaN where both always or never give it) and F1 of the one against the other (NaN where neither does).
    """
    from sklearn.metrics import cohen_kappa_score  # slow to import

    given = sum(first) + sum(second)
    kappa = float(cohen_kappa_score(first, second)) if 0 < given < 2 * len(first) else math.nan
    return kappa, _ratio(2 * sum(one and two for one, two in zip(first, second, strict=True)), given)


def _of_several(documents: Iterable[Document], annotations: Sequence[Annotation]) -> Iterator[tuple[Document, list[Annotation]]]:
    """Documents that two or more annotated, with their annotations, the ground truth and skipped ones left out."""
    for document in documents:
        own = [one for one in annotations if one.document_id == document.id and not one.ground_truth and not one.skipped]
        if len(own) > 1:
            yield document, own


def _alpha(votes: Sequence[dict[str, bool]]) -> float:
    """Krippendorff's alpha of yes-or-no votes: for each thing that was judged, each annotator's who judged it."""
    import krippendorff  # slow to import
    import numpy as np

    if len({vote for one in votes for vote in one.values()}) < 2:
        return math.nan
    names = sorted({name for one in votes for name in one})
    table = np.array([[float(one[name]) if name in one else np.nan for one in votes] for name in names])
    return float(krippendorff.alpha(table, level_of_measurement="nominal"))


def _shared(annotations: Sequence[Annotation], first: str, second: str) -> list[tuple[Annotation, Annotation]]:
    by_annotator: dict[str, dict[str, Annotation]] = {first: {}, second: {}}
    for one in annotations:
        if one.annotator in by_annotator and not one.ground_truth and not one.skipped:
            by_annotator[one.annotator][one.document_id] = one
    return [(one, by_annotator[second][document]) for document, one in by_annotator[first].items() if document in by_annotator[second]]


def _compare(label: str, pairs: list[tuple[Annotation, Annotation]], documents: dict[str, Document], scheme: LabelScheme) -> Agreement:
    given: tuple[list[bool], list[bool]] = ([], [])
    matches = {"exact": [0, 0], "overlap": [0, 0]}
    spans_total = 0
    for pair in pairs:
        document = documents[pair[0].document_id]
        passages = split_passages(document.text, document.language)
        sides = [[span for span in annotation.spans if span.label == label] for annotation in pair]
        for side, annotation in zip(given, pair, strict=True):
            side.extend(label in labels for labels in labels_of_passages(passages, annotation.spans, scheme))
        spans_total += len(sides[0]) + len(sides[1])
        for mine, others, index in ((sides[0], sides[1], 0), (sides[1], sides[0], 1)):
            matches["exact"][index] += sum(any(_same(span, other) for other in others) for span in mine)
            matches["overlap"][index] += sum(any(_touch(span, other) for other in others) for span in mine)
    return Agreement(label, sum(given[0]), sum(given[1]), *kappa_and_f1(*given), *(_ratio(sum(found), spans_total) for found in matches.values()))


def _same(one: Span, two: Span) -> bool:
    return (one.start, one.end, one.kind) == (two.start, two.end, two.kind)


def _touch(one: Span, two: Span) -> bool:
    return one.start < two.end and two.start < one.end


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
