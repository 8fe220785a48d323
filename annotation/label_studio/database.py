"""Label Studio's SQLite database: made, or brought to the installed version, in a file of its own that takes its place when it is whole.

One of Label Studio's migrations is not atomic (``fsm.0001_initial`` of 1.23.2): killed in the middle of it, the database has a table that the next
start wants to make once more ("table fsm_annotationstate already exists"), and no later start works.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ..errors import NewsmarkError
from .progress import Report

DATABASE = "label_studio.sqlite3"
_VERSION = "database-version"


def ensure_database(data: Path, version: str, migrate: Callable[[Path], None], report: Report) -> None:
    """Make the database of a data folder, or bring it to a version, where it is not there yet.

    Args:
        data: the data folder.
        version: version of Label Studio.
        migrate: brings a database file, which need not exist, to that version.
        report: takes what is being done.

    Raises:
        NewsmarkError: the migration failed; the database is as it was.
    """
    database, part, note = data / DATABASE, data / f"{DATABASE}.part", data / _VERSION
    if database.is_file() and note.is_file() and note.read_text(encoding="utf-8").strip() == version:
        return
    for name in ("", "-journal", "-wal", "-shm"):  # of a start that was killed
        Path(f"{part}{name}").unlink(missing_ok=True)
    _touch(part)
    if database.is_file():
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
    try:
        migrate(part)
    except NewsmarkError:
        if not database.is_file() or _holds_work(database):
            raise
        report(f"{database} was left half-made by a start that was killed; it holds no work and is made anew")
        database.replace(f"{database}.broken")
        ensure_database(data, version, migrate, report)
        return
    for name in ("-journal", "-wal", "-shm"):  # of the database that is replaced
        Path(f"{database}{name}").unlink(missing_ok=True)
    part.replace(database)
    _touch(note)
    note.write_text(f"{version}\n", encoding="utf-8")


def migrations_done(database: Path) -> int:
    """Count the steps that have been made of a database that another program is making."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
            return int(connection.execute("SELECT count(*) FROM django_migrations").fetchone()[0])
    except sqlite3.Error:  # it is busy, or there is no such table yet
        return 0


def _holds_work(database: Path) -> bool:
    """Whether somebody made a project."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute("SELECT 1 FROM project LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError:  # no such table
        return False


def _touch(path: Path) -> None:
    path.touch(mode=0o600)
