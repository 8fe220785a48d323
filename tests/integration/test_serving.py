"""The logged model, served by ``mlflow models serve``."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from newsmark.annotation.splitting.passages import split_passages

ARTICLE = Path("seeds/001_de0bcf51e6ff2360.txt")


@pytest.fixture(scope="module")
def server(store, baseline_run, tmp_path_factory):
    """URL of a server of the logged baseline; stopped with its children when the module is done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = re.search(r"models:/m-\w+", baseline_run.stderr).group()
    arguments = ["-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**store, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    log = (tmp_path_factory.mktemp("server") / "log").open("w+")
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _wait(url, process, log):
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.5)
    log.seek(0)
    pytest.fail(f"the server did not start: {log.read()}")


def _ask(url, body):
    request = urllib.request.Request(f"{url}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


def test_an_article_comes_back_as_the_passages_that_predict_gives(server, command, store, baseline_run):
    text = ARTICLE.read_text()
    (answer,) = _ask(server, {"inputs": [{"text": text, "lang": "sv"}]})
    assert [passage["text"] for passage in answer["passages"]] == [passage.text for passage in split_passages(text, "sv")]
    model = re.search(r"models:/m-\w+", baseline_run.stderr).group()
    rows = [json.loads(line) for line in command("models", ARTICLE, "--model", model, env=store).stdout.splitlines()]
    assert [passage["scores"] for passage in answer["passages"]] == [row["scores"] for row in rows]
    assert [passage["labels"] for passage in answer["passages"]] == [row["labels"] for row in rows]
    assert [passage["review"] for passage in answer["passages"]] == [row["review"] for row in rows]


def test_params_set_the_threshold_and_switch_splitting_off(server):
    texts = [{"text": "Une phrase. Une autre."}, {"text": "En mening till."}]
    answers = _ask(server, {"inputs": texts, "params": {"threshold": 0.0, "split": False}})
    assert [len(answer["passages"]) for answer in answers] == [1, 1]
    assert (answers[0]["passages"][0]["start"], answers[0]["passages"][0]["end"]) == (0, len(texts[0]["text"]))
    high = _ask(server, {"inputs": texts, "params": {"threshold": 1.0}})
    assert [len(answer["passages"]) for answer in high] == [2, 1]
    assert not any(passage["labels"] for answer in high for passage in answer["passages"])


@pytest.mark.parametrize("body", [{"inputs": [{"txt": "a"}]}, {"inputs": [{"text": 5}]}, {"inputs": [{"text": "a"}], "params": {"threshold": 7.0}}])
def test_a_wrong_request_is_answered_with_400(server, body):
    with pytest.raises(urllib.error.HTTPError) as error:
        _ask(server, body)
    assert error.value.code == 400
