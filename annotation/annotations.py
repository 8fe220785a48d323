"""Annotations: the spans and topics that one annotator marked in one document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .documents import Document
from .errors import NewsmarkError, unknown_name
from .files import atomic_write, names_of, read_jsonl, string_of

if TYPE_CHECKING:
    from .labels import LabelScheme


@dataclass(frozen=True)
class Span:
    """A marked stretch of a document's text.

    Attributes:
        id: unique within its annotation.
        start: offset of the first character, in Unicode code points.
        end: offset after the last character.
        label: name of a label.
        kind: one of the label's kinds; None where the label has none.
        accepted: it was suggested by a model or a rule, and the annotator kept it.
    """

    id: str
    start: int
    end: int
    label: str
    kind: str | None = None
    accepted: bool = False


@dataclass(frozen=True)
class Reviewed:
    """A doubtful label that a reviewer has decided on (see ``annotate doubt``): it is not doubted again.

    Attributes:
        start: offset of the first character of the passage, or of the span with the odd borders.
        end: offset after the last.
        label: name of the label.
    """

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Annotation:
    """What one annotator says of one whole document; a passage without a span was judged to have no label.

    Attributes:
        document_id: ``Document.id``.
        name: ``Document.name``, for people.
        annotator: who marked it.
        ground_truth: it is the adjudicated version.
        topics: topics of the document.
        spans: in order of ``start``.
        skipped: the annotator passed the document over; there are no spans then.
        note: the annotator's remark.
        updated_at: when Label Studio last saw it change (ISO 8601, UTC); None where it did not come from there.
        task_url: page of its task there.
        offered: labels that the annotator could choose from, and so judged; None where the file does not say (see ``with_offered``).
        reviewed: of a ground truth: what was in doubt and is decided.
        relabelled_at: when ``annotate labels`` last changed it in Label Studio, which is no work of the annotator's; None where it did not.
    """

    document_id: str
    name: str
    annotator: str
    ground_truth: bool
    topics: tuple[str, ...]
    spans: tuple[Span, ...]
    skipped: bool = False
    note: str | None = None
    updated_at: str | None = None
    task_url: str | None = None
    offered: tuple[str, ...] | None = None
    reviewed: tuple[Reviewed, ...] = ()
    relabelled_at: str | None = None


def read_annotations(path: Path, documents: Iterable[Document] | None, scheme: LabelScheme, pass_over_others: bool = False) -> list[Annotation]:
    """Read an annotation file (JSONL, one annotation of one document per row) and check it against its documents.

    Args:
        path: the file.
        documents: the annotated documents; None where their texts are not known, and offsets can't be checked.
        scheme: labels and topics.
        pass_over_others: leave out annotations of other documents; without it, they are an error.

    Raises:
        NewsmarkError: a row is wrong: unknown document, label, kind or topic, offsets out of range, two spans with one id,
            two annotations of one document by one annotator, two ground truths. The message names file and line.
    """
    by_id = None if documents is None else {document.id: document for document in documents}
    annotations: dict[tuple[str, str], Annotation] = {}
    decided: set[str] = set()
    for where, row in read_jsonl(path):
        if pass_over_others and by_id is not None and row.get("document") not in by_id:
            continue
        annotation = _parse(row, where, by_id, scheme)
        key = (annotation.document_id, annotation.annotator)
        if key in annotations:
            raise NewsmarkError(f"{where}: {annotation.annotator!r} annotates {annotation.name} a second time; keep one of the rows")
        if annotation.ground_truth and annotation.document_id in decided:
            raise NewsmarkError(f"{where}: {annotation.name} has a ground truth already; keep one of the rows")
        if annotation.ground_truth:
            decided.add(annotation.document_id)
        annotations[key] = annotation
    return list(annotations.values())


def state_of(path: Path) -> tuple[int, ...]:
    """What tells whether a file was written since; empty where there is none."""
    if not path.exists():
        return ()
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def write_annotations(path: Path, annotations: Iterable[Annotation], since: tuple[int, ...] | None = None) -> None:
    """Write an annotation file, whole or not at all.

    Args:
        path: the file.
        annotations: all that it is to hold.
        since: its state (see ``state_of``) before what the annotations were made from was read; None where nothing was read from it.

    Raises:
        NewsmarkError: another program has written it since.
    """
    if since is not None and state_of(path) != since:
        raise NewsmarkError(f"{path}: another program wrote this file meanwhile, and nothing was written over it; run the command again")
    with atomic_write(path) as stream:
        for annotation in annotations:
            row = {
                "document": annotation.document_id,
                "name": annotation.name,
                "annotator": annotation.annotator,
                "ground_truth": annotation.ground_truth,
                "topics": annotation.topics,
                "spans": [_without_defaults(vars(span)) for span in annotation.spans],
                **_without_defaults({key: getattr(annotation, key) for key in ("skipped", "note", "updated_at", "relabelled_at", "task_url", "offered")}),
                **({"reviewed": list(map(vars, annotation.reviewed))} if annotation.reviewed else {}),
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _without_defaults(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value is not False}


def with_offered(annotations: Iterable[Annotation], scheme: LabelScheme) -> list[Annotation]:
    """Fill in what the annotators of a whole file were offered, so that nobody counts as having judged a label that came later.

    An annotation that does not say it counts as offered the labels that such annotations of the file use, all together. In
    any case its own labels were offered, and labels that the scheme does not have were not.
    """
    every = list(annotations)
    usual = {span.label for one in every if one.offered is None for span in one.spans}

    def fill(one: Annotation) -> Annotation:
        offered = {*(usual if one.offered is None else one.offered), *(span.label for span in one.spans)}
        return replace(one, offered=tuple(name for name in scheme.label_names if name in offered))

    return list(map(fill, every))


def annotations_by_document(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """Index annotations by ``document_id``, each document's in the order of the file; whoever goes through many documents looks them up here."""
    index: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        index.setdefault(annotation.document_id, []).append(annotation)
    return index


def _parse(row: Mapping[str, Any], where: str, documents: Mapping[str, Document] | None, scheme: LabelScheme) -> Annotation:
    document_id = _field(row, "document", str, where)
    document = documents.get(document_id) if documents is not None else None
    name = document.name if document else string_of(row, "name", where) or document_id[:12]
    if documents is not None and document is None:
        raise NewsmarkError(
            f"{where}: unknown document {document_id[:16]!r} ({name}): no text read has this SHA-256; add its file to the documents, or restore its text"
        )
    length = len(document.text) if document else None
    topics = _field(row, "topics", list, where)
    for topic in topics:
        if topics.count(topic) > 1:
            raise NewsmarkError(f"{where}: topic {topic!r} is given twice; keep one")
        if topic not in scheme.topic_names:
            raise NewsmarkError(f"{where}: {unknown_name('topic', topic, scheme.topic_names)}")
    spans: dict[str, Span] = {}
    for number, span_row in enumerate(_field(row, "spans", list, where), start=1):
        span = _parse_span(span_row, f"{where}, span {number}", name, length, scheme)
        if span.id in spans:
            raise NewsmarkError(f"{where}, span {number}: the id {span.id!r} is used twice; give each span its own")
        spans[span.id] = span
    return Annotation(
        document_id,
        name,
        _field(row, "annotator", str, where),
        _field(row, "ground_truth", bool, where),
        tuple(sorted(topics, key=scheme.topic_names.index)),
        tuple(sorted(spans.values(), key=lambda span: (span.start, span.end, span.label))),
        skipped=row.get("skipped") is True,
        note=string_of(row, "note", where),
        updated_at=string_of(row, "updated_at", where),
        task_url=string_of(row, "task_url", where),
        offered=tuple(names_of(row, "offered", where)) if row.get("offered") is not None else None,
        reviewed=read_reviewed(row.get("reviewed"), where),
        relabelled_at=string_of(row, "relabelled_at", where),
    )


def read_reviewed(rows: object, where: str) -> tuple[Reviewed, ...]:
    """Read what a reviewer has decided on; None stands for nothing.

    Raises:
        NewsmarkError: it is no list of objects with start, end and label.
    """
    if rows is None:
        return ()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NewsmarkError(f"{where}: 'reviewed' is {type(rows).__name__}; it must be a list of objects with start, end and label")
    return tuple(Reviewed(_field(row, "start", int, where), _field(row, "end", int, where), _field(row, "label", str, where)) for row in rows)


def _parse_span(row: object, where: str, name: str, length: int | None, scheme: LabelScheme) -> Span:
    if not isinstance(row, dict):
        raise NewsmarkError(f"{where}: expected an object with id, start, end and label")
    start, end = _field(row, "start", int, where), _field(row, "end", int, where)
    if not 0 <= start < end or (length is not None and end > length):
        raise NewsmarkError(f"{where}: offsets {start}–{end} are out of range: {name} has {length or 'some'} characters")
    label = _field(row, "label", str, where)
    if label not in scheme.label_names:
        raise NewsmarkError(f"{where}: {unknown_name('label', label, scheme.label_names)}")
    kinds, kind = scheme.label(label).kinds, row.get("kind")
    if kinds and kind not in kinds:
        raise NewsmarkError(f"{where}: {unknown_name(f'kind of {label}', kind, kinds)}")
    if not kinds and kind is not None:
        raise NewsmarkError(f"{where}: a {label} span has no kind; remove 'kind'")
    return Span(_field(row, "id", str, where), start, end, label, kind, row.get("accepted") is True)


def _field(row: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    value = row.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        found = f"is {value!r}" if key in row else "is missing"
        raise NewsmarkError(f"{where}: field {key!r} {found}; it must be of type {kind.__name__}")
    return value
