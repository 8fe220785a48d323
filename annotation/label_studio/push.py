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
from typing import Any

from ..annotations import Annotation
from ..documents import Document
from ..errors import NewsmarkError
from ..folders import cache_folder
from ..suggestions import Suggest, Suggestion
from .client import BATCH, Studio
from .tasks import Result, task_data, to_results

_BATCH_CHARACTERS = 20_000_000
_SETTLE_SECONDS = 60


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


def plan_push(studio: Studio, documents: Sequence[Document]) -> Plan:
    """Look up which documents the project has.

    Raises:
        NewsmarkError: the server can't be asked.
    """
    if studio.project_id is None:
        return Plan(tuple(documents), (), ())
    copies = studio.copies([document.id for document in documents])
    new = tuple(document for document in documents if not copies[document.id])
    names = {task.name for task in studio.find("name", [document.name for document in new])}
    unchanged = tuple(document for document in documents if copies[document.id])
    copied = tuple(document_id for document_id, count in copies.items() if count > 1)
    return Plan(new, unchanged, tuple(document for document in new if document.name in names), copied)


@contextmanager
def push_lock(studio: Studio) -> Iterator[None]:
    """Keep a second push from this machine to the same project out.

    Raises:
        NewsmarkError: another push is running.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / sha256(f"{studio.url} {studio.title}".encode()).hexdigest()[:16]).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NewsmarkError(f"another push to {studio.url}, project {studio.title!r}, is running; wait for it, then run the command again") from None
        yield


def push_documents(studio: Studio, documents: Sequence[Document], suggest: Suggest, annotations: Sequence[Annotation]) -> Iterator[int]:
    """Import documents with suggestions, and with annotations where there are any.

    A document that arrived already, because a former push was cut off or timed out, is found by its hash and not sent again.

    Args:
        studio: the server; its project exists.
        documents: documents that the project does not have.
        suggest: makes the pre-annotations.
        annotations: existing annotations; those of these documents are pushed under their annotators.

    Yields:
        Number of documents of each batch, once it has arrived.

    Raises:
        NewsmarkError: a text that can't be stored, or the server fails; what arrived stays, nothing is doubled.
    """
    by_document: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        by_document.setdefault(annotation.document_id, []).append(annotation)
    yield from push_tasks(studio, documents, lambda document: _import_row(studio, document, suggest(document), by_document.get(document.id, [])))


def push_tasks(studio: Studio, documents: Sequence[Document], make: Callable[[Document], dict[str, Any]]) -> Iterator[int]:
    """Import a task a document, in batches (see ``push_documents``).

    Args:
        studio: the server; its project exists.
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

        def prepare(batch: list[Document]) -> Future[list[dict[str, Any]]]:
            return worker.submit(lambda: [make(document) for document in batch])

        prepared = prepare(batches[0]) if batches else None
        for batch, following in zip_longest(batches, batches[1:]):
            rows = prepared.result() if prepared else []
            prepared = prepare(following) if following else None
            _import(studio, batch, rows)
            yield len(batch)


def push_annotations(studio: Studio, documents: Sequence[Document], annotations: Sequence[Annotation]) -> int:
    """Give documents that the server has the annotations of annotators who have none there; what is there stays as it is.

    Args:
        studio: the server.
        documents: documents that it has.
        annotations: existing annotations; those of other documents are passed over.

    Returns:
        Number of annotations pushed.
    """
    by_id = {document.id: document for document in documents}
    wanted = [one for one in annotations if one.document_id in by_id]
    tasks = studio.find_whole(list({one.document_id: None for one in wanted}))
    task_of = {task["data"]["sha256"]: int(task["id"]) for task in tasks}
    present = {(task["data"]["sha256"], studio.annotator_name(one)) for task in tasks for one in task["annotations"]}
    lacking = [one for one in wanted if one.document_id in task_of and (one.document_id, one.annotator) not in present]
    for one in lacking:
        studio.add_annotation(task_of[one.document_id], _annotation_row(studio, by_id[one.document_id], one))
    return len(lacking)


def refresh_suggestions(studio: Studio, documents: Sequence[Document], version: str, suggest: Suggest) -> int:
    """Give the tasks of documents the suggestions of a newer rule set or model; annotations stay untouched.

    Args:
        studio: the server; it has the documents.
        documents: whose tasks to look at; those that have suggestions of this version are passed over.
        version: of the rules or model.
        suggest: makes the pre-annotations.

    Returns:
        Number of tasks that got one.
    """
    by_id = {document.id: document for document in documents}
    fresh = {prediction["task"] for prediction in studio.predictions() if str(prediction["model_version"]) == version}
    stale = [task for task in studio.find("sha256", list(by_id)) if task.id not in fresh]
    for start in range(0, len(stale), BATCH):
        batch = [(task.id, by_id[task.sha256]) for task in stale[start : start + BATCH]]
        studio.import_predictions([{"task": task, **_prediction(document, suggest(document))} for task, document in batch])
    return len(stale)


def _batches(documents: Sequence[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        if batch and (len(batch) == BATCH or sum(len(one.text) for one in batch) + len(document.text) > _BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(document)
    if batch:
        yield batch


def _import_row(studio: Studio, document: Document, suggestion: Suggestion, annotations: Sequence[Annotation]) -> dict[str, Any]:
    row: dict[str, Any] = {"data": task_data(document), "predictions": [_prediction(document, suggestion)]}
    if annotations:
        row["annotations"] = [_annotation_row(studio, document, one) for one in annotations]
    return row


def _annotation_row(studio: Studio, document: Document, annotation: Annotation) -> dict[str, Any]:
    return {
        "result": to_results(document, annotation.spans, annotation.topics, annotation.note),
        "completed_by": studio.annotator_id(annotation.annotator),
        "ground_truth": annotation.ground_truth,
        "was_cancelled": annotation.skipped,
    }


def _prediction(document: Document, suggestion: Suggestion) -> dict[str, Any]:
    results: list[Result] = to_results(document, suggestion.spans, scores=suggestion.scores)
    mean = sum(suggestion.scores.values()) / len(suggestion.scores) if suggestion.scores else 0.0
    return {"model_version": suggestion.version, "score": round(mean, 4), "result": results}


def _import(studio: Studio, batch: list[Document], tasks: list[dict[str, Any]]) -> None:
    import httpx  # comes with the SDK

    try:
        studio.import_tasks(tasks)
    except httpx.TimeoutException:  # the server goes on by itself: wait until it has settled, then say what is there
        missing = _wait_until_settled(studio, batch)
        if missing:
            arrived = f"{len(batch) - missing} of {len(batch)} documents"
            raise NewsmarkError(f"{studio.url} did not answer in time and stored {arrived}; run the command again") from None


def _wait_until_settled(studio: Studio, batch: list[Document]) -> int:
    """Wait until no more documents of a batch arrive.

    Returns:
        How many have not arrived.
    """
    hashes = [document.id for document in batch]
    seen, until = -1, time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < until:
        count = sum(copies > 0 for copies in studio.copies(hashes).values())
        if count == len(batch) or (count == seen and count):
            return len(batch) - count
        seen = count
        time.sleep(2)
    return len(batch) - max(seen, 0)


def remove_copies(studio: Studio, hashes: Sequence[str]) -> None:
    """Delete copies of documents, which two crossed requests can leave; one that holds an annotation or draft of its own stays.

    Args:
        studio: the server.
        hashes: of the documents that it has more than once.
    """
    kept: dict[str, list[Any]] = {}
    copies = []
    for task in sorted(studio.find_whole(hashes), key=lambda one: (-len(one["annotations"]), one["id"])):
        said = [(one["completed_by"], one["was_cancelled"], one["result"]) for one in task["annotations"]]
        first = kept.setdefault(task["data"]["sha256"], said)
        if first is not said and not task.get("drafts") and all(one in first for one in said):
            copies.append(int(task["id"]))
    studio.delete_tasks(copies)
