"""Reading text files strictly and writing files whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from .characters import is_blank
from .errors import NewsmarkError, UsageError

MAX_TEXT_BYTES = 20_000_000
"""The largest article, in bytes; rows of a JSONL file may be as many as you like, each up to this size."""


def decode(raw: bytes, where: str, largest: int = MAX_TEXT_BYTES) -> str:
    """Decode one text strictly.

    Args:
        raw: the bytes of one article or one JSONL line.
        where: file name, with the line number if there is one, for the message.
        largest: bytes that it may have.

    Returns:
        The exact text; nothing is normalised.

    Raises:
        NewsmarkError: it is larger, holds a NUL, or is not UTF-8 (names the byte offset).
    """
    if len(raw) > largest:
        raise NewsmarkError(too_large(where, len(raw)))
    nul = raw.find(b"\0")
    if nul >= 0:
        raise NewsmarkError(f"{where}: NUL at byte {nul}: this is a binary file or a damaged text; remove it or repair it")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NewsmarkError(f"{where}: not UTF-8 at byte {error.start}; save the file as UTF-8 and try again") from None


def read_text(path: Path) -> str:
    """Read one article from a file.

    Raises:
        NewsmarkError: no such file, or its text is not usable (see ``decode``).
    """
    try:
        size = path.stat().st_size
        if size > MAX_TEXT_BYTES:
            raise NewsmarkError(too_large(str(path), size))
        return decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file or folder") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: a folder, and a file is needed") from None


def read_jsonl(source: Path | BinaryIO, name: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read JSON objects, one per line, without holding the file in memory.

    Args:
        source: a file, or an open binary stream such as standard input.
        name: what to call the source in messages; by default its path.

    Yields:
        Where the row stands (``FILE, line N``) and the row. Blank lines are passed over.

    Raises:
        NewsmarkError: no such file, or a line that is not a JSON object of well-formed Unicode (names the line).
    """
    return ((where, row) for where, row, _ in read_json_lines(source, name))


def read_json_lines(
    source: Path | BinaryIO, name: str | None = None, refuse: Callable[[NewsmarkError], None] | None = None
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Read JSON objects as ``read_jsonl`` does, each with its line as it is written, without white space around it.

    Args:
        source: a file, or an open binary stream.
        name: what to call the source in messages; by default its path.
        refuse: takes what is wrong with a line, which is then passed over; None to raise it.
    """
    if isinstance(source, Path):
        try:
            with source.open("rb") as stream:
                yield from read_json_lines(stream, name or str(source), refuse)
        except FileNotFoundError:
            raise UsageError(f"{source}: no such file") from None
        return
    for number, raw in enumerate(source, start=1):
        where = f"{name}, line {number}"
        try:
            line = decode(raw, where).removeprefix("\ufeff" if number == 1 else "").strip(" \t\r\n")
            row = _parse_row(line, where) if line.strip() else None
        except NewsmarkError as error:
            if refuse is None:
                raise
            refuse(error)
            continue
        if row is not None:
            yield where, row, line


def _parse_row(line: str, where: str) -> dict[str, Any]:
    return row_of_json(parse_json(line, where, "each line must be one JSON object"), where, line)


def parse_json(text: str, where: str, hint: str = "repair it") -> Any:
    """Parse JSON strictly: no NaN, no infinity.

    Args:
        text: the JSON.
        where: its place, for the message.
        hint: what to do where it is broken.

    Raises:
        NewsmarkError: it is broken or nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise NewsmarkError(f"{where}: broken JSON ({reason}); {hint}") from None


def row_of_json(row: Any, where: str, line: str | None = None) -> dict[str, Any]:
    """Check that a value is an object of well-formed Unicode.

    Args:
        row: the value.
        where: its place, for the message.
        line: the JSON that it was parsed from, where it is at hand.

    Raises:
        NewsmarkError: it is not.
    """
    if not isinstance(row, dict):
        raise NewsmarkError(f'{where}: expected a JSON object, got {type(row).__name__}; write {{"text": …}}')
    try:
        (json.dumps(row, ensure_ascii=False) if line is None or "\\u" in line else line).encode()
    except UnicodeEncodeError:
        raise NewsmarkError(f"{where}: holds a lone surrogate, which is no character; repair the text") from None
    return row


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value; write null")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def text_of(row: dict[str, Any], where: str) -> str:
    """Take the text of a JSONL row.

    Raises:
        NewsmarkError: the field ``text`` is missing, is no string, is empty or holds a NUL.
    """
    text = row.get("text")
    if not isinstance(text, str):
        found = f"'text' is {type(text).__name__}" if "text" in row else "there is no 'text'"
        raise NewsmarkError(f"{where}: {found}; every row needs a string field 'text'")
    if is_blank(text):
        raise NewsmarkError(f"{where}: 'text' is empty; remove the row")
    if "\0" in text:
        raise NewsmarkError(f"{where}: 'text' holds a NUL at character {text.index(chr(0))}; remove it")
    return text


def string_of(row: Mapping[str, Any], key: str, where: str) -> str | None:
    """Take an optional string of a JSONL row.

    Raises:
        NewsmarkError: the field is there and is neither a string nor null.
    """
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise NewsmarkError(f"{where}: {key!r} is {type(value).__name__}; it must be a string")
    return value


def names_of(row: Mapping[str, Any], key: str, where: str) -> list[str]:
    """Take a list of names of a JSONL row.

    Raises:
        NewsmarkError: the field is missing, or is no list of strings.
    """
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise NewsmarkError(f"{where}: field {key!r} must be a list of names")
    return value


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only when it is complete.

    Args:
        path: the file to make or replace; its folder is made if needed. A link stays one, and a file that is there keeps its permissions.

    Yields:
        A text stream (UTF-8, LF line ends).

    Raises:
        PermissionError: a file is there that can't be written.
    """
    target = path.resolve() if path.is_symlink() else path
    there = target.exists()
    if there and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
        Path(temporary).chmod(stat.S_IMODE(target.stat().st_mode) if there else 0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in {None, temporary}:
            raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk, say, with the name that the user knows
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def too_large(where: str, size: int) -> str:
    """Say that an article is too large."""
    return f"{where}: {size / 1e6:.0f} MB; one article may have {MAX_TEXT_BYTES / 1e6:.0f} MB at most: split it into articles, or give passages as JSONL rows"
