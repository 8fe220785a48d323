"""A desk: a folder with labels, articles, annotations and models of its own, which the commands find by its project file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .folders import CONFIGS, find_project_file, project_folder, shown
from .reading.sources import DEFAULTS, ReadingOptions


@dataclass(frozen=True)
class Desk:
    """What commands take where no option says otherwise; all paths are absolute.

    Attributes:
        file: the project file; None where there is none, and newsmark's own names and labels are taken.
        project: title of the project in Label Studio.
        model: name of the registered model, and of the experiment, in MLflow.
        labels: file of labels and topics.
        data: data folder of the Label Studio that ``annotate serve`` starts.
        documents: files of articles and folders of them; empty without a project file.
        annotations: annotation file of these documents; None without a project file.
        reading: how files of documents are read.
    """

    file: Path | None
    project: str
    model: str
    labels: Path
    data: Path
    documents: tuple[Path, ...] = ()
    annotations: Path | None = None
    reading: ReadingOptions = DEFAULTS


def current_desk(start: Path | None = None) -> Desk:
    """Find the desk of a folder, by default of the current one.

    Raises:
        UsageError: its project file is not right.
    """
    file = find_project_file(start)
    if file is None:
        return Desk(None, "newsmark", "newsmark", CONFIGS / "labels.yaml", project_folder() / "label-studio")
    return _read(file, file.stat().st_mtime_ns)


def to_be_named(documents: Path) -> str:
    """Say that a file of documents that was written is not among the desk's yet; nothing where it is, or where there is no project file."""
    desk = current_desk()
    if desk.file is None or documents.absolute() in desk.documents:
        return ""
    return f"; add {os.path.relpath(documents, desk.file.parent)} to 'documents' in {shown(desk.file)}, so that the other commands read it, too"


def annotated_sources(folder: str | None) -> tuple[list[str], str]:
    """Documents and annotations of a folder such as seeds; where none is named, those of the desk."""
    desk = current_desk()
    if folder is None and desk.annotations is not None:
        return list(map(str, desk.documents)), str(desk.annotations)
    return [folder or "seeds"], str(Path(folder or "seeds") / "annotations.jsonl")


@lru_cache(maxsize=2)
def _read(file: Path, changed: int) -> Desk:  # noqa: ARG001 - a file that was changed is read again
    from .project_file import read_project_file  # pydantic takes a tenth of a second, which nobody without a project file needs to wait

    written, folder = read_project_file(file), file.parent
    documents = tuple(folder / path for path in written.documents)
    reading = ReadingOptions(written.recursive, written.encoding or None, written.text_column or None)
    paths = (folder / written.labels, folder / written.data, documents, folder / written.annotations)
    return Desk(file, written.project, written.registered_model, *paths, reading)
