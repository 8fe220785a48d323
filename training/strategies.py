"""Ways of choosing which articles to annotate next, as ``train simulate`` compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..annotation.queue import in_shares
from .dataset import LabelledPassages


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
    def counts(self) -> NDArray[np.int64]:
        """Number of annotated passages with each label."""
        return np.asarray(self.data.truth[np.concatenate(self.labelled)].sum(axis=0))


Strategy = Callable[[Pool, NDArray[np.float64], int, np.random.Generator], list[int]]
"""Orders the waiting articles, by their indices; gets the pool, probabilities (passages × labels), the number of passages wanted, and chance."""


def _random(pool: Pool, _probabilities: NDArray[np.float64], _wanted: int, random: np.random.Generator) -> list[int]:
    """Any article."""
    order: list[int] = random.permutation(len(pool.waiting)).tolist()
    return order


def _uncertain(pool: Pool, probabilities: NDArray[np.float64], _wanted: int, _random: np.random.Generator) -> list[int]:
    """The articles whose passages the model is least certain of."""
    return _highest_first(_of_articles(pool, uncertainty(probabilities).sum(axis=1)))


def _balanced(pool: Pool, probabilities: NDArray[np.float64], _wanted: int, _random: np.random.Generator) -> list[int]:
    """The same, with rare labels counting more and each language in its share."""
    return _in_shares(pool, _of_articles(pool, uncertainty(probabilities) @ rarity_weights(pool.counts)))


def _rich(pool: Pool, probabilities: NDArray[np.float64], _wanted: int, _random: np.random.Generator) -> list[int]:
    """The articles expected to have most labels per passage, rare ones counting more and page furniture not, each language in its share."""
    wanted = np.array([label not in pool.exclusive for label in pool.data.labels])
    weights = np.zeros(len(wanted))
    weights[wanted] = rarity_weights(pool.counts[wanted])
    return _in_shares(pool, _of_articles(pool, probabilities @ weights))


def _diverse(pool: Pool, probabilities: NDArray[np.float64], wanted: int, _random: np.random.Generator) -> list[int]:
    """The same, and passages count less the nearer they are to an annotated or chosen one (cosine of their vectors), greedily.

    Source: density and diversity beside uncertainty, as in Settles and Craven 2008, "An analysis of active learning strategies for sequence labeling tasks".
    """
    values, languages = uncertainty(probabilities) @ rarity_weights(pool.counts), pool.languages
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


def uncertainty(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each answer in bits: 1 where the probability is one half, 0 where there is no doubt."""
    yes = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.asarray(-(yes * np.log2(yes) + (1 - yes) * np.log2(1 - yes)))


def rarity_weights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights of labels, 1 on average: one that fewer annotated passages have (``counts``) counts more, by the root of their number."""
    weights = 1 / np.sqrt(counts + 1)
    return np.asarray(weights / weights.mean())


def _of_articles(pool: Pool, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the passages of each waiting article, so that long ones are not preferred."""
    sizes = np.array(list(map(len, pool.waiting)))
    return np.asarray(np.add.reduceat(values, np.cumsum(sizes) - sizes) / sizes)


def _highest_first(values: NDArray[np.float64]) -> list[int]:
    order: list[int] = np.argsort(-values, kind="stable").tolist()
    return order


def _in_shares(pool: Pool, values: NDArray[np.float64]) -> list[int]:
    """The highest first, each language in its share."""
    languages = pool.languages
    return in_shares((number, languages[number]) for number in _highest_first(values))


def _unit(vectors: Any) -> Any:
    from sklearn.preprocessing import normalize

    return normalize(vectors)


def _closeness(vectors: Any, others: Any) -> NDArray[np.float64]:
    """Of n unit vectors, the largest cosine with one of the others, 0 at least."""
    found = vectors @ others.T
    largest = found.max(axis=1)
    return np.clip(np.asarray(largest.todense() if hasattr(largest, "todense") else largest).ravel(), 0, 1)
