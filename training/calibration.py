"""From scores to decisions that can be trusted: calibrated probabilities and a threshold per label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import sem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict

from ..models.calibration import Calibration
from ..models.model import decide
from .dataset import LabelledPassages

_FEWEST = 30  # passages with a label, and without it, that a calibration and a threshold can be learned from
_FEWEST_COUNTED = 3  # of both, from which on a label with fewer is given to as many passages as have it
_THRESHOLDS = np.round(np.arange(0.25, 0.7501, 0.01), 2)
_C = 0.1  # inverse strength of the logistic regression's regularisation
_PLATEAU = 0.01  # thresholds whose F1 is this near to the best are as good; their middle is taken
_PARTS = 5  # of a test file, for what thresholds lose there; and of the passages that calibrations are learned from, for whether neighbours help


def weights_for_rates(targets: NDArray[np.float32], rates: Sequence[float | None]) -> NDArray[np.float64]:
    """How much each passage counts so that labels are as frequent as they usually are: n × labels.

    Args:
        targets: n × labels; NaN where not judged.
        rates: of each label, the share of passages that has it; None for the share that it has here.
    """
    weights = np.ones(targets.shape)
    for column, rate in enumerate(rates):
        positive, negative = int((targets[:, column] == 1).sum()), int((targets[:, column] == 0).sum())
        if rate is not None and positive and negative:
            weights[targets[:, column] == 1, column] = rate / (1 - rate) * negative / positive
    return weights


def fit_calibrations(odds: NDArray[np.float64], targets: NDArray[np.float32], weights: NDArray[np.float64] | None = None) -> tuple[Calibration, ...]:
    """Learn each label's calibration and threshold from passages that the classifier was not trained on.

    Calibration is a logistic regression on the label's logarithmic odds and, where this predicts other passages clearly better (in a
    cross-validation of five parts, by more than one standard error: Breiman et al. 1984, "Classification and regression trees"), on those of all
    labels of the neighbours. The threshold gives the best F1 of the calibrated probabilities; it stays between .25 and .75.

    Fewer than 30 passages on one side are too few for that: their logarithmic odds are shifted so that as many passages have a probability
    over .5 as have the label. Fewer than three, or scores that say nothing, keep the scores and .5.

    A passage of which no neighbour is known has a calibration of its own, which listens to nothing else: that a page ends
    nowhere must not pass for its first or last line.

    Args:
        odds: n × 3 × labels, see ``read_odds``; the passages of a document one after another.
        targets: n × labels; NaN where not judged: a label learns from the passages that were.
        weights: n × labels, how much each passage counts; None: all alike. A label that few passages have is learned without them.
    """
    judged, counts = ~np.isnan(targets), np.ones(targets.shape) if weights is None else weights
    rows = [np.flatnonzero(own) for own in judged.T]
    return tuple(_rule(odds[own], column, targets[own, column] > 0, counts[own, column]) for column, own in enumerate(rows))


def _rule(odds: NDArray[np.float64], column: int, truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> Calibration:
    fewest = min(truth.sum(), len(truth) - truth.sum())
    if fewest < _FEWEST:
        return _as_many(odds[:, 0, column], truth) if fewest >= _FEWEST_COUNTED else Calibration()
    own = odds[:, 0, [column]]
    alone = _platt(own, truth, weights)
    if alone.coef_[0, 0] <= 0:  # scores that say nothing, or the contrary
        return Calibration()
    slope, intercept = float(alone.coef_[0, 0]), float(alone.intercept_[0])
    evidence = np.concatenate([own, odds[:, 1], odds[:, 2]], axis=1)
    gains = _losses(own, truth, weights) - _losses(evidence, truth, weights)
    together = _platt(evidence, truth, weights) if gains.mean() > sem(gains) else None
    if together is None or together.coef_[0, 0] <= 0:
        return Calibration(_best_threshold(alone.predict_proba(own)[:, 1], truth, weights), slope, intercept)
    threshold = _best_threshold(together.predict_proba(evidence)[:, 1], truth, weights)
    weight, *neighbours = together.coef_[0].tolist()
    before, after = np.split(np.array(neighbours), 2)
    return Calibration(threshold, weight, float(together.intercept_[0]), tuple(before.tolist()), tuple(after.tolist()), (slope, intercept))


def _platt(evidence: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> LogisticRegression:
    return LogisticRegression(C=_C, max_iter=1000).fit(evidence, truth, sample_weight=weights)


def _losses(evidence: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a calibration on this evidence that was not learned from a passage loses on it: n weighted logarithmic losses."""
    parts = StratifiedKFold(_PARTS)  # in reading order, so that documents mostly stay whole
    predicted = cross_val_predict(
        LogisticRegression(C=_C, max_iter=1000), evidence, truth, cv=parts, method="predict_log_proba", params={"sample_weight": weights}
    )
    return np.asarray(-weights * predicted[np.arange(len(truth)), truth.astype(int)])


def threshold_losses(data: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_], exclusive: frozenset[str]) -> dict[str, float]:
    """What the F1 of decisions loses against thresholds chosen on other documents of the same passages, in five parts of whole groups.

    Args:
        data: n passages.
        probabilities: n × labels.
        decisions: n × labels, by thresholds that were learned from other passages.
        exclusive: labels that exclude all others.

    Returns:
        By the metric's name, ``threshold_loss`` (the mean) and ``LABEL/threshold_loss`` of each label that some passage has; below 0 where the other
        thresholds are worse. Empty with fewer groups than parts, or without such a label.
    """
    truth, judged = data.truth, data.judged
    if len(set(data.groups)) < _PARTS:
        return {}
    others = np.zeros_like(decisions)
    for train, test in GroupKFold(_PARTS).split(truth, groups=data.groups):
        known = [train[judged[train, column]] for column in range(len(data.labels))]
        thresholds = [_best_threshold(probabilities[rows, column], truth[rows, column]) for column, rows in enumerate(known)]
        others[test] = decide(probabilities[test], thresholds, data.labels, exclusive)
    each = {}
    for column, label in enumerate(data.labels):
        rows = judged[:, column]
        if truth[rows, column].any():
            chosen, given = (float(f1_score(truth[rows, column], one[rows, column], zero_division=0)) for one in (others, decisions))
            each[f"{label}/threshold_loss"] = chosen - given
    return {"threshold_loss": float(np.mean(list(each.values())))} | each if each else {}


def _best_threshold(probabilities: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64] | None = None) -> float:
    """The threshold with the best F1; of several that are nearly as good, the middle one."""
    counts = np.ones(len(truth)) if weights is None else weights
    given = probabilities >= _THRESHOLDS[:, None]  # thresholds × n
    total = given @ counts + counts @ truth
    reached = np.divide(2 * (given @ (counts * truth)), total, out=np.zeros(len(_THRESHOLDS)), where=total > 0)
    return float(np.median(_THRESHOLDS[reached >= reached.max() - _PLATEAU]))


def _as_many(own: NDArray[np.float64], truth: NDArray[np.bool_]) -> Calibration:
    """Give the label to as many passages as have it; where several are alike at the border, to none of them."""
    border = np.sort(own)[::-1][truth.sum()]
    above = own[own > border]
    if not len(above) or own[truth].mean() <= own[~truth].mean():
        return Calibration()
    return Calibration(intercept=-float(above.min() + border) / 2)
