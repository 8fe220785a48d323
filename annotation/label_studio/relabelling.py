"""Renaming and merging labels in a project of Label Studio, step by step: whatever step a run ends at, the next run continues there."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..annotations import Annotation
from ..errors import NewsmarkError
from ..labels import LabelScheme
from ..relabelling import Relabelling, relabelled_scheme, transitional_scheme
from .adjudication import AGREED, prefilled_digest
from .interface import SPAN, kind_control, labels_in, mark_name, read_mark
from .project import Project
from .reading import read_annotation, read_tasks
from .records import read_task

_PASSES = 5  # what annotators submit while a pass runs is changed by the next one


@dataclass(frozen=True)
class Outdated:
    """Something on the server that has an old name.

    Attributes:
        kind: what it is: annotation, draft or prediction.
        id: its number.
        task: number of its task.
        results: the results that it should have.
    """

    kind: str
    id: int
    task: int
    results: Sequence[Any]


@dataclass(frozen=True)
class OnServer:
    """What of a project has old names.

    Attributes:
        project: the project.
        interface: annotators are still offered an old label.
        parts: drafts, predictions and annotations, in the order in which they are changed.
        drafted: tasks with a draft of an annotation that has to change; Label Studio deletes such a draft when the annotation is changed.
    """

    project: Project
    interface: bool
    parts: tuple[Outdated, ...]
    drafted: tuple[int, ...]

    def __bool__(self) -> bool:
        """Whether there is something to change."""
        return bool(self.interface or self.parts)

    @property
    def counts(self) -> dict[str, int]:
        """How many annotations, drafts and predictions have an old name."""
        counts = Counter(one.kind for one in self.parts)
        return {kind: counts[kind] for kind in ("annotation", "draft", "prediction")}


def old_names_in(project: Project, change: Relabelling) -> OnServer:
    """Look for old names in a project."""
    rows, predictions = project.tasks.export_rows(only_annotated=False), project.tasks.prediction_rows()
    drafts = [draft for row in rows for draft in row.get("drafts") or ()]
    annotations = [(row["id"], one) for row in rows for one in row.get("annotations") or ()]
    given = [("draft", one["task"], one) for one in drafts] + [("prediction", one["task"], one) for one in predictions]
    given += [("annotation", task, one) for task, one in annotations]
    parts = []
    for kind, task, one in given:
        if (results := relabelled_results(one.get("result"), change)) != one.get("result"):
            parts.append(Outdated(kind, int(one["id"]), int(task), results))
    changed = {one.id for one in parts if one.kind == "annotation"}
    drafted = dict.fromkeys(int(one["task"]) for one in drafts if one.get("annotation") in changed)
    interface = bool({*change.old} & {*labels_in(project.label_config)})
    return OnServer(project, interface, tuple(parts), tuple(drafted))


def relabel_project(project: Project, scheme: LabelScheme, change: Relabelling, adjudicating: bool) -> Iterator[Outdated]:
    """Change a project: first the interface gets the new name beside the old ones, last it loses these.

    Args:
        project: the project, which has old names.
        scheme: the labels before the change.
        change: what becomes of what.
        adjudicating: it is the project of adjudications.

    Yields:
        What is about to be changed.

    Raises:
        NewsmarkError: a draft would be lost.
    """
    project.ensure(transitional_scheme(scheme, change), None, adjudicating)
    for _ in range(_PASSES):
        found = old_names_in(project, change)
        refuse_drafts(found)
        if not found.parts:
            break
        for part in found.parts:
            yield part
            _update(project, part)
    after = relabelled_scheme(scheme, change)
    if adjudicating:
        _update_disputes(project, after, change)
    project.ensure(after, None, adjudicating)


def refuse_drafts(found: OnServer) -> None:
    """Refuse to change annotations that somebody is editing.

    Raises:
        NewsmarkError: there are such drafts.
    """
    if found.drafted:
        where = ", ".join(found.project.task_url(task) for task in found.drafted[:10])
        raise NewsmarkError(
            f"annotators have changed annotations there and not submitted yet ({where}), and Label Studio would delete these drafts; "
            "let them press Update or discard the drafts, then run the command again"
        )


def _update(project: Project, part: Outdated) -> None:
    if part.kind == "draft":
        project.tasks.update_draft(part.id, part.results)
    elif part.kind == "prediction":
        project.tasks.update_prediction(part.id, part.results)
    else:
        drafted = any(one.get("annotation") == part.id for one in project.tasks.drafts_of(part.task))  # one that has just been begun
        refuse_drafts(OnServer(project, interface=True, parts=(), drafted=(part.task,) if drafted else ()))
        project.tasks.update_annotation(part.id, {"result": part.results})


def _update_disputes(project: Project, scheme: LabelScheme, change: Relabelling) -> None:
    """Bring what a task shows as in dispute, and the digest of what is marked in it already, to the new name."""
    agreed = {one["task"]: one["result"] for one in project.tasks.prediction_rows() if one["model_version"] == AGREED}
    names = "|".join(map(re.escape, change.old))
    for row in project.tasks.export_rows(only_annotated=False):
        if row["id"] in agreed and row["data"].get("prefilled"):
            task = read_task({**row, "annotations": [{"result": agreed[row["id"]]}]})
            marked = read_annotation(task, task.annotations[0], AGREED, scheme).annotation
            shown = re.sub(rf"(?<=</td><td>)(?:{names})(?=</td>| \()", change.new, str(row["data"].get("disputed")))
            data = {
                **row["data"],
                "disputed": shown,
                "prefilled": prefilled_digest(task.text or "", marked.spans if marked else (), marked.topics if marked else ()),
            }
            if task.review:
                names_of = dict.fromkeys(change.old, change.new)
                doubts = [{**vars(one), "label": names_of.get(one.label, one.label)} for one in task.review.doubts]
                data["review"] = {"doubts": doubts, "offered": list(_names(task.review.offered, change))}
            if data != row["data"]:
                project.tasks.set_data(row["id"], data)


def relabelled_results(results: Any, change: Relabelling) -> Any:
    """Give the results of an annotation, draft or prediction the new name; of regions that become equal, one stays."""
    if not isinstance(results, list):
        return results
    renamed = [_renamed(one, change) if isinstance(one, dict) else one for one in results]
    return _without_doubles(renamed, change.new) if renamed != results else results


def _renamed(row: Mapping[str, Any], change: Relabelling) -> Mapping[str, Any]:
    controls = {kind_control(name): kind_control(change.new) for name in change.old}
    if row.get("from_name") in controls:
        return {**row, "from_name": controls[str(row["from_name"])]}
    value = row.get("value")
    if row.get("from_name") != SPAN or not isinstance(value, dict):
        return row
    lists = {key: value[key] for key in ("labels", "hypertextlabels") if isinstance(value.get(key), list)}
    return {**row, "value": {**value, **{key: list(_names(names, change)) for key, names in lists.items()}}}


def _names(names: Sequence[Any], change: Relabelling) -> Iterator[Any]:
    seen = []
    for name in names:
        label, kind = read_mark(name) if isinstance(name, str) else (name, None)
        renamed = mark_name(change.new, kind) if label in change.old else name
        if renamed not in seen:
            seen.append(renamed)
            yield renamed


def _without_doubles(results: Sequence[Any], new: str) -> list[Any]:
    rows = [one for one in results if isinstance(one, dict)]
    ids = Counter(one.get("id") for one in rows if one.get("from_name") == SPAN)
    kinds = {one.get("id"): one["value"].get("choices") for one in rows if one.get("from_name") == kind_control(new) and isinstance(one.get("value"), dict)}
    kept: dict[str, Any] = {}
    gone = set()
    for one in rows:
        value = one.get("value")
        labels = value.get("labels") if isinstance(value, dict) else None
        if one.get("from_name") != SPAN or not isinstance(value, dict) or not isinstance(labels, list) or ids[one.get("id")] != 1:
            continue
        label, kind = read_mark(labels[0]) if len(labels) == 1 and isinstance(labels[0], str) else ("", None)
        if label == new:
            key = json.dumps([value.get("start"), value.get("end"), [kind] if kind else kinds.get(one.get("id"))])
            double = kept.setdefault(key, one)
            if double is not one:
                stays, goes = (one, double) if double.get("origin") == "prediction" != one.get("origin") else (double, one)
                kept[key] = stays
                gone.add(goes.get("id"))
    return [one for one in results if not (isinstance(one, dict) and one.get("id") in gone)]


def with_times_of(project: Project, scheme: LabelScheme, change: Relabelling, local: Sequence[Annotation]) -> list[Annotation]:
    """Note when the server changed annotations, where it says what the file says: nobody has submitted these again.

    It is noted beside the time of the annotator's own work, from which the next pull counts: what others submitted before the change, and nobody
    has pulled, is older than the change.

    Args:
        project: the project after the change.
        scheme: the labels after it.
        change: what became of what.
        local: the annotations of a file after it.
    """
    readings = read_tasks(project, project.tasks.export(only_annotated=True), scheme)
    remote = {(one.annotation.document_id, one.annotator): one.annotation for one in readings if one.annotation}

    def with_time(one: Annotation) -> Annotation:
        there = remote.get((one.document_id, one.annotator))
        same = there and there.task_url == one.task_url and (there.spans, there.topics, there.note) == (one.spans, one.topics, one.note)
        relabelled = there and same and there.updated_at != one.updated_at and change.new in {span.label for span in one.spans}
        return replace(one, relabelled_at=there.updated_at) if there and relabelled else one

    return list(map(with_time, local))
