"""Labelled rows as tables that spreadsheet programs open: .csv and .xlsx."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .fields import free_name

MOST_ROWS, MOST_CHARACTERS = 1_048_576, 32_767
"""What a sheet and a cell of a workbook hold (Excel's limits)."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

Rows = Callable[[], Iterator[dict[str, Any]]]


def write_csv(rows: Rows, target: Path) -> int:
    """Write rows (read twice) as UTF-8 with a byte order mark, by which spreadsheet programs know it.

    Returns:
        The number of rows.
    """
    count = 0
    columns = _columns(rows)
    with target.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in map(_flat, rows()):
            writer.writerow([row.get(column) for column in columns])
            count += 1
    return count


def write_xlsx(rows: Rows, target: Path) -> int:
    """Write rows (read twice) as a workbook of one sheet; a line on standard error counts the texts that a cell could not hold whole.

    Returns:
        The number of rows.

    Raises:
        OverflowError: a sheet can't hold them.
    """
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    columns = _columns(rows)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("newsmark")
    sheet.freeze_panes = "A2"
    cut = 0

    def cell(value: Any) -> Any:
        nonlocal cut
        if not isinstance(value, str):
            return value
        text = _CONTROLS.sub("", value)
        cut += len(text) > MOST_CHARACTERS
        made = WriteOnlyCell(sheet, text[:MOST_CHARACTERS])
        made.data_type = "s"  # a text that begins with "=" is no formula
        return made

    sheet.append([cell(column) for column in columns])
    count = 0
    for count, row in enumerate(map(_flat, rows()), start=1):
        if count == MOST_ROWS:
            raise OverflowError(f"a sheet holds {MOST_ROWS - 1:,} rows at most; name a .csv file")
        sheet.append([cell(row.get(column)) for column in columns])
    book.save(target)
    if cut:
        are = "text is" if cut == 1 else "texts are"
        print(f"{cut} {are} cut: a cell of a workbook holds {MOST_CHARACTERS:,} characters; .csv, .jsonl and .parquet files hold all", file=sys.stderr)
    return count


def _columns(rows: Rows) -> list[str]:
    names: dict[str, None] = {}
    for row in rows():
        names |= dict.fromkeys(_flat(row))
    return list(names)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose values fit into cells: names in a list are divided by commas, each score has a column, other objects are JSON."""
    flat: dict[str, Any] = {}
    scores = {f"score_{label}": score for label, score in row.get("scores", {}).items()}
    for field, value in row.items():
        name = free_name(field, row, tuple(scores))
        if field == "scores":
            flat |= scores
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            flat[name] = ", ".join(value)
        else:
            flat[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
    return flat
