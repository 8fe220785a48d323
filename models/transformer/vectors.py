"""Passages as vectors without any training: the mean of the encoder's token vectors, kept in the cache because it takes minutes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...annotation.folders import cache_folder
from .settings import TransformerSettings

_FORMAT = 1  # raise it when other vectors are computed, so that older ones are left alone


def vectors_of(texts: Sequence[str]) -> tuple[NDArray[np.float32], float]:
    """Turn n texts into standardised vectors (n × hidden) of the default encoder; with them comes the C of logistic regressions on them.

    Raises:
        NewsmarkError: the encoder can't be loaded.
    """
    from .trainer import PROBE_C, Transformer

    defaults: Any = TransformerSettings
    settings: TransformerSettings = defaults()
    key = hashlib.sha256(json.dumps([_FORMAT, settings.encoder, settings.max_tokens, list(texts)]).encode()).hexdigest()
    path = cache_folder() / "vectors" / f"{key[:32]}.npy"
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        found = Transformer.untrained(settings).encode(texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as temporary:  # it appears whole: two may compute it at once
            np.save(Path(temporary) / path.name, found)
            (Path(temporary) / path.name).replace(path)
    return found, PROBE_C
