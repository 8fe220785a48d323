"""CSV with one passage per row and its labels, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import NewsmarkError
from ..files import atomic_write
from ..labels import LabelScheme
from ..passage_labels import spans_of_passages
from ..reading.sources import METADATA
from ..splitting.passages import split_passages
from .exchange import Annotated, Entry, Mark, full_label
from .rows import metadata_of, read_bytes_as_text, string, text_field

_COLUMNS = ("document", "name", "lang", "annotator", "topics", "start", "end", "space_before", "text", "space_after", "labels", *METADATA)
_LARGEST_CELL = 20_000_000


def read(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read rows; those of one ``document`` (or ``name``) and ``annotator`` are one text, put together in the order of the file.

    What stands between two passages is in ``space_before`` and ``space_after``; without these columns it is a line break. A row of no
    document is a text of its own. Labels and topics are separated by ";".
    """
    csv.field_size_limit(_LARGEST_CELL)
    raw = read_bytes_as_text(path)
    header = raw.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(raw, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
    groups: dict[tuple[str, str | None], list[tuple[int, dict[str, str]]]] = {}
    try:
        for number, row in enumerate(reader, start=2):
            if any(row.get(None, ())):  # empty cells at its end do no harm
                many = len(row) - 1 + len(row[None])
                raise NewsmarkError(f"{path}, row {number}: {many} values for {len(row) - 1} columns; repair the row: text with a comma needs quotation marks")
            key = string(row.get("document")) or string(row.get("name")) or f"row {number}"
            groups.setdefault((key, string(row.get("annotator"))), []).append((number, {name: value or "" for name, value in row.items() if name}))
    except csv.Error as error:
        raise NewsmarkError(f"{path}, line {reader.line_num}: broken CSV ({error})") from None
    for rows in groups.values():
        yield _entry(path, rows, chosen)


def _entry(path: Path, rows: Sequence[tuple[int, dict[str, str]]], chosen: str | None) -> Entry:
    first = rows[0][1]
    spaced = "space_before" in first
    text, marks = "", list[Mark]()
    for number, row in rows:
        passage = text_field(row, chosen, f"{path}, row {number}", ("text", "passage", "sentence"))
        text += row["space_before"] if spaced else "\n" * bool(text)
        marks += [Mark(len(text), len(text) + len(passage), label) for label in _names(row.get("labels", row.get("label", "")))]
        text += passage + row.get("space_after", "")
    where = f"{path}, row {rows[0][0]}"
    return Entry(
        where,
        text,
        string(first.get("name")),
        string(first.get("lang")),
        string(first.get("annotator")),
        tuple(marks),
        _names(first.get("topics", "")),
        annotated=None if "labels" in first or "label" in first else False,
        metadata=metadata_of(first),
    )


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in cell.split(";") if name.strip())


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write the passages of each annotated document, each with the labels that it takes."""
    scheme = LabelScheme((), ())  # no label excludes others: all that was marked is written
    with atomic_write(path) as stream:
        table = csv.writer(stream)
        table.writerow(_COLUMNS)
        for one in annotated:
            document, text = one.document, one.document.text
            passages = split_passages(text, document.language)
            said = [document.metadata.get(key, "") for key in METADATA]
            last = 0
            for number, (passage, spans) in enumerate(zip(passages, spans_of_passages(passages, one.annotation.spans, scheme), strict=True), start=1):
                after = text[passage.end :] if number == len(passages) else ""
                labels = ";".join(dict.fromkeys(map(full_label, spans)))
                facts = (document.id, document.name, document.language, one.annotation.annotator, ";".join(one.annotation.topics))
                table.writerow([*facts, passage.start, passage.end, text[last : passage.start], text[passage.start : passage.end], after, labels, *said])
                last = passage.end
    return []
