"""The baseline: word and character TF-IDF with one logistic regression per label."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from ..baseline.settings import BaselineSettings
from ..classifier import ReportMetric
from .reader import TOKEN, SavedBaseline, Terms, mask_digits


class Baseline:
    """TF-IDF and logistic regression in a scikit-learn pipeline."""

    def __init__(self, pipeline: Pipeline, seen: tuple[list[str], NDArray[np.int64]] | None = None) -> None:
        self.pipeline = pipeline
        self.trained_on = seen  # what it was trained on, so that training can go on

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        targets: NDArray[np.float32],
        settings: BaselineSettings,
        seed: int,
        report: ReportMetric,  # noqa: ARG003
        start: Self | None = None,
    ) -> Self:
        """Train; see ``Classifier.fit``. There is no iteration to report on; going on means training on all passages together."""
        masked, truth = mask_digits(texts), targets.astype(np.int64)
        if start is not None and start.trained_on is not None:
            masked, truth = start.trained_on[0] + masked, np.concatenate([start.trained_on[1], truth])
        features = make_union(
            TfidfVectorizer(ngram_range=(1, settings.word_ngrams), sublinear_tf=True, token_pattern=TOKEN.pattern),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, settings.char_ngrams), sublinear_tf=True),
        )
        logistic = LogisticRegression(C=settings.C, class_weight="balanced", solver="liblinear", random_state=seed)
        pipeline = make_pipeline(features, OneVsRestClassifier(logistic))
        with warnings.catch_warnings():  # of labels that no passage has, or each: the caller reports them
            warnings.filterwarnings("ignore", "Label .* is present in all training examples")
            return cls(pipeline.fit(masked, truth), (masked, truth))

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        return self._saved.scores(texts)

    def save(self, folder: Path) -> None:
        """Write what ``SavedBaseline`` reads."""
        self._saved.save(folder)

    @cached_property
    def _saved(self) -> SavedBaseline:
        union, logistic = self.pipeline
        vectorizers = [vectorizer for _, vectorizer in union.transformer_list]
        weights, intercepts = zip(*map(_line, logistic.estimators_), strict=True)
        columns = np.split(np.vstack([np.broadcast_to(one, logistic.n_features_in_) for one in weights]).T, [len(vectorizers[0].vocabulary_)])
        words, characters = (
            Terms(one.get_feature_names_out().tolist(), one.idf_, np.ascontiguousarray(part)) for one, part in zip(vectorizers, columns, strict=True)
        )
        return SavedBaseline(words, characters, np.array(intercepts))


def _line(estimator: Any) -> tuple[NDArray[np.float64] | float, float]:
    """Weights and intercept of one label; scikit-learn puts a constant where no training passage has it, or each."""
    if isinstance(estimator, LogisticRegression):
        return estimator.coef_[0], float(estimator.intercept_[0])
    return 0.0, np.inf if estimator.y_[0] else -np.inf
