"""Renewing the suggestions of a project's tasks: which are of another version, and whether the project can show the new ones.

Label Studio shows the suggestions of one version, in all tasks of a project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..documents import Document
from ..suggestions import Suggester
from .project import Project
from .records import Task
from .tasks import BATCH
from .writing import prediction_row


@dataclass(frozen=True)
class Stale:
    """The tasks that have no suggestions of a version.

    Attributes:
        tasks: numbers of those that can get them, with their documents.
        edited: those whose text was changed in Label Studio.
    """

    tasks: tuple[tuple[int, Document], ...]
    edited: tuple[Task, ...]


def stale_tasks(project: Project, documents: Sequence[Document], version: str) -> Stale:
    """Find the tasks that have no suggestions of a version.

    Args:
        project: the project; it has the documents.
        documents: whose tasks to look at.
        version: of the suggestions.
    """
    if not documents:
        return Stale((), ())
    by_id = {document.id: document for document in documents}
    fresh = _with_suggestions(project, version)
    stale = [task for task in project.tasks.find("sha256", list(by_id)) if task.id not in fresh]
    tasks = tuple((task.id, by_id[task.sha256]) for task in stale if task.sha256 and not task.edited)
    return Stale(tasks, tuple(task for task in stale if task.edited))


def refresh_suggestions(project: Project, documents: Sequence[Document], suggester: Suggester) -> Stale:
    """Give the tasks of documents the suggestions of a newer rule set or model (see ``stale_tasks``); annotations stay untouched.

    Args:
        project: the project; it has the documents.
        documents: whose tasks to look at.
        suggester: makes the suggestions.

    Returns:
        The tasks that got one, and those that did not.
    """
    stale = stale_tasks(project, documents, suggester.version)
    for start in range(0, len(stale.tasks), BATCH):
        rows = [{"task": task, **prediction_row(document, suggester.suggest(document))} for task, document in stale.tasks[start : start + BATCH]]
        project.tasks.import_predictions(rows)
    return stale


def without_suggestions(project: Project, documents: Sequence[Document], version: str) -> list[str]:
    """Find what would lose its suggestions if a project showed those of a version: documents that nobody has annotated, with others only.

    Args:
        project: the project.
        documents: that have suggestions of the version; tasks of their names hold former texts of theirs, and do not count.
        version: of the suggestions.

    Returns:
        Names of these documents.
    """
    names, fresh = {document.name for document in documents}, _with_suggestions(project, version)
    return [task.name for task in project.tasks.suggested() if task.pushed and task.id not in fresh and task.name not in names]


def _with_suggestions(project: Project, version: str) -> set[int]:
    return {prediction.task for prediction in project.tasks.predictions() if prediction.version == version}
