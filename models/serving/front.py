"""Connections that nobody can hold: an application is called with whole requests only, and what is slow makes room for the others.

Servers such as uvicorn hand a request over when its head is there, and wait for the rest of it, and on idle connections, without a bound
for each address. Here h11 parses (see ``connection``), an ASGI application answers, and this file bounds what waits in between. Beyond a
bound nobody new is refused; the connection that has waited longest without sending a whole request is closed.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
from collections import Counter
from contextlib import suppress

from starlette.types import ASGIApp

from .connection import Connection
from .metrics import Metrics

logger = logging.getLogger("newsmark.serving")

_CONNECTIONS, _SPARE_FILES = 800, 200
"""Connections open at the same time at most; fewer where the process may have fewer files than both together."""

_WAITING_OF_ADDRESS = 400
"""Connections of one address that wait for a whole request at most (an IPv6 network of 64 bits counts as one address)."""

_BODIES_BYTES, _UNREAD_BYTES = 64_000_000, 64_000_000
"""Memory for the bodies that are not whole, and for the answers that are not read, of all connections together; one alone may be larger."""

_UNREAD = 200
"""Connections with answers that are not read at most."""


class Front:
    """Accepts connections, bounds them and calls an application.

    Args:
        application: an ASGI application; it is called with whole requests.
        body_bytes: size of a request's body at most.
        metrics: counts refusals and connections.
    """

    def __init__(self, application: ASGIApp, body_bytes: int, metrics: Metrics) -> None:
        self.application, self.body_bytes, self.metrics = application, body_bytes, metrics
        self.waiting: dict[Connection, None] = {}  # for a whole request, the longest first
        self.unread: dict[Connection, None] = {}  # answers, the oldest first
        self.arriving: dict[Connection, int] = {}  # bytes of bodies that are not whole, the oldest first
        self.connections: set[Connection] = set()
        self.stopping = False
        self._closed = asyncio.Event()
        self._addresses: Counter[str] = Counter()  # of those that wait
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = _CONNECTIONS if files == resource.RLIM_INFINITY else max(50, min(_CONNECTIONS, files - _SPARE_FILES))
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
        server = await loop.create_server(lambda: Connection(self), sock=listening)
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

    def opened(self, connection: Connection) -> None:
        """Take a new connection, and close another one if there are too many."""
        self.connections.add(connection)
        self.wait(connection)
        if self._addresses[connection.address] > _WAITING_OF_ADDRESS:
            next(one for one in self.waiting if one.address == connection.address).drop("many of one address")
        elif len(self.connections) > self._most:
            address = max(self._addresses, key=self._addresses.__getitem__)
            next(one for one in self.waiting if one.address == address).drop("many")

    def wait(self, connection: Connection) -> None:
        """Let a connection wait for a whole request."""
        self.waiting[connection] = None
        self._addresses[connection.address] += 1

    def whole(self, connection: Connection) -> None:
        """Stop waiting for a connection: its request is whole, or it was closed."""
        self.arriving.pop(connection, None)
        if connection in self.waiting:
            del self.waiting[connection]
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    def arrived(self, connection: Connection, count: int) -> None:
        """Count the bytes of a body that arrived."""
        self.arriving[connection] = self.arriving.get(connection, 0) + count
        while sum(self.arriving.values()) > _BODIES_BYTES and len(self.arriving) > 1:
            next(iter(self.arriving)).drop("many bodies")

    def not_read(self, connection: Connection) -> None:
        """Bound the answers whose clients read them more slowly than they are written."""
        self.unread[connection] = None
        while len(self.unread) > 1 and (len(self.unread) > _UNREAD or sum(one.transport.get_write_buffer_size() for one in self.unread) > _UNREAD_BYTES):
            next(iter(self.unread)).drop("many unread answers")

    def closed(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self.whole(connection)
        self.unread.pop(connection, None)
        self.connections.discard(connection)
        if self.stopping and not self.connections:
            self._closed.set()

    def refused(self, status: int) -> None:
        """Count a request that was refused before the application saw it."""
        self.metrics.requests.labels(str(status)).inc()
        logger.info("request", extra={"status": status})
