"""Parquet: rows with all their values, as JSON can hold them."""

from __future__ import annotations

import base64
import datetime
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import NewsmarkError
from .json_rows import with_text
from .sources import Entry, ReadingOptions, Source

ROWS = 10_000
"""Rows of a batch, and of a row group."""


def read_parquet_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read rows with all their values, as JSON can hold them: dates and decimals as strings, bytes in base64, NaN as null.

    Raises:
        NewsmarkError: the file can't be read.
    """
    yield from rows_of(batches(source.path or io.BytesIO(source.read()), source.name), source, options)


def rows_of(batches: Iterator[Any], source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """The rows of Arrow's batches, as JSON can hold them."""
    number = 0
    for batch in batches:
        names: list[str] = []
        for name in batch.schema.names:  # two columns may have one name
            names.append(next(one for one in (name, *(f"{name}_{count}" for count in range(2, len(batch.schema) + 2))) if one not in names))
        columns = [plain_column(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            number += 1
            yield Entry(f"{source.name}, row {number}", with_text(dict(zip(names, values, strict=True)), options))


def batches(file: Path | BinaryIO, name: str) -> Iterator[Any]:
    """Read a file's batches of rows.

    Raises:
        NewsmarkError: the file can't be read.
    """
    with open_parquet(file, name) as opened:
        yield from opened.iter_batches(ROWS)


@contextmanager
def open_parquet(file: Path | BinaryIO, name: str) -> Iterator[Any]:
    """Open a file; what Arrow says about it is one line.

    Raises:
        NewsmarkError: the file can't be read.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            yield opened
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:  # Arrow's OSError names no file
        raise NewsmarkError(f"{name}: no readable Parquet file ({first_line(error)})") from None


def first_line(error: BaseException) -> str:
    """The first line of what a library says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def plain_column(column: Any) -> list[Any]:
    """A column's values, as JSON can hold them."""
    import pyarrow

    kind = column.type
    try:
        values: list[Any] = column.to_pylist()
    except ValueError:  # nanoseconds, which Python's own types do not have
        values = column.cast(pyarrow.int64() if pyarrow.types.is_duration(kind) else pyarrow.string()).to_pylist()
    simple = pyarrow.types.is_integer(kind) or pyarrow.types.is_boolean(kind) or pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
    return values if simple else [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    plain = value
    match value:
        case float():
            plain = value if math.isfinite(value) else None
        case bytes():
            plain = base64.b64encode(value).decode()
        case datetime.datetime() | datetime.date() | datetime.time():
            plain = value.isoformat()
        case list() | tuple():
            plain = [_plain(one) for one in value]
        case dict():
            plain = {str(name): _plain(one) for name, one in value.items()}
        case None | str() | int():
            pass
        case _:  # a decimal, a duration
            plain = str(value)
    return plain
