"""The client of ``predict serve`` and servers that are busy, away, or answer something else."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.context import PassageInContext
from newsmark.models.prediction import client as module
from newsmark.models.prediction.client import Client

PASSAGE = {"start": 0, "end": 1, "text": "a", "labels": ["quote"], "scores": {"quote": 0.9}, "review": False, "truncated": True}
ANSWER = json.dumps({"predictions": [{"passages": [PASSAGE], "model_version": "fake-1"}]})


@pytest.fixture
def serve():
    """A real server that gives the answers of a list, one after another, then the last one for ever: status, headers, body."""
    servers = []

    def start(*answers):
        left = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, body = left.pop(0) if len(left) > 1 else left[0]
                self.server.asked += 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.asked = 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server, f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The pauses are asked for and not waited for; the clock of the bound on waiting stays the real one."""
    pauses = []
    monkeypatch.setattr(module, "_pause", lambda state: pauses.append(real(state)) or 0.0)
    return pauses


real = module._pause
BUSY = (429, {"Retry-After": "7"}, "")
DONE = (200, {}, ANSWER)


def test_a_busy_server_is_waited_for_as_long_as_it_asks(serve, quick):
    server, url = serve(*[BUSY] * 20, DONE)
    found = Client(url).label([PassageInContext("a")])
    assert found == [{"labels": ["quote"], "scores": {"quote": 0.9}, "review": False, "truncated": True, "model_version": "fake-1"}]
    assert server.asked == 21
    assert len(quick) == 20
    assert min(quick) >= 7


def test_the_wait_for_a_busy_server_has_a_bound(serve):
    server, url = serve(BUSY)
    with pytest.raises(NewsmarkError, match=rf"^{url}: it is busy \(status 429\) for 0 seconds; run the command again later, or wait longer with --wait$"):
        Client(url, wait=0).label([PassageInContext("a")])
    assert server.asked == 1


def test_a_server_that_is_away_is_asked_some_times():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(NewsmarkError, match=rf"^{url}: it can't be reached \(.+\), 8 times; is the server running\? Run the command again$"):
            Client(url).label([PassageInContext("a")])


def test_a_server_of_an_older_newsmark_does_not_say_what_is_truncated(serve):
    passage = {name: value for name, value in PASSAGE.items() if name != "truncated"}
    _, url = serve((200, {}, json.dumps({"predictions": [{"passages": [passage], "model_version": "old"}]})))
    assert Client(url).label([PassageInContext("a")])[0]["truncated"] is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, {}, "{}"), "does not answer as a newsmark server does (status 200); check --url"),
        ((200, {"Content-Encoding": "gzip"}, ANSWER), "does not answer as a newsmark server does (its answer can't be decoded); check --url"),
        ((200, {}, "<html>"), "does not answer as a newsmark server does (status 200); check --url"),
        ((401, {}, ""), "asks for a token; set NEWSMARK_TOKEN to it"),
        ((422, {}, '{"error": "inputs.0: no"}'), "refused with status 422: inputs.0: no"),
    ],
)
def test_other_answers_are_one_clear_line(serve, answer, reason):
    _, url = serve(answer)
    with pytest.raises(NewsmarkError) as error:
        Client(url).label([PassageInContext("a")])
    assert str(error.value) == f"{url} {reason}"


def test_spans_come_with_the_passages_and_a_server_that_finds_none_is_named(serve):
    span = {"start": 0, "end": 1, "label": "quote", "score": 0.9, "kind": None}
    answer = json.dumps({"predictions": [{"passages": [{**PASSAGE, "spans": [span]}], "model_version": "fake-1"}]})
    _, url = serve((200, {}, answer), (200, {}, ANSWER))
    assert Client(url).label([PassageInContext("a")], spans=True)[0]["spans"] == [span]
    with pytest.raises(NewsmarkError, match="does not find spans; start it with this version of newsmark, or leave out --spans"):
        Client(url).label([PassageInContext("a")], spans=True)
