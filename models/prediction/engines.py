"""Where passages are labelled: in this process, in several, or on a Ray cluster. The answers are the same, in the same order."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.errors import NewsmarkError
from ..context import PassageInContext
from ..model import TrainedModel
from ..saved import load_model
from .predict import Prediction, predict_passages

if TYPE_CHECKING:
    from numpy.typing import NDArray

Engine = Callable[[Iterable[Sequence[PassageInContext]]], Iterator[list[Prediction]]]
"""Labels chunks of passages, one after another; looks a bounded number of chunks ahead."""

_AHEAD = 2  # chunks a process that wait for it
_RAY_CHUNKS = 100
"""Chunks that Ray is given at a time: as many passages as the memory of this machine must hold."""


def here(model: TrainedModel, threshold: float | None) -> Engine:
    """Label in this process."""
    return lambda chunks: (predict_passages(model, chunk, threshold) for chunk in chunks)


def in_processes(folder: Path, threshold: float | None, workers: int) -> Engine:
    """Label in so many processes, each with a model of its own; what Python alone computes gets faster by that.

    Args:
        folder: the model's.
        threshold: a label is given from this score on; by default the model's own.
        workers: number of processes.
    """

    def label(chunks: Iterable[Sequence[PassageInContext]]) -> Iterator[list[Prediction]]:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _load_here, (folder, threshold)) as pool:
            waiting: deque[Future[list[Prediction]]] = deque()
            try:
                for chunk in chunks:
                    waiting.append(pool.submit(_label_here, chunk))
                    if len(waiting) >= workers * _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BrokenProcessPool:
                raise NewsmarkError(
                    "a worker process was killed, perhaps for want of memory; take fewer --workers (--resume goes on with an --output)"
                ) from None

    return label


def on_ray(folder: Path, threshold: float | None, workers: int | None) -> Engine:
    """Label with Ray Data: on the cluster that ``RAY_ADDRESS`` names, or else on this machine.

    The model travels to actors that hold it; what an actor had under way when it died is done again by another.

    Args:
        folder: the model's.
        threshold: a label is given from this score on; by default the model's own.
        workers: number of actors; by default one a machine, for a transformer uses all cores of it.

    Raises:
        NewsmarkError: Ray is not installed, or its cluster can't be reached.
    """
    try:
        import ray
    except ImportError:
        raise NewsmarkError("--engine ray needs Ray: pip install 'newsmark[ray]'") from None

    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.disable(logging.WARNING)  # it tells each step
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise NewsmarkError(f"Ray: {str(error).strip().splitlines()[0]}; check RAY_ADDRESS") from None
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    files = ray.put({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    actors = workers or sum(node["Alive"] for node in ray.nodes())

    def label(chunks: Iterable[Sequence[PassageInContext]]) -> Iterator[list[Prediction]]:
        rest = iter(chunks)
        while given := list(islice(rest, _RAY_CHUNKS)):
            rows = [context._asdict() for context in chain.from_iterable(given)]
            answers = iter(
                ray.data.from_items(rows, override_num_blocks=len(given))
                .map_batches(
                    _Actor,
                    fn_constructor_args=(files, threshold),
                    batch_size=max(map(len, given)),
                    compute=ray.data.ActorPoolStrategy(size=actors),
                    num_cpus=1,
                )
                .iter_rows()
            )
            for chunk in given:
                yield [Prediction(**json.loads(row["prediction"])) for row in islice(answers, len(chunk))]

    return label


def _check_address(address: str) -> None:
    """Knock at a cluster's door: Ray itself waits there for minutes.

    Raises:
        NewsmarkError: nobody answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return  # none, or a name that Ray knows, "auto" say
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise NewsmarkError(f"Ray: no cluster answers at {address} ({error.strerror or error}); check RAY_ADDRESS") from None


class _Actor:
    """Holds the model on a machine of the cluster."""

    def __init__(self, files: Any, threshold: float | None) -> None:
        import ray

        with tempfile.TemporaryDirectory() as folder:
            for name, content in ray.get(files).items():
                (Path(folder) / name).write_bytes(content)
            self.model = load_model(Path(folder))
        self.threshold = threshold

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, list[str]]:
        contexts = [PassageInContext(*row) for row in zip(batch["text"], batch["before"], batch["after"], strict=True)]
        return {"prediction": [json.dumps(vars(one)) for one in predict_passages(self.model, contexts, self.threshold)]}


_held: tuple[TrainedModel, float | None] | NewsmarkError
"""The model of a worker process, or why there is none: an error in a process's beginning would look like one that was killed."""


def _load_here(folder: Path, threshold: float | None) -> None:
    global _held  # noqa: PLW0603
    try:
        _held = load_model(folder), threshold
    except NewsmarkError as error:
        _held = error


def _label_here(contexts: Sequence[PassageInContext]) -> list[Prediction]:
    if isinstance(_held, NewsmarkError):
        raise _held
    model, threshold = _held
    return predict_passages(model, contexts, threshold)
