"""Building the ground truth: what annotators agree on passes, and a person decides the rest in a project of its own in Label Studio."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from ..agreement import shared_documents
from ..annotations import Annotation, Reviewed, Span, annotations_by_document
from ..disputes import Dispute, compare_annotations, whole_words
from ..documents import Document
from ..labels import LabelScheme
from .interface import REJECTED, dispute_html
from .project import Project
from .push import push_tasks, remove_copies
from .reading import LeftOut, read_annotation, with_annotators
from .records import Review, StudioAnnotation, Task, read_task
from .writing import Row, annotation_row, task_data, to_results

AGREED = "agreed"
"""Annotator of a ground truth that nobody had to decide."""

_ADJUDICATING = " (adjudicating)"

_NOTHING_TO_REJECT = "labels are in doubt there, and nothing is in dispute: take the tick away, delete the marks that are wrong, and press Update"


@dataclass(frozen=True)
class Decisions:
    """The answers of the project of adjudications.

    Attributes:
        truths: ground truths that were decided.
        untouched: tasks about disputes that were submitted as they were shown, so that nothing is decided.
        left_out: what could not be read; these tasks count as not decided, too.
    """

    truths: tuple[Annotation, ...] = ()
    untouched: tuple[Task, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def is_adjudicated(annotator: str) -> bool:
    """Whether ``annotate adjudicate`` made an annotator's annotations: ground truths, and not the work of one who annotates."""
    return annotator == AGREED or annotator.endswith(_ADJUDICATING)


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
            agreements.append(
                Annotation(document.id, document.name, AGREED, ground_truth=True, topics=one.agreed_topics, spans=one.agreed, offered=one.shared.offered)
            )
    return agreements, disputes


def undecided(documents: Sequence[Document], annotations: Iterable[Annotation]) -> Counter[int]:
    """Count the documents without a ground truth by their number of annotators."""
    index = annotations_by_document(annotations)
    own = [index.get(document.id, []) for document in documents]
    return Counter(sum(not one.skipped for one in some) for some in own if not any(one.ground_truth for one in some))


def read_decisions(project: Project, scheme: LabelScheme) -> Decisions:
    """Read the answers, and mark those that decide as ground truth, there too; skipped tasks stay open.

    Args:
        project: the project of adjudications; where it does not exist, nothing is decided.
        scheme: labels and topics.
    """
    truths, untouched = [], []
    left_out: list[LeftOut] = []
    if project.id is None:
        return Decisions()
    offered = project.offered_labels
    for task in project.tasks.export(only_annotated=True):
        answers = [one for one in task.annotations if not one.skipped]
        if not answers or not task.pushed:
            continue
        newest = max(answers, key=lambda one: one.updated_at or "")
        rejected = any(one.control == REJECTED and one.choices for one in newest.results or ())
        results = newest.results and tuple(one for one in newest.results if one.control != REJECTED)
        name = f"{project.annotators.name_of(newest.user) or 'deleted user'}{_ADJUDICATING}"
        reading = read_annotation(task, replace(newest, results=results), name, scheme)
        if reading.left_out or reading.annotation is None:
            left_out += reading.left_out
        elif task.review and rejected:
            left_out.append(LeftOut(task.id, task.name, name, _NOTHING_TO_REJECT))
        elif not task.review and not rejected and task.prefilled == prefilled_digest(task.text or "", reading.annotation.spans, reading.annotation.topics):
            untouched.append(task)
        else:
            if not newest.ground_truth:
                project.tasks.mark_ground_truth(newest.id)
            found = replace(reading.annotation, ground_truth=True, task_url=project.task_url(task.id), offered=offered)
            truths.append(_reviewed(found, task.review) if task.review else found)
    return Decisions(tuple(_newest_of_each(truths)), tuple(untouched), tuple(left_out))


def _reviewed(found: Annotation, review: Review) -> Annotation:
    """What was in doubt is decided; other labels were judged as far as the annotation before judged them."""
    judged = {*review.offered, *(span.label for span in found.spans)}
    return replace(found, reviewed=review.doubts, offered=tuple(label for label in found.offered or () if label in judged))


def _newest_of_each(truths: Iterable[Annotation]) -> Iterator[Annotation]:
    """The newest decision on each document, with all that was reviewed there."""
    by_document: dict[str, list[Annotation]] = {}
    for one in truths:  # in the order of the tasks: a star changes the time of an answer, and that is no reason to rewrite the file
        by_document.setdefault(one.document_id, []).append(one)
    for some in by_document.values():
        yield replace(max(some, key=lambda one: one.updated_at or ""), reviewed=tuple(dict.fromkeys(place for one in some for place in one.reviewed)))


def with_decisions(documents: Iterable[Document], annotations: Iterable[Annotation], truths: Sequence[Annotation]) -> list[Annotation]:
    """Give documents their decided ground truth, which replaces an earlier one; those that were agreed are left out, to be settled anew.

    A decision that the file has already keeps what it was offered: nobody has judged a label that the interface offers by now. What was
    reviewed stays so.
    """
    annotations = list(annotations)
    known = {(one.document_id, one.annotator): one for one in annotations}
    reviewed: dict[str, list[Reviewed]] = {}
    for one in (*annotations, *truths):
        reviewed.setdefault(one.document_id, []).extend(one.reviewed)
    looked_at, decided = (
        {document.id for document in documents},
        {
            one.document_id: replace(_as_known(known.get((one.document_id, one.annotator)), one), reviewed=tuple(dict.fromkeys(reviewed[one.document_id])))
            for one in truths
        },
    )
    kept = [one for one in annotations if not (one.annotator == AGREED and one.document_id in looked_at)]
    kept = [one for one in kept if not (one.document_id in decided and is_adjudicated(one.annotator))]
    return [*(replace(one, ground_truth=False) if one.document_id in decided else one for one in kept), *decided.values()]


def _as_known(known: Annotation | None, decided: Annotation) -> Annotation:
    if known and (known.spans, known.topics, known.note) == (decided.spans, decided.topics, decided.note):
        return replace(decided, offered=known.offered)
    return decided


def push_disputes(project: Project, disputes: Sequence[Dispute], documents: Sequence[Document], scheme: LabelScheme) -> None:
    """Bring the project of adjudications up to date: one task per dispute; what all agree on is marked already, the rest is shown beside the text.

    A task that nobody has begun is replaced where the dispute has changed, and removed where it is over; one about doubts stays (see ``reviews``).

    Args:
        project: the project of adjudications; it is made if needed.
        disputes: what to decide.
        documents: all documents that were looked at.
        scheme: labels and topics.
    """
    if project.id is None and not disputes:
        return
    project.ensure(scheme, None, adjudicating=True)
    rows = {one.shared.document.id: dispute_row(one) for one in disputes}
    looked_at = {document.id for document in documents}
    present, outdated = set(), []
    for task in project.tasks.export(only_annotated=False):
        row = rows.get(task.sha256 or "")
        if task.begun or (row and shows(task, row)) or task.sha256 not in looked_at or (task.review and row is None):
            present.add(task.sha256)
        else:
            outdated.append(task.id)
    project.tasks.delete(outdated)
    new = [one.shared.document for one in disputes if one.shared.document.id not in present]
    for _ in push_tasks(project, new, lambda document: rows[document.id]):
        pass
    project.show_suggestions(AGREED)
    remove_copies(project, [name for name, count in project.tasks.copies([document.id for document in new]).items() if count > 1])


def star_truths(project: Project, documents: Sequence[Document], annotations: Iterable[Annotation]) -> int:
    """Give the ground truths their star in the annotators' project, and take it from those that no longer hold.

    A ground truth that is no annotator's own is added there, under the name that it has in the file.

    Args:
        project: the annotators' project; where it does not exist, nothing is done.
        documents: the documents.
        annotations: all annotations of the file.

    Returns:
        Number of annotations that were added, changed or removed there.
    """
    if project.id is None:
        return 0
    by_id = {document.id: document for document in documents}
    truths = {one.document_id: one for one in annotations if one.ground_truth}
    tasks = [task for task in project.tasks.find_whole(list(by_id)) if task.sha256 in by_id and not task.edited]
    present: dict[str, dict[str, StudioAnnotation]] = {str(task.sha256): {} for task in tasks}
    for task, stored, annotator in with_annotators(project, tasks):
        present[str(task.sha256)][annotator] = stored
    changes = 0
    for task in {task.sha256: task for task in tasks}.values():
        document_id = str(task.sha256)
        truth, there = truths.get(document_id), present[document_id]
        for stale in [name for name in there if is_adjudicated(name) and (truth is None or name != truth.annotator)]:
            project.tasks.delete_annotation(there[stale].id)
            changes += 1
        if truth is not None:
            changes += _star(project, task, there.get(truth.annotator), by_id[document_id], truth)
    return changes


def _star(project: Project, task: Task, stored: StudioAnnotation | None, document: Document, truth: Annotation) -> bool:
    row = annotation_row(document, truth, project.annotators)
    (wanted,) = read_task({"id": task.id, "annotations": [row]}).annotations
    if stored is None:
        project.tasks.add_annotation(task.id, row)
    elif is_adjudicated(truth.annotator) and _content(stored) != _content(wanted):
        project.tasks.update_annotation(stored.id, {"result": row["result"], "ground_truth": True})
    elif not stored.ground_truth:
        project.tasks.mark_ground_truth(stored.id)
    else:
        return False
    return True


def _content(stored: StudioAnnotation) -> set[tuple[object, ...]]:
    return {(one.control, one.start, one.end, frozenset(one.values), one.lines) for one in stored.results or ()}


def shows(task: Task, row: Row) -> bool:
    """Whether a task to decide is the one that a row would make."""
    made = read_task({"id": task.id, "data": row["data"]})
    return (task.disputed, task.prefilled, task.review) == (made.disputed, made.prefilled, made.review)


def dispute_row(dispute: Dispute) -> Row:
    """Make the row that imports a dispute as a task."""
    document = dispute.shared.document
    agreed = {"model_version": AGREED, "result": to_results(document, dispute.agreed, dispute.agreed_topics)}
    shown = {"disputed": dispute_html(dispute), "prefilled": prefilled_digest(document.text, dispute.agreed, dispute.agreed_topics)}
    return {"data": {**task_data(document), **shown}, "predictions": [agreed]}


def prefilled_digest(text: str, spans: Iterable[Span], topics: Iterable[str]) -> str:
    """Digest of what is marked already in a task to decide; an answer of the same digest decides nothing."""
    words = sorted({(one.start, one.end, one.label, one.kind or "") for one in (whole_words(span, text) for span in spans)})
    return sha256(json.dumps([words, sorted(topics)]).encode()).hexdigest()[:16]
