"""``predict --topics``: one row per article, with its topics."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.documents import Document, document_of, row_is_passage
from ...annotation.errors import NewsmarkError, printable
from ...annotation.files import atomic_write
from ...annotation.reading.finding import find_sources
from ...annotation.reading.kinds import read_source
from ...annotation.reading.sources import Entry, ReadingOptions
from .output import check_path
from .parquet import write_rows
from .spreadsheet import write_csv, write_xlsx

if TYPE_CHECKING:
    from ..model import TrainedModel

_COLUMNS = {"topics": "strings", "model_version": "string"}
"""Columns whose types must not depend on the values."""

_TABLES = {".parquet": lambda rows, target: write_rows(rows, target, _COLUMNS), ".csv": write_csv, ".xlsx": write_xlsx}


def predict_topics(
    paths: Iterable[str],
    find_model: Callable[[], tuple[TrainedModel, str]],
    threshold: float | None,
    output: Path | None,
    as_table: bool,
    reading: ReadingOptions,
) -> dict[str, Any] | None:
    """Print or write the topics of articles.

    Args:
        paths: files and folders; "-" is standard input.
        find_model: called when the first article was read; gives a model, and how it was found, for people.
        threshold: a topic is given from this score on; None for the model's own rule.
        output: .jsonl, .parquet, .csv or .xlsx file, which appears when it is complete; None to print rows.
        as_table: print for reading, not as JSONL.
        reading: how files are read.

    Returns:
        With an output, what was done: ``path``, ``rows`` and ``model_version``.

    Raises:
        NewsmarkError: the input, the model or the output can't be used.
    """
    if output is not None:
        check_path(output)
    articles = _articles(paths, reading)
    first = next(articles, None)
    if first is None:
        raise NewsmarkError("the input holds no articles")
    model, what = find_model()
    _check(model, threshold)
    print(f"model: {model.version}, {what}", file=sys.stderr)
    rows = (_row(model, article, threshold) for article in _chain(first, articles))
    if output is None:
        for row in rows:
            sys.stdout.write(_line(row) if as_table else f"{json.dumps(row, ensure_ascii=False)}\n")
            sys.stdout.flush()
        return None
    output.parent.mkdir(parents=True, exist_ok=True)
    return {"path": printable(str(output)), "rows": _write(list(rows), output), "model_version": model.version}


def _check(model: TrainedModel, threshold: float | None) -> None:
    if model.topics is None:
        raise NewsmarkError(
            f"model {model.version} knows no topics: of the articles that it was trained on none was given one, too few were, or an older newsmark trained "
            "it; annotate topics and train again, or name another model"
        )
    if threshold is None and not any(model.topics.given):
        print("no topic is given: in training none was found to save annotators work; 'scores' are there, and --threshold 0.5 gives topics", file=sys.stderr)


def _chain(first: Document, others: Iterator[Document]) -> Iterator[Document]:
    yield first
    yield from others


def _articles(paths: Iterable[str], reading: ReadingOptions) -> Iterator[Document]:
    for source in find_sources(map(Path, paths), reading):
        try:
            for entry in read_source(source, reading):
                try:
                    yield _article(entry)
                except NewsmarkError as error:
                    reading.refuse(error, entry.row)
        except NewsmarkError as error:
            reading.refuse(error)


def _article(entry: Entry) -> Document:
    if not entry.short and row_is_passage(entry.row):
        raise NewsmarkError(f"{entry.where}: this row is a passage, and topics are of whole articles; give articles, or leave out --topics")
    return document_of(entry, with_path=True)


def _row(model: TrainedModel, article: Document, threshold: float | None) -> dict[str, Any]:
    from .predict import predict_articles, topics_of_article

    [labelled] = predict_articles(model, [article])
    found = topics_of_article(model, labelled, threshold)
    return {"document": article.id, "name": article.name, "topics": found.topics, "scores": found.scores, "model_version": model.version}


def _line(row: dict[str, Any]) -> str:
    topics = " ".join(f"{name} {row['scores'][name]:.2f}" for name in row["topics"]) or "–"
    return f"{topics:<64} {row['name']}\n"


def _write(rows: list[dict[str, Any]], output: Path) -> int:
    """Write rows, whole or not at all; returns their number."""
    if write := _TABLES.get(output.suffix.lower()):
        temporary = Path(f"{output}.tmp")
        try:
            write(lambda: iter(rows), temporary)
            temporary.replace(output)
        except OverflowError as error:
            raise NewsmarkError(f"{output}: this kind of file can't hold these rows ({error}); name a .jsonl file") from None
        finally:
            temporary.unlink(missing_ok=True)
    else:
        with atomic_write(output) as stream:
            stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return len(rows)
