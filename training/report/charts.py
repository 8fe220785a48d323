"""Curves as SVG inside a page: they take its colours, and fit any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from ..metrics import BINS, Interval

_LEFT, _TOP, _SIDE = 34, 8, 160  # the square of a chart in its own units
_POINTS = 200  # of a curve at most


def precision_recall(column: int, label: str, truth: NDArray[np.bool_], probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> str:
    """Draw the precision-recall curve of a label, with a dot where the thresholds are.

    Args:
        column: of the label, for its colour.
        label: its name.
        truth: of n passages that were judged for it; some have it.
        probabilities: n.
        decisions: n.
    """
    precision, recall, _ = precision_recall_curve(truth, probabilities)
    order = np.linspace(0, len(recall) - 1, min(len(recall), _POINTS)).astype(int)
    hits = int((truth & decisions).sum())
    chosen = hits / int(truth.sum()), hits / max(int(decisions.sum()), 1)
    share = float(truth.mean())
    marks = [
        _line([(0, share), (1, share)], "guide", f"a guess: {share:.2f}"),
        _line(zip(recall[order].tolist(), precision[order].tolist(), strict=True), "own", "precision by recall"),
        _dot(*chosen, 4, "own", f"as decided: recall {chosen[0]:.2f}, precision {chosen[1]:.2f}"),
    ]
    said = f"Precision by recall of {label}; as decided: recall {chosen[0]:.2f}, precision {chosen[1]:.2f}"
    return _chart("recall", "precision", marks, said, color=f"l{column}")


def reliability(column: int, label: str, truth: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> str:
    """Draw how often a label comes true by its probability, in ten bins; a dot's area is the number of passages (n of each)."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    dots, said = [], []
    for one in np.unique(bins).tolist():
        inside = bins == one
        given, happened, count = float(probabilities[inside].mean()), float(truth[inside].mean()), int(inside.sum())
        words = f"{count} passages with a probability of {given:.2f} on average: {happened:.0%} have it"
        dots.append(_dot(given, happened, 2 + 6 * (count / len(truth)) ** 0.5, "own", words))
        said.append((given, happened))
    marks = [_line([(0, 0), (1, 1)], "guide", "as it should be"), _line(said, "own", "share by probability"), *dots]
    return _chart("probability", "share that has it", marks, f"Share of passages that have {label}, by probability", color=f"l{column}")


def learning_curve(points: Sequence[tuple[int, Interval]]) -> str:
    """Draw macro F1 with its interval by the number of annotated articles trained on."""
    most = max(*(size for size, _ in points), 1)
    marks = [_line([(size / most, one.low), (size / most, one.high)], "range", f"{one.low:.2f}–{one.high:.2f}") for size, one in points]
    marks.append(_line([(size / most, one.value) for size, one in points], "own", "macro F1"))
    marks += [_dot(size / most, one.value, 3.5, "own", f"{size} articles: macro F1 {one.value:.2f}") for size, one in points]
    return _chart("annotated articles", "macro F1", marks, "Macro F1 by the number of annotated articles trained on", ("0", str(most)))


def bar(interval: Interval) -> str:
    """Draw an interval from 0 to 1 as a small bar with a dot; the numbers stand beside it."""
    return (
        f'<svg class="bar" viewBox="0 0 100 10" aria-hidden="true"><path class="guide" d="M0 5H100"/>'
        f'<path class="range" d="M{100 * interval.low:.1f} 5H{100 * interval.high:.1f}"/>'
        f'<circle class="own" cx="{100 * interval.value:.1f}" cy="5" r="3.5"/></svg>'
    )


def _place(x: float, y: float) -> tuple[float, float]:
    return round(_LEFT + _SIDE * x, 1), round(_TOP + _SIDE * (1 - y), 1)


def _line(points: Iterable[tuple[float, float]], kind: str, title: str) -> str:
    way = "L".join("{} {}".format(*_place(*point)) for point in points)
    return f'<path class="{kind}" d="M{way}"><title>{escape(title)}</title></path>'


def _dot(x: float, y: float, radius: float, kind: str, title: str) -> str:
    left, top = _place(x, y)
    return f'<circle class="{kind}" cx="{left}" cy="{top}" r="{radius:.1f}"><title>{escape(title)}</title></circle>'


def _chart(across: str, up: str, marks: Sequence[str], said: str, ends: tuple[str, str] = ("0", "1"), color: str = "text") -> str:
    right, bottom, middle = _LEFT + _SIDE, _TOP + _SIDE, _TOP + _SIDE / 2
    axes = (
        f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>'
        f'<text x="{_LEFT}" y="{bottom + 17}" text-anchor="middle">{ends[0]}</text><text x="{right}" y="{bottom + 17}" text-anchor="middle">{ends[1]}</text>'
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0</text><text x="{_LEFT - 5}" y="{_TOP + 8}" text-anchor="end">1</text>'
        f'<text x="{_LEFT + _SIDE / 2}" y="{bottom + 17}" text-anchor="middle">{across}</text>'
        f'<text transform="translate({_LEFT - 12} {middle}) rotate(-90)" text-anchor="middle">{up}</text>'
    )
    frame = f'class="chart" viewBox="0 0 {right + 10} {bottom + 24}" style="--own: var(--{color})"'
    return f'<svg {frame} role="img" aria-label="{escape(said)}">{axes}{"".join(marks)}</svg>'
