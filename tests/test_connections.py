"""Connections of a server: whole requests are answered, and nobody who is slow, idle, greedy or wrong keeps others from it."""

import asyncio
import contextlib
import inspect
import json
import os
import resource
import socket

import pytest
from newsmark.models.serving import connection, front
from newsmark.models.serving.front import Front
from newsmark.models.serving.metrics import Metrics

PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(body, *headers):
    return b"\r\n".join([b"POST /echo HTTP/1.1", b"Host: localhost", f"Content-Length: {len(body)}".encode(), *headers, b"", body])


class Echo:
    """An application that answers with what it was asked; on /hold it first waits for a sign."""

    def __init__(self):
        self.asked, self.left, self.go = [], 0, asyncio.Event()

    async def __call__(self, scope, receive, send):
        message = await receive()
        assert not message["more_body"]
        self.asked.append(scope["path"])
        if scope["path"] == "/broken":
            raise ValueError("secret")
        if scope["path"] == "/hold":
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.left += 1
                raise
        size = int(scope["query_string"] or 0)
        body = message["body"] + b"x" * size
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


class Running:
    """A running front, in this process."""

    def __init__(self, body_bytes=100_000):
        self.echo, self.metrics = Echo(), Metrics()
        self.front = Front(self.echo, body_bytes, self.metrics)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port, self.kept = self.listening.getsockname()[1], []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.front.run(self.listening, 5))
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        for one in list(self.front.connections):
            one.transport.abort()
        await asyncio.sleep(0)
        self.listening.close()

    async def connect(self, sent=b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        self.kept.append(writer)  # one that is let go is closed
        return reader, writer

    async def ask(self, sent):
        """Status and body of the answer on a connection of its own."""
        reader, writer = await self.connect(sent)
        status, _, body = await answer(reader)
        writer.close()
        return status, body

    def dropped(self, reason):
        return self.metrics.registry.get_sample_value("newsmark_connections_dropped_total", {"reason": reason}) or 0


async def answer(reader, head_only=False):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    lines = head.decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), headers, b"" if head_only else await reader.readexactly(int(headers["content-length"]))


async def ended(reader):
    """Whether the server has closed the connection; waits for it."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 10) == b""
    return True


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not become true")


def running(test):
    """Run a test that is a coroutine function with its fixtures."""

    def run(**fixtures):
        asyncio.run(test(**fixtures))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = inspect.signature(test)
    run.pytestmark = getattr(test, "pytestmark", [])
    return run


@running
async def test_a_connection_answers_one_request_after_another():
    async with Running() as server:
        reader, writer = await server.connect()
        for body in (b"one", b"two" * 10_000, b""):
            writer.write(post(body))
            status, headers, found = await answer(reader)
            assert (status, found) == (200, body)
            assert "date" in headers
            assert "connection" not in headers


@running
async def test_requests_sent_at_once_are_answered_in_order():
    async with Running() as server:
        reader, _ = await server.connect(post(b"one") + post(b"two") + post(b"last", b"Connection: close"))
        assert [(await answer(reader))[2] for _ in range(3)] == [b"one", b"two", b"last"]
        assert await ended(reader)


@running
async def test_head_is_answered_without_a_body():
    async with Running() as server:
        reader, writer = await server.connect(b"HEAD /ping?5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, headers, _ = await answer(reader, head_only=True)
        assert (status, headers["content-length"]) == (200, "5")
        writer.write(post(b"after it"))
        assert (await answer(reader))[2] == b"after it"


@running
async def test_a_client_that_asks_first_is_let_send_its_body():
    async with Running() as server:
        head, body = post(b"body", b"Expect: 100-continue")[:-4], b"body"
        reader, writer = await server.connect(head)
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        assert (await answer(reader))[::2] == (200, body)


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        (b"no HTTP\r\n\r\n", 400, "no valid HTTP"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "no valid HTTP"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000, 431, "head of the request is too large"),
        (post(b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), 400, "not both"),
        (post(b"", b"Content-Length: 7"), 400, "no valid HTTP"),
        (post(b"")[: -len(b"Content-Length: 0\r\n\r\n")] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "no valid HTTP"),
    ],
)
@running
async def test_what_is_no_good_request_is_refused_in_a_sentence_and_the_connection_is_closed(sent, status, sentence):
    async with Running() as server:
        reader, _ = await server.connect(sent)
        found, headers, body = await answer(reader)
        assert (found, headers["connection"], headers["content-type"]) == (status, "close", "application/json")
        assert sentence in json.loads(body)["error"]
        assert await ended(reader)
        assert server.echo.asked == []
        assert await server.ask(PING) == (200, b"")


@running
async def test_a_body_that_is_too_large_is_read_to_its_end_and_refused():
    async with Running(body_bytes=1000) as server:
        reader, writer = await server.connect(post(b"x" * 300_000))
        status, _, body = await answer(reader)
        assert (status, json.loads(body)) == (413, {"error": "the body is larger than 1000 bytes; send less in a request"})
        writer.write(post(b"small"))
        assert (await answer(reader))[::2] == (200, b"small")


@running
async def test_a_body_in_very_many_small_pieces_is_refused_after_some_of_them():
    async with Running() as server:
        chunks = b"".join(b"1\r\n%c\r\n" % (65 + number % 26) for number in range(50_000))
        status, body = await server.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert (status, "too many small pieces" in json.loads(body)["error"]) == (400, True)
        some = b"".join(b"1\r\n%c\r\n" % 65 for _ in range(900)) + b"0\r\n\r\n"
        assert await server.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + some) == (200, b"A" * 900)


@running
async def test_idle_and_slow_connections_make_room_for_those_that_send(monkeypatch):
    monkeypatch.setattr(front, "_WAITING_OF_ADDRESS", 20)
    async with Running() as server:
        slow = [await server.connect(sent) for _ in range(30) for sent in (b"", post(b"x" * 100)[:-99], b"GET /pi")]
        assert await server.ask(PING) == (200, b"")
        assert await server.ask(post(b"x" * 50_000)) == (200, b"x" * 50_000)
        assert len(server.front.waiting) <= 21
        assert server.dropped("many of one address") >= 70
        assert await ended(slow[0][0])
        assert server.echo.asked == ["/ping", "/echo"]


@running
async def test_connections_are_bounded_by_the_files_that_the_process_may_open(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (260, 260))
    async with Running() as server:
        idle = [await server.connect() for _ in range(90)]
        assert await server.ask(PING) == (200, b"")
        assert len(server.front.connections) <= 61
        assert server.dropped("many") >= 30
        assert await ended(idle[0][0])


@running
async def test_requests_under_way_are_not_let_go_for_new_connections(monkeypatch):
    monkeypatch.setattr(front, "_WAITING_OF_ADDRESS", 5)
    async with Running() as server:
        held = [await server.connect(PING.replace(b"ping", b"hold")) for _ in range(10)]
        await until(lambda: len(server.echo.asked) == 10)
        for _ in range(20):
            await server.connect(b"GET")
        server.echo.go.set()
        assert [(await answer(reader))[0] for reader, _ in held] == [200] * 10


@running
async def test_bodies_that_are_not_whole_have_a_bound_together(monkeypatch):
    monkeypatch.setattr(front, "_BODIES_BYTES", 500_000)
    async with Running() as server:
        for _ in range(20):
            await server.connect(post(b"x" * 100_000)[:-1])
        assert await server.ask(post(b"x" * 90_000)) == (200, b"x" * 90_000)
        assert server.dropped("many bodies") >= 15
        assert sum(server.front.arriving.values()) <= 500_000


@running
async def test_answers_that_nobody_reads_have_a_bound_together(monkeypatch):
    monkeypatch.setattr(front, "_UNREAD_BYTES", 30_000_000)
    async with Running() as server:
        silent = []
        for _ in range(6):
            one = socket.create_connection(("127.0.0.1", server.port))
            one.sendall(b"GET /large?20000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            silent.append(one)
            await asyncio.sleep(0.02)
        await until(lambda: len(server.echo.asked) == 6 and server.dropped("many unread answers") >= 3)
        assert await server.ask(PING) == (200, b"")
        for one in silent:
            one.close()


@running
async def test_each_part_of_a_request_has_its_time(monkeypatch):
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "_IDLE_SECONDS", "_READING_SECONDS"):
        monkeypatch.setattr(connection, name, 0.1)
    async with Running() as server:
        for sent in (b"", b"GET /pi", PING + b"GET"):
            reader, _ = await server.connect(sent)
            if sent.startswith(PING):
                await answer(reader)
            assert await ended(reader)
        reader, _ = await server.connect(post(b"x" * 100)[:-1])
        status, _, body = await answer(reader)
        assert (status, "did not arrive" in json.loads(body)["error"]) == (408, True)
        with socket.create_connection(("127.0.0.1", server.port)) as silent:
            silent.sendall(b"GET /large?20000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: server.dropped("unread answer") == 1)


@running
@pytest.mark.parametrize("header", ["Connection: close", "Connection: keep-alive"])
async def test_a_connection_that_is_to_be_closed_does_not_wait_for_a_client_that_never_reads(monkeypatch, header):
    for name in ("_IDLE_SECONDS", "_READING_SECONDS"):
        monkeypatch.setattr(connection, name, 0.1)
    async with Running() as server:
        server.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # a part of the answer stays in this process, too small to be unread
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            silent.connect(("127.0.0.1", server.port))
            silent.sendall(f"GET /large?60000 HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
            await until(lambda: server.echo.asked)
            await until(lambda: not server.front.connections)


@running
async def test_work_for_a_client_that_has_gone_is_given_up():
    async with Running() as server:
        _, writer = await server.connect(PING.replace(b"ping", b"hold"))
        await until(lambda: server.echo.asked)
        writer.transport.abort()
        await until(lambda: server.echo.left == 1)


@running
async def test_a_failure_of_the_application_is_500_and_its_message_is_not_logged(caplog):
    async with Running() as server:
        reader, _ = await server.connect(b"GET /broken HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b" 500 " in await reader.readline()
        assert "the server failed" in caplog.text
        assert "secret" not in caplog.text


@running
async def test_a_stop_finishes_requests_that_have_begun_and_closes_the_others():
    async with Running() as server:
        idle, held, arriving = [await server.connect(sent) for sent in (b"", PING.replace(b"ping", b"hold"), post(b"half")[:-2])]
        await until(lambda: server.echo.asked and any(one.begun for one in server.front.waiting))
        os.kill(os.getpid(), 15)
        assert await ended(idle[0])
        arriving[1].write(b"lf")
        server.echo.go.set()
        for (reader, _), body in ((held, b""), (arriving, b"half")):
            status, headers, found = await answer(reader)
            assert (status, headers["connection"], found) == (200, "close", body)
        assert await asyncio.wait_for(server.task, 10) == 15
