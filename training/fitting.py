"""Fitting classifiers of one configuration: on the cold-start corpus, then in each fold of a cross-validation."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from tqdm import tqdm

from ..annotation.errors import NewsmarkError
from ..annotation.labels import LabelScheme
from ..models.calibration import Calibration, calibrated, read_odds
from ..models.classifier import Classifier, SavedClassifier
from ..models.kinds import KINDS
from ..models.model import decide
from .calibration import fit_calibrations
from .config import Config
from .dataset import LabelledPassages, load_labelled, load_passages
from .leaks import check_leaks
from .metrics import score
from .recorder import Recorder
from .splits import Fold, hold_out
from .tracking import git_commit

Say = Callable[[str], None]
TUNING_PARTS = 8
"""One of so many parts of the cold-start corpus is not trained on, but kept for calibration and thresholds."""


def leads() -> bool:
    """Whether this process tells and logs: of those that ``accelerate launch`` or ``torchrun`` started together, the first."""
    return os.environ.get("RANK", "0") == "0"


def tell(line: str) -> None:
    """Print a line to standard error, from the process that leads."""
    if leads():
        print(line, file=sys.stderr)


@dataclass(frozen=True)
class Material:
    """What a run trains on: annotated passages, and the cold-start corpus where there is one."""

    data: LabelledPassages
    bootstrap: LabelledPassages | None


def log_inputs(log: Recorder, config: Config, material: Material, scored_on: str) -> None:
    """Log the flattened configuration, the git commit, the digests of the data, and what the run is scored on."""
    data, digest = material.data, material.data.digest
    found = {"passages": len(data.texts), "languages": ", ".join(sorted(set(data.languages)))}
    log.log_params(config.flat() | found | {"data_digest": digest, "bootstrap_digest": material.bootstrap.digest if material.bootstrap else ""})
    log.set_tags({"git_commit": git_commit(), "scored_on": scored_on})
    log.log_passages(pd.DataFrame({"text": data.texts, "document": data.documents, "name": data.names, "lang": data.languages}), digest)


def load_material(config: Config, scheme: LabelScheme, held_out: LabelledPassages | None, say: Say) -> Material:
    """Read what to train on.

    Args:
        config: names it.
        scheme: labels and topics.
        held_out: a test file's passages, which must not be in there.
        say: told what was found.

    Raises:
        NewsmarkError: the input is not usable, or a passage stands on both sides.
    """
    data = load_passages(config.data.documents, config.data.annotations, config.data.labels)
    check_leaks(data, None, scheme.exclusive_names)
    if held_out:
        check_leaks(data, held_out, scheme.exclusive_names)
    say(f"{len(data.texts)} passages of {len(set(data.documents))} documents in {len(set(data.groups))} articles, digest {data.digest[:12]}")
    if not config.data.bootstrap:
        return Material(data, None)
    bootstrap = load_labelled(Path(config.data.bootstrap), scheme)
    for other in (data, held_out):
        if other:
            check_leaks(bootstrap, other, scheme.exclusive_names)
    say(f"{len(bootstrap.texts)} passages of the cold-start corpus {config.data.bootstrap}, digest {bootstrap.digest[:12]}: for training only")
    return Material(data, bootstrap)


@dataclass(frozen=True)
class Start:
    """Where each fit begins.

    Attributes:
        classifier: trained on the cold-start corpus; None where there is none.
        tuning: the part of the corpus that it was not trained on.
    """

    classifier: Classifier | None = None
    tuning: LabelledPassages | None = None

    def tuning_odds(self, classifier: Classifier | SavedClassifier) -> NDArray[np.float64] | None:
        """Logarithmic odds that a classifier gives the corpus's held-out part."""
        return read_odds(classifier, self.tuning.contexts) if self.tuning else None

    def learn_calibrations(self, odds: NDArray[np.float64], targets: NDArray[np.float32], tuning_odds: NDArray[np.float64] | None) -> tuple[Calibration, ...]:
        """Learn calibration and thresholds from passages not trained on: these (n × 3 × labels), and the corpus's held-out part."""
        if self.tuning is None or tuning_odds is None:
            return fit_calibrations(odds, targets)
        return fit_calibrations(np.concatenate([odds, tuning_odds]), np.concatenate([targets, self.tuning.targets]))


@dataclass(frozen=True)
class OutOfFold:
    """What a cross-validation says of n passages, each by a classifier that was not trained on it.

    Attributes:
        rows: indices of the passages that calibration and thresholds may be learned from: of those judged, all but left-out languages.
        odds: logarithmic odds that the classifiers give the passages and their neighbours, n × 3 × labels.
        probabilities: calibrated by what the other folds teach, n × labels.
        decisions: by thresholds that the other folds teach, n × labels.
        majority: the commonest answer of the training passages, n × labels.
    """

    rows: NDArray[np.intp]
    odds: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.bool_]
    majority: NDArray[np.bool_]


class Trainer:
    """Fits classifiers of one configuration, telling and logging what happens on the way.

    On a terminal a bar shows how far it is, elsewhere each epoch is a line.
    """

    def __init__(self, log: Recorder, config: Config, fits: int, begins: bool, say: Say) -> None:
        self.log, self.config, self._say = log, config, say
        first, further = getattr(config.settings, "epochs", 1), getattr(config.settings, "further_epochs", 1)
        self.epochs = first
        total = first + fits * further if begins else fits * first
        self.bar = tqdm(total=total, unit="epoch", disable=None if leads() else True, file=sys.stderr, leave=False)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.clear()
        self._say(line)
        self.bar.refresh()

    def learns_from(self, languages: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Which passages of these languages may be trained on."""
        return ~np.isin(languages, self.config.data.leave_out_languages)

    def fit(self, data: LabelledPassages, start: Start) -> Classifier:
        """Fit on passages, going on from the start; the start itself where there are no passages.

        Raises:
            NewsmarkError: there is neither.
        """
        if not data.texts:
            if start.classifier is not None:
                return start.classifier
            raise NewsmarkError("leave_out_languages leaves no passage to train on; leave out fewer languages, or give more articles")
        for label, positives in zip(data.labels, data.targets.sum(axis=0), strict=True):
            if not positives and start.classifier is None:
                self.say(f"  no passage to train on has the label {label}: it can't be learned here")
        settings, seed = self.config.settings, self.config.data.seed
        self.epochs = getattr(settings, "epochs" if start.classifier is None else "further_epochs", 1)
        done = self.bar.n + self.epochs
        classifier = KINDS[self.config.data.kind].load_trainer().fit(data.texts, data.targets, settings, seed, self._report, start.classifier)
        self.bar.update(done - self.bar.n)
        return classifier

    def _report(self, name: str, value: float, step: int) -> None:
        self.log.log_metrics({name: value}, step)
        if self.bar.disable:
            self.say(f"  epoch {step} of {self.epochs}: {name} {value:.3f}")
        else:
            self.bar.set_postfix({name: f"{value:.3f}"}, refresh=False)
            self.bar.update()

    def begin(self, bootstrap: LabelledPassages | None) -> Start:
        """Train on the cold-start corpus but for a part of it, which is kept for calibration and thresholds."""
        if bootstrap is None:
            return Start()
        known = bootstrap.subset(np.flatnonzero(self.learns_from(bootstrap.languages)))
        part = hold_out(known, TUNING_PARTS, self.config.data.seed)
        self.say(f"cold-start corpus: {len(part.train)} passages to train on, {len(part.test)} kept for calibration")
        return Start(self.fit(known.subset(part.train), Start()), known.subset(part.test) if len(part.test) else None)

    def cross_validate(self, data: LabelledPassages, folds: Sequence[Fold], start: Start, exclusive: frozenset[str], articles: int | None = None) -> OutOfFold:
        """Fit each fold, as a nested run, and judge the passages held out.

        Args:
            data: annotated passages.
            folds: none, or such that each passage is held out once.
            start: where each fit begins.
            exclusive: labels that exclude all others.
            articles: train on so many of each fold's groups, drawn at random; by default on all.
        """
        passages, labels = data.targets.shape
        odds, probabilities = np.zeros((passages, 3, labels)), np.zeros((passages, labels))
        decisions, commonest = np.zeros((passages, labels), dtype=bool), np.zeros((passages, labels), dtype=bool)
        runs, tuning_odds = [], []
        for number, fold in enumerate(folds, start=1):
            train = fold.train[self.learns_from(data.languages[fold.train])]
            if articles is not None:
                drawn = np.random.default_rng(self.config.data.seed).permutation(sorted(set(data.groups[train])))[:articles]
                train = train[np.isin(data.groups[train], drawn)]
            self.say(f"fold {number} of {len(folds)}: {len(train)} passages to train on, {len(fold.test)} held out ({fold.name})")
            with self.log.run(f"fold {number}") as run:
                self.log.log_params({"held_out": fold.name, "train_passages": len(train), "test_passages": len(fold.test)})
                classifier = self.fit(data.subset(train), start)
                odds[fold.test] = read_odds(classifier, data.subset(fold.test).contexts)
                tuning_odds.append(start.tuning_odds(classifier))
                commonest[fold.test] = majority(data.targets[fold.train], len(fold.test))
            runs.append(run)
        judged = np.concatenate([np.zeros(0, dtype=np.intp), *(fold.test for fold in folds)])
        known = judged[self.learns_from(data.languages[judged])]
        for fold, own_tuning, run in zip(folds, tuning_odds, runs, strict=True):
            others = np.setdiff1d(known, fold.test)
            calibrations = start.learn_calibrations(odds[others], data.targets[others], own_tuning)
            probabilities[fold.test] = calibrated(odds[fold.test], calibrations)
            decisions[fold.test] = decide(probabilities[fold.test], [rule.threshold for rule in calibrations], data.labels, exclusive)
            scores = score(data.subset(fold.test), probabilities[fold.test], decisions[fold.test], self.config.data.seed)
            self.log.log_metrics({name: value for name, value in scores.flat().items() if not name.endswith(("_low", "_high"))}, key=run)
        return OutOfFold(known, odds, probabilities, decisions, commonest)


def majority(train_targets: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Give each of ``count`` passages the commonest answer of the training passages, label by label."""
    columns = []
    for column in train_targets.T:
        dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(column), 1)), column)
        columns.append(dummy.predict(np.zeros((count, 1))))
    return np.stack(columns, axis=1).astype(bool)
