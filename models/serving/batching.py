"""Concurrent requests answered together, each within its time."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..classifier import CORES
from ..model import TrainedModel
from ..prediction.deadline import DEADLINE, InSteps, OutOfTimeError
from ..store import load_served

logger = logging.getLogger("newsmark.serving")

_SMALL = 10_000
"""Characters of a request that shares a run with others, and of such a run: it takes a fraction of a second."""

_LARGE_RUNS = 32
"""Larger requests that are worked on at the same time."""

Answer = dict[str, Any]
"""The passages of one input, and the version of the model."""


class ModelFailedError(Exception):
    """The model did not answer, although there was time."""


class _Request:
    """A request that waits, and what it waits for."""

    def __init__(self, inputs: list[dict[str, Any]], params: dict[str, Any], deadline: float) -> None:
        self.inputs, self.params, self.deadline = inputs, params, deadline
        self.size = sum(len(one.get(name) or "") for one in inputs for name in ("text", "before", "after"))
        self.answer: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()


class Served:
    """One loaded version of the model behind MLflow's scoring.

    As many runs as there are cores go on at the same time. What is asked for meanwhile waits, and the next run takes all of it that
    has the same parameters: it costs less than one after another, and passages of one length are computed together. A large request
    has a run of its own at once, so that small ones don't wait for it.

    Args:
        uri: MLflow's, of the model.
        source: what the alias stood for.
    """

    def __init__(self, uri: str, source: str) -> None:
        self.source = source
        self._model = load_served(uri)
        inside = self._model.unwrap_python_model()
        self.trained: TrainedModel = inside.model
        inside.model = dataclasses.replace(self.trained, classifier=InSteps(self.trained.classifier))
        self._waiting: deque[_Request] = deque()
        self._runs: set[asyncio.Task[None]] = set()
        self._small, self._large = ThreadPoolExecutor(CORES), ThreadPoolExecutor(_LARGE_RUNS)

    async def label(self, inputs: list[dict[str, Any]], params: dict[str, Any], deadline: float) -> list[Answer]:
        """Label the passages of the inputs.

        Args:
            inputs: of the request, see ``models.served.Article``.
            params: of the request, see ``models.served.ServedModel``.
            deadline: when the work stops, in seconds of ``time.monotonic``.

        Raises:
            OutOfTimeError: the deadline passed.
            ModelFailedError: the model failed.
        """
        request = _Request(inputs, params, deadline)
        if request.size > _SMALL:
            return (await asyncio.get_running_loop().run_in_executor(self._large, self._score, [request], deadline))[0]
        self._waiting.append(request)
        self._begin()
        return await request.answer

    def _begin(self) -> None:
        """Begin runs while there is something to do and a core for it."""
        while self._waiting and len(self._runs) < CORES:
            run = asyncio.create_task(self._run(self._next()))
            self._runs.add(run)
            run.add_done_callback(self._end)

    def _end(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._begin()

    def _next(self) -> list[_Request]:
        """Take requests that have the same parameters, in their order, as many as one run holds and as leave something for other cores."""
        first = self._waiting.popleft()
        taken, room, left = [first], _SMALL - first.size, deque[_Request]()
        most = -(-(len(self._waiting) + 1) // (CORES - len(self._runs)))
        for request in self._waiting:
            if len(taken) < most and request.size <= room and request.params == first.params:
                taken.append(request)
                room -= request.size
            else:
                left.append(request)
        self._waiting = left
        return taken

    async def _run(self, requests: list[_Request]) -> None:
        wanted = [request for request in requests if not request.answer.done()]
        if not wanted:
            return
        try:
            deadline = max(request.deadline for request in wanted)
            answers = await asyncio.get_running_loop().run_in_executor(self._small, self._score, wanted, deadline)
        except Exception as error:  # noqa: BLE001 - it is the callers' to see
            if len(wanted) > 1:  # perhaps only one of them is to blame
                for request in wanted:
                    await self._run([request])
            elif not wanted[0].answer.done():
                wanted[0].answer.set_exception(error)
            return
        for request, answer in zip(wanted, answers, strict=True):
            if not request.answer.done():
                request.answer.set_result(answer)

    def _score(self, requests: list[_Request], deadline: float) -> list[list[Answer]]:
        """Ask MLflow's scoring server for all inputs of some requests; gives the answers of each."""
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server  # only now that its telemetry is off

        body = json.dumps({"inputs": [one for request in requests for one in request.inputs], "params": requests[0].params})
        DEADLINE.set(deadline)
        try:
            scored = scoring_server.invocations(body, scoring_server.CONTENT_TYPE_JSON, self._model, self._model.metadata.get_input_schema())
        except MlflowException as error:  # its message holds the inputs
            if time.monotonic() >= deadline:
                raise OutOfTimeError("the time for this request is over") from None
            logger.error("the model failed", extra={"code": error.error_code})
            raise ModelFailedError from None
        answers = iter(json.loads(scored.response)["predictions"])
        return [[next(answers) for _ in request.inputs] for request in requests]
