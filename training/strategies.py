"""Ways of choosing which articles to annotate next, as ``train simulate`` compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..annotation.queue import doubt_by_label, expected_labels, in_shares, rarity_weights
from .dataset import LabelledPassages

_THRESHOLD = 0.5


@dataclass(frozen=True)
class Pool:
    """What can be chosen from.

    Attributes:
        data: n passages.
        vectors: n × features.
        waiting: articles that are not annotated yet, as indices of their passages.
        labelled: those that are.
        exclusive: labels of page furniture.
    """

    data: LabelledPassages
    vectors: Any
    waiting: tuple[NDArray[np.intp], ...]
    labelled: tuple[NDArray[np.intp], ...]
    exclusive: frozenset[str] = frozenset()

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Passages of the waiting articles, one article after the other."""
        return np.concatenate(self.waiting)

    @property
    def languages(self) -> list[str]:
        """Of the waiting articles."""
        return [str(self.data.languages[rows[0]]) for rows in self.waiting]

    @property
    def counts(self) -> dict[str, int]:
        """Number of annotated passages with each label."""
        return dict(zip(self.data.labels, self.data.truth[np.concatenate(self.labelled)].sum(axis=0).tolist(), strict=True))


Strategy = Callable[[Pool, NDArray[np.float64], int, np.random.Generator], list[int]]
"""Orders the waiting articles, by their indices; gets the pool, probabilities (passages × labels), the number of passages wanted, and chance."""


def _random(pool: Pool, _probabilities: NDArray[np.float64], _wanted: int, random: np.random.Generator) -> list[int]:
    """Any article."""
    order: list[int] = random.permutation(len(pool.waiting)).tolist()
    return order


def _uncertain(pool: Pool, probabilities: NDArray[np.float64], _wanted: int, _random: np.random.Generator) -> list[int]:
    """The articles whose passages the model is least certain of."""
    values = _doubts(pool, probabilities, dict.fromkeys(pool.data.labels, 1.0))
    return sorted(range(len(values)), key=lambda number: -values[number])


def _balanced(pool: Pool, probabilities: NDArray[np.float64], _wanted: int, _random: np.random.Generator) -> list[int]:
    """The same, with rare labels counting more and each language in its share."""
    values = _doubts(pool, probabilities, rarity_weights(pool.counts))
    rows = zip(range(len(values)), pool.languages, values, strict=True)
    return [int(key) for key in in_shares((f"{number:09}", language, value) for number, language, value in rows)]


def _rich(pool: Pool, probabilities: NDArray[np.float64], _wanted: int, _random: np.random.Generator) -> list[int]:
    """What ``annotate next`` does: the articles expected to have most labels per passage, rare ones counting more, each language in its share."""
    weights = rarity_weights({label: count for label, count in pool.counts.items() if label not in pool.exclusive})
    passages = [dict(zip(pool.data.labels, one, strict=True)) for one in probabilities.tolist()]
    ends = np.cumsum([len(rows) for rows in pool.waiting])
    values = [sum(expected_labels(passages[end - len(rows) : end], weights).values()) for rows, end in zip(pool.waiting, ends, strict=True)]
    rows = zip(range(len(values)), pool.languages, values, strict=True)
    return [int(key) for key in in_shares((f"{number:09}", language, value) for number, language, value in rows)]


def _diverse(pool: Pool, probabilities: NDArray[np.float64], wanted: int, _random: np.random.Generator) -> list[int]:
    """The same, and passages count less the nearer they are to an annotated or chosen one (cosine of their vectors), greedily.

    Source: density and diversity beside uncertainty, as in Settles and Craven 2008, "An analysis of active learning strategies for sequence labeling tasks".
    """
    values, languages = _doubts(pool, probabilities, rarity_weights(pool.counts), of_passages=True), pool.languages
    places = dict(zip(pool.rows.tolist(), range(len(pool.rows)), strict=True))
    of_article = [np.array([places[row] for row in rows.tolist()]) for rows in pool.waiting]
    vectors, known = (_unit(pool.vectors[rows]) for rows in (pool.rows, np.concatenate(pool.labelled)))
    nearest = _closeness(vectors, known)
    shares = {language: languages.count(language) for language in languages}
    taken, left, chosen, size = dict.fromkeys(shares, 0), set(range(len(of_article))), [], 0
    while left and size < wanted:
        language = min({languages[number] for number in left}, key=lambda one: ((taken[one] + 0.5) / shares[one], one))
        some = sorted(number for number in left if languages[number] == language)
        best = max(some, key=lambda number: float((values[of_article[number]] * (1 - nearest[of_article[number]])).mean()))
        left.discard(best)
        chosen.append(best)
        taken[language] += 1
        size += len(of_article[best])
        nearest = np.maximum(nearest, _closeness(vectors, vectors[of_article[best]]))
    return chosen + sorted(left)


STRATEGIES: dict[str, Strategy] = {"random": _random, "uncertain": _uncertain, "balanced": _balanced, "diverse": _diverse, "rich": _rich}
"""The ways by name."""


def _doubts(pool: Pool, probabilities: NDArray[np.float64], weights: dict[str, float], of_passages: bool = False) -> NDArray[np.float64]:
    """Doubt of each waiting article, or of each of their passages."""
    limits = dict.fromkeys(pool.data.labels, _THRESHOLD)
    passages = [dict(zip(pool.data.labels, one, strict=True)) for one in probabilities.tolist()]
    ends = np.cumsum([len(rows) for rows in pool.waiting])
    parts: Sequence[list[dict[str, float]]]
    parts = [[one] for one in passages] if of_passages else [passages[end - len(rows) : end] for rows, end in zip(pool.waiting, ends, strict=True)]
    return np.array([sum(doubt_by_label(part, limits, weights).values()) for part in parts])


def _unit(vectors: Any) -> Any:
    from sklearn.preprocessing import normalize

    return normalize(vectors)


def _closeness(vectors: Any, others: Any) -> NDArray[np.float64]:
    """Of n unit vectors, the largest cosine with one of the others, 0 at least."""
    found = vectors @ others.T
    largest = found.max(axis=1)
    return np.clip(np.asarray(largest.todense() if hasattr(largest, "todense") else largest).ravel(), 0, 1)
