"""The addresses of a server: what ``predict serve`` answers to whole requests. ``front`` says how they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import math
import re
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from ..prediction.deadline import OutOfTimeError
from ..prediction.predict import TooManyPassagesError
from ..prediction.schema import Input, LabelAnswer, LabelRequest, Params, Refusal
from .batching import ModelFailedError
from .following import FollowedModel
from .limits import Limits
from .metrics import Metrics
from .page import make_page

logger = logging.getLogger("newsmark.serving")

_HEALTH_SECONDS = 5
"""The model has to label a sentence within this time to be healthy."""

_HEALTH_KEPT_SECONDS = 2
"""For this time the answer to whether the model works is given again."""

_LARGE_BODY = 50_000
"""Bytes from which on a body is parsed in a thread, and the event loop goes on."""

_BODIES = 8
"""Requests under way may have as many bytes together as this number of the largest."""


class RefusedError(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers


def make_application(name: str | None, limits: Limits, token: str | None, hosts: list[str], url: str) -> FastAPI:
    """Make the application.

    Args:
        name: of the model: a folder, a run id or an MLflow URI; an alias is followed when it moves; None for the default.
        limits: what a request may cost.
        token: asked for as bearer token where not None.
        hosts: names that requests may be addressed to; "*" for any.
        url: where the server listens, for its log.

    Returns:
        An application whose ``state`` holds ``limits``, ``metrics`` and ``lifespan``.

    Raises:
        NewsmarkError: there is no such model.
    """
    server = _Server(name, limits, token, url)
    application = FastAPI(
        title="newsmark",
        description="Labels the passages of news articles: commitment, statistic, quote, boilerplate, or whatever labels the model was trained on.",
        lifespan=server.lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    application.state.limits, application.state.metrics, application.state.lifespan = limits, server.metrics, server.lifespan
    application.add_middleware(_KnownHosts, hosts=hosts)
    refusals: dict[int | str, dict[str, Any]] = {status: {"model": Refusal} for status in (400, 401, 408, 413, 415, 422, 429, 500, 504)}
    schema = {"content": {"application/json": {"schema": LabelRequest.model_json_schema(ref_template="#/components/schemas/{model}")}}, "required": True}
    security: dict[str, Any] = {"security": [{"bearer": []}]} if token else {}

    @application.post("/invocations", response_model=LabelAnswer, responses=refusals, openapi_extra={"requestBody": schema, **security})
    async def invocations(request: Request) -> Response:
        """Label the passages of texts."""
        return await server.answer(request)

    @application.api_route("/ping", methods=["GET", "HEAD"], response_class=Response)
    async def ping() -> Response:
        """Say that the server is alive, with an empty answer."""
        return Response("\n", media_type="application/json")

    @application.api_route("/health", methods=["GET", "HEAD"], responses={503: {"model": Refusal}}, response_class=Response)
    async def health() -> Response:
        """Say whether the model answers; asked again within two seconds, the answer is the same."""
        if await server.is_healthy():
            return Response("\n", media_type="application/json")
        return JSONResponse({"error": "the model does not answer"}, 503)

    @application.get("/metrics", responses={401: {"model": Refusal}} if token else {}, response_class=Response, openapi_extra=security)
    async def metrics(request: Request) -> Response:
        """Numbers for Prometheus."""
        server.check_token(request)
        return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @application.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:  # noqa: ARG001
        return JSONResponse({"error": error.sentence}, error.status, error.headers)

    @application.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return JSONResponse({"error": "the server failed; its log says more"}, 500)

    for status, sentence in ((404, "there is nothing here; POST to /invocations"), (405, "this address does not take this method")):
        application.exception_handler(status)(_constant(status, sentence))

    @application.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})

    _describe(application, token is not None)
    page = make_page(application.openapi())
    return application


def _describe(application: FastAPI, with_token: bool) -> None:
    """Complete the description that FastAPI makes of the addresses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GET and HEAD of one address have one name
        made = application.openapi()
    for methods in made["paths"].values():
        methods.pop("head", None)
    definitions = made["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"].pop("$defs", {})
    made["components"]["schemas"].update(definitions)
    if with_token:
        made["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}


def _constant(status: int, sentence: str) -> Callable[[Request, HTTPException], Awaitable[Response]]:
    async def handler(request: Request, error: HTTPException) -> Response:  # noqa: ARG001
        return JSONResponse({"error": sentence}, status, error.headers)  # 405 has Allow

    return handler


class _KnownHosts:
    """Refuses requests that are addressed to other names: a page on the internet could otherwise reach a server on the reader's machine."""

    def __init__(self, application: ASGIApp, hosts: list[str]) -> None:
        self._application, self._hosts = application, [name.lower() for name in hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._knows(dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()):
            await self._application(scope, receive, send)
        else:
            await JSONResponse({"error": "Invalid host header: the server has another name; see its --allowed-hosts"}, 400)(scope, receive, send)

    def _knows(self, host: str) -> bool:
        name = re.sub(r":\d*$", "", host)
        return any(known in {"*", name} or (known.startswith("*.") and name.endswith(known[1:])) for known in self._hosts)


class _Server:
    """The state of a running server."""

    def __init__(self, name: str | None, limits: Limits, token: str | None, url: str) -> None:
        self.limits, self.token, self.url = limits, token, url
        self.metrics = Metrics()
        self.model = FollowedModel(name, limits.passages, self.metrics.serve)
        self._under_way: dict[object, int] = {}  # bytes of each request
        self._checked: tuple[float, asyncio.Task[bool]] | None = None
        self._answered = -math.inf

    @contextlib.asynccontextmanager
    async def lifespan(self, application: FastAPI) -> AsyncIterator[None]:  # noqa: ARG002
        follower = asyncio.create_task(self.model.follow())
        logger.info("serving", extra={"url": self.url, "model": self.model.source, "model_version": self.model.batcher.model.version})
        try:
            yield
        finally:
            follower.cancel()
            logger.info("stopped", extra={"model_version": self.model.batcher.model.version})

    async def answer(self, request: Request) -> Response:
        """Answer a request to /invocations, whatever is in it."""
        started = time.monotonic()
        try:
            response = await self._answer(request, started + self.limits.seconds)
        except RefusedError as error:
            response = JSONResponse({"error": error.sentence}, error.status, error.headers)
        seconds = time.monotonic() - started
        self.metrics.requests.labels(str(response.status_code)).inc()
        self.metrics.seconds.observe(seconds)
        logger.info("request", extra={"status": response.status_code, "milliseconds": round(seconds * 1000, 1)})
        return response

    async def _answer(self, request: Request, deadline: float) -> Response:
        self.check_token(request)
        _check_type(request)
        body = await request.body()
        if len(body) > self.limits.body_bytes:
            raise RefusedError(413, f"the body is larger than {self.limits.body_bytes} bytes; send less in a request")
        with self._slot(len(body)):
            asked = self._parse(body) if len(body) < _LARGE_BODY else await asyncio.to_thread(self._parse, body)
            del body
            batcher = self.model.batcher  # stays the same for this request, even if the alias moves
            try:
                answer = await batcher.label(asked, deadline)
            except OutOfTimeError:
                raise RefusedError(504, f"the work took longer than {self.limits.seconds:g} seconds and was stopped; send less in a request") from None
            except TooManyPassagesError:
                raise RefusedError(413, f"the texts have more than {self.limits.passages} passages; send them in several requests") from None
            except ModelFailedError:
                raise RefusedError(500, "the model failed on this request; the server's log says when") from None
        self._answered = time.monotonic()
        of_present = batcher is self.model.batcher  # what the former model still answers says nothing about the new one's drift
        self.metrics.count(answer.labels, batcher.model, asked.params.threshold is None and of_present)
        return Response(answer.body, media_type="application/json")

    @contextlib.contextmanager
    def _slot(self, size: int) -> Iterator[None]:
        """Take one of the places for requests that wait or are worked on."""
        if len(self._under_way) >= self.limits.queue or (self._under_way and sum(self._under_way.values()) + size > _BODIES * self.limits.body_bytes):
            raise RefusedError(429, f"{len(self._under_way)} requests are under way; try again in a moment", **{"Retry-After": "1"})
        place = object()
        self._under_way[place] = size
        self.metrics.under_way.set(len(self._under_way))
        try:
            yield
        finally:
            del self._under_way[place]
            self.metrics.under_way.set(len(self._under_way))

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
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode("latin-1"), self.token.encode()):
            raise RefusedError(401, "send the token in the header Authorization: Bearer …", **{"WWW-Authenticate": "Bearer"})

    async def is_healthy(self) -> bool:
        """Whether the model labels a sentence; one look serves all who ask within some seconds.

        While requests wait, a sentence would wait behind them: a request that was just answered says as much.
        """
        if self._under_way and time.monotonic() < self._answered + _HEALTH_SECONDS:
            return True
        if self._checked is None or time.monotonic() >= self._checked[0]:
            self._checked = time.monotonic() + _HEALTH_KEPT_SECONDS, asyncio.create_task(self._ask_model())
        return await asyncio.shield(self._checked[1])

    async def _ask_model(self) -> bool:
        asked = LabelRequest(inputs=[Input(text="Solen sken.")], params=Params(split=False))
        try:
            await self.model.batcher.label(asked, time.monotonic() + _HEALTH_SECONDS)
        except (OutOfTimeError, ModelFailedError):
            return False
        return True


def _check_type(request: Request) -> None:
    """Refuse what is no plain JSON."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, "compressed bodies are not taken; send plain JSON")
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != "application/json":
        raise RefusedError(415, "send JSON, with the header Content-Type: application/json")
    if not re.fullmatch(r'\s*(charset="?utf-8"?)?\s*', parameters, re.IGNORECASE):
        raise RefusedError(415, "send JSON in UTF-8")


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
