"""Argilla's records: the JSON that ``dataset.records.to_json`` writes, and the flat rows of ``to_datasets``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ..files import atomic_write
from .exchange import Annotated, Entry, full_label
from .rows import mapping, marks_of, metadata_of, objects, read_rows, string, text_field

Answers = dict[str, list[tuple[str, Any]]]
"""The answers of each annotator: question and value."""


def read(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read records: an entry per annotator who submitted or discarded; drafts are named; suggestions count where nobody answered.

    The JSON of Argilla 2.8 does not say whether a response is a draft, so each of its responses is taken as submitted.
    """
    for where, row in read_rows(path):
        fields, metadata = (mapping(row.get(key)) for key in ("fields", "metadata"))
        text = text_field(fields, chosen, where)
        answers: Answers = {}
        states: dict[str, str] = {}
        for question, responses in _by_question(row.get("responses")).items():
            for one in objects(responses):
                user = str(one.get("user_id"))
                answers.setdefault(user, []).append((question, one.get("value")))
                states[user] = str(one.get("status") or "submitted")
        suggestions = {str(one.get("question_name")): one for one in objects(row.get("suggestions"))} or mapping(row.get("suggestions"))
        suggested = {question: one for question, one in suggestions.items() if isinstance(one, dict)}
        agent = next((string(one.get("agent")) for one in suggested.values()), None)
        values = [(question, one.get("value")) for question, one in suggested.items()]
        yield from _entries(where, text, metadata, answers, states, agent, values)


def _by_question(responses: Any) -> dict[str, Any]:
    """The responses of a record, by question: Argilla 1 lists them by annotator, each with all its values."""
    if not isinstance(responses, list):
        return mapping(responses)
    found: dict[str, list[dict[str, Any]]] = {}
    for one in objects(responses):
        for question, answer in mapping(one.get("values")).items():
            found.setdefault(question, []).append({**one, "value": mapping(answer).get("value")})
    return found


def is_flat(row: Mapping[str, Any]) -> bool:
    """Whether a row of a data set has Argilla's layout."""
    return any(key.endswith((".responses", ".suggestion")) for key in row)


def read_flat(where: str, row: Mapping[str, Any], chosen: str | None) -> Iterator[Entry]:
    """Read a row of ``to_datasets``: the entries that ``read`` gives for a record."""
    questions = [key.removesuffix(".responses") for key in row if key.endswith(".responses")]
    answers: Answers = {}
    states: dict[str, str] = {}
    for question in questions:
        users, status = row.get(f"{question}.responses.users") or [], row.get(f"{question}.responses.status") or []
        for number, value in enumerate(row.get(f"{question}.responses") or []):
            user = str(users[number]) if number < len(users) else "unknown"
            answers.setdefault(user, []).append((question, value))
            states[user] = str(status[number]) if number < len(status) else "submitted"
    suggested = [(key.removesuffix(".suggestion"), value) for key, value in row.items() if key.endswith(".suggestion") and value is not None]
    agent = next((string(row.get(f"{question}.suggestion.agent")) for question, _ in suggested), None)
    yield from _entries(where, text_field(row, chosen, where), row, answers, states, agent, suggested)


def _entries(
    where: str, text: str, metadata: Mapping[str, Any], answers: Answers, states: Mapping[str, str], agent: str | None, suggested: list[tuple[str, Any]]
) -> Iterator[Entry]:
    name, language, written = (string(metadata.get(key)) for key in ("name", "lang", "annotator"))
    common = {"name": name, "language": language, "metadata": metadata_of(metadata)}
    drafts = tuple(f"the draft of {user} was not submitted" for user in answers if states[user] not in {"submitted", "discarded"})
    final = [user for user in answers if states[user] in {"submitted", "discarded"}]
    if not final:
        entry = _entry(where, text, suggested)
        yield Entry(**{**vars(entry), **common, "annotator": agent, "annotated": bool(suggested), "problems": (*entry.problems, *drafts)})
    for number, user in enumerate(final):
        entry = _entry(where, text, answers[user])
        annotator = written if written and len(final) == 1 else user
        problems = (*entry.problems, *(drafts if number == 0 else ()))
        skipped = states[user] == "discarded"
        yield Entry(**{**vars(entry), **common, "annotator": annotator, "annotated": True, "skipped": skipped, "problems": problems})


def _entry(where: str, text: str, values: Sequence[tuple[str, Any]]) -> Entry:
    """Sort answers by what they look like: spans, names of classes, or, to the question ``note``, a remark."""
    problems: list[str] = []
    spans: list[Any] = []
    categories: list[str] = []
    note = None
    for question, value in values:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "start" in one:
                spans.append(one)
            elif question == "note":
                note = string(one)
            elif isinstance(one, str):
                categories.append(one)
            elif one is not None:
                problems.append(f"the answer to {question!r} is neither spans nor names")
    return Entry(where, text, marks=marks_of(spans, problems), categories=tuple(categories), note=note, problems=tuple(problems))


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write one record per annotation, for ``dataset.records.from_json``, with the questions span, topics and note."""
    rows = []
    for number, one in enumerate(annotated, start=1):
        annotation = one.annotation
        user, status = str(uuid5(NAMESPACE_URL, annotation.annotator)), "discarded" if annotation.skipped else "submitted"
        spans = [{"start": span.start, "end": span.end, "label": full_label(span)} for span in annotation.spans]
        answers = {"span": spans, "topics": list(annotation.topics), **({"note": annotation.note} if annotation.note else {})}
        rows.append(
            {
                "id": f"{one.document.id[:16]}-{number}",
                "fields": {"text": one.document.text},
                "metadata": {**one.document.metadata, "name": one.document.name, "lang": one.document.language, "annotator": annotation.annotator},
                "suggestions": {},
                "responses": {question: [{"value": value, "user_id": user, "status": status}] for question, value in answers.items()},
                "vectors": {},
            }
        )
    with atomic_write(path) as stream:
        json.dump(rows, stream, ensure_ascii=False)
    return []
