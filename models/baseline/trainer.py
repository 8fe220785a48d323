"""The baseline: word and character TF-IDF with one logistic regression per label."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_union

from ..classifier import CORES, ReportMetric
from ..words import TOKEN, mask_digits
from .reader import SavedBaseline, Terms
from .settings import BaselineSettings


class Baseline:
    """TF-IDF of all passages, and for each label a logistic regression on those that were judged for it.

    Args:
        features: what makes TF-IDF vectors.
        regressions: one per label; a number where nothing could be told apart: 1 where all passages have the label, else 0.
        trained_on: texts, targets and weights, so that training can go on.
        known: n-grams × labels, see ``Terms``; None where all passages were judged for all labels.
    """

    def __init__(
        self,
        features: FeatureUnion,
        regressions: Sequence[LogisticRegression | float],
        trained_on: tuple[list[str], NDArray[np.float32], NDArray[np.float32]],
        known: NDArray[np.bool_] | None = None,
    ) -> None:
        self.features, self.regressions, self.trained_on, self.known = features, regressions, trained_on, known

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        targets: NDArray[np.float32],
        settings: BaselineSettings,
        seed: int,
        report: ReportMetric,  # noqa: ARG003
        start: Self | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> Self:
        """Train; see ``Classifier.fit``. There is no iteration to report on; going on means training on all passages together."""
        masked = mask_digits(texts)
        counts = np.ones(len(masked), dtype=np.float32) if weights is None else weights
        if start is not None:
            before, its_targets, its_counts = start.trained_on
            masked, targets, counts = before + masked, np.concatenate([its_targets, targets]), np.concatenate([its_counts, counts])
        features = make_features(settings)
        vectors = features.fit_transform(masked)

        def learn(targets: NDArray[np.float32]) -> LogisticRegression | float:
            judged = np.flatnonzero(~np.isnan(targets))
            truth = targets[judged].astype(np.int64)
            if not truth.any() or truth.all():
                return float(truth.any())
            regression = LogisticRegression(C=settings.C, class_weight="balanced", solver="liblinear", random_state=seed)
            return regression.fit(vectors[judged], truth, sample_weight=counts[judged])

        judged = ~np.isnan(targets)
        known = None if judged.all() else np.stack([vectors[np.flatnonzero(column)].getnnz(axis=0) > 0 for column in judged.T], axis=1)
        with ThreadPoolExecutor(CORES) as several:  # liblinear computes without Python's lock
            regressions = list(several.map(learn, targets.T))
        return cls(features, regressions, (masked, targets, counts), known)

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        return self._saved.scores(texts)

    def save(self, folder: Path) -> None:
        """Write what ``SavedBaseline`` reads."""
        self._saved.save(folder)

    @cached_property
    def _saved(self) -> SavedBaseline:
        vectorizers = [vectorizer for _, vectorizer in self.features.transformer_list]
        weights, intercepts = zip(*map(_line, self.regressions), strict=True)
        size, split = sum(len(one.vocabulary_) for one in vectorizers), [len(vectorizers[0].vocabulary_)]
        columns = np.split(np.vstack([np.broadcast_to(one, size) for one in weights]).T, split)
        knowns = [None, None] if self.known is None else [np.ascontiguousarray(part) for part in np.split(self.known, split)]
        words, characters = (
            Terms(one.get_feature_names_out().tolist(), one.idf_, np.ascontiguousarray(part), known)
            for one, part, known in zip(vectorizers, columns, knowns, strict=True)
        )
        return SavedBaseline(words, characters, np.array(intercepts))


def make_features(settings: BaselineSettings) -> FeatureUnion:
    """Make what turns passages with masked digits into TF-IDF vectors."""
    return make_union(
        TfidfVectorizer(ngram_range=(1, settings.word_ngrams), sublinear_tf=True, token_pattern=TOKEN.pattern),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, settings.char_ngrams), sublinear_tf=True),
    )


def _line(regression: LogisticRegression | float) -> tuple[NDArray[np.float64] | float, float]:
    """Weights and intercept of one label."""
    if isinstance(regression, float):
        return 0.0, np.inf if regression else -np.inf
    return regression.coef_[0], float(regression.intercept_[0])
