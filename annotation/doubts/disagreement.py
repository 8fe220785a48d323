"""The reason "annotators": those of a document without a ground truth disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..agreement import SharedDocument
from ..disputes import PassageVotes, compare_annotations
from ..labels import LabelScheme
from ..passage_labels import labels_of_passages
from .doubt import AnnotatedDocument, Doubt

NAME = "annotators"


def annotators_disagree(documents: Sequence[AnnotatedDocument], scheme: LabelScheme) -> Iterator[Doubt]:
    """Doubt labels that some annotators give to a passage and others don't, and kinds in which they differ.

    The strength is the share of those who say otherwise than what training takes: one half at most.
    """
    for one in documents:
        if len(one.annotations) < 2:
            continue
        shared = _shared(one, scheme)
        (dispute,) = compare_annotations([shared], scheme)
        for votes in dispute.passages:
            index = one.index_of[votes.passage.start, votes.passage.end]
            for label in shared.offered:
                if found := _difference(votes, label, shared.judging(label)):
                    words, share = found
                    yield one.doubt(index, label, (NAME, words), share)


def _shared(one: AnnotatedDocument, scheme: LabelScheme) -> SharedDocument:
    judged = {own.annotator: own for own in one.annotations}
    labels = {name: labels_of_passages(one.passages, own.spans, scheme) for name, own in judged.items()}
    return SharedDocument(one.document, one.passages, judged, labels, decided=False)


def _difference(votes: PassageVotes, label: str, judging: Sequence[str]) -> tuple[str, float] | None:
    """How annotators differ about a label of a passage, in words, and the share of the smaller side."""
    kinds = {name: sorted({kind or "" for own, kind in votes.marks[name] if own == label}) for name in judging}
    marked, others = [name for name in judging if kinds[name]], [name for name in judging if not kinds[name]]
    if marked and others:
        return f"marked by {', '.join(marked)}, not by {', '.join(others)}", min(len(marked), len(others)) / len(judging)
    said = [tuple(kinds[name]) for name in marked]
    if len(set(said)) > 1:
        most = max(map(said.count, said))
        return "; ".join(f"{name}: {', '.join(kinds[name])}" for name in marked), min(1 - most / len(said), 0.5)
    return None
