"""Suggestions from a file of what ``predict`` wrote for articles: rows of passages, or of spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .documents import Document
from .errors import NewsmarkError, unknown_name
from .files import read_jsonl, string_of
from .labels import LabelScheme
from .suggestions import SuggestedPassage, SuggestedSpan, Suggestion, suggest_spans, whole_passages


@dataclass(frozen=True)
class FileSuggester:
    """Suggests what ``predict`` wrote for articles.

    Attributes:
        version: of the model that labelled them.
        scheme: labels and topics.
        spans: of each document, by its id; one that is not there gets no suggestions.
        others: names of documents in the file that are not among those read.
    """

    version: str
    scheme: LabelScheme
    spans: Mapping[str, Sequence[SuggestedSpan]]
    others: tuple[str, ...]

    def suggest(self, document: Document) -> Suggestion:
        """Suggest spans of a document."""
        return suggest_spans(document, self.version, self.spans.get(document.id, ()), self.scheme)


def read_suggestions(path: Path, documents: Iterable[Document], scheme: LabelScheme) -> FileSuggester:
    """Read the rows that ``predict`` writes for articles (JSONL, one passage per row, or one span with ``--spans``).

    Args:
        path: the file; its rows have ``document`` (the SHA-256 of the text), ``start``, ``end``, ``model_version``, and ``labels`` and ``scores``, or
            ``label``, ``score`` and ``kind``.
        documents: the documents to suggest for.
        scheme: labels and topics.

    Raises:
        NewsmarkError: a row is not as it must be, is not of the document's text, or two models made the rows. The message
            names file and line.
    """
    by_id = {document.id: document for document in documents}
    spans: dict[str, list[SuggestedSpan]] = {}
    others: dict[str, str] = {}
    versions: dict[str, None] = {}
    for where, row in read_jsonl(path):
        document_id, version = string_of(row, "document", where), string_of(row, "model_version", where)
        if document_id is None or version is None:
            raise NewsmarkError(f"{where}: no 'document' or no 'model_version'; give the rows that predict writes for articles")
        versions[version] = None
        if document := by_id.get(document_id):
            spans.setdefault(document_id, []).extend(_spans_of_row(row, document, scheme, where))
        else:
            others[document_id] = string_of(row, "name", where) or document_id[:12]
    if len(versions) != 1:
        raise NewsmarkError(f"{path}: rows of {' and '.join(versions) or 'no model'}; give the rows of one model")
    return FileSuggester(next(iter(versions)), scheme, spans, tuple(others.values()))


def _spans_of_row(row: Mapping[str, Any], document: Document, scheme: LabelScheme, where: str) -> list[SuggestedSpan]:
    """Read a row of either sort."""
    if "label" not in row:
        return whole_passages([labelled_passage(row, document, scheme, where)])
    start, end = _offsets(row, document, where)
    label, kind = _known(row["label"], scheme, where), string_of(row, "kind", where)
    score = _score(label, row.get("score"), where)
    kinds = scheme.label(label).kinds
    if kind is not None and kind not in kinds:
        raise NewsmarkError(f"{where}: {unknown_name(f'kind of {label}', kind, kinds)}")
    return [SuggestedSpan(start, end, label, score, kind)]


def labelled_passage(row: Mapping[str, Any], document: Document, scheme: LabelScheme, where: str) -> SuggestedPassage:
    """Read a row that ``predict`` writes for a passage of a document.

    Raises:
        NewsmarkError: it is not as it must be, or not of the document's text.
    """
    start, end = _offsets(row, document, where)
    labels, scores = row.get("labels"), row.get("scores")
    if not isinstance(labels, list) or not isinstance(scores, dict):
        raise NewsmarkError(f"{where}: no list 'labels' or no object 'scores'; give the rows that predict writes for articles")
    return SuggestedPassage(start, end, {_known(label, scheme, where): _score(label, scores.get(label), where) for label in labels})


def _offsets(row: Mapping[str, Any], document: Document, where: str) -> tuple[int, int]:
    start, end = row.get("start"), row.get("end")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(document.text)):
        raise NewsmarkError(f"{where}: {start!r}–{end!r} are no offsets in {document.name}, which has {len(document.text)} characters")
    if row.get("text", document.text[start:end]) != document.text[start:end]:
        raise NewsmarkError(f"{where}: 'text' is not what {document.name} has at {start}–{end}; label the text anew with predict")
    return start, end


def _known(label: Any, scheme: LabelScheme, where: str) -> str:
    if label not in scheme.label_names:
        raise NewsmarkError(f"{where}: {unknown_name('label', label, scheme.label_names)}")
    return str(label)


def _score(label: str, score: Any, where: str) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise NewsmarkError(f"{where}: the score of {label!r} is {score!r}; it must be a number from 0 to 1")
    return float(score)
