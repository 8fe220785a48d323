"""Where in a passage the span of a label begins and ends.

Three logistic regressions say of each word whether a span begins with it, goes over it, or ends with it: from the words around it, their shapes, quotation
marks, and how far the next number is, or from the vectors that an encoder makes of its tokens. The span is the stretch of words with the greatest sum of
logarithmic odds; of a label of which passages often have several spans, those stretches that together have the greatest sum. (A semi-Markov model of which the
parts are trained one by one; Sarawagi and Cohen 2004.)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from .classifier import TokenVectors

ROLES = ("begin", "inside", "end")

_ALONE = r"\u3040-\u309f\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # scripts without spaces: each character is a word
_WORD = re.compile(rf"[{_ALONE}]|\d+(?:[.,'’\u00a0\u202f ]\d{{3}}(?!\d)){{0,6}}(?:[.,:]\d+)?|[^\W\d_{_ALONE}]+|[^\w\s]")
_AROUND = 3  # words on each side that are looked at
_FAR = 9  # words from which on a number is far
_MOST = 1_000  # words of a passage; a longer one is no sentence, and a span as a whole
_LONGEST = 30  # words of a span of a label that has several in a passage
_EACH = 1.0  # logarithmic odds that one span more must be worth: a label that is wrongly given costs an edit for each
_INSIDE = 0.5  # weight of the words inside beside those at the borders
_ENDS = " \t\u00a0.。!?…।؟！？"


@dataclass(frozen=True)
class Borders:
    """What is known of the borders of a label's spans.

    Attributes:
        weights: of each feature, for the three roles; the intercept is that of "". None for a rule: all of the passage but its final punctuation.
        several: whether a passage may have several spans.
    """

    weights: tuple[Mapping[str, float], ...] | None = None
    several: bool = False

    def find(self, text: str) -> list[tuple[int, int]]:
        """Find the spans of a passage: offsets, in order; one at least."""
        if self.weights is None:
            return [(0, len(text.rstrip(_ENDS)) or len(text))]
        places = word_places(text)
        if not 0 < len(places) <= _MOST:
            return [(0, len(text))]
        known = features(text)
        odds = [[sum(value * weights.get(name, 0.0) for name, value in one.items()) + weights[""] for one in known] for weights in self.weights]
        return _spans(places, odds, self.several)


@dataclass(frozen=True)
class VectorBorders:
    """What is known of the borders of a label's spans, for a classifier that makes vectors of tokens.

    Attributes:
        weights: of each of the three roles, those of a word's vector; the intercept is the last.
        several: whether a passage may have several spans.
    """

    weights: tuple[tuple[float, ...], ...]
    several: bool = False

    def find(self, text: str, words: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Find the spans of a passage from its ``word_vectors``: offsets, in order; one at least."""
        places = word_places(text)
        if not 0 < len(places) <= _MOST:
            return [(0, len(text))]
        weights = np.array(self.weights)
        return _spans(places, (weights[:, :-1] @ words.T + weights[:, -1:]).tolist(), self.several)


def word_vectors(text: str, tokens: TokenVectors) -> NDArray[np.float32]:
    """Mean vector of the tokens of each word: words × size; 0 where there is no token."""
    places = np.array(word_places(text), dtype=np.intp).reshape(-1, 2)
    firsts = np.searchsorted(tokens.places[:, 1], places[:, 0], side="right")
    lasts = np.searchsorted(tokens.places[:, 0], places[:, 1], side="left")
    sums = np.concatenate([np.zeros_like(tokens.vectors[:1], dtype=np.float64), tokens.vectors.cumsum(axis=0, dtype=np.float64)])
    return np.asarray((sums[lasts] - sums[firsts]) / np.maximum(lasts - firsts, 1)[:, None], dtype=np.float32)


def _spans(places: Sequence[tuple[int, int]], odds: Sequence[Sequence[float]], several: bool) -> list[tuple[int, int]]:
    """Offsets of the best spans, from the odds of each of the three roles for each word."""
    begin, inside, end = odds
    choose = _best_stretches if several else _best_stretch
    return [(places[first][0], places[last][1]) for first, last in choose(begin, [_INSIDE * one for one in inside], end)]


def word_places(text: str) -> list[tuple[int, int]]:
    """Offsets of the words of a passage; a number is one, and so is each punctuation mark."""
    return [found.span() for found in _WORD.finditer(text)]


def features(text: str) -> list[dict[str, float]]:
    """Describe each word of a passage by names of features with their values."""
    words = _WORD.findall(text)
    low, shapes, quantities = [word.casefold() for word in words], list(map(_shape, words)), _quantities()
    kinds = [quantities.get(word, "") for word in low]
    numbers = [shape == "9" or kind == "number" for shape, kind in zip(shapes, kinds, strict=True)]
    behind, ahead = _distances(numbers), _distances(numbers[::-1])[::-1]
    own = [_of_word(*one) for one in zip(low, shapes, kinds, strict=True)]
    quoted = _quoted(words)
    found = []
    for place in range(len(words)):
        one = {f"q{quoted[place]}": 1.0, f"p{min(place, 4)}": 1.0, f"r{min(len(words) - 1 - place, 3)}": 1.0}
        for side, distance in (("b", behind[place]), ("a", ahead[place])):
            one[f"n{side}{distance}"] = one[f"n{side}{distance}{shapes[place]}"] = 1.0
        for step in range(-_AROUND, _AROUND + 1):
            if 0 <= place + step < len(words):
                one |= {f"{step}{name}": value for name, value in own[place + step]}
            else:
                one[f"{step}{'<' if step < 0 else '>'}"] = 1.0
        triple = [("<", "<"), *zip(shapes, kinds, strict=True), (">", ">")][place : place + 3]
        one["S" + "|".join(shape for shape, _ in triple[:2])] = one["T" + "|".join(shape for shape, _ in triple[1:])] = 1.0
        one["U" + "|".join(shape for shape, _ in triple)] = one["K" + "|".join(kind for _, kind in triple)] = 1.0
        found.append(one)
    return found


def _of_word(word: str, shape: str, kind: str) -> list[tuple[str, float]]:
    found = [(f"w{word}", 1.0), (f"s{shape}", 1.0), (f"k{kind}", 1.0)]
    if shape in {"x", "Xx"}:
        found += [(f"e{word[-2:]}", 0.5), (f"b{word[:4]}", 0.5), (f"l{min(len(word), 6)}", 0.5)]
    return found


def _shape(word: str) -> str:
    if word[0].isdigit():
        return "9"
    if not word[0].isalpha():
        return word
    return "XX" if len(word) > 1 and word.isupper() else "Xx" if word[0].isupper() else "x"


def _distances(numbers: Sequence[bool]) -> list[int]:
    found, distance = [], _FAR
    for number in numbers:
        distance = 0 if number else min(_FAR, distance + 1)
        found.append(distance)
    return found


def _quoted(words: Sequence[str]) -> list[int]:
    """Whether each word is in quotation marks, as far as these say which side they are of."""
    found, inside = [], 0
    for word in words:
        inside = 1 if word in {"«", "“", "„", "「", "『"} else 0 if word in {"»", "”", "」", "』"} else 1 - inside if word == '"' else inside
        found.append(inside)
    return found


@functools.cache
def _quantities() -> dict[str, str]:
    read = yaml.safe_load(Path(__file__).with_name("quantities.yaml").read_text(encoding="utf-8"))
    return {str(word): kind for name, kind in (("before", "before"), ("numbers", "number")) for words in read[name].values() for word in words}


def _best_stretch(begin: Sequence[float], inside: Sequence[float], end: Sequence[float]) -> list[tuple[int, int]]:
    """The stretch with the greatest sum; each word is looked at once."""
    best, answer = float("-inf"), (0, 0)
    opened, since = float("-inf"), 0  # the best sum of a stretch that goes over the present word
    for place in range(len(begin)):
        opened += inside[place]
        if begin[place] + inside[place] > opened:
            opened, since = begin[place] + inside[place], place
        if opened + end[place] > best:
            best, answer = opened + end[place], (since, place)
    return [answer]


def _best_stretches(begin: Sequence[float], inside: Sequence[float], end: Sequence[float]) -> list[tuple[int, int]]:
    """The stretches with the greatest sum together; the best one alone where none is worth it."""
    sums: list[float] = [0.0]
    back: list[int | None] = [None]
    for last in range(len(begin)):
        best, since, total = sums[-1], None, 0.0
        for first in range(last, max(-1, last - _LONGEST), -1):
            total += inside[first]
            if (value := sums[first] + begin[first] + total + end[last] - _EACH) > best:
                best, since = value, first
        sums.append(best)
        back.append(since)
    found, place = [], len(begin)
    while place:
        since = back[place]
        if since is not None:
            found.append((since, place - 1))
        place = place - 1 if since is None else since
    return found[::-1] or _best_stretch(begin, inside, end)
