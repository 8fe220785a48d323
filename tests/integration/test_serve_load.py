"""``predict serve`` under load: large bodies, slow senders, more work than time, stops and kills."""

import asyncio
import contextlib
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

pytestmark = pytest.mark.usefixtures("champion")
ARTICLE = Path("seeds/001_de0bcf51e6ff2360.txt")
GOOD = {"inputs": [{"text": "Ministern lovar sänkta utsläpp.", "lang": "sv"}]}


def long_text(passages):
    return "\n".join(f"Rad {number} om något helt annat än det förra, nämligen {number * 7}." for number in range(passages))


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


def test_work_beyond_the_time_limit_is_stopped_and_waiting_requests_are_bounded(serve, store, tmp_path):
    server = serve(tmp_path, store, "--time-limit", "4", "--queue", "2", "--max-body", "30000000", "--max-passages", "1000000")
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


def test_a_stopped_server_finishes_what_it_has_begun(serve, store, tmp_path):
    server = serve(tmp_path, store, "--max-passages", "100000")
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


def test_a_killed_server_leaves_the_registry_whole_and_starts_again(serve, store, tmp_path, command):
    server = serve(tmp_path, store)
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
    again = serve(tmp_path, store)
    assert again.post(GOOD).status_code == 200
    assert again.stop() == 0


def test_texts_of_very_many_passages_are_refused_while_others_are_answered(serve, store, tmp_path):
    server = serve(tmp_path, store, "--time-limit", "20")
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


def test_memory_has_a_bound_whatever_is_sent(serve, store, tmp_path):
    server = serve(tmp_path, store)
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
