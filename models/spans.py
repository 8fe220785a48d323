"""Where the spans of a labelled passage begin and end, and of which kind they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..annotation.suggestions import SuggestedSpan, kind_by_rule
from .context import PassageInContext

FILE = "spans.json"
"""What a model's folder holds of it; models of former versions have none."""


@dataclass(frozen=True)
class SpanFinder:
    """Turns the labels of passages into spans: whole passages, of the kind that a rule finds.

    Attributes:
        kinds: of each label that has kinds, those that a span can have.
    """

    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def find(self, context: PassageInContext, scores: Mapping[str, float]) -> list[SuggestedSpan]:
        """Find the spans of a passage.

        Args:
            context: the passage.
            scores: probability of each label that it was given.

        Returns:
            Spans with offsets in the passage, at least one of each label.
        """
        text = context.text
        return [SuggestedSpan(0, len(text), label, score, kind_by_rule(label, self.kinds.get(label, ()), text)) for label, score in scores.items()]

    def save(self, folder: Path) -> None:
        """Write what is known into a model's folder; nothing where nothing is."""
        if self.kinds:
            (folder / FILE).write_text(json.dumps({"kinds": self.kinds}) + "\n", encoding="utf-8")

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
        return cls({label: tuple(kinds) for label, kinds in read["kinds"].items()})
