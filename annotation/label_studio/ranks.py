"""The queue in Label Studio: the rank of a task that waits, as a field of its data, and a tab of the data manager that is sorted by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..queue import Queued
from .project import Project

RANK, REASON = "rank", "rank_reason"
"""Fields of a task's data, which the data manager shows as columns: its place in the queue, from 0001 (as text, so that it sorts), and why."""

TAB = "Next"
"""Title of the tab; Label All Tasks goes through a tab in its order, and what has no rank comes last."""

QUEUE = 100
"""Articles that get a rank, where nothing else is said."""

_ORDER = ["tasks:data.rank"]


@dataclass(frozen=True)
class Waiting:
    """A task that nobody has annotated or skipped.

    Attributes:
        id: of the task.
        sha256: of its document.
        data: of the task.
    """

    id: int
    sha256: str
    data: Mapping[str, Any]


def waiting_tasks(project: Project) -> list[Waiting]:
    """Tasks of documents that nobody has annotated or skipped; none where there is no project."""
    if project.id is None:
        return []
    rows = [row for row in project.tasks.export_rows(only_annotated=False) if not row.get("annotations")]
    return [Waiting(row["id"], row["data"]["sha256"], row["data"]) for row in rows if isinstance(row["data"].get("sha256"), str)]


def stale_ranks(tasks: Iterable[Waiting], queue: Sequence[Queued]) -> list[tuple[int, dict[str, Any]]]:
    """Find the tasks whose rank or reason is not what a queue says; those that it does not have lose theirs.

    Args:
        tasks: that wait.
        queue: the first articles of the queue.

    Returns:
        Ids of the tasks, with their new data.
    """
    wanted = {one.document.id: {RANK: f"{number:04}", REASON: one.reason} for number, one in enumerate(queue, start=1)}
    found = []
    for task in tasks:
        data = {key: value for key, value in task.data.items() if key not in {RANK, REASON}} | wanted.get(task.sha256, {})
        if data != task.data:
            found.append((task.id, data))
    return found


def push_ranks(project: Project, stale: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Write ranks, and make the tab that is sorted by them; a run that was killed is completed by the next one."""
    for task, data in stale:
        project.tasks.set_data(task, data)
    views = project.connection.get("api/dm/views/", {"project": project.required_id()})
    own = next((view for view in views if view["data"].get("title") == TAB), None)
    if own is None:
        data = {"title": TAB, "type": "list", "target": "tasks", "ordering": _ORDER}
        project.connection.send("POST", "api/dm/views/", {"project": project.required_id(), "data": data})
    elif own["data"].get("ordering") != _ORDER:
        project.connection.send("PATCH", f"api/dm/views/{own['id']}/", {"project": project.required_id(), "data": {**own["data"], "ordering": _ORDER}})
