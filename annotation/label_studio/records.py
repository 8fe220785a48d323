"""Label Studio's JSON, read once: tasks, annotations, their results, and predictions.

Nothing is refused here: what other programs, edits by hand or other versions left out or wrote otherwise becomes None or empty, and who needs it
decides (see ``reading``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from ..annotations import Reviewed
from ..reading.sources import METADATA
from .interface import NOTE


@dataclass(frozen=True)
class User:
    """Who made an annotation; both are None where the user was deleted.

    Attributes:
        id: number of the user on the server.
        email: address, where the JSON has one.
    """

    id: int | None
    email: str | None = None


@dataclass(frozen=True)
class Result:
    """One entry of an annotation: a region with labels, choices, or a text.

    Attributes:
        id: which all results of one region share.
        control: name of the control that made it (``from_name``).
        start: offset of a region's first character; None where there is none, or none that counts characters.
        end: offset after its last character, likewise.
        labels: labels of a region.
        choices: what was chosen.
        lines: what was written.
        accepted: a suggestion that the annotator kept.
        raw: the JSON.
    """

    id: str
    control: str
    start: int | None
    end: int | None
    labels: tuple[str, ...]
    choices: tuple[str, ...]
    lines: tuple[str, ...]
    accepted: bool
    raw: Any = field(repr=False)

    @property
    def values(self) -> tuple[str, ...]:
        """Names that the labels file has: labels, kinds and topics."""
        return self.labels + self.choices


@dataclass(frozen=True)
class StudioAnnotation:
    """An annotation as the server has it.

    Attributes:
        id: number of the annotation.
        user: who made it.
        skipped: the annotator passed the task over.
        ground_truth: it is marked as the ground truth.
        updated_at: when it last changed (ISO 8601); None where that is not known.
        results: None where the JSON holds no list of them.
        created_at: when it was submitted first, likewise.
        seconds: how long the annotator had it open; None where it was not made in the interface.
    """

    id: int
    user: User
    skipped: bool
    ground_truth: bool
    updated_at: str | None
    results: tuple[Result, ...] | None
    created_at: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Review:
    """What a task asks about doubtful labels of a document whose annotation is marked in it already.

    Attributes:
        doubts: what is in doubt.
        offered: labels that the annotation judges; the reviewer does not look for others.
    """

    doubts: tuple[Reviewed, ...]
    offered: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A task: a document as annotators see it.

    Attributes:
        id: number of the task.
        name: name of the document, or else of the task.
        text: the text shown.
        sha256: id of the document that was pushed.
        annotations: what annotators submitted, the oldest first.
        has_drafts: somebody has begun an annotation and not submitted it.
        disputed: of a task to adjudicate, what is shown as in dispute.
        prefilled: of a task to adjudicate, a digest of what is marked already.
        review: of a task to adjudicate, the doubts that it asks about; None where annotators are in dispute.
        language: of the text, where the data names it.
        metadata: what the data say about the article (see ``Document.metadata``).
        odd_sha256: what the data have as the hash, where that can be none; then ``sha256`` is None.
    """

    id: int
    name: str
    text: str | None
    sha256: str | None
    annotations: tuple[StudioAnnotation, ...] = ()
    has_drafts: bool = False
    disputed: str | None = None
    prefilled: str | None = None
    review: Review | None = None
    language: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    odd_sha256: str | None = None

    @property
    def pushed(self) -> bool:
        """Whether newsmark pushed it; somebody may have added tasks of their own."""
        return self.text is not None and self.sha256 is not None

    @property
    def begun(self) -> bool:
        """Whether somebody has submitted, skipped or begun an annotation."""
        return bool(self.annotations) or self.has_drafts

    @cached_property
    def edited(self) -> bool:
        """Whether the text is another one than was pushed, so that offsets mean something else."""
        return self.sha256 != sha256((self.text or "").encode(errors="replace")).hexdigest()


@dataclass(frozen=True)
class Prediction:
    """Suggestions for a task.

    Attributes:
        task: number of the task.
        version: of the rules or the model that made them.
        created_at: when they were stored (ISO 8601); None where that is not known.
        results: what is suggested.
    """

    task: int
    version: str
    created_at: str | None = None
    results: tuple[Result, ...] = ()


def read_task(row: Mapping[str, Any]) -> Task:
    """Read a task of an export or of a list."""
    data = _object(row.get("data"))
    annotations = sorted((_annotation(one) for one in _list(row.get("annotations")) if isinstance(one, dict)), key=lambda one: one.id)
    text, digest = data.get("text"), data.get("sha256")
    return Task(
        int(row["id"]),
        _string(data.get("name")) or f"task {row['id']}",
        text if isinstance(text, str) else None,
        digest if isinstance(digest, str) else None,
        tuple(annotations),
        bool(row.get("drafts")),
        _string(data.get("disputed")),
        _string(data.get("prefilled")),
        _review(data.get("review")),
        _string(data.get("lang")),
        {key: value for key in METADATA if (value := _string(data.get(key)))},
        None if digest is None or isinstance(digest, str) else json.dumps(digest)[:40],
    )


def _review(value: Any) -> Review | None:
    if not isinstance(value, dict):
        return None
    places = [(_whole(one.get("start")), _whole(one.get("end")), _string(one.get("label"))) for one in map(_object, _list(value.get("doubts")))]
    doubts = tuple(Reviewed(start, end, label) for start, end, label in places if start is not None and end is not None and label is not None)
    return Review(doubts, _strings(value.get("offered") or []))


def read_prediction(row: Mapping[str, Any]) -> Prediction:
    """Read a prediction of a list."""
    return Prediction(int(row["task"]), str(row.get("model_version")), _moment(row.get("created_at")), tuple(map(_result, _list(row.get("result")))))


def _annotation(row: Mapping[str, Any]) -> StudioAnnotation:
    results = row.get("result")
    return StudioAnnotation(
        _whole(row.get("id")) or 0,
        _user(row.get("completed_by")),
        bool(row.get("was_cancelled")),
        bool(row.get("ground_truth")),
        _moment(row.get("updated_at")) or _moment(row.get("created_at")),
        tuple(map(_result, results)) if isinstance(results, list) else None,
        _moment(row.get("created_at")),
        _seconds(row.get("lead_time")),
    )


def _user(value: Any) -> User:
    if isinstance(value, dict):  # as many exports write it
        return User(_whole(value.get("id")), _string(value.get("email")) or _string(value.get("username")))
    return User(None, value) if isinstance(value, str) and value and not value.isdecimal() else User(_whole(value))


def _result(raw: Any) -> Result:
    row = _object(raw)
    value = _object(row.get("value"))
    start, end = _whole(value.get("start")), _whole(value.get("end"))
    if start is None or end is None:  # of a hypertext, start and end are XPaths, and these count characters
        offsets = _object(value.get("globalOffsets"))
        start, end = _whole(offsets.get("start")), _whole(offsets.get("end"))
    control = _string(row.get("from_name")) or ""
    return Result(
        _string(row.get("id")) or "",
        control,
        start,
        end,
        _strings(value.get("labels") or value.get("hypertextlabels")),
        _strings(value.get("choices")),
        _strings(value.get("text")) if control == NOTE else (),  # a region repeats the words that it marks
        row.get("origin") == "prediction",
        raw,
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1 and abs(value) < 2**63 else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf") else None


def _string(value: Any) -> str | None:
    """A text that a file can hold; half of a surrogate pair is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.encode(errors="replace").decode() if isinstance(value, str) and value.strip() else None


def _strings(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(_string(one) or json.dumps(one) for one in values if one is not None)


def _moment(value: Any) -> str | None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return str(value)
