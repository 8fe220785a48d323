"""The check that no passage stands, copied or translated, on both sides of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from annotation.errors import NewsmarkError
from training.dataset import UNKNOWN_LANGUAGE, LabelledPassages

_SHORTEST = 40  # characters; shorter passages repeat by nature ("Comment (0)")
_SHINGLE = 12  # characters
_CHUNK = 2000  # units compared with all others at once
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Unit:
    """What is compared: one passage, or a whole document as its passages."""

    passages: tuple[int, ...]
    texts: tuple[str, ...]
    language: str


def check_leaks(data: LabelledPassages, other: LabelledPassages | None, exclusive: frozenset[str]) -> None:
    """Fail when near-duplicate or translated passages could stand on both sides of a split.

    Passages of different groups are compared (or, where ``other`` is given, those of ``data`` with those of ``other``):
    as near duplicates, by their common 12-character shingles; in two languages as translations, passage by passage and
    document by document, by the numbers and names that a translation leaves alone. Page furniture
    (exclusive labels) and passages under 40 characters repeat by nature and are not compared. A translation that
    shares hardly a name or number with its original is not found.

    Raises:
        NewsmarkError: names the two passages and their documents.
    """
    against = data if other is None else other
    mine, others = _passages(data, exclusive), _passages(against, exclusive)
    for what, pairs in (
        ("a near duplicate", _near_duplicates(mine, others)),
        ("a translation", _translations(mine, others, fewest=4, jaccard=0.6)),
        ("a translation", _translations(_documents(data, mine), _documents(against, others), fewest=8, jaccard=0.2)),
    ):
        for one, two in pairs:
            if other is None and data.groups[one.passages[0]] == data.groups[two.passages[0]]:
                continue
            first, second = _closest(one, two)
            raise NewsmarkError(
                f"leak: {_cite(data, first)} is {what} of {_cite(against, second)}, so one would be trained on and the other scored; "
                "remove one of the documents, or give both the same source line"
            )


def _passages(data: LabelledPassages, exclusive: frozenset[str]) -> list[_Unit]:
    furniture = [column for column, name in enumerate(data.labels) if name in exclusive]
    long = np.array([len(_plain(text)) >= _SHORTEST for text in data.texts])
    indices = np.flatnonzero(long & ~data.targets[:, furniture].any(axis=1)).tolist()
    return [_Unit((index,), (data.texts[index],), str(data.languages[index])) for index in indices]


def _documents(data: LabelledPassages, passages: list[_Unit]) -> list[_Unit]:
    by_name: dict[tuple[str, str], list[_Unit]] = {}
    for unit in passages:
        by_name.setdefault((str(data.documents[unit.passages[0]]), str(data.groups[unit.passages[0]])), []).append(unit)
    return [_Unit(tuple(one.passages[0] for one in own), tuple(one.texts[0] for one in own), own[0].language) for own in by_name.values()]


def _near_duplicates(mine: list[_Unit], others: list[_Unit]) -> Iterator[tuple[_Unit, _Unit]]:
    return _similar(mine, others, _shingles, 1, 0.6)


def _translations(mine: list[_Unit], others: list[_Unit], fewest: int, jaccard: float) -> Iterator[tuple[_Unit, _Unit]]:
    return ((one, two) for one, two in _similar(mine, others, _anchors, fewest, jaccard) if one.language != two.language or one.language == UNKNOWN_LANGUAGE)


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


def _shingles(unit: _Unit) -> set[str]:
    plain = _plain(" ".join(unit.texts))
    return {plain[start : start + _SHINGLE] for start in range(max(1, len(plain) - _SHINGLE + 1))}


def _anchors(unit: _Unit) -> set[str]:
    """Numbers, and capitalised words that do not start a passage."""
    words = [pair for text in unit.texts for pair in enumerate(_WORD.findall(text))]
    return {word.casefold() for index, word in words if word.isdigit() or (index and len(word) > 2 and word[0].isupper())}


def _similar(mine: list[_Unit], others: list[_Unit], features: Callable[[_Unit], set[str]], fewest: int, jaccard: float) -> Iterator[tuple[_Unit, _Unit]]:
    """Pairs that share enough features: in number, and as a part of the features of both (Jaccard similarity)."""
    vectorizer = CountVectorizer(analyzer=features, dtype=np.int32)
    try:
        vectorizer.fit([*mine, *others])
    except ValueError:  # nothing has any feature
        return
    left, right = vectorizer.transform(mine), vectorizer.transform(others)
    left_sizes, right_sizes = np.diff(left.indptr), np.diff(right.indptr)
    for start in range(0, left.shape[0], _CHUNK):
        shared = (left[start : start + _CHUNK] @ right.T).tocoo()
        rows = shared.row + start
        union = left_sizes[rows] + right_sizes[shared.col] - shared.data
        enough = (shared.data >= fewest) & (shared.data >= jaccard * union)
        for row, column in zip(rows[enough], shared.col[enough], strict=True):
            yield mine[row], others[column]


def _closest(one: _Unit, two: _Unit) -> tuple[int, int]:
    """The passages of two units that share most names and numbers."""
    sides = [[(index, _anchors(_Unit((index,), (text,), ""))) for index, text in zip(unit.passages, unit.texts, strict=True)] for unit in (one, two)]
    first, second = max(product(*sides), key=lambda pair: len(pair[0][1] & pair[1][1]))
    return first[0], second[0]


def _cite(data: LabelledPassages, index: int) -> str:
    text = data.texts[index]
    return f"“{text if len(text) <= 60 else text[:59] + '…'}” ({data.documents[index]})"
