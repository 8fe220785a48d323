"""Suggestions for annotators: what simple rules find, or what a model's labels come to; the models themselves are not known here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from .annotations import Span
from .documents import Document
from .splitting.passages import split_passages

if TYPE_CHECKING:
    from .labels import LabelScheme

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
        topic_scores: score of each of these topics.
    """

    version: str
    spans: tuple[Span, ...]
    scores: dict[str, float]
    topics: tuple[str, ...] = ()
    topic_scores: Mapping[str, float] = field(default_factory=dict)


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


@dataclass(frozen=True)
class SuggestedSpan:
    """A span that a model suggests.

    Attributes:
        start: offset of its first character, in the document or in the passage that it is of.
        end: offset after its last.
        label: name of its label.
        score: probability of the label.
        kind: one of the label's kinds; None where it has none, or the model does not know them.
    """

    start: int
    end: int
    label: str
    score: float
    kind: str | None = None


def moved(span: SuggestedSpan, by: int) -> SuggestedSpan:
    """A span of a passage as one of the document: with other offsets."""
    return replace(span, start=span.start + by, end=span.end + by)


class Scorer(Suggester, Protocol):
    """A suggester that also says how probable each label is for each passage: a trained model."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it knows."""

    def threshold(self, label: str) -> float:
        """Probability from which on it gives a label."""

    def scores(self, document: Document) -> list[SuggestedPassage]:
        """Probability of all its labels for each passage of a document, in reading order."""


LoadSuggester = Callable[[str | None, "LabelScheme"], Scorer]
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
        """Suggest spans and topics of a document."""
        made = self.suggester.suggest(document)
        spans = tuple(span for span in made.spans if made.scores[span.id] >= self.least)
        topics = tuple(topic for topic in made.topics if made.topic_scores[topic] >= self.least)
        return replace(made, version=self.version, spans=spans, topics=topics)


def suggest_labels(document: Document, version: str, passages: Iterable[SuggestedPassage], scheme: LabelScheme) -> Suggestion:
    """Turn a model's labels into suggestions: one span per passage and label, its kind by a rule.

    Args:
        document: what was labelled.
        version: of the model.
        passages: its passages with the labels given.
        scheme: labels and topics.
    """
    return suggest_spans(document, version, whole_passages(passages), scheme)


def suggest_spans(document: Document, version: str, spans: Iterable[SuggestedSpan], scheme: LabelScheme) -> Suggestion:
    """Turn a model's spans into suggestions; a kind that the model does not know, or the scheme does not have, is found by a rule.

    Args:
        document: what was labelled.
        version: of the model.
        spans: in the document.
        scheme: labels and topics.
    """
    found = []
    for span in spans:
        kinds = scheme.label(span.label).kinds
        kind = span.kind if span.kind in kinds else kind_by_rule(span.label, kinds, document.text[span.start : span.end])
        found.append((span.start, span.end, span.label, kind, span.score))
    return _suggestion(version, found)


def kind_by_rule(label: str, kinds: Sequence[str], text: str) -> str | None:
    """Choose the kind of a span: that of a quote by its quotation marks, of another label the first one; None where it has none.

    Args:
        label: of the span.
        kinds: that it can have.
        text: of the span.
    """
    if label == "quote" and "indirect" in kinds and not _has_quotation(text):
        return "indirect"
    return next(iter(kinds), None)


def whole_passages(passages: Iterable[SuggestedPassage]) -> list[SuggestedSpan]:
    """Make a span of each label of each passage."""
    return [SuggestedSpan(passage.start, passage.end, label, score) for passage in passages for label, score in passage.labels.items()]


def _has_quotation(text: str) -> bool:
    """Whether 20 characters or more stand between quotation marks."""
    return bool(_QUOTATION.search(text)) or any(found[0].endswith(end) and len(found[0]) >= 22 for end, one in _OPENED.items() for found in one.finditer(text))


def _suggestion(version: str, found: list[tuple[int, int, str, str | None, float]]) -> Suggestion:
    spans, scores = [], {}
    for number, (start, end, label, kind, score) in enumerate(found, start=1):
        spans.append(Span(f"p{number}", start, end, label, kind))
        scores[f"p{number}"] = round(score, 4)
    return Suggestion(version, tuple(spans), scores)
