"""doccano's JSONL: sequence labelling, with or without relations, intents and slots, and text classification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..files import atomic_write
from .exchange import Annotated, Entry, full_label
from .rows import listed, marks_of, metadata_of, read_rows, string, text_field, unread

_LABELS = ("label", "labels", "entities", "annotations", "category", "cats", "topics")


def read(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read an export; ``label`` (``labels``, ``entities``, ``annotations``, ``category``, ``cats``) holds spans, or the names of the whole text's classes."""
    for where, row in read_rows(path):
        problems: list[str] = []
        spans: list[Any] = []
        categories: list[str] = []
        given = [row[key] for key in _LABELS if row.get(key) is not None]
        for value in given:
            for one in value if isinstance(value, list) else [value]:
                name = string(one)
                if name is not None:
                    categories.append(name)
                else:
                    spans.append(one)
        if relations := listed(row.get("relations")):
            problems.append(f"{len(relations)} relations, which newsmark does not have")
        problems += unread(row, (*_LABELS, "relations", "Comments", "comments"))
        comments = row.get("Comments", row.get("comments"))
        notes = [str(one.get("comment", "") if isinstance(one, dict) else one) for one in listed(comments)]
        yield Entry(
            where,
            text_field(row, chosen, where, ("text", "data")),
            string(row.get("name")) or string(row.get("filename")),
            string(row.get("lang")),
            string(row.get("annotator")),
            marks_of(spans, problems),
            tuple(categories),
            note="\n".join(notes) or None,
            problems=tuple(problems),
            metadata=metadata_of(row),
        )


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write rows for sequence labelling; what doccano has no place for is kept in fields that it shows as the text's data."""
    with atomic_write(path) as stream:
        for number, one in enumerate(annotated, start=1):
            row = {
                **one.document.metadata,
                "id": number,
                "text": one.document.text,
                "label": [[span.start, span.end, full_label(span)] for span in one.annotation.spans],
                "Comments": [one.annotation.note] if one.annotation.note else [],
                "name": one.document.name,
                "lang": one.document.language,
                "annotator": one.annotation.annotator,
                "topics": list(one.annotation.topics),
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return []
