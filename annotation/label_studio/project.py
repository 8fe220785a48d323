"""A project of a Label Studio server: its interface, its settings and the way to its tasks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from ..errors import NewsmarkError
from ..labels import LabelScheme
from .annotators import Annotators
from .connection import Connection
from .interface import instructions_html, interface_xml, labels_in, needs_former, offered_in
from .tasks import Tasks

MAX_TITLE = 50
"""The longest title that Label Studio takes, in characters."""


class Project:
    """The project of a title, which need not exist yet.

    Args:
        connection: the server.
        title: title of the project.

    Attributes:
        annotators: the server's users.

    Raises:
        NewsmarkError: Label Studio takes no such title.
    """

    def __init__(self, connection: Connection, title: str) -> None:
        if not 3 <= len(title) <= MAX_TITLE:
            raise NewsmarkError(f"project title {title!r}: Label Studio wants 3 to {MAX_TITLE} characters; choose another with --project")
        self.connection, self.title = connection, title
        self.annotators = Annotators(connection)

    @cached_property
    def id(self) -> int | None:
        """Id of the project with our title; None where there is none.

        Raises:
            NewsmarkError: what answers is no Label Studio, or several projects have this title.
        """
        from label_studio_sdk.core.api_error import ApiError

        try:
            projects: Any = self.connection.sdk.projects.list(page_size=100)
            found = [int(project.id) for project in projects if project.title == self.title]
        except (ApiError, ValueError) as error:
            if isinstance(error, ApiError) and error.status_code not in {200, 404}:
                raise
            raise NewsmarkError(f"{self.connection.url} does not answer as Label Studio does; check LABEL_STUDIO_URL") from None
        if len(found) > 1:
            raise NewsmarkError(f"{len(found)} projects are called {self.title!r} (ids {', '.join(map(str, found))}); rename all but one in Label Studio")
        return found[0] if found else None

    def required_id(self) -> int:
        """Id of the project.

        Raises:
            NewsmarkError: there is none of our title.
        """
        if self.id is None:
            raise NewsmarkError(f"{self.connection.url} has no project {self.title!r}; annotate push makes it")
        return self.id

    def ensure(self, scheme: LabelScheme, overlap: int | None, adjudicating: bool = False) -> None:
        """Make the project, or update its interface to the labels file.

        Args:
            scheme: labels and topics.
            overlap: number of annotators per document; None leaves it as it is.
            adjudicating: its tasks are disputes to decide.

        Raises:
            NewsmarkError: a label, kind or topic that annotations use is no longer in the labels file; the tasks are listed.
        """
        former = self.id is not None and needs_former(self.label_config, scheme)
        self.ensure_interface(interface_xml(scheme, adjudicating, former), instructions_html(scheme, adjudicating), overlap)

    def ensure_interface(self, interface: str, instructions: str, overlap: int | None) -> None:
        """Make the project, or give it this interface (XML), these instructions (HTML) and this number of annotators (see ``ensure``)."""
        settings: dict[str, Any] = {
            "label_config": interface,
            "expert_instruction": instructions,
            "show_instruction": True,
            "show_collab_predictions": True,
        }
        if overlap:
            settings["maximum_annotations"] = overlap
        if self.id is None:
            created = self.connection.sdk.projects.create(title=self.title, **settings, request_options=self.connection.options)
            self.__dict__["id"] = int(created.id)
            return
        removed = offered_in(self.label_config) - offered_in(settings["label_config"])
        if removed:
            self._refuse_used(removed)
            self.connection.send("POST", f"api/projects/{self.id}/summary/reset/", {})  # it counts controls in use, and not when annotations change
        self._update(**settings)

    def _refuse_used(self, removed: Iterable[tuple[str, str]]) -> None:
        using = [
            f"{name!r} in task {task.id} ({task.name}), annotation {annotation.id}"
            for task in self.tasks.export(only_annotated=True)
            for annotation in task.annotations
            for result in annotation.results or ()
            for name in result.values
            if (result.control, name) in removed
        ]
        if using:
            shown = "; ".join(dict.fromkeys(using))
            raise NewsmarkError(f"the labels file no longer has what annotations use: {shown}; change these annotations first, or put the names back")

    @property
    def tasks(self) -> Tasks:
        """The project's tasks.

        Raises:
            NewsmarkError: there is no project of our title.
        """
        return Tasks(self.connection, self.required_id())

    @property
    def offered_labels(self) -> tuple[str, ...]:
        """Labels that annotators are offered now."""
        return labels_in(self.label_config)

    @property
    def label_config(self) -> str:
        """The interface, as XML."""
        return str(self._settings().label_config)

    @property
    def overlap(self) -> int:
        """Number of annotators that each document is for."""
        return int(self._settings().maximum_annotations or 1)

    @property
    def suggestion_version(self) -> str:
        """Version of the suggestions that annotators are shown."""
        return str(self._settings().model_version or "")

    @suggestion_version.setter
    def suggestion_version(self, version: str) -> None:
        self._update(model_version=version)

    def show_suggestions(self, version: str) -> None:
        """Show annotators the suggestions of a version, if the project has some: Label Studio refuses a version of which there are none."""
        counts = self.connection.get(f"api/projects/{self.required_id()}/model-versions/", {})
        if counts.get(version):
            self.suggestion_version = version

    @property
    def url(self) -> str:
        """Address of the project's page."""
        return f"{self.connection.url}/projects/{self.required_id()}"

    def task_url(self, task: int) -> str:
        """Address of a task's page."""
        return f"{self.url}/data?task={task}"

    def _settings(self) -> Any:
        return self.connection.sdk.projects.get(id=self.required_id())

    def _update(self, **settings: Any) -> None:
        self.connection.sdk.projects.update(id=self.required_id(), **settings, request_options=self.connection.options)
