"""The ``predict`` command: label the passages of articles."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator
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
    parser = _parser()
    arguments = parser.parse_args(argv)
    return run_command("predict", "debug" in arguments, lambda: _predict(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict",
        parents=[debug_option()],
        description="Label the passages of news articles. An article (.txt) gives one row a passage; a row of a .jsonl file is "
        "a passage itself and comes back with all its fields, and with 'labels', 'scores' and 'review' (which replace fields of these names); "
        "neighbouring rows of one 'document' are read along.",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="FILE|FOLDER|-", default=["-"], help="articles (.txt), folders of them, .jsonl files; - is standard input (default)"
    )
    parser.add_argument("--model", metavar="MODEL", help="folder, run id or MLflow URI (default: the newest trained model)")
    parser.add_argument("--format", choices=("jsonl", "table"), default="jsonl", help="how rows are printed (default: %(default)s)")
    parser.add_argument("--threshold", type=_threshold, metavar="SCORE", help="give a label from this score on, 0 to 1 (default: the model's own)")
    parser.add_argument("--review", action="store_true", help="print only what a person should look at: rows with a label that is likely enough wrong")
    return parser


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
    from models.prediction import predict_passages  # keeps --help fast
    from models.store import find_model

    model = find_model(arguments.model)
    write = _write_jsonl if arguments.format == "jsonl" else _write_table
    chunk, rest = [first], rows
    while chunk:
        chunk += islice(rest, _CHUNK - len(chunk))
        predictions = predict_passages(model, [excerpt for _, excerpt in chunk], arguments.threshold)
        labelled = zip((row for row, _ in chunk), predictions, strict=True)
        write(pair for pair in labelled if pair[1].review or not arguments.review)
        sys.stdout.flush()
        chunk = list(islice(rest, 1))


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
