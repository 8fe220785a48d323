"""A connection to a Label Studio server: its address and token, plain reads, and its errors as one line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import NewsmarkError

_TIMEOUT = 300.0


class Connection:
    """A connection to a Label Studio server.

    Args:
        url: address of the server.
        token: a legacy token or a personal access token.

    Attributes:
        url: the address, without a slash at the end.
        sdk: Label Studio's own client, for what writes.
        timeout: seconds to wait for an answer.

    Raises:
        NewsmarkError: the address or the token can't be one, or the token has expired.
    """

    def __init__(self, url: str, token: str) -> None:
        import httpx
        from label_studio_sdk import LabelStudio  # slow to import
        from label_studio_sdk.core.api_error import ApiError

        try:
            place = urlsplit(url).netloc
        except ValueError as error:
            raise NewsmarkError(f"the server's URL can't be one ({error}); correct LABEL_STUDIO_URL") from None
        if "@" in place:
            raise NewsmarkError("the server's URL holds a user name or password; take it out of LABEL_STUDIO_URL, the token is enough")
        if not re.fullmatch(r"[!-~]+", token):  # httpx would repeat it in its message
            raise NewsmarkError("LABEL_STUDIO_API_KEY holds what no token has, such as a space; copy the token again")
        self.url, self.timeout = url.rstrip("/"), _TIMEOUT
        self._token, self._access = token, ""
        self._http = httpx.Client(follow_redirects=True, event_hooks={"response": [self._refuse_redirect]})
        try:
            self.sdk: Any = LabelStudio(base_url=self.url, api_key=token, timeout=_TIMEOUT, httpx_client=self._http)  # type: ignore[no-untyped-call]
        except ApiError as error:  # a personal access token that has expired
            raise NewsmarkError(f"{self.url}: {_explain(error)}") from None

    @classmethod
    def from_environment(cls, data: Path) -> Connection:
        """Connect to ``LABEL_STUDIO_URL`` with ``LABEL_STUDIO_API_KEY``, or to the server that ``annotate serve`` started.

        Args:
            data: data folder of that server.

        Raises:
            NewsmarkError: neither is known.
        """
        from .credentials import read_credentials, read_url

        url, token = os.environ.get("LABEL_STUDIO_URL"), os.environ.get("LABEL_STUDIO_API_KEY")
        if not url and (own := read_credentials(data)) and (own_url := read_url(data)):
            return cls(own_url, own.token)
        if not url:
            raise NewsmarkError(
                "no Label Studio server is known; run: annotate serve, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY "
                f"(none was started with the data in {data}; --data names another folder)"
            )
        if not token:
            raise NewsmarkError(f"no token for {url}; set LABEL_STUDIO_API_KEY to the access token on the server's account page")
        return cls(url, token)

    @property
    def options(self) -> Any:
        """Options of a request of the SDK that changes something: a repeated POST would import twice."""
        return {"max_retries": 0, "timeout_in_seconds": self.timeout}

    def get(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """Read plain JSON: the SDK's classes differ from call to call, and building them takes most of the time.

        Args:
            path: path of the API, such as ``api/tasks/``.
            parameters: parameters of the query.

        Raises:
            ApiError: the server refuses, in the SDK's own way (see ``clear_errors``).
        """
        return self._ask("GET", path, params=parameters)

    def send(self, method: str, path: str, values: Mapping[str, Any]) -> Any:
        """Change something that the SDK can't change; path, answer and errors are those of ``get``.

        Args:
            method: PATCH or POST.
            path: path of the API.
            values: its fields.
        """
        return self._ask(method, path, json=values)

    def _ask(self, method: str, path: str, **content: Mapping[str, Any]) -> Any:
        from label_studio_sdk.core.api_error import ApiError

        response = self._send(method, path, content)
        if response.status_code == 401 and self._access:  # an access token holds for some minutes
            self._access = ""
            response = self._send(method, path, content)
        if response.status_code >= 400:
            body = response.json() if "json" in response.headers.get("content-type", "") else response.text
            raise ApiError(status_code=response.status_code, body=body)
        return response.json() if response.content else None

    def _send(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        headers = {"Authorization": self._authorization()}
        return self._http.request(method, f"{self.url}/{path}", headers=headers, timeout=self.timeout, **content)

    def _authorization(self) -> str:
        if self._token.count(".") != 2:  # a legacy token; a personal access token is a JWT, and is exchanged for one that the API takes
            return f"Token {self._token}"
        self._access = self._access or str(self.sdk.tokens.refresh(refresh=self._token).access)
        return f"Bearer {self._access}"

    def _refuse_redirect(self, response: Any) -> None:
        """Refuse to follow a redirect to another server, which gets no token, and one of a change, which would arrive as a mere question.

        Raises:
            NewsmarkError: it is such a redirect.
        """
        if not response.has_redirect_location:
            return
        asked = response.request.url
        target = asked.join(response.headers["location"])
        if response.request.method == "GET" and (target.scheme, target.netloc) == (asked.scheme, asked.netloc):
            return
        path = str(asked).removeprefix(self.url)
        place = str(target).removesuffix(path) if str(target).endswith(path) else f"{target.scheme}://{target.netloc.decode()}"
        raise NewsmarkError(f"{self.url} redirects to {place}; set LABEL_STUDIO_URL to the address at which Label Studio itself answers")

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Turn what the SDK raises into one clear line, without the token.

        Raises:
            NewsmarkError: the server is down, slow, refuses the token, or lacks the project.
        """
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except httpx.TimeoutException:
            raise NewsmarkError(f"{self.url} did not answer in time; what was sent may still arrive: run the command again, nothing is pushed twice") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NewsmarkError(f"{self.url} can't be reached ({error or type(error).__name__}); is the server running? annotate serve starts one") from None
        except ApiError as error:
            raise NewsmarkError(f"{self.url}: {_explain(error)}") from None


def _explain(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    detail = " ".join(str(body.get("detail") or body.get("validation_errors") or "").split())[:300]
    if error.status_code in {401, 403}:
        return "the token is refused (wrong, expired or disabled); take a new one from the account page and set LABEL_STUDIO_API_KEY"
    if error.status_code == 404:
        return "the project is not there (deleted?); run the command again, annotate push makes a new one"
    return f"answered {error.status_code}{f': {detail}' if detail else ''}"
