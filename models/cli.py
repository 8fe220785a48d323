"""The ``predict`` command: label the passages of articles."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from annotation.documents import identify_language, text_files
from annotation.errors import NewsmarkError, UsageError, debug_option, run_command
from annotation.files import decode, read_jsonl, read_text, text_of
from annotation.passages import is_blank, split_passages

if TYPE_CHECKING:
    from models.classifier import Excerpt
    from models.prediction import Prediction

_CHUNK = 512
"""Passages classified at once; memory does not grow with the input beyond this."""

Row = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Run ``predict``; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    serving = argv[:1] == ["serve"]
    arguments = _serve_parser().parse_args(argv[1:]) if serving else _parser().parse_args(argv)
    return run_command("predict", "debug" in arguments, lambda: (_serve if serving else _predict)(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict",
        parents=[debug_option()],
        description="Label the passages of news articles. An article (.txt) gives one row a passage; a row of a .jsonl file is "
        "a passage itself and comes back with all its fields, and with 'labels', 'scores' and 'review' (which replace fields of these names); "
        "neighbouring rows of one 'document' are read along.",
        epilog="predict serve starts a server that does the same (see predict serve --help).",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="FILE|FOLDER|-", default=["-"], help="articles (.txt), folders of them, .jsonl files; - is standard input (default)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", metavar="MODEL", help="folder, run id or MLflow URI (default: the newest trained model)")
    source.add_argument("--url", metavar="URL", help="let a server label (predict serve); NEWSMARK_TOKEN is its token, if it wants one")
    parser.add_argument("--format", choices=("jsonl", "table"), default="jsonl", help="how rows are printed (default: %(default)s)")
    parser.add_argument("--threshold", type=_threshold, metavar="SCORE", help="give a label from this score on, 0 to 1 (default: the model's own)")
    parser.add_argument("--review", action="store_true", help="print only what a person should look at: rows with a label that is likely enough wrong")
    return parser


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict serve",
        parents=[debug_option()],
        description="Serve a model: MLflow's scoring application behind limits. POST /invocations labels texts, /ping and /health tell whether the "
        "server is alive and the model answers, /metrics is for Prometheus, /docs describes it all.",
        epilog="With NEWSMARK_TOKEN in the environment, requests need it as bearer token. SIGTERM finishes what is under way and stops.",
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="folder, run id or MLflow URI; an alias is followed when it moves (default: models:/newsmark@champion)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_whole("port", 0, 65535), default=5001, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--allowed-hosts", default="127.0.0.1,localhost", metavar="NAMES", help="names that requests may be addressed to, * for any (default: %(default)s)"
    )
    limits = parser.add_argument_group("limits of a request")
    limits.add_argument("--max-body", type=_whole("bytes", 100, 10**9), default=4_000_000, metavar="BYTES", help="size of its body (default: %(default)s)")
    limits.add_argument("--max-inputs", type=_whole("texts", 1, 10**6), default=1000, metavar="N", help="texts in it (default: %(default)s)")
    limits.add_argument("--max-characters", type=_whole("characters", 1, 10**8), default=200_000, metavar="N", help="length of a text (default: %(default)s)")
    limits.add_argument("--time-limit", type=_whole("seconds", 1, 3600), default=60, metavar="SECONDS", help="time to answer it (default: %(default)s)")
    limits.add_argument("--queue", type=_whole("requests", 1, 10**4), default=128, metavar="N", help="requests under way at once (default: %(default)s)")
    return parser


def _whole(what: str, least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a number of {what} from {least} to {most}, got {text!r}")
        return int(text)

    return parse


def _serve(arguments: argparse.Namespace) -> None:
    from models.serving import Limits, listen, make_application, run_server  # keeps --help fast

    limits = Limits(arguments.max_body, arguments.max_inputs, arguments.max_characters, arguments.time_limit, arguments.queue)
    hosts = [name.strip() for name in arguments.allowed_hosts.split(",")]
    with listen(arguments.host, arguments.port) as listening:
        url = f"http://{arguments.host}:{listening.getsockname()[1]}"
        run_server(make_application(arguments.model, limits, os.environ.get("NEWSMARK_TOKEN") or None, hosts, url), listening)


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, got {text!r}")
    return value


def _predict(arguments: argparse.Namespace) -> None:
    rows = _with_neighbours(_read(arguments.paths))
    first = next(rows, None)  # bad input is told before the model is loaded
    if first is None:
        raise NewsmarkError("the input holds no passages")
    label = _labeller(arguments)
    write = _write_jsonl if arguments.format == "jsonl" else _write_table
    chunk, rest = [first], rows
    while chunk:
        chunk += islice(rest, _CHUNK - len(chunk))
        predictions = label([excerpt for _, excerpt in chunk], arguments.threshold)
        labelled = zip((row for row, _ in chunk), predictions, strict=True)
        write(pair for pair in labelled if pair[1].review or not arguments.review)
        sys.stdout.flush()
        chunk = list(islice(rest, 1))


def _labeller(arguments: argparse.Namespace) -> Callable[[Sequence[Excerpt], float | None], list[Prediction]]:
    """Take what labels passages: a model at hand, or a server."""
    if arguments.url:
        from models.client import Client  # keeps --help fast

        return Client(arguments.url, os.environ.get("NEWSMARK_TOKEN") or None).predict_passages
    from models.prediction import predict_passages
    from models.store import find_model

    return partial(predict_passages, find_model(arguments.model))


def _with_neighbours(rows: Iterator[Row]) -> Iterator[tuple[Row, Excerpt]]:
    """Give each row the passages before and after it, where they name the same document (or page)."""
    from models.classifier import Excerpt

    def same(one: Row | None, other: Row | None) -> bool:
        ids = [row and (row.get("document") or row.get("page")) for row in (one, other)]
        return bool(ids[0]) and ids[0] == ids[1]

    before, row = None, next(rows, None)
    while row is not None:
        after = next(rows, None)
        yield row, Excerpt(row["text"], before["text"] if before and same(before, row) else "", after["text"] if after and same(row, after) else "")
        before, row = row, after


def _read(paths: Iterable[str]) -> Iterator[Row]:
    for name in paths:
        if name == "-":
            yield from _read_stdin()
            continue
        if not Path(name).exists():
            raise UsageError(f"{name}: no such file or folder")
        for path in text_files([Path(name)]):
            yield from _passage_rows(read_jsonl(path)) if path.suffix == ".jsonl" else _article_rows(read_text(path), str(path))


def _read_stdin() -> Iterator[Row]:
    """Standard input is JSONL where its first character is "{", else one article."""
    stream = cast("io.BufferedReader", sys.stdin.buffer)
    if stream.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return _passage_rows(read_jsonl(stream, "standard input"))
    return _article_rows(decode(stream.read(), "standard input"), "standard input")


def _passage_rows(rows: Iterator[tuple[str, Row]]) -> Iterator[Row]:
    for where, row in rows:
        text_of(row, where)
        yield row


def _article_rows(text: str, name: str) -> Iterator[Row]:
    if is_blank(text):
        raise NewsmarkError(f"{name}: the file is empty; give it a text")
    for passage in split_passages(text, identify_language(text)):
        yield {"document": name, **vars(passage)}


def _write_jsonl(rows: Iterable[tuple[Row, Prediction]]) -> None:
    for row, prediction in rows:
        sys.stdout.write(json.dumps({**row, **vars(prediction)}, ensure_ascii=False) + "\n")


def _write_table(rows: Iterable[tuple[Row, Prediction]]) -> None:
    for row, prediction in rows:
        labels = " ".join(f"{name} {prediction.scores[name]:.2f}" for name in prediction.labels) or "–"
        text = " ".join(row["text"].split())
        sys.stdout.write(f"{labels:<44} {text if len(text) <= 100 else text[:99] + '…'}\n")
