"""How much an annotator has to do with a model's suggestions: edits per article, each article suggested by a model that has not seen it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.annotations import Annotation, annotations_by_document, read_annotations
from ..annotation.documents import read_documents
from ..annotation.edits import Edits, count_edits
from ..annotation.labels import LabelScheme
from ..annotation.suggestions import RuleSuggester, SuggestedPassage, suggest_labels
from .config import Config
from .dataset import LabelledPassages

EDITS = "edits_per_article"
"""Name of the metric: the mean number of edits from a model's suggestions to the right spans."""


@dataclass(frozen=True)
class Effort:
    """Edits of articles with one annotator, or with a ground truth.

    Attributes:
        articles: number of them.
        nothing: edits without any suggestions, all articles together.
        rules: edits from what simple rules suggest.
        model: edits from what the model suggests.
    """

    articles: int
    nothing: Edits
    rules: Edits
    model: Edits

    @property
    def line(self) -> str:
        """Describe it for people."""
        per = [f"{one.total / self.articles:.1f}" for one in (self.model, self.rules, self.nothing)]
        parts = ", ".join(f"{getattr(self.model, name) / self.articles:.1f} {name}" for name in ("added", "deleted", "moved", "relabelled"))
        accepted = f"{self.model.accepted / self.articles:.1f} accepted"
        return (
            f"Edits per article from suggestions to what annotators marked, {self.articles} articles: {per[0]} ({parts}; {accepted}); "
            f"from the rules' suggestions {per[1]}, from nothing {per[2]}."
        )

    def flat(self) -> dict[str, float]:
        """Means per article, as metrics."""
        return {
            EDITS: self.model.total / self.articles,
            f"{EDITS}_rules": self.rules.total / self.articles,
            f"{EDITS}_nothing": self.nothing.total / self.articles,
        }


def measure_effort(
    config: Config, scheme: LabelScheme, data: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]
) -> Effort | None:
    """Count the edits of the articles that were trained on.

    Args:
        config: names the documents and their annotations.
        scheme: labels and topics.
        data: n passages; those of labelled files have no spans and are passed over.
        probabilities: n × labels, out of fold.
        decisions: n × labels, out of fold.

    Returns:
        The edits; None where there is no article with one annotator or a ground truth.
    """
    if not config.data.documents:
        return None
    documents = list(read_documents(Path(path) for path in config.data.documents))
    annotations = annotations_by_document(read_annotations(Path(config.data.annotations), documents, scheme))
    rules, rows = RuleSuggester(scheme), _rows_by_document(data)
    articles, nothing, by_rules, by_model = 0, Edits(), Edits(), Edits()
    for document in documents:
        right = _right(annotations.get(document.id, []))
        if right is None or document.id not in rows:
            continue
        articles += 1
        nothing += count_edits([], right.spans)
        by_rules += count_edits(rules.suggest(document).spans, right.spans)
        passages = [SuggestedPassage(*data.offsets[row], _given(data.labels, probabilities[row], decisions[row])) for row in rows[document.id]]
        by_model += count_edits(suggest_labels(document, "", passages, scheme).spans, right.spans)
    return Effort(articles, nothing, by_rules, by_model) if articles else None


def _right(annotations: list[Annotation]) -> Annotation | None:
    own = [one for one in annotations if not one.skipped]
    own = [one for one in own if one.ground_truth] or own
    return own[0] if len(own) == 1 else None


def _rows_by_document(data: LabelledPassages) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, document in enumerate(data.documents.tolist()):
        rows.setdefault(document, []).append(row)
    return rows


def _given(labels: tuple[str, ...], probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> dict[str, float]:
    return {label: float(score) for label, score, given in zip(labels, probabilities, decisions, strict=True) if given}
