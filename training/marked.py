"""Passages in which annotators marked spans: those of a corpus, and those of annotated articles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..annotation.annotations import Annotation
from ..annotation.documents import Document
from ..annotation.errors import NewsmarkError
from ..annotation.files import read_jsonl
from ..annotation.labels import LabelScheme
from ..annotation.passage_labels import spans_of_passages
from ..annotation.splitting.passages import split_passages
from ..models.context import PassageInContext, in_reading_order
from .dataset import UNKNOWN_LANGUAGE

FOLDER = "spans"
"""Folder of the corpus with its passages whose spans are marked."""


@dataclass(frozen=True)
class MarkedPassage:
    """The spans of one label in a passage.

    Attributes:
        context: the passage.
        document: what it belongs to.
        label: of the spans.
        spans: offsets in the passage, in order.
        kinds: of each span; None where the label has none.
        language: ISO 639-1 code of the document.
        own: it is of the desk's annotated articles, and not of the corpus.
    """

    context: PassageInContext
    document: str
    label: str
    spans: tuple[tuple[int, int], ...]
    kinds: tuple[str | None, ...]
    language: str
    own: bool = False


def read_marked(bootstrap: str, scheme: LabelScheme) -> list[MarkedPassage]:
    """Read the marked passages that a corpus has in its folder ``spans`` (JSONL); none where there is no such folder.

    Raises:
        NewsmarkError: a row is not as it must be; the message names file and line.
    """
    found: list[MarkedPassage] = []
    for path in sorted((Path(bootstrap) / FOLDER).glob("*.jsonl")) if bootstrap else []:
        for where, row in read_jsonl(path):
            try:
                found += _marked(row, scheme)
            except (KeyError, TypeError, ValueError):
                raise NewsmarkError(f"{where}: no passage with 'document', 'text' and 'spans' whose offsets are in the text") from None
    return found


def marked_in(documents: Iterable[Document], annotations: Mapping[str, Annotation], scheme: LabelScheme) -> list[MarkedPassage]:
    """Find the spans in the passages of annotated documents.

    Args:
        documents: the documents.
        annotations: one of each, by its id; documents without one are passed over.
        scheme: labels and topics.
    """
    found = []
    for document in documents:
        if (annotation := annotations.get(document.id)) is None:
            continue
        passages = split_passages(document.text, document.language)
        contexts = in_reading_order([passage.text for passage in passages])
        for passage, context, spans in zip(passages, contexts, spans_of_passages(passages, annotation.spans, scheme), strict=True):
            for label in dict.fromkeys(span.label for span in spans):
                own = [span for span in spans if span.label == label]
                places = tuple((max(span.start, passage.start) - passage.start, min(span.end, passage.end) - passage.start) for span in own)
                found.append(MarkedPassage(context, document.id, label, places, tuple(span.kind for span in own), document.language, True))
    return found


def _marked(row: Mapping[str, Any], scheme: LabelScheme) -> Iterator[MarkedPassage]:
    text = row["text"]
    context = PassageInContext(text, row.get("before") or "", row.get("after") or "")
    for label in dict.fromkeys(span["label"] for span in row["spans"]):
        if label not in scheme.label_names:
            continue
        spans = sorted((int(span["start"]), int(span["end"]), span.get("kind")) for span in row["spans"] if span["label"] == label)
        if not all(0 <= start < end <= len(text) for start, end, _ in spans):
            raise ValueError("offsets outside the text")
        kinds = tuple(kind if kind in scheme.label(label).kinds else None for _, _, kind in spans)
        places = tuple((start, end) for start, end, _ in spans)
        yield MarkedPassage(context, str(row["document"]), label, places, kinds, str(row.get("lang") or UNKNOWN_LANGUAGE))
