"""The ``predict`` command: label the passages of articles."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..annotation.commandline import common_options, open_closed_streams, run_command, whole_number
from ..annotation.errors import NewsmarkError, UsageError
from .prediction.rows import Output, Row, as_line, count_rows, read_rows, with_neighbours

if TYPE_CHECKING:
    from .context import PassageInContext
    from .prediction.engines import Engine
    from .prediction.predict import Prediction

_FIRST_CHUNK, CHUNK = 16, 1024
"""Passages classified at once: few in the beginning, so that the first answers come soon, then twice as many each time up to the second number,
with which enough of them have one length. Memory does not grow with the input."""


def main(argv: list[str] | None = None) -> int:
    """Run ``predict``; returns the exit code."""
    open_closed_streams()
    argv = sys.argv[1:] if argv is None else argv
    serving = argv[:1] == ["serve"]
    arguments = _serve_parser().parse_args(argv[1:]) if serving else _parser().parse_args(argv)
    return run_command("predict", "debug" in arguments, lambda: (_serve if serving else _predict)(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict",
        parents=[common_options()],
        description="Label the passages of news articles. An article (.txt) gives one row a passage; a row of a .jsonl or .parquet file is "
        "a passage itself and comes back with all its fields, and with 'labels', 'scores' and 'review' (which replace fields of these names); "
        "neighbouring rows of one 'document' are read along.",
        epilog="predict serve starts a server that does the same (see predict serve --help).",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="FILE|FOLDER|-",
        default=["-"],
        help="articles (.txt), folders of them, .jsonl, .parquet files; - is standard input (default)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", metavar="MODEL", help="folder, run id or MLflow URI (default: the newest trained model)")
    source.add_argument("--url", metavar="URL", help="let a server label (predict serve); NEWSMARK_TOKEN is its token, if it wants one")
    parser.add_argument("--format", choices=("jsonl", "table"), default="jsonl", help="how rows are printed (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE", help=".jsonl or .parquet file for the rows; it appears when it is complete")
    parser.add_argument("--resume", action="store_true", help="go on with the --output of a run that was interrupted: no passage is lost or doubled")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where to label: here, or on Ray (RAY_ADDRESS names a cluster)")
    parser.add_argument("--workers", type=whole_number("workers", 1, 10_000), metavar="N", help="processes that label (default: 1; Ray actors: one a machine)")
    parser.add_argument("--threshold", type=_threshold, metavar="SCORE", help="give a label from this score on, 0 to 1 (default: the model's own)")
    parser.add_argument("--review", action="store_true", help="print only what a person should look at: rows with a label that is likely enough wrong")
    return parser


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict serve",
        parents=[common_options()],
        description="Serve a model: MLflow's scoring behind limits. POST /invocations labels texts, /ping and /health tell whether the "
        "server is alive and the model answers, /metrics is for Prometheus, /docs describes it all.",
        epilog="With NEWSMARK_TOKEN in the environment, requests need it as bearer token. SIGTERM finishes what is under way and stops.",
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="folder, run id or MLflow URI; an alias is followed when it moves (default: models:/newsmark@champion)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=whole_number("port", 0, 65535), default=5001, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--allowed-hosts", default="127.0.0.1,localhost", metavar="NAMES", help="names that requests may be addressed to, * for any (default: %(default)s)"
    )
    limits = parser.add_argument_group("limits of a request")
    limits.add_argument(
        "--max-body", type=whole_number("bytes", 100, 10**9), default=4_000_000, metavar="BYTES", help="size of its body (default: %(default)s)"
    )
    limits.add_argument("--max-inputs", type=whole_number("texts", 1, 10**6), default=1000, metavar="N", help="texts in it (default: %(default)s)")
    limits.add_argument(
        "--max-characters", type=whole_number("characters", 1, 10**8), default=200_000, metavar="N", help="length of a text (default: %(default)s)"
    )
    limits.add_argument(
        "--max-passages", type=whole_number("passages", 1, 10**6), default=20_000, metavar="N", help="passages of its texts together (default: %(default)s)"
    )
    limits.add_argument("--time-limit", type=whole_number("seconds", 1, 3600), default=60, metavar="SECONDS", help="time to answer it (default: %(default)s)")
    limits.add_argument("--queue", type=whole_number("requests", 1, 700), default=128, metavar="N", help="requests under way at once (default: %(default)s)")
    return parser


def _serve(arguments: argparse.Namespace) -> None:
    from .serving.application import make_application  # keeps --help fast
    from .serving.limits import Limits
    from .serving.server import listen, run_server

    limits = Limits(arguments.max_body, arguments.max_inputs, arguments.max_characters, arguments.time_limit, arguments.queue, arguments.max_passages)
    hosts = [name.strip() for name in arguments.allowed_hosts.split(",")]
    for name in hosts:
        if not re.fullmatch(r"\*|(\*\.)?[\w.-]+|\[[\da-fA-F:.]+\]", name):
            raise UsageError(f"--allowed-hosts: {name!r} is no name; give names such as news.example.org, *.example.org or [::1], with commas between them")
    with listen(arguments.host, arguments.port) as listening:
        name = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        url = f"http://{name}:{listening.getsockname()[1]}"
        run_server(make_application(arguments.model, limits, _token(), hosts, url), listening)


def _token() -> str | None:
    """The bearer token of the environment, without the white space around it that a header would lose."""
    token = os.environ.get("NEWSMARK_TOKEN", "").strip()
    if not token.isprintable():
        raise UsageError("NEWSMARK_TOKEN holds a character that no header can carry; give it on one line")
    return token or None


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, got {text!r}")
    return value


def _predict(arguments: argparse.Namespace) -> None:
    if arguments.resume and arguments.output is None:
        raise UsageError("--resume goes on with an --output: name it")
    if arguments.url and (arguments.workers or arguments.engine != "local"):
        raise UsageError("with --url the server labels: leave out --engine and --workers")
    if arguments.output is not None and arguments.format == "table":
        raise UsageError("--output holds rows, and --format table prints them: leave out one of the two")
    rows = with_neighbours(read_rows(arguments.paths))
    first = next(rows, None)  # bad input is told before the model is loaded
    if first is None:
        raise NewsmarkError("the input holds no passages")
    rows = chain([first], rows)
    engine, made_by = _engine(arguments)
    if arguments.output is None:
        write = _write_jsonl if arguments.format == "jsonl" else _write_table
        for labelled in _labelled(rows, engine):
            write(pair for pair in labelled if pair[1].review or not arguments.review)
            sys.stdout.flush()
        return
    output = Output(arguments.output, arguments.resume, {"model": made_by, "threshold": arguments.threshold})
    rows = output.skip(rows)
    total = count_rows(arguments.paths) if sys.stderr.isatty() else None
    with tqdm(total=total, unit=" passages", initial=output.done, disable=None, file=sys.stderr) as bar:
        for labelled in _labelled(rows, engine):
            output.write({**row, **vars(prediction)} for row, prediction in labelled)
            bar.update(len(labelled))
    output.finish(arguments.review)


def _labelled(rows: Iterator[tuple[Row, PassageInContext]], engine: Engine) -> Iterator[list[tuple[Row, Prediction]]]:
    """Label rows, a chunk at a time."""
    waiting: deque[list[Row]] = deque()

    def chunks() -> Iterator[list[PassageInContext]]:
        size = _FIRST_CHUNK
        while chunk := list(islice(rows, size)):
            waiting.append([row for row, _ in chunk])
            yield [context for _, context in chunk]
            size = min(2 * size, CHUNK)

    for predictions in engine(chunks()):
        yield list(zip(waiting.popleft(), predictions, strict=True))


def _engine(arguments: argparse.Namespace) -> tuple[Engine, str]:
    """Take what labels passages, and its name."""
    threshold = arguments.threshold
    if arguments.url:
        from .prediction.client import Client  # keeps --help fast

        client = Client(arguments.url, _token())
        return lambda chunks: (client.predict_passages(chunk, threshold) for chunk in chunks), client.name
    from .prediction.engines import here, in_processes, on_ray
    from .saved import load_model, read_version
    from .store import find_folder

    folder = find_folder(arguments.model)
    if arguments.engine == "ray":
        return on_ray(folder, threshold, arguments.workers), read_version(folder)
    if (arguments.workers or 1) > 1:
        return in_processes(folder, threshold, arguments.workers), read_version(folder)
    model = load_model(folder)
    return here(model, threshold), model.version


def _write_jsonl(rows: Iterable[tuple[Row, Prediction]]) -> None:
    sys.stdout.write("".join(as_line({**row, **vars(prediction)}) for row, prediction in rows))


def _write_table(rows: Iterable[tuple[Row, Prediction]]) -> None:
    for row, prediction in rows:
        labels = " ".join(f"{name} {prediction.scores[name]:.2f}" for name in prediction.labels) or "–"
        text = " ".join(row["text"].split())
        sys.stdout.write(f"{labels:<44} {text if len(text) <= 100 else text[:99] + '…'}\n")
