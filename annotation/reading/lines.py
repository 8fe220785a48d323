"""From what a page shows to lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPACE = re.compile(r"[ \t\r\n\f]+")
CELL = "\x1f"
"""Stands between the cells of a table's row until the line is whole."""

_FULL = 0.75
"""A line of this share of the longest lines' length goes on in the next one."""


def one_line(text: str) -> str:
    """White space as a browser shows it: one space for any run of it, none at the ends. Spaces that do not break stay."""
    return _SPACE.sub(" ", text).strip(" ")


def join_lines(lines: Iterable[str]) -> str:
    """Make a text of the lines that are not blank, with a tab at each ``CELL``."""
    return "\n".join(line for line in map(show_line, lines) if line)


def show_line(line: str) -> str:
    """A line as a browser shows it, with a tab at each ``CELL``."""
    return one_line(line).strip(f"{CELL} ").replace(CELL, "\t")


def unwrap(lines: Iterable[str]) -> list[str]:
    """Join the lines that were broken where the page's width ends; the last line of a paragraph is shorter, and a blank line ends one.

    A hyphen at the end of a line before a small letter was put there by the break and goes with it.
    """
    lines = [one_line(line) for line in lines]
    lengths = sorted(len(line) for line in lines if line)
    if not lengths:
        return []
    width = _FULL * lengths[int(0.9 * (len(lengths) - 1))]
    joined: list[str] = []
    goes_on = False
    for line in lines:
        if goes_on and line:
            last = joined[-1]
            broken = last.endswith("-") and last[-2:-1].isalpha() and line[0].islower()
            joined[-1] = last[:-1] + line if broken else f"{last} {line}"
        elif line:
            joined.append(line)
        goes_on = len(line) >= max(width, 40)
    return joined
