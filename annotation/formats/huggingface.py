"""Hugging Face data sets with spans: a folder that ``save_to_disk`` wrote, or Parquet; Argilla's layout is read, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NewsmarkError
from ..reading.parquet import open_parquet
from ..reading.sources import METADATA
from . import argilla
from .data_card import data_card
from .exchange import Annotated, Entry, full_label
from .rows import marks_of, metadata_of, string, text_field, unread

_SPANS = ("spans", "entities", "labels")


def read(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read a data set, or each of its splits. Spans are objects with start, end and label, in ``spans`` or ``entities``."""
    for name, split in _splits(path).items():
        names = _class_names(split.features)
        for number, row in enumerate(split, start=1):
            where = f"{path}{f', {name}' if name else ''}, row {number}"
            if argilla.is_flat(row):
                yield from argilla.read_flat(where, row, chosen)
            else:
                yield _entry(where, row, chosen, names)


def _entry(where: str, row: Mapping[str, Any], chosen: str | None, names: Sequence[str] | None) -> Entry:
    problems: list[str] = []
    key = next((one for one in _SPANS if row.get(one) is not None), None)
    spans = row[key] if key else None
    if isinstance(spans, dict):  # a list of objects that is stored column by column
        columns = [value for value in spans.values() if isinstance(value, list)]
        if len(columns) < len(spans) or len(set(map(len, columns))) > 1:
            problems.append("the columns of its spans have not the same length")
            columns = []
        spans = [dict(zip(spans, values, strict=True)) for values in zip(*columns, strict=True)]
    if names and isinstance(spans, list):
        spans = [_named(one, names) for one in spans]
    problems += (lost := unread(row, _SPANS))
    topics = row.get("topics")
    return Entry(
        where,
        text_field(row, chosen, where),
        string(row.get("name")),
        string(row.get("lang")),
        string(row.get("annotator")),
        marks_of(spans, problems),
        tuple(map(str, topics)) if isinstance(topics, list) else (),
        skipped=row.get("skipped") is True,
        note=string(row.get("note")),
        annotated=False if lost and not spans else None,
        problems=tuple(problems),
        offered=tuple(names or ()),
        metadata=metadata_of(row),
    )


def _named(span: Any, names: Sequence[str]) -> Any:
    """A span with the name of its label in place of the number, which is below 0 for none."""
    number = span.get("label") if isinstance(span, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        return span
    return {**span, "label": names[number] if 0 <= number < len(names) else None}


def _splits(path: Path) -> dict[str, Any]:
    datasets = _datasets()
    table = None if path.is_dir() else _table(path)
    try:
        loaded = datasets.load_from_disk(str(path)) if table is None else datasets.Dataset(table)
    except FileNotFoundError:
        raise NewsmarkError(f"{path}: no data set that save_to_disk wrote; give such a folder, or a .parquet file") from None
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:  # whatever its description of the columns is damaged to
        raise NewsmarkError(f"{path}: the data set can't be read ({' '.join(str(error).split())[:200]}); write it again") from None
    return dict(loaded) if isinstance(loaded, dict) else {"": loaded}


def _table(path: Path) -> Any:
    with open_parquet(path, str(path)) as opened:
        return opened.read()


def _class_names(features: Mapping[str, Any]) -> list[str] | None:
    """The names of labels that are stored as numbers."""
    for key in _SPANS:
        feature = features.get(key)
        inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else feature)
        label = inner.get("label") if isinstance(inner, dict) else None
        label = getattr(label, "feature", label)
        if names := getattr(label, "names", None):
            return list(names)
    return None


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write one row per annotation: Parquet where the file is called so, a folder for ``load_from_disk`` with its data card otherwise."""
    datasets = _datasets()
    text, flag = datasets.Value("string"), datasets.Value("bool")
    span = {"start": datasets.Value("int64"), "end": datasets.Value("int64"), "label": text}
    features = datasets.Features(
        {
            "text": text,
            "name": text,
            "lang": text,
            **dict.fromkeys(METADATA, text),
            "annotator": text,
            "skipped": flag,
            "note": text,
            "topics": datasets.List(text),
            "spans": datasets.List(span),
        }
    )
    rows = [
        {
            "text": one.document.text,
            "name": one.document.name,
            "lang": one.document.language,
            **{key: one.document.metadata.get(key) for key in METADATA},
            "annotator": one.annotation.annotator,
            "skipped": one.annotation.skipped,
            "note": one.annotation.note,
            "topics": list(one.annotation.topics),
            "spans": [{"start": span.start, "end": span.end, "label": full_label(span)} for span in one.annotation.spans],
        }
        for one in annotated
    ]
    made = datasets.Dataset.from_list(rows, features=features)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".parquet":
        made.to_parquet(str(path))
    else:
        made.save_to_disk(str(path))
        (path / "README.md").write_text(data_card(annotated), encoding="utf-8")
    return []


def _datasets() -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets
