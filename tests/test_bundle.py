"""The code that a logged model brings: only what it runs, and under a name of its own, beside whatever a program has."""

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from newsmark.models.bundle import copy_code
from newsmark.models.kinds import KINDS

EXAMPLE = ([{"text": "Hej.", "lang": "sv"}], {"threshold": -1.0, "split": True})


def log_model(folder, kind, change=None):
    """Save a kept model as MLflow logs it, its code changed in one place where that is asked for."""
    code = copy_code(KINDS[kind], folder)
    if change:
        file, old, new = change
        text = (code / file).read_text(encoding="utf-8")
        assert old in text
        (code / file).write_text(text.replace(old, new), encoding="utf-8")
        code = code.rename(f"{code}0")
    entry = folder / "model.py"
    entry.write_text(f"from mlflow.models import set_model\nfrom {code.name}.models.serving.logged import LoggedModel\nset_model(LoggedModel())\n")
    artifacts = {"model": f"tests/data/models/{kind}-{KINDS[kind].format}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        mlflow.pyfunc.save_model(
            folder / "logged", python_model=str(entry), artifacts=artifacts, code_paths=[str(code)], pip_requirements=[], input_example=EXAMPLE
        )
    return folder / "logged"


def run(script, cwd):
    """Run Python in a folder, with what is beside the script first on its path; gives what it prints last, from JSON."""
    (cwd / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    return log_model(tmp_path_factory.mktemp("logged"), "baseline")


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_holds_only_what_the_model_runs(tmp_path, kind, capsys):
    package = copy_code(KINDS[kind], tmp_path)
    files = {str(path.relative_to(package)): path.stat().st_size for path in package.rglob("*") if path.is_file()}
    with capsys.disabled():
        print(f" {kind}: {len(files)} files, {sum(files.values()) / 1000:.0f} kB", end="")
    assert f"models/{kind}/reader.py" in files
    assert [name for name in files if name.endswith("reader.py")] == [f"models/{kind}/reader.py"]
    assert {"annotation/splitting/languages/all.yaml", "annotation/splitting/languages/sv.yaml"} <= set(files)
    for unwanted in ("label_studio", "client", "trainer", "training", "connection", "front", "application", "cli", "commandline", "store", "engines"):
        assert not [name for name in files if unwanted in Path(name).with_suffix("").parts], unwanted
    assert {Path(name).suffix for name in files} <= {".py", ".yaml"}
    assert sum(files.values()) < 320_000


def test_the_same_code_has_the_same_name_and_other_code_another(tmp_path):
    names = [copy_code(KINDS[kind], tmp_path / str(number)).name for number, kind in enumerate(("baseline", "baseline", "transformer"))]
    assert names[0] == names[1] != names[2]
    assert all(name.isidentifier() for name in names)


def test_two_logged_models_of_different_code_work_in_one_process(logged, tmp_path):
    other = log_model(tmp_path, "baseline", ("models/prediction/predict.py", ".round(6)", ".round(2)"))
    script = f"""
import json, mlflow
models = [mlflow.pyfunc.load_model({str(logged)!r}), mlflow.pyfunc.load_model({str(other)!r})]
print(json.dumps([model.predict([{{"text": "Ministern lovar 300 hus."}}], params={{"split": True}})[0]["passages"][0]["scores"] for model in models]))
"""
    fine, rough = run(script, tmp_path)
    assert rough == {label: round(score, 2) for label, score in fine.items()} != fine


def test_modules_of_a_program_with_newsmarks_names_do_no_harm(logged, tmp_path):
    for name in ("models", "annotation", "training", "files", "errors"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module was imported')\n")
    script = f"""
import json, mlflow, newsmark
model = mlflow.pyfunc.load_model({str(logged)!r})
answer = model.predict([{{"text": "Ministern lovar 300 hus."}}], params={{"split": True}})[0]
installed = newsmark.load({str(logged / "artifacts" / "baseline-6")!r}).predict("Ministern lovar 300 hus.")
print(json.dumps([[passage["scores"] for passage in answer["passages"]], [passage.scores for passage in installed]]))
"""
    with_code, installed = run(script, tmp_path)
    assert with_code == installed
