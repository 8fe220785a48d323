"""One run of ``predict``: from rows to labelled rows, printed or in a file."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.errors import NewsmarkError, printable
from ...annotation.reading.sources import DEFAULTS, ReadingOptions
from .output import Output, as_line, check_path
from .rows import Row, can_join, count_rows, read_rows, with_neighbours
from .span_rows import with_span_fields

if TYPE_CHECKING:
    from ..context import PassageInContext
    from .local import Added, Engine
    from .records import Embed, RecordFile
    from .report import Report

_FIRST_CHUNK, CHUNK = 16, 1024
"""Passages classified at once: few in the beginning, so that the first answers come soon, then twice as many each time up to the second number,
with which enough of them have one length. Memory does not grow with the input."""

_FORMAT = 2
"""Number of the format of an interrupted run's rows."""


@dataclass(frozen=True)
class Labeller:
    """What labels passages.

    Attributes:
        engine: does it.
        version: of the model, or the server's name.
        what: how the model was found, for people.
        embed: makes vectors of texts; None where the model makes none, or is elsewhere.
    """

    engine: Engine
    version: str
    what: str
    embed: Embed | None = None


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        path: the file of labelled rows.
        rows: in the file.
        skipped: rows of passages left out because they need no review.
        resumed: rows that an interrupted run had labelled already.
        truncated: rows of passages of which the model read only the beginning; those resumed are not counted.
        model_version: of the model; a server's name where it labelled.
    """

    path: str
    rows: int
    skipped: int
    resumed: int
    truncated: int
    model_version: str

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return asdict(self)


def predict(
    paths: list[str],
    make_labeller: Callable[[], Labeller],
    threshold: float | None,
    only_review: bool,
    output: Path | None,
    resume: bool,
    write: Callable[[Iterable[tuple[Row, Added]]], None],
    reading: ReadingOptions = DEFAULTS,
    spans: bool = False,
) -> Summary | None:
    """Label rows.

    Args:
        paths: of the input.
        make_labeller: called when the first row was read: bad input is reported before a model is loaded.
        threshold: a label is given from this score on; None for the model's own.
        only_review: only rows that need review.
        output: file for the rows; None to print them.
        resume: continue an interrupted run's ``output``.
        write: prints rows.
        reading: how files are read.
        spans: give rows of spans in place of rows of passages; the labeller finds them.

    Returns:
        What was done, with an output.

    Raises:
        NewsmarkError: the input, the model or the output can't be used.
    """
    into_parquet = output is not None and output.suffix.lower() == ".parquet"
    joined = [Path(path) for path in paths] if into_parquet and not spans and not reading.text_column and can_join(paths) else []
    if output is not None:
        check_path(output)
    rows = with_neighbours(read_rows(paths, bool(joined), reading, spans))
    first = next(rows, None)
    if first is None:
        raise NewsmarkError("the input holds no passages")
    rows = chain([first], rows)
    labeller = make_labeller()
    print(f"model: {labeller.version}, {labeller.what}", file=sys.stderr)
    truncated = 0
    if output is None:
        for labelled in _labelled(rows, labeller.engine, spans):
            truncated += sum(bool(added["truncated"]) for _, added in labelled)
            write(pair for pair in labelled if pair[1]["review"] or not only_review)
            sys.stdout.flush()
        _report(truncated)
        return None
    made_by = {"model": labeller.version, "threshold": threshold, "format": _FORMAT} | ({"spans": True} if spans else {})
    file = Output(output, resume, made_by, joined, spans)
    resumed = file.done
    rows = file.skip(rows)
    from tqdm import tqdm  # takes a moment, and rows that are printed have no bar

    with tqdm(total=count_rows(paths) if sys.stderr.isatty() else None, unit=" passages", initial=resumed, disable=None, file=sys.stderr) as bar:
        for labelled in _labelled(rows, labeller.engine, spans):
            file.write(labelled)
            truncated += sum(bool(added["truncated"]) for _, added in labelled)
            bar.update(len(labelled))
    written = file.finish(only_review)
    _report(truncated)
    return Summary(printable(str(output)), written, file.left_out, resumed, truncated, labeller.version)


def made_in_place_of_rows(page: Path | None, commitments: Path | None, spans: bool) -> Report | RecordFile | None:
    """The page, or the file of commitments, that is asked for in place of rows; what makes them takes a moment to load.

    Args:
        page: file of the page.
        commitments: file of the commitments.
        spans: the page shows spans in place of passages.
    """
    if page is not None:
        from .report import Report

        return Report(page, spans)
    if commitments is not None:
        from .records import RecordFile

        return RecordFile(commitments)
    return None


def print_jsonl(rows: Iterable[tuple[Row, Added]]) -> None:
    """Print rows as JSONL."""
    sys.stdout.write("".join(as_line(row, added) for row, added in rows))


def print_table(rows: Iterable[tuple[Row, Added]]) -> None:
    """Print rows for reading: the labels with their scores, and the beginning of the passage."""
    for row, added in rows:
        labels = " ".join(f"{name} {added['scores'][name]:.2f}" for name in added["labels"]) or "–"
        text = " ".join(row.text.split())
        sys.stdout.write(f"{labels:<44} {text if len(text) <= 100 else text[:99] + '…'}\n")


def _report(truncated: int) -> None:
    if truncated:
        print(f"{truncated} passages are longer than what the model reads of them; their rows say so in 'truncated'", file=sys.stderr)


def _labelled(rows: Iterator[tuple[Row, PassageInContext]], engine: Engine, spans: bool) -> Iterator[list[tuple[Row, Added]]]:
    """Label rows, a chunk at a time."""
    waiting: deque[list[Row]] = deque()

    def chunks() -> Iterator[list[PassageInContext]]:
        size = _FIRST_CHUNK
        while chunk := list(islice(rows, size)):
            waiting.append([row for row, _ in chunk])
            yield [context for _, context in chunk]
            size = min(2 * size, CHUNK)

    for found in engine(chunks()):
        pairs = list(zip(waiting.popleft(), found, strict=True))
        yield [(row, with_span_fields(row, added)) for row, added in pairs] if spans else pairs
