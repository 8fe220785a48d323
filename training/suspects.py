"""Annotations that look wrong: where a model that never saw a passage is confident of the contrary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.files import read_jsonl, string_of
from .tracking import LoggedPredictions

_ROUNDING = 1e-9  # a mean of equal numbers may differ from them by so much


@dataclass(frozen=True)
class Suspect:
    """A label of a passage that may be wrong.

    Attributes:
        row: index of the passage.
        label: name of the label.
        given: whether the passage has it in the annotations; the contrary is suspected.
        probability: of the label, as predicted.
        margin: probability of the suspected side less that of the given one, -1 to 1.
    """

    row: int
    label: str
    given: bool
    probability: float
    margin: float


def find_suspects(predictions: LoggedPredictions) -> list[Suspect]:
    """Find the labels that confident learning doubts, the largest margin first.

    A side (has the label, has it not) is confidently predicted where its probability is at least the mean of those that
    the passages annotated so get. Suspect is a passage whose given side is not confidently predicted while the other is.
    Source: Northcutt, Jiang and Chuang 2021 (doi.org/10.1613/jair.1.12125), label by label, ranked by their margin.

    Args:
        predictions: out of fold; a model that was trained on the passage would agree with its annotation.
    """
    suspects = []
    for column, label in enumerate(predictions.labels):
        given, probabilities = predictions.truth[:, column], predictions.probabilities[:, column]
        rows = np.flatnonzero(predictions.judged[:, column])
        for row in rows[_doubted(given[rows], probabilities[rows])]:
            yes, has = float(probabilities[row]), bool(given[row])
            suspects.append(Suspect(int(row), label, has, yes, 1 - 2 * yes if has else 2 * yes - 1))
    return sorted(suspects, key=lambda one: -one.margin)


def _doubted(given: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    if given.all() or not given.any():  # nothing to learn the other side from
        return np.zeros(0, dtype=np.intp)
    has = probabilities >= probabilities[given].mean() - _ROUNDING
    has_not = 1 - probabilities >= (1 - probabilities[~given]).mean() - _ROUNDING
    return np.flatnonzero(np.where(given, has_not & ~has, has & ~has_not))


def task_urls(annotations: Path) -> dict[str, str]:
    """Read the page of each document's task in Label Studio from an annotation file; that of the ground truth where there is one.

    Returns:
        URLs by id of document.

    Raises:
        NewsmarkError: the file is missing, or is no JSONL.
    """
    urls: dict[str, str] = {}
    for where, row in read_jsonl(annotations):
        document, url = string_of(row, "document", where), string_of(row, "task_url", where)
        if document and url and (row.get("ground_truth") is True or document not in urls):
            urls[document] = url
    return urls
