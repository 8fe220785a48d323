"""Parquet: rows written, and the input's own columns given back as they are with the new ones beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ...annotation.errors import NewsmarkError, UsageError
from ...annotation.reading.parquet import ROWS, batches, open_parquet, plain_column
from .joining import Joined

_READ = ("text", "document", "page", "before", "after", "name", "lang", "labels", "start", "title", "url", "source", "date")
"""Columns that say what a row is and what the model reads of it."""

_VALUES = 7
"""The first ones, of this number, are needed with their values; of the others, only whether there is one."""

PASSAGES = {"labels": "strings", "review": "bool", "truncated": "bool", "model_version": "string"}
SPANS = {"label": "string", "kind": "string", "score": "double", "model_version": "string"}
"""Columns that labelling adds to rows of passages and of spans, whose types must not depend on the values."""


class ParquetRow(NamedTuple):
    """A row of a Parquet file.

    Attributes:
        where: the file and the row's number, for messages.
        row: the values of the columns that are read.
        place: its number among all rows of all files, from 0.
        digest: of the values that its labels depend on.
    """

    where: str
    row: dict[str, Any]
    place: int
    digest: str


def read_columns(path: Path, place: int = 0) -> Iterator[ParquetRow]:
    """Read what the labels depend on; the columns themselves come back later (see ``write_joined``).

    Args:
        path: the file.
        place: number of its first row among all rows of all files.

    Raises:
        NewsmarkError: the file can't be read.
    """
    first = place
    for batch in batches(path, str(path)):
        for row in _read(batch):
            yield ParquetRow(f"{path}, row {place - first + 1}", row, place, _digest(row))
            place += 1


def write_rows(rows: Callable[[], Iterator[dict[str, Any]]], target: Path, added: Mapping[str, str] = PASSAGES) -> int:
    """Write rows (read several times) to a Parquet file, with a type for each column that holds all its values.

    Args:
        rows: makes an iterator of rows.
        target: the file.
        added: types of the columns that labelling adds, which are there whatever values they have.

    Returns:
        The number of rows.

    Raises:
        pyarrow.ArrowException: Parquet can't hold them.
        OverflowError: likewise.
    """
    import pyarrow
    from pyarrow import parquet

    kinds = {"strings": pyarrow.list_(pyarrow.string()), "string": pyarrow.string(), "bool": pyarrow.bool_(), "double": pyarrow.float64()}
    fixed = pyarrow.schema([(name, kinds[kind]) for name, kind in added.items()])
    schemas = [pyarrow.schema(list(pyarrow.array(group).type)) for group in _groups(rows())]
    schema = pyarrow.unify_schemas([*schemas, fixed] if schemas else [pyarrow.schema([("text", pyarrow.string())])], promote_options="permissive")
    count = 0
    with parquet.ParquetWriter(target, schema) as writer:
        for group in _groups(rows()):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))
            count += len(group)
    return count


def check_joined(paths: Sequence[Path]) -> None:
    """See whether the columns of files can stand in one file.

    Raises:
        UsageError: they are not the same.
        NewsmarkError: a file can't be read.
    """
    first, *others = map(_schema, paths)
    for path, schema in zip(paths[1:], others, strict=True):
        if not schema.equals(first):
            raise UsageError(f"{path}: its columns are not those of {paths[0]}; label the files one by one, or name a .jsonl file")


def write_joined(paths: Sequence[Path], lines: Callable[[], Iterator[dict[str, Any]]], target: Path, only_review: bool) -> int:
    """Write the columns of files, untouched and batch by batch, with the new ones after them; an article's row once for each passage.

    Args:
        paths: the files that ``read_columns`` read.
        lines: makes an iterator of what was found: the row's ``row`` and ``of`` (its place and digest), the fields of an article's passage, and those that
            labelling adds.
        target: the file.
        only_review: leave out rows that need no review.

    Returns:
        The number of rows written.

    Raises:
        NewsmarkError: a file has changed since it was read.
    """
    from pyarrow import parquet

    joined = Joined(_schema(paths[0]), lines())
    rest = lines()
    waiting = next(rest, None)
    place = count = 0
    with parquet.ParquetWriter(target, joined.schema) as writer:
        for path in paths:
            for batch in batches(path, str(path)):
                found = []
                digests = [_digest(row) for row in _read(batch)]
                while waiting is not None and waiting["row"] < place + len(batch):
                    if waiting["of"] != digests[waiting["row"] - place]:
                        raise NewsmarkError(f"{path}: row {waiting['row'] + 1} has changed while it was labelled; run the command again")
                    if waiting["review"] or not only_review:
                        found.append({**waiting, "row": waiting["row"] - place})
                    waiting = next(rest, None)
                place += len(batch)
                if found:
                    writer.write_batch(joined.batch(batch, found))
                    count += len(found)
    if waiting is not None:
        raise NewsmarkError(f"{paths[-1]}: rows are missing that were there when it was labelled; run the command again")
    return count


def _schema(path: Path) -> Any:
    with open_parquet(path, str(path)) as file:
        return file.schema_arrow


def _read(batch: Any) -> Iterator[dict[str, Any]]:
    columns = {}
    for number, name in enumerate(_READ):
        if name in batch.schema.names:
            column = batch.column(batch.schema.names.index(name))
            columns[name] = plain_column(column) if number < _VALUES else [True if value else None for value in column.is_valid().to_pylist()]
    for values in zip(*columns.values(), strict=True) if columns else ((),) * len(batch):
        yield dict(zip(columns, values, strict=True))


def _digest(row: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(row, sort_keys=True).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while group := list(islice(rows, ROWS)):
        yield group
