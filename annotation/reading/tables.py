"""Tables: .csv, .tsv and .xlsx, one row per article or passage; the first row names the columns."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import NewsmarkError
from ..files import MAX_TEXT_BYTES
from .encodings import decode_text
from .messages import some
from .sources import MAX_FILE_BYTES, Entry, ReadingOptions, Source

_LEAST, _SHARE = 30, 0.2
"""A column of long texts: their mean length in characters, and as a share of the longest column's."""
_SAMPLE = 100


def read_csv_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read the rows of a file whose values are divided by commas, semicolons, tabs or bars, whichever the first line has most of."""
    text = decode_csv(source, options)
    first = text.split("\n", 1)[0]
    divider = "\t" if source.ending == ".tsv" else max(",;\t|", key=first.count)
    csv.field_size_limit(MAX_TEXT_BYTES)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)

    def numbered() -> Iterator[tuple[str, list[Any]]]:
        try:
            for row in rows:
                yield f"{source.name}, line {rows.line_num}", list(row)
        except csv.Error as error:
            raise NewsmarkError(f"{source.name}, line {rows.line_num}: no readable row ({error}); repair its quotation marks") from None

    yield from _entries(source.name, numbered(), options)


def decode_csv(source: Source, options: ReadingOptions) -> str:
    """Read a table as text; it may be larger than an article."""
    raw = source.read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return decode_text(raw, source.name, options.encoding, largest=MAX_FILE_BYTES).removeprefix("\ufeff")


def read_xlsx_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read the rows of a workbook's first sheet that holds any."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(source.read()), read_only=True, data_only=True)
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs write a wrong size
        rows = (
            (f"{source.name}, sheet {sheet.title!r}, row {number}", list(row))
            for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
            if any(value not in {None, ""} for value in row)
        )
        first = next(rows, None)
        if first is not None:
            yield from _entries(source.name, _chain(first, rows), options)
            return
    raise NewsmarkError(f"{source.name}: no sheet of this workbook holds anything")


def _chain(first: tuple[str, list[Any]], rows: Iterable[tuple[str, list[Any]]]) -> Iterator[tuple[str, list[Any]]]:
    yield first
    yield from rows


def _entries(name: str, rows: Iterator[tuple[str, list[Any]]], options: ReadingOptions) -> Iterator[Entry]:
    head = next(rows, None)
    if head is None:
        raise NewsmarkError(f"{name}: the file is empty; its first row must name the columns")
    columns = ["" if one is None else str(one).strip() for one in head[1]]
    twice = [one for number, one in enumerate(columns) if one and one in columns[:number]]
    if twice:
        raise NewsmarkError(f"{head[0]}: two columns are called {twice[0]!r}; give each its own name")
    begin: list[tuple[str, dict[str, Any]]] = []
    column: str | None = None
    for where, values in rows:
        if len(values) > len(columns) and any(value not in {None, ""} for value in values[len(columns) :]):
            problem = f"{where}: {len(values)} values for {len(columns)} columns; repair the row or the first one, which names the columns"
            options.refuse(NewsmarkError(problem))
            continue
        row = {key: _plain(value) for key, value in zip(columns, values, strict=False) if key and value not in {None, ""}}
        if not row:
            continue
        if column is not None:
            yield Entry(where, _with_text(row, column))
            continue
        begin.append((where, row))
        if len(begin) == _SAMPLE:
            column = find_column(name, columns, [one for _, one in begin], options)
            yield from (Entry(at, _with_text(one, column)) for at, one in begin)
    if column is None and begin:
        column = find_column(name, columns, [one for _, one in begin], options)
        yield from (Entry(at, _with_text(one, column)) for at, one in begin)


def find_column(name: str, columns: list[str], rows: list[dict[str, Any]], options: ReadingOptions) -> str:
    """Find the column that holds the texts: the one that was named, ``text``, or the only one of long strings.

    Raises:
        NewsmarkError: it has none, or two or more could be it.
    """
    known = f"its columns are {some([repr(one) for one in columns if one])}"
    if options.text_column is not None:
        if options.text_column not in columns:
            raise NewsmarkError(f"{name}: there is no column {options.text_column!r}; {known}")
        return options.text_column
    if "text" in columns:
        return "text"
    lengths = {column: _mean_length([row.get(column) for row in rows]) for column in columns if column}
    longest = max(lengths.values(), default=0)
    found = [column for column, length in lengths.items() if length >= max(_LEAST, _SHARE * longest)]
    if len(found) != 1:
        why = f"the texts may be in {' or '.join(map(repr, found))}" if found else "no column holds long texts"
        raise NewsmarkError(f"{name}: {why}; name the column with --text-column, or call it 'text' ({known})")
    return found[0]


def _mean_length(values: list[Any]) -> float:
    """Mean length of the values that are there, 0 where one is no text or all are addresses."""
    texts = [value for value in values if value is not None]
    if not texts or not all(isinstance(value, str) for value in texts) or all(value.startswith(("http://", "https://")) for value in texts):
        return 0
    return sum(map(len, texts)) / len(texts)


def _with_text(row: dict[str, Any], column: str) -> dict[str, Any]:
    """The row with its text first, under the name ``text``."""
    if column == "text":
        return row
    others = {"input_text" if key == "text" else key: value for key, value in row.items() if key != column}
    return {"text": row[column], **others} if column in row else others


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value) if isinstance(value, datetime.timedelta) else value
