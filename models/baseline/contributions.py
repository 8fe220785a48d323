"""What each character of a text adds to the baseline's logarithmic odds: the weights of the n-grams that it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..words import TOKEN, mask_digits
from .reader import SavedBaseline, Terms

_READ = re.compile(r"\d+|\D")
_WORD = re.compile(r"\S+")
_Place = tuple[int, int, int, float]  # column, start, end, share of the n-gram's weight


def contributions(classifier: SavedBaseline, texts: Sequence[str]) -> list[NDArray[np.float64]]:
    """Divide the logarithmic odds of texts among their characters.

    The odds are the sum of what the n-grams add and of the intercept, so nothing is estimated: an n-gram of words is divided evenly among its
    words, and each part, or n-gram of characters, evenly among its characters. Together with the intercept they sum up to the odds.

    Returns:
        For each text an array, characters × labels. What a number of several digits adds is at its first digit.
    """
    parts = [(part, {term: column for column, term in enumerate(part.terms)}) for part in (classifier.words, classifier.characters)]
    (words, word_columns), (characters, character_columns) = parts
    longest_words, longest = (max((how(term) for term in part.terms), default=0) for part, how in ((words, _words_in), (characters, len)))
    found: list[NDArray[np.float64]] = []
    for text in texts:
        read, starts = _as_read(text)
        added = _spread(list(_word_places(read, word_columns, longest_words)), words, len(read))
        added += _spread(list(_character_places(read, character_columns, longest)), characters, len(read))
        own = np.zeros((len(text), len(classifier.intercepts)))
        np.add.at(own, starts, added)
        found.append(own)
    return found


def _words_in(term: str) -> int:
    return term.count(" ") + 1


def _as_read(text: str) -> tuple[str, list[int]]:
    """The text as n-grams are taken from it, with "0" for each number and in small letters; and where in the text each character of that begins."""
    starts = [match.start() for match in _READ.finditer(text) for _ in (match[0].lower() if not match[0].isdecimal() else "0")]
    return mask_digits([text])[0].lower(), starts


def _word_places(read: str, columns: dict[str, int], longest: int) -> Iterator[_Place]:
    tokens = [(match[0], *match.span()) for match in TOKEN.finditer(read)]
    for first in range(len(tokens)):
        for length in range(1, min(longest, len(tokens) - first) + 1):
            inside = tokens[first : first + length]
            column = columns.get(" ".join(token for token, _, _ in inside))
            if column is not None:
                yield from ((column, start, end, 1 / length) for _, start, end in inside)


def _character_places(read: str, columns: dict[str, int], longest: int) -> Iterator[_Place]:
    for match in _WORD.finditer(read):
        begin, end = match.span()
        padded = f" {match[0]} "
        for length in range(1, min(longest, len(padded)) + 1):
            for start in range(len(padded) - length + 1):
                column = columns.get(padded[start : start + length])
                if column is not None:
                    low, high = max(begin + start - 1, begin), min(begin + start - 1 + length, end)
                    yield (column, low, high, 1.0) if low < high else (column, begin, end, 1.0)  # the space beside a word belongs to all of it


def _spread(places: list[_Place], terms: Terms, length: int) -> NDArray[np.float64]:
    """Length × labels: what n-grams at these places add to each character."""
    steps = np.zeros((length + 1, terms.weights.shape[1]))
    if not places:
        return steps[:-1]
    columns, starts, ends = (np.array(one) for one in list(zip(*places, strict=True))[:3])
    shares = np.array([share for *_, share in places])
    used, which = np.unique(columns, return_inverse=True)
    counts = np.bincount(which, weights=shares)
    values = (1 + np.log(counts)) * terms.idf[used]
    known = np.ones(terms.weights[used].shape) if terms.known is None else terms.known[used]
    squares = values**2 @ known
    weights = (values / counts)[:, None] * terms.weights[used] / np.sqrt(np.where(squares > 0, squares, 1.0))
    added = weights[which] * (shares / (ends - starts))[:, None]
    np.add.at(steps, starts, added)
    np.add.at(steps, ends, -added)
    return np.asarray(steps.cumsum(axis=0)[:-1])
