"""What ten more annotated articles are likely to bring: a learning curve, fitted to scores of fewer articles and drawn out, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.errors import NewsmarkError
from .metrics import Interval, interval_of, macro_f1_of, outcomes
from .simulation import Material, fit_heads, probabilities_of, resample

MORE = 10
"""Articles more that are forecast."""

FEWEST = 4
"""Annotated articles that a forecast needs: a quarter of them has to be one at least."""

_SHARES = (0.25, 0.5, 1.0)
_FOLDS = 5
_EXPONENTS = np.linspace(0.1, 1.5, 29)
_ENOUGH = 0.01
_WIDE = 0.05
_INSIDE = 90


@dataclass(frozen=True)
class Forecast:
    """What more articles are likely to bring.

    Attributes:
        sizes: numbers of annotated articles that were trained on.
        scores: macro F1 out of fold, at each of them.
        more: articles more.
        now: macro F1 of the curve at the largest size.
        then: the curve at that size and the further articles.
        gain: how much higher, with the interval that holds 90 % of the resamples.
    """

    sizes: tuple[int, ...]
    scores: tuple[float, ...]
    more: int
    now: float
    then: float
    gain: Interval

    def __str__(self) -> str:
        """Say it in two sentences: what to expect, and whether to stop."""
        low, high = (f"{value:+.2f}".replace("-", "−") for value in (self.gain.low, self.gain.high))
        said = f"{self.more} more articles are likely to bring macro F1 from {self.now:.2f} to {self.then:.2f} ({_INSIDE} %: {low} to {high})."
        if self.gain.high < _ENOUGH:
            return f"{said} Stop here: even at best they would bring less than {_ENOUGH}."
        if self.gain.high - self.gain.low > _WIDE:
            return f"{said} With {self.sizes[-1]} articles that interval is wide: annotate more, then ask again."
        if self.gain.value < _ENOUGH:
            return f"{said} They may not be worth the time: stop where a gain of {_ENOUGH} is not, and better look at doubtful labels (annotate doubt)."
        return f"{said} It is worth going on; stop when the expected gain is below {_ENOUGH}."


def fit_curves(sizes: Sequence[float], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit inverse power laws, score = a - b · size^-c with a at most 1 and b at least 0.

    Source: Figueroa et al. 2012, "Predicting sample size required for classification performance", BMC Medical Informatics and Decision Making 12:8.
    For each exponent of a grid, a and b are least squares; so no start value can lead it astray.

    Args:
        sizes: numbers of articles.
        scores: curves × sizes.

    Returns:
        Curves × (a, b, c); b is 0 where more articles have not helped.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(scores, dtype=float)
    basis = x[None] ** -_EXPONENTS[:, None]
    centered = basis - basis.mean(axis=1, keepdims=True)
    means = y.mean(axis=1, keepdims=True)
    b = np.maximum(-(y - means) @ centered.T / (centered**2).sum(axis=1), 0.0)  # curves × exponents
    a = means + b * basis.mean(axis=1)
    over = a > 1
    b = np.where(over, np.maximum((1 - y) @ basis.T / (basis**2).sum(axis=1), 0.0), b)
    a = np.where(over, 1.0, a)
    errors = ((a[..., None] - b[..., None] * basis[None] - y[:, None]) ** 2).sum(axis=-1)
    best = errors.argmin(axis=1)
    rows = np.arange(len(y))
    return np.stack([a[rows, best], b[rows, best], _EXPONENTS[best]], axis=1)


def forecast_curve(sizes: Sequence[int], scores: NDArray[np.float64], more: int = MORE) -> Forecast:
    """Draw a curve out.

    The interval holds what the resamples say, and how far such scores scatter around their curves.

    Args:
        sizes: three numbers of articles or more, ascending.
        scores: resamples × sizes; the first one is what was measured.
        more: articles more.
    """
    curves = fit_curves(sizes, scores)
    now, then = (_height(curves, size)[:, 0] for size in ([sizes[-1]], [sizes[-1] + more]))
    spread = float(np.std(scores - _height(curves, sizes)))
    gains = then - now + np.random.default_rng(0).normal(0.0, spread, len(scores))
    return Forecast(tuple(sizes), tuple(scores[0].tolist()), more, float(now[0]), float(then[0]), interval_of(then[0] - now[0], gains[1:], _INSIDE))


def _height(curves: NDArray[np.float64], sizes: Sequence[int]) -> NDArray[np.float64]:
    """Curves × sizes."""
    a, b, c = (column[:, None] for column in curves.T)
    return np.asarray(a - b * np.asarray(sizes, dtype=float)[None] ** -c)


def forecast(material: Material, base: NDArray[np.intp], repetitions: int = 3) -> Forecast:
    """Score out of fold with a quarter, half and all of the annotated articles, and draw the curve out.

    Uncertainty: bootstrap over articles and repetitions together.

    Args:
        material: its pool are the annotated articles, which may be few.
        base: passages that are trained on in any case, of the cold-start corpus.
        repetitions: draws of the folds and of the quarters.

    Raises:
        NewsmarkError: there are too few articles.
    """
    groups = np.array([str(material.data.groups[rows[0]]) for rows in material.pool])
    names = sorted(set(groups.tolist()))
    if len(names) < FEWEST:
        raise NewsmarkError(f"{len(names)} annotated articles are too few for a forecast; it needs {FEWEST}")
    folds = min(_FOLDS, len(names))
    known = len(names) - -(-len(names) // folds)
    sizes = sorted({max(round(share * known), 1) for share in _SHARES})
    counts = np.zeros((repetitions, len(sizes), len(names), len(material.data.labels), 3))
    for repetition in range(repetitions):
        order = np.random.default_rng(repetition).permutation(names)
        for fold in np.array_split(order, folds):
            others = [name for name in order.tolist() if name not in set(fold.tolist())]
            for place, size in enumerate(sizes):
                drawn = others[:size] if place < len(sizes) - 1 else others
                rows = np.concatenate([base, *(own for own, group in zip(material.pool, groups, strict=True) if group in drawn)])
                heads = fit_heads(material, rows, material.data.targets[rows])
                for name in fold.tolist():
                    held = np.concatenate([own for own, group in zip(material.pool, groups, strict=True) if group == name])
                    counts[repetition, place, names.index(name)] = _errors(material, heads, held)
    return forecast_curve(sizes, resample(counts[None], macro_f1_of)[:, 0])


def _errors(material: Material, heads: Sequence[object], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Labels × (true positives, false positives, false negatives)."""
    given = probabilities_of(heads, material.vectors[rows]) >= 0.5
    truth, judged = material.data.truth[rows], material.data.judged[rows]
    return np.asarray(outcomes(truth, given & judged).sum(axis=0))
