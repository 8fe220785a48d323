"""``train`` on the real seeds, with a real MLflow store."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from mlflow import MlflowClient
from newsmark.training.cli import main
from sklearn.metrics import f1_score

import newsmark

LABELS = ["commitment", "statistic", "quote", "boilerplate"]
BASELINE = ("--config", "configs/baseline.yaml", "--bootstrap", "")  # the cold-start corpus is another file's


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient(store["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def run(client, baseline_run):
    run_id = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    return client.get_run(run_id)


def _artifact(client, run, name):
    return Path(client.download_artifacts(run.info.run_id, name))


def test_scores_are_printed_with_intervals_beside_the_majority(baseline_run):
    for name in (*LABELS, "macro F1", "micro F1", "majority F1", "fr", "sv"):
        assert name in baseline_run.stdout
    assert re.search(r"macro F1 .*\d\.\d\d–\d\.\d\d", baseline_run.stdout)
    assert re.search(r"^Edits per article from suggestions .*, 5 articles: .* from nothing 23\.0\.$", baseline_run.stdout, re.MULTILINE)  # 115 spans
    assert re.search(r"^Spans suggested and marked: F1 0\.\d\d with both borders right, 0\.\d\d by characters\.$", baseline_run.stdout, re.MULTILINE)


def test_what_is_for_review_and_the_calibration_error_are_printed(baseline_run, run):
    assert f"Expected calibration error of the probabilities: {run.data.metrics['calibration_error']:.3f}." in baseline_run.stdout
    assert re.search(r"For review \(predict --review\): \d+% of the passages; among them \d+ of the \d+ passages with a wrong label", baseline_run.stdout)


def test_what_topics_are_worth_is_printed_and_logged(baseline_run, run):
    metrics = run.data.metrics
    assert re.search(r"^Topics of 5 articles, micro and macro F1: learned \d\.\d\d .* 5 articles prove little\.$", baseline_run.stdout, re.MULTILINE)
    assert (metrics["topic_edits_per_article"], metrics["topic_edits_per_article_without"]) == (3.6, 3.6)
    assert {"topics_learned_micro_f1", "topics_commonest_macro_f1"} <= metrics.keys()


def test_everything_about_the_run_is_logged(client, run, baseline_run):
    assert run.info.status == "FINISHED"
    config = yaml.safe_load(Path("configs/baseline.yaml").read_text())
    for key in set(config) - {"documents", "bootstrap", "fast"}:
        assert run.data.params[key] == str(config[key])
    assert (run.data.params["bootstrap"], run.data.params["bootstrap_digest"]) == ("", "")
    assert len(run.data.params["data_digest"]) == 64
    assert 0 <= run.data.metrics["calibration_error"] <= 1
    assert 0 <= run.data.metrics["calibration_error_before"] <= 1
    assert run.data.tags["git_commit"]
    assert run.inputs.dataset_inputs[0].dataset.digest == run.data.params["data_digest"][:36]
    for name in ("scores.txt", "precision_recall.png", "reliability.png", "label_cooccurrence.png"):
        assert _artifact(client, run, name).stat().st_size > 100
    assert _artifact(client, run, "scores.txt").read_text().strip() in baseline_run.stdout


def test_a_spreadsheet_of_labelled_sentences_is_enough_to_train_on(client, store, command, tmp_path):
    lines = [f"Det sade talesperson nummer {number} på måndagen.,1" if number % 2 else f"Skog {number} är grön och vacker.,0" for number in range(60)]
    (tmp_path / "own.csv").write_text("\n".join(["text,quote", *lines]) + "\n", encoding="utf-8")
    done = command("training", *BASELINE, "--documents", "", "--passages", tmp_path / "own.csv", "--max-folds", "3", "--json", env=store)
    assert done.returncode == 0, done.stderr
    assert "60 labelled passages of" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["scores"]["quote/f1"] > 0.9
    table = json.loads(_artifact(client, client.get_run(answer["run_id"]), "out_of_fold.json").read_text())
    assert len(table["data"]) == 60


def test_each_fold_is_a_nested_run(client, run):
    nested = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert len(nested) == 4
    assert any("000_" in fold.data.params["held_out"] and "001_" in fold.data.params["held_out"] for fold in nested)
    assert sum(int(fold.data.params["test_passages"]) for fold in nested) == 149
    assert all("macro_f1" in fold.data.metrics for fold in nested)


def test_scores_can_be_computed_again_from_the_out_of_fold_table(client, run):
    table = json.loads(_artifact(client, run, "out_of_fold.json").read_text())
    columns = {name: np.array([row[index] for row in table["data"]]) for index, name in enumerate(table["columns"])}
    truth = np.stack([columns[f"{label}_true"] for label in LABELS], axis=1)
    given = np.stack([columns[f"{label}_given"] for label in LABELS], axis=1)
    assert f1_score(truth, given, average="macro", zero_division=0) == pytest.approx(run.data.metrics["macro_f1"])
    text = Path("seeds", columns["name"][0]).read_text()
    assert text[columns["start"][0] : columns["end"][0]] == columns["text"][0]
    assert run.data.metrics["macro_f1_low"] <= run.data.metrics["macro_f1"] <= run.data.metrics["macro_f1_high"]


def test_the_same_command_twice_gives_the_same_scores(command, store, baseline_run):
    again = command("training", *BASELINE, env=store)
    assert again.stdout == baseline_run.stdout


def test_flags_override_the_file_and_reach_the_store(command, store, client):
    done = command("training", *BASELINE, "--C", "0.5", "--seed", "7", env=store)
    run = client.get_run(re.search(r"run ([0-9a-f]{32})", done.stderr).group(1))
    assert (run.data.params["C"], run.data.params["seed"]) == ("0.5", "7")


def test_a_test_file_is_scored_alone_and_never_trained_on(command, store, client, tmp_path):
    rows = [
        {"text": "Företaget lovar att sänka utsläppen med 40 procent före 2030.", "labels": ["commitment", "statistic"], "lang": "sv", "page": "a"},
        {"text": "« Nous avons vu l'incendie depuis la colline », raconte une voisine.", "labels": ["quote"], "lang": "fr", "page": "a"},
        {"text": "Lire aussi", "labels": ["boilerplate"], "lang": "fr", "page": "b", "kind": "blog (old)"},
        {"text": "Le marché se tient chaque samedi sur la place.", "labels": [], "lang": "fr", "page": "b", "kind": "blog (old)"},
        *({"text": f"Antalet besökare ökade till {number} 000.", "labels": ["statistic"], "lang": "sv"} for number in (3, 4, 5)),
    ]
    test = tmp_path / "test.jsonl"
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command("training", *BASELINE, "--test", test, env=store)
    assert done.returncode == 0, done.stderr
    for language_or_kind, count in (("fr", 3), ("article", 5), (r"blog \(old\)", 2)):
        assert re.search(rf"^{language_or_kind} +\d\.\d\d +\S+–\S+ +\d\.\d\d +\S+–\S+ +{count}$", done.stdout, re.MULTILINE)
    run = client.get_run(re.search(r"run ([0-9a-f]{32})", done.stderr).group(1))
    table = json.loads(_artifact(client, run, "test_predictions.json").read_text())
    assert len(table["data"]) == 7
    losses = re.search(r"^F1 lost against thresholds chosen on other documents of the same file: macro F1 (\S+), commitment", done.stdout, re.MULTILINE)
    assert float(losses.group(1)) == pytest.approx(run.data.metrics["threshold_loss"], abs=0.0005)
    assert sum(bool(re.fullmatch(r"kind_blog _old_-[0-9a-f]{8}/macro_f1", name)) for name in run.data.metrics) == 1
    assert run.data.tags["scored_on"].startswith("test file test.jsonl")
    assert "149 passages of 5 documents" in done.stderr


def test_a_test_file_that_holds_training_passages_is_refused(command, store, tmp_path):
    text = Path("seeds/003_351322b492e975e1.txt").read_text().split("\n")[0]
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps({"text": text, "labels": ["quote"], "lang": "fr"}) + "\n")
    done = command("training", *BASELINE, "--test", test, env=store)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("train: error: leak: ")
    assert "003_351322b492e975e1.txt" in done.stderr


def test_a_label_without_positives_in_a_fold_is_reported_and_does_not_crash(command, store, tmp_path):
    only_in_one_article = tmp_path / "annotations.jsonl"
    rows = [json.loads(line) for line in Path("seeds/annotations.jsonl").read_text().splitlines()]
    for row in rows:
        if not row["name"].startswith("003"):
            row["spans"] = [span for span in row["spans"] if span["label"] != "statistic"]
    only_in_one_article.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command("training", *BASELINE, "--annotations", only_in_one_article, env=store)
    assert done.returncode == 0, done.stderr
    assert "none of these passages has the label statistic, so nothing is learned of it here" in done.stderr


def test_a_fifth_label_is_one_edit_in_the_labels_file_and_annotated_data(command, store, tmp_path):
    labels = yaml.safe_load(Path("configs/labels.yaml").read_text())
    labels["labels"]["question"] = {"definition": "Asks something.", "color": "#123456", "hotkey": "5"}
    labels_file = tmp_path / "labels.yaml"
    labels_file.write_text(yaml.safe_dump(labels, sort_keys=False))
    rows = [json.loads(line) for line in Path("seeds/annotations.jsonl").read_text().splitlines()]
    for row in rows:
        row["spans"].append({"id": "new", "start": 0, "end": 60, "label": "question"})
    annotations = tmp_path / "annotations.jsonl"
    annotations.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command("training", *BASELINE, "--labels", labels_file, "--annotations", annotations, env=store)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^question ", done.stdout, re.MULTILINE)
    model = re.search(r"models:/m-\w+", done.stderr).group()
    predicted = command("models", "-", "--model", model, env=store, stdin='{"text": "Varför?"}\n')
    assert list(json.loads(predicted.stdout)["scores"]) == [*LABELS, "question"]


def test_compare_puts_runs_side_by_side(command, store, run):
    done = command("training", "compare", run.info.run_id, run.info.run_id, env=store)
    assert done.returncode == 0, done.stderr
    assert f"{run.data.metrics['macro_f1']:.2f} [" in done.stdout
    assert "can't be compared" not in done.stdout
    assert command("training", "compare", "0" * 32, env=store).stderr.startswith("train: error: 000")


@pytest.fixture
def endless(encoder):
    """A training that lasts much longer than any test."""
    small = "--bootstrap", "", "--encoder", encoder, "--max-tokens", "64"
    return [sys.executable, "-m", "training", "--config", "configs/transformer.yaml", *small, "--epochs", "100000"]


def test_ctrl_c_leaves_the_run_killed(store, client, endless, tmp_path):
    environment = {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    process = subprocess.Popen(endless, env=environment, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("fold 1"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=120) == 130, rest
    assert "Traceback" not in rest
    client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
    statuses = [run.info.status for run in client.search_runs([client.get_experiment_by_name("newsmark").experiment_id])]
    assert statuses
    assert set(statuses) == {"KILLED"}


def test_the_run_of_a_killed_process_is_ended_by_the_next_command_and_its_folder_removed(command, store, endless, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "TMPDIR": str(temporary)}
    process = subprocess.Popen(endless, env=environment, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("fold 1"):
            break
    client = MlflowClient(environment["MLFLOW_TRACKING_URI"])

    def statuses():
        return sorted(run.info.status for run in client.search_runs([client.get_experiment_by_name("newsmark").experiment_id]))

    try:
        command("training", "compare", env=environment)
        assert "RUNNING" in statuses()  # a process that is alive keeps its run
        assert len(list(temporary.glob("newsmark-run-*"))) == 1
    finally:
        process.kill()
        process.wait(timeout=60)
    done = command("training", "compare", env=environment)
    assert done.stderr.startswith("runs of processes that are gone were still RUNNING; they are KILLED now: ")
    assert set(statuses()) <= {"FINISHED", "KILLED"}
    assert "KILLED" in statuses()
    assert [path.name for path in temporary.iterdir() if path.name.startswith(("newsmark-", "tmp"))] == []  # beside them are caches of libraries


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--config", "configs/nosuch.yaml"], 2, "configs/nosuch.yaml: no such configuration"),
        (["--config", "configs/baseline.yaml", "--test", "nosuch.jsonl"], 2, "nosuch.jsonl: no such test file"),
        (["--config", "configs/baseline.yaml", "--epochs", "3"], 2, "a key of another kind of model"),
        (["--config", "configs/baseline.yaml", "--documents", "nosuch"], 2, "nosuch: no such file or folder"),
        (["--config", "configs/baseline.yaml", "--annotations", "nosuch.jsonl"], 2, "nosuch.jsonl: no such file"),
        (["--config", "configs/baseline.yaml", "--documents", "seeds/003_351322b492e975e1.txt"], 1, "unknown document"),
        ([], 2, "--config is missing"),
    ],
)
def test_bad_arguments_end_in_one_line(command, store, arguments, code, expected):
    done = command("training", *arguments, env=store)
    assert done.returncode == code
    *before, last = done.stderr.splitlines()
    assert last.startswith("train: error: ")
    assert expected in last
    assert before == []


def test_a_store_that_cannot_be_written_is_told_in_one_line(command, store, tmp_path):
    (tmp_path / "file").touch()
    for place in (f"{tmp_path}/file/mlruns", "/proc/newsmark"):  # not folders that anybody, root included, can make
        done = command("training", *BASELINE, env={**store, "MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db"})
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("train: error: ")
        assert "Traceback" not in done.stderr


def test_a_password_in_the_store_uri_is_not_shown(command, store):
    uri = "http://somebody:hunter2secret@127.0.0.1:9"
    environment = {**store, "MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = command("training", *BASELINE, env=environment)
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "hunter2secret" not in done.stderr + done.stdout


def test_an_unannotated_document_is_left_out(command, store, tmp_path):
    shutil.copytree("seeds", tmp_path / "seeds")
    (tmp_path / "seeds/new.txt").write_text("En helt ny artikel som ingen har märkt upp ännu.\n")
    done = command("training", *BASELINE, "--documents", tmp_path / "seeds", env=store)
    assert "149 passages of 5 documents" in done.stderr


@pytest.fixture
def export(store, monkeypatch, capsys):
    """Run ``train export`` in this process; gives its exit code, what it printed and what it reported."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])

    def run_export(*arguments):
        code = main(["export", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run_export


def test_export_writes_a_whole_model_with_its_card_and_checksums(export, run, tmp_path):
    folder = tmp_path / "new" / "model"
    code, printed, _ = export(run.info.run_id, folder, "--license", "cc-by-4.0", "--json")
    assert code == 0
    answer = json.loads(printed)
    assert answer["left_out"] == ""
    assert sorted(answer["files"]) == sorted(path.name for path in folder.iterdir())
    assert set(answer["files"]) == {"README.md", "SHA256SUMS", "newsmark.json", *json.loads((folder / "newsmark.json").read_text())["files"]}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    text = Path("seeds/003_351322b492e975e1.txt").read_text(encoding="utf-8")
    assert newsmark.load(folder).version == answer["model_version"]
    assert newsmark.load(folder).predict(text) == newsmark.load(run.info.run_id).predict(text)
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == ("cc-by-4.0", "newsmark", "text-classification")
    assert card.data.language == sorted(run.data.params["data_languages"].split(", "))
    scores = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert scores == {
        "macro F1": round(run.data.metrics["macro_f1"], 4),
        **{f"F1 of {label}": round(run.data.metrics[f"{label}/f1"], 4) for label in LABELS},
    }
    assert "base_model" not in card.data.to_dict()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.text.splitlines() if line.startswith("| ") and line.count("|") == 6]
    thresholds = {row[0]: float(row[1]) for row in rows[1:]}
    assert list(thresholds) == LABELS
    assert all(0 < threshold < 1 for threshold in thresholds.values())
    assert "head.safetensors" not in card.text  # a baseline is nothing for transformers


def test_export_replaces_nothing_and_names_what_is_wrong(export, run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for arguments, code, said in (
        ([run.info.run_id, tmp_path], 2, f"train: error: {tmp_path}: is not empty, and nothing is replaced; name a new folder"),
        ([run.info.run_id, tmp_path / "mine.txt"], 2, "mine.txt: is not empty"),
        (["0" * 32, tmp_path / "out"], 1, "no finished training run has this id"),
        ([run.info.run_id, tmp_path / "out", "--license", "My Own"], 2, "name a licence as the Hub does"),
    ):
        found, printed, reported = export(*arguments)
        assert (found, printed, reported.count("\n")) == (code, "", 1)
        assert said in reported
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
