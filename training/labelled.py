"""Labelled passages from files of rows with ``text`` and ``labels``: of a corpus, to train on, or to score on."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..annotation.errors import NewsmarkError, unknown_name
from ..annotation.files import parse_json, text_of
from ..annotation.labels import LabelScheme
from ..annotation.language_codes import read_language
from ..annotation.reading.finding import find_sources
from ..annotation.reading.kinds import read_source
from ..annotation.reading.messages import note, some
from ..annotation.reading.sources import DEFAULTS
from .dataset import UNKNOWN_KIND, UNKNOWN_LANGUAGE, LabelledPassages, targets_of

_TABLES = (".csv", ".tsv", ".xlsx")
"""Kinds of file in which an empty cell is as good as none."""

_OWN = ("text", "labels", "judged", "lang", "document", "page", "kind", "weight", "before", "after")
_LIGHTEST = 1e-6  # the weight of a row; the heaviest is 1 by it
_CELLS = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}


def load_labelled(path: Path, scheme: LabelScheme, judged: Iterable[str] | None = None) -> LabelledPassages:
    """Read labelled passages: a file of rows (JSONL, a table, Parquet), or a folder of JSONL files, one passage per row, in reading order.

    A row has ``text`` and ``labels`` (names, none where it is empty), and where known ``lang``, ``document`` (or ``page``) and ``kind``, and what stands
    ``before`` and ``after`` the passage; a ``weight`` (1 where there is none) says how much it counts in training beside other rows.
    ``judged`` lists the labels that were judged; a row without it was judged for the labels that such rows of the file or
    folder have, all together. In place of ``labels`` a row may have a column per label: 1 for yes, 0 for no, empty for not judged.

    Args:
        path: the file or folder.
        scheme: labels and topics.
        judged: labels that rows without ``judged`` were judged for, where that is known.

    Raises:
        NewsmarkError: a row is not as it must be (names the row and the column), or there is none.
    """
    return _as_passages(_checked_rows(path, scheme, judged), scheme)


def load_to_train(paths: Sequence[str], scheme: LabelScheme) -> tuple[LabelledPassages, NDArray[np.bool_]]:
    """Read labelled passages to train on (see ``load_labelled``). Rows of one document are one group; so are equal texts without a document.

    Args:
        paths: files; what two of them call by one name is one group.
        scheme: labels and topics.

    Returns:
        n passages, and of each whether it names no document and stands alone.

    Raises:
        NewsmarkError: a row is not as it must be (names the row and the column), or there is none.
    """
    files = [(path, row) for path in paths for row in _checked_rows(Path(path), scheme)]
    rows = [row for _, row in files]
    documents = [row.where if row.document is None else f"{path}: {row.document}" for path, row in files]  # an annotated article may have this very id
    groups = [row.document or hashlib.sha256(row.text.encode()).hexdigest() for row in rows]
    data = replace(_as_passages(rows, scheme), documents=np.asarray(documents), groups=np.asarray(groups))
    return data, np.array([row.document is None for row in rows])


def load_corpus(path: Path, scheme: LabelScheme) -> tuple[LabelledPassages, tuple[str, ...]]:
    """Read labelled passages whose labels may be others than the scheme's (see ``load_labelled``); the scheme's other labels are not judged.

    Returns:
        The passages, and the names of their labels that the scheme does not have.
    """
    rows = _labelled_rows(path, scheme)
    others = {name for row in rows for name in row.labels | row.judged} - {*scheme.label_names}
    return _as_passages(rows, scheme), tuple(sorted(others))


@dataclass(frozen=True)
class _LabelledRow:
    """A row of labelled passages: where it is, its labels and those that were judged, and the other columns."""

    where: str
    labels: frozenset[str]
    judged: frozenset[str]
    text: str
    document: str | None
    language: str
    kind: str
    weight: float
    neighbours: tuple[str, str]


class _Row(NamedTuple):
    """A row as it was read; of a table, whose empty cells are not there."""

    where: str
    values: dict[str, Any]
    of_table: bool


def _checked_rows(path: Path, scheme: LabelScheme, judged: Iterable[str] | None = None) -> list[_LabelledRow]:
    """The rows, all of whose labels the scheme has."""
    rows = _labelled_rows(path, scheme, judged)
    for field, where, names in [*(("labels", row.where, row.labels) for row in rows), *(("judged", row.where, row.judged) for row in rows)]:
        if others := names - {*scheme.label_names}:
            raise NewsmarkError(f"{where}: field {field!r}: {unknown_name('label', min(others), scheme.label_names)}")
    if not any(row.judged for row in rows):
        raise NewsmarkError(f"{path}: no row has a label or says in 'judged' which labels were judged, so nothing can be learned or scored; add 'judged'")
    return rows


def _labelled_rows(path: Path, scheme: LabelScheme, judged: Iterable[str] | None = None) -> list[_LabelledRow]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    rows = list(_read(files))
    if not rows:
        raise NewsmarkError(f"{path}: {'no .jsonl file in this folder has' if path.is_dir() else 'the file has no'} rows")
    columns = _label_columns(path, rows, scheme)
    said = [_of_columns(row, columns) if columns else _of_names(row) for row in rows]
    usual = frozenset(judged or ()).union(*(labels for labels, own in said if own is None))
    return [_labelled_row(row, labels, usual if own is None else own) for row, (labels, own) in zip(rows, said, strict=True)]


def _read(files: Iterable[Path]) -> Iterator[_Row]:
    for source in find_sources(files):
        for entry in read_source(source, DEFAULTS):
            if entry.short:
                raise NewsmarkError(f"{entry.where}: an article; labelled passages are rows of a table (.csv, .tsv, .xlsx), of .jsonl or of .parquet")
            yield _Row(entry.where, entry.row, source.ending in _TABLES)


def _label_columns(path: Path, rows: Sequence[_Row], scheme: LabelScheme) -> tuple[str, ...]:
    """The columns that are called after labels, where there is no column for all labels; none otherwise."""
    there = {name for row in rows for name in row.values}
    columns = tuple(name for name in scheme.label_names if name in there and name not in _OWN)
    if not there & {"labels", "judged"} and (both := [name for name in scheme.label_names if name in there and name in _OWN]):
        raise NewsmarkError(f"{path}: a column {both[0]!r} is not read as a label, though one is called so; give the labels of each row in a column 'labels'")
    if columns and there & {"labels", "judged"}:
        raise NewsmarkError(f"{path}: there is a column 'labels' or 'judged', and one called {columns[0]!r}, after a label; keep only one way of giving labels")
    if not columns and not there & {"labels", "judged"} and all(row.of_table for row in rows):
        raise NewsmarkError(f"{path}: no row has anything in 'labels', 'judged' or a column that is called after a label ({', '.join(scheme.label_names)})")
    if columns and (others := sorted(there - {*columns, *_OWN})):
        note(f"{path}: columns that are called after no label are not read: {some(others)}")
    return columns


def _of_columns(row: _Row, columns: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """A row's labels, and those that were judged, from a column per label."""
    labels, judged = set(), set()
    for name in columns:
        value = row.values.get(name)
        if value is None or value == "":
            continue
        yes = _CELLS.get(str(value).strip().casefold())
        if yes is None:
            raise NewsmarkError(f"{row.where}: column {name!r} holds {value!r}; write 1 for yes, 0 for no, and nothing where it was not judged")
        judged.add(name)
        labels |= {name} if yes else set()
    return frozenset(labels), frozenset(judged)


def _of_names(row: _Row) -> tuple[frozenset[str], frozenset[str] | None]:
    """A row's labels, and those that were judged where it says so, from the names in two columns."""
    labels = frozenset() if row.of_table and "labels" not in row.values else _names(row, "labels")
    judged = None if row.values.get("judged") is None else _names(row, "judged")
    if judged is not None and labels - judged:
        raise NewsmarkError(f"{row.where}: label {min(labels - judged)!r} is given, but not among the row's 'judged'; add it there")
    return labels, judged


def _names(row: _Row, field: str) -> frozenset[str]:
    """Names in one field: a list, or a string of names or of a JSON list; a kind behind a label (``quote:direct``, as exports have it) is left out."""
    value = row.values.get(field)
    if isinstance(value, str):
        where = f"{row.where}: field {field!r}"
        value = parse_json(value, where, "write names with ; between them") if value.strip().startswith("[") else re.split("[;,]", value)
        value = [str(name).strip().partition(":")[0] for name in value if str(name).strip()]
    if not isinstance(value, list):
        raise NewsmarkError(f"{row.where}: field {field!r} must be a list of label names, empty for none")
    return frozenset(map(str, value))


def _labelled_row(row: _Row, labels: frozenset[str], judged: frozenset[str]) -> _LabelledRow:
    document, page, language, kind, before, after = (_word(row, name) for name in ("document", "page", "lang", "kind", "before", "after"))
    own = (
        text_of(row.values, row.where),
        document or page or None,
        read_language(language) or UNKNOWN_LANGUAGE,
        kind or UNKNOWN_KIND,
        _weight(row),
        (before, after),
    )
    return _LabelledRow(row.where, labels, judged, *own)


def _word(row: _Row, field: str) -> str:
    """What a field holds as text ("" where there is nothing); a document may be called 0."""
    value = row.values.get(field)
    if isinstance(value, list | dict):
        raise NewsmarkError(f"{row.where}: field {field!r} is a {'list' if isinstance(value, list) else 'JSON object'}; it must be a text or a number")
    return "" if value is None else str(value)


def _weight(row: _Row) -> float:
    value = row.values.get("weight")
    try:
        weight = 1.0 if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if isinstance(value, bool) or not _LIGHTEST <= weight <= 1 / _LIGHTEST:
        raise NewsmarkError(f"{row.where}: field 'weight' is {value!r}; it must be a number above 0, from {_LIGHTEST:f} to {1 / _LIGHTEST:.0f}")
    return weight


def _as_passages(rows: Sequence[_LabelledRow], scheme: LabelScheme) -> LabelledPassages:
    documents = np.asarray([row.document or row.where for row in rows])
    weights = np.asarray([row.weight for row in rows], dtype=np.float32)
    return LabelledPassages(
        scheme.label_names,
        [row.text for row in rows],
        np.asarray([targets_of(row.labels, row.judged, scheme) for row in rows], dtype=np.float32),
        documents,
        documents,
        np.asarray([row.language for row in rows]),
        documents,
        [(0, len(row.text)) for row in rows],
        np.asarray([row.kind for row in rows]),
        None if (weights == 1).all() else weights,
        [row.neighbours for row in rows] if any(any(row.neighbours) for row in rows) else None,
    )
