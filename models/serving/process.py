"""A server in a process of its own, for as long as a block of Python runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ...annotation.errors import NewsmarkError

_POLL_SECONDS = 0.1
_STOP_SECONDS = 90
"""Longer than a request may take (see ``Limits``): what is under way is finished first."""


@contextmanager
def serving(model: str | None, port: int) -> Iterator[str]:
    """Run ``predict serve`` until the block ends, and give the server's URL as soon as it answers.

    Args:
        model: what ``predict serve --model`` takes; None for its default.
        port: to listen on, on 127.0.0.1; 0 for a free one.

    Raises:
        NewsmarkError: the server did not start; the message is its own.
    """
    command = [sys.executable, "-P", "-m", "newsmark.models", "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log:  # a pipe would stop the server when it is full
        process = subprocess.Popen([*command, *(["--model", model] if model else [])], stdout=subprocess.DEVNULL, stderr=log)
        try:
            while (url := _url_in(log)) is None:
                if process.poll() is not None:
                    raise NewsmarkError(_reason_in(log))
                time.sleep(_POLL_SECONDS)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url_in(log: BinaryIO) -> str | None:
    """The URL of a server that has said that it serves."""
    for line in _lines(log):
        if line.startswith("{"):
            row = json.loads(line)
            if row.get("message") == "serving":
                return str(row["url"])
    return None


def _reason_in(log: BinaryIO) -> str:
    """Why a server did not start: the last line that it printed."""
    line = next(reversed(_lines(log)), "")
    return line.removeprefix("predict: error: ") or "the server ended before it began to serve"


def _lines(log: BinaryIO) -> list[str]:
    """Whole lines that were printed so far; read without moving the place in the file, at which the server writes."""
    printed = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)
    *whole, _ = printed.decode(errors="backslashreplace").split("\n")
    return whole
