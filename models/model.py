"""A trained model: a classifier, its calibrations, and the decisions that follow from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration, calibrated, read_odds, with_pages
from .classifier import Classifier, ReadsBeginnings, SavedClassifier
from .context import PassageInContext
from .spans import SpanFinder
from .topics import TopicModel, TopicPrediction, article_vector

REVIEW_RISK = 0.2
"""A passage needs review where the probability that one of its labels is wrong is greater than this."""


@dataclass(frozen=True)
class TrainedModel:
    """A classifier with what is needed to turn its scores into labels.

    Attributes:
        kind: its kind, see ``kinds``.
        labels: label names, in the order of the score columns.
        exclusive: those of them that exclude all others.
        calibrations: one per label.
        classifier: the trained classifier.
        rates: share of the annotated passages it was trained on that have each label; empty where not known.
        version: kind and the beginning of the SHA-256 of its files; empty until it was saved.
        spans: finds the spans of labelled passages.
        topics: gives articles topics; None where no topics were annotated, or the model is older than that.
    """

    kind: str
    labels: tuple[str, ...]
    exclusive: frozenset[str]
    calibrations: tuple[Calibration, ...]
    classifier: Classifier | SavedClassifier
    rates: tuple[float, ...] = ()
    version: str = ""
    spans: SpanFinder = field(default_factory=SpanFinder)
    topics: TopicModel | None = None

    def scores(self, contexts: Sequence[PassageInContext]) -> NDArray[np.float64]:
        """Calibrated probability of each label for each passage: n × labels.

        What stands around an article has a label that excludes all others: this is the one that pages say something about.
        """
        if not len(contexts):
            return np.zeros((0, len(self.labels)))
        furniture = [column for column, name in enumerate(self.labels) if name in self.exclusive]
        thresholds = [self.calibrations[column].threshold for column in furniture]
        return with_pages(calibrated(read_odds(self.classifier, contexts), self.calibrations), contexts, furniture, thresholds)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Whether the classifier reads only the beginning of each text."""
        return self.classifier.truncates(texts) if isinstance(self.classifier, ReadsBeginnings) else [False] * len(texts)

    def predict_topics(self, passages: Sequence[str], labels: Sequence[Sequence[str]], threshold: float | None = None) -> TopicPrediction:
        """Decide on the topics of an article, by its passages that have no label that excludes all others.

        Args:
            passages: n passages of the article.
            labels: names of the labels that each was given.
            threshold: a topic is given from this score on, whatever was measured of it; by default only where its suggestions are of use.
        """
        if self.topics is None:
            return TopicPrediction([], {})
        inside = [text for text, names in zip(passages, labels, strict=True) if self.exclusive.isdisjoint(names)]
        return self.topics.predict(article_vector(self.classifier, inside or passages), threshold)

    def decide(self, scores: NDArray[np.float64], threshold: float | None = None) -> NDArray[np.bool_]:
        """Turn scores into labels.

        An exclusive label stands alone: where it reaches its threshold together with others, the highest score decides
        which side is kept.

        Args:
            scores: n × labels, as ``scores`` gives them.
            threshold: instead of the model's own.

        Returns:
            n × labels.
        """
        thresholds = [rule.threshold if threshold is None else threshold for rule in self.calibrations]
        return decide(scores, thresholds, self.labels, self.exclusive)


def decide(scores: NDArray[np.float64], thresholds: Sequence[float], labels: Sequence[str], exclusive: frozenset[str]) -> NDArray[np.bool_]:
    """Turn scores into labels (see ``TrainedModel.decide``)."""
    given = scores >= np.asarray(thresholds)
    for column in (index for index, name in enumerate(labels) if name in exclusive):
        others = np.delete(np.arange(len(labels)), column)
        rival = np.where(given[:, others], scores[:, others], 0.0).max(axis=1, initial=0.0)
        wins = given[:, column] & (scores[:, column] >= rival)
        given[:, column] = wins
        given[np.ix_(wins, others)] = False
    return given


def risk(scores: NDArray[np.float64], decisions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probability that the least certain of a passage's labels is wrong: n, from probabilities and decisions (n × labels)."""
    return np.asarray(risks_of(scores, decisions).max(axis=1, initial=0.0))


def risks_of(scores: NDArray[np.float64], decisions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probability that each decision is wrong: n × labels, from probabilities and decisions."""
    return np.asarray(np.where(decisions, 1 - scores, scores))
