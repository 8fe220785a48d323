"""From what annotators did in Label Studio to newsmark's annotations: what can be read is read, and the rest is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..annotations import Annotation, Span
from ..errors import NewsmarkError
from ..labels import LabelScheme
from .interface import NOTE, SPAN, TOPICS, kind_control, read_mark
from .records import Result, StudioAnnotation, Task, User

if TYPE_CHECKING:
    from .project import Project

EDITED = "the text in Label Studio is not the one that was pushed (its SHA-256 differs): push the new text as a document of its own"
"""Why nothing is taken from a task whose text was changed there."""


@dataclass(frozen=True)
class LeftOut:
    """A part of an annotation that could not be read.

    Attributes:
        task: number of the task.
        name: name of its document.
        annotator: who made the annotation.
        reason: what is wrong, and what to do.
    """

    task: int
    name: str
    annotator: str
    reason: str

    def __str__(self) -> str:
        """Name the task, the annotator and the reason in one line."""
        return f"task {self.task} ({self.name}), {self.annotator}: {self.reason}"


@dataclass(frozen=True)
class Reading:
    """What was read of an annotation on the server.

    Attributes:
        task: its task.
        user: who made it.
        annotator: the name for the file.
        annotation: None where nothing of it could be read.
        left_out: the parts that could not.
        deleted: the server does not know its user any more.
        repeated: the annotator had annotated the document before.
        stored: what it was read from.
    """

    task: Task
    user: User
    annotator: str
    annotation: Annotation | None
    left_out: tuple[LeftOut, ...] = ()
    deleted: bool = False
    repeated: bool = False
    stored: StudioAnnotation | None = None

    def whole(self) -> Annotation:
        """Give the annotation where all of it was read.

        Raises:
            NewsmarkError: some of it was not.
        """
        if self.left_out or self.annotation is None:
            raise NewsmarkError(str(self.left_out[0]))
        return self.annotation


def read_tasks(project: Project, tasks: Iterable[Task], scheme: LabelScheme) -> list[Reading]:
    """Read all annotations of tasks that newsmark pushed; their annotators were offered the labels of the project's interface as it is now.

    Args:
        project: the tasks' project.
        tasks: tasks with their annotations.
        scheme: labels and topics.
    """
    readings, offered = [], project.offered_labels
    for task, stored, annotator in with_annotators(project, tasks):
        reading, known = read_annotation(task, stored, annotator, scheme), project.annotators.name_of(stored.user)
        annotation = reading.annotation and replace(reading.annotation, task_url=project.task_url(task.id), offered=offered)
        readings.append(replace(reading, annotation=annotation, deleted=known is None, repeated=known not in {None, annotator}, stored=stored))
    return readings


def with_annotators(project: Project, tasks: Iterable[Task]) -> Iterator[tuple[Task, StudioAnnotation, str]]:
    """Give each annotation of tasks that newsmark pushed its annotator's name.

    Where one annotator annotated a document more than once, the first annotation has the annotator's name, and the following
    ones "NAME (2)" and so on, so that none is lost.

    Args:
        project: the tasks' project.
        tasks: all tasks of their documents, with their annotations.
    """
    taken: set[tuple[str | None, str]] = set()
    for task in sorted(tasks, key=lambda one: one.id):
        for stored in _without_skips_taken_back(task.annotations) if task.pushed else ():
            name = project.annotators.name_of(stored.user) or ("deleted user" if stored.user.id is None else f"deleted user {stored.user.id}")
            own, number = name, 1
            while (task.sha256, own) in taken:
                number += 1
                own = f"{name} ({number})"
            taken.add((task.sha256, own))
            yield task, stored, own


def _without_skips_taken_back(annotations: Sequence[StudioAnnotation]) -> list[StudioAnnotation]:
    """Leave out that a user skipped the task where the same user has annotated it, or skipped it once more."""
    last = {one.user: one for one in sorted(annotations, key=lambda one: not one.skipped)}
    return [one for one in annotations if not one.skipped or one.user == User(None) or last[one.user] is one]


def read_annotation(task: Task, stored: StudioAnnotation, annotator: str, scheme: LabelScheme) -> Reading:
    """Read one annotation.

    Spans are trimmed of white space and rebuilt from their offsets (what Label Studio repeats of the text is not to be
    trusted); one that holds only white space is left out, and named where there is nothing else. Two labels of one region are two spans.

    Args:
        task: its task; newsmark pushed it.
        stored: the annotation on the server.
        annotator: who made it.
        scheme: labels and topics.
    """

    def reading(annotation: Annotation | None, reasons: Iterable[str] = ()) -> Reading:
        return Reading(task, stored.user, annotator, annotation, tuple(LeftOut(task.id, task.name, annotator, reason) for reason in reasons))

    if task.edited:
        return reading(None, [EDITED])
    if stored.results is None and not stored.skipped:
        return reading(None, ["its results are missing"])
    results = () if stored.skipped else stored.results or ()
    found = [*_spans(results, task.text or "", scheme), *_not_understood(results)]
    topics = list(dict.fromkeys(topic for one in results if one.control == TOPICS for topic in one.choices))
    found += [f"topic {topic!r} is not in the labels file; add it there, or change the annotation" for topic in topics if topic not in scheme.topic_names]
    spans = _with_own_ids([one for one in found if isinstance(one, Span)])
    reasons = [one for one in found if isinstance(one, str)]
    known_topics = sorted((topic for topic in topics if topic in scheme.topic_names), key=scheme.topic_names.index)
    note = "\n".join(line for one in results if one.control == NOTE for line in one.lines) or None
    if not (reasons or spans or known_topics or note) and any(one.control == SPAN for one in results):
        reasons = ["all that is marked is white space"]
    if reasons and not (spans or known_topics or note):
        return reading(None, reasons)  # a row without spans would say that no passage has a label
    annotation = Annotation(
        str(task.sha256),
        task.name,
        annotator,
        stored.ground_truth,
        tuple(known_topics),
        tuple(sorted(spans, key=lambda span: (span.start, span.end, span.label))),
        skipped=stored.skipped,
        note=note,
        updated_at=stored.updated_at,
    )
    return reading(annotation, reasons)


def spans_of(results: Sequence[Result], text: str, scheme: LabelScheme) -> list[Span]:
    """The spans of results that can be read."""
    return _with_own_ids(one for one in _spans(results, text, scheme) if isinstance(one, Span))


def _spans(results: Sequence[Result], text: str, scheme: LabelScheme) -> Iterator[Span | str]:
    """Give the span of each region and label, or the reason why there is none."""
    kinds: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        if _is_kind(one):
            kinds.setdefault((one.id, one.control), []).append(one)
    for region in results:
        if region.control == SPAN:
            if not region.labels:
                yield f"the region at {_offsets(region)} has no label"
            for mark in region.labels:
                yield from _span(region, mark, text, kinds.get((region.id, kind_control(mark)), []), scheme)


def _span(region: Result, mark: str, text: str, kinds: Sequence[Result], scheme: LabelScheme) -> Iterator[Span | str]:
    label, kind = read_mark(mark)
    if label not in scheme.label_names:
        yield f"label {label!r} is not in the labels file; add it there, or change the annotation"
        return
    start, end = region.start, region.end
    if start is None or end is None:
        yield f"a {label} span at {_offsets(region)} has no offsets that count characters"
        return
    if start > end:
        yield f"a {label} span at {start}–{end} ends before it begins"
        return
    if not 0 <= start <= end <= len(text):
        yield f"a {label} span at {start}–{end} is outside the text of {len(text)} characters"
        return
    here = [one for one in kinds if (one.start, one.end) == (start, end)] or kinds  # regions that share an id differ by their offsets
    marked = text[start:end]
    start, end = start + len(marked) - len(marked.lstrip()), end - (len(marked) - len(marked.rstrip()))
    if start >= end:
        return
    allowed = scheme.label(label).kinds
    kind = kind or next((choice for one in here for choice in one.choices), None)  # older annotations have it in a control of its own
    if allowed and kind not in allowed:
        yield f"the {label} “{' '.join(text[start:end].split())[:40]}” has no kind; choose {' or '.join(allowed)} in Label Studio"
        return
    yield Span(region.id or "region", start, end, label, kind if allowed else None, accepted=region.accepted)


def _not_understood(results: Sequence[Result]) -> Iterator[str]:
    """Give a reason for what no control of newsmark's interface made, and for kinds without their region."""
    regions = {one.id for one in results if one.control == SPAN}
    unknown: Counter[str] = Counter()
    for one in results:
        if _is_kind(one) and one.id not in regions:
            yield f"the choice {', '.join(one.choices) or 'of nothing'} of {one.control!r} belongs to no region"
        elif not (_is_kind(one) or one.control in {SPAN, TOPICS, NOTE}):
            unknown[f"of {one.control!r}" if one.control else "without a control"] += 1
    for control, count in unknown.items():
        yield f"{count} result{'s' if count > 1 else ''} {control}, which newsmark's interface does not have"


def _is_kind(result: Result) -> bool:
    return result.control.startswith(kind_control(""))


def _offsets(region: Result) -> str:
    value = region.raw.get("value")
    given = value if isinstance(value, dict) else {}
    return f"{given.get('start')}–{given.get('end')}"


def _with_own_ids(spans: Iterable[Span]) -> list[Span]:
    """Give spans that share an id ids of their own; of exact doubles one is kept."""
    taken: dict[str, Span] = {}
    for span in spans:
        own, number = span, 1
        while own.id in taken and taken[own.id] != own:
            number += 1
            own = replace(span, id=f"{span.id}-{number}")
        taken[own.id] = own
    return list(taken.values())
