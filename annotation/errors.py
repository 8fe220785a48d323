"""The exceptions that users see, and how what they say is printed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NewsmarkError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do (exit code 1)."""


class UsageError(NewsmarkError):
    """The command, an option or a configuration key is wrong (exit code 2)."""


class PartlyDoneError(NewsmarkError):
    """The work is done and its results are written, but for some parts, which were reported one by one (exit code 3)."""


def printable(text: str) -> str:
    r"""Make text that can be printed and stored wherever a file's name may be part of it.

    A name that is not UTF-8, or that a locale without UTF-8 could not decode, holds surrogates, which no file takes.

    Returns:
        The text as UTF-8 reads its bytes; a byte that is not UTF-8 is written as ``\xe9``.
    """
    raw = b"".join(one.encode("utf-8", "surrogateescape" if "\udc80" <= one <= "\udcff" else "backslashreplace") for one in text)
    return raw.decode("utf-8", "backslashreplace")


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is not known and which one was probably meant.

    Returns:
        A phrase such as ``unknown label 'quot'; did you mean 'quote'?``.
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return f"unknown {what} {name!r}; {hint}"
