"""Waiting for another program for as long as it makes progress, and reporting what it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import NewsmarkError

Report = Callable[[str], None]
"""Takes a line about what is being done."""

PATIENCE = 180
"""Seconds that a program may do nothing: its files do not change, and it uses less than a second of the processor's time."""

_EVERY = 10  # seconds between two reports


def report_on_stderr(line: str) -> None:
    """Print a line about what is being done."""
    print(line, file=sys.stderr, flush=True)


def wait_until(
    finished: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path, doing: Callable[[], str], report: Report, patience: float = PATIENCE
) -> None:
    """Wait until something is finished or the program has ended, for as long as the program makes progress.

    Args:
        finished: whether it is finished.
        process: the program.
        folder: where its files grow.
        doing: describes what it does at the moment.
        report: takes this description every ten seconds.
        patience: seconds that it may do nothing.

    Raises:
        NewsmarkError: it has done nothing for too long.
    """
    begin = reported = progressed = time.monotonic()
    before = None
    while process.poll() is None and not finished():
        now = time.monotonic()
        if (work := _work_done(process.pid, folder)) != before:
            before, progressed = work, now
        if now - progressed > patience:
            raise NewsmarkError(f"{doing()}: nothing has happened for {patience:.0f} s")
        if now - reported >= _EVERY:
            reported = now
            report(f"{doing()} ({now - begin:.0f} s)")
        time.sleep(0.2)


def _work_done(pid: int, folder: Path) -> tuple[object, ...]:
    """Describe what a program has done so far: the state of its files, and the whole seconds that it has used the processor."""
    files = []
    for path in sorted(folder.iterdir()):
        try:
            state = path.stat()
        except FileNotFoundError:  # a journal comes and goes
            continue
        files.append((path.name, state.st_size, state.st_mtime_ns))
    return (_processor_time(pid), *files)


def _processor_time(pid: int) -> str:
    try:
        times = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
        return str(sum(map(int, times)) // os.sysconf("SC_CLK_TCK"))
    except FileNotFoundError:  # macOS, or it has just ended
        shown = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=False) if sys.platform != "linux" else None
        return shown.stdout.partition(".")[0].strip() if shown else ""
