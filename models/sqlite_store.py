"""MLflow's tables in an SQLite file, read without MLflow: its import alone takes seconds, and ``predict`` answers within one.

The tables are internal to MLflow. They were read from MLflow 3.17.2 and are used only while they carry ``TABLES``, the number of that
version's last migration; with any other number nothing here answers, and MLflow itself is asked. The test that fails first when MLflow
changes is ``tests/integration/test_sqlite_store.py``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

TABLES = "dc11669786a5"
_READY = 2
"""MLflow's number for a logged model that is whole."""

NEWEST = "the newest model, as there is no champion yet"
"""How a model was found that nobody named."""

LABELS_TAG = "labels"
"""Tag of a run: the labels of its model, with commas; runs of former versions have none."""

_CHAMPION = (
    "SELECT alias.alias || ' version ' || alias.version, model.artifact_location, experiment.artifact_location"
    " FROM registered_model_aliases AS alias JOIN model_versions AS version USING (workspace, name, version)"
    " LEFT JOIN logged_models AS model ON version.source = 'models:/' || model.model_id LEFT JOIN experiments AS experiment USING (experiment_id)"
    " WHERE alias.name = ? AND alias.alias = ?"
)
_OF_RUN = (
    "SELECT ?, model.artifact_location, experiment.artifact_location, tag.value"
    " FROM logged_models AS model JOIN experiments AS experiment USING (experiment_id) JOIN runs AS run ON run.run_uuid = model.source_run_id"
    f" LEFT JOIN tags AS tag ON tag.run_uuid = run.run_uuid AND tag.key = '{LABELS_TAG}'"
    " WHERE experiment.name = ? AND model.lifecycle_stage = 'active' AND model.status = ?"
    " AND CASE WHEN ? IS NULL THEN run.status = 'FINISHED' AND run.lifecycle_stage = 'active' ELSE run.run_uuid = ? END"
    " ORDER BY model.creation_timestamp_ms DESC"
)
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where the tables name the folder of the artifacts."""


@dataclass(frozen=True)
class StoredModel:
    """A model that the tables name.

    Attributes:
        what: how it was found, for people.
        folder: what MLflow wrote of it; found beside the store's file where the whole store was moved or copied.
    """

    what: str
    folder: Path


def suits(written: str | None, labels: frozenset[str] | None) -> bool:
    """Whether a model has no other labels than these.

    Args:
        written: its labels, with commas, as its run's tag names them; None where the run has none, which may be of any labels.
        labels: the labels it may have; None for any.
    """
    return written is None or labels is None or labels.issuperset(written.split(", "))


def find_stored(database: Path, name: str, run_id: str | None, alias: str, labels: Callable[[], frozenset[str] | None]) -> StoredModel | None:
    """Find a model as MLflow would.

    Args:
        database: the store's file.
        name: name of the experiment, and of the registered model.
        run_id: the run that logged the model; None for the model that the alias stands for or, where it stands for none, the newest of a finished run that
            was not deleted.
        alias: of the registered model.
        labels: gives the labels that the newest model may have; None for any.

    Returns:
        None where there is no such model, it is not a local one, or the tables are not as they were.
    """
    try:
        with _open(database, "ro") as connection:
            if connection is None:
                return None
            found = connection.execute(_CHAMPION, (name, alias)).fetchone() if run_id is None else None
            if found is None:
                what = f"run {run_id}" if run_id else NEWEST
                allowed = None if run_id else labels()
                rows = connection.execute(_OF_RUN, (what, name, _READY, run_id, run_id))
                found = next((row[:3] for row in rows if suits(row[3], allowed)), None)
    except sqlite3.Error:  # in use, say
        return None
    if not found or not (found[1] or "").startswith("file:"):
        return None
    what, location, root = found
    beside = database.parent / "artifacts" / _path(location).relative_to(_path(root)) if root and location.startswith(f"{root}/") else None
    return StoredModel(what, beside if beside and beside.is_dir() else _path(location))


def mend_locations(database: Path, experiment: str) -> tuple[str, str] | None:
    """Correct the places that the tables name, where a store was moved: MLflow records them absolute.

    The recorded folder of artifacts must be gone, and the folder ``artifacts`` beside the store's file be there.

    Returns:
        The former and the present place; None where nothing had to be changed.
    """
    present = database.parent / "artifacts"
    try:
        with _open(database, "rw") as connection:
            if connection is None:
                return None
            found = connection.execute("SELECT artifact_location FROM experiments WHERE name = ?", (experiment,)).fetchone()
            former = found[0] if found and found[0] else ""
            if not former.startswith("file:") or former == present.as_uri() or _path(former).exists() or not present.is_dir():
                return None
            with connection:
                for table, column in _LOCATIONS:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        (present.as_uri(), len(former) + 1, former, len(former) + 1, f"{former}/"),
                    )
            return former, present.as_uri()
    except sqlite3.Error:  # in use, or read-only: MLflow says what it misses
        return None


@contextmanager
def _open(database: Path, mode: str) -> Iterator[sqlite3.Connection | None]:
    """Open the file; gives None where there is no such store, or its tables are of another version of MLflow."""
    if not database.is_file():
        yield None
        return
    with closing(sqlite3.connect(f"{database.as_uri()}?mode={mode}", uri=True)) as connection:
        yield connection if connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(TABLES,)] else None


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
