"""Live suggestions for a project: what is answered to Label Studio's protocol for ML backends, and the project's connection to who answers.

Label Studio asks for suggestions when an annotator gets a task in the label stream, and when a task without suggestions is opened. A task that is opened
from the list and has older suggestions is not asked for, so that those are renewed as well, a few at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..characters import is_blank
from ..documents import make_document
from ..errors import NewsmarkError
from ..suggestions import Suggester
from .interface import offered_in
from .project import Project
from .records import read_task
from .writing import Row, prediction_row

logger = logging.getLogger("newsmark.backend")

USER = "newsmark"
"""User name of the password that Label Studio sends."""

_MARK = "annotate backend"
"""Description of our connections, by which they are known again."""

_AT_ONCE = 5
"""Tasks whose suggestions are renewed in one step."""

_LIMIT_SECONDS = 100.0
"""How long Label Studio waits for suggestions."""

_offered = lru_cache(maxsize=8)(offered_in)


def suggest_for(task: Mapping[str, Any], suggester: Suggester, interface: str) -> Row:
    """Make the prediction of a task that Label Studio sent.

    Args:
        task: JSON of the task.
        suggester: makes the suggestions.
        interface: the project's labelling configuration. What it does not offer is left out: Label Studio could not open the task otherwise.

    Returns:
        ``model_version``, ``score`` and ``result``, as ``annotate push`` imports them. Nothing is suggested for a task without a usable text, nor where the
        suggester fails, so that the task can be opened.

    Raises:
        NewsmarkError: there is not enough time.
    """
    empty = {"model_version": suggester.version, "score": 0.0, "result": []}
    read = read_task(task)
    if read.text is None or is_blank(read.text):
        return empty
    language = task["data"].get("lang")
    try:
        document = make_document(read.text, read.name, language if isinstance(language, str) and language else None)
        row = prediction_row(document, suggester.suggest(document))
    except NewsmarkError:
        raise
    except Exception as error:  # noqa: BLE001 - its message may hold the text
        logger.error("nothing is suggested: the suggester failed", extra={"task": read.id, "error": type(error).__name__})
        return empty
    offered = _offered(interface)
    return {**row, "result": [kept for one in row["result"] if (kept := _as_offered(one, offered))]}


def _as_offered(result: Row, offered: Set[tuple[str, str]]) -> Row | None:
    """What of a result an interface offers; None where that is nothing. Of several topics the others stay."""
    [key] = {"labels", "choices"} & result["value"].keys()
    names = [name for name in result["value"][key] if (result["from_name"], name) in offered]
    return {**result, "value": {**result["value"], key: names}} if names else None


@dataclass
class BackendConnection:
    """A project's connection to a server of suggestions.

    Its title is the version of the suggestions: Label Studio asks the backend whose title is the project's ``model_version``, and shows suggestions of
    this version in tasks that have several.

    Attributes:
        project: the project; it exists.
        url: where Label Studio reaches the server.
        password: that Label Studio has to send.
    """

    project: Project
    url: str
    password: str = field(repr=False)
    _id: int | None = None
    _title: str = ""

    def connect(self, version: str) -> None:
        """Connect the project to the server, which must answer already; what a killed server left behind is removed first.

        Args:
            version: of the suggestions.

        Raises:
            NewsmarkError: another server answers for the project.
        """
        for row in self._present():
            if row["description"] != _MARK:
                raise NewsmarkError(f"{self.project.url} has another ML backend, {row['title']!r}; remove it in the project's settings, under Model")
            if row["readable_state"] == "Connected":
                raise NewsmarkError(f"another annotate backend answers for {self.project.url}, at {row['url']}; stop that one first")
            self._remove(int(row["id"]), str(row["url"]))
        refused = self._create(version)
        self._title = version
        self._id = next((int(row["id"]) for row in self._present() if row["description"] == _MARK and row["url"] == self.url), None)
        if self._id is None:
            if not self.project.suggestion_version:  # it was that of a connection that was removed
                self._show_stored()
            raise NewsmarkError(refused)
        self._remove_webhooks(self.url)
        self.project.suggestion_version = version

    def keep(self, suggester: Suggester) -> int:
        """Let the project show suggestions of the present version, and renew those of a few tasks that nobody annotated yet.

        Args:
            suggester: that answers at present.

        Returns:
            Number of tasks whose suggestions were renewed; 0 where there are none left.
        """
        if self._title != suggester.version:
            self._sdk.ml.update(id=self._id, **self._values(suggester.version), request_options=self.project.connection.options)
            self._title = suggester.version
        if self.project.suggestion_version != suggester.version:  # a push has changed it
            self.project.suggestion_version = suggester.version
        interface = self.project.label_config
        tasks = self.project.tasks
        made = {int(row["id"]): suggest_for(row, suggester, interface) for row in tasks.outdated(suggester.version, _AT_ONCE)}
        still = {int(row["id"]) for row in tasks.outdated(suggester.version, _AT_ONCE)} if made else ()  # an annotator may have got one meanwhile
        if rows := [{"task": task, **row} for task, row in made.items() if task in still]:
            tasks.import_predictions(rows)
        return len(made)

    def disconnect(self) -> None:
        """Remove the connection; annotators are then shown the suggestions that most tasks have."""
        if self._id is None:
            return
        self._remove(self._id, self.url)
        self._show_stored()

    def _show_stored(self) -> None:
        counts: Mapping[str, int] = self.project.connection.get(f"api/projects/{self.project.required_id()}/model-versions/", {})
        if counts:
            self.project.suggestion_version = max(counts, key=lambda version: (counts[version], version == self._title))

    def _create(self, version: str) -> str:
        """Make the connection.

        Returns:
            Why Label Studio refuses, where it does. It makes a webhook for each connection, and does not allow one to an address of its own machine:
            then it answers 403, although the connection is made, and works.
        """
        from label_studio_sdk.core.api_error import ApiError

        try:
            self._sdk.ml.create(**self._values(version), request_options=self.project.connection.options)
        except ApiError as error:
            if error.status_code == 403:
                return (
                    f"Label Studio does not allow {self.url}: set LABEL_STUDIO_ML_BLOCK_LOCAL_IP=false where it is started (annotate serve does), and use an "
                    "account that may change the project"
                )
            if error.status_code == 400:
                return f"Label Studio can't reach {self.url}; name with --url the address under which it reaches this machine, or listen on another --host"
            raise
        return f"{self.project.url} has lost the connection again; run the command again"

    def _present(self) -> list[dict[str, Any]]:
        """The project's connections; Label Studio looks whether each of them answers."""
        return list(self.project.connection.get("api/ml/", {"project": self.project.required_id()}))

    @property
    def _sdk(self) -> Any:
        return self.project.connection.sdk

    def _values(self, version: str) -> dict[str, Any]:
        return {
            "project": self.project.required_id(),
            "url": self.url,
            "title": version,
            "description": _MARK,
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": USER,
            "basic_auth_pass": self.password,
            "is_interactive": False,
            "timeout": _LIMIT_SECONDS,
        }

    def _remove(self, backend: int, url: str) -> None:
        self._sdk.ml.delete(id=backend, request_options=self.project.connection.options)
        self._remove_webhooks(url)

    def _remove_webhooks(self, url: str) -> None:
        """Remove what Label Studio makes with each connection: every annotation would be sent to the server, without the password."""
        for hook in self._sdk.webhooks.list(project=self.project.required_id()):
            if hook.url == f"{url.rstrip('/')}/webhook":
                self._sdk.webhooks.delete(id=hook.id, request_options=self.project.connection.options)
