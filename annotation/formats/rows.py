"""Reading the rows of other tools' files: JSON, JSONL and tables, and the fields that they have in common."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NewsmarkError, UsageError
from ..files import decode, read_jsonl
from ..reading.sources import METADATA
from .exchange import Mark


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the objects of a JSONL file, of a JSON list, or a single JSON object, each with where it stands.

    Raises:
        NewsmarkError: the file is neither.
    """
    if path.suffix.lower() not in {".jsonl", ".ndjson"}:
        content = read_json(path, lines_allowed=True)
        if content is not None:
            rows = content if isinstance(content, list) else [content]
            for number, row in enumerate(rows, start=1):
                where = f"{path}, entry {number}"
                if not isinstance(row, dict):
                    raise NewsmarkError(f"{where}: expected a JSON object, got {type(row).__name__}")
                yield where, row
            return
    yield from read_jsonl(path)


def read_json(path: Path, lines_allowed: bool = False) -> Any:
    """Read a JSON file.

    Args:
        path: the file; an export of a whole project may be of any size.
        lines_allowed: give None where it holds an object per line instead.

    Raises:
        NewsmarkError: it is no JSON, or holds what is no text.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    try:
        content = json.loads(raw.decode("utf-8-sig"))
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NewsmarkError(f"{path}: holds a lone surrogate, which is no character; repair the text") from None
    except (ValueError, RecursionError) as error:
        if lines_allowed and raw.strip().startswith(b"{"):
            return None
        decode(raw[:1_000_000], str(path))  # says where it is no UTF-8
        raise NewsmarkError(f"{path}: broken JSON ({error})") from None
    return content


def text_field(row: Mapping[str, Any], chosen: str | None, where: str, usual: Sequence[str] = ("text",)) -> str:
    """Take the text of a row.

    Args:
        row: the row.
        chosen: name of the field, where the user named it.
        where: file and line.
        usual: the names to look for.

    Raises:
        NewsmarkError: there is no such field, or it is no string.
    """
    for name in [chosen] if chosen else usual:
        if isinstance(row.get(name), str):
            return str(row[name])
    named = f"{chosen!r}" if chosen else " or ".join(map(repr, usual))
    raise NewsmarkError(f"{where}: no string field {named} with the text; there are: {', '.join(map(str, row)) or 'none'}; name it with --text-field")


def string(value: Any) -> str | None:
    """Take a value that may be a name: a string that is not blank, or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def metadata_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Take what the fields of a row say of an article (``METADATA``)."""
    return {key: value for key in METADATA if (value := string(row.get(key)))}


def listed(value: Any) -> list[Any]:
    """Take a list; what is none is an empty one."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """Take the objects of a list."""
    return [one for one in listed(value) if isinstance(one, dict)]


def mapping(value: Any) -> dict[str, Any]:
    """Take an object; what is none is an empty one."""
    return value if isinstance(value, dict) else {}


def marks_of(rows: Any, problems: list[str]) -> tuple[Mark, ...]:
    """Read spans that are objects with ``start``, ``end``, ``label`` (or as doccano calls them) or lists of these three.

    Args:
        rows: what stands where the spans should be.
        problems: what can't be read is added here.
    """
    marks = []
    for number, row in enumerate(rows if isinstance(rows, list | tuple) else [], start=1):
        if isinstance(row, list | tuple) and len(row) >= 3:
            row = {"start": row[0], "end": row[1], "label": row[2]}
        if not isinstance(row, Mapping):
            problems.append(f"span {number} is no object and no list of start, end and label")
            continue
        start, end = row.get("start", row.get("start_offset")), row.get("end", row.get("end_offset"))
        label = string(row.get("label", row.get("label_name")))
        if label is None or not is_whole(start) or not is_whole(end):
            problems.append(f"span {number} has no whole start and end, or no label")
            continue
        marks.append(Mark(int(start), int(end), label, row.get("text") if isinstance(row.get("text"), str) else None))
    if rows is not None and not isinstance(rows, list | tuple):
        problems.append(f"the spans are {type(rows).__name__}, not a list")
    return tuple(marks)


def unread(row: Mapping[str, Any], read: Container[str]) -> list[str]:
    """Name the fields of a row that hold what looks like spans, or a tag per token, and that the format does not read.

    Args:
        row: the row.
        read: names of the fields that are read.
    """
    found = [str(key) for key, value in row.items() if key != "tokens" and key not in read and _like_annotations(value, row.get("tokens"))]
    return [f"the field {key!r} looks like annotations, and this format has none there; --format names another format" for key in found]


def _like_annotations(value: Any, tokens: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    tag_per_token = isinstance(tokens, list) and len(value) == len(tokens) > 1 and all(is_whole(one) or isinstance(one, str) for one in value)
    return tag_per_token or bool(marks_of(value, [])) or any(isinstance(one, dict) and "result" in one for one in value)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_bytes_as_text(path: Path) -> str:
    """Read a table, of any size, with or without a byte order mark.

    Raises:
        NewsmarkError: it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise NewsmarkError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8 and try again") from None
