"""``predict serve``: the same answers as ``predict``, and rubbish, load and stops that it has to stand."""

import asyncio
import contextlib
import gzip
import json
import pickle
import pickletools
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient

ARTICLE = Path("seeds/001_de0bcf51e6ff2360.txt")
GOOD = {"inputs": [{"text": "Ministern lovar sänkta utsläpp.", "lang": "sv"}]}
JSON = {"Content-Type": "application/json"}
TOKEN = "ett hemligt lösenord"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """A running ``predict serve``; its log is in a file."""

    def __init__(self, folder, env, *options, port=None):
        self.port, self.log = port or free_port(), folder / f"log-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "models", "serve", "--port", str(self.port), *map(str, options)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/ping").status_code == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail(f"the server did not start: {self.log.read_text()}")

    def post(self, content, headers=JSON):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.http.post("/invocations", content=body, headers=headers)

    def until_under_way(self, count):
        """Wait until this number of requests are under way."""
        with httpx.Client(base_url=self.http.base_url, timeout=60) as other:
            while f"newsmark_requests_under_way {count}.0" not in other.get("/metrics").text:
                time.sleep(0.01)

    def memory(self):
        """Resident memory in MB."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) / 1000

    def stop(self):
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=90)


@pytest.fixture(scope="module", autouse=True)
def champion(store, command, baseline_run):
    """Run id of the champion, the baseline."""
    run = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    done = command("training", "promote", run, "--force", "for the tests", env=store)
    assert done.returncode == 0 or "champion already" in done.stderr, done.stderr
    return run


def without(env, *names):
    return {name: value for name, value in env.items() if name not in names}


@pytest.fixture(scope="module")
def server(store, tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("serve"), store, "--max-body", "300000", "--max-inputs", "50", "--max-characters", "60000")
    yield one
    assert one.stop() == 0


def test_an_article_gets_the_same_answer_as_from_predict(server, command, store, champion):
    (answer,) = server.post({"inputs": [{"text": ARTICLE.read_text(), "lang": "sv"}]}).json()["predictions"]
    rows = [json.loads(line) for line in command("models", ARTICLE, "--model", champion, env=store).stdout.splitlines()]
    assert answer["passages"] == [{key: value for key, value in row.items() if key not in {"document", "name", "model_version"}} for row in rows]
    assert answer["model_version"].startswith("baseline-")


def test_a_passage_is_read_with_its_neighbours(server):
    boilerplate = "Dela på Facebook | Skriv ut"
    alone, among = (
        server.post({"inputs": [{"text": "Läs mer", **more}], "params": {"split": False}}).json()["predictions"][0]["passages"][0]
        for more in ({}, {"before": boilerplate, "after": boilerplate})
    )
    assert alone["text"] == among["text"] == "Läs mer"
    assert alone["scores"] != among["scores"]


def test_the_page_of_the_interface_is_truthful(server):
    page = server.http.get("/openapi.json").json()
    assert set(page["paths"]) == {"/invocations", "/ping", "/health", "/metrics"}
    post = page["paths"]["/invocations"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"inputs", "params"}
    assert set(page["components"]["schemas"]["Input"]["properties"]) == {"text", "lang", "before", "after", "furniture"}
    assert {"200", "413", "422", "429"} <= set(post["responses"])
    answer = server.post(GOOD).json()
    text = page["components"]["schemas"]["LabelledText"]["properties"]
    assert set(answer["predictions"][0]) == set(text)
    assert set(answer["predictions"][0]["passages"][0]) == set(page["components"]["schemas"]["LabelledPassage"]["properties"])


NESTED = b'{"inputs": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
HOSTILE = {
    "nothing": (b"", 422),
    "no JSON": (b"hello", 422),
    "half of it": (b'{"inputs": [{"text": "a"}', 422),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "no inputs": (b"{}", 422),
    "inputs null": ({"inputs": None}, 422),
    "inputs empty": ({"inputs": []}, 422),
    "inputs a text": ({"inputs": "text"}, 422),
    "an input that is a text": ({"inputs": ["text"]}, 422),
    "an input that is null": ({"inputs": [None]}, 422),
    "text missing": ({"inputs": [{"lang": "sv"}]}, 422),
    "text null": ({"inputs": [{"text": None}]}, 422),
    "text a number": ({"inputs": [{"text": 5}]}, 422),
    "text a list": ({"inputs": [{"text": ["a"]}]}, 422),
    "lang a number": ({"inputs": [{"text": "a", "lang": 5}]}, 422),
    "lang endless": ({"inputs": [{"text": "a", "lang": "s" * 1000}]}, 422),
    "unknown field": ({"inputs": [{"text": "a", "<script>": 1}]}, 422),
    "unknown parameter": ({**GOOD, "params": {"treshold": 0.5}}, 422),
    "params a list": ({**GOOD, "params": []}, 422),
    "threshold 7": ({**GOOD, "params": {"threshold": 7}}, 422),
    "threshold below 0": ({**GOOD, "params": {"threshold": -0.1}}, 422),
    "threshold a text": ({**GOOD, "params": {"threshold": "0.5"}}, 422),
    "threshold NaN": (b'{"inputs": [{"text": "a"}], "params": {"threshold": NaN}}', 422),
    "threshold infinite": (b'{"inputs": [{"text": "a"}], "params": {"threshold": 1e999}}', 422),
    "split a number": ({**GOOD, "params": {"split": 1}}, 422),
    "10,000 deep": (NESTED, 422),
    "10,000 deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 422),
    "latin-1": ('{"inputs": [{"text": "é"}]}'.encode("latin-1"), 422),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), 422),
    "half a surrogate": (b'{"inputs": [{"text": "\\ud800"}]}', 422),
    "a NUL byte": (b'{"inputs": [{"text": "a\0b"}]}', 422),
    "many inputs": ({"inputs": [{"text": "a"}] * 51}, 413),
    "a long text": ({"inputs": [{"text": "a" * 60_001}]}, 413),
    "a large body": (b" " * 300_001, 413),
    "dataframe_split": ({"dataframe_split": {"columns": ["text"], "data": [["a"]]}}, 422),
    "instances": ({"instances": [{"text": "a"}]}, 422),
}


def refused(server, response, status):
    """The sentence of a refusal; a good request right after it succeeds."""
    assert response.status_code == status, response.text
    assert str(status) in server.http.get("/openapi.json").json()["paths"]["/invocations"]["post"]["responses"]
    sentence = response.json()["error"]
    assert "\n" not in sentence
    assert len(sentence) < 200
    assert not re.search(r"Traceback|File \"|site-packages|/tmp|script|treshold", response.text)
    assert server.post(GOOD).status_code == 200
    return sentence


@pytest.mark.parametrize("name", HOSTILE)
def test_a_wrong_request_is_refused_in_one_sentence(server, name):
    content, status = HOSTILE[name]
    refused(server, server.post(content), status)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/csv"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json; charset=utf-8; x=1"},
        {**JSON, "Content-Encoding": "gzip"},
        {**JSON, "Content-Encoding": "br"},
    ],
)
def test_what_is_no_plain_json_is_refused(server, headers):
    refused(server, server.post(GOOD, headers), 415)


def test_a_gzip_bomb_is_not_opened(server):
    before = server.memory()
    refused(server, server.post(gzip.compress(b" " * 200_000_000), {**JSON, "Content-Encoding": "gzip"}), 415)
    assert server.memory() < before + 50


def test_a_body_of_300_megabytes_is_refused_and_not_kept(server):
    before = server.memory()
    refused(server, server.post(b" " * 300_000_000), 413)
    chunks = (b"x" * 1_000_000 for _ in range(300))  # without a Content-Length
    refused(server, server.http.post("/invocations", content=chunks, headers=JSON), 413)
    assert server.memory() < before + 50


def test_odd_texts_are_labelled(server):
    odd = ["", " ", "\n\n", "a\r\nb", "\u202e\u200b", "👩‍👩‍👧‍👦" * 100, "a" * 50_000, "." * 10_000, "\\" * 1000, "</s>", "�", "e\u0301" * 500, "\x00"]
    answer = server.post({"inputs": [{"text": text} for text in odd]})
    assert answer.status_code == 200, answer.text
    for text, one in zip(odd, answer.json()["predictions"], strict=True):
        assert all(text[passage["start"] : passage["end"]] == passage["text"] for passage in one["passages"])
    assert server.post({"inputs": [{"text": "Hej.", "lang": "no such language"}]}).status_code in {200, 422}


def made_by(schema, schemas):
    """Strategy for values that an OpenAPI schema describes; it fails on what it does not know."""
    if "$ref" in schema:
        return made_by(schemas[schema["$ref"].removeprefix("#/components/schemas/")], schemas)
    if "anyOf" in schema:
        return st.one_of([made_by(one, schemas) for one in schema["anyOf"]])
    if schema["type"] == "object":
        assert schema["additionalProperties"] is False
        fields = {name: made_by(one, schemas) for name, one in schema["properties"].items()}
        required = schema.get("required", [])
        optional = {name: one for name, one in fields.items() if name not in required}
        return st.fixed_dictionaries({name: fields[name] for name in required}, optional=optional)
    return {
        "array": lambda: st.lists(made_by(schema["items"], schemas), min_size=schema["minItems"], max_size=3),
        "string": lambda: st.text(st.characters(exclude_categories=["Cs"]), max_size=schema.get("maxLength", 40)),
        "number": lambda: st.floats(schema["minimum"], schema["maximum"], allow_subnormal=False),
        "boolean": st.booleans,
        "null": st.none,
    }[schema["type"]]()


@pytest.fixture(scope="module")
def described(server):
    """Strategy for what the server's own page says that it takes."""
    page = server.http.get("/openapi.json").json()
    return made_by(page["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"], page["components"]["schemas"])


WRONG = st.none() | st.integers() | st.floats(allow_nan=False, allow_subnormal=False) | st.just([]) | st.dictionaries(st.text(max_size=5), st.text(max_size=5))
AT_LEISURE = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@AT_LEISURE
@given(data=st.data())
def test_what_the_page_describes_is_answered(server, described, data):
    body = data.draw(described)
    response = server.post(body)
    assert response.status_code == 200, (body, response.text)
    assert len(response.json()["predictions"]) == len(body["inputs"])


@AT_LEISURE
@given(data=st.data())
def test_what_the_page_does_not_describe_is_refused(server, described, data):
    """Each example is a described request in which one field is wrong, or not known."""
    body = data.draw(described)
    one = data.draw(st.sampled_from([body, *body["inputs"], *([body["params"]] if "params" in body else [])]))
    name = data.draw(st.sampled_from(["unknown", next((name for name in ("inputs", "text") if name in one), "split")]))
    one[name] = data.draw(WRONG)
    refused(server, server.post(body), 422)


def test_100_000_inputs_are_refused_and_not_kept(store, tmp_path):
    server = Server(tmp_path, store)
    try:
        server.post(GOOD)
        before = server.memory()
        for _ in range(5):
            assert "more than 1000 inputs" in refused(server, server.post({"inputs": [{"text": "a"}] * 100_000}), 413)
        assert server.memory() < before + 200
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("path", ["/", "/nothing", "/invocations/", "/../etc/passwd", "/invocations?x=1"])
def test_other_addresses_and_methods_answer_in_one_sentence(server, path):
    answer = server.http.get(path)
    assert answer.status_code in {404, 405}
    assert set(answer.json()) == {"error"}


def test_a_foreign_host_is_refused(server):
    answer = server.http.get("/ping", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Invalid host header")


def test_slow_senders_are_let_go_and_others_are_served_meanwhile(server):
    slow = []
    for head in (b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", b"GET /ping HTT"):
        for _ in range(20):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            connection.sendall(head)
            slow.append(connection)
    try:
        assert server.post(GOOD).status_code == 200
        assert b" 408 " in slow[0].recv(1000)
        assert server.post(GOOD).status_code == 200
    finally:
        for connection in slow:
            connection.close()


def seconds_until_closed(port, head):
    """Send a head, then a byte each half second until the server closes the connection."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head)
        connection.settimeout(0.5)
        while time.monotonic() < begun + 25:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1000):
                    break
            if head:
                connection.sendall(b"x")
    return time.monotonic() - begun


def test_requests_that_drip_in_for_ever_are_cut_off(server):
    heads = [
        b"",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\nGET /pi",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
    ]
    with ThreadPoolExecutor(len(heads)) as together:
        taken = dict(zip(heads, together.map(partial(seconds_until_closed, server.port), heads), strict=True))
    assert not {head: seconds for head, seconds in taken.items() if not 8 < seconds < 20}
    assert server.post(GOOD).status_code == 200


def test_a_sender_that_goes_away_is_no_failure(server):
    before = len(server.log.read_text().splitlines())
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert server.post(GOOD).status_code == 200
    rows = [json.loads(line) for line in server.log.read_text().splitlines()[before:]]
    assert [(row["level"], row["message"], row["status"]) for row in rows] == [("INFO", "request", 200)]


def test_health_and_numbers_for_prometheus(server):
    assert server.http.get("/health").status_code == 200
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


def test_a_token_is_asked_for_where_one_is_set(store, tmp_path):
    server = Server(tmp_path, {**store, "NEWSMARK_TOKEN": f"{TOKEN}\n"})
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


def long_text(passages):
    return "\n".join(f"Rad {number} om något helt annat än det förra, nämligen {number * 7}." for number in range(passages))


def test_work_beyond_the_time_limit_is_stopped_and_waiting_requests_are_bounded(store, tmp_path):
    server = Server(tmp_path, store, "--time-limit", "4", "--queue", "2", "--max-body", "30000000", "--max-passages", "1000000")
    try:
        endless = {"inputs": [{"text": long_text(2000), "lang": "sv"}] * 150}
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(httpx.post(f"{server.http.base_url}/invocations", json=endless, timeout=120))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        server.until_under_way(2)
        busy = server.post(GOOD)
        assert busy.status_code == 429
        assert int(busy.headers["Retry-After"]) >= 1
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [504, 504]
        assert "longer than 4 seconds and was stopped" in answers[0].json()["error"]
        assert server.post(GOOD).status_code == 200
    finally:
        assert server.stop() == 0


def test_a_stopped_server_finishes_what_it_has_begun(store, tmp_path):
    server = Server(tmp_path, store, "--max-passages", "100000")
    text = long_text(1500)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(server.post({"inputs": [{"text": text, "lang": "sv"}] * 20})))
    asking.start()
    server.until_under_way(1)
    server.process.send_signal(signal.SIGTERM)
    asking.join()
    assert server.process.wait(timeout=90) == 0
    assert answers[0].status_code == 200
    assert [len(one["passages"]) for one in answers[0].json()["predictions"]] == [1500] * 20


def test_the_model_is_swapped_when_the_alias_moves_without_a_failed_request(store, tmp_path, command):
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    done = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--C", "0.2", "--register", env=store)
    version = re.search(r"registered as newsmark version (\d+)", done.stderr).group(1)
    former = client.get_model_version_by_alias("newsmark", "champion").version
    server = Server(tmp_path, store)
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


def test_drift_is_measured_against_the_passages_trained_on(store, tmp_path, champion):
    server = Server(tmp_path, store)
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


def test_a_killed_server_leaves_the_registry_whole_and_starts_again(store, tmp_path, command):
    server = Server(tmp_path, store)
    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    before = [client.get_registered_model("newsmark").aliases, len(client.search_model_versions("name = 'newsmark'"))]

    async def load():
        async with httpx.AsyncClient(base_url=str(server.http.base_url), timeout=10) as http:
            asked = [asyncio.create_task(http.post("/invocations", json=GOOD)) for _ in range(64)]
            await asyncio.wait(asked[:4], return_when=asyncio.FIRST_COMPLETED)
            server.process.kill()
            return await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(load())
    assert server.process.wait() == -signal.SIGKILL
    assert [client.get_registered_model("newsmark").aliases, len(client.search_model_versions("name = 'newsmark'"))] == before
    assert command("models", ARTICLE, "--model", "models:/newsmark@champion", env=store).returncode == 0
    again = Server(tmp_path, store)
    assert again.post(GOOD).status_code == 200
    assert again.stop() == 0


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


def test_predict_by_url_prints_what_predict_prints(server, command, store, champion, tmp_path):
    rows = [{"text": f"Rad {number} av {'många' * (number % 3)} {number * 7}.", "document": f"d{number // 40}", "own": number} for number in range(700)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = ["seeds/003_351322b492e975e1.txt", ARTICLE, tmp_path / "rows.jsonl"]
    local = command("models", *paths, "--model", champion, "--threshold", "0.4", env=store)
    served = command("models", *paths, "--url", server.http.base_url, "--threshold", "0.4", env=store)  # more inputs than it takes at once
    assert served.returncode == 0, served.stderr
    assert served.stdout == local.stdout
    assert len(local.stdout.splitlines()) > 720


def test_predict_by_url_waits_for_a_busy_server(store, command, tmp_path):
    server = Server(tmp_path, store, "--queue", "1")
    try:
        with ThreadPoolExecutor(4) as several:
            done = list(several.map(lambda _: command("models", "seeds", "--url", server.http.base_url, env=store), range(4)))
        assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
        assert len({one.stdout for one in done}) == 1
    finally:
        assert server.stop() == 0


def test_predict_by_url_goes_on_when_a_server_comes_back(store, command, tmp_path):
    server = Server(tmp_path, store)
    port = server.port
    server.stop()
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(command, "models", ARTICLE, "--url", f"http://127.0.0.1:{port}", env=store)
        again = Server(tmp_path, store, port=port)
        done = asked.result()
    assert again.stop() == 0
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20


def test_predict_by_url_goes_on_after_a_kill(server, store, command, tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"Rad {number} lovar {number * 7} procent."}) + "\n" for number in range(20_000)))
    arguments = [tmp_path / "rows.jsonl", "--url", server.http.base_url, "--output"]
    assert command("models", *arguments, tmp_path / "whole.jsonl", env=store).returncode == 0
    process = subprocess.Popen([sys.executable, "-m", "models", *map(str, arguments), str(tmp_path / "out.jsonl")], env=store)
    part = tmp_path / "out.jsonl.part"
    while process.poll() is None and (not part.exists() or not part.stat().st_size):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = command("models", *arguments, tmp_path / "out.jsonl", "--resume", env=store)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def last_line(text):
    return text.rstrip("\n").rpartition("\n")[2]


def test_predict_by_url_reports_in_one_line_what_is_wrong(store, command, tmp_path):
    server = Server(tmp_path, {**store, "NEWSMARK_TOKEN": TOKEN}, "--allowed-hosts", "127.0.0.1")
    try:
        url = str(server.http.base_url)
        assert command("models", ARTICLE, "--url", url, env={**store, "NEWSMARK_TOKEN": f" {TOKEN}\n"}).returncode == 0
        broken = command("models", ARTICLE, "--url", url, env={**store, "NEWSMARK_TOKEN": "hemligt\nord"})
        assert (broken.returncode, broken.stderr) == (2, "predict: error: NEWSMARK_TOKEN holds a character that no header can carry; give it on one line\n")
        secret = command("models", ARTICLE, "--url", url.replace("//", "//me:s3cret@"), env=store)
        assert (secret.returncode, last_line(secret.stderr)) == (1, f"predict: error: {url} asks for a token; set NEWSMARK_TOKEN to it")
        assert "s3cret" not in secret.stderr
        for env in (store, {**store, "NEWSMARK_TOKEN": "wrong one"}):
            done = command("models", ARTICLE, "--url", url, env=env)
            assert (done.returncode, last_line(done.stderr)) == (1, f"predict: error: {url} asks for a token; set NEWSMARK_TOKEN to it")
        wrong = command("models", ARTICLE, "--url", f"{url}/nothing", env=store)
        refused = f"predict: error: {url}/nothing refused with status 404: there is nothing here; POST to /invocations"
        assert (wrong.returncode, last_line(wrong.stderr)) == (1, refused)
        other = url.replace("127.0.0.1", "localhost")
        foreign = command("models", ARTICLE, "--url", other, env=store)
        refused = f"predict: error: {other} is not the name that the server goes by; start it with this name among its --allowed-hosts"
        assert (foreign.returncode, last_line(foreign.stderr)) == (1, refused)
    finally:
        assert server.stop() == 0
    for bad in ("localhost:5001", "ftp://a"):
        done = command("models", ARTICLE, "--url", bad, env=store)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


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


def test_the_manuals_curl_line_and_python_snippet_work(server):
    readme = Path("models/README.md").read_text()
    address = str(server.http.base_url)
    curl = re.search(r"curl -s http://127\.0\.0\.1:5001.*?\}'$", readme, re.DOTALL | re.MULTILINE).group().replace("http://127.0.0.1:5001", address)
    answer = json.loads(subprocess.run(curl, shell=True, capture_output=True, text=True, check=True).stdout)
    assert [passage["text"] for passage in answer["predictions"][0]["passages"]] == ["Ministern lovar sänkta utsläpp."]
    snippet = re.search(r"```python\n(import httpx.*?)```", readme, re.DOTALL).group(1).replace("http://127.0.0.1:5001", address)
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=True)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["0", "31"], ["32", "45"]]


def test_texts_of_very_many_passages_are_refused_while_others_are_answered(store, tmp_path):
    server = Server(tmp_path, store, "--time-limit", "20")
    try:
        hostile = [{"inputs": [{"text": "a\n" * 66_000}] * 20}, {"inputs": [{"text": "Ja. " * 49_000}] * 20}, {"inputs": [{"text": "a\n" * 9_000}] * 2}] * 4
        before = server.memory()
        with ThreadPoolExecutor(len(hostile)) as several:
            asked = [several.submit(httpx.post, f"{server.http.base_url}/invocations", json=one, timeout=120) for one in hostile]
            answered = 0
            while not all(one.done() for one in asked):
                assert server.http.get("/ping").status_code == server.post(GOOD).status_code == 200
                answered += 1
        found = [one.result() for one in asked]
        assert {one.status_code for one in found} <= {200, 413, 429, 504}
        assert {one.status_code for one in found[::3]} <= {413, 429}
        assert "more than 20000 passages" in next(one.text for one in found if one.status_code == 413)
        assert answered > 3
        assert server.memory() < before + 500
    finally:
        assert server.stop() == 0


def test_memory_has_a_bound_whatever_is_sent(store, tmp_path):
    server = Server(tmp_path, store)
    head = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"
    senders = []
    try:
        server.post(GOOD)
        before = server.memory()
        for _ in range(150):  # 600 MB
            sender = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            with contextlib.suppress(OSError):
                sender.sendall(head + b" " * 3_999_999)
            senders.append(sender)
        assert server.post(GOOD).status_code == 200
        assert "newsmark_connections_dropped_total" in server.http.get("/metrics").text
        assert server.memory() < before + 300
    finally:
        for sender in senders:
            sender.close()
        assert server.stop() == 0


def test_idle_connections_lock_nobody_out(server):
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(900)]
    try:
        for number, connection in enumerate(idle):
            if number % 2:
                with contextlib.suppress(OSError):
                    connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        with httpx.Client(base_url=server.http.base_url, timeout=60) as late:
            for path in ("/ping", "/health", "/metrics"):
                assert late.get(path).status_code == 200
            assert late.post("/invocations", json=GOOD).status_code == 200
    finally:
        for connection in idle:
            connection.close()
