"""Pulling annotations from Label Studio into a local file; nothing local is ever lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from ..annotations import Annotation, annotations_by_document
from ..errors import NewsmarkError
from ..labels import LabelScheme
from .project import Project
from .reading import LeftOut, Reading, read_tasks
from .records import Task, User

_OVERLAP = timedelta(hours=1)  # an edit made while the last pull ran is older than the newest that it saw
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str]
"""What an annotation is known by: document and annotator."""


@dataclass(frozen=True)
class Pulled:
    """What a pull brings.

    Attributes:
        annotations: the local ones with what was pulled, whole.
        new: how many are new.
        changed: how many replaced an older version.
        missing: local ones that came from the server and are there no longer; they are kept. (After an incremental pull: of tasks that
            are still there; a deletion is a change of the task.)
        repeated: new ones by annotators who had annotated the document before.
        left_out: what could not be read.
        foreign: tasks with annotations that newsmark did not push.
    """

    annotations: tuple[Annotation, ...]
    new: int
    changed: int
    missing: tuple[Annotation, ...]
    repeated: tuple[Annotation, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    foreign: tuple[Task, ...] = ()


def pull_annotations(project: Project, local: Sequence[Annotation], scheme: LabelScheme, everything: bool, strict: bool = False) -> Pulled:
    """Pull annotations and merge them with the local ones.

    An annotation is known by its document and annotator. Incremental: only tasks changed since an hour before the newest local
    annotation are asked for, whatever ``annotate labels`` changed since (``Annotation.relabelled_at``).

    Args:
        project: the project.
        local: annotations present.
        scheme: labels and topics.
        everything: pull all tasks, and report also what was lost with a whole task.
        strict: refuse all where a part can't be read.

    Raises:
        NewsmarkError: the server fails, or a part of an annotation can't be read and ``strict`` is set.
    """
    ours = [one for one in local if (one.task_url or "").startswith(f"{project.url}/")]  # those of other projects mean nothing here
    newest = max((moment for one in ours if (moment := _moment(one.updated_at))), default=None)
    incremental = newest is not None and not everything
    tasks = project.tasks.updated_since(_before(newest)) if newest and incremental else project.tasks.export(only_annotated=True)
    tasks += _other_tasks(project, tasks, ours) if incremental else []
    readings = _renamed(_recognised(read_tasks(project, tasks, scheme), ours), ours)
    merged = {(one.document_id, one.annotator): one for one in local}
    remote, doubtful = _with_one_truth(readings, merged)
    left_out = [*(one for reading in readings for one in reading.left_out), *doubtful]
    if strict and left_out:
        raise NewsmarkError(str(left_out[0]))
    new = {key: None for key in remote if key not in merged}
    changed = [key for key, one in remote.items() if key in merged and not _same(merged[key], one)]
    seen, present = {project.task_url(task.id) for task in tasks}, {(reading.task.sha256, reading.annotator) for reading in readings}
    missing = tuple(one for one in ours if (one.document_id, one.annotator) not in present and (not incremental or one.task_url in seen))
    merged |= {key: _as_offered(merged.get(key), remote[key]) for key in (*new, *changed)}
    foreign = tuple(task for task in tasks if not task.pushed and task.annotations)
    repeated = tuple(one.annotation for one in readings if one.repeated and one.annotation and (one.annotation.document_id, one.annotator) in new)
    return Pulled(tuple(merged.values()), len(new), len(changed), missing, repeated, tuple(left_out), foreign)


def _other_tasks(project: Project, tasks: Sequence[Task], ours: Iterable[Annotation]) -> list[Task]:
    """Fetch unchanged copies of the changed tasks: an annotator's annotations of one document are numbered over all of them."""
    hashes, seen = {task.sha256 for task in tasks}, {project.task_url(task.id) for task in tasks}
    copied = {one.document_id for one in ours if one.document_id in hashes and one.task_url not in seen}
    return [task for task in project.tasks.find_whole(sorted(copied)) if project.task_url(task.id) not in seen]


def _recognised(readings: Sequence[Reading], ours: Iterable[Annotation]) -> list[Reading]:
    """Give annotations of deleted users back the names that earlier pulls wrote, by their time or by what they say."""
    present = {(reading.task.sha256, reading.annotator) for reading in readings}
    orphans: dict[str, list[Annotation]] = {}
    for one in ours:
        if (one.document_id, one.annotator) not in present:
            orphans.setdefault(one.document_id, []).append(one)

    def recognise(reading: Reading) -> Reading:
        found = reading.annotation
        own = orphans.get(found.document_id, []) if found and reading.deleted else []
        for one in own:
            if found and _is_same(one, found):
                own.remove(one)
                return replace(reading, annotator=one.annotator, annotation=replace(found, annotator=one.annotator))
        return reading

    return list(map(recognise, readings))


def _renamed(readings: Sequence[Reading], ours: Iterable[Annotation]) -> list[Reading]:
    """Give the annotations of one annotator and document the names that an earlier pull gave them, where another one of them is gone by now.

    They are known by their time or by what they say. Where one is found under another name, what is new or changed gets a name that nothing has.
    """
    local = annotations_by_document(ours)
    groups: dict[tuple[str | None, User], list[int]] = {}
    for number, reading in enumerate(readings):
        if not reading.deleted:
            groups.setdefault((reading.task.sha256, reading.user), []).append(number)
    renamed = list(readings)
    for (document, _), own in groups.items():
        first = readings[own[0]].annotator
        known = {one.annotator: one for one in local.get(str(document), ()) if re.fullmatch(rf"{re.escape(first)}(?: \(\d+\))?", one.annotator)}
        names: dict[int, str] = {}
        for number in own:
            given, found = readings[number].annotator, readings[number].annotation
            same = [name for name, one in known.items() if found and name not in names.values() and _is_same(one, found)]
            if same:
                names[number] = given if given in same else same[0]
        if all(readings[number].annotator == name for number, name in names.items()):
            continue
        free = (name for number in count(1) if (name := f"{first} ({number})" if number > 1 else first) not in known)
        for number in own:
            name, found = names.get(number) or next(free), readings[number].annotation
            renamed[number] = replace(readings[number], annotator=name, annotation=found and replace(found, annotator=name))
    return renamed


def _is_same(local: Annotation, remote: Annotation) -> bool:
    same_time = remote.updated_at is not None and remote.updated_at in {local.updated_at, local.relabelled_at}
    return local.task_url == remote.task_url and (same_time or _content(replace(local, annotator=remote.annotator)) == _content(remote))


def _with_one_truth(readings: Iterable[Reading], local: dict[Key, Annotation]) -> tuple[dict[Key, Annotation], list[LeftOut]]:
    """Take one mark as ground truth per document: where the server has another one too, that of the local file, or else the first."""
    tasks = {(one.annotation.document_id, one.annotator): (one.task, one.annotation) for one in readings if one.annotation}
    remote = {key: annotation for key, (_, annotation) in tasks.items()}
    truths = {key[0]: key for key, one in local.items() if remote.get(key, one).ground_truth and one.ground_truth}
    left_out = []
    for key, (task, annotation) in tasks.items():
        if annotation.ground_truth and truths.setdefault(key[0], key) != key:
            reason = f"marked as ground truth, and so is that of {truths[key[0]][1]}, which stays the ground truth; unmark one of them in Label Studio"
            left_out.append(LeftOut(task.id, task.name, key[1], reason))
            remote[key] = replace(annotation, ground_truth=False)
    return remote, left_out


def _same(local: Annotation, remote: Annotation) -> bool:
    """Whether the annotator said the same, at whatever time and in whatever task.

    Labels that the interface offers by now count only where the annotator has submitted again: then they were judged, too. To rename a
    label is no submission. Times of two tasks say nothing about that: a decision has one in the project of adjudications, and another where
    its star is.
    """
    known = None not in {local.updated_at, remote.updated_at}
    times = {_moment(time) for time in (local.updated_at, local.relabelled_at) if time}
    again = local.task_url == remote.task_url and known and _moment(remote.updated_at) not in times
    return _content(local) == _content(remote) and not (again and set(local.offered or ()) != set(remote.offered or ()))


def _as_offered(local: Annotation | None, remote: Annotation) -> Annotation:
    """Keep what the annotator was offered where only the star of the ground truth has changed: that is no submission; and keep what was reviewed."""
    remote = replace(remote, reviewed=local.reviewed) if local else remote
    if local and local.ground_truth != remote.ground_truth and _content(local) == _content(replace(remote, ground_truth=local.ground_truth)):
        return replace(remote, offered=local.offered)
    return remote


def _content(one: Annotation) -> Annotation:
    return replace(one, name="", updated_at=None, relabelled_at=None, task_url=None, offered=None, reviewed=())


def _moment(text: str | None) -> datetime | None:
    """Read a time; None where there is none, or it can be none of the server's."""
    try:
        time = datetime.fromisoformat(text or "")
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return time if _FIRST <= time <= datetime.now(UTC) + _OVERLAP else None


def _before(moment: datetime) -> str:
    return (moment - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # the only form that Label Studio reads; it answers 500 to others
