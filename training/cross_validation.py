"""Fitting classifiers of one configuration: on the cold-start corpus, then in each fold of a cross-validation."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from sklearn.dummy import DummyClassifier
from tqdm import tqdm

from ..annotation.errors import NewsmarkError
from ..models.calibration import Calibration, calibrated, read_odds
from ..models.classifier import Classifier, SavedClassifier
from ..models.kinds import KINDS
from ..models.model import decide
from .calibration import fit_calibrations, weights_for_rates
from .config import Config
from .dataset import LabelledPassages
from .metrics import evaluate
from .progress import Report, is_main_process
from .recorder import Recorder
from .splits import Fold, set_aside
from .stages import Stages, content_of, origin

TUNING_PARTS = 8
"""One of this number of parts of the cold-start corpus is not trained on, but kept for calibration and thresholds."""

_FOLD = "odds.safetensors"


@dataclass(frozen=True)
class Start:
    """Where each fit begins.

    Attributes:
        classifier: trained on the cold-start corpus; None where there is none.
        tuning: the part of the corpus that it was not trained on.
        made_by: all that decides the classifier (see ``Stages``).
        rates: by label, the share of usual passages that has it, where the corpus has another share on purpose.
    """

    classifier: Classifier | None = None
    tuning: LabelledPassages | None = None
    made_by: Mapping[str, Any] | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    def tuning_odds(self, classifier: Classifier | SavedClassifier) -> NDArray[np.float64] | None:
        """Logarithmic odds that a classifier gives the part of the corpus that it was not trained on."""
        return read_odds(classifier, self.tuning.contexts) if self.tuning else None

    def learn_calibrations(self, odds: NDArray[np.float64], targets: NDArray[np.float32], tuning_odds: NDArray[np.float64] | None) -> tuple[Calibration, ...]:
        """Learn calibration and thresholds from passages not trained on: these (n × 3 × labels), and that part of the corpus."""
        if self.tuning is None or tuning_odds is None:
            return fit_calibrations(odds, targets)
        own = weights_for_rates(self.tuning.targets, [self.rates.get(label) for label in self.tuning.labels])
        weights = np.concatenate([np.ones(targets.shape), own])
        return fit_calibrations(np.concatenate([odds, tuning_odds]), np.concatenate([targets, self.tuning.targets]), weights)


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


class Fitter:
    """Fits classifiers of one configuration, reporting and logging what happens on the way.

    On a terminal a bar shows how far it is, elsewhere each epoch is a line.
    """

    def __init__(self, log: Recorder, config: Config, fits: int, begins: bool, report: Report, stages: Stages | None = None) -> None:
        self.log, self.config, self._print = log, config, report
        self._stages = stages or Stages(used=False)
        self._origin = origin(KINDS[config.data.kind], config.settings) if stages else None
        self._folds: list[Mapping[str, Any] | None] = []  # kept until the run is over
        self._reported: list[tuple[str, float, int]] = []  # of the present fit
        first, further = getattr(config.settings, "epochs", 1), getattr(config.settings, "further_epochs", 1)
        self.epochs = first
        total = first + fits * further if begins else fits * first
        self.bar = tqdm(total=total, unit="epoch", disable=None if is_main_process() else True, file=sys.stderr, leave=False)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.clear()
        self._print(line)
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
        for label, positives in zip(data.labels, data.truth.sum(axis=0), strict=True):
            if not positives and start.classifier is None:
                self.say(f"  none of these passages has the label {label}, so nothing is learned of it here")
        settings, seed = self.config.settings, self.config.data.seed
        self._reported = []
        self.epochs = getattr(settings, "epochs" if start.classifier is None else "further_epochs", 1)
        done = self.bar.n + self.epochs
        classifier = KINDS[self.config.data.kind].load_trainer().fit(data.texts, data.targets, settings, seed, self._report, start.classifier, data.weights)
        self.bar.update(done - self.bar.n)
        return classifier

    def _report(self, name: str, value: float, step: int) -> None:
        self._reported.append((name, value, step))
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
        part = set_aside(known, TUNING_PARTS, self.config.data.seed)
        self.say(f"cold-start corpus: {len(part.train)} passages to train on, {len(part.test)} kept for calibration")
        train, tuning = known.subset(part.train), known.subset(part.test) if len(part.test) else None
        stage = KINDS[self.config.data.kind].load_stage()
        made_by = self._made_by(stage="corpus", train=content_of(train))
        if stage is not None and (folder := self._stages.find(made_by)):
            self.say("  trained before on the same passages with the same settings: taken from the cache (--fresh trains it again)")
            self._report_again(folder, getattr(self.config.settings, "epochs", 1))
            return Start(stage.restore(folder, self.config.settings), tuning, made_by, self.config.data.rates)
        classifier = self.fit(train, Start())
        if stage is not None:
            self._stages.keep(made_by, lambda folder: stage.keep(classifier, folder), self._reported)
        return Start(classifier, tuning, made_by, self.config.data.rates)

    def _made_by(self, **parts: Any) -> Mapping[str, Any] | None:
        """All that decides a stage; None where it is not known."""
        if self._origin is None:
            return None
        return {"origin": self._origin, "settings": asdict(self.config.settings), "seed": self.config.data.seed, **parts}

    def _report_again(self, folder: Path, epochs: int) -> None:
        """Log what was reported while a kept stage was computed."""
        for name, value, step in self._stages.reported(folder):
            self.log.log_metrics({name: value}, step)
        self.bar.update(epochs)

    def forget_folds(self) -> None:
        """Remove what was kept of the folds, once the run is over."""
        for made_by in self._folds:
            self._stages.drop(made_by)

    def cross_validate(self, data: LabelledPassages, folds: Sequence[Fold], start: Start, exclusive: frozenset[str], articles: int | None = None) -> OutOfFold:
        """Fit each fold, as a nested run, and judge the passages held out.

        Args:
            data: annotated passages.
            folds: none, or such that each passage is held out once.
            start: where each fit begins.
            exclusive: labels that exclude all others.
            articles: train on this number of each fold's groups, drawn at random; by default on all.
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
                odds[fold.test], own_tuning = self._fold_odds(data.subset(train), data.subset(fold.test), start)
                tuning_odds.append(own_tuning)
                commonest[fold.test] = majority(data.targets[train], len(fold.test))
            runs.append(run)
        judged = np.concatenate([np.zeros(0, dtype=np.intp), *(fold.test for fold in folds)])
        known = judged[self.learns_from(data.languages[judged])]
        for fold, own_tuning, run in zip(folds, tuning_odds, runs, strict=True):
            others = np.setdiff1d(known, fold.test)
            calibrations = start.learn_calibrations(odds[others], data.targets[others], own_tuning)
            probabilities[fold.test] = calibrated(odds[fold.test], calibrations)
            decisions[fold.test] = decide(probabilities[fold.test], [rule.threshold for rule in calibrations], data.labels, exclusive)
            evaluation = evaluate(data.subset(fold.test), probabilities[fold.test], decisions[fold.test], self.config.data.seed)
            self.log.log_metrics({name: value for name, value in evaluation.flat().items() if not name.endswith(("_low", "_high"))}, key=run)
        return OutOfFold(known, odds, probabilities, decisions, commonest)

    def _fold_odds(self, train: LabelledPassages, test: LabelledPassages, start: Start) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Odds that a classifier trained on some passages gives others and the start's tuning part; those that an interrupted run has left, to resume."""
        tuning = content_of(start.tuning) if start.tuning else None
        made_by = self._made_by(stage="fold", start=start.made_by, train=content_of(train), test=content_of(test), tuning=tuning)
        self._folds.append(made_by)
        if self._stages.resume and (folder := self._stages.find(made_by)):
            self.say("  finished before the interruption: taken from there")
            self._report_again(folder, getattr(self.config.settings, "epochs" if start.classifier is None else "further_epochs", 1))
            kept = load_file(folder / _FOLD)
            return kept["odds"], kept.get("tuning")
        classifier = self.fit(train, start)
        odds, tuning_odds = read_odds(classifier, test.contexts), start.tuning_odds(classifier)
        found = {"odds": odds} | ({} if tuning_odds is None else {"tuning": tuning_odds})
        arrays = {name: np.ascontiguousarray(values) for name, values in found.items()}
        self._stages.keep(made_by, lambda folder: save_file(arrays, folder / _FOLD), self._reported)
        return odds, tuning_odds


def majority(train_targets: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Give each of ``count`` passages the commonest answer of the training passages, label by label; "no" where none was judged."""
    columns = []
    for column in train_targets.T:
        known = column[~np.isnan(column)]
        if not len(known):
            columns.append(np.zeros(count))
            continue
        dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(known), 1)), known)
        columns.append(dummy.predict(np.zeros((count, 1))))
    return np.stack(columns, axis=1).astype(bool)
