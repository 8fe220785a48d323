"""Suggestions for annotators: pre-annotations from simple rules or from a trained model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .annotations import Span
from .documents import Document
from .labels import LabelScheme
from .splitting.passages import Passage, split_passages

RULES_VERSION = "rules-1"
_NUMBER = r"\d+(?:[ \u00a0\u202f.,]\d{3})*(?:[.,]\d+)?"
_UNIT = (
    r"percent|procent|pour cent|pays|länder|countries|millions?|miljon(?:er)?|milliards?|miljard(?:er)?|billions?|"
    r"euros?|dollars?|kronor|personnes|personer|people"
)
_ABOUT = r"plus de |près de |över |nästan |more than |nearly "
_STATISTIC = re.compile(rf"(?:{_ABOUT})?{_NUMBER}[ \u00a0\u202f]?(?:%|(?:{_UNIT})\b)", re.IGNORECASE)
_QUOTATION = re.compile(r"«[^»]{20,}»|“[^”]{20,}”|”[^”]{20,}”|\"[^\"]{20,}\"")
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
    """

    version: str
    spans: tuple[Span, ...]
    scores: dict[str, float]


Suggest = Callable[[Document], Suggestion]


def suggest_by_rules(document: Document, scheme: LabelScheme) -> Suggestion:
    """Suggest what three rules find: quantities with a unit, long quotations, and lines of page furniture.

    Only labels of the scheme are suggested, so the rules for a label that was removed fall silent.
    """
    found: list[tuple[int, int, str, str | None, float]] = []
    for passage in split_passages(document.text, document.language):
        if _FURNITURE.match(passage.text):
            found.append((passage.start, passage.end, "boilerplate", None, 0.9))
            continue
        found += [(passage.start + one.start(), passage.start + one.end(), "statistic", None, 0.6) for one in _STATISTIC.finditer(passage.text)]
        if "quote" in scheme.label_names and "direct" in scheme.label("quote").kinds and _QUOTATION.search(passage.text):
            found.append((passage.start, passage.end, "quote", "direct", 0.7))
    return _suggestion(RULES_VERSION, [one for one in found if one[2] in scheme.label_names])


def suggest_by_model(document: Document, version: str, classify: Callable[[list[Passage]], list[dict[str, float]]], scheme: LabelScheme) -> Suggestion:
    """Suggest a model's labels: one span a passage and label given, of the first kind where a label has kinds.

    Args:
        document: what to label.
        version: of the model.
        classify: gives each passage the labels that the model gives it, with their probabilities.
        scheme: labels and topics.
    """
    passages = split_passages(document.text, document.language)
    found = []
    for passage, given in zip(passages, classify(passages), strict=True):
        for label, score in given.items():
            kinds = scheme.label(label).kinds
            kind = next(iter(kinds), None)
            if label == "quote" and not _QUOTATION.search(passage.text) and "indirect" in kinds:
                kind = "indirect"
            found.append((passage.start, passage.end, label, kind, score))
    return _suggestion(version, found)


def _suggestion(version: str, found: list[tuple[int, int, str, str | None, float]]) -> Suggestion:
    spans, scores = [], {}
    for number, (start, end, label, kind, score) in enumerate(found, start=1):
        spans.append(Span(f"p{number}", start, end, label, kind))
        scores[f"p{number}"] = round(score, 4)
    return Suggestion(version, tuple(spans), scores)
