"""Building the ground truth: what annotators agree on passes, the rest goes back to Label Studio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..annotations import Annotation, Span
from ..documents import Document
from ..labels import LabelScheme
from .client import Studio
from .push import push_tasks, remove_copies
from .tasks import from_annotation, task_data, to_results

AGREED = "agreed"
"""Annotator of a ground truth that nobody had to decide."""


@dataclass(frozen=True)
class Dispute:
    """A document whose annotators differ.

    Attributes:
        document: the document.
        versions: each annotator's annotation.
        agreed: spans that all of them marked alike.
    """

    document: Document
    versions: tuple[Annotation, ...]
    agreed: tuple[Span, ...]


def settle(documents: Sequence[Document], annotations: Sequence[Annotation]) -> tuple[list[Annotation], list[Dispute]]:
    """Tell the documents whose annotators agree from the others.

    Looked at are documents with two annotators or more and no ground truth yet; skipped annotations do not count.

    Returns:
        Ground truths of the documents on whose spans and topics all agree, and the disputes.
    """
    agreements, disputes = [], []
    for document in documents:
        own = [one for one in annotations if one.document_id == document.id and not one.skipped]
        if len(own) < 2 or any(one.ground_truth for one in own):
            continue
        common = set.intersection(*({_key(span) for span in one.spans} for one in own))
        agreed = tuple(span for span in own[0].spans if _key(span) in common)
        if all(len(one.spans) == len(common) and set(one.topics) == set(own[0].topics) for one in own):
            agreements.append(replace(own[0], annotator=AGREED, ground_truth=True, spans=agreed, note=None, updated_at=None, task_url=None))
        else:
            disputes.append(Dispute(document, tuple(own), agreed))
    return agreements, disputes


def push_disputes(studio: Studio, disputes: Sequence[Dispute]) -> int:
    """Push each dispute once to the project of adjudications: every version, and the agreed spans, are shown as pre-annotations.

    Args:
        studio: the project of adjudications; it exists.
        disputes: what to decide.

    Returns:
        Number of disputes that were not there before.
    """
    present = studio.copies([dispute.document.id for dispute in disputes])
    new = {dispute.document: dispute for dispute in disputes if not present[dispute.document.id]}
    count = sum(push_tasks(studio, list(new), lambda document: _task(new[document])))
    remove_copies(studio, [name for name, count in studio.copies([document.id for document in new]).items() if count > 1])
    return count


def decided(studio: Studio, scheme: LabelScheme) -> Iterator[Annotation]:
    """Read the answers of the project of adjudications, and mark them as ground truth, there too; skipped ones stay open."""
    for task in studio.export(only_annotated=True):
        answers = [one for one in task["annotations"] if not one.get("was_cancelled")]
        if answers:
            newest = max(answers, key=lambda one: str(one["updated_at"]))
            if not newest.get("ground_truth"):
                studio.mark_ground_truth(int(newest["id"]))
            name = f"{studio.annotator_name(newest)} (adjudicating)"
            yield replace(from_annotation(task, newest, name, scheme), ground_truth=True, task_url=studio.task_url(int(task["id"])))


def _key(span: Span) -> tuple[int, int, str, str | None]:
    return span.start, span.end, span.label, span.kind


def _task(dispute: Dispute) -> dict[str, Any]:
    document = dispute.document
    versions = [{"model_version": one.annotator, "result": to_results(document, one.spans, one.topics)} for one in dispute.versions]
    agreed = {"model_version": AGREED, "result": to_results(document, dispute.agreed)}
    return {"data": task_data(document), "predictions": [agreed, *versions]}
