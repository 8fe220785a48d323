"""Pulling annotations from Label Studio into a local file; nothing local is ever lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..annotations import Annotation
from ..errors import NewsmarkError
from ..labels import LabelScheme
from .client import Studio
from .tasks import from_annotation

_OVERLAP = timedelta(hours=1)  # an edit made while the last pull ran is older than the newest that it saw


@dataclass(frozen=True)
class Pulled:
    """What a pull brings.

    Attributes:
        annotations: the local ones with what was pulled, whole.
        new: how many are new.
        changed: how many replaced an older version.
        missing: local ones that came from the server and are there no longer; they are kept. (After an incremental pull: of tasks that
            are still there; a deletion is a change of the task.)
    """

    annotations: tuple[Annotation, ...]
    new: int
    changed: int
    missing: tuple[Annotation, ...]


def pull_annotations(studio: Studio, local: Sequence[Annotation], scheme: LabelScheme, everything: bool) -> Pulled:
    """Pull annotations and merge them with the local ones.

    An annotation is known by its document and annotator. Incremental: only tasks changed since an hour before the newest local
    annotation are asked for.

    Args:
        studio: the server.
        local: annotations present.
        scheme: labels and topics.
        everything: pull all tasks, and report also what was lost with a whole task.

    Raises:
        NewsmarkError: the server fails, an annotation does not fit the labels file, or a document has two ground truths.
    """
    ours = f"{studio.project_url}/"  # local annotations of other projects, adjudications say, tell nothing about this one
    newest = max((one.updated_at for one in local if one.updated_at and (one.task_url or "").startswith(ours)), default=None)
    incremental = newest is not None and not everything
    tasks = studio.updated_since(_before(str(newest))) if incremental else studio.export(only_annotated=True)
    remote = {(one.document_id, one.annotator): one for task in tasks for one in _of_task(studio, task, scheme)}
    merged = {(one.document_id, one.annotator): one for one in local}
    new = [key for key in remote if key not in merged]
    changed = [key for key, one in remote.items() if key in merged and not _same(merged[key], one)]
    seen = {studio.task_url(int(task["id"])) for task in tasks}
    gone = [one for key, one in merged.items() if (one.task_url or "").startswith(ours) and key not in remote]
    missing = tuple(one for one in gone if not incremental or one.task_url in seen)
    merged |= {key: remote[key] for key in (*new, *changed)}
    _refuse_two_truths(list(merged.values()))
    return Pulled(tuple(merged.values()), len(new), len(changed), missing)


def _refuse_two_truths(annotations: Sequence[Annotation]) -> None:
    truths: dict[str, Annotation] = {}
    for one in annotations:
        if one.ground_truth and truths.setdefault(one.document_id, one) is not one:
            both = f"{truths[one.document_id].annotator} and {one.annotator}"
            raise NewsmarkError(f"{one.name}: the annotations of {both} are both marked as ground truth; unmark one, then pull again")


def _of_task(studio: Studio, task: dict[str, Any], scheme: LabelScheme) -> list[Annotation]:
    annotations = sorted(task["annotations"], key=lambda one: str(one["updated_at"]))
    url = studio.task_url(int(task["id"]))
    return [replace(from_annotation(task, one, studio.annotator_name(one), scheme), task_url=url) for one in annotations]


def _same(local: Annotation, remote: Annotation) -> bool:
    """Whether what the annotator said is the same, whenever and wherever it was said."""
    return replace(local, name="", updated_at=None, task_url=None) == replace(remote, name="", updated_at=None, task_url=None)


def _before(moment: str) -> str:
    try:
        time = datetime.fromisoformat(moment)
    except ValueError:
        raise NewsmarkError(f"updated_at {moment!r} of a local annotation is no time as ISO 8601 writes it; remove it from the file") from None
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return (time - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # the only form that Label Studio reads; it answers 500 to others
