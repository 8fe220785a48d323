"""The rows that ``predict`` reads: passages of articles and rows of files of rows, one after another, each with what comes back of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...annotation.documents import Document, document_of, row_is_passage
from ...annotation.errors import NewsmarkError, printable
from ...annotation.files import text_of
from ...annotation.language_codes import read_language
from ...annotation.reading.finding import find_sources
from ...annotation.reading.kinds import read_source
from ...annotation.reading.sources import DEFAULTS, Entry, ReadingOptions
from ...annotation.splitting.passages import split_passages
from .fields import ADDED, OF_ARTICLE, OF_SPAN, free_name
from .parquet import read_columns

if TYPE_CHECKING:
    from ..context import PassageInContext

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_RAW = json.JSONDecoder().raw_decode
_SPACE = " \t\r\n"


class Row(NamedTuple):
    """A passage to label.

    Attributes:
        text: the passage.
        fields: what comes back with it: the beginning of a JSON object, without its end.
        document: what it shares with its neighbours; None where it stands alone.
        before: the passage before it, where the row itself says so.
        after: the passage after it, likewise.
        begins_line: whether a line begins with it, or between it and the passage before it in its article.
        furniture: what the page says of it, see ``PassageInContext``.
        start: offset of its first character in the article that it was split from; 0 where it is a row of its own.
        language: ISO 639-1 code of its article, or what its row says; "" where that is not known.
    """

    text: str
    fields: str
    document: Any = None
    before: str = ""
    after: str = ""
    begins_line: bool = True
    furniture: float | None = None
    start: int = 0
    language: str = ""


def read_rows(paths: Iterable[str], joined: bool = False, options: ReadingOptions = DEFAULTS, spans: bool = False) -> Iterator[Row]:
    """Read passages: those of articles, and the rows of files of rows, of all kinds that ``annotation/reading`` knows.

    A row is a passage, or an article that is split (see ``row_is_passage``).

    Args:
        paths: files and folders; "-" is standard input.
        joined: all are Parquet files, and what comes back is later joined to their columns (see ``parquet.write_joined``).
        options: how files are read.
        spans: rows of spans come back in place of these: the fields leave out what a span has itself.

    Raises:
        NewsmarkError: a path or its content is not usable.
    """
    names = list(paths)
    if joined:
        yield from _joined_rows(names, options)
        return
    for source in find_sources(map(Path, names), options):
        try:
            for entry in read_source(source, options):
                try:
                    yield from _rows(entry, source.name, spans)
                except NewsmarkError as error:
                    options.refuse(error, entry.row)
        except NewsmarkError as error:
            options.refuse(error)


def can_join(paths: Sequence[str]) -> bool:
    """Whether all inputs are Parquet files, so that their columns can come back untouched."""
    return bool(paths) and all(Path(path).suffix.lower() == ".parquet" and Path(path).is_file() for path in paths)


def with_neighbours(rows: Iterator[Row]) -> Iterator[tuple[Row, PassageInContext]]:
    """Give each row the passages before and after it, where they are of the same document; else those that it names itself."""
    from ..context import PassageInContext

    row, text_before = next(rows, None), ""
    while row is not None:
        after = next(rows, None)
        follows = after is not None and row.document is not None and after.document == row.document
        yield row, PassageInContext(row.text, text_before or row.before, after.text if after is not None and follows else row.after, row.furniture)
        text_before = row.text if follows else ""
        row = after


def count_rows(paths: Iterable[str]) -> int | None:
    """Count the rows of files of passages, to estimate how long they take. Blank lines count.

    Returns:
        None for articles and standard input, and where a file can't be read.
    """
    count = 0
    try:
        for path in map(Path, paths):
            if path.suffix.lower() == ".jsonl":
                block = b"\n"
                with path.open("rb") as stream:
                    while more := stream.read(1 << 20):
                        block = more
                        count += block.count(b"\n")
                count += not block.endswith(b"\n")
            elif path.suffix.lower() == ".parquet":
                from pyarrow import parquet

                count += parquet.read_metadata(path).num_rows
            else:
                return None
    except (OSError, ValueError):  # Arrow's errors are such
        return None
    return count


def _rows(entry: Entry, source: str, spans: bool) -> Iterator[Row]:
    """The passages of an article, or a row; values of JSON lines come back as they are written: the beginning of the line is kept."""
    row, line = entry.row, entry.line
    if entry.short or row_is_passage(row) is False:
        article = document_of(entry, with_path=True)
        yield from _passages(article, list(raw_fields(line)) if line else _encoded(row), row, spans=spans)
        return
    text = text_of(row, entry.where)
    taken = (*ADDED, *OF_SPAN) if spans else ADDED
    if line and row.keys().isdisjoint(taken):
        yield _passage(row, text, line[:-1].rstrip(_SPACE), source)
    else:
        yield _passage(row, text, join(_renamed(raw_fields(line) if line else _encoded(row), row, taken)), source)


def _encoded(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _ENCODE(value)) for name, value in row.items()]


def _joined_rows(names: Iterable[str], options: ReadingOptions) -> Iterator[Row]:
    """Rows of Parquet files, whose fields are joined later."""
    place = 0
    for name in names:
        path = Path(name)
        source = printable(str(path))
        for where, row, number, digest in read_columns(path, place):
            place += 1
            begin = _ENCODE({"row": number, "of": digest})[:-1]
            try:
                if row_is_passage(row) is False:
                    yield from _passages(document_of(Entry(where, row), with_path=True), [], row, begin)
                else:
                    yield _passage(row, text_of(row, where), begin, source)
            except NewsmarkError as error:
                options.refuse(error, row)


def _passage(row: Mapping[str, Any], text: str, fields: str, source: str) -> Row:
    document = row.get("document")
    if document is None or document == "":
        document = row.get("page")
    before, after = row.get("before"), row.get("after")
    return Row(
        text,
        fields,
        None if document is None or document == "" else (source, str(document) if isinstance(document, list | dict) else document),
        before if isinstance(before, str) else "",
        after if isinstance(after, str) else "",
        language=read_language(said if isinstance(said := row.get("lang"), str) else None) or "",
    )


def _passages(
    article: Document, raw: Sequence[tuple[str, str]] = (), row: Mapping[str, Any] | None = None, begin: str = "", spans: bool = False
) -> Iterator[Row]:
    """Split an article.

    Args:
        article: what is split.
        raw: the fields of its row, as they are written; all come back with each passage but the text.
        row: the same as values.
        begin: fields before all others.
        spans: see ``read_rows``.
    """
    row = row or {}
    taken = [name for name in OF_ARTICLE if name != "name" or row.get("name") is None]
    own = [(name, value) for name, value in raw if name != "text" and not (name in taken and row.get(name) is None)]
    rest = join(_renamed(own, row, [*ADDED, *taken, *(OF_SPAN if spans else ())])).removeprefix("{")
    beside = object()  # two articles with one name, or one text, are two
    end = 0
    passages = split_passages(article.text, article.language)
    for passage, furniture in zip(passages, article.furniture_at(passage.start for passage in passages), strict=True):
        values = {"document": article.id, "name": article.name, **vars(passage)}
        fields = _ENCODE({name: values[name] for name in taken if not (spans and name in OF_SPAN)})[:-1]
        if begin:
            fields = f"{begin}, {fields.removeprefix('{')}"
        begins_line = not end or "\n" in article.text[end : passage.start]
        end = passage.end
        given = f"{fields}, {rest}" if rest else fields
        yield Row(passage.text, given, beside, begins_line=begins_line, furniture=furniture, start=passage.start, language=article.language)


def raw_fields(line: str) -> Iterator[tuple[str, str]]:
    """The fields of a JSON object with their values as they are written; the line is known to be right."""
    place = line.index("{") + 1
    while True:
        while line[place] in _SPACE + ",":
            place += 1
        if line[place] == "}":
            return
        name, place = _RAW(line, place)
        while line[place] in _SPACE + ":":
            place += 1
        _, end = _RAW(line, place)
        yield name, line[place:end]
        place = end


def _renamed(raw: Iterable[tuple[str, str]], row: Mapping[str, Any], taken: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give fields whose names are taken others, which the row does not have."""
    for name, value in raw:
        yield free_name(name, row, taken), value


def join(raw: Iterable[tuple[str, str]]) -> str:
    """Make the beginning of a JSON object, without its end, of names and values as they are written."""
    return "{" + ", ".join(f"{_ENCODE(name)}: {value}" for name, value in raw)
