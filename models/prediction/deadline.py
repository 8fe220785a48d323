"""The time that a request has, and a classifier that keeps to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...annotation.errors import NewsmarkError
from ..classifier import Embeds, EmbedsTokens, ReadsBeginnings, SavedClassifier, TokenVectors

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the work on the present request has to end, in seconds of ``time.monotonic``; None for never."""

T = TypeVar("T")

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
    """A classifier that works in steps of passages of about the same length, and stops at the deadline.

    It has the methods ``vectors`` and ``token_vectors`` where the classifier has them: topics and borders are found with these.
    """

    def __init__(self, classifier: SavedClassifier) -> None:
        self._classifier = classifier
        if isinstance(classifier, Embeds):
            make_vectors = classifier.vectors

            def vectors(texts: Sequence[str]) -> NDArray[np.float64]:
                return np.concatenate([*_steps(make_vectors, texts)] or [make_vectors(texts)])

            self.vectors = vectors
        if isinstance(classifier, EmbedsTokens):
            make_token_vectors = classifier.token_vectors

            def token_vectors(texts: Sequence[str]) -> list[TokenVectors]:
                return [one for some in _steps(make_token_vectors, texts) for one in some]

            self.token_vectors = token_vectors

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
        return [one for some in _steps(self._classifier.truncates, texts) for one in some]


def _steps(make: Callable[[Sequence[str]], T], texts: Sequence[str]) -> Iterator[T]:
    """Make something of texts in steps, up to the deadline."""
    for start in range(0, len(texts), STEP):
        check_deadline()
        yield make(texts[start : start + STEP])
