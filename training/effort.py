"""How much an annotator has to do with a model's suggestions: edits per article, each article suggested by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.annotations import Span
from ..annotation.edits import Edits, count_edits
from ..annotation.labels import LabelScheme
from ..annotation.passage_labels import cut_at_passages
from ..annotation.splitting.passages import split_passages
from ..annotation.suggestions import RuleSuggester, moved, suggest_spans
from ..models.spans import SpanFinder
from .config import Config
from .dataset import LabelledPassages
from .spans import Marked
from .splits import make_folds

EDITS = "edits_per_article"
"""Name of the metric: the mean number of edits from a model's suggestions to the right spans."""


@dataclass(frozen=True)
class SpanCounts:
    """How spans agree with those that annotators marked, kinds aside.

    Attributes:
        exact: spans that have label and both borders in common; found, and marked.
        overlap: the same of characters with a label.
    """

    exact: tuple[int, int, int] = (0, 0, 0)
    overlap: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def of(cls, found: Collection[Span], marked: Collection[Span]) -> SpanCounts:
        """Count the spans of a document."""
        whole = [{(one.label, one.start, one.end) for one in some} for some in (found, marked)]
        letters = [{(one.label, place) for one in some for place in range(one.start, one.end)} for some in (found, marked)]
        return cls(*((len(one & two), len(one), len(two)) for one, two in (whole, letters)))

    @property
    def exact_f1(self) -> float:
        """F1 of spans with both borders right."""
        return _f1(*self.exact)

    @property
    def overlap_f1(self) -> float:
        """F1 of characters."""
        return _f1(*self.overlap)

    def __add__(self, other: SpanCounts) -> SpanCounts:
        """Sum two counts."""
        pairs = ((self.exact, other.exact), (self.overlap, other.overlap))
        return SpanCounts(*((one[0] + two[0], one[1] + two[1], one[2] + two[2]) for one, two in pairs))


def _f1(common: int, found: int, marked: int) -> float:
    return 2 * common / (found + marked) if found + marked else 0.0


@dataclass(frozen=True)
class Effort:
    """Edits of articles with one annotator, or with a ground truth.

    Attributes:
        articles: number of them.
        nothing: edits without any suggestions, all articles together.
        rules: edits from what simple rules suggest.
        model: edits from what the model suggests.
        spans: how the model's spans agree with those marked.
    """

    articles: int
    nothing: Edits
    rules: Edits
    model: Edits
    spans: SpanCounts

    @property
    def line(self) -> str:
        """Describe it for people."""
        per = [f"{one.total / self.articles:.1f}" for one in (self.model, self.rules, self.nothing)]
        parts = ", ".join(f"{getattr(self.model, name) / self.articles:.1f} {name}" for name in ("added", "deleted", "moved", "relabelled"))
        accepted = f"{self.model.accepted / self.articles:.1f} accepted"
        return (
            f"Edits per article from suggestions to what annotators marked, {self.articles} articles: {per[0]} ({parts}; {accepted}); "
            f"from the rules' suggestions {per[1]}, from nothing {per[2]}.\n"
            f"Spans suggested and marked: F1 {self.spans.exact_f1:.2f} with both borders right, {self.spans.overlap_f1:.2f} by characters."
        )

    def flat(self) -> dict[str, float]:
        """Means per article, as metrics."""
        return {
            EDITS: self.model.total / self.articles,
            f"{EDITS}_rules": self.rules.total / self.articles,
            f"{EDITS}_nothing": self.nothing.total / self.articles,
            "span_f1_exact": self.spans.exact_f1,
            "span_f1_overlap": self.spans.overlap_f1,
        }


def measure_effort(
    config: Config,
    scheme: LabelScheme,
    data: LabelledPassages,
    probabilities: NDArray[np.float64],
    decisions: NDArray[np.bool_],
    marked: Marked,
    unseen: object,
) -> Effort | None:
    """Count the edits of the articles that were trained on.

    Args:
        config: how many folds there are at most; in each, spans are learned from the other articles and the corpus.
        scheme: labels and topics.
        data: n passages; those of labelled files have no spans and are passed over.
        probabilities: n × labels, out of fold.
        decisions: n × labels, out of fold.
        marked: the articles, and who learns their spans.
        unseen: a classifier that has seen none of these articles, whose vectors of tokens borders may be learned from; None where there is none.

    Returns:
        The edits; None where there is no article with one annotator or a ground truth.
    """
    rules, rows, contexts = RuleSuggester(scheme), _rows_by_document(data), data.contexts
    articles, nothing, by_rules, by_model, spans = 0, Edits(), Edits(), Edits(), SpanCounts()
    for fold in make_folds(data, config.data.max_folds):
        names = set(data.documents[fold.test].tolist())
        documents = [document for document in marked.documents if document.id in names and document.id in marked.right]
        finder = marked.learner.learn(names, unseen) if documents else SpanFinder()
        for document in documents:
            right = cut_at_passages(marked.right[document.id].spans, split_passages(document.text, document.language), scheme)
            own = rows[document.id]
            given = [_given(data.labels, probabilities[row], decisions[row]) for row in own]
            made = finder.find_all([contexts[row] for row in own], given, unseen)
            found = [moved(span, data.offsets[row][0]) for row, some in zip(own, made, strict=True) for span in some]
            suggested = suggest_spans(document, "", found, scheme).spans
            articles += 1
            nothing += count_edits([], right)
            by_rules += count_edits(rules.suggest(document).spans, right)
            by_model += count_edits(suggested, right)
            spans += SpanCounts.of(suggested, right)
    return Effort(articles, nothing, by_rules, by_model, spans) if articles else None


def _rows_by_document(data: LabelledPassages) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, document in enumerate(data.documents.tolist()):
        rows.setdefault(document, []).append(row)
    return rows


def _given(labels: tuple[str, ...], probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> dict[str, float]:
    return {label: float(score) for label, score, given in zip(labels, probabilities, decisions, strict=True) if given}
