"""``train compare``, ``train suspects``, ``train report`` and ``annotate doubt`` on real runs in a real MLflow store."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

LABELS = ["commitment", "statistic", "quote", "boilerplate"]
TEST_ROWS = [
    {"text": "Ministern lovar sänkta utsläpp före 2030.", "labels": ["commitment"], "lang": "sv", "document": "a"},
    {"text": "Lire aussi", "labels": ["boilerplate"], "lang": "fr", "document": "b"},
]


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient(store["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def run_id(baseline_run):
    return re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)


def train(command, store, *arguments):
    done = command("training", "--json", "--config", "configs/baseline.yaml", "--bootstrap", "", *arguments, env=store)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["run_id"]


@pytest.fixture(scope="module")
def other_id(command, store, tmp_path_factory):
    """A run with another setting, on annotations that name their tasks in Label Studio."""
    rows = [json.loads(line) for line in Path("seeds/annotations.jsonl").read_text().splitlines()]
    annotations = tmp_path_factory.mktemp("annotations") / "annotations.jsonl"
    annotations.write_text("".join(json.dumps({**row, "task_url": f"http://studio/{row['name'][:3]}"}) + "\n" for row in rows))
    return train(command, store, "--C", "0.5", "--annotations", annotations)


@pytest.fixture(scope="module")
def tested_id(command, store, tmp_path_factory):
    """A run that was scored with --test."""
    test = tmp_path_factory.mktemp("test") / "test.jsonl"
    test.write_text("".join(json.dumps(row) + "\n" for row in TEST_ROWS))
    return train(command, store, "--test", test)


def read(client, run_id):
    """The logged table as columns of (truth, score, given) by label, and everything by name."""
    table = json.loads(Path(client.download_artifacts(run_id, "out_of_fold.json")).read_text())
    return {name: np.array([row[index] for row in table["data"]]) for index, name in enumerate(table["columns"])}


def test_compare_tells_how_each_run_differs_from_the_first(command, store, client, run_id, other_id, tested_id):
    done = command("training", "compare", run_id, other_id, tested_id, env=store)
    assert done.returncode == 0, done.stderr
    assert f"baseline {other_id[:8]} less baseline {run_id[:8]}, on the same 149 passages" in done.stdout
    assert "over 4 groups, the same for both; so few say little" in done.stdout
    assert f"\nbaseline {run_id[:8]}: run {run_id}\nbaseline {other_id[:8]}: run {other_id}\n" in done.stdout
    answer = json.loads(command("training", "compare", run_id, other_id, tested_id, "--json", env=store).stdout)
    assert [run["run_id"] for run in answer["runs"]] == [run_id, other_id, tested_id]
    assert (answer["differences"][0]["other"], answer["differences"][0]["passages"], len(answer["not_compared"])) == (other_id, 149, 1)
    assert done.stdout.endswith(
        f"\n\nbaseline {tested_id[:8]} and baseline {run_id[:8]} can't be compared passage by passage: they were scored on different passages: 149 and 2\n"
    )
    assert "their scores can't be compared" in done.stdout
    first, other = (client.get_run(one).data.metrics for one in (run_id, other_id))
    paired = done.stdout[done.stdout.index(" less ") :]
    for name, metric in (("macro F1", "macro_f1"), ("micro F1", "micro_f1"), *((label, f"{label}/f1") for label in LABELS)):
        value, low, high = map(float, re.search(rf"^{name} +([+-]\S+) +([+-]\S+) to ([+-]\S+)", paired, re.MULTILINE).groups())
        assert value == pytest.approx(other[metric] - first[metric], abs=0.0051)
        assert low <= value <= high
    one, two = read(client, run_id), read(client, other_id)
    right, other_right = one["quote_given"] == one["quote_true"], two["quote_given"] == two["quote_true"]
    counts = sum(right & ~other_right), sum(other_right & ~right)
    assert sum(counts)
    assert re.search(rf"^quote .* {counts[0]} +{counts[1]} +\d\.\d\d\d$", paired, re.MULTILINE)


def test_compare_without_runs_pairs_the_newest_of_each_kind(command, store, run_id, other_id, tmp_path):
    database = tmp_path / "mlflow.db"
    shutil.copy(store["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"), database)
    uri = f"sqlite:///{database}"
    copy = MlflowClient(uri)
    for run in copy.search_runs([copy.get_run(run_id).info.experiment_id]):
        if run.info.run_id not in {run_id, other_id}:
            copy.delete_run(run.info.run_id)
    alone = command("training", "compare", other_id, env={**store, "MLFLOW_TRACKING_URI": uri})
    assert alone.returncode == 0, alone.stderr
    assert "passage" not in alone.stdout
    copy.set_tag(other_id, "kind", "transformer")
    done = command("training", "compare", env={**store, "MLFLOW_TRACKING_URI": uri})
    assert f"transformer {other_id[:8]} less baseline {run_id[:8]}, on the same 149 passages" in done.stdout


def test_a_run_without_its_predictions_is_still_compared_side_by_side(command, store, client, run_id, other_id):
    artifact = Path(client.get_run(other_id).info.artifact_uri.removeprefix("file://")) / "out_of_fold.json"
    whole = artifact.read_bytes()
    try:
        artifact.write_bytes(whole[:5000])
        damaged = command("training", "compare", run_id, other_id, env=store)
        artifact.unlink()
        missing = command("training", "compare", run_id, other_id, env=store)
    finally:
        artifact.write_bytes(whole)
    for done, reason in ((damaged, "its logged table out_of_fold.json is damaged"), (missing, f"baseline {other_id[:8]} has no logged predictions")):
        assert done.returncode == 0, done.stderr
        assert "macro f1" in done.stdout
        assert reason in done.stdout


def test_suspects_are_ranked_counted_and_linked_to_their_tasks(command, store, client, other_id):
    done = command("training", "suspects", other_id, "--limit", "1000", env=store)
    assert done.returncode == 0, done.stderr
    table = read(client, other_id)
    expected = {}
    for label in LABELS:
        given, scores = table[f"{label}_true"] == 1, table[f"{label}_score"]
        yes, no = scores >= scores[given].mean(), 1 - scores >= (1 - scores[~given]).mean()
        expected[label] = int((given & no & ~yes).sum() + (~given & yes & ~no).sum())
    assert sum(expected.values())
    counted = ", ".join(f"{label} {count}" for label, count in expected.items())
    *rows, blank, last = done.stdout.splitlines()[2:]
    assert (blank, last) == ("", f"{sum(expected.values())} suspicious labels on 149 passages: {counted}")
    assert len(rows) == sum(expected.values())
    margins = []
    for row in rows:
        label, suspected, probability, document, start, end, task = re.search(
            r"^(\w+) +has it(?: not)? {2,}(has it(?: not)?) +(\d\.\d\d) +(\S+\.txt) +(\d+)–(\d+) .* (\S+)$", row
        ).groups()
        assert task == f"http://studio/{document[:3]}"
        [index] = np.flatnonzero((table["name"] == document) & (table["start"] == int(start)) & (table["end"] == int(end)))
        assert (suspected == "has it") == (table[f"{label}_true"][index] == 0)
        assert float(probability) == pytest.approx(table[f"{label}_score"][index], abs=0.0051)
        margins.append((2 * table[f"{label}_score"][index] - 1) * (1 if suspected == "has it" else -1))
    assert margins == sorted(margins, reverse=True)


def test_suspects_takes_the_tasks_from_the_annotations_it_is_given(command, store, client, run_id, other_id):
    answer = json.loads(command("training", "suspects", other_id, "--limit", "3", "--json", env=store).stdout)
    assert [one["task_url"] for one in answer["suspects"]] == [f"http://studio/{one['name'][:3]}" for one in answer["suspects"]]
    assert (answer["passages"], len(answer["suspects"]), len(answer["suspects"][0]["document"])) == (149, 3, 64)
    own = command("training", "suspects", run_id, "--limit", "3", env=store)
    assert "http" not in own.stdout  # the seeds are in no Label Studio
    assert own.stdout.endswith("; the first 3 are shown\n")
    given = command("training", "suspects", run_id, "--limit", "3", "--annotations", client.get_run(other_id).data.params["annotations"], env=store)
    assert given.stdout.count("http://studio/00") == 3
    missing = command("training", "suspects", run_id, "--annotations", "nosuch.jsonl", env=store)
    assert (missing.returncode, missing.stderr) == (2, "train: error: nosuch.jsonl: no such file\n")


def test_doubt_lists_the_suspects_of_a_run_and_takes_the_newest_with_out_of_fold_predictions(command, store, client, run_id, other_id, tested_id, tmp_path):
    def doubt(*arguments, env=store):
        done = command("annotation", "doubt", *arguments, env=env)
        return done if done.returncode else json.loads(done.stdout)

    suspects = json.loads(command("training", "suspects", other_id, "--limit", "1000", "--json", env=store).stdout)
    annotations = client.get_run(other_id).data.params["annotations"]
    answer = doubt("--run", other_id, "--reason", "model", "--limit", "1000", "--annotations", annotations, "--json")
    keys = ("document", "start", "end", "label", "given", "text", "task_url")
    assert sorted([one[key] for key in keys] for one in answer["doubts"]) == sorted([one[key] for key in keys] for one in suspects["suspects"])
    assert answer["reasons"] == {"model": suspects["suspicious"]}
    strengths = [one["strength"] for one in answer["doubts"]]
    assert strengths == sorted(strengths, reverse=True)

    database = tmp_path / "mlflow.db"  # the store has runs of other tests, too
    shutil.copy(store["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"), database)
    uri = f"sqlite:///{database}"
    copy = MlflowClient(uri)
    for run in copy.search_runs([copy.get_run(run_id).info.experiment_id]):
        if run.info.run_id not in {run_id, other_id, tested_id}:
            copy.delete_run(run.info.run_id)
    newest = max((run_id, other_id), key=lambda one: client.get_run(one).info.start_time)
    by_newest = doubt("--json", env={**store, "MLFLOW_TRACKING_URI": uri})
    assert by_newest["doubts"][0]["reasons"]["model"].startswith(f"baseline {newest[:8]}, trained without the article")

    refused = doubt("--run", tested_id)
    assert refused.stderr.startswith(f"annotate: error: {tested_id}: scored on other passages")
    assert doubt("--run", "nosuch").stderr.startswith("annotate: error: nosuch: no finished training run")


def test_suspects_of_a_run_without_out_of_fold_predictions_are_refused(command, store, tested_id):
    done = command("training", "suspects", tested_id, env=store)
    assert done.returncode == 1
    assert done.stderr.startswith(f"train: error: {tested_id}: scored on other passages (test file test.jsonl")
    assert done.stderr.endswith("train again without --test\n")
    assert done.stderr.count("\n") == 1
    assert command("training", "suspects", "nosuch", env=store).stderr.startswith("train: error: nosuch: no finished training run")


def test_a_report_shows_the_logged_scores_the_flips_and_the_tasks_and_is_logged(command, store, client, run_id, other_id, tmp_path):
    path = tmp_path / "report.html"
    done = command("training", "report", other_id, run_id, "--output", path, env=store)
    assert (done.returncode, done.stdout) == (0, f"{path}: 149 passages; logged to the run as report-{run_id[:8]}.html\n"), done.stderr
    page = path.read_text(encoding="utf-8")
    assert Path(client.download_artifacts(other_id, f"report-{run_id[:8]}.html")).read_text(encoding="utf-8") == page
    metrics = client.get_run(other_id).data.metrics
    assert f"<dt>macro F1</dt><dd><b>{metrics['macro_f1']:.2f}</b> <span>{metrics['macro_f1_low']:.2f}–{metrics['macro_f1_high']:.2f}</span>" in page
    assert f"<dt>edits per article</dt><dd><b>{metrics['edits_per_article']:.1f}</b>" in page
    assert page.count("http://studio/") == 5
    now, before = read(client, other_id), read(client, run_id)
    flips = sum(sum(now[f"{label}_given"] != before[f"{label}_given"]) for label in LABELS)
    right = sum(sum((now[f"{label}_given"] != before[f"{label}_given"]) & (now[f"{label}_given"] == now[f"{label}_true"])) for label in LABELS)
    assert (page.count(">right now<"), page.count(">wrong now<")) == (right, flips - right)
    assert flips
    assert "the weights of its n-grams" in page
    assert re.search(r'<mark class="up3">\w+', page.partition("</form>")[2])


def test_a_report_is_made_without_the_model_and_says_what_is_missing(command, store, client, run_id, tmp_path):
    """The folder of the run's model is away meanwhile."""
    (model,) = [one for one in client.search_logged_models([client.get_run(run_id).info.experiment_id]) if one.source_run_id == run_id]
    folder = Path(model.artifact_location.removeprefix("file://"))
    folder.rename(tmp_path / "away")
    try:
        done = command("training", "report", run_id, "--json", "--output", tmp_path / "report.html", env=store)
    finally:
        (tmp_path / "away").rename(folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"run_id": run_id, "path": str(tmp_path / "report.html"), "artifact": "report.html", "passages": 149}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What moved the scores is left out, because the run&#x27;s model is not at hand: run" in page
    assert "<mark class=" not in page.partition("</form>")[2]


def test_a_report_of_a_test_file_shows_what_it_was_scored_on(command, store, run_id, tested_id, tmp_path):
    done = command("training", "report", tested_id, run_id, "--output", tmp_path / "report.html", env=store)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 passages of 2 documents, scored by test file test.jsonl" in page
    assert "can't be compared with this run passage by passage: no passage was scored in both with the same annotation." in page
    assert "It was trained on these articles" not in page
    assert "· annotation looks wrong<" not in page


def test_a_report_that_can_not_be_made_leaves_no_file(command, store, run_id, tmp_path):
    for arguments, said in (
        (("0" * 32,), "no finished training run has this id"),
        ((run_id, "--annotations", tmp_path / "none.jsonl"), "none.jsonl"),
        ((run_id, "--output", tmp_path / "report.pdf"), "the report is a page; give it a name with .html"),
    ):
        done = command("training", "report", "--output", tmp_path / "report.html", *arguments, env=store)
        assert done.returncode in {1, 2}
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
