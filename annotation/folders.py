"""Where newsmark keeps what it makes: a cache that may be deleted, and the project's own folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where converted encoders, data sets and Label Studio are kept: ``NEWSMARK_CACHE``, or ``newsmark`` in the user's cache folder."""
    own = os.environ.get("NEWSMARK_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "newsmark"


def project_folder() -> Path:
    """The checkout that newsmark runs from, or the current folder where it was installed without one."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
