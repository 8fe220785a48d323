"""What one request to a server, and all of them together, may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes:
        body_bytes: size of a request's body.
        inputs: number of texts in a request.
        characters: length of a text, in code points.
        seconds: time for a request, after which its work is stopped.
        queue: requests that may wait or be worked on at the same time.
        passages: number of passages that the texts of a request may have together.
    """

    body_bytes: int = 4_000_000
    inputs: int = 1000
    characters: int = 200_000
    seconds: float = 60.0
    queue: int = 128
    passages: int = 20_000
