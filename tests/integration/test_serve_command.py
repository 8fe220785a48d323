"""``predict serve``: the same answers as ``predict``, what it says about itself, and what it is started with."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("champion")
ARTICLE = Path("seeds/001_de0bcf51e6ff2360.txt")
GOOD = {"inputs": [{"text": "Ministern lovar sänkta utsläpp.", "lang": "sv"}]}
JSON = {"Content-Type": "application/json"}
TOKEN = "ett hemligt lösenord"
LISTENING = Path("tests/data/models/baseline-6")
"""A model of which one label, quote, listens to the neighbours."""


def test_an_article_gets_the_same_answer_as_from_predict(server, command, store, champion):
    (answer,) = server.post({"inputs": [{"text": ARTICLE.read_text(), "lang": "sv"}]}).json()["predictions"]
    rows = [json.loads(line) for line in command("models", ARTICLE, "--model", champion, env=store).stdout.splitlines()]
    assert answer["passages"] == [{key: value for key, value in row.items() if key not in {"document", "name", "model_version"}} for row in rows]
    assert answer["model_version"].startswith("baseline-")


def test_a_passage_is_read_with_its_neighbours(serve, store, tmp_path):
    server = serve(tmp_path, store, "--model", LISTENING)
    boilerplate = "Dela på Facebook | Skriv ut"
    alone, among = (
        server.post({"inputs": [{"text": "Läs mer", **more}], "params": {"split": False}}).json()["predictions"][0]["passages"][0]
        for more in ({}, {"before": boilerplate, "after": boilerplate})
    )
    assert alone["text"] == among["text"] == "Läs mer"
    assert alone["scores"]["quote"] != among["scores"]["quote"]
    assert alone["scores"]["statistic"] == among["scores"]["statistic"]


def test_the_page_of_the_interface_is_truthful(server):
    page = server.http.get("/openapi.json").json()
    assert set(page["paths"]) == {"/invocations", "/ping", "/health", "/metrics"}
    post = page["paths"]["/invocations"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"inputs", "params"}
    assert set(page["components"]["schemas"]["Input"]["properties"]) == {"text", "lang", "before", "after", "furniture"}
    assert {"200", "413", "422", "429"} <= set(post["responses"])
    described = page["components"]["schemas"]
    [plain], [answer] = server.post(GOOD).json()["predictions"], server.post({**GOOD, "params": {"spans": True, "threshold": 0}}).json()["predictions"]
    assert set(plain) == set(answer) == set(described["ServedText"]["properties"])
    passage = answer["passages"][0]
    assert set(passage) == {*plain["passages"][0], "spans"} == set(described["ServedPassage"]["properties"])
    assert set(passage["spans"][0]) == set(described["LabelledSpan"]["properties"])


def test_health_and_numbers_for_prometheus(server):
    assert server.http.get("/health").status_code == 200
    assert server.post({"inputs": "Dela"}).status_code == 422
    server.post({"inputs": [{"text": "Dela\nSkriv ut"}], "params": {"threshold": 0.0}})
    numbers = server.http.get("/metrics").text
    for name in (
        'newsmark_requests_total{status="200"}',
        'newsmark_requests_total{status="422"}',
        "newsmark_request_seconds_bucket",
        "newsmark_passages_total",
    ):
        assert name in numbers
    assert re.search(r'newsmark_labels_total\{label="\w+"\} [1-9]', numbers)
    assert re.search(r'newsmark_label_rate_drift\{label="boilerplate"\} -?\d', numbers)
    assert re.search(r'newsmark_model_info\{version="baseline-\w{12}"\} 1', numbers)


def test_the_log_is_json_without_texts(server):
    secret = "Hemligheten"
    server.post({"inputs": [{"text": secret}]})
    server.post({"inputs": [{"text": secret, secret: 1}]})
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(secret.encode() + b" is no HTTP\r\n\r\n")
        assert b" 400 " in connection.recv(1000)
    rows = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert all({"time", "level", "message"} <= set(row) for row in rows)
    assert [row["status"] for row in rows if row["message"] == "request"][-3:] == [200, 422, 400]
    assert secret not in server.log.read_text()


def test_a_token_is_asked_for_where_one_is_set(serve, store, tmp_path):
    server = serve(tmp_path, {**store, "NEWSMARK_TOKEN": f"{TOKEN}\n"})
    try:
        for given in ("", "Bearer wrong", TOKEN, f"Basic {TOKEN}"):
            answer = server.post(GOOD, {**JSON, "Authorization": given.encode()})
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert server.http.get("/metrics").status_code == 401
        assert server.http.get("/ping").status_code == 200
        assert server.post(GOOD, {**JSON, "Authorization": f"Bearer {TOKEN}".encode()}).status_code == 200
        page = server.http.get("/openapi.json").json()
        assert [page["paths"][path][how]["security"] for path, how in (("/invocations", "post"), ("/metrics", "get"))] == [[{"bearer": []}]] * 2
        assert TOKEN not in server.log.read_text()
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--model", "models:/newsmark@nobody"), 1, "nobody"),
        (("--model", "models:/nosuch/1"), 1, "nosuch"),
        (("--model", "rubbish"), 2, "rubbish: no such model folder"),
        (("--model", "0" * 32), 1, "has no trained model"),
    ],
)
def test_a_model_that_is_not_there_is_one_clear_line(command, store, options, code, reason):
    done = command("models", "serve", *options, env={**store, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"})
    assert done.returncode == code
    assert done.stderr.startswith("predict: error: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("hosts", ["", "news.example.org,", "news*.example.org", "::1"])
def test_allowed_hosts_that_are_no_names_are_one_clear_line(command, store, hosts):
    done = command("models", "serve", "--allowed-hosts", hosts, env=store)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("predict: error: --allowed-hosts: '")


def test_a_port_in_use_is_one_clear_line(command, store, server):
    done = command("models", "serve", "--port", server.port, env=store)
    assert done.returncode == 1
    assert re.search(rf"predict: error: 127.0.0.1:{server.port}: .* in use", done.stderr.splitlines()[-1])


def test_the_manuals_curl_line_and_python_snippet_work(server):
    readme = Path("models/README.md").read_text()
    address = str(server.http.base_url)
    curl = re.search(r"curl -s http://127\.0\.0\.1:5001.*?\}'$", readme, re.DOTALL | re.MULTILINE).group().replace("http://127.0.0.1:5001", address)
    answer = json.loads(subprocess.run(curl, shell=True, capture_output=True, text=True, check=True).stdout)
    assert [passage["text"] for passage in answer["predictions"][0]["passages"]] == ["Ministern lovar sänkta utsläpp."]
    snippet = re.search(r"```python\n(import httpx.*?)```", readme, re.DOTALL).group(1).replace("http://127.0.0.1:5001", address)
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=True)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["0", "31"], ["32", "45"]]
