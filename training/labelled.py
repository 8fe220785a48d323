"""Labelled passages from files: JSONL rows with ``text`` and ``labels``, of a corpus or to score on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..annotation.errors import NewsmarkError, unknown_name
from ..annotation.files import names_of, read_jsonl, text_of
from ..annotation.labels import LabelScheme
from .dataset import UNKNOWN_KIND, UNKNOWN_LANGUAGE, LabelledPassages, targets_of


def load_labelled(path: Path, scheme: LabelScheme, judged: Iterable[str] | None = None) -> LabelledPassages:
    """Read labelled passages: a JSONL file, or a folder of them, one passage per row, in reading order.

    A row has ``text`` and ``labels`` (a list, empty for none), and where known ``lang``, ``document`` (or ``page``) and ``kind``.
    ``judged`` lists the labels that were judged; a row without it was judged for the labels that such rows of the file or
    folder have, all together.

    Args:
        path: the file or folder.
        scheme: labels and topics.
        judged: labels that rows without ``judged`` were judged for, where that is known.

    Raises:
        NewsmarkError: a row is not as it must be (names the line), or there is none.
    """
    rows = _labelled_rows(path, judged)
    for where, name in [*((row.where, name) for row in rows for name in row.labels), *((row.where, name) for row in rows for name in row.judged)]:
        if name not in scheme.label_names:
            raise NewsmarkError(f"{where}: {unknown_name('label', name, scheme.label_names)}")
    if not any(row.judged for row in rows):
        raise NewsmarkError(f"{path}: no row has a label or says in 'judged' which labels were judged, so there is nothing to score; add 'judged' to the rows")
    return _as_passages(rows, scheme)


def load_corpus(path: Path, scheme: LabelScheme) -> tuple[LabelledPassages, tuple[str, ...]]:
    """Read labelled passages whose labels may be others than the scheme's (see ``load_labelled``); the scheme's other labels are not judged.

    Returns:
        The passages, and the names of their labels that the scheme does not have.
    """
    rows = _labelled_rows(path)
    others = {name for row in rows for name in row.labels | row.judged} - {*scheme.label_names}
    return _as_passages(rows, scheme), tuple(sorted(others))


@dataclass(frozen=True)
class _LabelledRow:
    """A row of labelled passages: where it is, its labels and those that were judged, and the other columns."""

    where: str
    labels: frozenset[str]
    judged: frozenset[str]
    text: str
    document: str
    language: str
    kind: str


def _labelled_rows(path: Path, judged: Iterable[str] | None = None) -> list[_LabelledRow]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found = [(where, row) for file in files for where, row in read_jsonl(file)]
    if not found:
        raise NewsmarkError(f"{path}: {'no .jsonl file in this folder has' if path.is_dir() else 'the file has no'} rows")
    labels = [_labels_of(where, row) for where, row in found]
    usual = frozenset(judged or ()).union(*(own for own, (_, row) in zip(labels, found, strict=True) if row.get("judged") is None))
    return [_labelled_row(where, row, own, usual) for own, (where, row) in zip(labels, found, strict=True)]


def _labels_of(where: str, row: dict[str, Any]) -> frozenset[str]:
    if not isinstance(row.get("labels"), list):
        raise NewsmarkError(f"{where}: field 'labels' must be a list of label names, empty for none")
    return frozenset(map(str, row["labels"]))


def _labelled_row(where: str, row: dict[str, Any], labels: frozenset[str], usual: frozenset[str]) -> _LabelledRow:
    judged = usual if row.get("judged") is None else frozenset(names_of(row, "judged", where))
    if labels - judged:
        raise NewsmarkError(f"{where}: label {min(labels - judged)!r} is given, but not among the row's 'judged'; add it there")
    document = str(row.get("document") or row.get("page") or where)
    language, kind = str(row.get("lang") or UNKNOWN_LANGUAGE), str(row.get("kind") or UNKNOWN_KIND)
    return _LabelledRow(where, labels, judged, text_of(row, where), document, language, kind)


def _as_passages(rows: Sequence[_LabelledRow], scheme: LabelScheme) -> LabelledPassages:
    documents = np.asarray([row.document for row in rows])
    return LabelledPassages(
        scheme.label_names,
        [row.text for row in rows],
        np.asarray([targets_of(row.labels, row.judged, scheme) for row in rows], dtype=np.float32),
        documents,
        documents,
        np.asarray([row.language for row in rows]),
        documents,
        [(0, len(row.text)) for row in rows],
        np.asarray([row.kind for row in rows]),
    )
