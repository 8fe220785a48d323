"""What every classifier can do, and the folder it is saved in."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from annotation.errors import NewsmarkError
from models.settings import KINDS, Settings

Report = Callable[[str, float, int], None]
"""Called while training with the name of a metric, its value and the step (epoch)."""

_CARD = "newsmark.json"
_FORMAT = 1


class Classifier(Protocol):
    """A multi-label classifier of passages; one implementation a kind."""

    @classmethod
    def fit(cls, texts: Sequence[str], targets: NDArray[np.float32], settings: Settings, seed: int, report: Report) -> Self:
        """Train on passages.

        Args:
            texts: n passages.
            targets: n × labels, 1 where the passage has the label.
            settings: the settings of this kind.
            seed: fixes everything random.
            report: told the losses on the way.
        """
        ...

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
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
class TrainedModel:
    """A classifier with what is needed to turn its scores into labels.

    Attributes:
        kind: ``baseline`` or ``transformer``.
        labels: label names, in the order of the score columns.
        exclusive: those of them that exclude all others.
        threshold: a label is given from this score on.
        classifier: the trained classifier.
        version: kind and the beginning of the SHA-256 of its files; empty until it was saved.
    """

    kind: str
    labels: tuple[str, ...]
    exclusive: frozenset[str]
    threshold: float
    classifier: Classifier
    version: str = ""

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage: n × labels."""
        if not len(texts):
            return np.zeros((0, len(self.labels)))
        return self.classifier.scores(texts)

    def decide(self, scores: NDArray[np.float64], threshold: float | None = None) -> NDArray[np.bool_]:
        """Turn scores into labels.

        An exclusive label stands alone: where it reaches the threshold together with others, the highest score decides
        which side is kept.

        Args:
            scores: n × labels, as ``scores`` gives them.
            threshold: instead of the model's own.

        Returns:
            n × labels.
        """
        return decide(scores, self.threshold if threshold is None else threshold, self.labels, self.exclusive)


def decide(scores: NDArray[np.float64], threshold: float, labels: Sequence[str], exclusive: frozenset[str]) -> NDArray[np.bool_]:
    """Turn scores into labels (see ``TrainedModel.decide``)."""
    given = scores >= threshold
    for column in (index for index, name in enumerate(labels) if name in exclusive):
        others = np.delete(np.arange(len(labels)), column)
        wins = given[:, column] & (scores[:, column] >= scores[:, others].max(axis=1, initial=0.0))
        given[:, column] = wins
        given[np.ix_(wins, others)] = False
    return given


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
        "threshold": model.threshold,
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
    return TrainedModel(card["kind"], tuple(card["labels"]), frozenset(card["exclusive"]), float(card["threshold"]), classifier, str(card["version"]))


def is_model_folder(folder: Path) -> bool:
    """Whether ``save_model`` wrote this folder."""
    return (folder / _CARD).is_file()


def _read_card(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise NewsmarkError(f"{folder}: no such model folder")
    try:
        card: dict[str, Any] = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        if not (card["format"] == _FORMAT and card["kind"] in KINDS and card["labels"] and card["version"] and card["files"] and 0 < card["threshold"] < 1):
            raise ValueError("not a card of this version")
        frozenset(card["exclusive"])
        card["files"].items()
    except FileNotFoundError:
        raise NewsmarkError(f"{folder}: not a newsmark model: it holds no {_CARD}; name the folder that training wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NewsmarkError(f"{folder / _CARD}: not a model card that this version of newsmark reads; train the model again") from None
    return card
