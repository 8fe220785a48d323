"""Learning what words are spelled like: a logistic regression on n-grams, weighted as in TF-IDF, of which each word adds its part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from ..words import mask_digits
from .reader import buckets_of

_BUCKETS = 262_144  # that n-grams share
_C = 10.0  # inverse strength of the regularisation


def learn_spelling(
    texts: Sequence[str], targets: NDArray[np.float32], counts: NDArray[np.float32], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Learn each label from the passages that were judged for it.

    A passage's vector has length 1, as that of TF-IDF has; its length is the root of a sum over its words here, and an n-gram that occurs twice
    counts twice.

    Args:
        texts: n passages.
        targets: n × labels; NaN where not judged.
        counts: how much each passage counts: n.
        seed: of the solver.

    Returns:
        What each bucket of n-grams adds to each label, and to the square of a passage's length (buckets × labels + 1), and an intercept per label.
    """
    split = [text.split() for text in mask_digits(texts)]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(split)))}
    in_texts = _counts([[numbers[word] for word in words] for words in split], len(numbers))
    found = in_texts @ _counts([buckets_of(word, _BUCKETS) for word in numbers], _BUCKETS)
    documents = np.bincount(found.indices, minlength=_BUCKETS)
    idf = np.where(documents > 0, np.log((1 + len(texts)) / (1 + documents)) + 1, 0.0)
    lengths = np.sqrt(np.maximum(found @ idf**2, 1e-9))
    vectors = (sparse.diags(1 / lengths) @ found @ sparse.diags(idf)).tocsr()
    weights, intercepts = np.zeros((_BUCKETS, targets.shape[1])), np.zeros(targets.shape[1])
    for column, target in enumerate(targets.T):
        judged = np.flatnonzero(~np.isnan(target))
        truth = target[judged] > 0
        if truth.any() and not truth.all():
            regression = LogisticRegression(C=_C, class_weight="balanced", solver="liblinear", random_state=seed)
            regression.fit(vectors[judged], truth, sample_weight=counts[judged])
            weights[:, column], intercepts[column] = regression.coef_[0], regression.intercept_[0]
    return np.column_stack([weights * idf[:, None], idf**2]), intercepts


def _counts(rows: Sequence[Sequence[int]], width: int) -> sparse.csr_matrix:
    """Count what is in each row, from its columns."""
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=ends[-1])
    counted = sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), width))
    counted.sum_duplicates()
    return counted
