"""A training run from configuration to logged model: data set, cross-validation or test file, final fit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from tqdm import tqdm

from annotation.labels import load_labels
from models.classifier import Classifier, TrainedModel, classifier_class, decide
from models.store import connect
from training.config import Config
from training.dataset import LabelledPassages, load_passages, load_test_file
from training.leaks import check_leaks
from training.metrics import Scores, score
from training.report import cooccurrence_figure, precision_recall_figure, scores_table
from training.splits import make_folds
from training.tracking import log_inputs, log_model, predictions_frame, tracked_run

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a training run leaves.

    Attributes:
        run_id: MLflow run.
        model_uri: logged model, trained on everything.
        model: the same, in memory.
        scores: out of fold, or on the test file.
        majority: scores of the majority baseline on the same passages.
        table: both, as text.
        probabilities: n × labels, out of fold or on the test file.
        decisions: n × labels.
    """

    run_id: str
    model_uri: str
    model: TrainedModel
    scores: Scores
    majority: Scores
    table: str
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.bool_]


def run_experiment(config: Config, test: Path | None = None, say: Say = lambda line: print(line, file=sys.stderr)) -> Result:
    """Train and score one configuration, and log it all to MLflow.

    Without a test file the scores come from leave-one-group-out cross-validation; with one, from that file alone, which
    is never trained on. The logged model is trained on all annotated passages either way.

    Args:
        config: what to train, on what.
        test: JSONL rows with ``text`` and ``labels``.
        say: told what is going on.

    Raises:
        NewsmarkError: the data, the model's settings or the MLflow store are not usable, or the data leaks.
    """
    scheme = load_labels(Path(config.data.labels))
    data = load_passages(config.data.documents, config.data.annotations, config.data.labels)
    held_out = load_test_file(test, scheme) if test else None
    check_leaks(data, held_out, scheme.exclusive_names)
    folds = [] if held_out else make_folds(data, config.data.max_folds)
    say(f"{len(data.texts)} passages of {len(set(data.documents))} documents in {len(set(data.groups))} articles, digest {data.digest[:12]}")
    trainer = _Trainer(connect(), config, len(folds) + 1, say)
    judged = held_out or data
    probabilities, majority = np.zeros(judged.targets.shape), np.zeros(judged.targets.shape, dtype=bool)
    with tracked_run(trainer.mlflow, config.data.model) as run:
        log_inputs(trainer.mlflow, config, data, f"test file {test.name}, digest {held_out.digest[:12]}" if test and held_out else "cross-validation")
        for number, fold in enumerate(folds, start=1):
            trainer.say(f"fold {number} of {len(folds)}: {len(fold.train)} passages to train on, {len(fold.test)} held out ({fold.name})")
            with tracked_run(trainer.mlflow, f"fold {number}", nested=True):
                classifier = trainer.fit(data, fold.train)
                probabilities[fold.test] = classifier.scores([data.texts[index] for index in fold.test])
                majority[fold.test] = _majority(data.targets[fold.train], len(fold.test))
                part = data.subset(fold.test)
                given = decide(probabilities[fold.test], config.data.threshold, data.labels, scheme.exclusive_names)
                fold_scores = score(part, probabilities[fold.test], given, config.data.seed)
                trainer.mlflow.log_params({"held_out": fold.name, "train_passages": len(fold.train), "test_passages": len(fold.test)})
                trainer.mlflow.log_metrics({name: value for name, value in fold_scores.flat().items() if not name.endswith(("_low", "_high"))})
        trainer.say(f"final fit on all {len(data.texts)} passages")
        final = trainer.fit(data, np.arange(len(data.texts)))
        trainer.bar.close()
        model = TrainedModel(config.data.model, data.labels, scheme.exclusive_names, config.data.threshold, final)
        if held_out:
            probabilities = model.scores(held_out.texts)
            majority = _majority(data.targets, len(held_out.texts))
        decisions = model.decide(probabilities)
        scores = score(judged, probabilities, decisions, config.data.seed)
        majority_scores = score(judged, majority.astype(float), majority, config.data.seed)
        drawn = "documents (a row that names none counts as one)" if held_out else "articles (translations together)"
        table = scores_table(scores, majority_scores, len(set(judged.groups)), drawn)
        _log_scores(trainer.mlflow, judged, scores, probabilities, decisions, table, "test_predictions" if held_out else "out_of_fold")
        uri = log_model(trainer.mlflow, model)
    return Result(run.info.run_id, uri, model, scores, majority_scores, table, probabilities, decisions)


class _Trainer:
    """Fits classifiers of one configuration, telling and logging what happens on the way.

    On a terminal a bar shows how far it is, elsewhere each epoch is a line.
    """

    def __init__(self, mlflow: Any, config: Config, fits: int, say: Say) -> None:
        self.mlflow, self.config, self._say = mlflow, config, say
        self.epochs = getattr(config.settings, "epochs", 1)
        self.bar = tqdm(total=fits * self.epochs, unit="epoch", disable=None, file=sys.stderr, leave=False)

    def say(self, line: str) -> None:
        self.bar.clear()
        self._say(line)
        self.bar.refresh()

    def fit(self, data: LabelledPassages, rows: NDArray[np.intp]) -> Classifier:
        targets = data.targets[rows]
        for label, positives in zip(data.labels, targets.sum(axis=0), strict=True):
            if not positives:
                self.say(f"  no passage to train on has the label {label}: it can't be learned here")
        texts = [data.texts[index] for index in rows]
        done = self.bar.n + self.epochs
        classifier = classifier_class(self.config.data.model).fit(texts, targets, self.config.settings, self.config.data.seed, self._report)
        self.bar.update(done - self.bar.n)
        return classifier

    def _report(self, name: str, value: float, step: int) -> None:
        self.mlflow.log_metric(name, value, step=step)
        if self.bar.disable:
            self.say(f"  epoch {step} of {self.epochs}: {name} {value:.3f}")
        else:
            self.bar.set_postfix({name: f"{value:.3f}"}, refresh=False)
            self.bar.update()


def _log_scores(
    mlflow: Any,
    judged: LabelledPassages,
    scores: Scores,
    probabilities: NDArray[np.float64],
    decisions: NDArray[np.bool_],
    table: str,
    name: str,
) -> None:
    mlflow.log_metrics(scores.flat())
    mlflow.log_text(table + "\n", "scores.txt")
    mlflow.log_table(predictions_frame(judged, probabilities, decisions), f"{name}.json")
    mlflow.log_figure(precision_recall_figure(judged, probabilities), "precision_recall.png")
    mlflow.log_figure(cooccurrence_figure(judged), "label_cooccurrence.png")


def _majority(train_targets: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Give each of ``count`` passages the commonest answer of the training passages, label by label."""
    columns = []
    for column in train_targets.T:
        dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(column), 1)), column)
        columns.append(dummy.predict(np.zeros((count, 1))))
    return np.stack(columns, axis=1).astype(bool)
