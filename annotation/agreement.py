"""How far annotators agree on the same documents: per label over passages and spans, and on topics."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations

from .annotations import Annotation, Span, annotations_by_document, with_offered
from .documents import Document
from .labels import LabelScheme
from .passage_labels import cut_at_passages, labels_of_passages
from .splitting.passages import Passage, split_passages


@dataclass(frozen=True)
class SharedDocument:
    """A document that two or more annotated, the ground truth and skipped annotations left out; split and labelled once for all measures.

    Attributes:
        document: the document.
        passages: its passages.
        annotations: each annotator's annotation, in the order of the file, with what the annotator was offered.
        labels: each annotator's labels of each passage.
        decided: the document has a ground truth.
    """

    document: Document
    passages: tuple[Passage, ...]
    annotations: dict[str, Annotation]
    labels: dict[str, list[frozenset[str]]]
    decided: bool

    def judging(self, label: str) -> list[str]:
        """The annotators who were offered a label; the others say nothing about it."""
        return [name for name, one in self.annotations.items() if label in (one.offered or ())]

    @property
    def disputed(self) -> bool:
        """Whether of those who were offered a label some give it to a passage and others don't."""
        votes = [[self.labels[name] for name in self.judging(label)] for label in self.offered]
        return any(len({label in given for given in row}) > 1 for label, own in zip(self.offered, votes, strict=True) for row in zip(*own, strict=True))

    @property
    def offered(self) -> tuple[str, ...]:
        """Labels that at least one annotator was offered."""
        return tuple(dict.fromkeys(label for one in self.annotations.values() for label in one.offered or ()))


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement of two annotators on one label, over all documents in which both were offered it.

    Attributes:
        label: the label's name.
        first_count: passages to which the first annotator gives the label.
        second_count: the same of the second.
        passage_kappa: Cohen's kappa over passages; NaN where both always or never give the label, or none was judged by both.
        passage_f1: F1 of the one's passages against the other's (symmetric); NaN where neither gives the label.
        exact_f1: F1 over spans with the same start, end and kind; one that was drawn over several passages counts as one in each.
        overlap_f1: F1 over spans that share at least one character.
    """

    label: str
    first_count: int
    second_count: int
    passage_kappa: float
    passage_f1: float
    exact_f1: float
    overlap_f1: float


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two annotators.

    Attributes:
        labels: one per label, in the order of the labels file.
        topic_f1: F1 of the one's pairs of document and topic against the other's; NaN where neither gives a topic.
        topic_kappa: Cohen's kappa over all pairs of document and topic; NaN where both always or never give one.
    """

    labels: tuple[LabelAgreement, ...]
    topic_f1: float
    topic_kappa: float


def shared_documents(documents: Iterable[Document], annotations: Iterable[Annotation], scheme: LabelScheme) -> list[SharedDocument]:
    """Find the documents that two or more annotated, in the order of ``documents``."""
    index = annotations_by_document(with_offered(annotations, scheme))
    shared = []
    for document in documents:
        own = index.get(document.id, [])
        judged = {one.annotator: one for one in own if not one.ground_truth and not one.skipped}
        if len(judged) > 1:
            passages = tuple(split_passages(document.text, document.language))
            labels = {name: labels_of_passages(passages, one.spans, scheme) for name, one in judged.items()}
            shared.append(SharedDocument(document, passages, judged, labels, any(one.ground_truth for one in own)))
    return shared


def measure_agreement(shared: Iterable[SharedDocument], scheme: LabelScheme) -> dict[tuple[str, str], PairAgreement]:
    """Compare every two annotators that share a document, by their names in alphabetical order."""
    pairs: dict[tuple[str, str], list[SharedDocument]] = {}
    for one in shared:
        for first, second in combinations(sorted(one.annotations), 2):
            pairs.setdefault((first, second), []).append(one)
    return {pair: _compare(pair, common, scheme) for pair, common in sorted(pairs.items())}


def krippendorff_alpha(shared: Sequence[SharedDocument], scheme: LabelScheme) -> dict[str, float]:
    """Krippendorff's alpha (nominal) of each label over passages, for any number of annotators.

    Returns:
        Alpha by label; NaN where all always or never give the label. Source: the library ``krippendorff``.
    """

    def votes(label: str) -> list[dict[str, bool]]:
        judging = [(one, one.judging(label)) for one in shared]
        return [{name: label in one.labels[name][index] for name in names} for one, names in judging for index in range(len(one.passages))]

    return {label: _alpha(votes(label)) for label in scheme.label_names}


def topic_alpha(shared: Sequence[SharedDocument], scheme: LabelScheme) -> float:
    """Krippendorff's alpha (nominal) over the pairs of document and topic, as ``krippendorff_alpha`` does for labels."""
    return _alpha([{name: topic in one.topics for name, one in own.annotations.items()} for own in shared for topic in scheme.topic_names])


def kappa_and_f1(first: Sequence[bool], second: Sequence[bool]) -> tuple[float, float]:
    """Compare who gives a label to which passage.

    Returns:
        Cohen's kappa (NaN where both always or never give it) and F1 of the one against the other (NaN where neither does).
    """
    from sklearn.metrics import cohen_kappa_score  # slow to import

    given = sum(first) + sum(second)
    kappa = float(cohen_kappa_score(first, second)) if 0 < given < 2 * len(first) else math.nan
    return kappa, _ratio(2 * sum(one and two for one, two in zip(first, second, strict=True)), given)


def _alpha(votes: Sequence[dict[str, bool]]) -> float:
    """Krippendorff's alpha of yes-or-no votes: for each thing that was judged, the vote of each annotator who judged it."""
    import krippendorff  # slow to import
    import numpy as np

    votes = [one for one in votes if len(one) > 1]
    if len({vote for one in votes for vote in one.values()}) < 2:
        return math.nan
    names = sorted({name for one in votes for name in one})
    table = np.array([[float(one[name]) if name in one else np.nan for one in votes] for name in names])
    return float(krippendorff.alpha(table, level_of_measurement="nominal"))


def _compare(pair: tuple[str, str], shared: Sequence[SharedDocument], scheme: LabelScheme) -> PairAgreement:
    topics = [[topic in one.annotations[name].topics for one in shared for topic in scheme.topic_names] for name in pair]
    topic_kappa, topic_f1 = kappa_and_f1(*topics)
    spans = [{name: cut_at_passages(one.annotations[name].spans, one.passages, scheme) for name in pair} for one in shared]
    return PairAgreement(tuple(_compare_label(label, pair, shared, spans) for label in scheme.label_names), topic_f1, topic_kappa)


def _compare_label(label: str, pair: tuple[str, str], shared: Sequence[SharedDocument], spans: Sequence[dict[str, list[Span]]]) -> LabelAgreement:
    both = [(one, own) for one, own in zip(shared, spans, strict=True) if {*pair} <= {*one.judging(label)}]
    first, second = ([label in labels for one, _ in both for labels in one.labels[name]] for name in pair)
    exact = overlap = total = 0
    for _, own in both:
        mine, others = ([span for span in own[name] if span.label == label] for name in pair)
        exact += _same(mine, others) + _same(others, mine)
        overlap += _touching(mine, others) + _touching(others, mine)
        total += len(mine) + len(others)
    return LabelAgreement(label, sum(first), sum(second), *kappa_and_f1(first, second), _ratio(exact, total), _ratio(overlap, total))


def _same(spans: Sequence[Span], others: Sequence[Span]) -> int:
    """Count the spans that have one of the same start, end and kind among others."""
    keys = {(other.start, other.end, other.kind) for other in others}
    return sum((span.start, span.end, span.kind) in keys for span in spans)


def _touching(spans: Sequence[Span], others: Sequence[Span]) -> int:
    """Count the spans that share a character with one of the others."""
    ordered = sorted(others, key=lambda other: other.start)
    starts, furthest = [other.start for other in ordered], list(accumulate((other.end for other in ordered), max))
    before = [bisect_left(starts, span.end) for span in spans]  # how many of the others start before the span ends
    return sum(count > 0 and furthest[count - 1] > span.start for span, count in zip(spans, before, strict=True))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
