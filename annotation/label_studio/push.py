"""Pushing documents to Label Studio: each one once, ever."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from typing import Any, Protocol, TypeVar

from ..annotations import Annotation, annotations_by_document
from ..documents import Document
from ..errors import NewsmarkError
from ..folders import cache_folder
from ..suggestions import Suggester
from .project import Project
from .reading import with_annotators
from .records import Task
from .tasks import BATCH
from .writing import Row, annotation_row, task_row

_BATCH_CHARACTERS = 20_000_000
_SETTLE_SECONDS = 60


class Pushable(Protocol):
    """What becomes a task: a document, or a question about a passage of one."""

    @property
    def id(self) -> str:
        """Field ``sha256`` of the task's data, by which it is found."""

    @property
    def name(self) -> str:
        """Name of the document, for messages."""

    @property
    def text(self) -> str:
        """Text of the task."""


T = TypeVar("T", bound=Pushable)


@dataclass(frozen=True)
class Plan:
    """What a push would do.

    Attributes:
        new: documents that the project does not have.
        unchanged: those that it has.
        changed: new ones of a name that the project has with another text; the old task stays.
        copied: hashes of those that the project has more than once.
    """

    new: tuple[Document, ...]
    unchanged: tuple[Document, ...]
    changed: tuple[Document, ...]
    copied: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many documents are new, unchanged, changed."""
        return {"new": len(self.new), "unchanged": len(self.unchanged), "changed": len(self.changed)}

    def __str__(self) -> str:
        """Describe the plan in one line."""
        return f"{len(self.new)} new, {len(self.unchanged)} unchanged, {len(self.changed)} of the new ones changed (their old tasks stay)"


def plan_push(project: Project, documents: Sequence[Document]) -> Plan:
    """Look up which documents the project has.

    Raises:
        NewsmarkError: the server can't be asked.
    """
    if project.id is None:
        return Plan(tuple(documents), (), ())
    tasks = project.tasks
    copies = tasks.copies([document.id for document in documents])
    new = tuple(document for document in documents if not copies[document.id])
    names = {task.name for task in tasks.find("name", [document.name for document in new])}
    unchanged = tuple(document for document in documents if copies[document.id])
    copied = tuple(document_id for document_id, count in copies.items() if count > 1)
    return Plan(new, unchanged, tuple(document for document in new if document.name in names), copied)


@contextmanager
def project_lock(project: Project, command: str = "") -> Iterator[None]:
    """Keep a second command of this machine that changes the same project out; or, where a command is named, only a second one of that name.

    Raises:
        NewsmarkError: another one is running.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / sha256(f"{project.connection.url} {project.title}{command and ' ' + command}".encode()).hexdigest()[:16]).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = f"{project.connection.url}, project {project.title!r}"
            raise NewsmarkError(f"another annotate {command or 'command'} is changing {where}; wait for it, then run the command again") from None
        yield


def push_documents(project: Project, documents: Sequence[Document], suggester: Suggester, annotations: Sequence[Annotation]) -> Iterator[int]:
    """Import documents with suggestions, and with annotations where there are any.

    A document that arrived already, because a former push was cut off or timed out, is found by its hash and not sent again.

    Args:
        project: a project that exists.
        documents: documents that the project does not have.
        suggester: makes the suggestions.
        annotations: existing annotations; those of these documents are pushed under their annotators.

    Yields:
        Number of documents of each batch, once it has arrived.

    Raises:
        NewsmarkError: a text that can't be stored, or the server fails; what arrived stays, nothing is doubled.
    """
    by_document = annotations_by_document(annotations)

    def make(document: Document) -> Row:
        return task_row(document, suggester.suggest(document), by_document.get(document.id, []), project.annotators)

    yield from push_tasks(project, documents, make)


def push_tasks(project: Project, documents: Sequence[T], make: Callable[[T], Row]) -> Iterator[int]:
    """Import one task per document, in batches (see ``push_documents``).

    Args:
        project: a project that exists.
        documents: documents that the project does not have.
        make: makes the row that is imported for a document.

    Yields:
        Number of documents of each batch, once it has arrived.
    """
    for document in documents:
        if "\0" in document.text:
            raise NewsmarkError(f"{document.name}: the text holds a NUL, which Label Studio can't store on every database; remove it")
    batches = list(_batches(documents))
    with ThreadPoolExecutor(1) as worker:  # makes the next batch while the server stores this one

        def prepare(batch: list[T]) -> Future[list[Row]]:
            return worker.submit(lambda: [make(document) for document in batch])

        prepared = prepare(batches[0]) if batches else None
        for batch, following in zip_longest(batches, batches[1:]):
            rows = prepared.result() if prepared else []
            prepared = prepare(following) if following else None
            _import(project, batch, rows)
            yield len(batch)


@dataclass(frozen=True)
class Added:
    """Annotations that were added to tasks that the server has.

    Attributes:
        count: how many.
        edited: tasks that got none because their text was changed in Label Studio: offsets mean something else there.
    """

    count: int
    edited: tuple[Task, ...]


def push_annotations(project: Project, documents: Sequence[Document], annotations: Sequence[Annotation]) -> Added:
    """Give documents that the server has the annotations of annotators who have none there; what is there stays as it is.

    Args:
        project: the project.
        documents: documents that it has.
        annotations: existing annotations; those of other documents are passed over.
    """
    by_id = {document.id: document for document in documents}
    wanted = [one for one in annotations if one.document_id in by_id]
    tasks = project.tasks.find_whole(list({one.document_id: None for one in wanted}))
    task_of = {task.sha256: task for task in sorted(tasks, key=lambda one: not one.edited)}  # of copies one with the document's text
    present = {(task.sha256, annotator) for task, _, annotator in with_annotators(project, tasks)}
    lacking = [one for one in wanted if one.document_id in task_of and (one.document_id, one.annotator) not in present]
    fitting = [one for one in lacking if not task_of[one.document_id].edited]
    for one in fitting:
        project.tasks.add_annotation(task_of[one.document_id].id, annotation_row(by_id[one.document_id], one, project.annotators))
    others = {one.document_id: task_of[one.document_id] for one in lacking}
    return Added(len(fitting), tuple(task for task in others.values() if task.edited))


def _batches(documents: Sequence[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for document in documents:
        if batch and (len(batch) == BATCH or sum(len(one.text) for one in batch) + len(document.text) > _BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(document)
    if batch:
        yield batch


def _import(project: Project, batch: Sequence[Pushable], rows: list[Row]) -> None:
    import httpx  # comes with the SDK

    try:
        project.tasks.import_rows(rows)
    except httpx.TimeoutException:  # the server continues by itself: wait until it has settled, then report what is there
        missing = _wait_until_settled(project, batch)
        if missing:
            arrived = f"{len(batch) - missing} of {len(batch)} documents"
            raise NewsmarkError(f"{project.connection.url} did not answer in time and stored {arrived}; run the command again") from None


def _wait_until_settled(project: Project, batch: Sequence[Pushable]) -> int:
    """Wait until no more documents of a batch arrive.

    Returns:
        How many have not arrived.
    """
    hashes = [document.id for document in batch]
    seen, until = -1, time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < until:
        count = len(project.tasks.copies(hashes))
        if count == len(batch) or (count == seen and count):
            return len(batch) - count
        seen = count
        time.sleep(2)
    return len(batch) - max(seen, 0)


def remove_copies(project: Project, hashes: Sequence[str]) -> None:
    """Delete copies of documents, which two crossed requests can leave; one that holds an annotation or draft of its own stays.

    Args:
        project: the project.
        hashes: of the documents that it has more than once.
    """
    kept: dict[str | None, list[Any]] = {}
    copies = []
    for task in sorted(project.tasks.find_whole(hashes), key=lambda one: (-len(one.annotations), one.id)):
        content = [(one.user, one.skipped, one.results) for one in task.annotations]
        first = kept.setdefault(task.sha256, content)
        if first is not content and not task.has_drafts and all(one in first for one in content):
            copies.append(task.id)
    project.tasks.delete(copies)
