"""``predict --records``: the commitments that were found, each as a record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.documents import identify_language
from ...annotation.errors import NewsmarkError, UsageError
from ...annotation.files import atomic_write
from ..records.periods import read_date
from ..records.record import LABEL, Record, find_parts, linked
from .spreadsheet import write_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .local import Added
    from .rows import Row

_FORMULA = re.compile(r"[=+\-@\t\r]")


Embed = Callable[[Sequence[str]], "NDArray[np.float64]"]
"""Makes vectors of texts, see ``classifier.Embeds``."""


class Records:
    """Collects the commitments of labelled rows with spans, which come in the order of their articles.

    Attributes:
        embed: makes vectors, by which commitments in several languages are linked; None where the model makes none.
    """

    def __init__(self) -> None:
        self._found: list[Record] = []
        self.embed: Embed | None = None

    def add(self, row: Row, added: Added) -> list[Record]:
        """Take a row; gives its commitments, of which it is not known yet which are the same."""
        found = _records(row, added) if LABEL in added["labels"] else []
        self._found += found
        return found

    def all(self) -> list[Record]:
        """The records so far, linked."""
        return linked(self._found, self.embed)


class RecordFile:
    """Writes records as a .jsonl or .csv file.

    Args:
        path: of the file.

    Attributes:
        records: the commitments.

    Raises:
        UsageError: it can be no such file.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in {".jsonl", ".csv"} or path.is_dir():
            raise UsageError(f"--records {path}: name a .jsonl or .csv file")
        self._path, self.records = path, Records()

    def __call__(self, rows: Iterable[tuple[Row, Added]]) -> None:
        """Take rows.

        Raises:
            NewsmarkError: the model does not know commitments.
        """
        for row, added in rows:
            if LABEL not in added["scores"]:
                raise NewsmarkError(f"records are made of what is labelled {LABEL!r}, and this model has no such label; name another model")
            self.records.add(row, added)

    def close(self) -> None:
        """Write the file; it appears when it is complete."""
        rows = [record.as_dict() for record in self.records.all()]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.suffix.lower() == ".jsonl":
            with atomic_write(self._path) as stream:
                stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
            return
        temporary = Path(f"{self._path}.tmp")
        try:
            write_csv(lambda: map(_cells, rows), temporary)
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)


def _records(row: Row, added: Added) -> list[Record]:
    """The commitments of a passage, a record for each span."""
    fields = json.loads(row.fields + "}")
    written = str(fields.get("date") or "")
    today = read_date(written)
    language = row.language or identify_language(row.text)
    direct = [span for span in added["spans"] if span["kind"] == "direct"]
    found = []
    for span in added["spans"]:
        if span["label"] == LABEL:
            quoted = any(one["start"] < span["end"] and span["start"] < one["end"] for one in direct)
            parts = find_parts(row.text, (span["start"] - row.start, span["end"] - row.start), language, quoted, today)
            document, name = (str(fields.get(key) or "") for key in ("document", "name"))
            date = today.isoformat() if today is not None else written or None
            place = (document, name, date, language, span["start"], span["end"], span["score"])
            found.append(Record(parts, *place, bool(added["review"]), row.text, str(added["model_version"])))
    return found


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record as cells of which no spreadsheet program makes a formula."""
    cells = {**row, "quantity": "; ".join(row["quantity"])}
    return {name: f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value for name, value in cells.items()}
