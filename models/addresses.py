"""Addresses of servers: whether one answers, and how it is shown without its password."""

from __future__ import annotations

import re

from ..annotation.errors import NewsmarkError

_ANSWER_SECONDS = 10
"""A server that does not answer within this time is taken to be away."""


def check_answers(uri: str) -> None:
    """Ask a server whether it is there: MLflow would try again and again, in silence.

    Raises:
        NewsmarkError: nothing answers. A refusal is an answer, too.
    """
    import ssl  # these take a moment, and a local store asks no server
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    address = re.sub(r"//[^/]*@", "//", uri).rstrip("/")
    try:
        urlopen(f"{address}/health", timeout=_ANSWER_SECONDS).close()
    except HTTPError:
        return
    except OSError as failure:
        reason = failure.reason if isinstance(failure, URLError) else failure
        if isinstance(reason, ssl.SSLError):  # MLflow may know other certificates
            return
        said = getattr(reason, "strerror", None) or reason
        raise NewsmarkError(f"the MLflow server {without_password(uri)} does not answer ({said}); start it, or check MLFLOW_TRACKING_URI") from None


def without_password(uri: str) -> str:
    """Take user name and password out of the URIs of a text, so that it can be shown."""
    return re.sub(r"([?&](?:password|passwd|token)=)[^&\s]*", r"\1…", re.sub(r"//\S*@", "//", uri))
