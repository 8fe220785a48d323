"""Scores of a multi-label classifier, with bootstrap intervals over articles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from training.dataset import LabelledPassages

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelScores:
    """Scores of one label; ``average_precision`` is NaN where no passage has the label."""

    label: str
    precision: float
    recall: float
    f1: Interval
    average_precision: float
    support: int


@dataclass(frozen=True)
class Scores:
    """Scores of one classifier on one set of passages.

    Attributes:
        labels: per label.
        macro_f1: mean F1 over the labels that some passage has.
        micro_f1: F1 over all decisions.
        languages: macro F1, micro F1 and number of passages per language.
    """

    labels: tuple[LabelScores, ...]
    macro_f1: Interval
    micro_f1: Interval
    languages: dict[str, tuple[float, float, int]]

    def flat(self) -> dict[str, float]:
        """All finite values by metric name, as they are logged."""
        values: dict[str, float] = {}
        for name, interval in (("macro_f1", self.macro_f1), ("micro_f1", self.micro_f1)):
            values |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        for row in self.labels:
            values |= {
                f"{row.label}/precision": row.precision,
                f"{row.label}/recall": row.recall,
                f"{row.label}/f1": row.f1.value,
                f"{row.label}/f1_low": row.f1.low,
                f"{row.label}/f1_high": row.f1.high,
                f"{row.label}/average_precision": row.average_precision,
                f"{row.label}/support": row.support,
            }
        for language, (macro, micro, _) in self.languages.items():
            values |= {f"language_{language}/macro_f1": macro, f"language_{language}/micro_f1": micro}
        return {name: value for name, value in values.items() if math.isfinite(value)}


def score(data: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_], seed: int) -> Scores:
    """Score decisions against the targets.

    Intervals: percentile bootstrap (Efron 1979), 2,000 resamples; whole groups (an article with its translations) are
    drawn, because passages of one article are not independent.

    Args:
        data: n passages with targets.
        probabilities: n × labels, for average precision.
        decisions: n × labels.
        seed: of the resampling.
    """
    truth = data.targets.astype(bool)
    precision, recall, f1, support = precision_recall_fscore_support(truth, decisions, average=None, zero_division=0)
    counts = _counts_by_group(data.groups, truth, decisions)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (RESAMPLES, len(counts)))
    resampled = counts[drawn].sum(axis=1)
    rows = []
    for column, label in enumerate(data.labels):
        average = float(average_precision_score(truth[:, column], probabilities[:, column])) if support[column] else math.nan
        interval = _interval(float(f1[column]), _f1(resampled[:, column]))
        rows.append(LabelScores(label, float(precision[column]), float(recall[column]), interval, average, int(support[column])))
    return Scores(
        tuple(rows),
        _interval(float(_macro(counts.sum(axis=0)[None])[0]), _macro(resampled)),
        _interval(float(_f1(counts.sum(axis=(0, 1)))), _f1(resampled.sum(axis=1))),
        {str(language): _of_language(data.languages == language, truth, decisions) for language in sorted(set(data.languages))},
    )


def _counts_by_group(groups: NDArray[Any], truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Groups × labels × (true positives, false positives, false negatives)."""
    cells = np.stack([truth & decisions, ~truth & decisions, truth & ~decisions], axis=-1).astype(np.int64)
    return np.stack([cells[groups == group].sum(axis=0) for group in dict.fromkeys(groups)])


def _f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 along the last axis; 0 where there is nothing to find and nothing found."""
    hits, false_positives, misses = np.moveaxis(counts, -1, 0)
    total = 2 * hits + false_positives + misses
    return np.asarray(2 * hits / np.maximum(total, 1), dtype=np.float64)


def _macro(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean F1 over the labels with support; counts are … × labels × 3."""
    supported = (counts[..., 0] + counts[..., 2]) > 0
    return np.asarray((_f1(counts) * supported).sum(axis=-1) / np.maximum(supported.sum(axis=-1), 1), dtype=np.float64)


def _interval(value: float, resampled: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _of_language(rows: NDArray[Any], truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> tuple[float, float, int]:
    counts = _counts_by_group(np.zeros(int(rows.sum())), truth[rows], decisions[rows])[0]
    return float(_macro(counts[None])[0]), float(_f1(counts.sum(axis=0))), int(rows.sum())
