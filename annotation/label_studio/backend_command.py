"""``annotate backend``: its options; what answers Label Studio is given by who composes the command, because models are not known here."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..commandline import common_options, probability, whole_number
from ..errors import UsageError
from ..labels import LabelScheme, load_labels
from .options import add_project_options, open_project

if TYPE_CHECKING:
    from .project import Project


@dataclass(frozen=True)
class BackendOptions:
    """How suggestions are served.

    Attributes:
        model: name of the model; None for the champion, else the newest model, else the rules.
        min_score: score from which on a span is suggested.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        url: where Label Studio reaches the server; None for the address that it listens on.
    """

    model: str | None
    min_score: float
    host: str
    port: int
    url: str | None


ServeBackend = Callable[["Project", LabelScheme, BackendOptions], None]
"""Suggests live for a project, with the labels of a scheme, until it is stopped."""


def add_backend(commands: Any, serve_backend: ServeBackend | None) -> None:
    """Add backend to the parser's commands (see ``add_commands``)."""
    backend = commands.add_parser("backend", parents=[common_options()], help="suggest live: spans appear when an annotator opens a task")
    backend.add_argument(
        "--model",
        metavar="MODEL",
        help="folder, run id or MLflow URI; an alias is followed when it moves (default: the champion, else the newest model; the rules where there is none)",
    )
    backend.add_argument("--min-score", type=probability, default=0.0, metavar="SCORE", help="suggest only what has this score or more, 0 to 1 (default: all)")
    backend.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    backend.add_argument("--port", type=whole_number("port", 0, 65535), default=9090, help="port to listen on, 0 for any free one (default: %(default)s)")
    backend.add_argument(
        "--url", metavar="URL", help="address under which Label Studio reaches this command, where it runs elsewhere (default: that of --host and --port)"
    )
    add_project_options(backend)
    backend.set_defaults(run=_backend(serve_backend))


def _backend(serve_backend: ServeBackend | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        if serve_backend is None:
            raise UsageError("annotate backend needs newsmark.models; run the command annotate")
        if arguments.url and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", arguments.url):
            raise UsageError(f"--url: {arguments.url!r} is no address; give one such as http://192.168.1.5:9090, without a user name")
        scheme = load_labels(arguments.labels)
        options = BackendOptions(arguments.model, arguments.min_score, arguments.host, arguments.port, arguments.url)
        serve_backend(open_project(arguments), scheme, options)

    return run
