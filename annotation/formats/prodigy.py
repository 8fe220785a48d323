"""Prodigy's JSONL, as ``prodigy db-out`` writes it: spans, choices, and accepted, rejected and ignored answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import atomic_write
from .exchange import Annotated, Entry, full_label
from .rows import is_whole, listed, mapping, marks_of, metadata_of, objects, read_rows, string, text_field, unread


def read(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read answers. A rejected one says what is wrong and not what is right, so its text is taken and its spans are not; an ignored one is a skip."""
    for where, row in read_rows(path):
        problems: list[str] = []
        answer = row.get("answer", "accept")
        meta = mapping(row.get("meta"))
        text = text_field(row, chosen, where)
        marks = marks_of(row.get("spans"), problems) if answer == "accept" else ()
        if answer == "reject":
            problems.append("the answer is a rejection, which does not say what is right")
        elif answer not in ("accept", "ignore"):
            problems.append(f"the answer is {answer!r}; known: accept, reject, ignore")
        if relations := listed(row.get("relations")):
            problems.append(f"{len(relations)} relations, which newsmark does not have")
        problems += _wrong_tokens(row.get("tokens"), text)
        problems += (lost := unread(row, ("spans", "tokens", "relations", "options", "accept")))
        yield Entry(
            where,
            text,
            string(meta.get("name")) or string(meta.get("source")),
            string(meta.get("lang")),
            string(row.get("_annotator_id")) or string(row.get("_session_id")),
            marks,
            _classes(row) if answer == "accept" else (),
            annotated=answer == "ignore" or (answer == "accept" and not lost and any(key in row for key in ("answer", "spans", "accept", "label"))),
            skipped=answer == "ignore",
            note=string(meta.get("note")),
            problems=tuple(problems),
            offered=tuple(name for one in objects(row.get("options")) if (name := string(one.get("id")))),
            metadata=metadata_of(meta),
        )


def _classes(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the whole text: chosen options, or the label of a yes-or-no question; the label of a question about spans is not one."""
    given = row.get("accept", row.get("label") if "spans" not in row else None)
    return tuple(name for one in (given if isinstance(given, list) else [given]) if (name := string(one)))


def _wrong_tokens(tokens: Any, text: str) -> list[str]:
    """Name the first token that is not where the row says, which means that the offsets count something else."""
    for one in objects(tokens):
        if is_whole(one.get("start")) and is_whole(one.get("end")) and text[one["start"] : one["end"]] != one.get("text"):
            return [f"the token {one.get('text')!r} is not at {one['start']}–{one.get('end')} of the text"]
    return []


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write one answer per annotation; topics are chosen options, a skip is an ignored answer."""
    with atomic_write(path) as stream:
        for one in annotated:
            annotation = one.annotation
            note = {"note": annotation.note} if annotation.note else {}
            meta = {**one.document.metadata, "name": one.document.name, "lang": one.document.language, **note}
            row = {
                "text": one.document.text,
                "spans": [{"start": span.start, "end": span.end, "label": full_label(span)} for span in annotation.spans],
                "accept": list(annotation.topics),
                "answer": "ignore" if annotation.skipped else "accept",
                "meta": meta,
                "_annotator_id": annotation.annotator,
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return []
