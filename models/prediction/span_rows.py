"""``predict --spans``: rows of spans in place of rows of passages.

An interrupted run has left rows of passages, each with its spans (see ``output.Output``); they become rows of spans when the output is complete.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .fields import ADDED, OF_SPAN
from .rows import join, raw_fields

if TYPE_CHECKING:
    from .local import Added
    from .rows import Row

_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_BEHIND = len(ADDED) + 1
"""Fields that labelling has added at the end of a row of a passage."""


def with_span_fields(row: Row, added: Added) -> Added:
    """Give the spans of a labelled row what a row of a span has (``OF_SPAN``): offsets in the article, or in the text of a row that is a passage."""
    spans = []
    for one in added["spans"]:
        place = {"start": row.start + one["start"], "end": row.start + one["end"], "text": row.text[one["start"] : one["end"]]}
        values = {**one, **place, "model_version": added["model_version"]}
        spans.append({name: values[name] for name in OF_SPAN})
    return {**added, "spans": spans}


def print_spans(rows: Iterable[tuple[Row, Added]]) -> None:
    """Print spans as JSONL."""
    sys.stdout.write("".join(line for row, added in rows for line in _lines(row.fields, added["spans"])))


def print_span_table(rows: Iterable[tuple[Row, Added]]) -> None:
    """Print spans for reading: label, kind and score, and the beginning of the text."""
    for _, added in rows:
        for one in added["spans"]:
            text = " ".join(one["text"].split())
            said = " ".join([one["label"], *([one["kind"]] if one["kind"] else []), f"{one['score']:.2f}"])
            sys.stdout.write(f"{said:<44} {text if len(text) <= 100 else text[:99] + '…'}\n")


def span_lines(row: dict[str, Any], line: str) -> list[str]:
    """Make lines of JSONL of a line of a passage: the fields of the input as they are written, then those of each span.

    Args:
        row: the line as values.
        line: a JSON object.
    """
    return _lines(join(list(raw_fields(line))[:-_BEHIND]), row["spans"]) if row["spans"] else []


def span_rows(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Make rows of spans of a row of a passage."""
    own = dict(list(row.items())[:-_BEHIND])
    return ({**own, **span} for span in row["spans"])


def _lines(fields: str, spans: Iterable[dict[str, Any]]) -> list[str]:
    return [f"{fields}, {_ENCODE(span).removeprefix('{')}\n" for span in spans]
