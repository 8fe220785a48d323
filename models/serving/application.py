"""MLflow's scoring behind limits, so that it can stand in the open: what ``predict serve`` runs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import logging
import math
import os
import re
import signal
import socket
import sys
import threading
import time
from collections import Counter as Counts
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import h11
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pythonjsonlogger.json import JsonFormatter
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...annotation.errors import NewsmarkError
from ..model import TrainedModel
from ..prediction.deadline import OutOfTimeError
from ..store import resolve
from .batching import ModelFailedError, Served

logger = logging.getLogger("newsmark.serving")
Answer = TypeVar("Answer")

_BODY_SECONDS = 10
"""A body has to arrive within this time."""

_ARRIVAL_SECONDS = _BODY_SECONDS + 2
"""A head, or a body that nobody reads, has to arrive within this time, or the connection is closed."""

_READING_SECONDS = 60
"""An answer has to be read within this time, or the connection is closed."""

_SPARE_SECONDS = 10
"""So long after a request that came last should have arrived and been answered, a graceful stop gives it up."""

_CONNECTIONS = 800
"""Open at the same time at most; usually a process may have 1024 files."""

_HEALTH_SECONDS = 5
_FOLLOW_SECONDS = 3
"""How often to look whether the alias has moved."""

_LONGEST_PAUSE = 600
"""A model that can't be loaded is tried again after pauses that grow up to this."""

_DRIFT_WINDOW = 1000
"""Passages whose label rates are compared with the training passages'."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may cost.

    Attributes:
        body_bytes: size of a request's body.
        inputs: number of texts in a request.
        characters: length of a text, in code points.
        seconds: time for a request, after which its work is stopped.
        queue: requests that may wait or be worked on at the same time.
    """

    body_bytes: int = 4_000_000
    inputs: int = 1000
    characters: int = 200_000
    seconds: float = 60.0
    queue: int = 128


class Input(BaseModel):
    """A text to label: an article, or a single passage where the parameter ``split`` is false."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    lang: str | None = Field(None, description="ISO 639-1 code; identified from the text where it is not given", max_length=35)
    before: str | None = Field(None, description="the passage before, where the text is a single passage")
    after: str | None = Field(None, description="the passage after, where the text is a single passage")


class Params(BaseModel):
    """How to label."""

    model_config = ConfigDict(extra="forbid", strict=True)

    threshold: float | None = Field(None, ge=0, le=1, allow_inf_nan=False, description="give a label from this score on; by default the model's own thresholds")
    split: bool = Field(True, description="cut each text into passages; false: each text is one passage")


class LabelRequest(BaseModel):
    """Texts to label, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: list[Input] = Field(min_length=1)
    params: Params = Field(default_factory=lambda: Params.model_validate({}))


class LabelledPassage(BaseModel):
    """A passage: its offsets in the text (code points), labels, probability of every label, whether a person should look."""

    start: int
    end: int
    text: str
    labels: list[str]
    scores: dict[str, float]
    review: bool


class LabelledText(BaseModel):
    """The passages of one text in reading order, and the version of the model."""

    passages: list[LabelledPassage]
    model_version: str


class LabelAnswer(BaseModel):
    """One entry a text, in the order of the request."""

    predictions: list[LabelledText]


class Refusal(BaseModel):
    """Why a request was not answered, in one sentence."""

    error: str


class RefusedError(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("newsmark_requests", "Requests to /invocations by status", ["status"], registry=self.registry)
        self.seconds = Histogram("newsmark_request_seconds", "Time to answer a request to /invocations", registry=self.registry)
        self.under_way = Gauge("newsmark_requests_under_way", "Requests that wait or are worked on", registry=self.registry)
        self.passages = Counter("newsmark_passages", "Passages labelled", registry=self.registry)
        self.labels = Counter("newsmark_labels", "Labels given", ["label"], registry=self.registry)
        self.drift = Gauge(
            "newsmark_label_rate_drift",
            f"Share with the label of the last {_DRIFT_WINDOW} passages by the model's own thresholds, less its share of the passages trained on",
            ["label"],
            registry=self.registry,
        )
        self.model = Gauge("newsmark_model_info", "The model that answers", ["version"], registry=self.registry)
        self._recent: deque[list[str]] = deque()
        self._given: Counts[str] = Counts()  # in the window

    def serve(self, model: TrainedModel) -> None:
        """Begin anew with the labels of another model."""
        self.model.clear()
        self.model.labels(model.version).set(1)
        self._recent.clear()
        self._given.clear()
        self.drift.clear()

    def count(self, passages: list[dict[str, Any]], model: TrainedModel, own_thresholds: bool) -> None:
        """Take in what was answered; labels given by a threshold of the request's say nothing of drift."""
        self.passages.inc(len(passages))
        for passage in passages:
            for label in passage["labels"]:
                self.labels.labels(label).inc()
        if not own_thresholds:
            return
        for passage in passages:
            self._recent.append(passage["labels"])
            self._given.update(passage["labels"])
            if len(self._recent) > _DRIFT_WINDOW:
                self._given.subtract(self._recent.popleft())
        for label, rate in zip(model.labels, model.rates, strict=False):
            self.drift.labels(label).set(self._given[label] / max(len(self._recent), 1) - rate)


def make_application(name: str | None, limits: Limits, token: str | None, hosts: list[str], url: str) -> FastAPI:
    """Make the application.

    Args:
        name: of the model: a folder, a run id or an MLflow URI; an alias is followed when it moves; None for the champion.
        limits: what a request may cost.
        token: asked for as bearer token where not None.
        hosts: names that requests may be addressed to; "*" for any.
        url: where the server listens, for its log.

    Raises:
        NewsmarkError: there is no such model.
    """
    server = _Server(name, limits, token, url)
    application = FastAPI(
        title="newsmark",
        description="Labels the passages of news articles: commitment, statistic, quote, boilerplate, or whatever labels the model was trained on.",
        lifespan=server.lifespan,
        redirect_slashes=False,
    )
    application.state.limits = limits
    application.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    refusals: dict[int | str, dict[str, Any]] = {status: {"model": Refusal} for status in (401, 408, 413, 415, 422, 429, 500, 503, 504)}
    schema = {"content": {"application/json": {"schema": LabelRequest.model_json_schema(ref_template="#/components/schemas/{model}")}}, "required": True}
    security: dict[str, Any] = {"security": [{"bearer": []}]} if token else {}

    @application.post("/invocations", response_model=LabelAnswer, responses=refusals, openapi_extra={"requestBody": schema, **security})
    async def invocations(request: Request) -> Response:
        """Label the passages of texts."""
        return await server.answer(request)

    @application.get("/ping", response_class=Response)
    async def ping() -> Response:
        """Say that the server is alive, with an empty answer."""
        return Response("\n", media_type="application/json")

    @application.get("/health", responses={503: {"model": Refusal}}, response_class=Response)
    async def health() -> Response:
        """Say whether the model answers."""
        return await server.health()

    @application.get("/metrics", responses={401: {"model": Refusal}} if token else {}, response_class=Response, openapi_extra=security)
    async def metrics(request: Request) -> Response:
        """Numbers for Prometheus."""
        server.check_token(request)
        return Response(generate_latest(server.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @application.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:  # noqa: ARG001
        return JSONResponse({"error": error.sentence}, error.status, error.headers)

    @application.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return JSONResponse({"error": "the server failed; its log says more"}, 500)

    for status, sentence in ((404, "there is nothing here; POST to /invocations"), (405, "this address does not take this method")):
        application.exception_handler(status)(_constant(status, sentence))
    made = application.openapi()
    definitions = made["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"].pop("$defs", {})
    made["components"]["schemas"].update(definitions)
    if token:
        made["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return application


def _constant(status: int, sentence: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return JSONResponse({"error": sentence}, status)

    return handler


class _Server:
    """The state of a running server."""

    def __init__(self, name: str | None, limits: Limits, token: str | None, url: str) -> None:
        self.name, self.limits, self.token, self.url = name, limits, token, url
        self.metrics = Metrics()
        self.under_way = 0
        self.pause, self.again_at, self.failed = _FOLLOW_SECONDS, 0.0, ""
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "1"
        uri, source = resolve(name)
        self.served = Served(uri, source)
        self.metrics.serve(self.served.trained)

    @contextlib.asynccontextmanager
    async def lifespan(self, application: FastAPI) -> AsyncIterator[None]:  # noqa: ARG002
        follower = asyncio.create_task(self._follow())
        logger.info("serving", extra={"url": self.url, "model_version": self.served.trained.version})
        try:
            yield
        finally:
            follower.cancel()
            logger.info("stopped", extra={"model_version": self.served.trained.version})

    async def answer(self, request: Request) -> Response:
        """Answer a request to /invocations, whatever is in it."""
        started = time.monotonic()
        try:
            self.check_token(request)
            if self.under_way >= self.limits.queue:
                raise RefusedError(429, f"{self.limits.queue} requests are under way; try again in a moment", **{"Retry-After": "1"})
            self.under_way += 1
            self.metrics.under_way.set(self.under_way)
            try:
                response = await self._answer(request)
            finally:
                self.under_way -= 1
                self.metrics.under_way.set(self.under_way)
        except RefusedError as error:
            response = JSONResponse({"error": error.sentence}, error.status, error.headers)
        seconds = time.monotonic() - started
        self.metrics.requests.labels(str(response.status_code)).inc()
        self.metrics.seconds.observe(seconds)
        logger.info("request", extra={"status": response.status_code, "milliseconds": round(seconds * 1000, 1)})
        return response

    async def _answer(self, request: Request) -> Response:
        asked = self._parse(await self._read(request))
        served = self.served  # stays the same for this request, even if the alias moves
        threshold = asked.params.threshold
        inputs = [one.model_dump(exclude_none=True) for one in asked.inputs]
        params = {"threshold": -1.0 if threshold is None else threshold, "split": asked.params.split}
        try:
            answers = await served.label(inputs, params, time.monotonic() + self.limits.seconds)
        except OutOfTimeError:
            raise RefusedError(504, f"the work took longer than {self.limits.seconds:g} seconds and was stopped; send less in a request") from None
        except ModelFailedError:
            raise RefusedError(500, "the model failed on this request; the server's log says when") from None
        of_present = served is self.served  # what the former model still answers says nothing of the new one's drift
        self.metrics.count([passage for one in answers for passage in one["passages"]], served.trained, threshold is None and of_present)
        return JSONResponse({"predictions": answers})

    async def _read(self, request: Request) -> bytes:
        """Read the body within its limits; what is too large is read to its end, within the time, and thrown away."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RefusedError(415, "compressed bodies are not taken; send plain JSON")
        media, _, parameters = request.headers.get("content-type", "").partition(";")
        if media.strip().lower() != "application/json":
            raise RefusedError(415, "send JSON, with the header Content-Type: application/json")
        if not re.fullmatch(r'\s*(charset="?utf-8"?)?\s*', parameters, re.IGNORECASE):
            raise RefusedError(415, "send JSON in UTF-8")
        parts, size = [], 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    parts.append(part)
                    if size > self.limits.body_bytes:
                        parts.clear()
        except ClientDisconnect:
            raise RefusedError(408, "the client went away before the body had arrived") from None
        except TimeoutError:
            raise RefusedError(408, f"the body did not arrive within {_BODY_SECONDS} seconds") from None
        if size > self.limits.body_bytes:
            raise RefusedError(413, f"the body is larger than {self.limits.body_bytes} bytes; send less in a request")
        return b"".join(parts)

    def _parse(self, body: bytes) -> LabelRequest:
        try:
            asked = LabelRequest.model_validate_json(body)
        except ValidationError as error:
            raise RefusedError(422, _sentence(error)) from None
        if len(asked.inputs) > self.limits.inputs:
            raise RefusedError(413, f"there are more than {self.limits.inputs} inputs; send them in several requests")
        for number, one in enumerate(asked.inputs):
            if max(map(len, (one.text, one.before or "", one.after or ""))) > self.limits.characters:
                raise RefusedError(413, f"inputs.{number} is longer than {self.limits.characters} characters; cut it")
        return asked

    def check_token(self, request: Request) -> None:
        """Let the request through only with the token, where one is asked for."""
        if self.token is None:
            return
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode("latin-1"), f"Bearer {self.token}".encode()):
            raise RefusedError(401, "send the token in the header Authorization: Bearer …", **{"WWW-Authenticate": "Bearer"})

    async def health(self) -> Response:
        """Ask the model to label a sentence."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):  # it may not even be begun
                await self.served.label([{"text": "Solen sken."}], {"threshold": -1.0, "split": False}, time.monotonic() + _HEALTH_SECONDS)
        except (TimeoutError, OutOfTimeError, ModelFailedError):
            return JSONResponse({"error": "the model does not answer"}, 503)
        return Response("\n", media_type="application/json")

    async def _follow(self) -> None:
        """Look again and again whether the alias has moved."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            try:
                await self._swap()
            except Exception as error:  # noqa: BLE001 - whatever it is, the present model goes on, and the next look may find another
                logger.warning("the model can't be looked up; the present one goes on", extra={"reason": " ".join(str(error).split())})

    async def _swap(self) -> None:
        """Load another model where the alias has moved; the old one finishes what it has begun."""
        uri, source = await _in_thread(resolve, self.name)
        if source == self.served.source or (source == self.failed and time.monotonic() < self.again_at):
            return
        try:
            new = await _in_thread(Served, uri, source)
        except Exception:
            self.pause = min(2 * self.pause, _LONGEST_PAUSE) if source == self.failed else _FOLLOW_SECONDS  # each try may download the whole model
            self.failed = source
            self.again_at = time.monotonic() + self.pause
            raise
        old, self.served = self.served, new
        self.metrics.serve(new.trained)
        logger.info("another model", extra={"model_version": new.trained.version, "former": old.trained.version})


class _Connection(H11Protocol):
    """A connection that is closed when a request drips in so slowly that it is not whole in time: uvicorn itself would wait for ever."""

    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; every part of it, not each piece, has its time."""
        before = self.conn.their_state
        super().data_received(data)
        if self._timer is None or self.conn.their_state is not before:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop()
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self._timer = self.loop.call_later(_ARRIVAL_SECONDS, self.transport.close)

    def pause_writing(self) -> None:
        """Give a client that does not read its answer so much time."""
        super().pause_writing()
        self._unread = self.loop.call_later(_READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _in_thread(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Call a function in a thread that nothing waits for when the server stops: a store that is away lets a look-up hang for minutes."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def tell(method: Callable[[Any], None], value: Any) -> None:
        if not answer.done():
            method(value)

    def run() -> None:
        try:
            told: tuple[Callable[[Any], None], Any] = answer.set_result, function(*arguments)
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            told = answer.set_exception, error
        with contextlib.suppress(RuntimeError):  # the server has stopped
            loop.call_soon_threadsafe(tell, *told)

    threading.Thread(target=run, daemon=True).start()
    return await answer


def _sentence(error: ValidationError) -> str:
    """What is wrong first, where; without what was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    known = {"inputs", "params", *Input.model_fields, *Params.model_fields}
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in known)
    if first["type"] == "json_invalid":
        return "the body is not valid JSON in UTF-8"
    if first["type"] == "extra_forbidden":
        return f"{where or 'the body'}: there is a field that is not known"
    return f"{where or 'the body'}: {first['msg'][0].lower()}{first['msg'][1:]}"


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


def run_server(application: FastAPI, listening: socket.socket) -> None:
    """Run the application until SIGINT or SIGTERM; what is under way is finished first."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn stops by it, then raises it again
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter("{asctime}{levelname}{message}", style="{", rename_fields={"asctime": "time", "levelname": "level"}))
    logging.getLogger().addHandler(handler)  # uvicorn's warnings are rows too
    logger.setLevel(logging.INFO)
    config = uvicorn.Config(
        application,
        http=_Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_BODY_SECONDS + math.ceil(application.state.limits.seconds) + _SPARE_SECONDS,
        lifespan="on",
        timeout_keep_alive=30,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=16_384,
    )
    uvicorn.Server(config).run(sockets=[listening])
