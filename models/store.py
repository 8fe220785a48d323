"""Where trained models live: the MLflow store, and how a model is found in it."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..annotation.desk import current_desk
from ..annotation.errors import NewsmarkError, UsageError
from ..annotation.folders import install_command, project_folder, shown
from .addresses import check_answers, without_password
from .fetching import fetch_files
from .saved import is_model_folder
from .sqlite_store import LABELS_TAG, NEWEST, find_stored, mend_locations, suits

ARTIFACT = "model"
"""Name of the logged model, and of the artifact inside it that is the model folder."""

CHAMPION, PREVIOUS = "champion", "previous"
"""Aliases of the registered model: the version to use, and the one used before it."""


@dataclass(frozen=True)
class FoundModel:
    """A model that was found.

    Attributes:
        folder: the model folder, which ``load_model`` reads.
        what: how it was found, for people: "champion version 3", "the newest, of run …".
    """

    folder: Path
    what: str


def registered_name() -> str:
    """Name of the registered model, and of the experiment: the desk's own, else "newsmark"."""
    return current_desk().model


def connect() -> None:
    """Point MLflow at its store and experiment, with its telemetry off.

    The store is ``MLFLOW_TRACKING_URI``, or else an SQLite file in ``mlruns/`` of the project's folder. With SQLite, the
    artifacts are stored beside the file. Both are used by absolute path, so that the current folder does not matter.

    Call it before ``import mlflow``, whose telemetry begins with the import.

    Raises:
        NewsmarkError: the store can't be reached or written.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # seconds; MLflow's own 7 are over four minutes of silence
    import mlflow  # takes seconds
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri, name = os.environ.get("MLFLOW_TRACKING_URI", ""), registered_name()
    location = None
    try:
        if database := sqlite_file():
            database.parent.mkdir(parents=True, exist_ok=True)
            uri, location = f"sqlite:///{database}", (database.parent / "artifacts").as_uri()
            if moved := mend_locations(database, name):
                print(f"{database}: the store was moved; it now names its artifacts in {moved[1]} instead of {moved[0]}", file=sys.stderr)
        elif uri.startswith(("http://", "https://")):
            check_answers(uri)
        _quieten()
        mlflow.set_tracking_uri(uri)
        if mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(name, artifact_location=location)
        mlflow.set_experiment(name)
    except (MlflowException, SQLAlchemyError) as error:
        raise NewsmarkError(f"the MLflow store {without_password(uri)} can't be used: {_first_line(error)}; check MLFLOW_TRACKING_URI") from None


def find_folder(name: str | None) -> Path:
    """Find the folder of a model, which ``load_model`` reads (see ``find_model``)."""
    return find_model(name).folder


def find_model(name: str | None) -> FoundModel:
    """Find a model.

    Args:
        name: a folder, a run id, an MLflow URI (``models:/…``, ``runs:/…``), or None for the champion or, where there is none yet, the newest
            model of a finished training run; on a desk, the newest that has no other labels than its labels file.

    Raises:
        NewsmarkError: there is no such model.
    """
    if name and Path(name).is_dir():
        folder = Path(name)
        nested = folder / "artifacts" / ARTIFACT  # the folder that MLflow wrote, rather than ours inside it
        return FoundModel(nested if is_model_folder(nested) and not is_model_folder(folder) else folder, f"folder {name}")
    _check_name(name)
    return _find_at_hand(name) or _download(name)


def _check_name(name: str | None) -> None:
    if name == "":
        raise UsageError("the name of the model is empty; give a model folder, a run id, or an MLflow URI such as models:/newsmark@champion")
    if name and not re.fullmatch(r"[0-9a-f]{32}|(models|runs):/.+", name):
        raise UsageError(f"{name}: no such model folder, and neither a run id nor an MLflow URI such as models:/newsmark@champion")


def _find_at_hand(name: str | None) -> FoundModel | None:
    """Find what ``resolve`` finds where the store is an SQLite file at hand, without MLflow.

    Returns:
        None where this way does not lead to it.

    Raises:
        NewsmarkError: the model's folder is not where the store says.
    """
    database = sqlite_file()
    if database is None or (name and ":/" in name):
        return None
    found = find_stored(database, registered_name(), name, CHAMPION, _own_labels)
    if found is None:
        return None
    if not found.folder.exists():
        beside = database.parent / "artifacts"
        raise NewsmarkError(f"{found.what}: its folder {found.folder} is missing; was it moved? Move the folder of artifacts to {beside}, where it is found")
    folder = found.folder / "artifacts" / ARTIFACT
    return FoundModel(folder, found.what) if is_model_folder(folder) else None


def sqlite_file() -> Path | None:
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
    """Find a model's URI, and what identifies the model behind it.

    Args:
        name: a run id or an MLflow URI; None for the champion or, where there is none yet, the newest model (see ``find_model``).

    Returns:
        MLflow's URI, and what it stands for at present. For an alias that is a version. For the newest model it is the same as long as there is no
        champion, so that who follows it stays with the model that it has.

    Raises:
        UsageError: the name is neither.
        NewsmarkError: there is no such model.
    """
    _check_name(name)
    connect()
    with translate_errors():
        if name is None:
            version = version_of(CHAMPION)
            if version is None:
                return uri_of_run(None, _own_labels()), NEWEST
            return f"models:/{version.name}/{version.version}", f"champion version {version.version}"
        if alias := re.fullmatch(r"models:/([^@/]+)@([^@/]+)", name):
            import mlflow

            version = mlflow.MlflowClient().get_model_version_by_alias(*alias.groups())
            return f"models:/{version.name}/{version.version}", f"{alias[2]} version {version.version}"
        if re.fullmatch(r"[0-9a-f]{32}", name):
            return uri_of_run(name), f"run {name}"
        return name, name


def version_of(alias: str) -> Any | None:
    """Look up the version of the registered model that an alias stands for; None where there is none."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return mlflow.MlflowClient().get_model_version_by_alias(registered_name(), alias)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def _download(name: str | None) -> FoundModel:
    if importlib.util.find_spec("mlflow") is None:
        asked = f"model {name}: only MLflow can look it up" if name else "no trained model is at hand, and only MLflow could ask a server for one"
        raise NewsmarkError(f"{asked}, and it is not installed; name a model folder (--model FOLDER), or {install_command('train')}")
    uri, what = resolve(name)
    try:
        with translate_errors():
            return FoundModel(fetch_files(uri, f"artifacts/{ARTIFACT}"), what)
    except (NewsmarkError, OSError) as error:
        raise NewsmarkError(f"model {name or what}: {_first_line(error)}") from None


def uri_of_run(run_id: str | None, labels: frozenset[str] | None = None) -> str:
    """URI of the model that a run logged, or else of the newest model of a finished run.

    Args:
        run_id: the run.
        labels: of the newest models, take one that has no other labels than these; None for any.

    Raises:
        NewsmarkError: there is none.
    """
    import mlflow

    experiment = mlflow.get_experiment_by_name(registered_name())
    models = mlflow.search_logged_models(
        experiment_ids=[experiment.experiment_id],
        filter_string=f"source_run_id = '{run_id}'" if run_id else None,
        order_by=[{"field_name": "creation_time", "ascending": False}],
        max_results=100,
        output_format="list",
    )
    others = []
    for model in (one for one in models if str(one.status) == "READY"):
        run = mlflow.get_run(model.source_run_id)
        written = run.data.tags.get(LABELS_TAG)
        finished = run.info.status == "FINISHED" and run.info.lifecycle_stage == "active"  # one that was deleted keeps its model until it is collected
        if run_id or (finished and suits(written, labels)):
            return str(model.model_uri)
        if finished:
            others.append(f"{run.info.run_id} ({written})")
    if others:
        raise NewsmarkError(
            f"every model has labels that are not in the labels file: the newest is that of run {others[0]}; run: train --config configs/baseline.yaml, "
            "or name another labels file, in newsmark.yaml or with --labels"
        )
    what = f"run {run_id} has no trained model" if run_id else "no model was trained yet"
    raise NewsmarkError(f"{what}; run: train --config configs/baseline.yaml")


def _own_labels() -> frozenset[str] | None:
    """The labels of the desk; None without a project file, where any model will do."""
    desk = current_desk()
    if desk.file is None:
        return None
    from ..annotation.labels import load_labels  # pydantic takes a tenth of a second

    return frozenset(load_labels(shown(desk.labels)).label_names)


def _first_line(error: Exception) -> str:
    return without_password(str(error).strip().split("\n")[0])


def _quieten() -> None:
    import logging

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they log as an error, they raise as well
