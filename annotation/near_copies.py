"""Texts that are nearly the same, or say the same in another language: the features by which they are found."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from zlib import crc32

SHORTEST = 40
"""Characters of a text that is compared by shingles; shorter ones ("Comment (0)") are near copies only where they are equal."""

NEAR = 0.6
"""Jaccard similarity of the shingles of near copies, at least."""

_SHINGLE = 12  # characters
_WORD = re.compile(r"\w+")


def plain(text: str) -> str:
    """Reduce a text to its words in lower case, one space between them."""
    return re.sub(r"\W+", " ", text.casefold()).strip()


def shingles(text: str, shortest: int = SHORTEST) -> set[str]:
    """All runs of 12 characters of the plain text; where that has fewer characters than ``shortest``, the whole of it."""
    words = plain(text)
    if len(words) < shortest:
        return {words}
    return {words[start : start + _SHINGLE] for start in range(max(1, len(words) - _SHINGLE + 1))}


def anchors(texts: Iterable[str]) -> set[str]:
    """What a translation leaves alone: numbers, and capitalised words that do not start a passage."""
    words = [pair for text in texts for pair in enumerate(_WORD.findall(text))]
    return {word.casefold() for index, word in words if word.isdigit() or (index and len(word) > 2 and word[0].isupper())}


class NearCopies:
    """Texts, found again by what is nearly the same.

    Args:
        known: the first texts.
        one_in: compare one in this number of shingles, chosen by their hashes (Broder 1997, "On the resemblance and containment of documents"):
            whole articles have more than the memory can hold.
    """

    def __init__(self, known: Iterable[str] = (), one_in: int = 1) -> None:
        self._sizes: list[int] = []
        self._with: dict[str, list[int]] = defaultdict(list)
        self._one_in = one_in
        for text in dict.fromkeys(known):
            self._insert(self._features(text))  # they may be near copies of each other: looking for those would take longest

    def add(self, text: str) -> bool:
        """Add a text, unless there is a near copy of it; says whether it was added."""
        features = self._features(text)
        if any(True for _ in self._find(features)):
            return False
        self._insert(features)
        return True

    def find(self, text: str) -> list[tuple[int, float]]:
        """Find the near copies of a text: the number of each, in the order in which different texts came, and its similarity."""
        return list(self._find(self._features(text)))

    def _features(self, text: str) -> set[str]:
        whole = shingles(text)
        return {one for one in whole if crc32(one.encode()) % self._one_in == 0} or whole

    def _find(self, features: set[str]) -> Iterator[tuple[int, float]]:
        common = Counter(number for one in features for number in self._with.get(one, ()))
        for number, count in common.items():
            similarity = count / (len(features) + self._sizes[number] - count)
            if similarity >= NEAR:
                yield number, similarity

    def _insert(self, features: set[str]) -> None:
        for one in features:
            self._with[one].append(len(self._sizes))
        self._sizes.append(len(features))
