"""Options that the commands for Label Studio share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..desk import current_desk
from ..desk_options import add_labels, default_of

if TYPE_CHECKING:
    from .project import Project


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``."""
    data = current_desk().data
    parser.add_argument("--data", type=Path, default=data, metavar="FOLDER", help=f"the server's data {default_of(data)}")


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--project``, ``--labels`` and ``--data``."""
    parser.add_argument("--project", default=current_desk().project, metavar="TITLE", help="project in Label Studio (default: %(default)s)")
    add_labels(parser)
    add_data_option(parser)


def open_project(arguments: argparse.Namespace, title: str | None = None) -> Project:
    """Connect to the project that the options name, or to another one of its server.

    Raises:
        NewsmarkError: no server is known, or its address, its token or the title can't be one.
    """
    from .connection import Connection  # keeps --help fast
    from .project import Project

    return Project(Connection.from_environment(arguments.data), title or arguments.project)


def few(names: Sequence[str], what: str) -> str:
    """Count things and name the first ten."""
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({shown})"
