"""``train`` with a small cold-start corpus: trained on first, never scored, and never what is scored."""

import json
import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from newsmark.models.calibration import Calibration
from newsmark.models.saved import load_model
from newsmark.models.store import find_folder

CORPUS = Path("seeds/bootstrap")


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient(store["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder with two of the corpus's files: 120 passages of twelve documents."""
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    folder.mkdir()
    for name in ("id", "ko"):
        shutil.copy(CORPUS / f"{name}.jsonl", folder)
    return folder


@pytest.fixture(scope="module")
def train(command, store):
    """Train the baseline; answers the finished process."""
    return lambda *arguments: command("training", "--config", "configs/baseline.yaml", *arguments, env=store)


@pytest.fixture(scope="module")
def begun(train, corpus):
    """The finished process of a run that began with the corpus."""
    done = train("--bootstrap", corpus)
    assert done.returncode == 0, done.stderr
    return done


def _run(client, done):
    return client.get_run(re.search(r"run ([0-9a-f]{32})", done.stderr).group(1))


def _table(client, run):
    table = json.loads(Path(client.download_artifacts(run.info.run_id, "out_of_fold.json")).read_text())
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def test_corpus_is_named_with_its_digest_and_its_two_parts(begun, client, corpus):
    assert f"120 passages of the cold-start corpus {corpus}" in begun.stderr
    trained, kept = map(int, re.search(r"cold-start corpus: (\d+) passages to train on, (\d+) kept", begun.stderr).groups())
    assert trained + kept == 120
    assert kept > 0
    params = _run(client, begun).data.params
    assert params["bootstrap"] == str(corpus)
    assert re.fullmatch(r"[0-9a-f]{64}", params["bootstrap_digest"])
    assert params["bootstrap_digest"] != params["data_digest"]


def test_only_the_annotated_passages_are_scored(begun, baseline_run, client):
    rows, alone = (_table(client, _run(client, done)) for done in (begun, baseline_run))
    assert [(row["document"], row["text"]) for row in rows] == [(row["document"], row["text"]) for row in alone]
    assert len(rows) == 149
    assert [row["quote_score"] for row in rows] != [row["quote_score"] for row in alone]
    assert _run(client, begun).data.params["data_digest"] == _run(client, baseline_run).data.params["data_digest"]


def test_calibration_is_logged_and_learned(begun, client, store, monkeypatch):
    run = _run(client, begun)
    before, after = (run.data.metrics[name] for name in ("calibration_error_before", "calibration_error"))
    assert 0 < before != after > 0
    assert Path(client.download_artifacts(run.info.run_id, "reliability.png")).stat().st_size > 1000
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    model = load_model(find_folder(run.info.run_id))
    assert len(model.calibrations) == 4
    assert Calibration() not in (model.calibrations[model.labels.index(label)] for label in ("quote", "boilerplate"))
    assert all(0.25 <= rule.threshold <= 0.75 and rule.slope > 0 for rule in model.calibrations)


def test_its_model_predicts(begun, command, store):
    uri = re.search(r"models:/m-\w+", begun.stderr).group()
    done = command("models", "seeds/001_de0bcf51e6ff2360.txt", "--model", uri, env=store)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20


def test_a_learning_curve_begins_with_the_corpus_alone_and_is_no_run_to_compare(begun, command, store, client, corpus, tmp_path):
    keys = "--bootstrap", corpus, "--max-folds", "2"
    done = command("training", "curve", "--config", "configs/baseline.yaml", *keys, env=store)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^ +(\d+) +0\.\d\d +\S+–\S+(?: +\d\.\d\d){4}$", done.stdout, re.MULTILINE) == ["0", "1", "2"]
    experiment = client.get_experiment_by_name("newsmark").experiment_id
    (run,) = client.search_runs([experiment], "tags.scored_on = 'learning curve'")
    assert sorted(metric.step for metric in client.get_metric_history(run.info.run_id, "macro_f1")) == [0, 1, 2]
    for name in ("learning_curve.txt", "learning_curve.png"):
        assert Path(client.download_artifacts(run.info.run_id, name)).stat().st_size > 100
    compared = command("training", "compare", env=store)
    assert compared.returncode == 0, compared.stderr
    assert run.info.run_id[:8] not in compared.stdout
    report = command("training", "report", _run(client, begun).info.run_id, "--output", tmp_path / "report.html", env=store)
    assert report.returncode == 0, report.stderr
    assert f"learning curve of run {run.info.run_id[:8]} (0: 0." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_left_out_language_is_scored_and_not_trained_on(train, client, corpus):
    done = train("--bootstrap", corpus, "--leave-out-languages", "sv,ko")
    assert done.returncode == 0, done.stderr
    trained, kept = map(int, re.search(r"cold-start corpus: (\d+) passages to train on, (\d+) kept", done.stderr).groups())
    assert trained + kept == 60
    run = _run(client, done)
    rows = _table(client, run)
    swedish = sum(row["lang"] == "sv" for row in rows)
    assert (len(rows), swedish) == (149, 20)
    assert "language_sv/macro_f1" in run.data.metrics
    folds = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    for fold in folds:
        held_out = int(fold.data.params["test_passages"])
        own_swedish = swedish if "001_" in fold.data.params["held_out"] else 0
        assert int(fold.data.params["train_passages"]) == 149 - held_out - (swedish - own_swedish)


def test_nothing_left_to_train_on_is_told_in_the_last_line(train):
    done = train("--bootstrap", "", "--leave-out-languages", "fr,sv")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("train: error: leave_out_languages leaves no passage to train on")
    assert "Traceback" not in done.stderr


def _with(corpus, folder, *rows):
    """A copy of the corpus with one file more."""
    shutil.copytree(corpus, folder)
    (folder / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_passage_of_the_articles_in_the_corpus_stops_the_run(train, corpus, tmp_path):
    text = max(Path("seeds/002_bf581d19c5184088.txt").read_text().splitlines(), key=len)
    done = train("--bootstrap", _with(corpus, tmp_path / "leaking", {"text": text, "labels": [], "document": "copied"}))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("train: error: leak: ")
    assert "(copied)" in last
    assert "002_bf581d19c5184088.txt" in last


def test_a_passage_of_the_test_file_in_the_corpus_stops_the_run(train, corpus, tmp_path):
    row = {"text": "Kommunen lovar att bygga 40 nya bostäder vid Norra torget innan sommaren 2031.", "labels": ["commitment"], "lang": "sv"}
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps({**row, "document": "asked"}) + "\n")
    done = train("--test", test, "--bootstrap", _with(corpus, tmp_path / "leaking", {**row, "document": "copied"}))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("train: error: leak: ")
    assert "(copied)" in last
    assert "(asked)" in last


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (None, "no such file"),
        ([], "the file has no rows"),
        ([{"text": "a"}], "line 1: field 'labels' must be a list"),
    ],
)
def test_a_corpus_that_is_none_is_told_in_the_last_line(train, tmp_path, rows, reason):
    path = tmp_path / "corpus.jsonl"
    if rows is not None:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = train("--bootstrap", path)
    assert done.returncode == (2 if rows is None else 1)
    assert done.stderr.splitlines()[-1].startswith("train: error: ")
    assert str(path) in done.stderr.splitlines()[-1]
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_folder_is_no_corpus(train, tmp_path):
    done = train("--bootstrap", tmp_path)
    assert done.stderr.endswith(f"train: error: {tmp_path}: no .jsonl file in this folder has rows\n")
