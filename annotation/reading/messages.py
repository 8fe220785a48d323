"""Lines on standard error about what was read and what was passed over."""

from __future__ import annotations

import sys
from functools import cache

from ..errors import printable

_NAMED = 10


@cache
def note(line: str) -> None:
    """Print a line on standard error, once in a process: a file may be looked at more than once."""
    print(printable(line), file=sys.stderr)


def some(names: list[str]) -> str:
    """Name the first ten and count the others."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
