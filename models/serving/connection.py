"""One HTTP/1.1 connection: its requests are read, each part within its time, answered when they are whole, and refused where they are wrong."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import h11
from starlette.types import Message

if TYPE_CHECKING:
    from .front import Front

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

_EARLY_BYTES = 65_536
"""What is read ahead while a request is answered."""

_SMALL_PIECES, _SMALL_PIECE = 1000, 64
"""A body may arrive in this many pieces whatever their size; if there are more, they must have that many bytes on average."""


class Connection(asyncio.Protocol):
    """Waits for a whole request, has it answered by the application, and waits for the next.

    Args:
        front: knows all connections and the application.

    Attributes:
        address: the client's, which bounds are set for.
        begun: whether a part of a request has arrived.
    """

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
        """Set the time for what is waited for now; None for any time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self._request is not None and not self._refused:
            self._refuse(408, f"the body did not arrive within {BODY_SECONDS} seconds")
        elif self._refused and self.transport.get_write_buffer_size():
            self.drop("unread answer")
        elif self._refused:
            self.transport.abort()
        else:
            self._front.metrics.dropped.labels("slow" if self.begun else "idle").inc()
            self._finish()

    def _finish(self) -> None:
        """Close the connection when its last answer is read; a client that does not read it has some time."""
        self._refused = True
        self._time(_READING_SECONDS)
        self.transport.close()

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
            self._finish()

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
