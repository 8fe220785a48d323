"""The gate before a smaller graph serves: whether 8-bit arithmetic decides as 32-bit arithmetic does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from tabulate import tabulate

from ..calibration import Calibration, calibrated, read_odds
from ..classifier import Finished, JudgedPassages
from ..model import decide
from .reader import FLOAT, SavedTransformer, write_settings

if TYPE_CHECKING:
    from .trainer import Transformer

MOST_FLIPS = 0.02
"""Share of a label's or a language's decisions that may differ."""

MOST_LOSS = 0.02
"""F1 that a label, or a language's micro F1, may lose."""

FEWEST = 100
"""Passages from which on a label's or a language's row decides. With fewer, it is only shown: among 51 Arabic passages, one decision cost that much F1."""


@dataclass(frozen=True)
class Shift:
    """How 8-bit decisions differ from 32-bit ones on some passages.

    Attributes:
        name: of the label or language.
        count: passages with the label, or of the language.
        flips: share of decisions that differ.
        shift: mean distance of the probabilities.
        loss: F1 lost.
    """

    name: str
    count: int
    flips: float
    shift: float
    loss: float

    @property
    def holds(self) -> bool:
        """Whether 8 bits are as good here, or there are too few passages to tell."""
        return self.count < FEWEST or (self.flips <= MOST_FLIPS and self.loss <= MOST_LOSS)


def finish(
    classifier: Transformer,
    folder: Path,
    judged: JudgedPassages,
    learn_calibrations: Callable[[NDArray[np.float64]], Sequence[Calibration]],
    exclusive: frozenset[str],
) -> Finished:
    """Save a transformer as two graphs and take the smaller one if it decides as the larger one does; see ``models.classifier.Finish``."""
    classifier.save(folder)
    chosen = choose_graph(folder, judged, learn_calibrations, exclusive)
    return Finished(chosen.classifier, chosen.table)


@dataclass(frozen=True)
class ChosenGraph:
    """The graph that predicts, and what the choice rests on."""

    classifier: SavedTransformer
    shifts: tuple[Shift, ...]
    table: str


def choose_graph(
    folder: Path, judged: JudgedPassages, learn_calibrations: Callable[[NDArray[np.float64]], Sequence[Calibration]], exclusive: frozenset[str]
) -> ChosenGraph:
    """Compare a saved transformer's two graphs on passages that it was not trained on, and take the smaller one if it is as good.

    Args:
        folder: what ``Transformer.save`` wrote.
        judged: passages that it was not trained on.
        learn_calibrations: makes calibrations from the odds of these passages (n × 3 × labels).
        exclusive: labels that exclude all others.
    """
    small = SavedTransformer.load(folder)
    large = SavedTransformer(folder, replace(small.settings, graph=FLOAT))
    odds, large_odds = read_odds(small, judged.contexts), read_odds(large, judged.contexts)
    calibrations = learn_calibrations(large_odds)
    thresholds = [rule.threshold for rule in calibrations]
    probabilities, large_probabilities = calibrated(odds, calibrations), calibrated(large_odds, calibrations)
    given, large_given = (decide(one, thresholds, judged.labels, exclusive) for one in (probabilities, large_probabilities))
    truth, known = judged.targets > 0, ~np.isnan(judged.targets)
    moved = np.abs(probabilities - large_probabilities)

    def measure(name: str, count: int, cells: NDArray[np.bool_]) -> Shift:
        asked = cells & known
        scores = [f1_score(truth[asked], one[asked], zero_division=0) if asked.any() else 0.0 for one in (large_given, given)]
        loss = float(scores[0] - scores[1])
        return Shift(name, count, float((given != large_given)[cells].mean()), float(moved[cells].mean()), loss)

    shifts = []
    for column, label in enumerate(judged.labels):
        cells = np.zeros_like(truth)
        cells[:, column] = True
        shifts.append(measure(label, int(truth[:, column].sum()), cells))
    for language in sorted(set(judged.languages)):
        cells = np.repeat((judged.languages == language)[:, None], truth.shape[1], axis=1)
        shifts.append(measure(str(language), int((judged.languages == language).sum()), cells))
    holds = all(one.holds for one in shifts)
    chosen = small if holds else large
    write_settings(chosen.settings, folder)
    return ChosenGraph(chosen, tuple(shifts), _table(shifts, holds, len(truth)))


def _table(shifts: Sequence[Shift], holds: bool, passages: int) -> str:
    rows = []
    for one in shifts:
        judged = "" if one.count < FEWEST else "yes" if one.holds else "NO"
        rows.append([one.name, one.count, f"{one.flips:.1%}", f"{one.shift:.4f}", f"{one.loss:+.3f}", judged])
    table = tabulate(rows, headers=["", "passages", "decisions that differ", "mean shift", "F1 lost", "holds"], disable_numparse=True)
    serves = "8 bits serve" if holds else "32 bits serve"
    asked = f"Asked: at most {MOST_FLIPS:.0%} and {MOST_LOSS}, where there are {FEWEST} passages."
    return f"8 bits against 32 on {passages} passages that were not trained on: {serves}.\n\n{table}\n\n{asked}"
