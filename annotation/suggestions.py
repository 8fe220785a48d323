"""Suggestions for annotators: what simple rules find, or what a model's labels come to; the models themselves are not known here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from .annotations import Span
from .documents import Document
from .errors import NewsmarkError, unknown_name
from .files import read_jsonl, string_of
from .labels import LabelScheme
from .splitting.passages import split_passages

RULES_VERSION = "rules-1"
_NUMBER = r"(?<!\d)\d++(?:[ \u00a0\u202f.,]\d{3}(?!\d)){0,6}+(?:[.,]\d++)?"  # nothing is tried twice: a page of digits takes no longer per digit
_UNIT = (
    r"percent|procent|pour cent|pays|länder|countries|millions?|miljon(?:er)?|milliards?|miljard(?:er)?|billions?|"
    r"euros?|dollars?|kronor|personnes|personer|people"
)
_ABOUT = r"plus de |près de |över |nästan |more than |nearly "
_STATISTIC = re.compile(rf"(?:{_ABOUT})?{_NUMBER}[ \u00a0\u202f]?(?:%|(?:{_UNIT})\b)", re.IGNORECASE)
_QUOTATION = re.compile(r"”[^”]{20,}”|\"[^\"]{20,}\"")
_OPENED = {"»": re.compile(r"«[^»]*»?"), "”": re.compile(r"“[^”]*”?")}  # what is opened and never closed is gone through once, too
_FURNITURE = re.compile(
    r"^(?:(?:source|källa|foto|photo|text|crédit)\s*:.*|https?://\S+|\S+\.(?:jpe?g|png|webp|gif)|(?:comment|kommentar|commentaire)\w*\s*\(\d+\)|no data"
    r"|\(?(?:photo|foto|capture d'écran)\s*:.*\)?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Suggestion:
    """What a rule or model suggests for a document.

    Attributes:
        version: of the rules or model; annotators see it.
        spans: what is suggested.
        scores: probability of each span by its id.
        topics: of the document, where they are suggested.
    """

    version: str
    spans: tuple[Span, ...]
    scores: dict[str, float]
    topics: tuple[str, ...] = ()


class Suggester(Protocol):
    """What makes suggestions: rules, a trained model, or a file of its predictions."""

    @property
    def version(self) -> str:
        """Version of the rules or model."""

    def suggest(self, document: Document) -> Suggestion:
        """Suggest spans of a document."""


@dataclass(frozen=True)
class SuggestedPassage:
    """A passage with the labels that a model gives it, or with all that it knows.

    Attributes:
        start: offset of its first character in the document.
        end: offset after its last.
        labels: probability of each of these labels.
    """

    start: int
    end: int
    labels: Mapping[str, float]


class Scorer(Suggester, Protocol):
    """A suggester that also says how probable each label is for each passage: a trained model."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it knows."""

    def threshold(self, label: str) -> float:
        """Probability from which on it gives a label."""

    def scores(self, document: Document) -> list[SuggestedPassage]:
        """Probability of all its labels for each passage of a document, in reading order."""


LoadSuggester = Callable[[str | None, LabelScheme], Scorer]
"""Loads a trained model by its name (folder, run id, MLflow URI, "newest"; None for the one that ``predict`` takes), for labels of a scheme."""


@dataclass(frozen=True)
class RuleSuggester:
    """Suggests what three rules find: quantities with a unit, long quotations, and lines of page furniture.

    Attributes:
        scheme: only its labels are suggested, so the rules for a label that was removed find nothing.
    """

    scheme: LabelScheme
    version: str = RULES_VERSION

    def suggest(self, document: Document) -> Suggestion:
        """Suggest spans of a document."""
        found: list[tuple[int, int, str, str | None, float]] = []
        for passage in split_passages(document.text, document.language):
            if _FURNITURE.match(passage.text):
                found.append((passage.start, passage.end, "boilerplate", None, 0.9))
                continue
            found += [(passage.start + one.start(), passage.start + one.end(), "statistic", None, 0.6) for one in _STATISTIC.finditer(passage.text)]
            if "quote" in self.scheme.label_names and "direct" in self.scheme.label("quote").kinds and _has_quotation(passage.text):
                found.append((passage.start, passage.end, "quote", "direct", 0.7))
        return _suggestion(self.version, [one for one in found if one[2] in self.scheme.label_names])


@dataclass(frozen=True)
class FileSuggester:
    """Suggests what ``predict`` wrote for articles.

    Attributes:
        version: of the model that labelled them.
        scheme: labels and topics.
        passages: labelled passages of each document, by its id; one that is not there gets no suggestions.
        others: names of documents in the file that are not among those read.
    """

    version: str
    scheme: LabelScheme
    passages: Mapping[str, Sequence[SuggestedPassage]]
    others: tuple[str, ...]

    def suggest(self, document: Document) -> Suggestion:
        """Suggest spans of a document."""
        return suggest_labels(document, self.version, self.passages.get(document.id, ()), self.scheme)


@dataclass(frozen=True)
class SureSuggester:
    """Leaves out what another suggester gives a low score.

    Attributes:
        suggester: the other one.
        least: score from which on a span is suggested.
    """

    suggester: Suggester
    least: float

    @property
    def version(self) -> str:
        """Version of the other one, with the least score: with another one, suggestions are others."""
        return f"{self.suggester.version} from {self.least:g}"

    def suggest(self, document: Document) -> Suggestion:
        """Suggest spans of a document."""
        made = self.suggester.suggest(document)
        return replace(made, version=self.version, spans=tuple(span for span in made.spans if made.scores[span.id] >= self.least))


def read_suggestions(path: Path, documents: Iterable[Document], scheme: LabelScheme) -> FileSuggester:
    """Read the rows that ``predict`` writes for articles (JSONL, one passage per row).

    Args:
        path: the file; its rows have ``document`` (the SHA-256 of the text), ``start``, ``end``, ``labels``, ``scores``, ``model_version``.
        documents: the documents to suggest for.
        scheme: labels and topics.

    Raises:
        NewsmarkError: a row is not as it must be, is not of the document's text, or two models made the rows. The message
            names file and line.
    """
    by_id = {document.id: document for document in documents}
    passages: dict[str, list[SuggestedPassage]] = {}
    others: dict[str, str] = {}
    versions: dict[str, None] = {}
    for where, row in read_jsonl(path):
        document_id, version = string_of(row, "document", where), string_of(row, "model_version", where)
        if document_id is None or version is None:
            raise NewsmarkError(f"{where}: no 'document' or no 'model_version'; give the rows that predict writes for articles")
        versions[version] = None
        if document := by_id.get(document_id):
            passages.setdefault(document_id, []).append(labelled_passage(row, document, scheme, where))
        else:
            others[document_id] = string_of(row, "name", where) or document_id[:12]
    if len(versions) != 1:
        raise NewsmarkError(f"{path}: rows of {' and '.join(versions) or 'no model'}; give the rows of one model")
    return FileSuggester(next(iter(versions)), scheme, passages, tuple(others.values()))


def labelled_passage(row: Mapping[str, Any], document: Document, scheme: LabelScheme, where: str) -> SuggestedPassage:
    """Read a row that ``predict`` writes for a passage of a document.

    Raises:
        NewsmarkError: it is not as it must be, or not of the document's text.
    """
    start, end, labels, scores = (row.get(key) for key in ("start", "end", "labels", "scores"))
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(document.text)):
        raise NewsmarkError(f"{where}: {start!r}–{end!r} are no offsets in {document.name}, which has {len(document.text)} characters")
    if row.get("text", document.text[start:end]) != document.text[start:end]:
        raise NewsmarkError(f"{where}: 'text' is not what {document.name} has at {start}–{end}; label the text anew with predict")
    if not isinstance(labels, list) or not isinstance(scores, dict):
        raise NewsmarkError(f"{where}: no list 'labels' or no object 'scores'; give the rows that predict writes for articles")
    for label in labels:
        if label not in scheme.label_names:
            raise NewsmarkError(f"{where}: {unknown_name('label', label, scheme.label_names)}")
        score = scores.get(label)
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise NewsmarkError(f"{where}: the score of {label!r} is {score!r}; it must be a number from 0 to 1")
    return SuggestedPassage(start, end, {label: float(scores[label]) for label in labels})


def suggest_labels(document: Document, version: str, passages: Iterable[SuggestedPassage], scheme: LabelScheme) -> Suggestion:
    """Turn a model's labels into suggestions: one span per passage and label, of the first kind where a label has kinds.

    Args:
        document: what was labelled.
        version: of the model.
        passages: its passages with the labels given.
        scheme: labels and topics.
    """
    found = []
    for passage in passages:
        for label, score in passage.labels.items():
            kinds = scheme.label(label).kinds
            kind = next(iter(kinds), None)
            if label == "quote" and not _has_quotation(document.text[passage.start : passage.end]) and "indirect" in kinds:
                kind = "indirect"
            found.append((passage.start, passage.end, label, kind, score))
    return _suggestion(version, found)


def _has_quotation(text: str) -> bool:
    """Whether 20 characters or more stand between quotation marks."""
    return bool(_QUOTATION.search(text)) or any(found[0].endswith(end) and len(found[0]) >= 22 for end, one in _OPENED.items() for found in one.finditer(text))


def _suggestion(version: str, found: list[tuple[int, int, str, str | None, float]]) -> Suggestion:
    spans, scores = [], {}
    for number, (start, end, label, kind, score) in enumerate(found, start=1):
        spans.append(Span(f"p{number}", start, end, label, kind))
        scores[f"p{number}"] = round(score, 4)
    return Suggestion(version, tuple(spans), scores)
