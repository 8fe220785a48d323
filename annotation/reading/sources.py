"""What is read, how, and what comes of it: the types that the readers of all kinds of file share."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import NewsmarkError, printable

MAX_FILE_BYTES = 200_000_000
"""The largest file that is read as a whole: a PDF, a workbook, a member of an archive. Files of rows that are read row by row may have any size."""

ENCODINGS = "utf-8, utf-16, latin-1, cp1252, shift_jis, big5"
"""Examples of names of encodings, for messages."""

METADATA = ("title", "url", "author", "date", "source")
"""What an article may say about itself, beside its text."""


@dataclass(frozen=True)
class ReadingOptions:
    """How files are read.

    Attributes:
        recursive: read the sub-folders of folders, too.
        encoding: of the text files that are not UTF-8; None to find it out.
        text_column: the field or column that holds the text; None for ``text``, or the only column of long texts.
        furniture: whether to look what pages (HTML) say of which of their lines are furniture; it takes three times as long.
        skip: takes what is wrong with a row or a file, and the row where it could be read, instead of the end that it would be.
    """

    recursive: bool = False
    encoding: str | None = None
    text_column: str | None = None
    furniture: bool = False
    skip: Callable[[NewsmarkError, Mapping[str, Any] | None], None] | None = None

    def refuse(self, error: NewsmarkError, row: Mapping[str, Any] | None = None) -> None:
        """Report that a row or a file can't be used.

        Raises:
            NewsmarkError: nothing is skipped.
        """
        if self.skip is not None:
            self.skip(error, row)
            return
        try:
            raise error
        finally:
            del error  # else the error keeps this frame, and this frame the error, and with them all that the run has open


DEFAULTS = ReadingOptions()


def is_encoding(name: str) -> bool:
    """Whether this is the name of an encoding of text."""
    try:
        codecs.lookup(name)
        "".encode(name)  # some codecs are no encodings of text
    except (LookupError, TypeError):
        return False
    return True


@dataclass(frozen=True)
class Source:
    """A file, a member of an archive, or standard input.

    Attributes:
        name: the whole name, for messages; printable.
        short: the file's own name; printable.
        ending: the end of its name, in lower case: ".txt"; empty where there is none.
        open: opens it for reading bytes.
        path: where it is stored; None for a member of an archive and for standard input.
    """

    name: str
    short: str
    ending: str
    open: Callable[[], BinaryIO]
    path: Path | None = None

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """Read all of it.

        Raises:
            NewsmarkError: it is larger than the limit, in bytes.
        """
        with self.open() as stream:
            raw = stream.read(limit + 1)
        if len(raw) > limit:
            size = self.path.stat().st_size if self.path else len(raw)
            raise NewsmarkError(f"{self.name}: {size / 1e6:.0f} MB; this kind of file may have {limit / 1e6:.0f} MB at most: split it")
        return raw


class Entry(NamedTuple):
    """An article or a row of a file.

    Attributes:
        where: file and place in it, for messages.
        row: ``text`` and what else is known; of an article what it says about itself (``METADATA``), as far as it does.
        line: the JSON that the row was read from, as it is written.
        short: name of the file where an article is a whole file, else empty: it is then an article, whatever its row holds.
        furniture: of a page, see ``Document``.
    """

    where: str
    row: dict[str, Any]
    line: str = ""
    short: str = ""
    furniture: tuple[float, ...] = ()


def day_of(read: Callable[[], datetime | None]) -> str:
    """The day of a time that a library reads (ISO 8601); empty where the file has none, or one that the library does not understand."""
    with suppress(ValueError, TypeError, OverflowError):
        if time := read():
            return time.date().isoformat()
    return ""


def article(source: Source, text: str, said: Mapping[str, str | None] | None = None) -> Entry:
    """Make the entry of a file that holds one article; what it says about itself is left out where it is empty."""
    known = {name: " ".join(printable(value).split()) for name, value in (said or {}).items() if value}
    return Entry(source.name, {"text": text} | {name: value for name, value in known.items() if value}, "", source.short)
