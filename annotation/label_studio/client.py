"""A Label Studio server as newsmark uses it: its project, its tasks by document, its annotators."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from ..errors import NewsmarkError
from ..labels import LabelScheme
from .interface import instructions_html, interface_xml, offered_in

BATCH = 500
"""Documents imported, or tasks listed, in one request."""
_LOOKUP = 800  # hashes in one look-up; at 1,200 its URL is too long
_LOOKUP_CHARACTERS = 64_000
_TIMEOUT = 300
_OWN_DOMAIN = "annotators.invalid"


@dataclass(frozen=True)
class StudioTask:
    """A task of the project: its id and the document that it shows."""

    id: int
    sha256: str
    name: str


class Studio:
    """A connection to one project of a Label Studio server."""

    def __init__(self, url: str, token: str, title: str) -> None:
        from label_studio_sdk import LabelStudio  # slow to import
        from label_studio_sdk.core.api_error import ApiError

        if not 3 <= len(title) <= 50:
            raise NewsmarkError(f"project title {title!r}: Label Studio wants 3 to 50 characters; choose another with --project")
        if "@" in urlsplit(url).netloc:
            raise NewsmarkError("the server's URL holds a user name or password; take it out of LABEL_STUDIO_URL, the token is enough")
        self.url, self.title = url.rstrip("/"), title
        if not re.fullmatch(r"[!-~]+", token):  # httpx would repeat it in its message
            raise NewsmarkError("LABEL_STUDIO_API_KEY holds what no token has, such as a space; copy the token again")
        try:
            self.client: Any = LabelStudio(base_url=self.url, api_key=token, timeout=_TIMEOUT)  # type: ignore[no-untyped-call]
        except ApiError as error:  # a personal access token that has expired
            raise NewsmarkError(f"{self.url}: {_explain(error)}") from None
        self.options: Any = {"max_retries": 0, "timeout_in_seconds": _TIMEOUT}  # a repeated POST would import twice

    @classmethod
    def from_environment(cls, title: str, data: Path) -> Studio:
        """Connect to ``LABEL_STUDIO_URL`` with ``LABEL_STUDIO_API_KEY``, or to the server that ``annotate serve`` started.

        Raises:
            NewsmarkError: neither is known.
        """
        from .server import read_credentials, read_url

        url, token = os.environ.get("LABEL_STUDIO_URL"), os.environ.get("LABEL_STUDIO_API_KEY")
        if not url and (own := read_credentials(data)) and (own_url := read_url(data)):
            return cls(own_url, own.token, title)
        if not url:
            raise NewsmarkError("no Label Studio server is known; run: annotate serve, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
        if not token:
            raise NewsmarkError(f"no token for {url}; set LABEL_STUDIO_API_KEY to the access token on the server's account page")
        return cls(url, token, title)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the SDK raises into one clear line, without the token.

        Raises:
            NewsmarkError: the server is down, slow, refuses the token, or lacks the project.
        """
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except httpx.TimeoutException:
            raise NewsmarkError(f"{self.url} did not answer in time; what was sent may still arrive: run the command again, nothing is pushed twice") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NewsmarkError(f"{self.url} can't be reached ({error or type(error).__name__}); is the server running? annotate serve starts one") from None
        except ApiError as error:
            raise NewsmarkError(f"{self.url}: {_explain(error)}") from None

    @cached_property
    def project_id(self) -> int | None:
        """Id of the project with our title; None where there is none.

        Raises:
            NewsmarkError: what answers is no Label Studio.
        """
        from label_studio_sdk.core.api_error import ApiError

        try:
            projects: Any = self.client.projects.list(page_size=100)
            return next((int(project.id) for project in projects if project.title == self.title), None)
        except (ApiError, ValueError) as error:
            if isinstance(error, ApiError) and error.status_code not in {200, 404}:
                raise
            raise NewsmarkError(f"{self.url} does not answer as Label Studio does; check LABEL_STUDIO_URL") from None

    def require_project(self) -> int:
        """Id of the project.

        Raises:
            NewsmarkError: there is none of our title.
        """
        if self.project_id is None:
            raise NewsmarkError(f"{self.url} has no project {self.title!r}; annotate push makes it")
        return self.project_id

    def ensure_project(self, scheme: LabelScheme, overlap: int | None) -> int:
        """Make the project or update its interface to the labels file.

        Raises:
            NewsmarkError: a label, kind or topic that annotations use is no longer in the labels file; the tasks are listed.
        """
        settings: dict[str, Any] = {
            "label_config": interface_xml(scheme),
            "expert_instruction": instructions_html(scheme),
            "show_instruction": True,
            "show_collab_predictions": True,
        }
        if overlap:
            settings["maximum_annotations"] = overlap
        if self.project_id is None:
            created = self.client.projects.create(title=self.title, **settings, request_options=self.options)
            self.__dict__["project_id"] = created.id
            return self.require_project()
        present = str(self.client.projects.get(id=self.project_id).label_config)
        gone = offered_in(present) - offered_in(settings["label_config"])
        if gone:
            self._refuse_used(gone)
        self.client.projects.update(id=self.project_id, **settings, request_options=self.options)
        return self.project_id

    def _refuse_used(self, gone: frozenset[tuple[str, str]]) -> None:
        using = [
            f"{name!r} in task {task['id']} ({task['data'].get('name')}), annotation {annotation['id']}"
            for task in self.export(only_annotated=True)
            for annotation in task["annotations"]
            for result in annotation["result"]
            for name in (*result.get("value", {}).get("labels", []), *result.get("value", {}).get("choices", []))
            if (result.get("from_name"), name) in gone
        ]
        if using:
            shown = "; ".join(dict.fromkeys(using))
            raise NewsmarkError(f"the labels file no longer has what annotations use: {shown}; change these annotations first, or put the names back")

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
        counts.update(task.sha256 for task in self.find("sha256", odd))
        return counts

    def find(self, field: str, values: Sequence[str]) -> list[StudioTask]:
        """Find tasks by a field of their data, ``sha256`` or ``name``.

        A look-up reads every task on the server, so where many are asked for, listing all of them once is faster.
        """
        narrow = {"fields": "task_only", "include": "id,data", "page_size": "5000"}  # a quarter of the time of whole tasks
        if len(values) > _LOOKUP and 3 * len(values) >= self.task_count:
            wanted = set(values)
            return [_task(one) for one in self._list("{}", **narrow) if one["data"].get(field) in wanted]
        return [_task(one) for one in self._find(field, values, **narrow)]

    def find_whole(self, hashes: Sequence[str]) -> list[dict[str, Any]]:
        """Find tasks by ``sha256``, with their annotations and drafts."""
        return self._find("sha256", hashes, fields="all")

    def _find(self, field: str, values: Sequence[str], **chosen: str) -> list[dict[str, Any]]:
        found = []
        for part in _parts(values):
            found += self._list(_among(field, part), **chosen)
        return found

    def updated_since(self, moment: str) -> list[dict[str, Any]]:
        """Tasks, whole, that changed after a moment (ISO 8601)."""
        since = {"filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime", "value": moment}
        changed = self._list(json.dumps({"filters": {"conjunction": "and", "items": [since]}}), fields="all")
        return [task for task in changed if _ours(task)]

    def _list(self, query: str, **chosen: str) -> list[dict[str, Any]]:
        """List tasks as plain JSON: the SDK's classes differ from call to call, and building them takes most of the time."""
        tasks: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._page(query, page=str(page), **chosen)
            tasks += answer["tasks"]
            if len(tasks) >= answer["total"] or not answer["tasks"]:
                return tasks
            page += 1

    def _page(self, query: str, **chosen: str) -> Any:
        return self._get("api/tasks/", {"project": self.require_project(), "query": query, "page_size": _LOOKUP, **chosen})

    def export(self, only_annotated: bool) -> list[dict[str, Any]]:
        """Export tasks with their annotations, as Label Studio's JSON."""
        parameters = {"exportType": "JSON", "download_all_tasks": "false" if only_annotated else "true"}
        exported: list[dict[str, Any]] = self._get(f"api/projects/{self.require_project()}/export", parameters)
        return [task for task in exported if _ours(task)]

    def import_tasks(self, tasks: list[dict[str, Any]]) -> None:
        """Import tasks with their predictions and annotations; never repeated, because a repeated import stores them twice."""
        self.client.projects.import_tasks(id=self.require_project(), request=cast("Any", tasks), request_options=self.options)

    def import_predictions(self, rows: list[dict[str, Any]]) -> None:
        """Import predictions of tasks (``task``, ``model_version``, ``score``, ``result``)."""
        self.client.projects.import_predictions(id=self.require_project(), request=cast("Any", rows), request_options=self.options)

    def add_annotation(self, task: int, row: dict[str, Any]) -> None:
        """Add an annotation (``result``, ``completed_by``, ``ground_truth``, ``was_cancelled``) to a task that is there."""
        self.client.annotations.create(id=task, **row, request_options=self.options)

    def mark_ground_truth(self, annotation: int) -> None:
        """Mark an annotation as its task's ground truth; another one that was marked no longer is."""
        self.client.annotations.update(id=annotation, ground_truth=True, request_options=self.options)

    @property
    def overlap(self) -> int:
        """Number of annotators that each document is for."""
        return int(self.client.projects.get(id=self.require_project()).maximum_annotations or 1)

    @property
    def task_count(self) -> int:
        """Number of the project's tasks."""
        return int(self.client.projects.get(id=self.require_project()).task_number or 0)

    @property
    def suggestion_version(self) -> str:
        """Version of the suggestions that all tasks have; annotators are shown these."""
        return str(self.client.projects.get(id=self.require_project()).model_version or "")

    @suggestion_version.setter
    def suggestion_version(self, version: str) -> None:
        self.client.projects.update(id=self.require_project(), model_version=version, request_options=self.options)

    def predictions(self) -> list[dict[str, Any]]:
        """All predictions of the project."""
        stored: list[dict[str, Any]] = self._get("api/predictions/", {"project": self.require_project()})
        return stored

    def delete_tasks(self, tasks: Sequence[int]) -> None:
        """Delete tasks with what hangs on them."""
        for start in range(0, len(tasks), BATCH):
            chosen: Any = {"all": False, "included": list(tasks[start : start + BATCH])}
            self.client.actions.create(id="delete_tasks", project=self.require_project(), selected_items=chosen, request_options=self.options)

    def _get(self, path: str, parameters: dict[str, Any]) -> Any:
        from label_studio_sdk.core.api_error import ApiError

        response = self.client._client_wrapper.httpx_client.request(path, method="GET", params=parameters, request_options=self.options)  # noqa: SLF001
        if response.status_code >= 400:
            with suppress(ValueError):
                raise ApiError(status_code=response.status_code, body=response.json())
            raise ApiError(status_code=response.status_code, body=response.text)
        return response.json()

    @cached_property
    def annotators(self) -> dict[int, str]:
        """Names of the server's users by id: their e-mail addresses; users that newsmark made are called as their annotations say."""
        return {int(user.id): str((str(user.email).endswith(f"@{_OWN_DOMAIN}") and user.first_name) or user.email) for user in self.client.users.list()}

    def annotator_name(self, annotation: dict[str, Any]) -> str:
        """Name of the user who made an exported annotation."""
        user = annotation.get("completed_by")
        return self.annotators.get(user, f"deleted user {user}") if isinstance(user, int) else "unknown user"

    def annotator_id(self, name: str) -> int:
        """Find the user of an annotator, or make one that nobody can log in as.

        Such a user has an e-mail address under the reserved domain ``.invalid``, and the annotator's exact name as first name.
        """
        known = {annotator: user for user, annotator in self.annotators.items()}
        if name not in known:
            username = f"{re.sub(r'[^a-z0-9]+', '-', name.lower())[:40]}-{sha256(name.encode()).hexdigest()[:8]}"  # "Bo" and "bo" are two
            user = self.client.users.create(email=f"{username}@{_OWN_DOMAIN}", username=username, first_name=name, request_options=self.options)
            self.annotators[int(user.id)] = name
            return int(user.id)
        return known[name]

    @property
    def project_url(self) -> str:
        """Address of the project's page."""
        return f"{self.url}/projects/{self.require_project()}"

    def task_url(self, task: int) -> str:
        """Address of a task's page."""
        return f"{self.project_url}/data?task={task}"


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
    wanted = {"filter": f"filter:tasks:data.{field}", "operator": "in_list", "type": "String", "value": list(values)}
    return json.dumps({"filters": {"conjunction": "and", "items": [wanted]}}, ensure_ascii=False)


def _ours(task: dict[str, Any]) -> bool:
    """Whether newsmark pushed a task; somebody may have added tasks of their own."""
    return "text" in task["data"] and "sha256" in task["data"]


def _task(row: dict[str, Any]) -> StudioTask:
    return StudioTask(int(row["id"]), str(row["data"].get("sha256")), str(row["data"].get("name")))


def _explain(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    detail = " ".join(str(body.get("detail") or body.get("validation_errors") or "").split())[:300]
    if error.status_code in {401, 403}:
        return "the token is refused (wrong, expired or disabled); take a new one from the account page and set LABEL_STUDIO_API_KEY"
    if error.status_code == 404:
        return "the project is not there (deleted?); run the command again, annotate push makes a new one"
    return f"answered {error.status_code}{f': {detail}' if detail else ''}"
