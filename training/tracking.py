"""MLflow runs: what is logged, and how a run ends."""

from __future__ import annotations

import importlib.metadata
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import models
from annotation.errors import NewsmarkError
from annotation.folders import project_folder
from models.classifier import TrainedModel, save_model
from models.store import ARTIFACT, without_password
from training.config import Config
from training.dataset import LabelledPassages

_REQUIREMENTS = {
    "baseline": ("mlflow", "scikit-learn", "skops", "numpy", "pydantic", "PyYAML", "yasbd-lib", "py3langid"),
    "transformer": ("mlflow", "torch", "transformers", "safetensors", "numpy", "pydantic", "PyYAML", "yasbd-lib", "py3langid"),
}


@contextmanager
def tracked_run(mlflow: Any, name: str, nested: bool = False) -> Iterator[Any]:
    """Run a block as an MLflow run; it ends FINISHED, FAILED, or KILLED after Ctrl-C.

    Raises:
        NewsmarkError: the store or its artifacts can't be written.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = mlflow.start_run(run_name=name, nested=nested)
        yield run
    except BaseException as error:
        mlflow.end_run("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        if isinstance(error, MlflowException):
            raise NewsmarkError(f"MLflow can't log the run: {without_password(str(error).splitlines()[0])}") from error
        raise
    mlflow.end_run()


def log_inputs(mlflow: Any, config: Config, data: LabelledPassages, scored_on: str) -> None:
    """Log the flattened configuration, the git commit, the data's digest, and what the run is scored on."""
    digest = data.digest
    mlflow.log_params(config.flat() | {"data_digest": digest})
    mlflow.set_tags({"git_commit": git_commit(), "kind": config.data.model, "scored_on": scored_on})
    frame = pd.DataFrame({"text": data.texts, "document": data.documents, "lang": data.languages})
    mlflow.log_input(mlflow.data.from_pandas(frame, name="passages", digest=digest[:36]), context="training")


def predictions_frame(data: LabelledPassages, probabilities: NDArray[np.float64], decisions: NDArray[np.bool_]) -> pd.DataFrame:
    """Make the table of predictions from which anyone can compute the scores again."""
    frame = pd.DataFrame({"document": data.documents, "group": data.groups, "lang": data.languages, "text": data.texts})
    frame["start"], frame["end"] = zip(*data.offsets, strict=True)
    for column, label in enumerate(data.labels):
        frame[f"{label}_true"] = data.targets[:, column].astype(int)
        frame[f"{label}_score"] = probabilities[:, column]
        frame[f"{label}_given"] = decisions[:, column].astype(int)
    return frame


def log_model(mlflow: Any, model: TrainedModel) -> str:
    """Log a model so that MLflow can serve it.

    Returns:
        Its URI.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / ARTIFACT
        save_model(model, folder)
        info = mlflow.pyfunc.log_model(
            name=ARTIFACT,
            python_model=str(Path(models.__file__).parent / "served.py"),
            artifacts={ARTIFACT: str(folder)},
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS[model.kind]],
            input_example=([{"text": "Le ministre a dit : « Nous irons. »", "lang": "fr"}], {"threshold": -1.0, "split": True}),
        )
    return str(info.model_uri)


@dataclass(frozen=True)
class LoggedRun:
    """A finished run: its id, kind of model, data digest, what it was scored on, and its metrics by name."""

    run_id: str
    kind: str
    data_digest: str
    scored_on: str
    metrics: dict[str, float]


def find_runs(mlflow: Any, run_ids: Sequence[str]) -> list[LoggedRun]:
    """Look up runs by id, or else the newest finished run of each kind of model.

    Raises:
        NewsmarkError: a run does not exist or was not finished, or there is none at all.
    """
    finished = "attributes.status = 'FINISHED' and tags.kind LIKE '%'"
    found = [(run.info.run_id, run.data) for run in mlflow.search_runs(filter_string=finished, output_format="list")]  # newest first
    runs = [LoggedRun(run_id, data.tags["kind"], data.params["data_digest"], data.tags["scored_on"], data.metrics) for run_id, data in found]
    if not runs:
        raise NewsmarkError("no finished run yet; run: train --config configs/baseline.yaml")
    if not run_ids:
        return list({run.kind: run for run in reversed(runs)}.values())
    by_id = {run.run_id: run for run in runs}
    for run_id in run_ids:
        if run_id not in by_id:
            raise NewsmarkError(f"{run_id}: no finished training run has this id; the MLflow page (make ui) lists them")
    return [by_id[run_id] for run_id in run_ids]


def git_commit() -> str:
    """Commit that the code is at, with "-dirty" where tracked files differ from it; "unknown" outside a checkout."""
    command = ["git", "-C", str(project_folder()), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
