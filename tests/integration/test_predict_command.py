"""``predict`` with a model from a real MLflow store, and as a folder."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mlflow import MlflowClient
from newsmark.models.saved import is_model_folder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ARTICLE = """Kommunen bygger om torget

Kommunstyrelsen har beslutat att bygga om Stortorget nästa år. Ombygget väntas kosta 12 miljoner kronor 😀.
”Vi ska vara klara till hösten”, säger Eva Ek.\u00a0
Läs också: Ny bro över ån
"""


@pytest.fixture(scope="module")
def model(store, baseline_run, tmp_path_factory):
    """The model folder that training logged, copied out of the store."""
    uri = re.search(r"models:/m-\w+", baseline_run.stderr).group()
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    location = client.get_logged_model(uri.removeprefix("models:/")).artifact_location
    folder = tmp_path_factory.mktemp("model") / "copied"
    shutil.copytree(location.removeprefix("file://"), folder)
    return folder / "artifacts" / "model"


def _rows(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_article_gives_a_row_per_passage_with_offsets_that_slice_back(command, store, model, tmp_path):
    path = tmp_path / "torget.txt"
    path.write_bytes(ARTICLE.replace("\n", "\r\n").encode())
    rows = _rows(command("models", path, "--model", model, env=store))
    text = path.read_bytes().decode()
    assert len(rows) == 5
    for row in rows:
        assert list(row) == ["document", "name", "start", "end", "text", "labels", "scores", "review", "truncated", "model_version"]
        assert text[row["start"] : row["end"]] == row["text"]
        assert row["document"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert row["name"] == str(path)
        assert all(0 <= score <= 1 for score in row["scores"].values())


def test_jsonl_rows_keep_their_fields_and_order(command, model):
    rows = [{"id": number, "text": f"Passage {number} : 3 % de plus.", "nested": {"a": [None, "é"]}, "labels": ["old"]} for number in range(1200)]
    answered = _rows(command("models", "-", "--model", model, stdin="".join(json.dumps(row) + "\n" for row in rows)))
    assert [row["id"] for row in answered] == list(range(1200))
    assert answered[7]["nested"] == {"a": [None, "é"]}
    assert set(answered[7]) == {"id", "text", "nested", "input_labels", "labels", "scores", "review", "truncated", "model_version"}
    assert set(answered[7]["scores"]) == {"commitment", "statistic", "quote", "boilerplate"}


def test_stdin_takes_an_article_too(command, model):
    assert next(row["text"] for row in _rows(command("models", "--model", model, stdin=ARTICLE))) == "Kommunen bygger om torget"


def test_a_folder_gives_all_its_articles(command, model):
    names = {row["name"] for row in _rows(command("models", "seeds", "--model", model))}
    assert names == {str(path) for path in Path("seeds").glob("*.txt")}


def test_the_newest_model_is_the_default_and_run_ids_and_uris_are_models_too(command, store, baseline_run, model):
    expected = _rows(command("models", "seeds/003_351322b492e975e1.txt", "--model", model))
    run_id = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    uri = re.search(r"models:/m-\w+", baseline_run.stderr).group()
    for name in (run_id, uri):
        assert _rows(command("models", "seeds/003_351322b492e975e1.txt", "--model", name, env=store)) == expected
    newest = command("models", "seeds/003_351322b492e975e1.txt", env=store)
    assert [row["start"] for row in _rows(newest)] == [row["start"] for row in expected]
    assert re.fullmatch(r"model: \w+-[0-9a-f]{12}, (champion version \d+|the newest model, as there is no champion yet)\n", newest.stderr)


def test_a_threshold_decides_which_labels_are_given(command, model):
    def given(threshold):
        rows = _rows(command("models", "seeds/003_351322b492e975e1.txt", "--model", model, "--threshold", threshold))
        return sum(len(row["labels"]) for row in rows)

    assert given(0.99) < given(0.5) < given(0.05)


def test_review_gives_the_rows_that_a_person_should_look_at(command, model):
    whole = _rows(command("models", "seeds", "--model", model))
    picked = _rows(command("models", "seeds", "--model", model, "--review"))
    assert picked == [row for row in whole if row["review"]]
    assert 0 < len(picked) < len(whole)
    table = command("models", "seeds", "--model", model, "--review", "--format", "table")
    assert len(table.stdout.splitlines()) == len(picked)


def test_the_table_is_for_people(command, model):
    done = command("models", "--model", model, "--format", "table", stdin=ARTICLE)
    assert len(done.stdout.splitlines()) == 5
    assert "Läs också" in done.stdout


def brought_by_the_base_dependencies():
    """Names of the packages that ``pip install newsmark`` installs."""
    wanted, found = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"], set()
    while wanted:
        requirement = Requirement(wanted.pop())
        if canonicalize_name(requirement.name) not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(canonicalize_name(requirement.name))
            wanted += importlib.metadata.requires(requirement.name) or []
    return found


@pytest.mark.parametrize(
    ("kind", "output"), [("baseline-6", ["--format", "table"]), ("baseline-6", ["--output", "OUT.csv"]), ("transformer-5", ["--report", "OUT.html"])]
)
def test_predicting_needs_no_library_beyond_the_base_dependencies(tmp_path, kind, output):
    base = brought_by_the_base_dependencies()
    assert not base & {"torch", "mlflow", "transformers", "scikit-learn", "pandas", "pyarrow"}
    packages = importlib.metadata.packages_distributions()
    others = {module for module, names in packages.items() if not base & {canonicalize_name(name) for name in names}} - {"newsmark"}
    assert {"torch", "mlflow", "sklearn", "pyarrow"} <= others
    options = ["seeds/003_351322b492e975e1.txt", "--model", f"tests/data/models/{kind}", *(part.replace("OUT", str(tmp_path / "out")) for part in output)]
    code = f"""
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {others!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, NotInstalled())
from newsmark.models.cli import main
sys.exit(main({options!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout or next(tmp_path.iterdir()).stat().st_size


def test_without_mlflow_a_model_that_only_a_store_knows_is_asked_for_as_a_folder(tmp_path):
    code = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "mlflow" else find(name, *more)
from newsmark.models.cli import main
sys.exit(main(["-", *sys.argv[1:]]))
"""
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    for option, said in ([], "no trained model is at hand"), (["--model", "models:/newsmark@champion"], "model models:/newsmark@champion: only MLflow"):
        done = subprocess.run([sys.executable, "-c", code, *option], input="Hej.\n", env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"predict: error: {said}")
        assert "name a model folder (--model FOLDER), or in newsmark's folder run: pip install" in done.stderr
        assert not list(tmp_path.iterdir())


def test_a_closed_pipe_is_no_error(model):
    line = f"{sys.executable} -m models seeds seeds seeds seeds --model {model} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    # How far it reads before the pipe is found closed depends on the machine; what it says until then are these lines, and no error.
    assert re.fullmatch(r"(seeds: read 5 files, .*\n)*model: baseline-[0-9a-f]{12}, folder .*\n", done.stderr)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        ("café, café ".encode() + b"\xe9", "not UTF-8 at byte 13"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "NUL at byte 8"),
        (b"a\x00b", "NUL at byte 1"),
    ],
)
def test_unusable_articles_are_refused_in_one_line(command, model, tmp_path, content, expected):
    path = tmp_path / "article.txt"
    path.write_bytes(content)
    _refused(command("models", path, "--model", model), 1, str(path), expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"txt": "a"}', "there is no 'text'"),
        (b'{"text": 5}', "'text' is int"),
        (b'{"text": ""}', "'text' is empty"),
        (b'{"text": "a"', "broken JSON"),
        (b"[1]", "expected a JSON object"),
        (b'{"text": "\\ud800"}', "lone surrogate"),
        (b'{"text": "a\\u0000b"}', "NUL at character 1"),
        (b'{"text": "\xff"}', "not UTF-8 at byte 10"),
        (b'{"text": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_unusable_rows_are_refused_with_their_line(command, model, tmp_path, line, expected):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "good"}\n' + line + b"\n")
    _refused(command("models", path, "--model", model), 1, f"{path}, line 2", expected)


def test_a_huge_file_and_a_huge_line(command, model, tmp_path):
    huge = tmp_path / "huge.txt"
    huge.write_text("Une phrase de plus. " * 2_500_000)
    _refused(command("models", huge, "--model", model), 1, "50 MB")
    line = tmp_path / "line.txt"
    line.write_text("mot " * 1_250_000)
    rows = _rows(command("models", line, "--model", model))
    assert "".join(row["text"] for row in rows).replace(" ", "") == "mot" * 1_250_000


def test_missing_truncated_and_foreign_models_have_different_errors(command, store, model, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    (damaged / "weights.safetensors").write_bytes((damaged / "weights.safetensors").read_bytes()[:1000])
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name, code, expected in (
        (damaged, 1, "has 1000 bytes instead of"),
        (foreign, 1, "not a newsmark model"),
        (tmp_path / "nosuch", 2, "no such model folder"),
        ("0" * 32, 1, "has no trained model"),
        ("models:/nosuch@champion", 1, "nosuch"),
    ):
        _refused(command("models", "seeds", "--model", name, env=store), code, expected)
    in_processes = command("models", "seeds", "--model", damaged, "--workers", "2", env=store)
    assert in_processes.returncode == 1
    assert "has 1000 bytes instead of" in in_processes.stderr.splitlines()[-1]


def test_without_any_trained_model_it_says_how_to_train_one(command, store, tmp_path):
    environment = {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    _refused(command("models", "seeds", env=environment), 1, "no model was trained yet", "train --config")


@pytest.mark.parametrize(
    ("arguments", "expected"), [(["nosuch.txt"], "nosuch.txt"), (["seeds", "--threshold", "7"], "between 0 and 1"), (["--modle", "x"], "--modle")]
)
def test_wrong_usage_exits_with_two(command, arguments, expected):
    done = command("models", *arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def _refused(done, code, *expected):
    assert done.returncode == code
    assert not done.stdout
    assert done.stderr.splitlines()[-1].startswith("predict: error: ")
    assert done.stderr.count("error") == 1
    for text in expected:
        assert text in done.stderr


def test_a_model_in_an_sqlite_store_is_found_without_loading_mlflow(store, baseline_run, monkeypatch):
    run_id = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    code = "import sys; from newsmark.models.store import find_folder; print(find_folder(sys.argv[1] if sys.argv[1:] else None), 'mlflow' in sys.modules)"
    for names in ([run_id], []):
        done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
        folder, loaded = done.stdout.split()
        assert (is_model_folder(Path(folder)), loaded) == (True, "False")
