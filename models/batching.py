"""Concurrent requests classified together, each within its time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

from annotation.errors import NewsmarkError
from models.classifier import SavedClassifier

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the work on the present request has to end, in seconds of ``time.monotonic``; None for never."""

BATCH = 64
"""Passages classified at once: work on a request that ran out of time goes on for one batch at most."""


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


class _Job:
    """The texts of one caller, what was found of them so far, and until when anybody wants to know."""

    def __init__(self, texts: Sequence[str], deadline: float | None) -> None:
        self.order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # batches of passages of about the same length
        self.texts = texts
        self.deadline = deadline
        self.taken = 0
        self.found: list[NDArray[np.float64]] = []
        self.error: Exception | None = None
        self.done = threading.Event()

    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


class Batching:
    """A classifier whose callers, in threads of their own, share batches; one thread of its own does the work.

    The scores are those of the classifier that it wraps: rows do not depend on each other.
    """

    def __init__(self, classifier: SavedClassifier) -> None:
        self.classifier = classifier
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="classifier", daemon=True)
        self._worker.start()

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``.

        Raises:
            OutOfTimeError: the deadline of the caller's context passed; what was not begun is not done.
        """
        job = _Job(texts, DEADLINE.get())
        with self._changed:
            if self._closed:
                raise NewsmarkError("this model is closed")
            if not texts:
                return self.classifier.scores(texts)
            self._waiting.append(job)
            self._changed.notify()
        left = None if job.deadline is None else max(job.deadline - time.monotonic(), 0)
        if not job.done.wait(left):
            job.deadline = 0.0
            raise OutOfTimeError("the time for this request is over")
        if job.error:
            raise job.error
        scores = np.empty((len(texts), job.found[0].shape[1]))
        scores[job.order] = np.concatenate(job.found)
        return scores

    def close(self) -> None:
        """End the thread and let the classifier go, once it has answered whoever waits; this does not wait for it."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._next():
            try:
                scores = self.classifier.scores([text for _, texts in batch for text in texts])
            except Exception as error:  # noqa: BLE001 - it is the callers' to see
                for job, _ in batch:
                    job.error = error
                    job.done.set()
                continue
            start = 0
            for job, texts in batch:
                job.found.append(scores[start : start + len(texts)])
                start += len(texts)
                if job.taken == len(job.order):
                    job.done.set()
        del self.classifier  # FastAPI's caches hold MLflow's application, which holds this, for as long as the process lives

    def _next(self) -> list[tuple[_Job, list[str]]]:
        """Wait for work; take texts of the callers in turn, as many as one batch holds. Empty when it is closed."""
        with self._changed:
            while True:
                self._waiting = deque(job for job in self._waiting if not job.expired() and not job.error)
                if self._waiting or self._closed:
                    break
                self._changed.wait()
            batch, room = [], BATCH
            while self._waiting and room:
                job = self._waiting.popleft()
                part = job.order[job.taken : job.taken + room]
                job.taken += len(part)
                room -= len(part)
                batch.append((job, [job.texts[index] for index in part]))
                if job.taken < len(job.order):
                    self._waiting.append(job)  # behind the others: a long article does not hold up short ones
            return batch
