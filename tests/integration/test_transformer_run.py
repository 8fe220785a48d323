"""The default transformer, from training to prediction, with the real packaged encoder."""

import json
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def trained(command, store, tmp_path_factory):
    """The finished process of a training run with epochs of one, on 60 passages first, scored on a test file of four."""
    rows = [
        {"text": "Företaget lovar att sänka utsläppen med 40 procent före 2030.", "labels": ["commitment", "statistic"], "lang": "sv"},
        {"text": "« Nous avons vu l'incendie depuis la colline », raconte une voisine.", "labels": ["quote"], "lang": "fr"},
        {"text": "Lire aussi", "labels": ["boilerplate"], "lang": "fr"},
        {"text": "Le marché se tient chaque samedi sur la place.", "labels": [], "lang": "fr"},
    ]
    test = tmp_path_factory.mktemp("transformer") / "test.jsonl"
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    short = "--bootstrap", "seeds/bootstrap/id.jsonl", "--epochs", "1", "--further-epochs", "1", "--max-folds", "2", "--test", test
    done = command("training", "--config", "configs/transformer.yaml", *short, env={**store, "http_proxy": "http://127.0.0.1:9"})
    assert done.returncode == 0, done.stderr
    return done


def test_the_loss_of_each_epoch_is_told_and_logged(trained, store):
    assert re.search(r"epoch 1 of 1: loss \d\.\d{3}", trained.stderr)
    run_id = re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1)
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    assert [metric.step for metric in client.get_metric_history(run_id, "loss")] == [1, 1]  # of the corpus and of the final fit; those of the folds are theirs
    assert client.get_run(run_id).data.params["encoder"] == "multilingual-e5-small"
    folds = client.search_runs([client.get_run(run_id).info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    assert [len(client.get_metric_history(fold.info.run_id, "loss")) for fold in folds] == [1, 1]


def test_its_model_predicts_and_holds_no_pickle(trained, store, command):
    uri = re.search(r"models:/m-\w+", trained.stderr).group()
    done = command("models", "seeds/001_de0bcf51e6ff2360.txt", "--model", uri, env=store)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 20
    assert all(0 < score < 1 for row in rows for score in row["scores"].values())
    place = MlflowClient(store["MLFLOW_TRACKING_URI"]).get_logged_model(uri.removeprefix("models:/")).artifact_location
    files = [path for path in Path(place.removeprefix("file://")).rglob("*") if path.is_file()]
    assert {"model.onnx", "model.int8.onnx", "newsmark.json"} <= {path.name for path in files}
    assert not [path.name for path in files if path.suffix in {".pkl", ".pt", ".bin", ".pickle", ".joblib"}]
