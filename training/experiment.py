"""A training run from configuration to logged model: data set, cross-validation or test file, final fit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
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
from .calibration import threshold_losses
from .config import Config
from .cross_validation import Fitter, majority
from .dataset import LabelledPassages
from .effort import measure_effort
from .figures import cooccurrence_figure, precision_recall_figure, reliability_figure
from .labelled import load_labelled
from .material import load_material, log_inputs
from .metrics import Evaluation, calibration_error, evaluate
from .processes import open_store
from .progress import Report, is_main_process, print_progress
from .recorder import Recorder
from .spans import load_marked
from .splits import make_folds
from .stages import Stages
from .tables import scores_table, signed
from .topics import learn_topics
from .tracking import OUT_OF_FOLD, TEST_PREDICTIONS, predictions_frame

_GROUPS = ("articles (translations together)", "groups (an article with its translations, the rows of a document, a row of none with its near copies)")


@dataclass(frozen=True)
class Result:
    """What a training run leaves.

    Attributes:
        run_id: MLflow run.
        model_uri: logged model, trained on everything.
        model_version: its version, which predictions name.
        model: the same, in memory.
        evaluation: out of fold, or on the test file.
        majority: scores of the majority baseline on the same passages.
        table: both, as text.
        probabilities: n × labels, out of fold or on the test file.
        decisions: n × labels.
    """

    run_id: str
    model_uri: str
    model_version: str
    model: TrainedModel
    evaluation: Evaluation
    majority: Evaluation
    table: str
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.bool_]


def run_experiment(config: Config, test: Path | None = None, report: Report = print_progress, stages: Stages | None = None) -> Result | None:
    """Train and score one configuration, and log it all to MLflow.

    Without a test file the scores come from leave-one-group-out cross-validation; with one, from that file, which nothing is
    learned from. Where there is a cold-start corpus, training begins with it, once, and goes on from there in each fold. The
    calibration and thresholds of the logged model are learned from passages that were not trained on: out of fold, and a
    part of the corpus that is set aside; those of a fold from the other folds. The logged model is trained on all annotated
    passages.

    Args:
        config: what to train, on what.
        test: a file of labelled passages (see ``load_labelled``).
        report: called with lines that say what is going on.
        stages: kept stages of training, which are used again; by default as the environment says.

    Returns:
        What the run leaves; None in a process that only helped another one to train (see ``is_main_process``).

    Raises:
        NewsmarkError: the data, the model's settings or the MLflow store are not usable, or the data leaks.
    """
    scheme = load_labels(Path(config.data.labels))
    tested = load_labelled(test, scheme) if test else None
    material = load_material(config, scheme, tested, report)
    data = material.data
    folds = [] if tested and len(set(data.groups)) < 2 else make_folds(data, config.data.max_folds)
    if is_main_process():
        open_store()
    log = Recorder(logs=is_main_process())
    fitter = Fitter(log, config, len(folds) + 1, material.bootstrap is not None, report, stages or Stages())
    with ExitStack() as files, log.run(config.data.kind) as run:
        scored_on = f"test file {test.name}, digest {tested.digest[:12]}" if test and tested else "cross-validation"
        log_inputs(log, config, material, scored_on)
        log.set_tags({"kind": config.data.kind})  # by which train compare finds it
        start = fitter.begin(material.bootstrap)
        found = fitter.cross_validate(data, folds, start, scheme.exclusive_names)
        fitter.say(f"final fit on all {len(data.texts)} passages")
        learned = data.subset(np.flatnonzero(fitter.learns_from(data.languages)))
        final = fitter.fit(learned, start)
        fitter.bar.close()
        if not is_main_process():
            return None

        def learn_calibrations(tuning_odds: NDArray[np.float64] | None) -> tuple[Calibration, ...]:
            return start.learn_calibrations(found.odds[found.rows], data.targets[found.rows], tuning_odds)

        ready: Classifier | SavedClassifier = final
        if finish := KINDS[config.data.kind].load_finish():
            folder = Path(files.enter_context(tempfile.TemporaryDirectory()))
            learn = learn_calibrations if start.tuning else lambda _: learn_calibrations(None)
            finished = finish(final, folder, start.tuning or learned, learn, scheme.exclusive_names)
            fitter.say(finished.report.splitlines()[0])
            log.log_text(finished.report + "\n", "export.txt")
            ready = finished.classifier
        calibrations = learn_calibrations(start.tuning_odds(ready))
        marked, topics = load_marked(config, scheme), learn_topics(config, scheme, ready, data, found.decisions, start.tuning)
        facts = (config.data.kind, data.labels, scheme.exclusive_names, calibrations, ready, _rates(learned))
        model = TrainedModel(*facts, spans=marked.learner.learn(classifier=ready), topics=topics.model if topics else None)
        judged, odds, probabilities, decisions, commonest = data, found.odds, found.probabilities, found.decisions, found.majority
        if tested:
            judged, odds, commonest = tested, read_odds(ready, tested.contexts), majority(learned.targets, len(tested.texts))
            probabilities = calibrated(odds, calibrations)
            decisions = model.decide(probabilities)
        evaluation = evaluate(judged, probabilities, decisions, config.data.seed)
        majority_evaluation = evaluate(judged, commonest.astype(float), commonest, config.data.seed)
        drawn = "documents (a row that names none counts as one)" if tested else _GROUPS[bool(config.data.passages)]
        table = scores_table(evaluation, majority_evaluation, len(set(judged.groups)), drawn) + "\n" + _review_line(judged, probabilities, decisions)
        table += _log_losses(log, threshold_losses(judged, probabilities, decisions, scheme.exclusive_names) if tested else {})
        effort = None if tested else measure_effort(config, scheme, data, probabilities, decisions, marked, start.classifier)
        for line, metrics in [(one.line, one.flat()) for one in (effort, topics) if one is not None]:
            table += "\n" + line
            log.log_metrics(metrics)
        _log_evaluation(log, judged, evaluation, logistic(odds[:, 0]), probabilities, decisions, table, TEST_PREDICTIONS if tested else OUT_OF_FOLD)
        log.log_model(model)
    fitter.forget_folds()
    return Result(log.run_id(run), log.model_uri, log.model_version, model, evaluation, majority_evaluation, table, probabilities, decisions)


def _review_line(judged: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> str:
    """Say what ``predict --review`` would have picked out here."""
    picked = risk(probabilities, decisions) > REVIEW_RISK
    wrong = ((decisions != judged.truth) & judged.judged).any(axis=1)
    caught = f"{(wrong & picked).sum()} of the {wrong.sum()} passages with a wrong label" if wrong.any() else "nothing was wrong"
    return f"For review (predict --review): {picked.mean():.0%} of the passages; among them {caught}."


def _log_losses(log: Recorder, losses: Mapping[str, float]) -> str:
    """Log what F1 the thresholds lose on a test file, and say it; nothing where that was not measured."""
    log.log_metrics(losses)
    each = ", ".join(f"{name.rpartition('/')[0] or 'macro F1'} {signed(loss, 3)}" for name, loss in losses.items())
    return each and f"\nF1 lost against thresholds chosen on other documents of the same file: {each}."


def _rates(data: LabelledPassages) -> tuple[float, ...]:
    """Share of the passages judged for each label that have it; 0 where none was judged."""
    known = [column[~np.isnan(column)] for column in data.targets.T]
    return tuple(float(column.mean()) if len(column) else 0.0 for column in known)


def _log_evaluation(
    log: Recorder,
    judged: LabelledPassages,
    evaluation: Evaluation,
    before: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    decisions: NDArray[np.bool_],
    table: str,
    name: str,
) -> None:
    log.log_metrics({"calibration_error_before": calibration_error(before[judged.judged], judged.truth[judged.judged])})
    log.log_figure(reliability_figure(judged, before, probabilities), "reliability.png")
    log.log_metrics(evaluation.flat())
    log.log_text(table + "\n", "scores.txt")
    log.log_table(predictions_frame(judged, probabilities, decisions), name)
    log.log_figure(precision_recall_figure(judged, probabilities), "precision_recall.png")
    log.log_figure(cooccurrence_figure(judged), "label_cooccurrence.png")
