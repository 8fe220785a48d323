"""The transformer, from training to prediction: the default one with the real packaged encoder, a tiny one in two processes."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from mlflow import MlflowClient
from newsmark.models.transformer.reader import FLOAT, GraphSettings, SavedTransformer
from newsmark.training.cli import main


@pytest.fixture(scope="module")
def trained(command, store, tmp_path_factory):
    """The finished process of the cheap training run, on 60 passages first, scored on a test file of four."""
    rows = [
        {"text": "Företaget lovar att sänka utsläppen med 40 procent före 2030.", "labels": ["commitment", "statistic"], "lang": "sv"},
        {"text": "« Nous avons vu l'incendie depuis la colline », raconte une voisine.", "labels": ["quote"], "lang": "fr"},
        {"text": "Lire aussi", "labels": ["boilerplate"], "lang": "fr"},
        {"text": "Le marché se tient chaque samedi sur la place.", "labels": [], "lang": "fr"},
    ]
    test = tmp_path_factory.mktemp("transformer") / "test.jsonl"
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    short = "--fast", "--bootstrap", "seeds/bootstrap/id.jsonl", "--max-folds", "2", "--max-tokens", "64", "--test", test
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


def test_its_export_is_read_by_plain_transformers_as_its_card_says(trained, store, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    assert main(["export", re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1), str(tmp_path / "model")]) == 0
    card = ModelCard.load(tmp_path / "model" / "README.md")
    assert card.data.base_model == "intfloat/multilingual-e5-small"
    (snippet,) = (block for block in re.findall(r"```python\n(.*?)```", card.text, re.DOTALL) if "AutoModel" in block)
    used = {}
    exec(snippet.replace("FOLDER", str(tmp_path / "model")), used)
    settings = GraphSettings(64, graph=FLOAT)
    assert used["tokenizer"].model_max_length == settings.max_tokens
    scores = SavedTransformer(tmp_path / "model", settings).scores(["Ministern lovar sänkta utsläpp."])
    assert np.allclose(used["probabilities"].numpy(), scores, atol=1e-4)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path / "model", check=True)


SENTENCES = {
    "Och ministern lovar bygga skolor.": ["commitment"],
    "Ja, antalet steg till 9 procent.": ["statistic"],
    "Den solen sken över staden igår.": [],
    "Nu lovar ministern en lång skolor.": ["commitment"],
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Flags of ``train`` for four articles in which two labels are easily told apart."""
    folder = tmp_path_factory.mktemp("toy")
    articles, annotations = [], []
    for number in range(4):
        sentences = [*SENTENCES] * 4
        text = " ".join(sentences[number:] + sentences[:number])
        articles.append({"text": text, "name": f"{number}", "lang": "sv"})
        spans = [
            {"id": f"{label}{found.start()}", "start": found.start(), "end": found.end(), "label": label}
            for sentence, labels in SENTENCES.items()
            for label in labels
            for found in re.finditer(re.escape(sentence), text)
        ]
        document = hashlib.sha256(text.encode()).hexdigest()
        annotations.append({"document": document, "annotator": "a", "ground_truth": True, "topics": [], "spans": spans})
    for name, rows in (("articles", articles), ("annotations", annotations)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = "--documents", folder / "articles.jsonl", "--annotations", folder / "annotations.jsonl", "--bootstrap", ""
    sizes = "--epochs", "20", "--learning-rate", "2e-3", "--batch-size", "8", "--max-tokens", "32", "--max-folds", "2"
    return *data, *sizes, "--frozen-layers", "0"  # one process alone reads frozen layers once, without dropout, which two do not


def test_two_processes_train_to_the_score_of_one_and_log_one_run(command, store, encoder, toy):
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    train = ["--config", "configs/transformer.yaml", "--encoder", encoder, *toy]
    alone = command("training", *train, env=store)
    assert alone.returncode == 0, alone.stderr
    before = len(client.search_runs(["1"]))
    together = command("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training", *train, env={**store, "OMP_NUM_THREADS": "1"})
    assert together.returncode == 0, together.stderr
    assert len(client.search_runs(["1"])) == before + 3  # the run and its two folds
    runs = [client.get_run(re.search(r"run ([0-9a-f]{32})", done.stderr).group(1)) for done in (alone, together)]
    for label in ("commitment", "statistic"):
        assert [run.data.metrics[f"{label}/f1"] for run in runs] == [1.0, 1.0]
    losses = [[metric.value for metric in client.get_metric_history(run.info.run_id, "loss")] for run in runs]
    assert losses[1] == pytest.approx(losses[0], rel=0.2, abs=0.01)
    assert together.stderr.count("final fit") == 1
    assert together.stdout.count("macro F1") == 1
