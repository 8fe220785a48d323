"""A training run from configuration to logged model: data set, cross-validation or test file, final fit."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.labels import load_labels
from ..models.calibration import Calibration, calibrated, logistic, read_odds
from ..models.classifier import Classifier, SavedClassifier
from ..models.kinds import KINDS
from ..models.model import REVIEW_RISK, TrainedModel, risk
from .config import Config
from .dataset import LabelledPassages, load_labelled
from .figures import cooccurrence_figure, precision_recall_figure, reliability_figure
from .fitting import Say, Trainer, leads, load_material, log_inputs, majority, tell
from .metrics import Scores, calibration_error, score
from .processes import open_store
from .recorder import Recorder
from .splits import make_folds
from .tables import scores_table
from .tracking import OUT_OF_FOLD, TEST_PREDICTIONS, predictions_frame


@dataclass(frozen=True)
class Result:
    """What a training run leaves.

    Attributes:
        run_id: MLflow run.
        model_uri: logged model, trained on everything.
        model_version: its version, which predictions name.
        model: the same, in memory.
        scores: out of fold, or on the test file.
        majority: scores of the majority baseline on the same passages.
        table: both, as text.
        probabilities: n × labels, out of fold or on the test file.
        decisions: n × labels.
    """

    run_id: str
    model_uri: str
    model_version: str
    model: TrainedModel
    scores: Scores
    majority: Scores
    table: str
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.bool_]


def run_experiment(config: Config, test: Path | None = None, say: Say = tell) -> Result | None:
    """Train and score one configuration, and log it all to MLflow.

    Without a test file the scores come from leave-one-group-out cross-validation; with one, from that file, which nothing is
    learned from. Where there is a cold-start corpus, training begins with it, once, and goes on from there in each fold. The
    calibration and thresholds of the logged model are learned from passages that were not trained on: out of fold, and a
    part of the corpus that is held out; those of a fold from the other folds. The logged model is trained on all annotated
    passages.

    Args:
        config: what to train, on what.
        test: JSONL rows with ``text`` and ``labels``.
        say: told what is going on.

    Returns:
        What the run leaves; None in a process that only helped another one to train (see ``leads``).

    Raises:
        NewsmarkError: the data, the model's settings or the MLflow store are not usable, or the data leaks.
    """
    scheme = load_labels(Path(config.data.labels))
    held_out = load_labelled(test, scheme) if test else None
    material = load_material(config, scheme, held_out, say)
    data = material.data
    folds = [] if held_out and len(set(data.groups)) < 2 else make_folds(data, config.data.max_folds)
    if leads():
        open_store()
    log = Recorder(logs=leads())
    trainer = Trainer(log, config, len(folds) + 1, material.bootstrap is not None, say)
    with ExitStack() as files, log.run(config.data.kind) as run:
        scored_on = f"test file {test.name}, digest {held_out.digest[:12]}" if test and held_out else "cross-validation"
        log_inputs(log, config, material, scored_on)
        log.set_tags({"kind": config.data.kind})  # by which train compare finds it
        start = trainer.begin(material.bootstrap)
        found = trainer.cross_validate(data, folds, start, scheme.exclusive_names)
        trainer.say(f"final fit on all {len(data.texts)} passages")
        final = trainer.fit(data.subset(np.flatnonzero(trainer.learns_from(data.languages))), start)
        trainer.bar.close()
        if not leads():
            return None

        def learn_calibrations(tuning_odds: NDArray[np.float64] | None) -> tuple[Calibration, ...]:
            return start.learn_calibrations(found.odds[found.rows], data.targets[found.rows], tuning_odds)

        ready: Classifier | SavedClassifier = final
        if finish := KINDS[config.data.kind].load_finish():
            folder = Path(files.enter_context(tempfile.TemporaryDirectory()))
            learn = learn_calibrations if start.tuning else lambda _: learn_calibrations(None)
            finished = finish(final, folder, start.tuning or data, learn, scheme.exclusive_names)
            trainer.say(finished.report.splitlines()[0])
            log.log_text(finished.report + "\n", "export.txt")
            ready = finished.classifier
        calibrations = learn_calibrations(start.tuning_odds(ready))
        model = TrainedModel(config.data.kind, data.labels, scheme.exclusive_names, calibrations, ready, tuple(data.targets.mean(axis=0).tolist()))
        judged, odds, probabilities, decisions, commonest = data, found.odds, found.probabilities, found.decisions, found.majority
        if held_out:
            judged, odds, commonest = held_out, read_odds(ready, held_out.contexts), majority(data.targets, len(held_out.texts))
            probabilities = calibrated(odds, calibrations)
            decisions = model.decide(probabilities)
        scores = score(judged, probabilities, decisions, config.data.seed)
        majority_scores = score(judged, commonest.astype(float), commonest, config.data.seed)
        drawn = "documents (a row that names none counts as one)" if held_out else "articles (translations together)"
        table = scores_table(scores, majority_scores, len(set(judged.groups)), drawn) + "\n" + _review_line(judged, probabilities, decisions)
        before = logistic(odds[:, 0])
        log.log_metrics({"calibration_error_before": calibration_error(before, judged.targets > 0)})
        log.log_figure(reliability_figure(judged, before, probabilities), "reliability.png")
        _log_scores(log, judged, scores, probabilities, decisions, table, TEST_PREDICTIONS if held_out else OUT_OF_FOLD)
        log.log_model(model)
    return Result(log.run_id(run), log.model_uri, log.model_version, model, scores, majority_scores, table, probabilities, decisions)


def _review_line(judged: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> str:
    """Say what ``predict --review`` would have picked out here."""
    picked = risk(probabilities, decisions) > REVIEW_RISK
    wrong = (decisions != (judged.targets > 0)).any(axis=1)
    caught = f"{(wrong & picked).sum()} of the {wrong.sum()} passages with a wrong label" if wrong.any() else "nothing was wrong"
    return f"For review (predict --review): {picked.mean():.0%} of the passages; among them {caught}."


def _log_scores(
    log: Recorder,
    judged: LabelledPassages,
    scores: Scores,
    probabilities: NDArray[np.float64],
    decisions: NDArray[np.bool_],
    table: str,
    name: str,
) -> None:
    log.log_metrics(scores.flat())
    log.log_text(table + "\n", "scores.txt")
    log.log_table(predictions_frame(judged, probabilities, decisions), name)
    log.log_figure(precision_recall_figure(judged, probabilities), "precision_recall.png")
    log.log_figure(cooccurrence_figure(judged), "label_cooccurrence.png")
