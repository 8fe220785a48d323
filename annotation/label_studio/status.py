"""What a project in Label Studio holds and what is left to annotate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from ..documents import identify_language
from ..edits import Edits, count_edits, count_topic_edits
from ..labels import LabelScheme
from ..passage_labels import cut_at_passages
from ..splitting.passages import split_passages
from .adjudication import is_adjudicated
from .interface import TOPICS
from .project import Project
from .reading import EDITED, LeftOut, Reading, read_tasks, spans_of
from .records import Prediction, Task


@dataclass(frozen=True)
class TaskStatus:
    """A document on the server.

    Attributes:
        task: number of its task.
        document: its id.
        name: its name.
        annotators: who annotated it; a remark follows the name where it was skipped or is the ground truth.
        spans: number of spans per label, all annotators together.
        left: number of annotators who are still to annotate it.
    """

    task: int
    document: str
    name: str
    annotators: tuple[str, ...]
    spans: Counter[str]
    left: int


@dataclass(frozen=True)
class SuggestionUse:
    """What annotators did with the suggestions of one version.

    Attributes:
        version: of the rules or the model.
        annotations: number of annotations that began with its suggestions.
        edits: of all of them together.
        minutes: median of the minutes that an annotator had the document open.
        topics: edits of topics, of all of them together.
    """

    version: str
    annotations: int
    edits: Edits
    minutes: float
    topics: Edits = field(default_factory=Edits)


@dataclass(frozen=True)
class Status:
    """A project.

    Attributes:
        overlap: number of annotators that each document is for.
        tasks: its documents.
        left_out: what could not be read.
        foreign: tasks that newsmark did not push.
        used: what was done with the suggestions of each version, by version.
    """

    overlap: int
    tasks: tuple[TaskStatus, ...]
    left_out: tuple[LeftOut, ...]
    foreign: tuple[Task, ...]
    used: tuple[SuggestionUse, ...] = ()

    @property
    def untouched(self) -> int:
        """Number of documents without any annotation."""
        return sum(not task.annotators for task in self.tasks)

    @property
    def left(self) -> int:
        """Number of annotations that are still to be made."""
        return sum(task.left for task in self.tasks)


def read_status(project: Project, scheme: LabelScheme) -> Status:
    """Read a project's tasks and annotations from the server.

    Args:
        project: the project.
        scheme: labels and topics.

    Raises:
        NewsmarkError: there is no such project.
    """
    overlap, tasks = project.overlap, project.tasks.export(only_annotated=False)
    readings: dict[int, list[Reading]] = {}
    for reading in read_tasks(project, tasks, scheme):
        readings.setdefault(reading.task.id, []).append(reading)
    pushed = [task for task in tasks if task.pushed]
    left_out = [one for some in readings.values() for reading in some for one in reading.left_out]
    left_out += [LeftOut(task.id, task.name, "nobody yet", EDITED) for task in pushed if task.edited and not task.annotations]
    rows = tuple(_status(task, readings.get(task.id, []), overlap) for task in pushed)
    used = _suggestions_used([one for some in readings.values() for one in some], project.tasks.predictions(), scheme)
    return Status(overlap, rows, tuple(left_out), tuple(task for task in tasks if not task.pushed), used)


def _suggestions_used(readings: Iterable[Reading], predictions: Iterable[Prediction], scheme: LabelScheme) -> tuple[SuggestionUse, ...]:
    """Compare each annotation that was made in the interface with the newest suggestions that were there before it."""
    suggested: dict[int, list[Prediction]] = {}
    for one in predictions:
        suggested.setdefault(one.task, []).append(one)
    edits: dict[str, list[tuple[Edits, Edits]]] = {}
    seconds: dict[str, list[float]] = {}
    for reading in readings:
        stored, annotation = reading.stored, reading.annotation
        if annotation is None or annotation.skipped or stored is None or stored.seconds is None or stored.created_at is None:
            continue
        made = datetime.fromisoformat(stored.created_at)
        before = [(at, one) for one in suggested.get(reading.task.id, []) if (at := _moment(one)) is not None and at <= made]
        if before:
            _, last = max(before, key=lambda pair: pair[0])
            text = reading.task.text or ""
            passages = split_passages(text, identify_language(text))
            spans = count_edits(*(cut_at_passages(some, passages, scheme) for some in (spans_of(last.results, text, scheme), annotation.spans)))
            topics = count_topic_edits((name for one in last.results if one.control == TOPICS for name in one.choices), annotation.topics)
            edits.setdefault(last.version, []).append((spans, topics))
            seconds.setdefault(last.version, []).append(stored.seconds)
    return tuple(
        SuggestionUse(name, len(some), sum((one for one, _ in some), Edits()), median(seconds[name]) / 60, sum((one for _, one in some), Edits()))
        for name, some in sorted(edits.items())
    )


def _moment(prediction: Prediction) -> datetime | None:
    return datetime.fromisoformat(prediction.created_at) if prediction.created_at else None


def _status(task: Task, readings: list[Reading], overlap: int) -> TaskStatus:
    done = [reading for reading in readings if not (reading.annotation and reading.annotation.skipped)]  # Label Studio asks others for a skipped one
    spans = Counter(span.label for reading in done if reading.annotation for span in reading.annotation.spans)
    annotators = [reading for reading in done if not is_adjudicated(reading.annotator)]
    left = max(0, overlap - len({reading.annotator if reading.deleted else reading.user for reading in annotators}))
    return TaskStatus(task.id, str(task.sha256), task.name, tuple(map(_annotator, readings)), spans, left)


def _annotator(reading: Reading) -> str:
    one = reading.annotation
    if one is None:
        return f"{reading.annotator} (not readable)"
    return reading.annotator + (" (skipped)" if one.skipped else "") + (" (truth)" if one.ground_truth else "")
