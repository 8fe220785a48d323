"""How the quick kinds take texts apart: numbers made alike, n-grams of characters, and lists of what is in each of very many words."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

TOKEN = re.compile(r"\w+|[^\w\s]")
"""What counts as a word."""

_DIGITS = re.compile(r"\d+")


class Lists:
    """Lists of numbers, one after another in one array: a fraction of the memory of Python's lists."""

    def __init__(self) -> None:
        self._values, self._ends = array("i"), array("i", [0])

    def append(self, values: Sequence[int]) -> None:
        """Add a list."""
        self._values.extend(values)
        self._ends.append(len(self._values))

    def take(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Copy lists: their values one after another, and where in these each begins, and where the last one ends."""
        ends = np.frombuffer(self._ends, dtype=np.int32)
        starts, sizes = ends[numbers], ends[numbers + 1] - ends[numbers]
        taken = ends_of(sizes)
        places = np.arange(taken[-1], dtype=np.int32) + np.repeat(starts - taken[:-1], sizes)
        return np.frombuffer(self._values, dtype=np.int32)[places] if len(places) else np.empty(0, np.int32), taken


def ends_of(sizes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Where lists of these sizes begin, one after another, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)])


def mask_digits(texts: Sequence[str]) -> list[str]:
    """Texts with every number made "0": that there is a number matters, not which."""
    return [_DIGITS.sub("0", text) for text in texts]


def ngrams_of_word(word: str, longest: int) -> Iterator[str]:
    """N-grams of the characters of a word with a space on either side."""
    padded = f" {word} "
    for length in range(1, min(longest, len(padded)) + 1):
        for start in range(len(padded) - length + 1):
            yield padded[start : start + length]
