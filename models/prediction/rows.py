"""The rows that ``predict`` reads and writes: passages of articles, JSONL or Parquet, one after another."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ...annotation.characters import is_blank
from ...annotation.documents import identify_language, text_files
from ...annotation.errors import NewsmarkError, UsageError
from ...annotation.files import atomic_write, decode, read_jsonl, read_text, text_of
from ...annotation.splitting.passages import split_passages

if TYPE_CHECKING:
    from ..context import PassageInContext

Row = dict[str, Any]

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
_PARQUET_ROWS = 10_000
"""Rows of a row group."""


def read_rows(paths: Iterable[str]) -> Iterator[Row]:
    """Read passages: the rows of ``.jsonl`` and ``.parquet`` files, and the passages of articles; "-" is standard input.

    Raises:
        NewsmarkError: a path or its content is not usable.
    """
    names = list(paths)
    for name in names:
        if name != "-" and not Path(name).exists():
            raise UsageError(f"{name}: no such file or folder")
    for name in names:
        if name == "-":
            yield from _read_stdin()
            continue
        for path in text_files([Path(name)]):
            if path.suffix == ".jsonl":
                yield from _passage_rows(read_jsonl(path))
            elif path.suffix == ".parquet":
                yield from _passage_rows(_read_parquet(path))
            else:
                yield from _article_rows(read_text(path), str(path))


def count_rows(paths: Iterable[str]) -> int | None:
    """Count the rows that ``read_rows`` will give, without reading them: to tell how long they take.

    Returns:
        None where that takes the work itself, for articles and standard input, and where a file can't be read. Blank lines count.
    """
    count = 0
    try:
        for path in map(Path, paths):
            if path.suffix == ".jsonl":
                block = b"\n"
                with path.open("rb") as stream:
                    while more := stream.read(1 << 20):
                        block = more
                        count += block.count(b"\n")
                count += not block.endswith(b"\n")
            elif path.suffix == ".parquet":
                from pyarrow import parquet

                count += parquet.read_metadata(path).num_rows
            else:
                return None
    except (OSError, ValueError):  # Arrow's errors are such
        return None
    return count


def with_neighbours(rows: Iterator[Row]) -> Iterator[tuple[Row, PassageInContext]]:
    """Give each row the passages before and after it, where they name the same document (or page)."""
    from ..context import PassageInContext

    def same(one: Row | None, other: Row | None) -> bool:
        ids = [row and (row.get("document") or row.get("page")) for row in (one, other)]
        return bool(ids[0]) and ids[0] == ids[1]

    before, row = None, next(rows, None)
    while row is not None:
        after = next(rows, None)
        yield row, PassageInContext(row["text"], before["text"] if before and same(before, row) else "", after["text"] if after and same(row, after) else "")
        before, row = row, after


def as_line(row: Row) -> str:
    """A row as a line of JSONL."""
    return _ENCODER.encode(row) + "\n"


class Output:
    """A file of labelled rows (.jsonl or .parquet) that appears under its name when it is complete.

    Until then the rows are in ``FILE.part``, which an interrupted run leaves behind and ``--resume`` goes on with.

    Args:
        path: the file.
        resume: go on where an interrupted run stopped.
        made_by: model and threshold; rows of another model are not gone on with.

    Raises:
        UsageError: the name ends otherwise, or an interrupted run left rows and ``resume`` is not given.
        NewsmarkError: these rows were made otherwise.
    """

    def __init__(self, path: Path, resume: bool, made_by: dict[str, Any]) -> None:
        if path.suffix not in {".jsonl", ".parquet"}:
            raise UsageError(f"--output {path}: name a .jsonl or .parquet file")
        self._path, self._part, self._note = path, Path(f"{path}.part"), Path(f"{path}.part.json")
        self.done, self._last = 0, b""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._part.exists():
            if not resume:
                raise UsageError(f"{self._part}: an interrupted run left this; go on with --resume, or remove it")
            self._check_note(made_by)
            self._count()
        with atomic_write(self._note) as note:
            note.write(json.dumps(made_by))
        self._stream: IO[bytes] = self._part.open("ab")

    def skip(self, rows: Iterator[tuple[Row, PassageInContext]]) -> Iterator[tuple[Row, PassageInContext]]:
        """Pass over the rows that are there already.

        Raises:
            NewsmarkError: the input holds fewer or other rows.
        """
        if not self.done:
            return rows
        last = next(islice(rows, self.done - 1, None), None)
        written = json.loads(self._last)
        if last is None or any(_ENCODER.encode(written.get(key)) != _ENCODER.encode(value) for key, value in last[0].items() if key not in _ADDED):
            raise NewsmarkError(f"{self._part}: its {self.done} rows are not the first of this input; give the same input, or remove the file")
        return rows

    def write(self, rows: Iterable[Row]) -> None:
        """Add labelled rows; they are on disk when this returns."""
        self._stream.write("".join(map(as_line, rows)).encode())
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def finish(self, only_review: bool) -> None:
        """Give the file its name; of all rows, or only of those that a person should look at."""
        self._stream.close()
        if self._path.suffix == ".jsonl" and not only_review:
            self._part.replace(self._path)
        elif self._path.suffix == ".jsonl":
            with atomic_write(self._path) as stream:
                stream.writelines(as_line(row) for row in self._rows(only_review))
        else:
            self._write_parquet(only_review)
        self._part.unlink(missing_ok=True)
        self._note.unlink()

    def _rows(self, only_review: bool) -> Iterator[Row]:
        return (row for _, row in read_jsonl(self._part) if row["review"] or not only_review)

    def _write_parquet(self, only_review: bool) -> None:
        import pyarrow
        from pyarrow import parquet

        temporary = Path(f"{self._path}.tmp")
        added = pyarrow.schema([("labels", pyarrow.list_(pyarrow.string())), ("review", pyarrow.bool_())])
        try:
            # all columns of all rows, of types that hold all their values
            schemas = [pyarrow.schema(list(pyarrow.array(rows).type)) for rows in _in_groups(self._rows(only_review))]
            schema = pyarrow.unify_schemas([*schemas, added] if schemas else [pyarrow.schema([("text", pyarrow.string())])], promote_options="permissive")
            with parquet.ParquetWriter(temporary, schema) as writer:
                for rows in _in_groups(self._rows(only_review)):
                    writer.write_table(pyarrow.Table.from_pylist(rows, schema))
        except (pyarrow.ArrowException, OverflowError) as error:
            temporary.unlink(missing_ok=True)
            raise NewsmarkError(f"{self._path}: Parquet can't hold these rows ({_first_line(error)}); {self._keep_as_jsonl()}") from None
        temporary.replace(self._path)

    def _keep_as_jsonl(self) -> str:
        """Let ``--resume`` find the rows as those of a .jsonl file; says how."""
        other = self._path.with_suffix(".jsonl")
        part = Path(f"{other}.part")
        if part.exists():
            return f"they lie in {self._part}, as JSONL"
        self._part.replace(part)
        self._note.replace(f"{part}.json")
        return f"they are kept: go on with --output {other} --resume"

    def _check_note(self, made_by: dict[str, Any]) -> None:
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            noted = None
        if noted != made_by:
            raise NewsmarkError(f"{self._part}: made by {noted}, not by {made_by}; use the same model and threshold, or remove it")

    def _count(self) -> None:
        """Count the whole rows, and cut off what a killed run has half-written."""
        end = 0
        with self._part.open("rb+") as part:
            for line in part:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                self.done, self._last = self.done + 1, line
            part.truncate(end)


_ADDED = {"labels", "scores", "review"}


def _in_groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while group := list(islice(rows, _PARQUET_ROWS)):
        yield group


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _read_stdin() -> Iterator[Row]:
    """Standard input is JSONL where its first character is "{", else one article."""
    stream = cast("io.BufferedReader", sys.stdin.buffer)
    if stream.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return _passage_rows(read_jsonl(stream, "standard input"))
    return _article_rows(decode(stream.read(), "standard input"), "standard input")


def _read_parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            rows = chain.from_iterable(batch.to_pylist() for batch in file.iter_batches(_PARQUET_ROWS))
            for number, row in enumerate(rows, start=1):
                yield f"{path}, row {number}", row
    except pyarrow.ArrowInvalid as error:
        raise NewsmarkError(f"{path}: no readable Parquet file ({_first_line(error)})") from None


def _passage_rows(rows: Iterator[tuple[str, Row]]) -> Iterator[Row]:
    for where, row in rows:
        text_of(row, where)
        yield row


def _article_rows(text: str, name: str) -> Iterator[Row]:
    if is_blank(text):
        raise NewsmarkError(f"{name}: the file is empty; give it a text")
    for passage in split_passages(text, identify_language(text)):
        yield {"document": name, **vars(passage)}
