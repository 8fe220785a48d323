"""Options whose defaults the desk gives; their help shows them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from .desk import current_desk
from .folders import shown


def default_of(*paths: Path) -> str:
    """Word the default of an option for its help."""
    return f"(default: {', '.join(str(shown(path)) for path in paths)})".replace("%", "%%")


def add_labels(parser: argparse.ArgumentParser, dest: str = "labels") -> None:
    """Add ``--labels``."""
    labels = current_desk().labels
    parser.add_argument("--labels", dest=dest, type=Path, default=shown(labels), metavar="FILE", help=f"labels and topics {default_of(labels)}")


def add_documents(parser: argparse.ArgumentParser, text: str, otherwise: Iterable[Path] = ()) -> None:
    """Add the paths of documents.

    Args:
        parser: of the command.
        text: help.
        otherwise: what is read without a project file; where it is empty, the paths have to be named then.
    """
    paths = [*current_desk().documents] or [*otherwise]
    if paths:
        parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=list(map(shown, paths)), help=f"{text} {default_of(*paths)}")
    else:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=text)


def add_annotations(parser: argparse.ArgumentParser, text: str, otherwise: str = "annotations.jsonl") -> None:
    """Add ``--annotations``.

    Args:
        parser: of the command.
        text: help.
        otherwise: the file where there is no project file.
    """
    path = current_desk().annotations or Path(otherwise)
    parser.add_argument("--annotations", type=Path, default=shown(path), metavar="FILE", help=f"{text} {default_of(path)}")
