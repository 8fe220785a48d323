"""Label Studio's JSON export, of any project: its own interface's names, several labels in one region, hypertext."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from ..annotations import annotations_by_document
from ..errors import NewsmarkError
from ..files import atomic_write
from ..label_studio.interface import kind_control
from ..label_studio.reading import EDITED
from ..label_studio.records import Result, StudioAnnotation, User, read_task
from ..label_studio.writing import task_data, to_results
from .exchange import Annotated, Entry, Mark
from .rows import is_whole, mapping, objects, read_rows, string, text_field

_TEXT_FIELDS = ("text", "html", "article", "content", "body")


def read(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read tasks: an entry per annotation; where there is none, the predictions, under their model's name."""
    for where, row in read_rows(path):
        data = row.get("data")
        if not isinstance(data, dict):
            raise NewsmarkError(f"{where}: no 'data': this is no JSON export of Label Studio; export as JSON, not as JSON-MIN")
        predicted = [{**one, "completed_by": str(one.get("model_version"))} for one in objects(row.get("predictions"))]
        number = row.get("id") if is_whole(row.get("id")) else 0
        made = objects(row.get("annotations", row.get("completions")))  # as they were called before Label Studio 1.0
        task = read_task({**row, "id": number, "annotations": made or predicted})
        strings = [name for name, value in data.items() if isinstance(value, str)]
        raw = text_field(data, chosen or (strings[0] if len(strings) == 1 else None), where, _TEXT_FIELDS)
        text = _visible(raw) if any(_in_hypertext(one) for stored in task.annotations for one in stored.results or ()) else raw
        name, language = string(data.get("name")) or string(row.get("file_upload")) or f"task {task.id}", string(data.get("lang"))
        problems = (EDITED,) if task.sha256 and task.edited else ()
        if problems or not task.annotations:
            yield Entry(where, text, name, language, annotated=False, problems=problems, metadata=task.metadata)
            continue
        for stored in task.annotations:
            yield replace(_entry(where, text, name, language, stored), metadata=task.metadata)


def _entry(where: str, text: str, name: str, language: str | None, stored: StudioAnnotation) -> Entry:
    results = () if stored.skipped else stored.results or ()
    regions = {one.id for one in results if one.labels}
    details = {(one.id, one.control): one.choices[0] for one in results if one.choices and one.id in regions}
    problems: list[str] = []
    marks: list[Mark] = []
    notes: list[str] = []
    categories: list[str] = []
    for one in results:
        if one.labels:
            marks += _marks(one, details, problems)
        elif one.choices and one.id not in regions:
            categories += one.choices
        elif _kind(one) == "textarea" and one.id not in regions:
            notes += [line for line in _lines(one) if line.strip()]
        elif not one.choices:
            problems.append(f"a result of the type {_kind(one)!r}, which newsmark does not have")
    missing = stored.results is None and not stored.skipped
    return Entry(
        where,
        text,
        name,
        language,
        _annotator(stored.user),
        tuple(marks),
        tuple(categories),
        skipped=stored.skipped,
        ground_truth=stored.ground_truth,
        note="\n".join(notes) or None,
        problems=(*problems, "the results of an annotation are missing") if missing else tuple(problems),
        annotated=not missing,
    )


def _marks(region: Result, details: Mapping[tuple[str, str], str], problems: list[str]) -> Iterator[Mark]:
    """Give a mark per label of a region, with the choice that was made for the region as the label's kind."""
    words = mapping(region.raw["value"]).get("text")
    for label in region.labels:
        if region.start is None or region.end is None:
            problems.append(f"the {label} region {region.id} has no offsets that count characters")
            continue
        other = next((choice for (own, control), choice in details.items() if own == region.id and not control.startswith(kind_control(""))), None)
        kind = details.get((region.id, kind_control(label)), other)
        yield Mark(
            region.start, region.end, f"{label}:{kind}" if kind else label, words if isinstance(words, str) and words.strip() else None, region.id or None
        )


def _lines(result: Result) -> list[str]:
    value = mapping(mapping(result.raw).get("value")).get("text")
    return [str(one) for one in value] if isinstance(value, list) else [str(value or "")]


def _annotator(user: User) -> str | None:
    return user.email or (f"user {user.id}" if user.id is not None else None)


def _in_hypertext(result: Result) -> bool:
    value = mapping(mapping(result.raw).get("value"))
    return "hypertextlabels" in value or "globalOffsets" in value


def _kind(result: Result) -> object:
    return mapping(result.raw).get("type")


class _Visible(HTMLParser):
    """Collects the text of a page as a browser counts it for ``globalOffsets``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the parser's own signature)
        self._hidden += tag in {"head", "script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"head", "script", "style"}

    def handle_data(self, data: str) -> None:
        if self._hidden <= 0:
            self.parts.append(data)


def _visible(html: str) -> str:
    parser = _Visible()
    parser.feed(html.replace("\r\n", "\n"))
    parser.close()
    return "".join(parser.parts)


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write tasks as Label Studio exports them, with newsmark's interface; a server imports them where it knows the annotators."""
    documents = {one.document.id: one.document for one in annotated}
    rows = []
    for number, (document_id, some) in enumerate(annotations_by_document(one.annotation for one in annotated).items(), start=1):
        document = documents[document_id]
        own = [
            {
                "id": place,
                "completed_by": {"email": one.annotator},
                "result": to_results(document, one.spans, one.topics, one.note),
                "was_cancelled": one.skipped,
                "ground_truth": one.ground_truth,
            }
            for place, one in enumerate(some, start=1)
        ]
        rows.append({"id": number, "data": task_data(document), "annotations": own, "predictions": []})
    with atomic_write(path) as stream:
        json.dump(rows, stream, ensure_ascii=False)
    return []
