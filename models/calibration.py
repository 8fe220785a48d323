"""From a classifier's scores of a passage and its neighbours to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .classifier import Classifier, SavedClassifier
from .context import PassageInContext

_EDGE = 1e-4  # scores are kept this far from 0 and 1 where their logarithm is taken
_BESIDE_A_PAGE = 0.48  # weight of a model's own odds beside those of a page; learned together with the weights in annotation/reading/furniture.py


@dataclass(frozen=True)
class Calibration:
    """How a classifier's scores of a passage and its neighbours become the probability of one label, and this a decision.

    Platt's calibration (1999, "Probabilistic outputs for support vector machines"), which also listens to what the
    classifier says of the passages before and after: a menu entry stands among menu entries, a quotation goes on.

    Attributes:
        threshold: the label is given from this probability on.
        slope: of the passage's own logarithmic odds; 1 leaves them.
        intercept: added to them; 0 leaves them.
        before: weights of the logarithmic odds of every label of the passage before; empty for none.
        after: those of the passage after.
        alone: slope and intercept for a passage of which no neighbour is known; empty: the other ones.
    """

    threshold: float = 0.5
    slope: float = 1.0
    intercept: float = 0.0
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    alone: tuple[float, ...] = ()

    def calibrate(self, odds: NDArray[np.float64], column: int) -> NDArray[np.float64]:
        """Turn logarithmic odds (n × 3 × labels, see ``read_odds``) into probabilities of the label of one column."""
        total = self.slope * odds[:, 0, column] + self.intercept
        for place, weights in ((1, self.before), (2, self.after)):
            if weights:
                total = total + odds[:, place] @ np.asarray(weights)
        if self.alone:
            slope, intercept = self.alone
            total = np.where(odds[:, 1:].any(axis=(1, 2)), total, slope * odds[:, 0, column] + intercept)
        return logistic(total)


def logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities from logarithmic odds; never overflows."""
    return np.asarray((1 + np.tanh(odds / 2)) / 2)


def log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the odds of scores in 0..1, finite at both ends."""
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def read_odds(classifier: Classifier | SavedClassifier, contexts: Sequence[PassageInContext]) -> NDArray[np.float64]:
    """Logarithmic odds that a classifier gives n passages and their neighbours.

    Each text is classified once, however often it occurs.

    Returns:
        n × 3 × labels: of the passage, of the one before, of the one after; 0 where there is none.
    """
    numbers: dict[str, int] = {}
    for one in contexts:
        for text in (one.text, *filter(None, (one.before, one.after))):
            numbers.setdefault(text, len(numbers))
    found = log_odds(classifier.scores(list(numbers)))
    rows = np.array([[numbers.get(text, 0) for text in one[:3]] for one in contexts])
    odds: NDArray[np.float64] = found[rows]
    odds[np.array([[False, not one.before, not one.after] for one in contexts])] = 0.0
    return odds


def with_pages(scores: NDArray[np.float64], contexts: Sequence[PassageInContext], columns: Sequence[int], thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Let pages have their say: how likely the labels of furniture are where a passage is from a page that was read.

    Args:
        scores: n × labels, calibrated; where nothing is known of a page, they stay.
        contexts: the n passages.
        columns: of the labels of furniture.
        thresholds: of these labels; a page that is undecided (odds of 0) leaves the decision as it is.
    """
    known = np.array([one.furniture is not None for one in contexts], dtype=bool)
    if columns and known.any():
        pages = np.array([[one.furniture] for one in contexts if one.furniture is not None])
        limits = log_odds(np.asarray(thresholds))
        place = np.ix_(np.flatnonzero(known), np.asarray(columns))
        scores = scores.copy()
        scores[place] = logistic(_BESIDE_A_PAGE * (log_odds(scores[place]) - limits) + pages + limits)
    return scores


def calibrated(odds: NDArray[np.float64], calibrations: Sequence[Calibration]) -> NDArray[np.float64]:
    """Turn logarithmic odds (n × 3 × labels, see ``read_odds``) into probabilities: n × labels."""
    return np.stack([rule.calibrate(odds, column) for column, rule in enumerate(calibrations)], axis=1)
