"""``annotate backend``: suggestions over Label Studio's protocol for ML backends, by the model that is the champion at present, or by the rules."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import logging
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from ...annotation.errors import NewsmarkError
from ...annotation.label_studio.backend import USER, BackendConnection, suggest_for
from ...annotation.label_studio.backend_command import BackendOptions
from ...annotation.label_studio.project import Project
from ...annotation.labels import LabelScheme
from ...annotation.suggestions import Suggester
from ..classifier import CORES
from ..prediction.deadline import DEADLINE, OutOfTimeError, check_deadline
from .application import RefusedError
from .following import in_thread
from .limits import Limits
from .live import LiveSuggester
from .metrics import Metrics
from .server import address_of, listen, run_server

logger = logging.getLogger("newsmark.serving")

_LIMITS = Limits(body_bytes=64_000_000, seconds=90.0)
"""Label Studio sends tasks whole, a hundred at once where somebody asks for it, and waits for 100 seconds."""

_SMALL = 10_000
"""Characters up to which tasks wait for no larger ones."""

_ON_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a server that listens on all addresses is reached from its own machine."""

_PAUSE_SECONDS = 30
"""How often to look for older suggestions to renew."""


class _PredictRequest(BaseModel):
    """What Label Studio asks for suggestions with; it sends more."""

    tasks: list[dict[str, Any]]
    project: str
    label_config: str


class _ProjectRequest(BaseModel):
    project: str


class _Answers:
    """Answers to requests, each in a thread, so that Label Studio is never kept waiting to know that the server is there."""

    def __init__(self, live: LiveSuggester, project_id: int) -> None:
        self.live, self.under_way = live, 0
        self._project_id = project_id
        self._small, self._large = ThreadPoolExecutor(CORES), ThreadPoolExecutor(CORES)

    def check_project(self, project: str) -> None:
        """Refuse what is for another project than ours; Label Studio writes its number, a point and when it was made."""
        if project.partition(".")[0] != str(self._project_id):
            raise RefusedError(404, f"suggestions are for project {self._project_id} only; start another annotate backend for that one")

    async def predict(self, body: bytes) -> list[Any]:
        """Suggest for the tasks of a request.

        Returns:
            A prediction per task; an empty list, which Label Studio does not store, where the time was not enough.
        """
        deadline = time.monotonic() + _LIMITS.seconds
        asked = await asyncio.to_thread(_parse, _PredictRequest, body)
        self.check_project(asked.project)
        if not all(isinstance(task.get("id"), int) for task in asked.tasks):
            raise RefusedError(422, "tasks: there is one without a number as its id")
        size = sum(len(str(task.get("data", {}))) for task in asked.tasks)
        self.under_way += 1
        try:
            pool = self._small if size <= _SMALL else self._large
            return await asyncio.get_running_loop().run_in_executor(pool, _suggest, asked, self.live.present, deadline)
        finally:
            self.under_way -= 1


def _suggest(asked: _PredictRequest, suggester: Suggester, deadline: float) -> list[Any]:
    DEADLINE.set(deadline)
    rows: list[Any] = []
    for task in asked.tasks:
        try:
            check_deadline()
            rows.append(suggest_for(task, suggester, asked.label_config))
        except OutOfTimeError:
            rows.append([])
    if late := sum(not row for row in rows):
        logger.warning("there was not enough time for suggestions", extra={"tasks": late})
    return rows


def _parse(model: type[Any], body: bytes) -> Any:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = first["loc"][0] if first["loc"] else "the body"
        raise RefusedError(422, f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def make_backend(live: LiveSuggester, project_id: int, password: str) -> FastAPI:
    """Make the application that Label Studio asks.

    Args:
        live: makes the suggestions.
        project_id: of the only project that is answered for.
        password: asked for, with the user ``USER``.

    Returns:
        An application whose ``state`` holds ``answers``, ``limits`` and ``metrics``.
    """
    answers = _Answers(live, project_id)
    expected = b"Basic " + base64.b64encode(f"{USER}:{password}".encode())

    async def check(request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            raise RefusedError(401, "the password is missing or wrong", **{"WWW-Authenticate": "Basic"})

    application = FastAPI(dependencies=[Depends(check)], docs_url=None, redoc_url=None, openapi_url=None)
    application.state.answers, application.state.limits, application.state.metrics = answers, _LIMITS, Metrics()

    @application.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "UP"}

    @application.post("/setup")
    async def setup(request: Request) -> dict[str, str]:
        # The body also holds the token of who made the project; nothing but the project's number is read of it.
        answers.check_project(_parse(_ProjectRequest, await request.body()).project)
        return {"model_version": live.present.version}

    @application.get("/versions")
    async def versions() -> dict[str, list[str]]:
        return {"versions": [live.present.version]}

    @application.post("/predict")
    async def predict(request: Request) -> dict[str, list[Any]]:
        started = time.monotonic()
        results = await answers.predict(await request.body())
        logger.info("suggested", extra={"tasks": len(results), "milliseconds": round((time.monotonic() - started) * 1000, 1)})
        return {"results": results}

    @application.post("/webhook")
    async def webhook() -> Response:
        return JSONResponse({"error": "models are trained by the command train, not from here"}, 501)

    @application.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        logger.warning("refused", extra={"path": request.url.path, "status": error.status, "reason": error.sentence})
        return JSONResponse({"error": error.sentence}, error.status, error.headers)

    return application


def serve_backend(project: Project, scheme: LabelScheme, options: BackendOptions) -> None:
    """Suggest for a project until SIGINT or SIGTERM: connect it, answer, and remove the connection again.

    Args:
        project: the project.
        scheme: labels and topics.
        options: what suggests, and where.

    Raises:
        NewsmarkError: the model can't be used, the address is taken, or Label Studio can't be connected.
        KeyboardInterrupt: it was SIGINT.
    """
    with project.connection.clear_errors():
        project_id = project.required_id()
    live = LiveSuggester(options.model, scheme, options.min_score)
    password = secrets.token_urlsafe(24)
    with listen(options.host, options.port) as listening:
        connection = BackendConnection(project, options.url or address_of(listening, _ON_THIS_MACHINE.get(options.host, options.host)), password)
        application = make_backend(live, project_id, password)
        application.state.lifespan = lambda _: _connected(application, connection, live)
        run_server(application, listening)


@contextlib.asynccontextmanager
async def _connected(application: FastAPI, connection: BackendConnection, live: LiveSuggester) -> AsyncIterator[None]:
    """Connect the project when the server answers, which it does inside of this; remove the connection at the end."""

    async def connect() -> None:
        await in_thread(_clearly, connection, connection.connect, live.present.version)
        _announce(connection, live)

    connecting = asyncio.create_task(connect())
    connecting.add_done_callback(lambda done: signal.raise_signal(signal.SIGTERM) if not done.cancelled() and done.exception() else None)
    others: Sequence[asyncio.Task[None]] = [asyncio.create_task(live.follow()), asyncio.create_task(_keep(application, connection, live, connecting))]
    try:
        yield
    finally:
        for one in others:
            one.cancel()
        stopped_early = not connecting.done()
        try:
            await connecting
        except NewsmarkError:
            if not stopped_early:
                raise
        finally:
            try:
                await in_thread(_clearly, connection, connection.disconnect)
            except NewsmarkError as error:
                print(f"the connection of {connection.url} could not be removed ({error}); the next annotate backend replaces it", file=sys.stderr)


def _clearly(connection: BackendConnection, function: Any, *arguments: Any) -> Any:
    with connection.project.connection.clear_errors():
        return function(*arguments)


def _announce(connection: BackendConnection, live: LiveSuggester) -> None:
    if live.lacking is not None:
        print(f"there is no trained model to use ({live.lacking}); the rules suggest until there is one", file=sys.stderr)
    print(f"suggesting with {live.present.version} in {connection.project.url}; Ctrl-C ends it", file=sys.stderr, flush=True)


async def _keep(application: FastAPI, connection: BackendConnection, live: LiveSuggester, connecting: asyncio.Task[None]) -> None:
    """Renew older suggestions whenever nobody waits for new ones."""
    await asyncio.wait([connecting])
    if connecting.cancelled() or connecting.exception():
        return
    reason, version = "", live.present.version
    while True:
        pause = float(_PAUSE_SECONDS)
        try:
            if application.state.answers.under_way or await in_thread(_clearly, connection, connection.keep, live.present):
                pause = 0.2
        except Exception as error:  # noqa: BLE001 - whatever it is, live suggestions go on
            if str(error) != reason:
                logger.warning("older suggestions can't be renewed", extra={"reason": " ".join(str(error).split())})
            reason = str(error)
        until = time.monotonic() + pause
        while time.monotonic() < until and live.present.version == version:
            await asyncio.sleep(min(pause, 1.0))
        version = live.present.version
