"""The folder that a trained model is saved in: the classifier's own files, and the card ``newsmark.json``."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..annotation.errors import NewsmarkError
from .calibration import Calibration
from .kinds import KINDS
from .model import TrainedModel
from .spans import SpanFinder
from .topics import TopicModel

_CARD = "newsmark.json"


def save_model(model: TrainedModel, folder: Path) -> None:
    """Save a model into an empty or new folder; its card ``newsmark.json`` is written last.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.classifier.save(folder)
    model.spans.save(folder)
    if model.topics is not None:
        model.topics.save(folder)
    paths = [path for path in sorted(folder.iterdir()) if path.name != _CARD]
    card: dict[str, Any] = {
        "format": KINDS[model.kind].format,
        "kind": model.kind,
        "version": "",
        "labels": model.labels,
        "exclusive": sorted(model.exclusive),
        "rules": [vars(one) for one in model.calibrations],
        "rates": model.rates,
        "files": {path.name: path.stat().st_size for path in paths},
        "digests": {path.name: _digest(path) for path in paths},
    }
    card["version"] = _version_of(card)
    (folder / _CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> TrainedModel:
    """Load a model that ``save_model`` wrote.

    Raises:
        NewsmarkError: there is no such folder, it is no newsmark model, or a file of it is missing, truncated or changed.
    """
    card = _read_card(folder)
    for name, size in card["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            state = f"has {path.stat().st_size} bytes instead of {size}" if path.is_file() else "is missing"
            raise NewsmarkError(f"{path}: this file of the model {state}; copy the model again or train a new one")
    with ThreadPoolExecutor() as others:  # the files are checked while the reader starts: both take a fraction of a second
        digests = {name: others.submit(_digest, folder / name) for name in card.get("digests", {})}
        try:
            failure, classifier = None, KINDS[card["kind"]].load_reader().load(folder)
            spans = SpanFinder.load(folder, card["files"])
            topics = TopicModel.load(folder)
        except (NewsmarkError, ModuleNotFoundError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library raises for damaged files
            failure = error
    for name, digest in digests.items():
        if digest.result() != card["digests"][name]:
            raise NewsmarkError(f"{folder / name}: this file of the model was changed or damaged; copy the model again or train a new one")
    if digests and card["version"] != _version_of(card):
        raise NewsmarkError(f"{folder / _CARD}: this file of the model was changed or damaged; copy the model again or train a new one")
    if failure is not None:
        reason = f"{type(failure).__name__}: {failure}"
        raise NewsmarkError(f"{folder}: the model's files are damaged ({reason}); copy the model again or train a new one") from failure
    rules: list[dict[str, Any]] = [{key: tuple(value) if isinstance(value, list) else value for key, value in rule.items()} for rule in card["rules"]]
    calibrations = tuple(Calibration(**rule) for rule in rules)
    known = (card["kind"], tuple(card["labels"]), frozenset(card["exclusive"]), calibrations)
    return TrainedModel(*known, classifier, tuple(card["rates"]), str(card["version"]), spans, topics)


def copy_model(folder: Path, target: Path) -> None:
    """Copy the files of a model that ``save_model`` wrote, as they are, into a new folder.

    Raises:
        NewsmarkError: there is no such folder, or it is no newsmark model.
    """
    names = [*_read_card(folder)["files"], _CARD]
    target.mkdir(parents=True)
    for name in names:
        shutil.copyfile(folder / name, target / name)


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
        known = KINDS[card["kind"]].format
        if isinstance(card["format"], int) and card["format"] > known:
            found = f"{card['kind']} model of format {card['format']}, and this version of newsmark reads format {known}"
            raise NewsmarkError(f"{folder / _CARD}: {found}; install the newsmark that trained it, or a newer one")
        if not (card["format"] == known and card["labels"] and card["version"] and card["files"]):
            raise ValueError("not a card of this version")
        for _, rule in zip(card["labels"], card["rules"], strict=True):
            alone = rule.get("alone", [])  # models of former versions have none
            weights = [*rule["before"], *rule["after"], *alone]
            if not 0 < Calibration(**rule).threshold < 1 or not math.isfinite(rule["slope"] + rule["intercept"] + sum(weights)):
                raise ValueError("not a rule that can be applied")
            if {len(rule["before"]), len(rule["after"])} - {0, len(card["labels"])} or len(alone) not in {0, 2}:
                raise ValueError("not a weight for each label")
        frozenset(card["exclusive"])
        card["files"].items()
        if "digests" in card and not card["digests"].keys() == card["files"].keys():  # cards of 0.1.0 have none
            raise ValueError("not a digest of each file")
        tuple(card["rates"])
    except FileNotFoundError:
        raise NewsmarkError(f"{folder}: not a newsmark model: it holds no {_CARD}; name the folder that training wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NewsmarkError(f"{folder / _CARD}: not a model card that this version of newsmark reads; train the model again") from None
    return card


def _version_of(card: Mapping[str, Any]) -> str:
    """Kind and the beginning of the SHA-256 of all that decides what the model says: its files, its labels and their rules."""
    decides = json.dumps([card["labels"], card["exclusive"], card["rules"]])
    return f"{card['kind']}-{hashlib.sha256(''.join([*card['digests'].values(), decides]).encode()).hexdigest()[:12]}"


def _digest(path: Path) -> str:
    """SHA-256 of a file: the quickest sound hash of the standard library (on processors with SHA extensions, .3 s for 100 MB)."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
