"""The model that a server answers with: loaded by newsmark's own reader, and followed where its alias moves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..fetching import forget_files
from ..model import TrainedModel
from ..prediction.schema import Input
from ..saved import load_model
from ..store import find_folder, resolve
from .answering import label_inputs
from .batching import Batcher

logger = logging.getLogger("newsmark.serving")
Answer = TypeVar("Answer")

_FOLLOW_SECONDS = 3
"""How often to look whether the alias has moved."""

_LONGEST_PAUSE = 600
"""A model that can't be loaded is tried again after pauses that grow up to this."""


class FollowedModel:
    """The loaded model that a name stands for at present.

    Args:
        name: of the model: a folder, a run id or an MLflow URI; an alias is followed when it moves; None for the default.
        passages: that the texts of a request may have together.
        changed: called with each model that begins to answer.

    Attributes:
        batcher: answers with the model.
        source: what the name stands for at present.

    Raises:
        NewsmarkError: there is no such model.
    """

    def __init__(self, name: str | None, passages: int, changed: Callable[[TrainedModel], None]) -> None:
        self._name, self._passages, self._changed = name, passages, changed
        self._pause, self._again_at, self._failed = float(_FOLLOW_SECONDS), 0.0, ""
        uri, self.source = self._resolve()
        self.batcher = self._load(uri)
        changed(self.batcher.model)

    async def follow(self) -> None:
        """Look again and again whether the alias has moved, without end."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            try:
                await self._swap()
            except Exception as error:  # noqa: BLE001 - whatever it is, the present model goes on, and the next look may find another
                logger.warning("the model can't be looked up; the present one goes on", extra={"reason": " ".join(str(error).split())})

    async def _swap(self) -> None:
        """Load another model where the alias has moved; the old one finishes what it has begun."""
        uri, source = await in_thread(self._resolve)
        if source == self.source or (source == self._failed and time.monotonic() < self._again_at):
            return
        try:
            new = await in_thread(self._load, uri)
        except Exception:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) if source == self._failed else _FOLLOW_SECONDS  # each try may download the whole model
            self._failed = source
            self._again_at = time.monotonic() + self._pause
            raise
        former, self.batcher, self.source = self.batcher.model.version, new, source
        self._changed(new.model)
        logger.info("another model", extra={"model": source, "model_version": new.model.version, "former": former})

    def _resolve(self) -> tuple[str, str]:
        """URI of the model, and what identifies it."""
        if self._name and Path(self._name).is_dir():
            return self._name, self._name
        return resolve(self._name)

    def _load(self, uri: str) -> Batcher:
        folder = find_folder(uri)
        try:
            model = load_model(folder)
        finally:
            forget_files(folder)
        label_inputs(model, [Input(text="Solen sken.")], None, split=True)  # what is loaded at the first use is loaded now
        return Batcher(model, self._passages)


async def in_thread(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Call a function in a thread that nothing waits for when the server stops: a store that is away lets a look-up hang for minutes."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def settle(method: Callable[[Any], None], value: Any) -> None:
        if not answer.done():
            method(value)

    def run() -> None:
        try:
            settled: tuple[Callable[[Any], None], Any] = answer.set_result, function(*arguments)
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            settled = answer.set_exception, error
        with contextlib.suppress(RuntimeError):  # the server has stopped
            loop.call_soon_threadsafe(settle, *settled)

    threading.Thread(target=run, daemon=True).start()
    return await answer
