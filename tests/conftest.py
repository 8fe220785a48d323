"""What the tests share: the project's folder, its commands, and a fresh MLflow store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _in_the_project_folder(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Environment whose MLflow store is a fresh SQLite file; shared, because a new one takes seconds to make."""
    folder = tmp_path_factory.mktemp("store")
    return {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "1"}


@pytest.fixture(scope="session")
def command():
    """Run ``python -m MODULE …`` in the project's folder and return the finished process, its output as text."""

    def run(module, *arguments, env=None, stdin=None):
        text = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(text, cwd=PROJECT, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=600)

    return run


@pytest.fixture(scope="session")
def baseline_run(store, command):
    """The finished process of one baseline training run on the seeds alone, without the cold-start corpus, in ``store``."""
    done = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", env=store)
    assert done.returncode == 0, done.stderr
    return done
