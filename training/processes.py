"""Which process a run belongs to, and what becomes of the runs of processes that are gone."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ..models.store import connect

OWNER = "newsmark.process"
"""Tag of a run: host, process id and start time of the process that logs it."""

_PREFIX, _FILE = "newsmark-run-", "process.json"
_SAME = 2.0  # seconds that a start time may be off, because clocks are set


def this_process() -> str:
    """Describe this process, as ``is_gone`` reads it."""
    return json.dumps({"host": platform.node(), "pid": os.getpid(), "started": psutil.Process().create_time()})


def is_gone(owner: str) -> bool:
    """Whether a process of this host has ended; False where it may still run, and for those of other hosts."""
    try:
        known = json.loads(owner)
        if known["host"] != platform.node():
            return False
        started: float = psutil.Process(int(known["pid"])).create_time()
        return abs(started - float(known["started"])) > _SAME
    except psutil.NoSuchProcess:
        return True
    except (ValueError, KeyError, TypeError, psutil.Error):
        return False


def make_run_folder() -> Path:
    """Make a folder for what a run logs; it is removed by the next command where this process ends without doing so."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (folder / _FILE).write_text(this_process(), encoding="utf-8")
    return folder


def keep_run_folder(folder: Path) -> None:
    """Let a folder of ``make_run_folder`` stay, though this process ends."""
    (folder / _FILE).unlink(missing_ok=True)


def end_abandoned_runs() -> list[str]:
    """End the runs of processes of this host that are gone as KILLED, and remove what they left in the folder for temporary files.

    What can't be written now is left to another command.

    Returns:
        Ids of the runs that were ended.
    """
    import mlflow  # takes seconds
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for file in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_FILE}"):
        with suppress(OSError):
            if is_gone(file.read_text(encoding="utf-8")):
                shutil.rmtree(file.parent, ignore_errors=True)
    ended = []
    with suppress(MlflowException, SQLAlchemyError, OSError):
        for run in mlflow.search_runs(filter_string="attributes.status = 'RUNNING'", output_format="list"):
            if is_gone(run.data.tags.get(OWNER, "{}")):
                mlflow.MlflowClient().set_terminated(run.info.run_id, "KILLED")
                ended.append(run.info.run_id)
    return ended


def open_store() -> None:
    """Connect to the MLflow store, and clear up what killed processes have left in it (see ``end_abandoned_runs``)."""
    connect()
    if ended := end_abandoned_runs():
        print(f"runs of processes that are gone were still RUNNING; they are KILLED now: {', '.join(ended)}", file=sys.stderr)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until a block is done: a run that is half begun or half ended would stay RUNNING."""
    waiting: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread is interrupted
        yield
        return
    before = {number: signal.signal(number, lambda number, _: waiting.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: one that Python did not set
    for one in waiting:
        signal.raise_signal(one)


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Make temporary files of this process in a folder, so that they go when it goes."""
    before, inside = tempfile.tempdir, folder / "temporary"
    inside.mkdir()
    tempfile.tempdir = str(inside)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(inside, ignore_errors=True)
