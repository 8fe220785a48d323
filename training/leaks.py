"""The check that no passage stands, copied or translated, on both sides of a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from ..annotation.errors import NewsmarkError
from ..annotation.near_copies import NEAR, SHORTEST, anchors, plain, shingles
from .dataset import UNKNOWN_LANGUAGE, LabelledPassages

_CHUNK = 2000  # units compared with all others at once


@dataclass(frozen=True)
class Unit:
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
    for what, one, two in _twins(data, against, exclusive):
        if other is None and data.groups[one.passages[0]] == data.groups[two.passages[0]]:
            continue
        first, second = _closest(one, two)
        raise NewsmarkError(
            f"leak: {_cite(data, first)} is {what} of {_cite(against, second)}, so one would be trained on and the other scored; "
            "remove one of the documents, or give both the same source line (rows of passages: the same 'document')"
        )


def with_twins_together(data: LabelledPassages, alone: NDArray[np.bool_], exclusive: frozenset[str]) -> LabelledPassages:
    """Put passages that stand alone into one group with their near duplicates and translations, which ``check_leaks`` would refuse.

    Args:
        data: n passages.
        alone: of each, whether it stands alone; the others keep to their document, and two documents that are alike remain a leak.
        exclusive: labels of page furniture, which is not compared.
    """
    names, numbers = np.unique(data.groups, return_inverse=True)
    first, second = [], []
    for _, one, two in _twins(data, data, exclusive):
        if alone[[one.passages[0], two.passages[0]]].any():
            first.append(numbers[one.passages[0]])
            second.append(numbers[two.passages[0]])
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    _, parts = connected_components(links, directed=False)
    representatives = names[np.unique(parts, return_index=True)[1]]
    return replace(data, groups=representatives[parts[numbers]])


def _twins(data: LabelledPassages, against: LabelledPassages, exclusive: frozenset[str]) -> Iterator[tuple[str, Unit, Unit]]:
    """Passages and documents of two sides that are alike: what the first is of the second, and both; each is also its own near duplicate."""
    mine, others = (as_units(one, compared_rows(one, exclusive)) for one in (data, against))
    for what, pairs in (
        ("a near duplicate", near_duplicates(mine, others)),
        ("a translation", _translations(mine, others, fewest=4, jaccard=0.6)),
        ("a translation", _translations(_documents(data, mine), _documents(against, others), fewest=8, jaccard=0.2)),
    ):
        yield from ((what, one, two) for one, two, _ in pairs)


def is_furniture(data: LabelledPassages, exclusive: frozenset[str]) -> NDArray[np.bool_]:
    """Say of each passage whether it is page furniture: whether it has an exclusive label."""
    columns = [column for column, name in enumerate(data.labels) if name in exclusive]
    return np.asarray(data.truth[:, columns].any(axis=1))


def compared_rows(data: LabelledPassages, exclusive: frozenset[str]) -> NDArray[np.intp]:
    """Find the passages that do not repeat by nature: no page furniture (exclusive labels), none under 40 characters."""
    long = np.array([len(plain(text)) >= SHORTEST for text in data.texts], dtype=bool)
    return np.flatnonzero(long & ~is_furniture(data, exclusive))


def as_units(data: LabelledPassages, rows: NDArray[np.intp]) -> list[Unit]:
    """Make a unit of each passage with these indices."""
    return [Unit((index,), (data.texts[index],), str(data.languages[index])) for index in rows.tolist()]


def _documents(data: LabelledPassages, passages: list[Unit]) -> list[Unit]:
    by_name: dict[tuple[str, str], list[Unit]] = {}
    for unit in passages:
        by_name.setdefault((str(data.documents[unit.passages[0]]), str(data.groups[unit.passages[0]])), []).append(unit)
    return [Unit(tuple(one.passages[0] for one in own), tuple(one.texts[0] for one in own), own[0].language) for own in by_name.values()]


def near_duplicates(mine: list[Unit], others: list[Unit], jaccard: float = NEAR) -> Iterator[tuple[Unit, Unit, float]]:
    """Find pairs whose 12-character shingles have at least this Jaccard similarity, and one in common; a unit is its own near duplicate."""
    return _similar(mine, others, _shingles, 1, jaccard)


def _translations(mine: list[Unit], others: list[Unit], fewest: int, jaccard: float) -> Iterator[tuple[Unit, Unit, float]]:
    pairs = _similar(mine, others, _anchors, fewest, jaccard)
    return (pair for pair in pairs if pair[0].language != pair[1].language or pair[0].language == UNKNOWN_LANGUAGE)


def _shingles(unit: Unit) -> set[str]:
    return shingles(" ".join(unit.texts), shortest=0)


def _anchors(unit: Unit) -> set[str]:
    return anchors(unit.texts)


def _similar(mine: list[Unit], others: list[Unit], features: Callable[[Unit], set[str]], fewest: int, jaccard: float) -> Iterator[tuple[Unit, Unit, float]]:
    """Pairs that share enough features, in number and as a part of the features of both (Jaccard similarity), with this part."""
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
        for row, column, part in zip(rows[enough], shared.col[enough], (shared.data / union)[enough], strict=True):
            yield mine[row], others[column], float(part)


def _closest(one: Unit, two: Unit) -> tuple[int, int]:
    """The passages of two units that share most names and numbers."""
    sides = [[(index, anchors([text])) for index, text in zip(unit.passages, unit.texts, strict=True)] for unit in (one, two)]
    first, second = max(product(*sides), key=lambda pair: len(pair[0][1] & pair[1][1]))
    return first[0], second[0]


def _cite(data: LabelledPassages, index: int) -> str:
    text = data.texts[index]
    return f"“{text if len(text) <= 60 else text[:59] + '…'}” ({data.names[index]})"
