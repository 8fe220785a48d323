"""The aliases of the registered model: one change at a time, and one that was interrupted is finished by the next command."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ..annotation.errors import NewsmarkError
from ..annotation.folders import cache_folder
from ..models.store import CHAMPION, PREVIOUS, registered_name, sqlite_file, version_of

_UNDER_WAY = "newsmark.change"  # tag of the registered model: the aliases as they will be, while they are set one by one
_MOVED_AT = "newsmark.moved_at"  # tag: when they were set last, in seconds since the epoch


@dataclass(frozen=True)
class Aliases:
    """The versions that the aliases stand for; None where there is none."""

    champion: str | None
    previous: str | None


def read_aliases() -> Aliases:
    """Look the aliases up."""
    champion, previous = version_of(CHAMPION), version_of(PREVIOUS)
    return Aliases(*(None if one is None else str(one.version) for one in (champion, previous)))


@contextmanager
def changing_registry() -> Iterator[None]:
    """Let one command at a time change the registry, and finish first what a killed one has begun.

    The lock is a file beside an SQLite store; for a server's store it is in the cache folder, and holds on this machine alone (see ``set_aliases``
    for the others). A process that has ended holds no lock.
    """
    path = _lock_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("another command changes the registry; waiting for it", file=sys.stderr)
        lock.acquire()
    try:
        _finish()
        yield
    finally:
        lock.release()


def set_aliases(before: Aliases, after: Aliases, since: float | None = None) -> None:
    """Move the aliases, in such a way that a command after a killed one can finish it; they are read again just before.

    Args:
        before: as they were when this change was decided.
        after: as they will be.
        since: time in seconds since the epoch, after which no other command may have moved them.

    Raises:
        NewsmarkError: another command has moved them.
    """
    import mlflow

    client = mlflow.MlflowClient()
    moved_at = float(client.get_registered_model(registered_name()).tags.get(_MOVED_AT, 0))
    now = read_aliases()
    if now.champion != before.champion or (since is not None and moved_at > since):
        raise NewsmarkError(f"the champion became {_name(now.champion)} while this command ran, so this one changes nothing; run it again if you still want it")
    client.set_registered_model_tag(registered_name(), _UNDER_WAY, json.dumps(vars(after)))
    _move(after)


def _move(after: Aliases) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    for alias, version in ((PREVIOUS, after.previous), (CHAMPION, after.champion)):
        if version is not None:
            client.set_registered_model_alias(registered_name(), alias, version)
    client.set_registered_model_tag(registered_name(), _MOVED_AT, repr(time.time()))
    client.delete_registered_model_tag(registered_name(), _UNDER_WAY)


def _finish() -> None:
    """Finish a change that was interrupted between two aliases."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        begun = mlflow.MlflowClient().get_registered_model(registered_name()).tags.get(_UNDER_WAY)
    except MlflowException:  # nothing is registered yet
        return
    if begun is None:
        return
    after = Aliases(**json.loads(begun))
    _move(after)
    print(f"a change that was interrupted is finished: models:/{registered_name()}@{CHAMPION} is version {after.champion}", file=sys.stderr)


def _lock_file() -> Path:
    if database := sqlite_file():
        return database.with_name(f"{database.name}.lock")
    store = hashlib.sha256(os.environ["MLFLOW_TRACKING_URI"].encode()).hexdigest()
    return cache_folder() / "locks" / f"{store[:16]}.lock"


def _name(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
