"""The baseline: word and character TF-IDF with one logistic regression a label."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from models.classifier import Report
from models.settings import BaselineSettings
from models.tfidf import WordwiseTfidf

_FILE = "pipeline.skops"
_DIGITS = re.compile(r"\d+")


class Baseline:
    """TF-IDF and logistic regression in a scikit-learn pipeline, saved with skops."""

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
        report: Report,  # noqa: ARG003
        start: Self | None = None,
    ) -> Self:
        """Train; see ``Classifier.fit``. There is no iteration to report on; going on means training on all passages together."""
        masked, truth = _mask_digits(texts), targets.astype(np.int64)
        if start is not None and start.trained_on is not None:
            masked, truth = start.trained_on[0] + masked, np.concatenate([start.trained_on[1], truth])
        features = make_union(
            TfidfVectorizer(ngram_range=(1, settings.word_ngrams), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, settings.char_ngrams), sublinear_tf=True),
        )
        logistic = LogisticRegression(C=settings.C, class_weight="balanced", solver="liblinear", random_state=seed)
        pipeline = make_pipeline(features, OneVsRestClassifier(logistic))
        with warnings.catch_warnings():  # of labels that no passage has, or each: the caller tells
            warnings.filterwarnings("ignore", "Label .* is present in all training examples")
            return cls(pipeline.fit(masked, truth), (masked, truth))

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        features = self._features.transform(_mask_digits(texts))
        scores = np.asarray(self.pipeline[-1].predict_proba(features), dtype=np.float64)
        return scores if self.pipeline[-1].multilabel_ else scores[:, 1:]

    @cached_property
    def _features(self) -> WordwiseTfidf:
        return WordwiseTfidf(self.pipeline[0])

    def save(self, folder: Path) -> None:
        """Write ``pipeline.skops``, with each vocabulary as one text: as a dictionary of skops it would take a hundred times the time to read."""
        vectorizers = [vectorizer for _, vectorizer in self.pipeline[0].transformer_list]
        vocabularies = [vectorizer.vocabulary_ for vectorizer in vectorizers]
        try:
            for vectorizer, vocabulary in zip(vectorizers, vocabularies, strict=True):
                vectorizer.vocabulary_ = "\n".join(sorted(vocabulary, key=vocabulary.__getitem__))  # no term holds a line break
            skops.io.dump(self.pipeline, folder / _FILE, compression=ZIP_DEFLATED)
        finally:
            for vectorizer, vocabulary in zip(vectorizers, vocabularies, strict=True):
                vectorizer.vocabulary_ = vocabulary

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``pipeline.skops``, trusting scikit-learn's and NumPy's own types only."""
        # _ConstantPredictor stands for a label that no training passage has; skops does not list it among its trusted types.
        pipeline = skops.io.load(folder / _FILE, trusted=["sklearn.multiclass._ConstantPredictor"])
        for _, vectorizer in pipeline[0].transformer_list:
            vectorizer.vocabulary_ = {term: column for column, term in enumerate(vectorizer.vocabulary_.split("\n"))}
        return cls(pipeline)


def _mask_digits(texts: Sequence[str]) -> list[str]:
    """Texts with every number made "0": that there is a number matters, not which."""
    return [_DIGITS.sub("0", text) for text in texts]
