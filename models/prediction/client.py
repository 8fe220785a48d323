"""The client of ``predict serve``: labels passages by a server, as ``predict_passages`` does by a model at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_exponential_jitter

from ...annotation.errors import NewsmarkError, UsageError
from ..addresses import without_password
from ..context import PassageInContext
from .local import Added, added_of

_ATTEMPTS = 8
_INPUTS, _BYTES = 256, 1_000_000
"""Passages of a request, and their bytes together, at most."""


class _AwayError(Exception):
    """The server does not answer."""


class _BusyError(Exception):
    """The server is there and can't answer now; ``seconds`` is how long it asks to wait."""

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"it is busy (status {status})")
        self.seconds = seconds


class Client:
    """A server of ``predict serve``, or of ``mlflow models serve`` with a newsmark model.

    A server that is busy (429, 503) is waited for as long as it says so; one that is slow or away is asked some times more. The pauses grow. A
    request that is too large for the server, or takes it too long, is cut in two.

    Args:
        url: where the server is, without a path.
        token: sent as bearer token where not None.
        wait: seconds to wait for a server that is busy.
        seconds: to wait for an answer.
    """

    def __init__(self, url: str, token: str | None = None, wait: float = 600.0, seconds: float = 120.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--url: {url!r} is not an address such as http://127.0.0.1:5001")
        self._url = url.rstrip("/")
        self.name = without_password(self._url)
        headers = [(b"Authorization", f"Bearer {token}".encode())] if token else []
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(seconds, connect=10.0))
        self._away = Retrying(retry=retry_if_exception_type(_AwayError), stop=stop_after_attempt(_ATTEMPTS), wait=_pause, reraise=True)
        self._busy = Retrying(retry=retry_if_exception_type(_BusyError), stop=stop_before_delay(wait), wait=_pause, reraise=True)
        self._wait = wait

    def label(self, contexts: Sequence[PassageInContext], threshold: float | None = None, spans: bool = False) -> list[Added]:
        """Label passages; see ``local.label``. Each row names the model that answered it.

        Raises:
            NewsmarkError: the server is away or busy for too long, refuses, or its answer can't be read.
        """
        found: list[Added] = []
        for part in _parts(contexts):
            found += self._label(part, {"split": False, **({} if threshold is None else {"threshold": threshold}), **({"spans": True} if spans else {})})
        return found

    def _label(self, inputs: Sequence[dict[str, Any]], params: dict[str, Any]) -> list[Added]:
        try:
            response = self._busy(self._away, self._post, json.dumps({"inputs": inputs, "params": params}).encode())
        except _AwayError as error:
            raise NewsmarkError(f"{self.name}: {error}, {_ATTEMPTS} times; is the server running? Run the command again") from None
        except _BusyError as error:
            raise NewsmarkError(f"{self.name}: {error} for {self._wait:g} seconds; run the command again later, or wait longer with --wait") from None
        if response.status_code in {413, 504} and len(inputs) > 1:
            middle = len(inputs) // 2
            return self._label(inputs[:middle], params) + self._label(inputs[middle:], params)
        if response.status_code == 400 and "Invalid host header" in response.text:
            raise NewsmarkError(f"{self.name} is not the name that the server goes by; start it with this name among its --allowed-hosts")
        if response.status_code == 401:
            raise NewsmarkError(f"{self.name} asks for a token; set NEWSMARK_TOKEN to it")
        try:
            answer = response.json()
            if response.status_code != 200:
                raise NewsmarkError(f"{self.name} refused with status {response.status_code}: {_reason(answer)}")
            found = [added_of(passage, one["model_version"]) for one in answer["predictions"] for passage in one["passages"]]
            if len(found) != len(inputs):
                raise ValueError("another number of passages")
            if params.get("spans") and not all("spans" in one for one in found):
                raise NewsmarkError(f"{self.name} does not find spans; start it with this version of newsmark, or leave out --spans")
        except (ValueError, KeyError, TypeError):
            raise NewsmarkError(f"{self.name} does not answer as a newsmark server does (status {response.status_code}); check --url") from None
        return found

    def _post(self, body: bytes) -> httpx.Response:
        try:
            response = self._http.post(f"{self._url}/invocations", content=body, headers={"Content-Type": "application/json"})
        except httpx.TimeoutException:
            raise _AwayError("no answer in time") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise NewsmarkError(f"--url: {self.name} is no address that can be asked; check it") from None
        except httpx.DecodingError:
            raise NewsmarkError(f"{self.name} does not answer as a newsmark server does (its answer can't be decoded); check --url") from None
        except httpx.TransportError as error:
            raise _AwayError(f"it can't be reached ({error})") from None
        if response.status_code in {429, 503}:
            asked = response.headers.get("Retry-After", "")
            raise _BusyError(response.status_code, float(asked) if asked.isdecimal() else 0.0)
        return response


def _pause(state: RetryCallState) -> float:
    """Seconds to wait: growing, and as long as the server asks."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _BusyError) else 0.0
    return max(min(asked, 60.0), wait_exponential_jitter(initial=0.25, max=15)(state))


def _parts(contexts: Sequence[PassageInContext]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for one in contexts:
        bytes_of_it = 3 * sum(map(len, one[:3]))
        if part and (len(part) == _INPUTS or size + bytes_of_it > _BYTES):
            yield part
            part, size = [], 0
        part.append({name: value for name, value in one._asdict().items() if value not in {"", None} or name == "text"})
        size += bytes_of_it
    if part:
        yield part


def _reason(answer: Any) -> str:
    reason = answer.get("error") or answer.get("message") if isinstance(answer, dict) else None
    return " ".join(str(reason or "no reason given").split())[:300]
