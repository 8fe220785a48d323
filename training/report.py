"""Scores as text and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from training.dataset import LabelledPassages
from training.metrics import Interval, Scores
from training.tracking import LoggedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scores_table(scores: Scores, majority: Scores, groups: int, drawn: str) -> str:
    """Lay out scores as a table, the majority baseline beside them.

    Args:
        scores: of the classifier.
        majority: of the classifier that gives each passage the commonest answer of the training passages.
        groups: number of groups that the intervals are drawn from.
        drawn: what a group is.
    """
    rows = [
        [row.label, row.precision, row.recall, row.f1.value, _range(row.f1), _number(row.average_precision), row.support, other.f1.value]
        for row, other in zip(scores.labels, majority.labels, strict=True)
    ]
    for name, interval, other_interval in (("macro F1", scores.macro_f1, majority.macro_f1), ("micro F1", scores.micro_f1, majority.micro_f1)):
        rows.append([name, "", "", interval.value, _range(interval), "", "", other_interval.value])
    labels = tabulate(rows, headers=["label", "precision", "recall", "F1", "95 % interval", "avg. precision", "support", "majority F1"], floatfmt=".2f")
    languages = tabulate(
        [[language, macro, micro, count] for language, (macro, micro, count) in scores.languages.items()],
        headers=["language", "macro F1", "micro F1", "passages"],
        floatfmt=".2f",
    )
    return f"{labels}\n\n{languages}\n\nIntervals: bootstrap over {groups} {drawn}{_caution(groups)}."


def comparison_table(runs: Sequence[LoggedRun]) -> str:
    """Lay out the scores of runs side by side, and say where they can't be compared."""
    names = [name for name in runs[0].metrics if name.endswith(("macro_f1", "micro_f1", "/f1"))]
    rows = [[name.removesuffix("/f1").replace("_", " ").replace("/", " "), *(_with_range(run.metrics, name) for run in runs)] for name in names]
    rows += [["data digest", *(run.data_digest[:12] for run in runs)], ["scored on", *(run.scored_on for run in runs)]]
    table = tabulate(rows, headers=["F1 [95 % interval]", *(f"{run.kind} {run.run_id[:8]}" for run in runs)])
    if len({(run.data_digest, run.scored_on) for run in runs}) > 1:
        table += "\n\nThese runs were trained or scored on different data: their scores can't be compared."
    return table


def precision_recall_figure(data: LabelledPassages, probabilities: NDArray[np.float64]) -> Figure:
    """Draw the precision-recall curve of each label that some passage has."""
    from matplotlib.figure import Figure
    from sklearn.metrics import PrecisionRecallDisplay

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1.02), ylim=(0, 1.05), title="Passages not trained on")
    for column, label in enumerate(data.labels):
        if data.targets[:, column].any():
            PrecisionRecallDisplay.from_predictions(data.targets[:, column], probabilities[:, column], name=label, ax=axes)
    axes.set(xlabel="Recall", ylabel="Precision")
    axes.legend(loc="upper right", title="label (average precision)")
    return figure


def cooccurrence_figure(data: LabelledPassages) -> Figure:
    """Draw how many passages have each two labels; the diagonal counts each label."""
    from matplotlib.figure import Figure

    counts = (data.targets.T @ data.targets).astype(int)
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot(title="Passages that have both labels")
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(data.labels)), data.labels, rotation=30, ha="right")
    axes.set_yticks(range(len(data.labels)), data.labels)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center", color="white" if count > counts.max() / 2 else "black")
    return figure


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f}–{interval.high:.2f}"


def _with_range(metrics: dict[str, float], name: str) -> str:
    value, low, high = (metrics.get(key, math.nan) for key in (name, f"{name}_low", f"{name}_high"))
    return _number(value) if math.isnan(low) else f"{value:.2f} [{low:.2f}–{high:.2f}]"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _caution(groups: int) -> str:
    return "; so few say little" if groups < 20 else ""
