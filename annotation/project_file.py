"""The project file ``newsmark.yaml``: its keys, their values, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from .errors import UsageError
from .reading.sources import ENCODINGS, is_encoding
from .yaml_files import CHECKED, build, read_mapping


def _title(text: str) -> str:
    if not 3 <= len(text) <= 37:  # Label Studio takes 50, and the project of the disputes is called "… adjudication"
        raise ValueError("a title of 3 to 37 characters")
    return text


def _model_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise ValueError("a name made of letters a to z, digits, '.', '-' and '_'")
    return text


def _path(text: str) -> str:
    if not text.strip():
        raise ValueError("a path")
    return text


def _encoding(text: str) -> str:
    if text and not is_encoding(text):
        raise ValueError(f"the name of an encoding, such as {ENCODINGS}")
    return text


Encoding = Annotated[str, AfterValidator(_encoding)]
"""Type of a field that names an encoding; empty where it is to be found out."""


@checked_dataclass(frozen=True, config=CHECKED)
class ProjectFile:
    """What the project file says; its paths begin at its own folder.

    Attributes:
        project: title of the project in Label Studio.
        registered_model: name of the registered model, and of the experiment, in MLflow.
        labels: file of labels and topics.
        documents: files of articles, folders of them, files of rows.
        annotations: annotation file of these documents; there may be none yet.
        data: data folder of the Label Studio that ``annotate serve`` starts; there may be none yet.
        recursive: read the sub-folders of folders of documents, too.
        encoding: of text files that are not UTF-8; empty to find it out.
        text_column: column or field that holds the text; empty for ``text``, or the only column of long texts.
    """

    project: Annotated[str, AfterValidator(_title)] = "newsmark"
    registered_model: Annotated[str, AfterValidator(_model_name)] = "newsmark"
    labels: Annotated[str, AfterValidator(_path)] = "labels.yaml"
    documents: tuple[str, ...] = Field(default=("articles",), min_length=1, title="paths")
    annotations: Annotated[str, AfterValidator(_path)] = "annotations.jsonl"
    data: Annotated[str, AfterValidator(_path)] = "label-studio"
    recursive: bool = False
    encoding: Encoding = ""
    text_column: str = ""


def read_project_file(path: Path) -> ProjectFile:
    """Read a project file.

    Raises:
        UsageError: it can't be read, a key or a value is not right, or its labels file is missing; the message says which and what would be right.
    """
    found = build(ProjectFile, read_mapping(path, "labels"), lambda key: f"{path}: {key}", str(path))
    if not (path.parent / found.labels).is_file():
        raise UsageError(f"{path}: labels: there is no file {path.parent / found.labels}; correct its name, or write the file")
    return found
