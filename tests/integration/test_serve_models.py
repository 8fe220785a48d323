"""``predict serve`` and the registry: models that are swapped, followed, copied."""

import json
import pickle
import pickletools
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from mlflow import MlflowClient

pytestmark = pytest.mark.usefixtures("champion")
ARTICLE = Path("seeds/001_de0bcf51e6ff2360.txt")
GOOD = {"inputs": [{"text": "Ministern lovar sänkta utsläpp.", "lang": "sv"}]}


def without(env, *names):
    return {name: value for name, value in env.items() if name not in names}


def test_the_model_is_swapped_when_the_alias_moves_without_a_failed_request(serve, store, tmp_path, command):
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    done = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--C", "0.2", "--register", env=store)
    version = re.search(r"registered as newsmark version (\d+)", done.stderr).group(1)
    former = client.get_model_version_by_alias("newsmark", "champion").version
    server = serve(tmp_path, store)
    try:
        before = server.post(GOOD).json()["predictions"][0]["model_version"]
        client.set_registered_model_alias("newsmark", "champion", version)
        seen = []
        for _ in range(600):
            answer = server.post(GOOD)
            assert answer.status_code == 200
            seen.append(answer.json()["predictions"][0]["model_version"])
            if seen[-1] != before:
                break
            time.sleep(0.05)
        assert seen[-1] != before
        assert f'version="{seen[-1]}"' in server.http.get("/metrics").text
    finally:
        client.set_registered_model_alias("newsmark", "champion", former)
        assert server.stop() == 0


SWAPPED = """
import gc, sys, time, weakref
from types import SimpleNamespace
from starlette.testclient import TestClient
from newsmark.models.serving import application as serving, following
from newsmark.models.serving.limits import Limits
seen = []
class Seen(following.Batcher):
    def __init__(self, *given):
        super().__init__(*given)
        seen.append((weakref.ref(self), weakref.ref(self.model.classifier)))
following.Batcher, following._FOLLOW_SECONDS, serving._HEALTH_KEPT_SECONDS = Seen, 0.2, 0
application = serving.make_application(None, Limits(seconds=5), None, ["*"], "")
import mlflow
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None
def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
with TestClient(application, raise_server_exceptions=False) as client:
    ask = lambda: client.post("/invocations", json={"inputs": [{"text": "Hej."}]})
    former = ask().json()["predictions"][0]["model_version"]
    assert client.get("/health").status_code == 200
    mlflow.MlflowClient().set_registered_model_alias("newsmark", "champion", sys.argv[1])
    until(lambda: ask().json()["predictions"][0]["model_version"] != former)
    until(lambda: gc.collect() is not None and seen[0][1]() is None)
    seen[1][0]().model = SimpleNamespace(version="broken")
    health, answer = client.get("/health"), ask()
    assert (health.status_code, health.json()) == (503, {"error": "the model does not answer"})
    assert (answer.status_code, len(answer.text) < 100) == (500, True)
    assert client.get("/ping").status_code == 200
"""


def test_a_former_model_is_let_go_and_health_fails_when_the_model_does(store, command):
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    done = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--C", "0.3", "--register", env=store)
    version = re.search(r"registered as newsmark version (\d+)", done.stderr).group(1)
    former = client.get_model_version_by_alias("newsmark", "champion").version
    env = without(store, "MLFLOW_DISABLE_TELEMETRY", "PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS")
    try:
        done = subprocess.run([sys.executable, "-c", SWAPPED, version], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        client.set_registered_model_alias("newsmark", "champion", former)


def test_drift_is_measured_against_the_passages_trained_on(serve, store, tmp_path, champion):
    server = serve(tmp_path, store)
    try:
        answer = server.post({"inputs": [{"text": ARTICLE.read_text(), "lang": "sv"}]}).json()
        server.post({"inputs": [{"text": "Hej."}], "params": {"threshold": 0.0}})  # says nothing of the model's own labels
        passages = answer["predictions"][0]["passages"]
        given = dict(re.findall(r'newsmark_label_rate_drift\{label="(\w+)"\} (\S+)', server.http.get("/metrics").text))
    finally:
        assert server.stop() == 0
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    table = json.loads(Path(client.download_artifacts(champion, "out_of_fold.json")).read_text())
    assert set(given) == {"commitment", "statistic", "quote", "boilerplate"}
    for label, drift in given.items():
        column = table["columns"].index(f"{label}_true")
        trained = sum(row[column] for row in table["data"]) / len(table["data"])
        assert float(drift) == pytest.approx(sum(label in one["labels"] for one in passages) / len(passages) - trained, abs=1e-6)


WITHOUT_THE_PROJECT = """
import json, socket, sys
sys.path[:] = [path for path in sys.path if path not in ("", {project!r})]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__ + repr(finder)]
def refuse(*_): raise SystemExit("a connection was tried")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import mlflow
model = mlflow.pyfunc.load_model({folder!r})
own = [module.__file__ for name, module in sys.modules.items() if name.startswith("newsmark") and module.__file__]
assert own and all(file.startswith({folder!r}) for file in own), own
(answer,) = model.predict([{{"text": "Ministern lovar det. Dela."}}], params={{"split": True}})
print(json.dumps([passage["scores"] for passage in answer["passages"]]))
"""


@pytest.fixture(scope="module")
def small_transformer(store, command, encoder):
    """Run id of a transformer trained for a moment on a tiny encoder that is made here."""
    short = ("--bootstrap", "", "--epochs", "1", "--further-epochs", "1", "--max-folds", "2", "--frozen-layers", "0", "--max-tokens", "32")
    done = command("training", "--config", "configs/transformer.yaml", "--encoder", encoder, *short, env=store)
    assert done.returncode == 0, done.stderr
    return re.search(r"run ([0-9a-f]{32})", done.stderr).group(1)


@pytest.mark.parametrize(("kind", "files"), [("baseline", {"weights.safetensors"}), ("transformer", {"model.onnx"})])
def test_a_copied_model_works_without_the_project_and_the_network_and_opens_no_pickle(store, tmp_path, request, command, kind, files):
    run = request.getfixturevalue({"baseline": "champion", "transformer": "small_transformer"}[kind])
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("newsmark").experiment_id
    (logged,) = client.search_logged_models([experiment], f"source_run_id = '{run}'")
    folder = tmp_path / "copy"
    shutil.copytree(logged.artifact_location.removeprefix("file://"), folder)
    found = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert files <= {path.name for path in found}
    assert {path.suffix for path in found} <= {"", ".json", ".onnx", ".safetensors", ".txt", ".yaml", ".yml", ".png", ".md"}, found
    for path in found:
        assert not is_pickle(path.read_bytes()), path
        assert not zipfile.is_zipfile(path), path
    (tmp_path / "article.txt").write_text("Ministern lovar det. Dela.")
    local = command("models", tmp_path / "article.txt", "--model", run, env=store)
    assert local.returncode == 0, local.stderr
    trap = tmp_path / "sprung"
    poison = b"cbuiltins\nopen\n(V" + str(trap).encode() + b"\nVw\ntR."
    pickle.loads(poison)
    assert trap.exists()  # who opens it, is caught
    trap.unlink()
    for place in (folder, folder / "artifacts" / "model"):
        for name in ("model.pkl", "python_model.pkl", "pipeline.pkl", "pytorch_model.bin"):
            (place / name).write_bytes(poison)
    code = WITHOUT_THE_PROJECT.format(project=str(Path.cwd()), folder=str(folder))
    env = {**store, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/none.db"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [json.loads(row)["scores"] for row in local.stdout.splitlines()]
    assert not trap.exists()


def is_pickle(content):
    """Whether some bytes are a pickle from their beginning to their end."""
    try:
        return [code.name for code, _, _ in pickletools.genops(content)][-1] == "STOP"
    except Exception:  # noqa: BLE001 - whatever it raises, it is none
        return False
