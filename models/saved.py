"""The folder that a trained model is saved in: the classifier's own files, and the card ``newsmark.json``."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from ..annotation.errors import NewsmarkError
from .calibration import Calibration
from .kinds import KINDS
from .model import TrainedModel

_CARD = "newsmark.json"


def save_model(model: TrainedModel, folder: Path) -> None:
    """Save a model into an empty or new folder; its card ``newsmark.json`` is written last.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.classifier.save(folder)
    paths = [path for path in sorted(folder.iterdir()) if path.name != _CARD]
    decides = json.dumps([model.labels, sorted(model.exclusive), [vars(one) for one in model.calibrations]])
    content = hashlib.sha256("".join([*(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths), decides]).encode())
    card = {
        "format": KINDS[model.kind].format,
        "kind": model.kind,
        "version": f"{model.kind}-{content.hexdigest()[:12]}",
        "labels": model.labels,
        "exclusive": sorted(model.exclusive),
        "rules": [vars(one) for one in model.calibrations],
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
        classifier = KINDS[card["kind"]].load_reader().load(folder)
    except (NewsmarkError, ModuleNotFoundError):
        raise
    except Exception as error:
        raise NewsmarkError(f"{folder}: the model's files are damaged ({type(error).__name__}: {error}); copy the model again or train a new one") from error
    calibrations = tuple(Calibration(**{**rule, "before": tuple(rule["before"]), "after": tuple(rule["after"])}) for rule in card["rules"])
    return TrainedModel(card["kind"], tuple(card["labels"]), frozenset(card["exclusive"]), calibrations, classifier, tuple(card["rates"]), str(card["version"]))


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
        if not (card["format"] == KINDS[card["kind"]].format and card["labels"] and card["version"] and card["files"]):
            raise ValueError("not a card of this version")
        for _, rule in zip(card["labels"], card["rules"], strict=True):
            weights = [*rule["before"], *rule["after"]]
            if not 0 < Calibration(**rule).threshold < 1 or not math.isfinite(rule["slope"] + rule["intercept"] + sum(weights)):
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
