"""A way of choosing articles, measured on labelled articles before a user meets it.

From few articles on, each way chooses which ones are annotated next, a classifier is trained again, and so on; scores are of other articles.
Training is quick: the passages become vectors once, and only logistic regressions on these are fitted again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..annotation.errors import NewsmarkError
from .dataset import HARD_PAIRS, LabelledPassages
from .metrics import Interval, interval_of, macro_f1_of, outcomes
from .progress import Report
from .strategies import STRATEGIES, Pool

_PARTS = 4
_RESAMPLES = 1000


@dataclass(frozen=True)
class Plan:
    """How a simulation goes.

    Attributes:
        start: number of articles that are annotated at the beginning.
        articles: that are annotated at the end.
        batch: that are chosen by one model.
        repetitions: how often all of it is done, each time from other articles.
        choosing: score on other articles than usual, and draw others: for finding out which way is best, so that the usual ones stay unseen.
    """

    start: int = 20
    articles: int = 150
    batch: int = 10
    repetitions: int = 5
    choosing: bool = False

    @property
    def sizes(self) -> list[int]:
        """Numbers of annotated articles at which is scored."""
        return [*range(self.start, self.articles, self.batch), self.articles]

    @property
    def seeds(self) -> list[int]:
        """Of each repetition."""
        return [number + 1000 * self.choosing for number in range(self.repetitions)]


@dataclass(frozen=True)
class Material:
    """Articles whose labels are known.

    Attributes:
        data: n passages.
        vectors: n × features; dense or sparse.
        C: inverse strength of regularisation that suits these vectors.
        pool: articles to choose from, as indices of their passages.
        held_out: articles to score on, likewise.
        exclusive: labels of page furniture.
    """

    data: LabelledPassages
    vectors: Any
    C: float
    pool: tuple[NDArray[np.intp], ...]
    held_out: tuple[NDArray[np.intp], ...]
    exclusive: frozenset[str] = frozenset()

    @property
    def passages_per_article(self) -> float:
        """Mean over the pool."""
        return sum(map(len, self.pool)) / len(self.pool)


@dataclass(frozen=True)
class Way:
    """What a way of choosing gave.

    Attributes:
        macro_f1: after each size of the plan.
        articles: number of annotated articles then, the mean over the repetitions; all ways have annotated as many passages.
        mean: macro F1, the mean over all sizes after the first.
        against: how much higher that mean is than another way's, by its name.
    """

    macro_f1: tuple[Interval, ...]
    articles: tuple[float, ...]
    mean: Interval
    against: dict[str, Interval]


@dataclass(frozen=True)
class Simulation:
    """Ways of choosing by name, with the numbers of annotated passages at which they were scored, and what they were scored on."""

    ways: dict[str, Way]
    passages: tuple[int, ...]
    held_out: int


def make_material(data: LabelledPassages, vectors: Any, C: float, choosing: bool) -> Material:  # noqa: N803
    """Divide articles into those to choose from and those to score on, by the hashes of what they share with their translations.

    Args:
        data: n passages; hard pairs are no articles and are left out.
        vectors: n × features.
        C: see ``Material``.
        choosing: see ``Plan``.
    """
    groups: dict[str, int] = {str(group): int(sha256(str(group).encode()).hexdigest(), 16) % _PARTS for group in data.groups}
    articles: dict[str, list[int]] = {}
    for index, document in enumerate(data.documents.tolist()):
        if data.kinds[index] != HARD_PAIRS:
            articles.setdefault(document, []).append(index)
    by_part: list[list[NDArray[np.intp]]] = [[] for _ in range(_PARTS)]
    for rows in articles.values():
        by_part[groups[str(data.groups[rows[0]])]].append(np.asarray(rows))
    held_out = by_part[1 if choosing else 0]
    pool = [rows for part, some in enumerate(by_part) for rows in some if part > choosing]
    return Material(data, vectors, C, tuple(pool), tuple(held_out))


def fit_heads(material: Material, rows: NDArray[np.intp], targets: NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> list[Any]:
    """Fit a logistic regression per label on passages (k) that were judged for it; a number where nothing can be told apart.

    Args:
        material: the vectors.
        rows: indices of the passages.
        targets: k × labels, NaN where not judged.
        weights: k, how much each passage counts.
    """
    heads: list[Any] = []
    for column in targets.T:
        judged = np.flatnonzero(~np.isnan(column))
        truth = column[judged] > 0
        if not truth.any() or truth.all():
            heads.append(float(truth.any()))
            continue
        counts = None if weights is None else weights[judged]
        head = LogisticRegression(C=material.C, class_weight="balanced", max_iter=300, solver="liblinear" if issparse(material.vectors) else "lbfgs")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            heads.append(head.fit(material.vectors[rows[judged]], truth, sample_weight=counts))
    return heads


def probabilities_of(heads: Sequence[Any], vectors: Any) -> NDArray[np.float64]:
    """Probability of each label for each vector: n × labels."""
    columns = [np.full(vectors.shape[0], head) if isinstance(head, float) else head.predict_proba(vectors)[:, 1] for head in heads]
    return np.stack(columns, axis=1)


def count_errors(material: Material, heads: Sequence[Any]) -> NDArray[np.int64]:
    """Held-out articles × labels × (true positives, false positives, false negatives), at a threshold of one half."""
    rows = np.concatenate(material.held_out)
    given = probabilities_of(heads, material.vectors[rows]) >= 0.5
    truth, judged = material.data.truth[rows], material.data.judged[rows]
    starts = np.cumsum([0, *map(len, material.held_out)])[:-1]
    return np.asarray(np.add.reduceat(outcomes(truth, given & judged), starts, axis=0))


def simulate(material: Material, plan: Plan, report: Report) -> Simulation:
    """Let each way of choosing annotate articles, and score it after each batch.

    All ways annotate as many passages per batch, so that articles which are longer count as more work.

    Raises:
        NewsmarkError: there are too few articles.
    """
    if len(material.pool) < plan.articles or len(material.held_out) < 2:
        raise NewsmarkError(
            f"{len(material.pool)} articles to choose from and {len(material.held_out)} to score on are too few; give more, or lower --articles"
        )
    budgets = [round(size * material.passages_per_article) for size in plan.sizes]
    counts, used = [], []
    for name in STRATEGIES:
        repeated = [annotate_in_turn(material, budgets[0], [one - budgets[0] for one in budgets[1:]], name, seed) for seed in plan.seeds]
        counts.append([errors for errors, _ in repeated])
        used.append(np.mean([articles for _, articles in repeated], axis=0))
        report(f"{name}: done")
    ways = _compare(np.asarray(counts), used, plan)
    return Simulation(ways, tuple(budgets), len(material.held_out))


def annotate_in_turn(material: Material, first: int, budgets: Sequence[int], name: str, seed: int) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Annotate articles one after the other, with a new model after each budget.

    Args:
        material: the articles.
        first: number of passages annotated at the beginning, of random articles.
        budgets: numbers of passages that are annotated beyond those.
        name: of the strategy.
        seed: of chance.

    Returns:
        For the beginning and each budget: the errors (see ``count_errors``), and how many articles were annotated then.
    """
    random = np.random.default_rng(seed)
    waiting = random.permutation(len(material.pool)).tolist()
    labelled: list[int] = []
    heads: list[Any] = []
    errors, articles, size = [], [], 0
    for budget in (first, *(first + one for one in budgets)):
        if heads:
            pool = Pool(
                material.data, material.vectors, tuple(material.pool[one] for one in waiting), tuple(material.pool[one] for one in labelled), material.exclusive
            )
            waiting = [waiting[one] for one in STRATEGIES[name](pool, probabilities_of(heads, material.vectors[pool.rows]), budget - size, random)]
        while waiting and size < budget:
            labelled.append(waiting.pop(0))
            size += len(material.pool[labelled[-1]])
        rows = np.concatenate([material.pool[one] for one in labelled])
        heads = fit_heads(material, rows, material.data.targets[rows])
        errors.append(count_errors(material, heads))
        articles.append(len(labelled))
    return errors, articles


def resample(counts: NDArray[Any], score: Callable[[NDArray[Any]], NDArray[np.float64]], seed: int = 0) -> NDArray[np.float64]:
    """Bootstrap over held-out articles and repetitions together (Efron 1979); the same draw for all ways, so that differences are paired.

    Args:
        counts: ways × repetitions × sizes × articles × labels × 3.
        score: F1 of each label or macro F1 of such counts (see ``metrics.f1_of`` and ``metrics.macro_f1_of``).
        seed: of the resampling.

    Returns:
        Scores: resamples × ways × sizes, and labels where the score has them; the first one is of all articles and repetitions.
    """
    random = np.random.default_rng(seed)
    _, repetitions, _, articles, _, _ = counts.shape
    drawn = random.multinomial(articles, np.full(articles, 1 / articles), _RESAMPLES)
    weights = np.concatenate([np.ones((1, articles)), drawn])
    repeats = np.concatenate([np.ones((1, repetitions)), random.multinomial(repetitions, np.full(repetitions, 1 / repetitions), _RESAMPLES)])
    scores = score(np.einsum("ba,wrsalc->bwrslc", weights, counts, optimize=True))
    return np.asarray(np.einsum("br,bwrs...->bws...", repeats / repetitions, scores))


def _compare(counts: NDArray[np.int64], used: Sequence[NDArray[np.float64]], plan: Plan) -> dict[str, Way]:
    macro = resample(counts, macro_f1_of)
    means = macro[:, :, 1:].mean(axis=2)
    names = list(STRATEGIES)
    ways = {}
    for number, name in enumerate(names):
        curve = tuple(interval_of(macro[0, number, size], macro[1:, number, size]) for size in range(len(plan.sizes)))
        differences = means[:, [number]] - means
        against = {other: interval_of(differences[0, place], differences[1:, place]) for place, other in enumerate(names) if other != name}
        mean = interval_of(means[0, number], means[1:, number])
        ways[name] = Way(curve, tuple(np.round(used[number], 1).tolist()), mean, against)
    return ways
