"""JSON: one object per line (.jsonl, .ndjson), or one object or a list of them (.json)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..errors import NewsmarkError
from ..files import parse_json, read_json_lines, row_of_json
from .encodings import MARKS, decode_text
from .sources import MAX_FILE_BYTES, Entry, ReadingOptions, Source


def read_jsonl_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read the rows of a file, one after another; it may have any size."""
    with source.open() as stream:
        yield from json_lines(_as_utf_8(stream, source, options), source.name, options)


def json_lines(stream: BinaryIO, name: str, options: ReadingOptions) -> Iterator[Entry]:
    """Read rows from an open stream."""
    for where, row, line in read_json_lines(stream, name, options.refuse):
        renamed = with_text(row, options)
        yield Entry(where, renamed, line if renamed is row else "")


def with_text(row: dict[str, Any], options: ReadingOptions) -> dict[str, Any]:
    """Give the row's text the name ``text``, where the option names another field that the row has."""
    column = options.text_column
    if column is None or column == "text" or column not in row:
        return row
    return {"text": row[column], **{"input_text" if key == "text" else key: value for key, value in row.items() if key != column}}


def read_json_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read one object, or a list of objects; a file of one object per line, too, whatever it is called."""
    raw = source.read()
    text = raw.decode("utf-8", "replace") if _is_utf_8(raw) else decode_text(raw, source.name, options.encoding, largest=MAX_FILE_BYTES)
    text = text.removeprefix("\ufeff")
    try:
        whole = parse_json(text, source.name)
    except NewsmarkError:
        if not text.lstrip().startswith("{") or "\n" not in text.strip():
            raise
        yield from json_lines(io.BytesIO(text.encode()), source.name, options)
        return
    rows = whole if isinstance(whole, list) else [whole]
    for number, row in enumerate(rows, start=1):
        where = f"{source.name}, object {number}" if isinstance(whole, list) else source.name
        yield Entry(where, with_text(row_of_json(row, where), options))


def _as_utf_8(stream: BinaryIO, source: Source, options: ReadingOptions) -> BinaryIO:
    """The stream itself, or all of it in UTF-8 where the option or a byte order mark names another encoding."""
    peek = getattr(stream, "peek", None)
    begin = bytes(peek(4)[:4]) if peek else b""
    if options.encoding or begin.startswith(tuple(mark for mark, _ in MARKS)):
        raw = source.read()
        return io.BytesIO(decode_text(raw, source.name, options.encoding, largest=MAX_FILE_BYTES).encode())
    return stream


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
