"""What every classifier can do, and the folder it is saved in."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from annotation.errors import NewsmarkError
from models.settings import Settings

Report = Callable[[str, float, int], None]
"""Called while training with the name of a metric, its value and the step (epoch)."""

CORES: int = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1
"""Processor cores that this process may use."""

REVIEW_RISK = 0.2
"""A person should look at a passage where the probability that one of its labels is wrong is greater than this."""

_CARD = "newsmark.json"
_FORMATS = {"baseline": 6, "transformer": 5}
_EDGE = 1e-4  # scores are kept this far from 0 and 1 where their logarithm is taken


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


class SavedClassifier(Protocol):
    """A multi-label classifier of passages that can be used, saved and loaded."""

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage: n × labels, each in 0..1, rows independent of each other."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder; only safetensors, ONNX and JSON."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the model's files, without network and without running anything they contain."""
        ...


class Classifier(Protocol):
    """A multi-label classifier of passages that can be trained; one implementation a kind."""

    @classmethod
    def fit(cls, texts: Sequence[str], targets: NDArray[np.float32], settings: Settings, seed: int, report: Report, start: Self | None = None) -> Self:
        """Train on passages.

        Args:
            texts: n passages.
            targets: n × labels, 1 where the passage has the label.
            settings: the settings of this kind.
            seed: fixes everything random.
            report: told the losses on the way.
            start: a classifier fitted on other passages, to go on from; it stays as it is.
        """
        ...

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage: n × labels, each in 0..1, rows independent of each other."""
        ...

    def save(self, folder: Path) -> None:
        """Write what ``saved_class`` of its kind reads into an existing folder."""
        ...


@dataclass(frozen=True)
class Rule:
    """How a classifier's scores of a passage and its neighbours become the probability of one label, and this a decision.

    Platt's calibration (1999, "Probabilistic outputs for support vector machines"), which also listens to what the
    classifier says of the passages before and after: a menu entry stands among menu entries, a quotation goes on.

    Attributes:
        threshold: the label is given from this probability on.
        slope: of the passage's own logarithmic odds; 1 leaves them.
        intercept: added to them; 0 leaves them.
        before: weights of the logarithmic odds of every label of the passage before; empty for none.
        after: those of the passage after.
    """

    threshold: float = 0.5
    slope: float = 1.0
    intercept: float = 0.0
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()

    def calibrate(self, odds: NDArray[np.float64], column: int) -> NDArray[np.float64]:
        """Turn logarithmic odds (n × 3 × labels, see ``read_odds``) into probabilities of the label of one column."""
        total = self.slope * odds[:, 0, column] + self.intercept
        for place, weights in ((1, self.before), (2, self.after)):
            if weights:
                total = total + odds[:, place] @ np.asarray(weights)
        return logistic(total)


def logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities from logarithmic odds; never overflows."""
    return np.asarray((1 + np.tanh(odds / 2)) / 2)


def log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the odds of scores in 0..1, finite at both ends."""
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def read_odds(classifier: Classifier | SavedClassifier, excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
    """Logarithmic odds that a classifier gives n passages and their neighbours.

    Each text is classified once, however often it occurs.

    Returns:
        n × 3 × labels: of the passage, of the one before, of the one after; 0 where there is none.
    """
    numbers: dict[str, int] = {}
    for one in excerpts:
        for text in (one.text, *filter(None, one[1:])):
            numbers.setdefault(text, len(numbers))
    found = log_odds(classifier.scores(list(numbers)))
    rows = np.array([[numbers.get(text, 0) for text in one] for one in excerpts])
    odds: NDArray[np.float64] = found[rows]
    odds[np.array([[False, not one.before, not one.after] for one in excerpts])] = 0.0
    return odds


@dataclass(frozen=True)
class TrainedModel:
    """A classifier with what is needed to turn its scores into labels.

    Attributes:
        kind: ``baseline`` or ``transformer``.
        labels: label names, in the order of the score columns.
        exclusive: those of them that exclude all others.
        rules: one a label.
        classifier: the trained classifier.
        rates: share of the annotated passages it was trained on that have each label; empty where not known.
        version: kind and the beginning of the SHA-256 of its files; empty until it was saved.
    """

    kind: str
    labels: tuple[str, ...]
    exclusive: frozenset[str]
    rules: tuple[Rule, ...]
    classifier: Classifier | SavedClassifier
    rates: tuple[float, ...] = ()
    version: str = ""

    def scores(self, excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
        """Calibrated probability of each label for each passage: n × labels."""
        if not len(excerpts):
            return np.zeros((0, len(self.labels)))
        return calibrated(read_odds(self.classifier, excerpts), self.rules)

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


def calibrated(odds: NDArray[np.float64], rules: Sequence[Rule]) -> NDArray[np.float64]:
    """Turn logarithmic odds (n × 3 × labels, see ``read_odds``) into probabilities: n × labels."""
    return np.stack([rule.calibrate(odds, column) for column, rule in enumerate(rules)], axis=1)


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
    """Load the class that trains a kind; this imports its library."""
    found: type[Classifier] = getattr(importlib.import_module(f"models.{kind}"), kind.capitalize())
    return found


def saved_class(kind: str) -> type[SavedClassifier]:
    """Load the class that reads what was saved of a kind; this imports its library."""
    module = {"baseline": "tfidf", "transformer": "onnx"}[kind]
    found: type[SavedClassifier] = getattr(importlib.import_module(f"models.{module}"), module.capitalize())
    return found


def save_model(model: TrainedModel, folder: Path) -> None:
    """Save a model into an empty or new folder; its card ``newsmark.json`` is written last.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.classifier.save(folder)
    paths = [path for path in sorted(folder.iterdir()) if path.name != _CARD]
    decides = json.dumps([model.labels, sorted(model.exclusive), [vars(rule) for rule in model.rules]])
    content = hashlib.sha256("".join([*(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths), decides]).encode())
    card = {
        "format": _FORMATS[model.kind],
        "kind": model.kind,
        "version": f"{model.kind}-{content.hexdigest()[:12]}",
        "labels": model.labels,
        "exclusive": sorted(model.exclusive),
        "rules": [vars(rule) for rule in model.rules],
        "rates": model.rates,
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
        classifier = saved_class(card["kind"]).load(folder)
    except (NewsmarkError, ModuleNotFoundError):
        raise
    except Exception as error:
        raise NewsmarkError(f"{folder}: the model's files are damaged ({type(error).__name__}: {error}); copy the model again or train a new one") from error
    rules = tuple(Rule(**{**rule, "before": tuple(rule["before"]), "after": tuple(rule["after"])}) for rule in card["rules"])
    return TrainedModel(card["kind"], tuple(card["labels"]), frozenset(card["exclusive"]), rules, classifier, tuple(card["rates"]), str(card["version"]))


def read_version(folder: Path) -> str:
    """Version of a model that ``save_model`` wrote, without loading it.

    Raises:
        NewsmarkError: there is no such folder, or it is no newsmark model.
    """
    return str(_read_card(folder)["version"])


def is_model_folder(folder: Path) -> bool:
    """Whether ``save_model`` wrote this folder."""
    return (folder / _CARD).is_file()


def _read_card(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise NewsmarkError(f"{folder}: no such model folder")
    try:
        card: dict[str, Any] = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        if not (card["format"] == _FORMATS[card["kind"]] and card["labels"] and card["version"] and card["files"]):
            raise ValueError("not a card of this version")
        for _, rule in zip(card["labels"], card["rules"], strict=True):
            weights = [*rule["before"], *rule["after"]]
            if not 0 < Rule(**rule).threshold < 1 or not math.isfinite(rule["slope"] + rule["intercept"] + sum(weights)):
                raise ValueError("not a rule that can be applied")
            if {len(rule["before"]), len(rule["after"])} - {0, len(card["labels"])}:
                raise ValueError("not a weight for each label")
        frozenset(card["exclusive"])
        card["files"].items()
        tuple(card["rates"])
    except FileNotFoundError:
        raise NewsmarkError(f"{folder}: not a newsmark model: it holds no {_CARD}; name the folder that training wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NewsmarkError(f"{folder / _CARD}: not a model card that this version of newsmark reads; train the model again") from None
    return card
