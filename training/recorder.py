"""What a training run logs, kept on disk until MLflow has taken it all."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..annotation.errors import NewsmarkError
from ..annotation.folders import project_folder
from ..models.addresses import without_password
from ..models.bundle import log_model_folder
from ..models.model import TrainedModel
from ..models.saved import read_version, save_model
from ..models.store import ARTIFACT
from .processes import OWNER, interrupts_held, keep_run_folder, make_run_folder, temporary_files_in, this_process

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CALLS = "calls.jsonl"


class Recorder:
    """Logs a run to MLflow as it goes; once the store fails, training goes on and what is logged is only kept.

    Every call is also written to a folder. When the run ends and all was taken, the folder is removed; otherwise it stays, and
    ``relog`` logs it from there.

    Args:
        logs: whether this process logs the run (see ``models.store.connect``); the others only keep what they would log.

    Attributes:
        failure: why the store stopped taking anything; None while it does.
    """

    def __init__(self, logs: bool) -> None:
        self.failure: str | None = None
        self._folder = make_run_folder()
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._replay = _Replay(self._folder, logs)
        self._open: list[str] = []
        self._runs = 0

    @contextmanager
    def run(self, name: str) -> Iterator[str]:
        """Log a block as a run, or, inside another, as a nested one; it ends FINISHED, FAILED, or KILLED after Ctrl-C.

        Yields:
            A key for ``log_metrics`` and ``run_id``.

        Raises:
            NewsmarkError: the store can't be written: at once for the outermost run; at its end, with the folder, where it failed on the way.
        """
        key = str(self._runs)
        self._runs += 1
        try:
            with interrupts_held():
                self._call("start", key=key, name=name, nested=bool(self._open))
                if self.failure and not self._open:
                    raise NewsmarkError(f"MLflow can't log the run: {self.failure}")
                self._open.append(key)
            with temporary_files_in(self._folder) if len(self._open) == 1 else nullcontext():
                yield key
        except BaseException as error:
            if key in self._open:
                self._end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        self._end("FINISHED")
        if self.failure and not self._open:
            with suppress(*_store_errors()):
                self._replay.abandon()
            kept = self._keep()
            raise NewsmarkError(f"MLflow can't log the run: {self.failure}; its results are kept: when the store works again, run: train relog {kept}")

    def run_id(self, key: str) -> str:
        """MLflow's id of a run."""
        return self._replay.ids[key]

    @property
    def model_uri(self) -> str:
        """URI of the logged model."""
        return self._replay.model_uri

    @property
    def model_version(self) -> str:
        """Version of the logged model, which predictions name."""
        return read_version(self._folder / ARTIFACT)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters of the present run."""
        self._call("params", values={name: str(value) for name, value in params.items()})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the present run."""
        self._call("tags", values=dict(tags))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0, key: str | None = None) -> None:
        """Log metrics of the present run, or of a nested one that has ended."""
        self._call("metrics", values=dict(metrics), step=step, key=key)

    def log_passages(self, frame: pd.DataFrame, digest: str) -> None:
        """Log what was trained on as an input of the present run."""
        frame.to_json(self._folder / "passages.json", orient="split", index=False)
        self._call("passages", digest=digest)

    def log_text(self, text: str, name: str) -> None:
        """Log a text as an artifact."""
        (self._folder / name).write_text(text, encoding="utf-8")
        self._call("artifact", name=name)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a picture as an artifact."""
        figure.savefig(self._folder / name)
        self._call("artifact", name=name)

    def log_table(self, frame: pd.DataFrame, name: str) -> None:
        """Log a table as an artifact that MLflow's page shows."""
        frame.to_json(self._folder / name, orient="split", index=False, double_precision=15)
        self._call("table", name=name)

    def log_model(self, model: TrainedModel) -> None:
        """Log the trained model."""
        save_model(model, self._folder / ARTIFACT)
        self._call("model", kind=model.kind)

    def _call(self, what: str, **arguments: Any) -> None:
        with (self._folder / _CALLS).open("a", encoding="utf-8") as calls:
            calls.write(json.dumps({"what": what, **arguments}, ensure_ascii=False) + "\n")
        if self.failure is None:
            try:
                self._replay.call(what, **arguments)
            except _store_errors() as error:
                self.failure = without_password(str(error).strip().split("\n")[0])

    def _end(self, status: str) -> None:
        with interrupts_held():
            self._open.pop()
            self._call("end", status=status)

    def _keep(self) -> Path:
        folder = (
            project_folder() / "mlruns" / f"kept-{datetime.now(UTC):%Y%m%d-%H%M%S}-{self._folder.name.rpartition('-')[2]}"
        )  # two runs may end in the same second
        try:
            shutil.copytree(self._folder, folder)
        except OSError:  # no room, or read-only: it stays where it is
            shutil.rmtree(folder, ignore_errors=True)
            self._remove.detach()
            keep_run_folder(self._folder)
            return self._folder
        keep_run_folder(folder)
        return folder


def relog(folder: Path) -> str:
    """Log a run that was kept because the store failed, then remove the folder.

    Returns:
        Its run id.

    Raises:
        NewsmarkError: there is nothing in the folder, or the store fails again; the folder stays.
    """
    try:
        calls = [json.loads(line) for line in (folder / _CALLS).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        raise NewsmarkError(f"{folder}: no kept run here (no readable {_CALLS})") from None
    replay = _Replay(folder)
    try:
        for arguments in calls:
            replay.call(arguments.pop("what"), **arguments)
    except _store_errors() as error:
        replay.abandon()
        raise NewsmarkError(f"MLflow can't log the run: {without_password(str(error).strip().split(chr(10))[0])}; {folder} is kept") from error
    shutil.rmtree(folder)
    return replay.ids["0"]


class _Replay:
    """Carries the recorded calls out."""

    def __init__(self, folder: Path, logs: bool = True) -> None:
        self.folder, self.logs = folder, logs
        if logs:
            import mlflow  # takes seconds

            self.mlflow = mlflow
        self.ids: dict[str, str] = {}
        self.model_uri = ""

    def call(self, what: str, **arguments: Any) -> None:
        if self.logs:
            getattr(self, f"_{what}")(**arguments)

    def abandon(self) -> None:
        while self.mlflow.active_run():
            self.mlflow.end_run("FAILED")

    def _start(self, key: str, name: str, nested: bool) -> None:
        self.ids[key] = self.mlflow.start_run(run_name=name, nested=nested, tags={OWNER: this_process()}).info.run_id

    def _end(self, status: str) -> None:
        self.mlflow.end_run(status)

    def _params(self, values: dict[str, str]) -> None:
        self.mlflow.log_params(values)

    def _tags(self, values: dict[str, str]) -> None:
        self.mlflow.set_tags(values)

    def _metrics(self, values: dict[str, float], step: int, key: str | None) -> None:
        self.mlflow.log_metrics(values, step=step, run_id=self.ids[key] if key else None)

    def _passages(self, digest: str) -> None:
        frame = pd.read_json(self.folder / "passages.json", orient="split", dtype=False)
        self.mlflow.log_input(self.mlflow.data.from_pandas(frame, name="passages", digest=digest[:36]), context="training")

    def _artifact(self, name: str) -> None:
        self.mlflow.log_artifact(self.folder / name)

    def _table(self, name: str) -> None:
        table = json.loads((self.folder / name).read_text(encoding="utf-8"))
        self.mlflow.log_table(pd.DataFrame(table["data"], columns=table["columns"]), name)

    def _model(self, kind: str) -> None:
        self.model_uri = log_model_folder(self.folder / ARTIFACT, kind)


def _store_errors() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError)
