"""The static model from training to the champion that predicts, on the words of a tiny encoder: its record in ``KINDS`` alone makes it known."""

import json
import re

import mlflow
import pytest
from mlflow import MlflowClient
from newsmark.models.store import connect


@pytest.fixture
def own_store(store, tmp_path):
    return {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}


def test_a_static_model_is_trained_logged_and_promoted_and_labels_as_the_champion(command, own_store, encoder, tmp_path, monkeypatch):
    short = ("--encoder", encoder, "--bootstrap", "", "--max-folds", "2", "--epochs", "2", "--filters", "8")
    trained = command("training", "--config", "configs/static.yaml", *short, "--register", env=own_store)
    assert trained.returncode == 0, trained.stderr
    assert "epoch 2 of 2: loss" in trained.stderr
    run = re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1)
    params = MlflowClient(own_store["MLFLOW_TRACKING_URI"]).get_run(run).data.params
    assert (params["model"], params["filters"], params["pieces"]) == ("static", "8", "120000")
    gate = tmp_path / "gate.yaml"
    gate.write_text("margin: 0.05\nlabel_loss: 0.05\nlanguage_loss: 0.05\ncalibration_error: 1\nmegabytes: 10\n")
    promoted = command("training", "promote", run, "--gate", gate, env=own_store)
    assert promoted.stdout.endswith("models:/newsmark@champion is version 1 now\n"), promoted.stderr
    text = "Ministern lovar 300 hus."
    predicted = command("models", "-", env=own_store, stdin=json.dumps({"text": text, "lang": "sv"}) + "\n")
    assert re.fullmatch(r"model: static-[0-9a-f]{12}, champion version 1\n", predicted.stderr)
    row = json.loads(predicted.stdout)
    assert row["model_version"].startswith("static-")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store["MLFLOW_TRACKING_URI"])
    connect()  # another test of this process may have connected to a store of its own
    served = mlflow.pyfunc.load_model("models:/newsmark@champion").predict([{"text": text, "lang": "sv"}], params={"threshold": -1.0, "split": True})
    assert served[0]["passages"][0]["scores"] == row["scores"]
