"""The spans of a labelled passage: where they begin and end, and of which kind they are; learned where that is better, else by rules."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..annotation.suggestions import SuggestedSpan, kind_by_rule
from .borders import ROLES, Borders
from .context import PassageInContext
from .span_kinds import KindModel

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
    borders: Mapping[str, Borders] = field(default_factory=dict)
    learned_kinds: Mapping[str, KindModel] = field(default_factory=dict)

    def find(self, context: PassageInContext, scores: Mapping[str, float]) -> list[SuggestedSpan]:
        """Find the spans of a passage.

        Args:
            context: the passage.
            scores: probability of each label that it was given.

        Returns:
            Spans with offsets in the passage, at least one of each label.
        """
        found, text = [], context.text
        for label, score in scores.items():
            places = self.borders[label].find(text) if label in self.borders else [(0, len(text))]
            learned = self.learned_kinds[label].find(context) if label in self.learned_kinds else None
            for start, end in places:
                found.append(SuggestedSpan(start, end, label, score, learned or kind_by_rule(label, self.kinds.get(label, ()), text[start:end])))
        return found

    def save(self, folder: Path) -> None:
        """Write what is known into a model's folder; nothing where nothing is."""
        if self == SpanFinder():
            return
        borders = {
            label: {"several": one.several, "weights": None if one.weights is None else dict(zip(ROLES, one.weights, strict=True))}
            for label, one in self.borders.items()
        }
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
        borders = {
            label: Borders(None if one["weights"] is None else tuple(one["weights"][role] for role in ROLES), one["several"])
            for label, one in read.get("borders", {}).items()  # the first models with this file knew kinds alone
        }
        learned = {label: KindModel(weights) for label, weights in read.get("learned_kinds", {}).items()}
        return cls({label: tuple(kinds) for label, kinds in read["kinds"].items()}, borders, learned)
