"""The file of labelled rows that appears under its name when it is complete, and an interrupted run continues."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ...annotation.errors import NewsmarkError, UsageError
from ...annotation.files import atomic_write, read_json_lines
from ...annotation.folders import install_command
from ...annotation.reading.parquet import first_line
from .parquet import PASSAGES, SPANS, check_joined, write_joined, write_rows
from .rows import Row
from .span_rows import span_lines, span_rows
from .spreadsheet import write_csv, write_xlsx

if TYPE_CHECKING:
    from ..context import PassageInContext

_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_ENDINGS = frozenset({".jsonl", ".parquet", ".csv", ".xlsx"})
_REQUIRED = {".parquet": "pyarrow", ".xlsx": "openpyxl"}
"""The library that writing such a file needs."""

_FIRST = ', "labels": '
"""What labelling adds begins with this; everything before it comes from the input."""


def as_line(row: Row, added: dict[str, Any]) -> str:
    """A labelled row as a line of JSONL: the fields of the input as they are, then what labelling adds."""
    return f"{row.fields}, {_ENCODE(added).removeprefix('{')}\n"


def check_path(path: Path) -> None:
    """See whether a file of labelled rows can have this name, before any work is done.

    Raises:
        UsageError: it can't.
    """
    if path.is_dir():
        raise UsageError(f"--output {path}: this is a folder; name a file in it")
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"--output {path}: name a .jsonl, .parquet, .csv or .xlsx file")
    library = _REQUIRED.get(path.suffix.lower())
    if library is not None and importlib.util.find_spec(library) is None:
        raise NewsmarkError(f"--output {path}: writing {path.suffix} files needs {library}; {install_command('files')}")


class Output:
    """A file of labelled rows (.jsonl, .parquet, .csv or .xlsx).

    Until it is complete, the rows are in ``FILE.part``, which an interrupted run leaves behind and ``--resume`` continues. One run at a time has the file.

    Args:
        path: the file.
        resume: continue where an interrupted run stopped.
        made_by: model and threshold; rows of another model are not continued.
        joined: Parquet files whose columns are joined to what was found (see ``parquet.write_joined``).
        spans: the file holds a row for each span of the rows written (see ``span_rows``).

    Attributes:
        done: rows that are there: those that an interrupted run has left, and then those written.
        left_out: of these, those that the file leaves out because they need no review.

    Raises:
        UsageError: the file can't have this name, or an interrupted run left rows and ``resume`` is not given.
        NewsmarkError: these rows were made otherwise, or another run is writing them.
    """

    def __init__(self, path: Path, resume: bool, made_by: dict[str, Any], joined: Sequence[Path] = (), spans: bool = False) -> None:
        check_path(path)
        if joined:
            check_joined(joined)
        self._path, self._part, self._note = path, Path(f"{path}.part"), Path(f"{path}.part.json")
        self._joined, self._spans = joined, spans
        self.done = self.left_out = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._open()
        if self._stream.tell():
            if not resume:
                raise UsageError(f"{self._part}: an interrupted run left this; continue it with --resume, or remove it")
            self._check_note(made_by)
            self._count()
        with atomic_write(self._note) as note:
            note.write(json.dumps(made_by))

    def skip(self, rows: Iterator[tuple[Row, PassageInContext]]) -> Iterator[tuple[Row, PassageInContext]]:
        """Pass over the rows that are there already, each of which must be that of the input.

        Raises:
            NewsmarkError: the input holds fewer or other rows.
        """
        with self._part.open(encoding="utf-8", newline="\n") as part:
            for number in range(1, self.done + 1):
                row, _ = next(rows, (None, None))
                if row is None or not next(part).startswith(row.fields + _FIRST):
                    raise NewsmarkError(
                        f"{self._part}: its {self.done} rows are not the first of this input (row {number} differs); give the same input, or remove the file"
                    )
        return rows

    def write(self, rows: Iterable[tuple[Row, dict[str, Any]]]) -> None:
        """Add labelled rows; they are on disk when this returns."""
        lines = [as_line(row, added) for row, added in rows]
        self._stream.write("".join(lines).encode())
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.done += len(lines)

    def finish(self, only_review: bool) -> int:
        """Give the file its name; of all rows, or only of those that need review.

        Returns:
            The number of its rows.
        """
        count = self.done
        if self._path.suffix.lower() == ".jsonl" and not (only_review or self._spans):
            self._part.replace(self._path)  # from now on another run may begin, whose rows have the former name
        elif self._path.suffix.lower() == ".jsonl":
            count = 0
            with atomic_write(self._path) as stream:
                for row, line in self._kept(only_review):
                    lines = span_lines(row, line) if self._spans else [f"{line}\n"]
                    stream.writelines(lines)
                    count += len(lines)
            self._part.unlink()
        else:
            count = self._write_table(only_review)
            self._part.unlink()
        self._note.unlink(missing_ok=True)
        self._stream.close()
        return count

    def _open(self) -> IO[bytes]:
        """Open the rows for this run alone: a lock that ends with the process.

        Raises:
            NewsmarkError: another run has them.
        """
        while True:
            stream = self._part.open("ab")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.close()
                raise NewsmarkError(f"{self._part}: another run is writing it; wait for its end, or name another --output") from None
            if self._part.exists() and os.path.samestat(os.fstat(stream.fileno()), self._part.stat()):
                return stream
            stream.close()  # the other run ended between the two calls, and its file has another name now

    def _write_table(self, only_review: bool) -> int:
        temporary, ending = Path(f"{self._path}.tmp"), self._path.suffix.lower()
        try:
            if self._joined:
                count = write_joined(self._joined, lambda: (row for _, row, _ in read_json_lines(self._part)), temporary, only_review)
                self.left_out = self.done - count
            elif ending == ".parquet":
                count = write_rows(lambda: self._rows(only_review), temporary, SPANS if self._spans else PASSAGES)
            else:
                count = (write_csv if ending == ".csv" else write_xlsx)(lambda: self._rows(only_review), temporary)
        except _refusals(ending) as error:
            temporary.unlink(missing_ok=True)
            raise NewsmarkError(f"{self._path}: this kind of file can't hold these rows ({first_line(error)}); {self._keep_as_jsonl()}") from None
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(self._path)
        return count

    def _kept(self, only_review: bool) -> Iterator[tuple[dict[str, Any], str]]:
        """The rows that the file is made of, as values and as lines."""
        self.left_out = 0
        for _, row, line in read_json_lines(self._part):
            if row["review"] or not only_review:
                yield row, line
            else:
                self.left_out += 1

    def _rows(self, only_review: bool) -> Iterator[dict[str, Any]]:
        """The rows of the file."""
        for row, _ in self._kept(only_review):
            yield from span_rows(row) if self._spans else [row]

    def _keep_as_jsonl(self) -> str:
        """Let ``--resume`` find the rows as those of a .jsonl file; says how."""
        other = self._path.with_suffix(".jsonl")
        part = Path(f"{other}.part")
        if self._joined or part.exists():
            return f"what was found is kept in {self._part}, as JSONL"
        self._part.replace(part)
        self._note.replace(f"{part}.json")
        return f"they are kept: continue with --output {other} --resume"

    def _check_note(self, made_by: dict[str, Any]) -> None:
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            noted = None
        if noted != made_by:
            raise NewsmarkError(f"{self._part}: made by {noted}, not by {made_by}; use the same model and threshold, or remove it")

    def _count(self) -> None:
        """Count the whole rows, and cut off what a killed run has half-written.

        The last row goes, too: the passage after it, which the model reads along, is checked only with the rows that follow.
        """
        ends = [0, 0]
        with self._part.open("rb") as part:
            for line in part:
                if not line.endswith(b"\n"):
                    break
                ends = [ends[1], ends[1] + len(line)]
                self.done += 1
        self.done = max(self.done - 1, 0)
        self._stream.truncate(ends[0])


def _refusals(ending: str) -> tuple[type[Exception], ...]:
    """What is raised where a kind of file can't hold the rows."""
    if ending != ".parquet":
        return (OverflowError,)
    import pyarrow

    return pyarrow.ArrowException, OverflowError
