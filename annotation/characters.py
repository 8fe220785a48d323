"""Which characters show nothing: white space, controls, marks of direction, joiners."""

from __future__ import annotations

import unicodedata

_NOTHING = {"Cc", "Cf", "Zl", "Zp", "Zs"}
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol by their category, but nothing is drawn


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing, wherever it stands."""
    if character.isspace() or character in _FILLERS:
        return True
    # The Arabic signs that enclose a number are format characters, too, and are drawn.
    return unicodedata.category(character) in _NOTHING and unicodedata.bidirectional(character) != "AN"


def is_blank(text: str) -> bool:
    """Whether a text has no visible character; a mark that combines with a letter shows nothing without one."""
    return all(is_invisible(character) or unicodedata.category(character)[0] == "M" for character in text)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Narrow a slice of a text to what is visible at both ends.

    Returns:
        Start and end of what is left; both are equal for a blank slice.
    """
    while start < end and is_invisible(text[start]):
        start += 1
    while end > start and is_invisible(text[end - 1]) and text[end - 1] < "\U000e0000":  # a flag ends in tags, which are format characters
        end -= 1
    return (start, start) if is_blank(text[start:end]) else (start, end)
