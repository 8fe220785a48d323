"""Between newsmark's annotations and Label Studio's results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..annotations import Annotation, Span
from ..documents import Document
from ..errors import NewsmarkError
from ..labels import LabelScheme
from .interface import NOTE, SPAN, TEXT, TOPICS, kind_control

Result = dict[str, Any]


def task_data(document: Document) -> dict[str, str]:
    """Make the ``data`` of a document's task; ``sha256`` is what it is found by."""
    return {"text": document.text, "sha256": document.id, "name": document.name, "lang": document.language}


def to_results(
    document: Document, spans: Iterable[Span], topics: Iterable[str] = (), note: str | None = None, scores: Mapping[str, float] | None = None
) -> list[Result]:
    """Turn spans, topics and a note into the results of an annotation or prediction.

    Args:
        document: the spans' document.
        spans: what is marked.
        topics: topics of the document.
        note: a remark.
        scores: probability of each span, by its id.

    Raises:
        NewsmarkError: a span lies outside the text, or two have one id; Label Studio would not notice.
    """
    spans = list(spans)
    twice = [span_id for span_id, count in Counter(span.id for span in spans).items() if count > 1]
    if twice:
        raise NewsmarkError(f"{document.name}: two spans have the id {twice[0]!r}; Label Studio would lose one")
    results = []
    for span in spans:
        if not 0 <= span.start < span.end <= len(document.text):
            raise NewsmarkError(f"{document.name}: span {span.id!r} at {span.start}–{span.end} lies outside the text of {len(document.text)} characters")
        where = {"start": span.start, "end": span.end, "text": document.text[span.start : span.end]}
        score = {"score": scores[span.id]} if scores else {}
        common = {"id": span.id, "to_name": TEXT, **({"origin": "prediction"} if span.accepted else {})}
        results.append({**common, "from_name": SPAN, "type": "labels", "value": {**where, "labels": [span.label]}, **score})
        if span.kind:
            results.append({**common, "from_name": kind_control(span.label), "type": "choices", "value": {**where, "choices": [span.kind]}})
    if topics:
        results.append({"id": "topics", "from_name": TOPICS, "to_name": TEXT, "type": "choices", "value": {"choices": list(topics)}})
    if note:
        results.append({"id": "note", "from_name": NOTE, "to_name": TEXT, "type": "textarea", "value": {"text": [note]}})
    return results


def from_annotation(task: Mapping[str, Any], annotation: Mapping[str, Any], annotator: str, scheme: LabelScheme) -> Annotation:
    """Read one exported annotation.

    Spans are trimmed of white space and rebuilt from their offsets (what Label Studio repeats of the text is not to be
    trusted); one that holds only white space is left out.

    Args:
        task: the exported task.
        annotation: one of its annotations.
        annotator: who made it.
        scheme: labels and topics.

    Raises:
        NewsmarkError: a label, topic or offset that the labels file or the text does not have.
    """
    data = task["data"]
    text, name = data["text"], str(data.get("name") or f"task {task['id']}")
    where = f"task {task['id']} ({name})"
    skipped = bool(annotation.get("was_cancelled"))
    results = [] if skipped else annotation["result"]
    kinds = {(one["id"], one.get("from_name")): one["value"]["choices"][0] for one in results if one["type"] == "choices"}
    spans = [span for one in results if one.get("from_name") == SPAN and (span := _span(one, text, kinds, scheme, where))]
    topics = [topic for one in results if one.get("from_name") == TOPICS for topic in one["value"]["choices"]]
    for topic in topics:
        if topic not in scheme.topic_names:
            raise NewsmarkError(f"{where}: topic {topic!r} is not in the labels file; add it there, or change the annotation")
    notes = [line for one in results if one.get("from_name") == NOTE for line in one["value"]["text"]]
    return Annotation(
        str(data["sha256"]),
        name,
        annotator,
        bool(annotation.get("ground_truth")),
        tuple(sorted(topics, key=scheme.topic_names.index)),
        tuple(sorted(spans, key=lambda span: (span.start, span.end, span.label))),
        skipped=skipped,
        note="\n".join(notes) or None,
        updated_at=str(annotation["updated_at"]),
    )


def _span(result: Mapping[str, Any], text: str, kinds: Mapping[tuple[str, str], str], scheme: LabelScheme, where: str) -> Span | None:
    value = result["value"]
    start, end = int(value["start"]), int(value["end"])
    (label,) = value["labels"]
    if label not in scheme.label_names:
        raise NewsmarkError(f"{where}: label {label!r} is not in the labels file; add it there, or change the annotation")
    if not 0 <= start <= end <= len(text):
        raise NewsmarkError(f"{where}: a {label} span at {start}–{end} lies outside the text of {len(text)} characters")
    marked = text[start:end]
    start, end = start + len(marked) - len(marked.lstrip()), end - (len(marked) - len(marked.rstrip()))
    if start >= end:
        return None
    allowed = scheme.label(label).kinds
    kind = kinds.get((result["id"], kind_control(label)))
    if allowed and kind not in allowed:
        raise NewsmarkError(f"{where}: the {label} “{text[start:end][:40]}” has no kind; choose {' or '.join(allowed)} in Label Studio")
    return Span(str(result["id"]), start, end, label, kind if allowed else None, accepted=result.get("origin") == "prediction")
