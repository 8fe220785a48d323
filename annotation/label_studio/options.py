"""Options that the commands for Label Studio share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..folders import project_folder
from ..labels import DEFAULT_LABELS

if TYPE_CHECKING:
    from .project import Project


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``."""
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the server's data (default: label-studio/ in the project's folder)")


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--project``, ``--labels`` and ``--data``."""
    parser.add_argument("--project", default="newsmark", metavar="TITLE", help="project in Label Studio (default: %(default)s)")
    parser.add_argument("--labels", type=Path, default=DEFAULT_LABELS, metavar="FILE", help="labels and topics (default: configs/labels.yaml)")
    add_data_option(parser)


def data_folder(arguments: argparse.Namespace) -> Path:
    """Data folder of the server that ``annotate serve`` starts."""
    return arguments.data or project_folder() / "label-studio"


def open_project(arguments: argparse.Namespace, title: str | None = None) -> Project:
    """Connect to the project that the options name, or to another one of its server.

    Raises:
        NewsmarkError: no server is known, or its address, its token or the title can't be one.
    """
    from .connection import Connection  # keeps --help fast
    from .project import Project

    return Project(Connection.from_environment(data_folder(arguments)), title or arguments.project)


def few(names: Sequence[str], what: str) -> str:
    """Count things and name the first ten."""
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({shown})"
