"""Where trained models live: the MLflow store, and how a model is found in it."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..annotation.errors import NewsmarkError
from ..annotation.folders import project_folder
from .saved import is_model_folder

EXPERIMENT = "newsmark"
ARTIFACT = "model"
"""Name of the logged model, and of the artifact inside it that is the model folder."""

REGISTERED = "newsmark"
"""Name of the registered model."""

_READY = 2
"""MLflow's number for a logged model that is whole."""

CHAMPION, PREVIOUS = "champion", "previous"
"""Its aliases: the version to use, and the one used before it."""


def connect() -> None:
    """Point MLflow at its store and experiment, with its telemetry off.

    The store is ``MLFLOW_TRACKING_URI``, or else an SQLite file in ``mlruns/`` of the project's folder. With SQLite, the
    artifacts lie beside the file. Both are used by absolute path, so that the current folder does not matter.

    Call it before ``import mlflow``, whose telemetry begins with the import.

    Raises:
        NewsmarkError: the store can't be reached or written.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # takes seconds
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    location = None
    try:
        if database := _sqlite_file():
            database.parent.mkdir(parents=True, exist_ok=True)
            uri, location = f"sqlite:///{database}", (database.parent / "artifacts").as_uri()
        _quieten()
        mlflow.set_tracking_uri(uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            mlflow.create_experiment(EXPERIMENT, artifact_location=location)
        mlflow.set_experiment(EXPERIMENT)
    except (MlflowException, SQLAlchemyError) as error:
        raise NewsmarkError(f"the MLflow store {without_password(uri)} can't be used: {_first_line(error)}; check MLFLOW_TRACKING_URI") from None


def find_folder(name: str | None) -> Path:
    """Find the folder of a model, which ``load_model`` reads.

    Args:
        name: a folder, a run id, an MLflow URI (``models:/…``, ``runs:/…``), or None for the newest trained model.

    Raises:
        NewsmarkError: there is no such model.
    """
    if name and Path(name).is_dir():
        folder = Path(name)
        nested = folder / "artifacts" / ARTIFACT  # the folder that MLflow wrote, rather than ours inside it
        return nested if is_model_folder(nested) and not is_model_folder(folder) else folder
    if name and not re.fullmatch(r"[0-9a-f]{32}|(models|runs):/.+", name):
        raise NewsmarkError(f"{name}: no such model folder, and neither a run id nor an MLflow URI such as models:/newsmark@champion")
    return _newest_at_hand(name) or _download(name)


def _newest_at_hand(run_id: str | None) -> Path | None:
    """Find what ``uri_of_run`` finds where the store is an SQLite file at hand, without MLflow, whose import alone takes seconds.

    Returns:
        The model folder; None where this way does not lead to it.
    """
    database = _sqlite_file()
    if database is None or not database.is_file() or (run_id and ":/" in run_id):
        return None
    query = (
        "SELECT model.artifact_location FROM logged_models AS model JOIN experiments AS experiment USING (experiment_id)"
        " WHERE experiment.name = ? AND model.lifecycle_stage = 'active' AND model.status = ? AND (? IS NULL OR model.source_run_id = ?)"
        " ORDER BY model.creation_timestamp_ms DESC LIMIT 1"
    )
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(query, (EXPERIMENT, _READY, run_id, run_id)).fetchone()
    except sqlite3.Error:  # in use, or not the tables of this version of MLflow, which will tell
        return None
    folder = Path(unquote(urlsplit(found[0]).path)) / "artifacts" / ARTIFACT if found and found[0].startswith("file:") else None
    return folder if folder and is_model_folder(folder) else None


def _sqlite_file() -> Path | None:
    """Absolute path of the store, where it is an SQLite file; there may be none yet."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_folder() / 'mlruns' / 'mlflow.db'}"
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what MLflow raises into one clear line, without a password.

    Raises:
        NewsmarkError: the store or its artifacts can't be read or written.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise NewsmarkError(f"MLflow: {_first_line(error)}") from error


def resolve(name: str | None) -> tuple[str, str]:
    """Find a model as MLflow serves it.

    Args:
        name: a folder that MLflow wrote, a run id or an MLflow URI; None for the champion.

    Returns:
        Its URI, and what it stands for at present (a version, where it is an alias).

    Raises:
        NewsmarkError: there is no such model.
    """
    if name and (Path(name) / "MLmodel").is_file():
        return name, name
    connect()
    import mlflow

    name = name or f"models:/{REGISTERED}@{CHAMPION}"
    with translate_errors():
        if alias := re.fullmatch(r"models:/([^@/]+)@([^@/]+)", name):
            found = mlflow.MlflowClient().get_model_version_by_alias(*alias.groups())
            return f"models:/{found.name}/{found.version}", str(found.version)
        if re.fullmatch(r"[0-9a-f]{32}", name):
            return uri_of_run(name), name
        if not re.fullmatch(r"(models|runs):/.+", name):
            raise NewsmarkError(f"{name}: no folder of a logged model, and neither a run id nor an MLflow URI such as models:/newsmark@champion")
        return name, name


def load_served(uri: str) -> Any:
    """Load a model as MLflow serves it, a ``PyFuncModel``.

    Raises:
        NewsmarkError: there is no such model, or its files are not whole.
    """
    import mlflow

    with translate_errors():
        try:
            with _files(uri) as folder:
                return mlflow.pyfunc.load_model(folder)
        except OSError as error:
            raise NewsmarkError(f"{uri}: {_first_line(error)}") from error


@contextmanager
def _files(uri: str) -> Iterator[str]:
    """Fetch a model's files; what a server sends is removed when the process ends, or at once if it is of no use: MLflow would leave it."""
    import mlflow

    if not mlflow.get_tracking_uri().startswith("http"):
        yield mlflow.artifacts.download_artifacts(uri)
        return
    folder = tempfile.mkdtemp(prefix="newsmark-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        yield mlflow.artifacts.download_artifacts(uri, dst_path=folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _download(name: str | None) -> Path:
    connect()
    from mlflow.exceptions import MlflowException

    try:
        uri = name if name and ":/" in name else uri_of_run(name)
        with _files(uri) as folder:
            return Path(folder) / "artifacts" / ARTIFACT
    except (MlflowException, OSError) as error:
        raise NewsmarkError(f"model {name or '(newest)'}: {_first_line(error)}") from None


def uri_of_run(run_id: str | None) -> str:
    """URI of the model that a run logged, or else of the newest model.

    Raises:
        NewsmarkError: there is none.
    """
    import mlflow

    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    models = mlflow.search_logged_models(
        experiment_ids=[experiment.experiment_id],
        filter_string=f"source_run_id = '{run_id}'" if run_id else None,
        order_by=[{"field_name": "creation_time", "ascending": False}],
        max_results=20,
        output_format="list",
    )
    ready = [model for model in models if str(model.status) == "READY"]
    if not ready:
        what = f"run {run_id} has no trained model" if run_id else "no model was trained yet"
        raise NewsmarkError(f"{what}; run: train --config configs/baseline.yaml")
    return str(ready[0].model_uri)


def without_password(uri: str) -> str:
    """Take user name and password out of the URIs of a text, so that it can be shown."""
    return re.sub(r"([?&](?:password|passwd|token)=)[^&\s]*", r"\1…", re.sub(r"//\S*@", "//", uri))


def _first_line(error: Exception) -> str:
    return without_password(str(error).strip().split("\n")[0])


def _quieten() -> None:
    import logging

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they tell as an error, they raise as well
