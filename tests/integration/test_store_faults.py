"""The MLflow store fails while a model is trained: the run goes on, and what it found is kept and can be logged later."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from newsmark.annotation.errors import NewsmarkError
from newsmark.training.model_card import model_card
from newsmark.training.processes import open_store
from newsmark.training.report.collect import _curve, _page_of
from newsmark.training.tracking import LoggedRun, find_runs, load_predictions, newest_out_of_fold

CONFIG = ("--config", "configs/baseline.yaml", "--bootstrap", "")


@pytest.fixture
def own_store(store, baseline_run, tmp_path):
    """A copy of a store, with artifacts of its own, that a test may break."""
    assert baseline_run.returncode == 0
    shutil.copy(store["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    (tmp_path / "artifacts").mkdir()
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'newsmark'", ((tmp_path / "artifacts").as_uri(),))
    return {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool"}


def train_and_break(env, break_it):
    """Run a training and break its store when the first fold begins."""
    process = subprocess.Popen([sys.executable, "-m", "training", *CONFIG], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("fold 1 of"):
            break
    break_it()
    out, rest = process.communicate(timeout=300)
    return process.returncode, out, "".join(told) + rest


def check_kept_and_relog(code, told, command, env, mend):
    """The run said where its results are; they can be logged when the store is mended, and then make a model."""
    assert code == 1
    last = told.splitlines()[-1]
    folder = Path(
        re.search(r"train: error: MLflow can't log the run: .*; its results are kept: when the store works again, run: train relog (\S+)$", last).group(1)
    )
    try:
        assert "Traceback" not in told
        assert (folder / "model" / "newsmark.json").is_file()
        failed = command("training", "relog", folder, env={**env, "MLFLOW_TRACKING_URI": "sqlite:////proc/none/mlflow.db"})
        assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
        assert folder.is_dir()
        mend()
        done = command("training", "relog", folder, "--json", env=env)
        assert done.returncode == 0, done.stderr
        run_id = json.loads(done.stdout)["run_id"]
        assert not folder.exists()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    client = MlflowClient(env["MLFLOW_TRACKING_URI"])
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert {"macro_f1", "calibration_error", "model_megabytes"} <= set(run.data.metrics)
    assert run.data.params["model"] == "baseline"
    assert {"scores.txt", "out_of_fold.json", "reliability.png"} <= {artifact.path for artifact in client.list_artifacts(run_id)}
    folds = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    assert len(folds) == 4
    assert all("macro_f1" in fold.data.metrics for fold in folds)
    predicted = command("models", "seeds/001_de0bcf51e6ff2360.txt", "--model", run_id, env=env)
    assert predicted.returncode == 0, predicted.stderr
    assert command("training", "compare", run_id, env=env).returncode == 0


def test_a_database_that_is_gone_while_training(own_store, command, tmp_path):
    database, away = tmp_path / "mlflow.db", tmp_path / "away.db"

    def gone():
        shutil.move(database, away)
        database.mkdir()  # what MLflow can't make anew

    def back():
        database.rmdir()
        shutil.move(away, database)

    code, _, told = train_and_break(own_store, gone)
    check_kept_and_relog(code, told, command, own_store, back)


def test_artifacts_that_can_not_be_written(own_store, command, tmp_path):
    artifacts = tmp_path / "artifacts"

    def gone():
        shutil.rmtree(artifacts)
        artifacts.write_text("a file in the place of the folder: even root can't write into it")

    def back():
        artifacts.unlink()

    code, _, told = train_and_break(own_store, gone)
    check_kept_and_relog(code, told, command, own_store, back)


def test_a_database_that_is_locked_for_a_moment_is_waited_for(own_store, tmp_path):
    def lock():
        with sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) as database:
            database.execute("BEGIN EXCLUSIVE")
            time.sleep(2)
            database.execute("ROLLBACK")

    code, _, told = train_and_break(own_store, lock)
    assert code == 0, told


def test_a_store_that_is_gone_once_it_was_open_is_one_clear_line(own_store, monkeypatch, tmp_path):
    for name, value in own_store.items():
        monkeypatch.setenv(name, value)
    open_store()
    run = find_runs([])[0]
    _curve(run)  # there may be one, of another test
    (tmp_path / "mlflow.db").unlink()
    (tmp_path / "mlflow.db").mkdir()
    for ask in (lambda: find_runs([]), newest_out_of_fold, lambda: load_predictions(run), lambda: _curve(run), lambda: model_card(run)):
        with pytest.raises(NewsmarkError, match="unable to open database file"):
            ask()


class Refuses(BaseHTTPRequestHandler):
    """A server that has run out of something."""

    def do_GET(self):
        self.send_error(400)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        """Say nothing."""


def test_a_server_that_gives_no_answer_once_it_was_asked_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = LoggedRun("0" * 32, "baseline", "d" * 64, "cross-validation", {}, {})
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(f"http://127.0.0.1:{server.server_port}")
        try:
            for ask in (lambda: find_runs([]), lambda: load_predictions(run), lambda: _page_of(run), lambda: _curve(run), lambda: model_card(run)):
                with pytest.raises(NewsmarkError, match="400") as failed:
                    ask()
                assert "\n" not in str(failed.value)
        finally:
            mlflow.set_tracking_uri(before)
            server.shutdown()


def test_a_folder_without_a_kept_run_is_one_clear_line(command, own_store, tmp_path):
    done = command("training", "relog", tmp_path, env=own_store)
    assert (done.returncode, done.stderr) == (1, f"train: error: {tmp_path}: no kept run here (no readable calls.jsonl)\n")
