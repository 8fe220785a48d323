"""Passages as vectors without any training: TF-IDF, as the baseline makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..words import mask_digits
from .settings import BaselineSettings
from .trainer import make_features


def vectors_of(texts: Sequence[str]) -> tuple[Any, float]:
    """Turn n texts into vectors (n × n-grams, sparse); with them comes the C of logistic regressions on them."""
    defaults: Any = BaselineSettings
    settings: BaselineSettings = defaults()
    return make_features(settings).fit_transform(mask_digits(texts)).tocsr(), settings.C
