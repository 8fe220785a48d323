"""What every classifier can do, and the folder it is saved in."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from annotation.errors import NewsmarkError
from models.settings import KINDS, Settings

Report = Callable[[str, float, int], None]
"""Called while training with the name of a metric, its value and the step (epoch)."""

REVIEW_RISK = 0.2
"""A person should look at a passage where the probability that one of its labels is wrong is greater than this."""

_CARD = "newsmark.json"
_FORMAT = 2
_EDGE = 1e-6  # scores are kept this far from 0 and 1 where their logarithm is taken


class Excerpt(NamedTuple):
    """A passage and what stands before and after it; "" where nothing does, or nothing is known."""

    text: str
    before: str = ""
    after: str = ""


def in_reading_order(texts: Sequence[str], documents: Sequence[Any] | None = None) -> list[Excerpt]:
    """Give passages their neighbours.

    Args:
        texts: n passages in reading order.
        documents: what each belongs to; neighbours are of one document. By default all belong to one.
    """
    padded = ["", *texts, ""]
    found = [Excerpt(*row) for row in zip(texts, padded, padded[2:], strict=False)]
    if documents is None:
        return found
    starts = [not index or documents[index] != documents[index - 1] for index in range(len(texts))] + [True]
    return [Excerpt(one.text, "" if starts[index] else one.before, "" if starts[index + 1] else one.after) for index, one in enumerate(found)]


class Classifier(Protocol):
    """A multi-label classifier of passages; one implementation a kind."""

    @classmethod
    def fit(cls, excerpts: Sequence[Excerpt], targets: NDArray[np.float32], settings: Settings, seed: int, report: Report, start: Self | None = None) -> Self:
        """Train on passages.

        Args:
            excerpts: n passages with their neighbours.
            targets: n × labels, 1 where the passage has the label.
            settings: the settings of this kind.
            seed: fixes everything random.
            report: told the losses on the way.
            start: a classifier fitted on other passages, to go on from; it stays as it is.
        """
        ...

    def scores(self, excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
        """Probability of each label for each passage: n × labels, each in 0..1, rows independent of each other."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder; only skops, safetensors and JSON."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the model's files, without network and without running anything they contain."""
        ...


@dataclass(frozen=True)
class Rule:
    """How a classifier's scores of one label become probabilities, and these a decision.

    Attributes:
        threshold: the label is given from this probability on.
        slope: of the logarithmic odds (Platt 1999, "Probabilistic outputs for support vector machines"); 1 leaves them.
        intercept: added to them; 0 leaves them.
    """

    threshold: float = 0.5
    slope: float = 1.0
    intercept: float = 0.0

    def calibrate(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores (in 0..1) into probabilities."""
        odds = self.slope * log_odds(scores) + self.intercept
        return np.asarray((1 + np.tanh(odds / 2)) / 2)  # the logistic function; never overflows


def log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the odds of scores in 0..1, finite at both ends."""
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


@dataclass(frozen=True)
class TrainedModel:
    """A classifier with what is needed to turn its scores into labels.

    Attributes:
        kind: ``baseline`` or ``transformer``.
        labels: label names, in the order of the score columns.
        exclusive: those of them that exclude all others.
        rules: one a label.
        classifier: the trained classifier.
        version: kind and the beginning of the SHA-256 of its files; empty until it was saved.
    """

    kind: str
    labels: tuple[str, ...]
    exclusive: frozenset[str]
    rules: tuple[Rule, ...]
    classifier: Classifier
    version: str = ""

    def scores(self, excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
        """Calibrated probability of each label for each passage: n × labels."""
        if not len(excerpts):
            return np.zeros((0, len(self.labels)))
        return calibrated(self.classifier.scores(excerpts), self.rules)

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
        thresholds = [rule.threshold if threshold is None else threshold for rule in self.rules]
        return decide(scores, thresholds, self.labels, self.exclusive)


def calibrated(scores: NDArray[np.float64], rules: Sequence[Rule]) -> NDArray[np.float64]:
    """Turn a classifier's scores (n × labels) into probabilities."""
    return np.stack([rule.calibrate(column) for rule, column in zip(rules, scores.T, strict=True)], axis=1)


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
    return np.asarray(np.where(decisions, 1 - scores, scores).max(axis=1, initial=0.0))


def classifier_class(kind: str) -> type[Classifier]:
    """Load the class of a kind; this imports its library."""
    found: type[Classifier] = getattr(importlib.import_module(f"models.{kind}"), kind.capitalize())
    return found


def save_model(model: TrainedModel, folder: Path) -> None:
    """Save a model into an empty or new folder; its card ``newsmark.json`` is written last.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.classifier.save(folder)
    paths = [path for path in sorted(folder.iterdir()) if path.name != _CARD]
    content = hashlib.sha256("".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths).encode())
    card = {
        "format": _FORMAT,
        "kind": model.kind,
        "version": f"{model.kind}-{content.hexdigest()[:12]}",
        "labels": model.labels,
        "exclusive": sorted(model.exclusive),
        "rules": [vars(rule) for rule in model.rules],
        "files": {path.name: path.stat().st_size for path in paths},
    }
    (folder / _CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> TrainedModel:
    """Load a model that ``save_model`` wrote.

    Raises:
        NewsmarkError: there is no such folder, it is no newsmark model, or a file of it is missing or truncated.
    """
    card = _read_card(folder)
    for name, size in card["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            state = f"has {path.stat().st_size} bytes instead of {size}" if path.is_file() else "is missing"
            raise NewsmarkError(f"{path}: this file of the model {state}; copy the model again or train a new one")
    try:
        classifier = classifier_class(card["kind"]).load(folder)
    except (NewsmarkError, ModuleNotFoundError):
        raise
    except Exception as error:
        raise NewsmarkError(f"{folder}: the model's files are damaged ({type(error).__name__}: {error}); copy the model again or train a new one") from error
    rules = tuple(Rule(**rule) for rule in card["rules"])
    return TrainedModel(card["kind"], tuple(card["labels"]), frozenset(card["exclusive"]), rules, classifier, str(card["version"]))


def is_model_folder(folder: Path) -> bool:
    """Whether ``save_model`` wrote this folder."""
    return (folder / _CARD).is_file()


def _read_card(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise NewsmarkError(f"{folder}: no such model folder")
    try:
        card: dict[str, Any] = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        if not (card["format"] == _FORMAT and card["kind"] in KINDS and card["labels"] and card["version"] and card["files"]):
            raise ValueError("not a card of this version")
        for _, rule in zip(card["labels"], card["rules"], strict=True):
            if not 0 < Rule(**rule).threshold < 1 or not math.isfinite(rule["slope"] + rule["intercept"]):
                raise ValueError("not a rule that can be applied")
        frozenset(card["exclusive"])
        card["files"].items()
    except FileNotFoundError:
        raise NewsmarkError(f"{folder}: not a newsmark model: it holds no {_CARD}; name the folder that training wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NewsmarkError(f"{folder / _CARD}: not a model card that this version of newsmark reads; train the model again") from None
    return card
