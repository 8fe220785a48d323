"""A team's set-up: MLflow's server on PostgreSQL with passwords, proxied artifacts; train, register and serve against it."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

ARTICLE = "seeds/001_de0bcf51e6ff2360.txt"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait(url, process, log):
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    pytest.fail(f"no server at {url}: {log.read_text()}")


def processes(group):
    """What /proc says about each process of a group: a folder."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                yield folder


def memory(group):
    """Proportional memory of a process group in MB: what its processes share counts once."""
    found = [re.search(r"^Pss:\s+(\d+)", (folder / "smaps_rollup").read_text(), re.MULTILINE) for folder in processes(group)]
    return sum(int(one.group(1)) for one in found if one) / 1000


@pytest.fixture
def services(postgres, tmp_path):
    """A running ``make services``: its address, its folder and its process."""
    user, password = quote(postgres["USER"]), quote(postgres["PASSWORD"])
    database = f"postgresql://{user}:{password}@{postgres['HOST']}:{postgres['PORT']}/{postgres['NAME']}"
    folder, port, log = tmp_path / "services", free_port(), tmp_path / "log"
    run = Path(sys.executable).parent
    command = ["make", "services", f"PORT={port}", f"SERVICES={folder}", f"RUN={run}", "READY=Makefile"]
    with log.open("w") as output:
        process = subprocess.Popen(command, env={**os.environ, "DATABASE": database}, stdout=output, stderr=output, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait(f"{url}/health", process, log)
        yield url, folder, process, log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def test_train_register_promote_and_serve_against_a_teams_server(services, command, tmp_path):
    url, folder, process, log = services
    credentials = dict(line.split("=", 1) for line in (folder / "credentials").read_text().splitlines())
    assert stat.S_IMODE((folder / "credentials").stat().st_mode) == stat.S_IMODE((folder / "auth.ini").stat().st_mode) == 0o600
    password = credentials["MLFLOW_AUTH_ADMIN_PASSWORD"]
    anonymous = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TRACKING")} | {
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    }
    config = ("--config", "configs/baseline.yaml", "--bootstrap", "", "--max-folds", "2")
    for env in (anonymous, {**anonymous, "MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "wrong"}):
        refused = command("training", *config, env=env)
        assert (refused.returncode, refused.stderr.count("error")) == (1, 2), refused.stderr
        assert "the MLflow store" in refused.stderr
    env = {**anonymous, "MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password}
    trained = command("training", *config, "--register", env=env)
    assert trained.returncode == 0, trained.stderr
    run = re.search(r"train promote ([0-9a-f]{32})", trained.stderr).group(1)
    promoted = command("training", "promote", run, "--force", "the first", env=env)
    assert promoted.returncode == 0, promoted.stderr
    assert list((folder / "artifacts").rglob("weights.safetensors"))
    (tmp_path / "temporary").mkdir()
    env["TMPDIR"] = str(tmp_path / "temporary")
    port = free_port()
    serve = [sys.executable, "-m", "models", "serve", "--port", str(port)]
    with (tmp_path / "serve.log").open("w") as output:
        server = subprocess.Popen(serve, env=env, stdout=output, stderr=output)
    try:
        wait(f"http://127.0.0.1:{port}/ping", server, tmp_path / "serve.log")
        answer = httpx.post(f"http://127.0.0.1:{port}/invocations", json={"inputs": [{"text": Path(ARTICLE).read_text(), "lang": "sv"}]}, timeout=60)
        rows = command("models", ARTICLE, "--model", "models:/newsmark@champion", env=env).stdout.splitlines()
        assert [one["scores"] for one in answer.json()["predictions"][0]["passages"]] == [json.loads(row)["scores"] for row in rows]
    finally:
        server.terminate()
        assert server.wait(timeout=60) == 0
    assert not list((tmp_path / "temporary").iterdir())  # the models that were fetched are gone
    fetched = re.findall(r'"GET (/api/2\.0/mlflow-artifacts/artifacts/\S+)', log.read_text())
    assert any(path.endswith("/weights.safetensors") for path in fetched)
    assert not [path for path in fetched if "/code/" in path]  # what MLflow serves it with is ten times as many files
    used = memory(process.pid)
    print(f"make services: {used:.0f} MB")
    assert used < 700  # MLflow's parent process, which waits for its worker, and the worker
    listed = "".join((folder / "cmdline").read_text() for folder in processes(process.pid))
    assert "mlflow" in listed
    assert quote("a password of the database") not in listed
    for text in (log.read_text(), trained.stderr, promoted.stdout, (tmp_path / "serve.log").read_text()):
        assert password not in text
        assert "a password of the database" not in text
        assert quote("a password of the database") not in text


def test_services_without_a_database_say_what_to_do():
    env = {key: value for key, value in os.environ.items() if key != "DATABASE"}
    done = subprocess.run(["make", "services", "READY=Makefile"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "DATABASE=postgresql://USER:PASSWORD@HOST/NAME make services" in done.stderr
