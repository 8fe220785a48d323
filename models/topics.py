"""The topics of articles: one line per topic over an article's vector, learned from annotated articles or made from the topic's definition."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from .calibration import logistic
from .classifier import Embeds

TOPIC_THRESHOLD = 0.5
"""A topic is given from this score on: a wrong one and a missing one cost an annotator one action each."""

_FACTS, _LINES = "topics.json", "topics.safetensors"
_MOST_PASSAGES = 64
"""Passages of an article that are read for its topics, evenly spread over it."""

_BUCKETS, _LETTERS = 1024, 4
_WORD = re.compile(r"\w+")
_LEAST = 1e-9


@dataclass(frozen=True)
class TopicPrediction:
    """The topics that a model gives an article.

    Attributes:
        topics: names of those given.
        scores: of each topic that the model knows, 0 to 1; of a learned topic, its probability (see ``TopicModel``).
    """

    topics: list[str]
    scores: dict[str, float]


@dataclass(frozen=True)
class TopicModel:
    """A line per topic over the vector of an article.

    A learned topic is a logistic regression. One that too few articles teach is compared by its definition: its score is 0.5 where the
    article is as near to the definition as one in a hundred articles of the cold-start corpus.

    Attributes:
        names: of the topics, in the order of the labels file.
        learned: whether each is learned; else it is compared by its definition.
        given: whether each may be given: a topic whose suggestions cost annotators more than they save is only scored.
        weights: topics × size of a vector.
        intercepts: one per topic.
    """

    names: tuple[str, ...]
    learned: tuple[bool, ...]
    given: tuple[bool, ...]
    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def scores(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score of each topic for n articles: n × topics, from their vectors (n × size)."""
        return logistic(vectors @ self.weights.T + self.intercepts)

    def predict(self, vector: NDArray[np.float64], threshold: float | None = None) -> TopicPrediction:
        """Decide on the topics of an article.

        Args:
            vector: of the article (see ``article_vector``).
            threshold: a topic is given from this score on, even one that is only scored else; None for ``TOPIC_THRESHOLD``.
        """
        scores = self.scores(vector[None])[0].tolist()
        given = [one if threshold is None else True for one in self.given]
        least = TOPIC_THRESHOLD if threshold is None else threshold
        topics = [name for name, score, may in zip(self.names, scores, given, strict=True) if may and score >= least]
        return TopicPrediction(topics, {name: round(score, 6) for name, score in zip(self.names, scores, strict=True)})

    def save(self, folder: Path) -> None:
        """Write ``topics.json`` and ``topics.safetensors`` into a model's folder."""
        facts = {"topics": [dict(zip(("name", "learned", "given"), one, strict=True)) for one in zip(self.names, self.learned, self.given, strict=True)]}
        (folder / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        save_file({"weights": np.ascontiguousarray(self.weights), "intercepts": np.ascontiguousarray(self.intercepts)}, folder / _LINES)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what ``save`` wrote; None where the model has no topics.

        Raises:
            ValueError: the files don't fit each other.
        """
        if not (folder / _FACTS).is_file():
            return None
        topics: list[dict[str, Any]] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))["topics"]
        lines = load_file(folder / _LINES)
        if not len(topics) == len(lines["weights"]) == len(lines["intercepts"]):
            raise ValueError("topics that don't fit their weights")
        names, learned, given = (tuple(one[key] for one in topics) for key in ("name", "learned", "given"))
        return cls(names, learned, given, lines["weights"], lines["intercepts"])


def article_vector(classifier: object, passages: Sequence[str]) -> NDArray[np.float64]:
    """Make the vector of an article: the mean of its passages' vectors, of length 1.

    Args:
        classifier: whose vectors are taken, where it makes any (see ``Embeds``); else words stand for themselves (see ``word_vectors``).
        passages: of the article, without what stands around it.
    """
    some = passages[:: -(-len(passages) // _MOST_PASSAGES)] if passages else [""]
    return unit(text_vectors(classifier, some).mean(axis=0))


def text_vectors(classifier: object, texts: Sequence[str]) -> NDArray[np.float64]:
    """Vectors of n texts: n × size (see ``article_vector``)."""
    return classifier.vectors(texts) if isinstance(classifier, Embeds) else word_vectors(texts)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors of the same directions and of length 1; 0 stays."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _LEAST))


def word_vectors(texts: Sequence[str]) -> NDArray[np.float64]:
    """Vectors (n × 1024) of the words of n texts and of their four-letter parts, so that forms of a word are near each other.

    Each has a place and a sign by its hash (feature hashing: Weinberger et al. 2009, https://arxiv.org/abs/0902.2206): nothing is learned or stored.
    """
    vectors = np.zeros((len(texts), _BUCKETS))
    for vector, text in zip(vectors, texts, strict=True):
        for word in _WORD.findall(text.lower()):
            padded = f" {word} "
            for part in {padded, *(padded[start : start + _LETTERS] for start in range(len(padded) - _LETTERS + 1))}:
                number = zlib.crc32(part.encode())
                vector[number % _BUCKETS] += 1 if number >> 31 else -1
    return vectors
