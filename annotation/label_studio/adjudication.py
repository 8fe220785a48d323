"""Building the ground truth: what annotators agree on passes, the rest goes back to Label Studio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..agreement import shared_documents
from ..annotations import Annotation
from ..disputes import Dispute, compare_annotations
from ..documents import Document
from ..labels import LabelScheme
from .project import Project
from .push import push_tasks, remove_copies
from .reading import read_annotation
from .writing import task_data, to_results

AGREED = "agreed"
"""Annotator of a ground truth that nobody had to decide."""


def settle(documents: Sequence[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> tuple[list[Annotation], list[Dispute]]:
    """Separate the documents whose annotators agree from the others.

    Looked at are documents with two annotators or more and no ground truth yet; skipped annotations do not count.

    Returns:
        Ground truths of the documents on whose passages and topics all agree, and the disputes.
    """
    agreements, disputes = [], []
    for one in compare_annotations(shared_documents(documents, annotations, scheme), scheme):
        if one.size:
            disputes.append(one)
        else:
            document = one.shared.document
            agreements.append(Annotation(document.id, document.name, AGREED, ground_truth=True, topics=one.agreed_topics, spans=one.agreed))
    return agreements, disputes


def push_disputes(project: Project, disputes: Sequence[Dispute]) -> int:
    """Push each dispute once to the project of adjudications: every version, and the agreed spans, are shown as pre-annotations.

    Args:
        project: the project of adjudications; it exists.
        disputes: what to decide.

    Returns:
        Number of disputes that were not there before.
    """
    present = project.tasks.copies([dispute.shared.document.id for dispute in disputes])
    new = {dispute.shared.document: dispute for dispute in disputes if not present[dispute.shared.document.id]}
    count = sum(push_tasks(project, list(new), lambda document: _task(new[document])))
    remove_copies(project, [name for name, count in project.tasks.copies([document.id for document in new]).items() if count > 1])
    return count


def decided(project: Project, scheme: LabelScheme) -> Iterator[Annotation]:
    """Read the answers of the project of adjudications, and mark them as ground truth, there too; skipped ones stay open."""
    for task in project.tasks.export(only_annotated=True):
        answers = [one for one in task.annotations if not one.skipped]
        if answers and task.pushed:
            newest = max(answers, key=lambda one: one.updated_at or "")
            if not newest.ground_truth:
                project.tasks.mark_ground_truth(newest.id)
            name = f"{project.annotators.name_of(newest.user) or 'deleted user'} (adjudicating)"
            yield replace(read_annotation(task, newest, name, scheme).whole(), ground_truth=True, task_url=project.task_url(task.id))


def _task(dispute: Dispute) -> dict[str, Any]:
    document = dispute.shared.document
    versions = [{"model_version": name, "result": to_results(document, one.spans, one.topics)} for name, one in dispute.shared.annotations.items()]
    agreed = {"model_version": AGREED, "result": to_results(document, dispute.agreed)}
    return {"data": task_data(document), "predictions": [agreed, *versions]}
