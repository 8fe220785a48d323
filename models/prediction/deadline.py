"""The time that a request has, and a classifier that keeps to it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

from ...annotation.errors import NewsmarkError
from ..classifier import ReadsBeginnings, SavedClassifier

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the work on the present request has to end, in seconds of ``time.monotonic``; None for never."""

STEP = 128
"""Passages classified at once: work on a request that ran out of time goes on for one step at most."""


class OutOfTimeError(NewsmarkError):
    """A request was not answered before its deadline."""


def check_deadline() -> None:
    """Stop here if the time of the present request is over.

    Raises:
        OutOfTimeError: it is.
    """
    deadline = DEADLINE.get()
    if deadline is not None and time.monotonic() >= deadline:
        raise OutOfTimeError("the time for this request is over")


class InSteps:
    """A classifier that works in steps of passages of about the same length, and stops at the deadline."""

    def __init__(self, classifier: SavedClassifier) -> None:
        self._classifier = classifier

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``.

        Raises:
            OutOfTimeError: the deadline passed.
        """
        check_deadline()
        if len(texts) <= STEP:
            return self._classifier.scores(texts)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found = []
        for start in range(0, len(texts), STEP):
            check_deadline()
            found.append(self._classifier.scores([texts[index] for index in order[start : start + STEP]]))
        scores = np.empty((len(texts), found[0].shape[1]))
        scores[order] = np.concatenate(found)
        return scores

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is longer than what is read of it; see ``classifier.ReadsBeginnings``.

        Raises:
            OutOfTimeError: the deadline passed.
        """
        if not isinstance(self._classifier, ReadsBeginnings):
            return [False] * len(texts)
        found = []
        for start in range(0, len(texts), STEP):
            check_deadline()
            found += self._classifier.truncates(texts[start : start + STEP])
        return found
