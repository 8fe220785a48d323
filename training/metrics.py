"""Scores of a multi-label classifier, with bootstrap intervals over articles."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from .dataset import LabelledPassages

RESAMPLES = 2000
BINS = 10
"""Bins of the calibration error."""

_LONGEST = 100  # characters of the name of a language or a kind in a metric; MLflow takes 250 for all of it


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelEvaluation:
    """Scores of one label, over the passages that were judged for it; ``average_precision`` is NaN where none has the label.

    ``calibration_error`` is that of its probabilities; NaN where nothing was judged.
    """

    label: str
    precision: float
    recall: float
    f1: Interval
    average_precision: float
    calibration_error: float
    support: int
    judged: int


@dataclass(frozen=True)
class PartEvaluation:
    """Scores of a part of the passages, those of one language say."""

    macro_f1: Interval
    micro_f1: Interval
    passages: int


@dataclass(frozen=True)
class Evaluation:
    """Scores of one classifier on one set of passages.

    Attributes:
        labels: per label.
        macro_f1: mean F1 over the labels that some passage has.
        micro_f1: F1 over all decisions.
        calibration_error: expected calibration error of the probabilities (see ``calibration_error``).
        languages: by language.
        kinds: by kind of text.
        passages: number of them.
    """

    labels: tuple[LabelEvaluation, ...]
    macro_f1: Interval
    micro_f1: Interval
    calibration_error: float
    languages: dict[str, PartEvaluation]
    kinds: dict[str, PartEvaluation]
    passages: int

    def flat(self) -> dict[str, float]:
        """All finite values by metric name, as they are logged."""
        values = {"calibration_error": self.calibration_error, **_flat("macro_f1", self.macro_f1), **_flat("micro_f1", self.micro_f1)}
        for row in self.labels:
            values |= {
                f"{row.label}/precision": row.precision,
                f"{row.label}/recall": row.recall,
                f"{row.label}/f1": row.f1.value,
                f"{row.label}/f1_low": row.f1.low,
                f"{row.label}/f1_high": row.f1.high,
                f"{row.label}/average_precision": row.average_precision,
                f"{row.label}/calibration_error": row.calibration_error,
                f"{row.label}/support": row.support,
            }
            if row.judged < self.passages:
                values[f"{row.label}/judged"] = row.judged
        for what, parts in (("language", self.languages), ("kind", self.kinds)):
            for name, part in parts.items():
                metric = f"{what}_{_metric_name(name)}"
                values |= {**_flat(f"{metric}/macro_f1", part.macro_f1), **_flat(f"{metric}/micro_f1", part.micro_f1)}
        return {name: value for name, value in values.items() if math.isfinite(value)}


@dataclass(frozen=True)
class F1Differences:
    """How much higher one run's F1 is than another's, per label (in the order of the columns), macro and micro; -1 to 1."""

    labels: tuple[Interval, ...]
    macro_f1: Interval
    micro_f1: Interval


def evaluate(data: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_], seed: int) -> Evaluation:
    """Score decisions against the targets.

    Intervals: percentile bootstrap (Efron 1979), 2,000 resamples; whole groups (an article with its translations) are
    drawn, because passages of one article are not independent. What was not judged counts for nothing.

    Args:
        data: n passages with targets.
        probabilities: n × labels, for average precision.
        decisions: n × labels.
        seed: of the resampling.
    """
    truth, judged = data.truth, data.judged
    decisions = decisions & judged
    counts = _counts_by_group(data.groups, truth, decisions)
    totals, resampled = counts.sum(axis=0), _resampled(counts, seed)
    rows = []
    for column, label in enumerate(data.labels):
        hits, false_positives, misses = totals[column].tolist()
        precision, recall = hits / max(hits + false_positives, 1), hits / max(hits + misses, 1)
        known = judged[:, column]
        average = float(average_precision_score(truth[known, column], probabilities[known, column])) if hits + misses else math.nan
        error = calibration_error(probabilities[known, column], truth[known, column]) if known.any() else math.nan
        interval = interval_of(float(f1_of(totals[column])), f1_of(resampled[:, column]))
        rows.append(LabelEvaluation(label, precision, recall, interval, average, error, hits + misses, int(known.sum())))
    return Evaluation(
        tuple(rows),
        interval_of(float(macro_f1_of(totals)), macro_f1_of(resampled)),
        interval_of(float(f1_of(totals.sum(axis=0))), f1_of(resampled.sum(axis=1))),
        calibration_error(probabilities[judged], truth[judged]),
        _by_part(data.languages, data.groups, truth, decisions, seed),
        _by_part(data.kinds, data.groups, truth, decisions, seed),
        len(truth),
    )


def f1_differences(groups: NDArray[np.str_], truth: NDArray[np.bool_], first: NDArray[np.bool_], other: NDArray[np.bool_], seed: int) -> F1Differences:
    """Subtract the F1 of the first decisions from that of the other ones on the same passages.

    Intervals: as in ``evaluate``; every resample holds the same groups for both, so what makes a group hard falls out.

    Args:
        groups: what is drawn, for each of n passages.
        truth: n × labels.
        first: decisions, n × labels.
        other: decisions, n × labels.
        seed: of the resampling.
    """
    counts = np.stack([_counts_by_group(groups, truth, decisions) for decisions in (first, other)], axis=1)
    differences = _f1_differences(counts.sum(axis=0)[None])[0]
    resampled = _f1_differences(_resampled(counts, seed))
    *labels, macro, micro = (interval_of(float(value), column) for value, column in zip(differences, resampled.T, strict=True))
    return F1Differences(tuple(labels), macro, micro)


def _f1_differences(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Resamples × (labels, macro, micro), from resamples × 2 sides × labels × 3."""
    f1 = np.concatenate([f1_of(counts), macro_f1_of(counts)[..., None], f1_of(counts.sum(axis=2))[..., None]], axis=-1)
    return np.asarray(f1[:, 1] - f1[:, 0], dtype=np.float64)


def _resampled(counts: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Draw as many groups as there are, with replacement, ``RESAMPLES`` times, and sum up their counts; one draw after another is held in memory."""
    random = np.random.default_rng(seed)
    return np.stack([counts[random.integers(0, len(counts), len(counts))].sum(axis=0) for _ in range(RESAMPLES)])


def calibration_error(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Expected calibration error (Naeini, Cooper, Hauskrecht 2015) over all labels together.

    The mean distance between a probability and how often it comes true, in ten bins of equal width, weighted by their size.

    Args:
        probabilities: n × labels, or n.
        truth: likewise.
    """
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = [abs(float(probabilities[bins == one].mean() - truth[bins == one].mean())) * float((bins == one).mean()) for one in np.unique(bins)]
    return sum(gaps)


def _counts_by_group(groups: NDArray[Any], truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Groups, in the order in which they come, × labels × (true positives, false positives, false negatives)."""
    cells = outcomes(truth, decisions)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups.tolist()))}
    counts = np.zeros((len(numbers), *cells.shape[1:]), dtype=np.int64)
    np.add.at(counts, [numbers[group] for group in groups.tolist()], cells)  # once through all passages, however many groups there are
    return counts


def outcomes(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Say of each decision whether it is a true positive, a false positive or a false negative: … × 3; what was not judged must not be given."""
    return np.stack([truth & decisions, ~truth & decisions, truth & ~decisions], axis=-1).astype(np.int64)


def f1_of(counts: NDArray[Any]) -> NDArray[np.float64]:
    """F1 along the last axis (true positives, false positives, false negatives); 0 where there is nothing to find and nothing found."""
    hits, false_positives, misses = np.moveaxis(counts, -1, 0)
    total = 2 * hits + false_positives + misses
    return np.asarray(2 * hits / np.maximum(total, 1), dtype=np.float64)


def macro_f1_of(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean F1 over the labels with support; counts are … × labels × 3."""
    supported = (counts[..., 0] + counts[..., 2]) > 0
    return np.asarray((f1_of(counts) * supported).sum(axis=-1) / np.maximum(supported.sum(axis=-1), 1), dtype=np.float64)


def interval_of(value: float, resampled: NDArray[np.float64], share: float = 95) -> Interval:
    """A value with the interval that holds this share (in %) of its resampled values."""
    low, high = np.percentile(resampled, [(100 - share) / 2, (100 + share) / 2])
    return Interval(float(value), float(low), float(high))


def _by_part(names: NDArray[Any], groups: NDArray[Any], truth: NDArray[np.bool_], decisions: NDArray[np.bool_], seed: int) -> dict[str, PartEvaluation]:
    parts = {}
    for name in sorted(set(names)):
        rows = names == name
        counts = _counts_by_group(groups[rows], truth[rows], decisions[rows])
        resampled = _resampled(counts, seed)
        macro = interval_of(float(macro_f1_of(counts.sum(axis=0))), macro_f1_of(resampled))
        micro = interval_of(float(f1_of(counts.sum(axis=(0, 1)))), f1_of(resampled.sum(axis=1)))
        parts[str(name)] = PartEvaluation(macro, micro, int(rows.sum()))
    return parts


def _metric_name(name: str) -> str:
    """The name of a language or a kind, as far as MLflow takes it; where that is not all of it, a digest tells it from others."""
    safe = re.sub(r"[^\w.\- ]", "_", name)[:_LONGEST]
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _flat(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
