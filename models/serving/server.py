"""A server's process: its address, its log, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

from fastapi import FastAPI
from pythonjsonlogger.json import JsonFormatter

from ...annotation.errors import NewsmarkError
from .connection import BODY_SECONDS
from .front import Front

logger = logging.getLogger("newsmark.serving")

_SPARE_SECONDS = 10
"""A graceful stop gives up a request this long after it should have arrived and been answered."""

_SWITCH_SECONDS = 0.001
"""Python lets another thread go on after this time (its own value is .005): large requests that are split meanwhile delay small ones less."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address to listen on.

    Raises:
        NewsmarkError: it is in use, or not one of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # The protocol is named because asyncio turns Nagle's algorithm off only where it is: each answer would wait 40 ms otherwise.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
        return listening
    except OSError as error:
        raise NewsmarkError(f"{host}:{port}: {error.strerror or error}; choose another --host or --port") from None


def address_of(listening: socket.socket, host: str) -> str:
    """URL of an address that is listened on."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def run_server(application: FastAPI, listening: socket.socket) -> None:
    """Run an application of ``make_application`` until SIGINT or SIGTERM; what is under way is finished first.

    Raises:
        KeyboardInterrupt: it was SIGINT.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter("{asctime}{levelname}{message}", style="{", rename_fields={"asctime": "time", "levelname": "level"}))
    logging.getLogger().addHandler(handler)  # warnings of libraries are rows too
    logger.setLevel(logging.INFO)
    sys.setswitchinterval(_SWITCH_SECONDS)
    if asyncio.run(_run(application, listening)) == signal.SIGINT:
        raise KeyboardInterrupt


async def _run(application: FastAPI, listening: socket.socket) -> signal.Signals:
    limits = application.state.limits
    front = Front(application, limits.body_bytes, application.state.metrics)
    async with application.state.lifespan(application):
        return await front.run(listening, BODY_SECONDS + limits.seconds + _SPARE_SECONDS)
