"""Doubtful labels as tasks to decide: a document's annotation is marked already, and what is in doubt is shown beside the text with the reasons.

They are tasks of the project of adjudications, whose answers ``annotate adjudicate`` reads. A document of which annotators are in dispute gets the task
that ``annotate adjudicate`` makes; other doubts about it wait until it is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..annotations import Annotation
from ..doubts.doubt import AnnotatedDocument, Doubt
from ..labels import LabelScheme
from .adjudication import AGREED, dispute_row, prefilled_digest, settle, shows
from .project import Project
from .push import push_tasks
from .records import Task
from .writing import Row, task_data, to_results


@dataclass(frozen=True)
class Pushed:
    """What a push of doubts did, in numbers of documents.

    Attributes:
        new: got a task; one of former doubts that nobody had begun is replaced.
        unchanged: had this task.
        waiting: have a task that somebody has begun, or whose answer ``annotate adjudicate`` has not read yet; nothing is asked beside it.
        over: had a task that nobody had begun, and nothing about them is in doubt any more, so that it is removed.
    """

    new: int
    unchanged: int
    waiting: int
    over: int


@dataclass(frozen=True)
class _Plan:
    new: tuple[str, ...]
    unchanged: tuple[str, ...]
    waiting: tuple[str, ...]
    over: tuple[str, ...]
    outdated: tuple[int, ...]


def review_rows(documents: Sequence[AnnotatedDocument], annotations: Sequence[Annotation], doubts: Iterable[Doubt], scheme: LabelScheme) -> dict[str, Row]:
    """Make the rows that import the documents of doubts as tasks to decide.

    Args:
        documents: annotated documents.
        annotations: all annotations of the file.
        doubts: what to ask.
        scheme: labels and topics.

    Returns:
        Rows by id of document, in the order of the doubts.
    """
    agreements, disputes = settle([one.document for one in documents], annotations, scheme)
    agreed, disputed = {one.document_id: one for one in agreements}, {one.shared.document.id: one for one in disputes}
    asked: dict[str, list[Doubt]] = {}
    for doubt in doubts:
        asked.setdefault(doubt.document, []).append(doubt)
    by_id = {one.document.id: one for one in documents}
    return {key: dispute_row(disputed[key]) if key in disputed else _review_row(by_id[key], agreed.get(key), own) for key, own in asked.items()}


def _review_row(one: AnnotatedDocument, agreed: Annotation | None, doubts: Sequence[Doubt]) -> Row:
    document, base = one.document, agreed or one.annotations[0]
    doubts = sorted(doubts, key=lambda doubt: (doubt.start, doubt.end, doubt.label))
    review = {
        "doubts": [{"start": doubt.start, "end": doubt.end, "label": doubt.label} for doubt in doubts],
        "offered": list(dict.fromkeys(label for own in one.annotations for label in own.offered or ())),
    }
    shown = {"disputed": doubts_html(doubts), "prefilled": prefilled_digest(document.text, base.spans, base.topics), "review": review}
    marked = {"model_version": AGREED, "result": to_results(document, base.spans, base.topics, base.note)}
    return {"data": {**task_data(document), **shown}, "predictions": [marked]}


def doubts_html(doubts: Iterable[Doubt]) -> str:
    """List doubts with their reasons."""
    head = "".join(f"<th align='left'>{name}</th>" for name in ("words", "label", "now", "why it is in doubt"))
    rows = [
        (" ".join(one.text.split()), one.label, "marked" if one.given else "not marked", "; ".join(f"{name}: {words}" for name, words in one.reasons.items()))
        for one in doubts
    ]
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    said = "<p>In doubt: correct the marks where they are wrong, and submit, also where nothing is wrong.</p>"
    return f"{said}<table border='1' cellpadding='4'><tr>{head}</tr>{body}</table>"


def push_reviews(project: Project, rows: Mapping[str, Row], documents: Sequence[AnnotatedDocument], scheme: LabelScheme, doubted: Iterable[str]) -> Pushed:
    """Bring the project of adjudications up to date: one task per document.

    Args:
        project: the project of adjudications; it is made if needed.
        rows: see ``review_rows``.
        documents: all annotated documents that were looked at.
        scheme: labels and topics.
        doubted: ids of documents with a doubt, asked or not; the tasks of the others are over.
    """
    if project.id is None and not rows:
        return Pushed(0, 0, 0, 0)
    project.ensure(scheme, None, adjudicating=True)
    by_id = {one.document.id: one for one in documents}
    free = by_id.keys() - set(doubted)
    plan = _plan(project.tasks.export(only_annotated=False), rows, by_id, free)
    project.tasks.delete(plan.outdated)
    new = [by_id[key].document for key in plan.new]
    for _ in push_tasks(project, new, lambda document: rows[document.id]):
        pass
    project.show_suggestions(AGREED)
    if new:  # two crossed requests can leave a task twice
        project.tasks.delete(_plan(project.tasks.export(only_annotated=False), rows, by_id, free).outdated)
    return Pushed(len(plan.new), len(plan.unchanged), len(plan.waiting), len(plan.over))


def _plan(tasks: Iterable[Task], rows: Mapping[str, Row], documents: Mapping[str, AnnotatedDocument], free: Iterable[str]) -> _Plan:
    own: dict[str, list[Task]] = {key: [] for key in documents}
    for task in tasks:
        if task.sha256 in own:
            own[task.sha256].append(task)
    new: list[str] = []
    unchanged: list[str] = []
    waiting: list[str] = []
    outdated: list[int] = []
    for key, row in rows.items():
        fresh = [task for task in own[key] if not task.begun]
        current = next((task for task in fresh if shows(task, row)), None)
        if any(task.begun and not _is_read(task, documents[key]) for task in own[key]):
            waiting.append(key)
            continue
        (unchanged if current else new).append(key)
        outdated += [task.id for task in fresh if task is not current]
    over = {key: [task.id for task in own[key] if task.review and not task.begun] for key in free}
    outdated += [task for some in over.values() for task in some]
    return _Plan(tuple(new), tuple(unchanged), tuple(waiting), tuple(key for key, some in over.items() if some), tuple(outdated))


def _is_read(task: Task, document: AnnotatedDocument) -> bool:
    """Whether the annotations have the answer of a task already."""
    if task.has_drafts or all(one.skipped for one in task.annotations):
        return False
    return {*task.review.doubts} <= document.reviewed if task.review else any(one.ground_truth for one in document.annotations)
