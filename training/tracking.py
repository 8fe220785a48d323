"""MLflow runs: what is logged of models and predictions, and how it is found again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..annotation.errors import NewsmarkError
from ..annotation.folders import checkout
from ..models.addresses import without_password
from ..models.store import translate_errors
from .dataset import UNKNOWN_KIND, LabelledPassages

OUT_OF_FOLD, TEST_PREDICTIONS = "out_of_fold.json", "test_predictions.json"
"""The logged tables of predictions: a run has one of them, by what it was scored on."""

NO_RUN = "no finished run yet; run: train --config configs/baseline.yaml"


def predictions_frame(data: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> pd.DataFrame:
    """Make the table of predictions from which anyone can compute the scores again; the truth is missing where it was not judged."""
    frame = pd.DataFrame({"document": data.documents, "name": data.names, "group": data.groups, "lang": data.languages, "kind": data.kinds, "text": data.texts})
    frame["start"], frame["end"] = zip(*data.offsets, strict=True)
    for column, label in enumerate(data.labels):
        known = data.judged[:, column]
        frame[f"{label}_true"] = data.truth[:, column].astype(int) if known.all() else data.targets[:, column].astype(float)
        frame[f"{label}_score"] = probabilities[:, column]
        frame[f"{label}_given"] = decisions[:, column].astype(int)
    return frame


@dataclass(frozen=True)
class LoggedRun:
    """A finished run: its id, kind of model, data digest, what it was scored on, its metrics and its parameters by name."""

    run_id: str
    kind: str
    data_digest: str
    scored_on: str
    metrics: dict[str, float]
    params: dict[str, str]

    @property
    def name(self) -> str:
        """What to call it in a report."""
        return f"{self.kind} {self.run_id[:8]}"


def find_runs(run_ids: Sequence[str]) -> list[LoggedRun]:
    """Look up runs by id, or else the newest finished run of each kind of model.

    Raises:
        NewsmarkError: a run does not exist or was not finished, or there is none at all.
    """
    runs = _finished_runs()
    if not runs:
        raise NewsmarkError(NO_RUN)
    if not run_ids:
        return list({run.kind: run for run in reversed(runs)}.values())
    by_id = {run.run_id: run for run in runs}
    for run_id in run_ids:
        if run_id not in by_id:
            raise NewsmarkError(f"{run_id}: no finished training run has this id; the MLflow page (make ui) lists them")
    return [by_id[run_id] for run_id in run_ids]


def newest_out_of_fold() -> LoggedRun:
    """Look up the newest finished run with out-of-fold predictions.

    Raises:
        NewsmarkError: there is none.
    """
    found = next((run for run in _finished_runs() if run.scored_on == "cross-validation"), None)
    if found is None:
        raise NewsmarkError(NO_RUN)
    return found


@translate_errors()
def _finished_runs() -> list[LoggedRun]:
    """Finished runs that were scored, the newest first."""
    import mlflow  # takes seconds

    finished = "attributes.status = 'FINISHED' and tags.kind LIKE '%' and tags.scored_on != 'learning curve'"
    found = [(run.info.run_id, run.data) for run in mlflow.search_runs(filter_string=finished, output_format="list")]
    return [LoggedRun(run_id, data.tags["kind"], data.params["data_digest"], data.tags["scored_on"], data.metrics, data.params) for run_id, data in found]


@dataclass(frozen=True)
class LoggedPredictions:
    """What a run predicted for the passages that it was scored on: n of each, read from what ``predictions_frame`` made.

    Attributes:
        out_of_fold: by models that were not trained on the passage; otherwise on a test file.
        labels: label names, in the order of the columns.
        documents: id of each passage's document (in the tables of former versions, its name).
        names: the documents' names, for people.
        groups: what stood on one side of a split.
        texts: the passages.
        offsets: start and end in the document.
        truth: n × labels, whether the passage is known to have the label.
        probabilities: n × labels.
        decisions: n × labels.
        judged: n × labels, whether it is known if the passage has the label.
        languages: ISO 639-1 code of each passage.
        kinds: kind of text of each passage.
    """

    out_of_fold: bool
    labels: tuple[str, ...]
    documents: NDArray[np.str_]
    names: NDArray[np.str_]
    groups: NDArray[np.str_]
    texts: NDArray[np.object_]
    offsets: list[tuple[int, int]]
    truth: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    languages: NDArray[np.str_]
    kinds: NDArray[np.str_]

    @property
    def labelled(self) -> LabelledPassages:
        """The passages with what is known of them, as they were scored."""
        targets = np.where(self.judged, self.truth, np.nan).astype(np.float32)
        about = self.documents, self.names, self.languages, self.groups
        return LabelledPassages(self.labels, self.texts.tolist(), targets, *about, self.offsets, self.kinds)

    def subset(self, rows: NDArray[np.intp]) -> LoggedPredictions:
        """Take the passages with these indices."""
        arrays = ("documents", "names", "groups", "texts", "truth", "probabilities", "decisions", "judged", "languages", "kinds")
        return replace(self, offsets=[self.offsets[row] for row in rows], **{name: getattr(self, name)[rows] for name in arrays})

    def passage(self, row: int) -> dict[str, Any]:
        """What a passage is: its document, place and text."""
        start, end = self.offsets[row]
        return {"document": str(self.documents[row]), "name": str(self.names[row]), "start": start, "end": end, "text": str(self.texts[row])}


def load_predictions(run: LoggedRun) -> LoggedPredictions:
    """Read the predictions that a run has logged.

    Raises:
        NewsmarkError: they are not there, or not whole.
    """
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        logged = {artifact.path for artifact in mlflow.artifacts.list_artifacts(run_id=run.run_id)}
        name = next((name for name in (OUT_OF_FOLD, TEST_PREDICTIONS) if name in logged), None)
        if name is None:
            raise NewsmarkError(f"{run.name} has no logged predictions; train it again")
        content = mlflow.artifacts.load_text(f"runs:/{run.run_id}/{name}")
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise NewsmarkError(f"the predictions of {run.name} can't be read: {without_password(str(error).strip().splitlines()[0])}") from error
    try:
        table = json.loads(content)
        frame = pd.DataFrame(table["data"], columns=table["columns"])
        labels = tuple(column.removesuffix("_true") for column in frame.columns if column.endswith("_true"))
        truth, probabilities, decisions = (frame[[f"{label}_{what}" for label in labels]].to_numpy(float) for what in ("true", "score", "given"))
        return LoggedPredictions(
            name == OUT_OF_FOLD,
            labels,
            frame["document"].to_numpy(str),
            frame["name" if "name" in frame else "document"].to_numpy(str),
            frame["group"].to_numpy(str),
            frame["text"].to_numpy(object),
            list(zip(frame["start"].tolist(), frame["end"].tolist(), strict=True)),
            truth > 0,
            probabilities,
            decisions.astype(bool),
            ~np.isnan(truth),
            frame["lang"].to_numpy(str),
            frame["kind"].to_numpy(str) if "kind" in frame else np.full(len(frame), UNKNOWN_KIND),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NewsmarkError(f"{run.name}: its logged table {name} is damaged; train it again") from error


def git_commit() -> str:
    """Commit that the code is at, with "-dirty" where tracked files differ from it; "unknown" outside a checkout."""
    folder = checkout()
    if folder is None:
        return "unknown"
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
