"""``train --register``, ``train promote`` and ``train rollback`` in a real MLflow store."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from mlflow import MlflowClient
from newsmark.annotation.errors import UsageError
from newsmark.training.registry import DEFAULT_GATE, load_gate


@pytest.fixture(scope="module")
def own_store(store, baseline_run, tmp_path_factory):
    """A copy of the store with the baseline's run, whose registry is empty."""
    assert baseline_run.returncode == 0
    database = tmp_path_factory.mktemp("registry") / "mlflow.db"
    shutil.copy(store["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"), database)
    env = {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{database}"}
    client = MlflowClient(env["MLFLOW_TRACKING_URI"])
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    return env


@pytest.fixture(scope="module")
def client(own_store):
    return MlflowClient(own_store["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def loose(tmp_path_factory):
    """A gate that lets everything pass but a loss of F1."""
    path = tmp_path_factory.mktemp("gate") / "gate.yaml"
    path.write_text(yaml.safe_dump({"margin": 0.01, "label_loss": 0.01, "language_loss": 0.01, "calibration_error": 1, "megabytes": 600}))
    return path


@pytest.fixture(scope="module")
def first(baseline_run):
    """The run of the session's baseline; other files' tests may have trained newer ones in its store."""
    return re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)


@pytest.fixture(scope="module")
def crowned(command, own_store, first, loose):
    """What was printed when the first run became champion, as version 1."""
    done = command("training", "promote", first, "--gate", loose, env=own_store)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def worse(command, own_store, crowned):
    """A registered run that has learned next to nothing, and its version."""
    assert "is version 1 now" in crowned
    done = command("training", "--json", "--config", "configs/baseline.yaml", "--bootstrap", "", "--C", "0.0001", "--register", env=own_store)
    assert done.returncode == 0, done.stderr
    assert "Created version" not in done.stderr
    answer = json.loads(done.stdout)
    return answer["run_id"], answer["registered_version"]


def aliases(client):
    return {name: str(version) for name, version in client.get_registered_model("newsmark").aliases.items()}


def test_the_first_model_is_held_to_calibration_and_size_only(command, own_store, client, first, crowned):
    assert [re.split(" {2,}", line)[0] for line in crowned.splitlines()[2:5]] == ["calibration error", "megabytes", ""]
    assert crowned.endswith("models:/newsmark@champion is version 1 now\n")
    assert aliases(client) == {"champion": "1"}
    again = command("training", "promote", first, env=own_store)
    assert (again.returncode, again.stderr) == (1, "train: error: version 1 is the champion already\n")


@pytest.mark.usefixtures("crowned")
def test_a_version_carries_its_model_card(client, first):
    version = client.get_model_version("newsmark", "1")
    card = version.description
    run = client.get_run(first)
    assert f"`{first}`" in card
    assert "149 annotated passages in fr, sv" in card
    assert run.data.params["data_digest"][:12] in card
    assert Path(client.download_artifacts(first, "scores.txt")).read_text().strip() in card
    assert f"{run.data.metrics['calibration_error']:.3f}" in card
    assert "$" not in card
    assert Path(client.download_artifacts(first, "model_card.md")).read_text() == card


def test_a_worse_model_is_refused_with_the_row_that_failed(command, own_store, client, worse, loose):
    run, version = worse
    done = command("training", "promote", run, "--gate", loose, env=own_store)
    assert done.returncode == 1
    failed = re.search(rf"version {version} does not pass the gate: (.+); train a better one", done.stderr).group(1).split(", ")
    assert "commitment" in failed
    assert "calibration error" not in failed
    assert re.search(r"^data and folds +the same +the champion's, or newer +yes$", done.stdout, re.MULTILINE)
    assert re.findall(r"^(\S.*?) {2,}.* NO$", done.stdout, re.MULTILINE) == re.split(r", (?!interval)", ", ".join(failed))
    assert re.search(r"^commitment +-0\.\d+ +no loss over 0\.01 +NO$", done.stdout, re.MULTILINE)
    assert re.search(r"^edits per article +[+-]\d+\.\d +at most 0 more", done.stdout, re.MULTILINE)
    assert aliases(client) == {"champion": "1"}
    assert client.get_model_version("newsmark", version).tags["gate"].startswith("failed: ")
    logged = Path(client.download_artifacts(run, "promotion.txt")).read_text()
    assert f"version {version} against champion version 1" in logged
    assert done.stdout.strip() in logged


def test_force_wants_a_reason_that_is_kept_and_rollback_swaps_back(command, own_store, client, worse, loose):
    run, version = worse
    nothing = command("training", "promote", run, "--force", " ", env=own_store)
    assert (nothing.returncode, nothing.stderr) == (2, "train: error: --force: give a reason, which is kept with the version\n")
    assert command("training", "rollback", env=own_store).stderr.startswith("train: error: there is no former champion")
    done = command("training", "promote", run, "--gate", loose, "--force", "the desk asked for it", env=own_store)
    assert done.returncode == 0, done.stderr
    assert f"models:/newsmark@champion is version {version} now, forced past: " in done.stdout
    assert client.get_model_version("newsmark", version).tags["forced_because"] == "the desk asked for it"
    assert aliases(client) == {"champion": version, "previous": "1"}
    back = command("training", "rollback", env=own_store)
    assert back.stdout == f"models:/newsmark@champion is version 1 again, in place of version {version}\n"
    assert aliases(client) == {"champion": "1", "previous": version}


def both_at_once(env, *arguments):
    """Run one command twice, both waiting for the registry before the first begins to change it: (code, output, errors) of each."""
    line = [sys.executable, "-m", "training", *map(str, arguments)]
    with FileLock(env["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///") + ".lock"):
        both = [subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for process in both:
            assert process.stderr.readline() == "another command changes the registry; waiting for it\n"
    answers = [process.communicate(timeout=300) for process in both]
    return sorted((process.returncode, *answer) for process, answer in zip(both, answers, strict=True))


def test_of_two_rollbacks_at_once_one_alone_reports_success(own_store, client, worse):
    _, version = worse
    assert aliases(client) == {"champion": "1", "previous": version}
    (code, out, _), (other_code, nothing, refusal) = both_at_once(own_store, "rollback", "--json")
    assert (code, other_code, nothing) == (0, 1, "")
    assert json.loads(out) == aliases(client) == {"champion": version, "previous": "1"}
    assert refusal.startswith(f"train: error: the champion became version {version} while this command ran, so this one changes nothing")


def test_a_change_that_was_killed_between_two_aliases_is_finished_by_the_next_command(command, own_store, client, worse):
    _, version = worse
    now = aliases(client)
    after = {"champion": now["previous"], "previous": now["champion"]}
    client.set_registered_model_tag("newsmark", "newsmark.change", json.dumps(after))
    client.set_registered_model_alias("newsmark", "previous", now["champion"])  # and here it was killed
    done = command("training", "rollback", env=own_store)  # perhaps the same once more: it must not undo what was begun
    finished, refused = done.stderr.splitlines()
    assert finished == f"a change that was interrupted is finished: models:/newsmark@champion is version {after['champion']}"
    assert refused.startswith(f"train: error: the champion became version {after['champion']} while this command ran, so this one changes nothing")
    assert aliases(client) == after
    assert json.loads(command("training", "rollback", "--json", env=own_store).stdout) == now == aliases(client)
    assert "newsmark.change" not in client.get_registered_model("newsmark").tags
    assert {now["champion"], now["previous"]} == {"1", version}


@pytest.mark.usefixtures("worse")
def test_of_two_promotions_of_one_run_at_once_one_alone_makes_a_version(command, own_store, client, loose):
    done = command("training", "--json", "--config", "configs/baseline.yaml", "--bootstrap", "", "--C", "9.0", env=own_store)
    run = json.loads(done.stdout)["run_id"]
    (code, out, _), (other_code, nothing, refusal) = both_at_once(own_store, "promote", run, "--gate", loose, "--force", "two of us at once", "--json")
    assert (code, other_code, nothing) == (0, 1, "")
    [version] = client.search_model_versions(f"run_id = '{run}'")
    assert (json.loads(out)["version"], json.loads(out)["promoted"]) == (str(version.version), True)
    assert refusal == f"train: error: version {version.version} is the champion already\n"
    assert aliases(client)["champion"] == str(version.version)


def test_models_of_other_data_are_not_compared(command, own_store, loose, tmp_path):
    test = tmp_path / "test.jsonl"
    test.write_text('{"text": "Ministern lovar det.", "labels": ["commitment"]}\n{"text": "Läs mer", "labels": ["boilerplate"]}\n')
    trained = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--test", test, env=own_store)
    run = re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1)
    done = command("training", "promote", run, "--gate", loose, env=own_store)
    assert done.returncode == 1
    assert "does not pass the gate: data and folds, passages" in done.stderr


def test_a_run_that_is_not_there_is_one_clear_line(command, own_store):
    done = command("training", "promote", "0" * 32, env=own_store)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"train: error: {'0' * 32}: no finished training run")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "must map keys such as 'margin' to values"),
        ("margin: 0.1", "the key 'label_loss' is missing"),
        ("{margin: 0.1", "broken YAML"),
        ("{margin: -1, label_loss: 0, language_loss: 0, calibration_error: 0, megabytes: 1}", "margin: must be 0 or more, got -1"),
        ("{margin: yes, label_loss: 0, language_loss: 0, calibration_error: 0, megabytes: 1}", "margin: must be a number, got True"),
        ("{margin: .inf, label_loss: 0, language_loss: 0, calibration_error: 0, megabytes: 1}", "margin: must be a finite number"),
        ("{margin: 1, label_loss: 0, language_loss: 0, calibration_error: 0, megabytes: 1, labels: 2}", "unknown key 'labels'"),
    ],
)
def test_a_gate_that_is_none_is_refused(tmp_path, content, reason):
    (tmp_path / "gate.yaml").write_text(content)
    with pytest.raises(UsageError, match=reason):
        load_gate(tmp_path / "gate.yaml")


def test_the_gate_of_the_project_can_be_read():
    assert load_gate(DEFAULT_GATE).megabytes > 100


@pytest.mark.usefixtures("crowned")
def test_where_annotations_have_grown_the_gate_says_that_edits_are_not_comparable(command, own_store, loose, tmp_path):
    lines = Path("seeds/annotations.jsonl").read_text().splitlines(keepends=True)
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("".join(line for line in lines if json.loads(line)["document"] != json.loads(lines[0])["document"]))
    trained = command("training", "--json", "--config", "configs/baseline.yaml", "--bootstrap", "", "--annotations", fewer, env=own_store)
    done = command("training", "promote", json.loads(trained.stdout)["run_id"], "--gate", loose, env=own_store)
    assert re.search(r"^data and folds +newer; 0 of \d+ passages were not among the champion's", done.stdout, re.MULTILINE)
    assert re.search(r"^edits per article +not comparable: the annotations changed +at most 0 more +yes$", done.stdout, re.MULTILINE)


@pytest.mark.usefixtures("crowned")
def test_models_trained_on_other_data_are_compared_on_one_test_file(command, own_store, loose, tmp_path):
    test = tmp_path / "test.jsonl"
    test.write_text('{"text": "Ministern lovar det.", "labels": ["commitment"]}\n{"text": "Läs mer", "labels": ["boilerplate"]}\n')
    lines = Path("seeds/annotations.jsonl").read_text().splitlines(keepends=True)
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("".join(line for line in lines if json.loads(line)["document"] != json.loads(lines[0])["document"]))
    renamed = shutil.copy(test, tmp_path / "renamed.jsonl")  # the same content
    tables = []
    for annotations, file, options in (("seeds/annotations.jsonl", test, ("--force", "the first")), (fewer, renamed, ())):
        trained = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--annotations", annotations, "--test", file, env=own_store)
        run = re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1)
        tables.append(command("training", "promote", run, "--gate", loose, *options, env=own_store).stdout)
    assert re.search(r"^data and folds .* NO$", tables[0], re.MULTILINE)
    assert re.search(r"^data and folds +the same +the champion's, or newer +yes$", tables[1], re.MULTILINE)
