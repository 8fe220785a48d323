"""Labelling on a Ray cluster, or with Ray on this machine. The answers are those of this process, in the same order."""

from __future__ import annotations

import json
import logging
import math
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.errors import NewsmarkError
from ..context import PassageInContext
from ..saved import load_model
from .local import Added, Engine, label

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RAY_CHUNKS = 100
"""Chunks that Ray is given at a time: as many passages as the memory of this machine must hold."""


def on_ray(folder: Path, threshold: float | None, workers: int | None, spans: bool = False) -> Engine:
    """Label with Ray Data: on the cluster that ``RAY_ADDRESS`` names, or else on this machine.

    The model travels to actors that hold it; what an actor had under way when it died is done again by another.

    Args:
        folder: the model's.
        threshold: a label is given from this score on; by default the model's own.
        workers: number of actors; by default one per machine, as a transformer uses all cores of it.
        spans: find the spans of the labels, too.

    Raises:
        NewsmarkError: Ray is not installed, its cluster can't be reached, or it fails.
    """
    try:
        import ray
    except ImportError:
        raise NewsmarkError("--engine ray needs Ray: pip install 'newsmark[ray]'") from None

    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.disable(logging.ERROR)  # Ray logs each step, and what it raises as well
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

    def in_order(chunks: Iterable[Sequence[PassageInContext]]) -> Iterator[list[Added]]:
        rest = iter(chunks)
        while given := list(islice(rest, _RAY_CHUNKS)):
            rows = [{**one._asdict(), "furniture": math.nan if one.furniture is None else one.furniture} for one in chain.from_iterable(given)]
            try:
                answers = iter(
                    ray.data.from_items(rows, override_num_blocks=len(given))
                    .map_batches(
                        _Actor,
                        fn_constructor_args=(files, threshold, spans),
                        batch_size=max(map(len, given)),
                        compute=ray.data.ActorPoolStrategy(size=actors),
                        num_cpus=1,
                    )
                    .iter_rows()
                )
                for chunk in given:
                    yield [json.loads(row["added"]) for row in islice(answers, len(chunk))]
            except ray.exceptions.RayError as error:
                raise NewsmarkError(f"Ray: {_last_line(error)}") from None

    return in_order


def _last_line(error: Exception) -> str:
    """What went wrong: Ray puts the traceback of another machine before it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def _check_address(address: str) -> None:
    """See whether a cluster answers: Ray itself waits for minutes.

    Raises:
        NewsmarkError: none does.
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

    def __init__(self, files: Any, threshold: float | None, spans: bool) -> None:
        import ray

        with tempfile.TemporaryDirectory() as folder:
            for name, content in ray.get(files).items():
                (Path(folder) / name).write_bytes(content)
            self.model = load_model(Path(folder))
        self.threshold, self.spans = threshold, spans

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, list[str]]:
        columns = (batch[name].tolist() for name in PassageInContext._fields)
        contexts = [PassageInContext(*row) for row in zip(*columns, strict=True)]
        contexts = [one._replace(furniture=None) if one.furniture is not None and math.isnan(one.furniture) else one for one in contexts]
        return {"added": [json.dumps(one) for one in label(self.model, contexts, self.threshold, self.spans)]}
