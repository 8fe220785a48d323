"""Adopting tasks that newsmark did not push: annotators or another program added them to the project."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..characters import is_blank
from ..documents import Document, make_document, read_documents
from ..files import atomic_write
from .project import Project
from .records import Task
from .writing import task_data


@dataclass(frozen=True)
class Adopted:
    """A task that is a document of newsmark's from now on."""

    task: Task
    document: Document


def adopt_tasks(project: Project, texts: Path) -> list[Adopted]:
    """Make documents of the texts of tasks that newsmark did not push.

    The texts are written first; then each task gets its document's hash, name and language into its data, beside what is there, so that
    ``push`` and ``pull`` know it. A task that is interrupted in between is adopted by the next call.

    Args:
        project: the project.
        texts: file of adopted texts (JSONL of articles); those that it has are kept.

    Returns:
        What was adopted (see ``can_be_adopted``).
    """
    tasks = [task for task in project.tasks.export(only_annotated=False) if can_be_adopted(task)]
    adopted = [Adopted(task, make_document(task.text or "", task.name, task.language, task.metadata)) for task in tasks]
    if adopted:
        _add_texts(texts, (one.document for one in adopted))
    for one in adopted:
        project.tasks.update_data(one.task.id, task_data(one.document))
    return adopted


def can_be_adopted(task: Task) -> bool:
    """Whether a task that newsmark did not push has a text that a document can have."""
    return (
        task.sha256 is None and task.odd_sha256 is None and task.text is not None and not is_blank(task.text) and not re.search("[\0\ud800-\udfff]", task.text)
    )


def _add_texts(path: Path, documents: Iterable[Document]) -> None:
    known = {one.id: one for one in read_documents([path])} if path.exists() else {}
    with atomic_write(path) as stream:
        for one in {**{document.id: document for document in documents}, **known}.values():
            stream.write(json.dumps({**one.metadata, "name": one.name, "lang": one.language, "text": one.text}, ensure_ascii=False) + "\n")
