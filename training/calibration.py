"""From scores to decisions that can be trusted: calibrated probabilities and a threshold a label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from models.classifier import Rule, log_odds

_FEWEST = 10  # passages with a label, and without it, that a calibration and a threshold can be learned from
_THRESHOLDS = np.round(np.arange(0.25, 0.7501, 0.01), 2)
_PLATEAU = 0.01  # thresholds whose F1 is this near to the best are as good; their middle is taken


def fit_rules(scores: NDArray[np.float64], targets: NDArray[np.float32]) -> tuple[Rule, ...]:
    """Learn each label's calibration and threshold from passages that the classifier was not trained on.

    Calibration is Platt's: a logistic regression on the logarithmic odds. The threshold gives the best F1 of the calibrated
    probabilities; it stays between .25 and .75. A label with fewer than ten passages on one side keeps its scores and .5.

    Args:
        scores: n × labels, as the classifier gives them.
        targets: n × labels.
    """
    return tuple(_rule(column, truth > 0) for column, truth in zip(scores.T, targets.T, strict=True))


def _rule(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> Rule:
    if not _FEWEST <= truth.sum() <= len(truth) - _FEWEST:
        return Rule()
    odds = log_odds(scores)[:, None]
    platt = LogisticRegression(C=1.0).fit(odds, truth)
    slope, intercept = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope <= 0:  # scores that say nothing, or the contrary
        return Rule()
    calibrated = platt.predict_proba(odds)[:, 1]
    reached = np.array([f1_score(truth, calibrated >= threshold, zero_division=0) for threshold in _THRESHOLDS])
    return Rule(float(np.median(_THRESHOLDS[reached >= reached.max() - _PLATEAU])), slope, intercept)
