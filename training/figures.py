"""Scores and data as pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .dataset import LabelledPassages
from .metrics import BINS, Evaluation, calibration_error


def curve_figure(scores: Mapping[int, Evaluation]) -> Figure:
    """Draw macro F1, with its interval, by the number of annotated articles trained on."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(ylim=(0, 1), title="What more annotated articles buy", xlabel="Annotated articles trained on", ylabel="F1")
    sizes, macro = list(scores), [one.macro_f1 for one in scores.values()]
    axes.fill_between(sizes, [one.low for one in macro], [one.high for one in macro], alpha=0.2)
    axes.plot(sizes, [one.value for one in macro], marker="o", label="macro F1, 95 % interval")
    for column, row in enumerate(next(iter(scores.values())).labels):
        axes.plot(sizes, [one.labels[column].f1.value for one in scores.values()], linestyle=":", label=row.label)
    axes.legend(loc="lower right")
    return figure


def precision_recall_figure(data: LabelledPassages, probabilities: NDArray[np.float64]) -> Figure:
    """Draw the precision-recall curve of each label that some passage has."""
    from sklearn.metrics import PrecisionRecallDisplay

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1.02), ylim=(0, 1.05), title="Passages not trained on")
    for column, label in enumerate(data.labels):
        known = data.judged[:, column]
        if data.truth[:, column].any():
            PrecisionRecallDisplay.from_predictions(data.truth[known, column], probabilities[known, column], name=label, ax=axes)
    axes.set(xlabel="Recall", ylabel="Precision")
    if data.truth.any():
        axes.legend(loc="upper right", title="label (average precision)")
    return figure


def reliability_figure(data: LabelledPassages, before: NDArray[np.float64], after: NDArray[np.float64]) -> Figure:
    """Draw how often labels come true against their probability, in ten bins, before and after calibration (n × labels each)."""
    from sklearn.calibration import calibration_curve

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1), title="Passages not trained on, all labels together")
    axes.plot([0, 1], [0, 1], color="#9e9e9e", linestyle=":", label="as it should be")
    truth = data.truth[data.judged]
    for name, probabilities in (("before", before), ("after", after)):
        happened, said = calibration_curve(truth, probabilities[data.judged], n_bins=BINS)
        axes.plot(said, happened, marker="o", label=f"{name} calibration (error {calibration_error(probabilities[data.judged], truth):.3f})")
    axes.set(xlabel="Probability given", ylabel="Share that has the label")
    axes.legend(loc="upper left")
    return figure


def cooccurrence_figure(data: LabelledPassages) -> Figure:
    """Draw how many passages have each two labels; the diagonal counts each label."""
    has = data.truth.astype(int)
    counts = has.T @ has
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot(title="Passages that have both labels")
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(data.labels)), data.labels, rotation=30, ha="right")
    axes.set_yticks(range(len(data.labels)), data.labels)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center", color="white" if count > counts.max() / 2 else "black")
    return figure
