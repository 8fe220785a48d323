"""The tasks of a project in Label Studio: found by document, listed, exported, imported, deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from .connection import Connection
from .records import Prediction, Task, read_prediction, read_task

BATCH = 500
"""Documents imported, or tasks deleted, in one request."""
_LOOKUP = 800  # hashes in one look-up; at 1,200 its URL is too long
_LOOKUP_CHARACTERS = 64_000
_NARROW = {"fields": "task_only", "include": "id,data", "page_size": "5000"}  # a quarter of the time of whole tasks
_SUGGESTED = (("total_annotations", "equal", "Number", 0), ("total_predictions", "greater", "Number", 0))


class Tasks:
    """The tasks of a project.

    Args:
        connection: the server.
        project_id: id of the project.
    """

    def __init__(self, connection: Connection, project_id: int) -> None:
        self._connection, self._project_id = connection, project_id

    @property
    def count(self) -> int:
        """Number of the project's tasks."""
        return int(self._connection.sdk.projects.get(id=self._project_id).task_number or 0)

    def copies(self, hashes: Sequence[str]) -> Counter[str]:
        """Count the tasks of each document, by its hash.

        The server counts faster than it lists: what it has as often as was asked for is not listed. (Copies of one document
        would hide the lack of another only if somebody deleted, among the same 800, as many tasks as a crossed import left.)
        """
        counts: Counter[str] = Counter()
        odd: list[str] = []
        for part in _parts(hashes):
            if self._page(_among("sha256", part), fields="task_only", include="id", page_size="1")["total"] == len(part):
                counts.update(part)
            else:
                odd += part
        counts.update(task.sha256 for task in self.find("sha256", odd) if task.sha256)
        return counts

    def find(self, field: str, values: Sequence[str]) -> list[Task]:
        """Find tasks, without their annotations, by a field of their data: ``sha256`` or ``name``.

        A look-up reads every task on the server, so where many are asked for, listing all of them once is faster.
        """
        if len(values) > _LOOKUP and 3 * len(values) >= self.count:
            wanted = set(values)
            return [task for task in self._list("{}", **_NARROW) if getattr(task, field) in wanted]
        return self._find(field, values, **_NARROW)

    def find_whole(self, hashes: Sequence[str]) -> list[Task]:
        """Find tasks by ``sha256``, with their annotations and drafts."""
        return self._find("sha256", hashes, fields="all")

    def outdated(self, version: str, most: int) -> list[dict[str, Any]]:
        """Some tasks, as the server's JSON, that have suggestions but none of a version, and that nobody annotated."""
        query = _all_of(*_SUGGESTED, ("predictions_model_versions", "not_contains", "List", [version]))
        return list(self._page(query, fields="task_only", include="id,data", page_size=str(most))["tasks"])

    def suggested(self) -> list[Task]:
        """All tasks that have suggestions, of whatever version, and that nobody annotated."""
        return self._list(_all_of(*_SUGGESTED), **_NARROW)

    def updated_since(self, moment: str) -> list[Task]:
        """Tasks, whole, that changed after a moment (ISO 8601)."""
        return self._list(_all_of(("updated_at", "greater", "Datetime", moment)), fields="all")

    def export(self, only_annotated: bool) -> list[Task]:
        """Export tasks with their annotations."""
        return list(map(read_task, self.export_rows(only_annotated)))

    def export_rows(self, only_annotated: bool) -> Any:
        """Export tasks as the server writes them, with annotations and everybody's drafts."""
        parameters = {"exportType": "JSON", "download_all_tasks": "false" if only_annotated else "true"}
        return self._connection.get(f"api/projects/{self._project_id}/export", parameters)

    def import_rows(self, rows: list[dict[str, Any]]) -> None:
        """Import tasks with their predictions and annotations; never repeated, because a repeated import stores them twice."""
        self._connection.sdk.projects.import_tasks(id=self._project_id, request=cast("Any", rows), request_options=self._connection.options)

    def import_predictions(self, rows: list[dict[str, Any]]) -> None:
        """Import predictions of tasks (``task``, ``model_version``, ``score``, ``result``)."""
        self._connection.sdk.projects.import_predictions(id=self._project_id, request=cast("Any", rows), request_options=self._connection.options)

    def predictions(self) -> list[Prediction]:
        """All predictions of the project."""
        return list(map(read_prediction, self.prediction_rows()))

    def prediction_rows(self) -> Any:
        """All predictions of the project as the server writes them, with their results."""
        return self._connection.get("api/predictions/", {"project": self._project_id})

    def add_annotation(self, task: int, row: dict[str, Any]) -> None:
        """Add an annotation (``result``, ``completed_by``, ``ground_truth``, ``was_cancelled``) to a task that is there."""
        self._connection.sdk.annotations.create(id=task, **row, request_options=self._connection.options)

    def update_annotation(self, annotation: int, row: dict[str, Any]) -> None:
        """Change what an annotation says (``result``, ``ground_truth``)."""
        self._connection.sdk.annotations.update(id=annotation, **row, request_options=self._connection.options)

    def drafts_of(self, task: int) -> Any:
        """Everybody's drafts of a task, as the server writes them."""
        return self._connection.get(f"api/tasks/{task}/drafts", {})

    def update_draft(self, draft: int, result: Sequence[Any]) -> None:
        """Change what a draft says; it stays its user's."""
        self._connection.send("PATCH", f"api/drafts/{draft}/", {"result": result})

    def update_prediction(self, prediction: int, result: Sequence[Any]) -> None:
        """Change what a prediction says."""
        self._connection.send("PATCH", f"api/predictions/{prediction}/", {"result": result, "project": self._project_id})

    def delete_annotation(self, annotation: int) -> None:
        """Delete an annotation."""
        self._connection.sdk.annotations.delete(id=annotation, request_options=self._connection.options)

    def mark_ground_truth(self, annotation: int) -> None:
        """Mark an annotation as its task's ground truth; another one that was marked no longer is."""
        self._connection.sdk.annotations.update(id=annotation, ground_truth=True, request_options=self._connection.options)

    def update_data(self, task: int, values: Mapping[str, str]) -> None:
        """Add fields to a task's data; those that it has stay as they are."""
        data = self._connection.get(f"api/tasks/{task}/", {})["data"]
        self.set_data(task, {**values, **{key: value for key, value in data.items() if value is not None}})

    def set_data(self, task: int, data: Mapping[str, Any]) -> None:
        """Give a task other data."""
        self._connection.sdk.tasks.update(id=str(task), data=dict(data), request_options=self._connection.options)

    def delete(self, tasks: Sequence[int]) -> None:
        """Delete tasks with what hangs on them."""
        for start in range(0, len(tasks), BATCH):
            chosen: Any = {"all": False, "included": list(tasks[start : start + BATCH])}
            actions, options = self._connection.sdk.actions, self._connection.options
            actions.create(id="delete_tasks", project=self._project_id, selected_items=chosen, request_options=options)

    def _find(self, field: str, values: Sequence[str], **chosen: str) -> list[Task]:
        return [task for part in _parts(values) for task in self._list(_among(field, part), **chosen)]

    def _list(self, query: str, **chosen: str) -> list[Task]:
        tasks: list[Task] = []
        page = 1
        while True:
            answer = self._page(query, page=str(page), **chosen)
            tasks += map(read_task, answer["tasks"])
            if len(tasks) >= answer["total"] or not answer["tasks"]:
                return tasks
            page += 1

    def _page(self, query: str, **chosen: str) -> Any:
        return self._connection.get("api/tasks/", {"project": self._project_id, "query": query, "page_size": _LOOKUP, **chosen})


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    """Cut a list into parts that fit into a URL, where a letter beyond ASCII takes up to 12 characters."""
    part: list[str] = []
    size = 0
    for value in values:
        length = len(quote(value)) + 10
        if part and (len(part) == _LOOKUP or size + length > _LOOKUP_CHARACTERS):
            yield part
            part, size = [], 0
        part.append(value)
        size += length
    if part:
        yield part


def _among(field: str, values: Sequence[str]) -> str:
    """Query for the tasks whose data has one of the values."""
    return _all_of((f"data.{field}", "in_list", "String", list(values)))


def _all_of(*conditions: tuple[str, str, str, Any]) -> str:
    """Query for the tasks that meet all conditions: field, operator, type and value of each."""
    items = [{"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value} for field, operator, kind, value in conditions]
    return json.dumps({"filters": {"conjunction": "and", "items": items}}, ensure_ascii=False)
