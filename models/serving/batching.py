"""Concurrent requests answered together, each within its time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from ..classifier import CORES
from ..model import TrainedModel
from ..prediction.deadline import DEADLINE, InSteps, OutOfTimeError
from ..prediction.predict import TooManyPassagesError
from ..prediction.schema import LabelRequest
from .answering import as_json, label_inputs

logger = logging.getLogger("newsmark.serving")
T = TypeVar("T")

_SMALL = 10_000
"""Characters of a request that shares a run with others, and of such a run: it takes a fraction of a second."""

_LARGE_RUNS = 8
"""Larger requests that are worked on at the same time; each holds its passages in memory."""


class ModelFailedError(Exception):
    """The model did not answer, although there was time."""


@dataclass(frozen=True)
class Answer:
    """What was answered to a request.

    Attributes:
        body: the JSON of a ``LabelAnswer``.
        labels: names of the labels of each passage.
    """

    body: bytes
    labels: list[list[str]]


class _Waiting:
    """A request that waits, and what it waits for."""

    def __init__(self, asked: LabelRequest, deadline: float) -> None:
        self.asked, self.deadline = asked, deadline
        self.size = sum(len(one.text) + len(one.before or "") + len(one.after or "") for one in asked.inputs)
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()


class Batcher:
    """Answers requests with one loaded model.

    As many runs as there are cores go on at the same time. What is asked for meanwhile waits, and the next run takes all of it that
    has the same parameters: it costs less than one after another, and passages of one length are computed together. A large request
    has a run of its own, so that small ones don't wait for it.

    Args:
        model: a trained model.
        passages: that the texts of a request may have together.
    """

    def __init__(self, model: TrainedModel, passages: int) -> None:
        classifier: Any = model.classifier
        steps: Any = InSteps(classifier)  # it predicts, and is not saved
        self.model = replace(model, classifier=steps)
        self._passages = passages
        self._waiting: deque[_Waiting] = deque()
        self._runs: set[asyncio.Task[None]] = set()
        self._small, self._large = ThreadPoolExecutor(CORES), ThreadPoolExecutor(_LARGE_RUNS)

    async def label(self, asked: LabelRequest, deadline: float) -> Answer:
        """Label the passages of a request.

        Args:
            asked: the request.
            deadline: when the work stops, in seconds of ``time.monotonic``.

        Raises:
            OutOfTimeError: the deadline passed.
            TooManyPassagesError: the texts have too many passages.
            ModelFailedError: the model failed.
        """
        request = _Waiting(asked, deadline)
        if request.size > _SMALL:
            return (await _in_time(asyncio.get_running_loop().run_in_executor(self._large, self._answer, [request], deadline), deadline))[0]
        self._waiting.append(request)
        self._begin()
        return await _in_time(request.answer, deadline)

    def _begin(self) -> None:
        """Begin runs while there is something to do and a core for it."""
        while self._waiting and len(self._runs) < CORES:
            run = asyncio.create_task(self._run(self._next()))
            self._runs.add(run)
            run.add_done_callback(self._end)

    def _end(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._begin()

    def _next(self) -> list[_Waiting]:
        """Take requests that have the same parameters, in their order, as many as one run holds and as leave something for other cores."""
        first = self._waiting.popleft()
        taken, room, left = [first], _SMALL - first.size, deque[_Waiting]()
        most = -(-(len(self._waiting) + 1) // (CORES - len(self._runs)))
        for request in self._waiting:
            if len(taken) < most and request.size <= room and request.asked.params == first.asked.params:
                taken.append(request)
                room -= request.size
            else:
                left.append(request)
        self._waiting = left
        return taken

    async def _run(self, requests: list[_Waiting]) -> None:
        wanted = [request for request in requests if not request.answer.done()]
        if not wanted:
            return
        try:
            deadline = max(request.deadline for request in wanted)
            answers = await asyncio.get_running_loop().run_in_executor(self._small, self._answer, wanted, deadline)
        except Exception as error:  # noqa: BLE001 - the callers raise it
            if len(wanted) > 1:  # perhaps only one of them is to blame
                for request in wanted:
                    await self._run([request])
            elif not wanted[0].answer.done():
                wanted[0].answer.set_exception(error)
            return
        for request, answer in zip(wanted, answers, strict=True):
            if not request.answer.done():
                request.answer.set_result(answer)

    def _answer(self, requests: list[_Waiting], deadline: float) -> list[Answer]:
        """Label all inputs of some requests, which have the same parameters, and write the answer of each."""
        DEADLINE.set(deadline)
        inputs, params = [one for request in requests for one in request.asked.inputs], requests[0].asked.params
        try:
            labelled = iter(label_inputs(self.model, inputs, params.threshold, params.split, self._passages, params.spans))
            answers = []
            for request in requests:
                mine = list(islice(labelled, len(request.asked.inputs)))
                answers.append(Answer(as_json(mine, self.model.version), [prediction.labels for passages in mine for _, prediction in passages]))
        except (OutOfTimeError, TooManyPassagesError):
            raise
        except Exception as error:  # noqa: BLE001 - its message may hold the texts
            trace, place = error.__traceback__, "unknown"
            while trace is not None:
                place, trace = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}", trace.tb_next
            logger.error("the model failed", extra={"error": type(error).__name__, "place": place})
            raise ModelFailedError from None
        return answers


async def _in_time(work: Awaitable[T], deadline: float) -> T:
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await work
    except TimeoutError:
        raise OutOfTimeError("the time for this request is over") from None
