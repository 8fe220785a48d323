"""How far annotators agree on the same documents, per label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from annotation.annotations import Annotation, Span, labels_of_passages
from annotation.documents import Document
from annotation.labels import LabelScheme
from annotation.passages import Passage, split_passages


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
    import krippendorff  # slow to import
    import numpy as np

    votes = passage_votes(documents, annotations, scheme)
    names = sorted({annotator for one in votes for annotator in one.labels})
    result = {}
    for label in scheme.label_names:
        table = np.array([[float(label in one.labels[name]) if name in one.labels else np.nan for one in votes] for name in names])
        varied = len({value for value in table.ravel().tolist() if not math.isnan(value)}) > 1
        result[label] = float(krippendorff.alpha(table, level_of_measurement="nominal")) if varied else math.nan
    return result


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
    for document in documents:
        own = [one for one in annotations if one.document_id == document.id and not one.ground_truth and not one.skipped]
        if len(own) < 2:
            continue
        passages = split_passages(document.text, document.language)
        by_annotator = {one.annotator: labels_of_passages(passages, one.spans, scheme) for one in own}
        for index, passage in enumerate(passages):
            votes.append(PassageVotes(document, passage, {name: labels[index] for name, labels in by_annotator.items()}))
    return votes


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
