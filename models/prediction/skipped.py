"""What ``predict --on-error skip`` leaves out, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ...annotation.errors import NewsmarkError, PartlyDoneError, printable


class Skipped:
    """Collects rows and files that can't be used: one JSON object per line, with ``error`` and, where it could be read, ``row``.

    Args:
        output: the file of labelled rows, beside which they are written; None to report them on standard error.
    """

    def __init__(self, output: Path | None) -> None:
        self._path = None if output is None else Path(f"{output}.skipped.jsonl")
        self._stream: IO[str] | None = None
        self._count = 0

    def __call__(self, error: NewsmarkError, row: Mapping[str, Any] | None) -> None:
        """Take one."""
        self._count += 1
        said = printable(" ".join(str(error).split()))
        if self._path is None:
            print(f"skipped: {said}", file=sys.stderr)
            return
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("w", encoding="utf-8", newline="\n")
        self._stream.write(json.dumps({"error": said} | ({} if row is None else {"row": row}), ensure_ascii=False, default=str) + "\n")
        self._stream.flush()

    def finish(self) -> None:
        """Close the file; where nothing was skipped, that of an earlier run is removed.

        Raises:
            PartlyDoneError: something was skipped.
        """
        if self._stream is not None:
            self._stream.close()
        elif self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._count:
            where = "" if self._path is None else f"; {self._path} says which and why"
            raise PartlyDoneError(f"skipped (rows or files): {self._count}{where}")
