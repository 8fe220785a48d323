"""Fetching the files of a logged model from where MLflow keeps them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

_fetched: set[Path] = set()
"""Folders of what a server sent."""


def fetch_files(uri: str, inside: str) -> Path:
    """Fetch a folder of a logged model: its own files, without the code that MLflow serves it with, which is ten times as many.

    What a server sends is removed when the process ends, or earlier (see ``forget_files``): MLflow would leave it.

    Args:
        uri: of the model, ``models:/…`` or ``runs:/…``.
        inside: path of the folder within it.

    Returns:
        The folder on this machine.
    """
    import mlflow  # takes seconds
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    logged = get_artifact_repository(uri)
    if not mlflow.get_tracking_uri().startswith("http"):
        return Path(logged.download_artifacts(inside))
    folder = Path(tempfile.mkdtemp(prefix="newsmark-"))
    _fetched.add(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        return Path(logged.download_artifacts(inside, str(folder)))
    except BaseException:
        forget_files(folder)
        raise


def forget_files(folder: Path) -> None:
    """Remove a model's files, if a server sent them: a process that loads one model after another would otherwise keep them all."""
    for fetched in _fetched.intersection([folder, *folder.parents]):
        shutil.rmtree(fetched, ignore_errors=True)
        _fetched.discard(fetched)
