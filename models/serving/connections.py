"""HTTP/1.1 connections that nobody can hold: an application is called with whole requests only, and what is slow makes room for the others.

Servers such as uvicorn hand a request over when its head is there, and wait for the rest of it, and on idle connections, without a bound
that is set for each address. Here h11 parses, an ASGI application answers, and this file holds what is between them: times for each part of
a request, and bounds on what waits. Beyond a bound nobody new is refused; whoever has waited longest without sending a whole request is let go.
It is one file of more than 300 lines because the states of a connection and their bounds must be read together.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import resource
import signal
import socket
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

import h11
from starlette.types import ASGIApp, Message

from .metrics import Metrics

logger = logging.getLogger("newsmark.serving")

HEAD_SECONDS, BODY_SECONDS = 12, 10
"""A head, and a body, has to arrive within this time."""

_DISCARD_SECONDS = 60
"""A body that is too large is read and thrown away for this time."""

_IDLE_SECONDS = 30
"""A connection is kept for another request for this time."""

_READING_SECONDS = 60
"""An answer has to be read within this time, or the connection is closed."""

_LINGER_SECONDS = 2
"""After a refusal that ends the connection, what the client still sends is thrown away for this time, so that it can read the refusal."""

_CONNECTIONS, _SPARE_FILES = 800, 200
"""Connections open at the same time at most; fewer where the process may have fewer files than both together."""

_WAITING_OF_ADDRESS = 400
"""Connections of one address that wait for a whole request at most (an IPv6 network of 64 bits counts as one address)."""

_BODIES_BYTES, _UNREAD_BYTES = 64_000_000, 64_000_000
"""Memory for the bodies that are not whole, and for the answers that are not read, of all connections together; one alone may be larger."""

_UNREAD = 200
"""Connections with answers that are not read at most."""

_EARLY_BYTES = 65_536
"""What is read ahead while a request is answered."""

_SMALL_PIECES, _SMALL_PIECE = 1000, 64
"""A body may arrive in this many pieces whatever their size; where there are more, they must have so many bytes on average."""


class Front:
    """Accepts connections, bounds them and calls an application.

    Args:
        application: an ASGI application; it is called with whole requests.
        body_bytes: size of a request's body at most.
        metrics: counts refusals and connections.
    """

    def __init__(self, application: ASGIApp, body_bytes: int, metrics: Metrics) -> None:
        self.application, self.body_bytes, self.metrics = application, body_bytes, metrics
        self.waiting: dict[_Connection, None] = {}  # for a whole request, the longest first
        self.unread: dict[_Connection, None] = {}  # answers, the oldest first
        self.arriving: dict[_Connection, int] = {}  # bytes of bodies that are not whole, the oldest first
        self.connections: set[_Connection] = set()
        self.stopping = False
        self._closed = asyncio.Event()
        self._addresses: Counter[str] = Counter()  # of those that wait
        self._most = max(50, min(_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES))
        metrics.watch_connections(lambda: len(self.waiting), lambda: len(self.connections) - len(self.waiting))

    async def run(self, listening: socket.socket, patience: float) -> signal.Signals:
        """Serve until SIGINT or SIGTERM; requests that have begun are finished first.

        Args:
            listening: a socket that listens.
            patience: seconds that a stop waits for requests.

        Returns:
            The signal.
        """
        loop, signals = asyncio.get_running_loop(), asyncio.Queue[signal.Signals]()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, signals.put_nowait, number)
        server = await loop.create_server(lambda: _Connection(self), sock=listening)
        listening.listen(2048)  # asyncio accepts as many at once as it is given here: its own number, 100, leaves files for them
        received = await signals.get()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # the next one ends the process
        server.close()
        self.stopping = True
        for connection in [one for one in self.waiting if not one.begun]:
            connection.transport.close()
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), patience)
        return received

    def opened(self, connection: _Connection) -> None:
        """Take a new connection, and let another one go where there are too many."""
        self.connections.add(connection)
        self.wait(connection)
        if self._addresses[connection.address] > _WAITING_OF_ADDRESS:
            next(one for one in self.waiting if one.address == connection.address).drop("many of one address")
        elif len(self.connections) > self._most:
            address = max(self._addresses, key=self._addresses.__getitem__)
            next(one for one in self.waiting if one.address == address).drop("many")

    def wait(self, connection: _Connection) -> None:
        """Let a connection wait for a whole request."""
        self.waiting[connection] = None
        self._addresses[connection.address] += 1

    def whole(self, connection: _Connection) -> None:
        """A connection waits no longer: its request is whole, or it was closed."""
        self.arriving.pop(connection, None)
        if connection in self.waiting:
            del self.waiting[connection]
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    def arrived(self, connection: _Connection, count: int) -> None:
        """Bytes of a body arrived."""
        self.arriving[connection] = self.arriving.get(connection, 0) + count
        while sum(self.arriving.values()) > _BODIES_BYTES and len(self.arriving) > 1:
            next(iter(self.arriving)).drop("many bodies")

    def not_read(self, connection: _Connection) -> None:
        """The client of a connection reads more slowly than its answer is written."""
        self.unread[connection] = None
        while len(self.unread) > 1 and (len(self.unread) > _UNREAD or sum(one.transport.get_write_buffer_size() for one in self.unread) > _UNREAD_BYTES):
            next(iter(self.unread)).drop("many unread answers")

    def closed(self, connection: _Connection) -> None:
        """A connection is closed."""
        self.whole(connection)
        self.unread.pop(connection, None)
        self.connections.discard(connection)
        if self.stopping and not self.connections:
            self._closed.set()

    def refused(self, status: int) -> None:
        """A request was refused before the application saw it."""
        self.metrics.requests.labels(str(status)).inc()
        logger.info("request", extra={"status": status})


class _Connection(asyncio.Protocol):
    """One connection: waits for a whole request, has it answered, and waits for the next."""

    transport: asyncio.Transport
    address: str

    def __init__(self, front: Front) -> None:
        self._front, self._loop = front, asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=16_384)
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._refused = False
        self._reset()

    def _reset(self) -> None:
        self.begun, self._request = False, None  # type: bool, h11.Request | None
        self._body, self._size, self._pieces, self._early = bytearray(), 0, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.address = _address(transport)
        self._time(HEAD_SECONDS)
        self._front.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; each part of it, not each piece, has its time."""
        if self._refused:
            return
        if self._task is not None:  # the request after the one that is answered
            self._early += len(data)
            if self._early > _EARLY_BYTES:
                self.transport.pause_reading()
        elif not self.begun:
            self.begun = True
            self._time(HEAD_SECONDS)
        self._http.receive_data(data)
        self._advance()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """Stop everything, the work on an answer too; who only ends its sending counts as gone, as with other servers."""
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._refused = True
        self._front.closed(self)

    def pause_writing(self) -> None:
        """Give a client that does not read its answer some time."""
        self._unread = self._loop.call_later(_READING_SECONDS, self.drop, "unread answer")
        self._front.not_read(self)

    def resume_writing(self) -> None:
        """It reads."""
        self._front.unread.pop(self, None)
        if self._unread is not None:
            self._unread.cancel()

    def drop(self, reason: str) -> None:
        """Close the connection at once."""
        self._front.metrics.dropped.labels(reason).inc()
        self._refused = True
        self.transport.abort()
        self._front.closed(self)

    def _time(self, seconds: float | None) -> None:
        """Give what is waited for now so many seconds; None for any time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self._request is not None and not self._refused:
            self._refuse(408, f"the body did not arrive within {BODY_SECONDS} seconds")
        else:
            self._front.metrics.dropped.labels("slow" if self.begun else "idle").inc()
            self.transport.abort() if self._refused else self.transport.close()

    def _advance(self) -> None:
        """Go through what has arrived."""
        try:
            while self._task is None and not self._refused:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._take(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._end()
                else:
                    if event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
                        self._write(h11.InformationalResponse(status_code=100, headers=[]))
                    elif isinstance(event, h11.ConnectionClosed):
                        self.transport.close()
                    return
        except h11.RemoteProtocolError as error:
            too_large = error.error_status_hint == 431
            self._refuse(error.error_status_hint, "the head of the request is too large" if too_large else "this is no valid HTTP/1.1 request")

    def _begin(self, request: h11.Request) -> None:
        names = {name for name, _ in request.headers}
        if {b"content-length", b"transfer-encoding"} <= names:  # two servers in a row might find different ends of it
            self._refuse(400, "a request has a Content-Length or a Transfer-Encoding, not both")
            return
        self._request = request
        self._time(BODY_SECONDS)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        self._pieces += 1
        if self._pieces > _SMALL_PIECES and self._size < self._pieces * _SMALL_PIECE:
            self._refuse(400, "the body arrives in too many small pieces; send larger ones")
        elif self._size > self._front.body_bytes:  # read to its end, so that the client reads the answer, and thrown away
            if self._size - len(data) <= self._front.body_bytes:
                self._time(_DISCARD_SECONDS)
            self._body.clear()
            self._front.arriving.pop(self, None)
        else:
            self._body += data
            self._front.arrived(self, len(data))

    def _end(self) -> None:
        """Have a whole request answered."""
        self._time(None)
        self._front.whole(self)
        self._task = self._loop.create_task(self._answer())

    async def _answer(self) -> None:
        assert self._request is not None
        if self._size > self._front.body_bytes:
            self._respond(413, *_sentence(f"the body is larger than {self._front.body_bytes} bytes; send less in a request"))
            self._front.refused(413)
            return
        status, headers, parts = 500, list[tuple[bytes, bytes]](), list[bytes]()
        body = [bytes(self._body)]
        self._body.clear()

        async def receive() -> Message:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            return await self._loop.create_future()  # type: ignore[no-any-return]  # the task is cancelled when the client goes

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                parts.append(message.get("body", b""))

        try:
            await self._front.application(self._scope(self._request), receive, send)
        except Exception as error:  # noqa: BLE001 - the application has answered what can be answered
            logger.error("the server failed", extra={"error": type(error).__name__})  # its message may hold a text
            if not parts:
                status, (headers, parts) = 500, ([], [])
        if not self._refused:
            self._respond(status, headers, b"".join(parts))

    def _scope(self, request: h11.Request) -> dict[str, Any]:
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.http_version.decode(),
            "method": request.method.decode(),
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(request.headers),
            "client": self.transport.get_extra_info("peername")[:2],
            "server": self.transport.get_extra_info("sockname")[:2],
        }

    def _respond(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Write an answer; then wait for the next request, or close."""
        method = self._request.method if self._request else b""
        every = [*headers, (b"date", formatdate(usegmt=True).encode()), *([(b"connection", b"close")] if self._front.stopping or self._refused else [])]
        events: list[h11.Event] = [h11.Response(status_code=status, headers=every), h11.Data(data=b"" if method == b"HEAD" else body), h11.EndOfMessage()]
        self._write(*events)
        self._task = None
        if self._refused:
            return
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            early = self._early
            self._http.start_next_cycle()
            self._reset()
            self.begun = early > 0
            self._time(HEAD_SECONDS if early else _IDLE_SECONDS)
            self._front.wait(self)
            self.transport.resume_reading()
            self._loop.call_soon(self._advance)
        else:
            self.transport.close()

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer that a request can't be read, and close the connection."""
        self._front.refused(status)
        self._front.arriving.pop(self, None)
        self._refused = True
        self._body.clear()
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._respond(status, *_sentence(sentence))
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._time(_LINGER_SECONDS)

    def _write(self, *events: h11.Event) -> None:
        self.transport.write(b"".join(self._http.send(event) or b"" for event in events))


def _sentence(text: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a refusal."""
    body = json.dumps({"error": text}).encode()
    return [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())], body


def _address(transport: asyncio.Transport) -> str:
    """The client's address; of IPv6 the network, for one machine has all addresses of it."""
    host = str((transport.get_extra_info("peername") or ("",))[0])
    return str(ipaddress.ip_network(f"{host.partition('%')[0]}/64", strict=False)) if ":" in host else host
