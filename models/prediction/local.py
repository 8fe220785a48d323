"""Labelling on this machine: in this process, or in several. The answers are the same, in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.errors import NewsmarkError
from ..classifier import Embeds
from ..context import PassageInContext
from ..model import TrainedModel
from ..saved import load_model
from .predict import predict_passages

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .records import Embed

Added = dict[str, Any]
"""What labelling adds to a row: a value for each of ``fields.ADDED``, in this order, and ``spans`` where these are asked for."""

Engine = Callable[[Iterable[Sequence[PassageInContext]]], Iterator[list[Added]]]
"""Labels chunks of passages, one after another; looks a bounded number of chunks ahead."""

_AHEAD = 2  # chunks per process that wait for it


def label(model: TrainedModel, contexts: Sequence[PassageInContext], threshold: float | None, spans: bool = False) -> list[Added]:
    """Label passages with a model; gives what is added to the row of each."""
    return [added_of(one.as_dict(), model.version) for one in predict_passages(model, contexts, threshold, spans)]


def added_of(prediction: dict[str, Any], version: str) -> Added:
    """Put what a model, or a server, says of a passage in order; a server of an older newsmark does not say everything."""
    spans = {"spans": prediction["spans"]} if "spans" in prediction else {}
    values = {name: prediction[name] for name in ("labels", "scores", "review")}
    return {**values, "truncated": prediction.get("truncated"), "model_version": version, **spans}


def embedder(model: TrainedModel) -> Embed | None:
    """What makes vectors with a model, where it does; a model that an older newsmark trained may not."""
    classifier = model.classifier
    if not isinstance(classifier, Embeds):
        return None
    try:
        classifier.vectors(["a"])
    except NewsmarkError:
        return None
    return classifier.vectors


def here(model: TrainedModel, threshold: float | None, spans: bool = False) -> Engine:
    """Label in this process."""
    return lambda chunks: (label(model, chunk, threshold, spans) for chunk in chunks)


def in_processes(folder: Path, threshold: float | None, workers: int, spans: bool = False) -> Engine:
    """Label in several processes, each with a model of its own; what Python alone computes gets faster by that.

    Args:
        folder: the model's.
        threshold: a label is given from this score on; by default the model's own.
        workers: number of processes.
        spans: find the spans of the labels, too.
    """
    import multiprocessing  # these take a moment
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor

    def in_order(chunks: Iterable[Sequence[PassageInContext]]) -> Iterator[list[Added]]:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _load_here, (folder, threshold, spans)) as pool:
            waiting: deque[Future[list[Added]]] = deque()
            try:
                for chunk in chunks:
                    waiting.append(pool.submit(_label_here, chunk))
                    if len(waiting) >= workers * _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BrokenProcessPool:
                raise NewsmarkError(
                    "a worker process was killed, perhaps because memory ran out; take fewer --workers (--resume continues an --output)"
                ) from None

    return in_order


_held: tuple[TrainedModel, float | None, bool] | NewsmarkError
"""The model of a worker process, or why there is none: an error in a process's beginning would look like one that was killed."""


def _load_here(folder: Path, threshold: float | None, spans: bool) -> None:
    global _held  # noqa: PLW0603
    try:
        _held = load_model(folder), threshold, spans
    except NewsmarkError as error:
        _held = error


def _label_here(contexts: Sequence[PassageInContext]) -> list[Added]:
    if isinstance(_held, NewsmarkError):
        raise _held
    model, threshold, spans = _held
    return label(model, contexts, threshold, spans)
