"""The ``predict`` command: label the passages of articles, here or on a server."""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..annotation.commandline import common_options, json_option, open_closed_streams, print_json, probability, run_command, whole_number
from ..annotation.errors import UsageError
from ..annotation.reading.options import PATHS_HELP, options_of, reading_options
from .prediction.article import ArticlePrinter
from .prediction.run import Labeller, made_in_place_of_rows, predict, print_jsonl, print_table
from .prediction.skipped import Skipped
from .prediction.span_rows import print_span_table, print_spans

if TYPE_CHECKING:
    from .model import TrainedModel

_WAIT_SECONDS = 600
"""How long a busy server is waited for."""

_PRINTERS = {("jsonl", False): print_jsonl, ("table", False): print_table, ("jsonl", True): print_spans, ("table", True): print_span_table}
"""What prints rows, by format and by whether they are of spans."""


def main(argv: list[str] | None = None) -> int:
    """Run ``predict`` or ``predict serve``; returns the exit code."""
    open_closed_streams()
    argv = sys.argv[1:] if argv is None else argv
    name = "predict serve" if argv[:1] == ["serve"] else "predict"
    arguments = parsers()[name].parse_args(argv[1:] if name == "predict serve" else argv)
    return run_command("predict", "debug" in arguments, lambda: arguments.run(arguments))


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Make the parser of each command, by the command's name.

    ``serve`` is no sub-parser of argparse, which can't have one beside the files that ``predict`` takes in its place.
    """
    return {"predict": _parser(), "predict serve": _serve_parser()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict",
        usage="%(prog)s [options] [FILE|FOLDER|- ...]\n       %(prog)s serve [options]",
        parents=[common_options(), json_option(), reading_options()],
        description="Label the passages of news articles. An article gives one row per passage. A row of a file of rows is a passage or an "
        "article, too (with a name, title, url, source or date, or with line breaks in its text). It comes back with all its fields, and with 'labels', "
        "'scores', 'review', 'truncated' and 'model_version'; its own fields of these names become 'input_labels' and so on. Neighbouring rows of one "
        "'document' or 'page' are read together.",
        epilog="The model is printed on standard error.",
    )
    parser.add_argument_group("commands", "serve    start a server that labels over HTTP (see predict serve --help)")
    parser.add_argument("paths", nargs="*", metavar="FILE|FOLDER|-", default=["-"], help=f"{PATHS_HELP} (default: -)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--model",
        metavar="MODEL",
        help="folder, run id or MLflow URI (default: the champion, else the newest trained model; on a desk, the newest with its labels)",
    )
    source.add_argument("--url", metavar="URL", help="let a server label (predict serve); NEWSMARK_TOKEN is its token, if it asks for one")
    parser.add_argument(
        "--wait",
        type=whole_number("seconds", 0, 1_000_000),
        metavar="SECONDS",
        help=f"with --url: how long to wait for a server that is busy (default: {_WAIT_SECONDS})",
    )
    parser.add_argument("--format", choices=("jsonl", "table"), default="jsonl", help="how rows are printed (default: %(default)s)")
    parser.add_argument(
        "--article", dest="format", action="store_const", const="article", help="print the articles themselves, without what is labelled boilerplate"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page (.html) instead: the articles in colour, and a table of what was found that can be sorted"
    )
    parser.add_argument(
        "--spans",
        action="store_true",
        help="rows of spans in place of passages: 'start', 'end', 'text', 'label', 'kind', 'score' and 'model_version', where an annotator would mark it",
    )
    parser.add_argument(
        "--records",
        type=Path,
        metavar="FILE",
        help="write the commitments (.jsonl or .csv) instead: who, what, by when, how much, direct or reported, with article, date, offsets and probability",
    )
    parser.add_argument(
        "--topics",
        action="store_true",
        help="rows of articles in place of passages: 'document', 'name', 'topics', 'scores' and 'model_version'; found in this process",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help=".jsonl, .parquet, .csv or .xlsx file for the rows; it appears when it is complete")
    parser.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what happens to a row or file that can't be used: stop, or skip it; what is skipped is written to OUTPUT.skipped.jsonl, or "
        "reported on standard error, and the exit code is 3 (default: %(default)s)",
    )
    parser.add_argument("--resume", action="store_true", help="continue the --output of a run that was interrupted: no passage is lost or doubled")
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where to label: here, or on Ray (RAY_ADDRESS names a cluster); Ray is faster only on several machines",
    )
    parser.add_argument(
        "--workers",
        type=whole_number("workers", 1, 10_000),
        metavar="N",
        help="processes that label (default: 1; Ray actors: one per machine); more are faster with a baseline from some 30,000 passages on, not with a "
        "transformer, which uses all cores in one",
    )
    parser.add_argument("--threshold", type=probability, metavar="SCORE", help="give a label from this score on, 0 to 1 (default: the model's own)")
    parser.add_argument("--review", action="store_true", help="print only rows that need review (a label has more than a 20 %% chance of being wrong)")
    parser.set_defaults(run=_predict)
    return parser


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict serve",
        parents=[common_options()],
        description="Serve a model over HTTP, behind limits. POST /invocations labels texts, /ping and /health say whether the "
        "server is alive and the model answers, /metrics is for Prometheus, /docs describes it all.",
        epilog="With NEWSMARK_TOKEN in the environment, requests need it as bearer token. SIGTERM finishes what is under way and stops.",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="folder, run id or MLflow URI; an alias is followed when it moves (default: the champion; until there is one, the newest trained model, on a "
        "desk the newest with its labels)",
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
    parser.set_defaults(run=_serve)
    return parser


def _serve(arguments: argparse.Namespace) -> None:
    from .serving.application import make_application  # keeps --help fast
    from .serving.limits import Limits
    from .serving.server import address_of, listen, run_server

    limits = Limits(arguments.max_body, arguments.max_inputs, arguments.max_characters, arguments.time_limit, arguments.queue, arguments.max_passages)
    hosts = [name.strip() for name in arguments.allowed_hosts.split(",")]
    for name in hosts:
        if not re.fullmatch(r"\*|(\*\.)?[\w.-]+|\[[\da-fA-F:.]+\]", name):
            raise UsageError(f"--allowed-hosts: {name!r} is no name; give names such as news.example.org, *.example.org or [::1], with commas between them")
    with listen(arguments.host, arguments.port) as listening:
        run_server(make_application(arguments.model, limits, _token(), hosts, address_of(listening, arguments.host)), listening)


def _token() -> str | None:
    """The bearer token of the environment, without the white space around it that a header would lose."""
    token = os.environ.get("NEWSMARK_TOKEN", "").strip()
    if not token.isprintable():
        raise UsageError("NEWSMARK_TOKEN holds a character that no header can carry; give it on one line")
    return token or None


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.resume and arguments.output is None:
        raise UsageError("--resume continues an --output: name it")
    if arguments.json and arguments.output is None:
        raise UsageError("--json says what an --output holds: name it (printed rows are JSON as they are)")
    if arguments.url and (arguments.workers or arguments.engine != "local"):
        raise UsageError("with --url the server labels: leave out --engine and --workers")
    if arguments.wait is not None and not arguments.url:
        raise UsageError("--wait is for the server that --url names: name it")
    if arguments.output is not None and arguments.format != "jsonl":
        option = "--article" if arguments.format == "article" else "--format table"
        raise UsageError(f"--output holds rows, and {option} prints them: leave out one of the two")
    if arguments.review and arguments.format == "article":
        raise UsageError("--article prints whole articles, and --review only some of their passages: leave out one of the two")
    if arguments.report is not None and (arguments.output is not None or arguments.format != "jsonl"):
        raise UsageError("--report writes a page in place of rows: leave out --output, --article and --format")
    if arguments.spans and arguments.format == "article":
        raise UsageError("--article prints whole articles, and --spans parts of them: leave out one of the two")
    _check_records(arguments)


def _check_records(arguments: argparse.Namespace) -> None:
    names = {"--output": arguments.output, "--article": arguments.format == "article", "--format table": arguments.format == "table"}
    names |= {"--report": arguments.report, "--spans": arguments.spans, "--review": arguments.review}
    if arguments.records is not None and (named := [name for name, given in names.items() if given]):
        raise UsageError(f"--records writes commitments in place of rows: leave out {' and '.join(named)}")


def _predict(arguments: argparse.Namespace) -> None:
    _check_options(arguments)
    if arguments.topics:
        _predict_topics(arguments)
        return
    article = ArticlePrinter()
    report = made_in_place_of_rows(arguments.report, arguments.records, arguments.spans)
    skipped = Skipped(arguments.output) if arguments.on_error == "skip" else None

    def labeller() -> Labeller:
        made = _labeller(arguments)
        if report is not None:
            report.records.embed = made.embed
        return made

    summary = predict(
        arguments.paths,
        labeller,
        arguments.threshold,
        arguments.review,
        arguments.output,
        arguments.resume,
        report or (article if arguments.format == "article" else _PRINTERS[arguments.format, arguments.spans]),
        replace(options_of(arguments), furniture=True, skip=skipped),
        bool(arguments.spans or arguments.records or arguments.report),
    )
    (report or article).close()
    if summary and arguments.json:
        print_json(summary.as_dict())
    if skipped:
        skipped.finish()


def _predict_topics(arguments: argparse.Namespace) -> None:
    from .prediction.topic_rows import predict_topics

    passages = {
        "--article": arguments.format == "article",
        "--spans": arguments.spans,
        "--report": arguments.report,
        "--records": arguments.records,
        "--review": arguments.review,
        "--resume": arguments.resume,
    }
    if others := [name for name, given in passages.items() if given]:
        raise UsageError(f"--topics gives rows of articles, and {' and '.join(others)} is for passages: leave out one of the two")
    elsewhere = {"--url": arguments.url, "--workers": arguments.workers, "--engine": arguments.engine != "local"}
    if others := [name for name, given in elsewhere.items() if given]:
        raise UsageError(f"--topics finds the topics in this process, and by no server or other process: leave out {' and '.join(others)}")

    def find() -> tuple[TrainedModel, str]:
        from .saved import load_model
        from .store import find_model

        found = find_model(arguments.model)
        return load_model(found.folder), found.what

    skipped = Skipped(arguments.output) if arguments.on_error == "skip" else None
    reading = replace(options_of(arguments), furniture=True, skip=skipped)
    done = predict_topics(arguments.paths, find, arguments.threshold, arguments.output, arguments.format == "table", reading)
    if done and arguments.json:
        print_json(done)
    if skipped:
        skipped.finish()


def _labeller(arguments: argparse.Namespace) -> Labeller:
    """Find what labels passages."""
    threshold, spans = arguments.threshold, bool(arguments.spans or arguments.records or arguments.report)
    if arguments.url:
        from .prediction.client import Client  # keeps --help fast

        client = Client(arguments.url, _token(), _WAIT_SECONDS if arguments.wait is None else arguments.wait)
        return Labeller(lambda chunks: (client.label(chunk, threshold, spans) for chunk in chunks), client.name, "whose rows say which model answered")
    from .prediction.local import embedder, here, in_processes
    from .saved import load_model, read_version
    from .store import find_model

    found = find_model(arguments.model)
    if arguments.engine == "ray":
        from .prediction.on_ray import on_ray

        return Labeller(on_ray(found.folder, threshold, arguments.workers, spans), read_version(found.folder), found.what)
    if (arguments.workers or 1) > 1:
        return Labeller(in_processes(found.folder, threshold, arguments.workers, spans), read_version(found.folder), found.what)
    model = load_model(found.folder)
    return Labeller(here(model, threshold, spans), model.version, found.what, embedder(model) if arguments.records or arguments.report else None)
