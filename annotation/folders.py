"""Where newsmark keeps what it makes: a cache that may be deleted, and the project's own folder."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_FILE = "newsmark.yaml"
"""Name of the file that makes a folder a desk's own (see ``newsmark.annotation.desk``)."""

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
"""The configuration files that come with newsmark."""


def cache_folder() -> Path:
    """Where converted encoders, the model of languages, data sets and Label Studio are kept: ``NEWSMARK_CACHE``, or ``newsmark`` in the user's cache folder."""
    own = os.environ.get("NEWSMARK_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "newsmark"


def checkout() -> Path | None:
    """The checkout that newsmark runs from; None where it was installed without one."""
    folder = CONFIGS.parent
    return folder if (folder / "pyproject.toml").is_file() else None


def install_command(extras: str) -> str:
    """What to run for some extras of newsmark (names with commas): in the checkout with the tested versions, elsewhere for what is installed."""
    return f"in newsmark's folder run: pip install -c constraints.txt '.[{extras}]'" if checkout() else f"run: pip install 'newsmark[{extras}]'"


def find_project_file(start: Path | None = None) -> Path | None:
    """Find the project file in a folder (by default the current one) or the nearest folder above it; None where there is none."""
    folder = Path.cwd() if start is None else start.absolute()
    files = (above / PROJECT_FILE for above in (folder, *folder.parents))
    return next((file for file in files if os.path.isfile(file)), None)  # noqa: PTH113 - a folder that may not be read holds none; Path.is_file raises


def project_folder() -> Path:
    """The folder of the project file; without one, the checkout that newsmark runs from, or the current folder."""
    file = find_project_file()
    return file.parent if file else checkout() or Path.cwd()


def shown(path: Path) -> Path:
    """A path as it is shown to people: relative where it is in the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
