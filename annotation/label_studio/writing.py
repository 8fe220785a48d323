"""From newsmark's documents and annotations to the rows that Label Studio takes: tasks, predictions, annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..annotations import Annotation, Span
from ..documents import Document
from ..errors import NewsmarkError
from ..suggestions import Suggestion
from .interface import NOTE, SPAN, TEXT, TOPICS, mark_name

if TYPE_CHECKING:
    from .annotators import Annotators

Row = dict[str, Any]


def task_data(document: Document) -> dict[str, str]:
    """Make the ``data`` of a document's task; ``sha256`` is what it is found by."""
    return {**document.metadata, "text": document.text, "sha256": document.id, "name": document.name, "lang": document.language}


def task_row(document: Document, suggestion: Suggestion, annotations: Sequence[Annotation], annotators: Annotators) -> Row:
    """Make the row that imports a document with its suggestions and annotations."""
    row: Row = {"data": task_data(document), "predictions": [prediction_row(document, suggestion)]}
    if annotations:
        row["annotations"] = [annotation_row(document, one, annotators) for one in annotations]
    return row


def annotation_row(document: Document, annotation: Annotation, annotators: Annotators) -> Row:
    """Make the row that adds an annotation to a document's task, under its annotator."""
    return {
        "result": to_results(document, annotation.spans, annotation.topics, annotation.note),
        "completed_by": annotators.id_of(annotation.annotator),
        "ground_truth": annotation.ground_truth,
        "was_cancelled": annotation.skipped,
    }


def prediction_row(document: Document, suggestion: Suggestion) -> Row:
    """Make the row that adds suggestions to a document's task; their score is the mean of the spans'."""
    scores = [suggestion.scores[span.id] for span in suggestion.spans]
    mean = sum(scores) / len(scores) if scores else 0.0
    results = to_results(document, suggestion.spans, suggestion.topics, scores=suggestion.scores)
    return {"model_version": suggestion.version, "score": round(mean, 4), "result": results}


def to_results(
    document: Document, spans: Iterable[Span], topics: Iterable[str] = (), note: str | None = None, scores: Mapping[str, float] | None = None
) -> list[Row]:
    """Turn spans, topics and a note into the results of an annotation or prediction.

    Args:
        document: the spans' document.
        spans: what is marked.
        topics: topics of the document.
        note: a remark.
        scores: probability of each span, by its id.

    Raises:
        NewsmarkError: a span is outside the text, or two have one id; Label Studio would not notice.
    """
    spans = list(spans)
    twice = [span_id for span_id, count in Counter(span.id for span in spans).items() if count > 1]
    if twice:
        raise NewsmarkError(f"{document.name}: two spans have the id {twice[0]!r}; Label Studio would lose one")
    results = []
    for span in spans:
        if not 0 <= span.start < span.end <= len(document.text):
            raise NewsmarkError(f"{document.name}: span {span.id!r} at {span.start}–{span.end} is outside the text of {len(document.text)} characters")
        where = {"start": span.start, "end": span.end, "text": document.text[span.start : span.end]}
        score = {"score": scores[span.id]} if scores else {}
        common = {"id": span.id, "to_name": TEXT, **({"origin": "prediction"} if span.accepted else {})}
        results.append({**common, "from_name": SPAN, "type": "labels", "value": {**where, "labels": [mark_name(span.label, span.kind)]}, **score})
    if topics:
        results.append({"id": "topics", "from_name": TOPICS, "to_name": TEXT, "type": "choices", "value": {"choices": list(topics)}})
    if note:
        results.append({"id": "note", "from_name": NOTE, "to_name": TEXT, "type": "textarea", "value": {"text": [note]}})
    return results
