"""Arrow: the files of a Hugging Face data set that ``save_to_disk`` wrote, and the folder that holds them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import NewsmarkError
from ..files import parse_json, read_text
from .parquet import first_line, rows_of
from .sources import Entry, ReadingOptions, Source

_SPLITS, _STATE = "dataset_dict.json", "state.json"


def read_arrow_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read rows with all their values, as those of Parquet.

    Raises:
        NewsmarkError: the file can't be read.
    """
    yield from rows_of(_batches(source), source, options)


def _batches(source: Source) -> Iterator[Any]:
    import pyarrow

    try:
        with pyarrow.memory_map(str(source.path)) if source.path else io.BytesIO(source.read()) as stream:
            if stream.read(6) == b"ARROW1":  # other programs write the layout for random access
                opened = pyarrow.ipc.open_file(stream)
                yield from map(opened.get_batch, range(opened.num_record_batches))
            else:
                stream.seek(0)
                yield from pyarrow.ipc.open_stream(stream)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise NewsmarkError(f"{source.name}: no readable Arrow file ({first_line(error)})") from None


def data_set_files(folder: Path) -> list[Path] | None:
    """The files of a data set that ``save_to_disk`` wrote, of all its splits, in their order; None where the folder is none.

    Raises:
        NewsmarkError: a file of it is missing, or is not as it must be.
    """
    if (folder / _SPLITS).is_file():
        splits = _listed(folder / _SPLITS, "splits")
        return [file for name in splits for file in data_set_files(folder / Path(str(name)).name) or _missing(folder, f"its split {name!r}")]
    if not (folder / _STATE).is_file() or not (folder / "dataset_info.json").is_file():
        return None
    names = [str(one.get("filename")) if isinstance(one, dict) else "" for one in _listed(folder / _STATE, "_data_files")]
    files = [folder / Path(name).name for name in names]
    return [file if file.is_file() else _missing(folder, file.name) for file in files] or _missing(folder, "every file of rows")


def _listed(path: Path, key: str) -> list[Any]:
    content = parse_json(read_text(path), str(path))
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise NewsmarkError(f"{path}: names no files ({key!r}); save the data set again with save_to_disk")
    return found


def _missing(folder: Path, what: str) -> Any:
    raise NewsmarkError(f"{folder}: {what} of this data set is missing; save it again with save_to_disk")
