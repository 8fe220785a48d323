"""The spans of a labelled passage: where they begin and end, and of which kind they are; learned where that is better, else by rules."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..annotation.suggestions import SuggestedSpan, kind_by_rule
from .borders import ROLES, Borders, VectorBorders, word_vectors
from .classifier import EmbedsTokens, TokenVectors
from .context import PassageInContext
from .span_kinds import KindModel

_AT_ONCE = 256
"""Passages of which vectors of tokens are held at once: some 50 kB each."""

FILE = "spans.json"
"""What a model's folder holds of it; models of former versions have none."""


@dataclass(frozen=True)
class SpanFinder:
    """Turns the labels of passages into spans.

    Attributes:
        kinds: of each label that has kinds, those that a span can have.
        borders: of each label whose spans are not simply whole passages.
        learned_kinds: of each label whose kind is learned; that of others is found by a rule.
    """

    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    borders: Mapping[str, Borders | VectorBorders] = field(default_factory=dict)
    learned_kinds: Mapping[str, KindModel] = field(default_factory=dict)

    def find_all(self, contexts: Sequence[PassageInContext], scores: Sequence[Mapping[str, float]], classifier: object) -> Iterator[list[SuggestedSpan]]:
        """Find the spans of n passages, one after another.

        Args:
            contexts: the passages.
            scores: of each, the probability of each label that it was given.
            classifier: that gave the labels; where borders were learned from its vectors of tokens, it makes these.

        Returns:
            For each passage its spans with offsets in it, at least one of each label.
        """
        vectors = {label for label, borders in self.borders.items() if isinstance(borders, VectorBorders)}
        for begin in range(0, len(contexts), _AT_ONCE):
            some = [(contexts[row], scores[row]) for row in range(begin, min(begin + _AT_ONCE, len(contexts)))]
            rows = [row for row, (_, given) in enumerate(some) if not vectors.isdisjoint(given)]
            read: dict[int, TokenVectors] = {}
            if rows and isinstance(classifier, EmbedsTokens):
                read = dict(zip(rows, classifier.token_vectors([some[row][0].text for row in rows]), strict=True))
            for row, (context, given) in enumerate(some):
                yield self.find(context, given, read.get(row))

    def find(self, context: PassageInContext, scores: Mapping[str, float], tokens: TokenVectors | None = None) -> list[SuggestedSpan]:
        """Find the spans of a passage.

        Args:
            context: the passage.
            scores: probability of each label that it was given.
            tokens: its tokens with their vectors. Without them, a label whose borders were learned from vectors gets the whole passage.

        Returns:
            Spans with offsets in the passage, at least one of each label.
        """
        found, text = [], context.text
        for label, score in scores.items():
            borders, places = self.borders.get(label), [(0, len(text))]
            if isinstance(borders, Borders):
                places = borders.find(text)
            elif borders is not None and tokens is not None:
                places = borders.find(text, word_vectors(text, tokens))
            learned = self.learned_kinds[label].find(context) if label in self.learned_kinds else None
            for start, end in places:
                found.append(SuggestedSpan(start, end, label, score, learned or kind_by_rule(label, self.kinds.get(label, ()), text[start:end])))
        return found

    def save(self, folder: Path) -> None:
        """Write what is known into a model's folder; nothing where nothing is."""
        if self == SpanFinder():
            return
        borders = {label: {"several": one.several, **_weights_of(one)} for label, one in self.borders.items()}
        content = {"kinds": self.kinds, "borders": borders, "learned_kinds": {label: one.weights for label, one in self.learned_kinds.items()}}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, files: Collection[str]) -> SpanFinder:
        """Read what ``save`` wrote.

        Args:
            folder: the model's.
            files: names of the model's files.
        """
        if FILE not in files:
            return cls()
        read = json.loads((folder / FILE).read_text(encoding="utf-8"))
        borders = {label: _borders_of(one) for label, one in read.get("borders", {}).items()}  # the first models with this file knew kinds alone
        learned = {label: KindModel(weights) for label, weights in read.get("learned_kinds", {}).items()}
        return cls({label: tuple(kinds) for label, kinds in read["kinds"].items()}, borders, learned)


def _weights_of(borders: Borders | VectorBorders) -> dict[str, Any]:
    if isinstance(borders, VectorBorders):
        return {"vectors": dict(zip(ROLES, borders.weights, strict=True))}
    return {"weights": None if borders.weights is None else dict(zip(ROLES, borders.weights, strict=True))}


def _borders_of(read: Mapping[str, Any]) -> Borders | VectorBorders:
    if "vectors" in read:
        return VectorBorders(tuple(tuple(read["vectors"][role]) for role in ROLES), read["several"])
    return Borders(None if read["weights"] is None else tuple(read["weights"][role] for role in ROLES), read["several"])
