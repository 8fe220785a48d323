"""Splits by group: translations of one article never stand on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from ..annotation.errors import NewsmarkError
from .dataset import LabelledPassages


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation.

    Attributes:
        name: names of the documents held out, or the fold's number.
        train: indices of the passages to train on.
        test: indices of the passages held out.
    """

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def make_folds(data: LabelledPassages, max_folds: int) -> list[Fold]:
    """Leave one group out; with more groups than ``max_folds``, that number of folds of whole groups.

    Raises:
        NewsmarkError: there is only one group, so that nothing could be held out.
    """
    count = len(set(data.groups))
    if count < 2:
        raise NewsmarkError("cross-validation needs two groups or more; annotate another article, give passages of another document, or score with --test FILE")
    splitter = LeaveOneGroupOut() if count <= max_folds else GroupKFold(max_folds)
    folds = []
    for number, (train, test) in enumerate(splitter.split(data.texts, groups=data.groups), start=1):
        names = sorted(set(data.names[test]))
        folds.append(Fold(", ".join(names) if count <= max_folds else f"fold {number}", train, test))
    return folds


def set_aside(data: LabelledPassages, parts: int, seed: int) -> Fold:
    """Set one of this number of parts of whole groups aside, drawn at random; nothing where there are fewer groups than parts."""
    groups = np.random.default_rng(seed).permutation(sorted(set(data.groups)))
    held = np.isin(data.groups, groups[: len(groups) // parts])
    return Fold(f"one in {parts}", np.flatnonzero(~held), np.flatnonzero(held))
