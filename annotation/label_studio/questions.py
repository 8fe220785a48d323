"""Questions about single passages as tasks of a project of their own, and their answers as labelled passages to train on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from ..errors import NewsmarkError
from ..files import atomic_write, read_jsonl
from ..labels import Label, LabelScheme
from ..questions import Question
from .interface import TEXT
from .project import Project
from .push import push_tasks
from .reading import LeftOut
from .records import StudioAnnotation, User, read_task
from .writing import Row

YES, NO, UNSURE = "yes", "no", "can't say"
"""The choices; their hotkeys are 1, 2 and 3."""

ANSWER = "answer"
"""Name of the control that holds the choice."""

WEIGHT = 3
"""How much an answer counts in training. 1,200 answers about one label, added to the corpus with this weight, raised F1 of that label on two sets of other
articles from .35 to .40 and from .39 to .57."""

_OWN = ("document", "name", "group", "lang", "kind", "start", "end", "label", "text", "before", "after")

_FORMER = "former_sha256"
"""Field of a task: the ids that its question had before its label was renamed."""

_KEPT = ("weight", "document")
"""Fields of a row that people may change: its weight, and what it stays together with, where training finds a leak."""


@dataclass(frozen=True)
class Answers:
    """What annotators answered.

    Attributes:
        rows: labelled passages, by the ids of their questions; None where the answers decide nothing.
        unsure: number of questions that nobody could answer.
        disputed: number of questions with answers yes and no.
        open: number of questions without an answer.
        left_out: what could not be read.
        former: ids that questions had before their label was renamed, with their present ones.
    """

    rows: Mapping[str, Row | None]
    unsure: int
    disputed: int
    open: int
    left_out: tuple[LeftOut, ...] = ()
    former: Mapping[str, str] = field(default_factory=dict)


def questions_xml() -> str:
    """Make the interface: the question, the passage between its neighbours, three choices with hotkeys."""
    view = ET.Element("View")
    ET.SubElement(view, "Header", value="$question", size="4")
    ET.SubElement(view, "Header", value="$definition", size="5")
    ET.SubElement(view, "HyperText", name=TEXT, value="$shown", inline="true")
    choices = ET.SubElement(view, "Choices", name=ANSWER, toName=TEXT, choice="single", required="true", showInline="true")
    for hotkey, choice in enumerate((YES, NO, UNSURE), start=1):
        ET.SubElement(choices, "Choice", value=choice, hotkey=str(hotkey))
    return ET.tostring(view, encoding="unicode")


def questions_html() -> str:
    """Make the instructions."""
    return (
        "<p>Each task asks whether one passage, the large one, has a label. The passages before and after it are grey; they only help to understand it.</p>"
        "<p>Press 1 for yes, 2 for no, 3 if you can't say, then Ctrl+Enter to submit. A passage has a label also where only a part of it does.</p>"
        "<p>The codebook, annotation/CODEBOOK.md in newsmark's repository, has all rules and many examples.</p>"
    )


def question_row(question: Question, label: Label) -> Row:
    """Make the row that imports a question as a task."""
    grey = "<p style='color:#8c8c8c; margin:8px 0'>{}</p>"
    around = [grey.format(escape(text)) if text else "" for text in (question.before, question.after)]
    fields = {**vars(question), "lang": question.language}
    asked = {"sha256": question.id, "question": f"Does this passage have the label “{label.name}”?", "definition": label.definition}
    shown = f"{around[0]}<p style='font-size:120%; margin:8px 0'>{escape(question.text)}</p>{around[1]}"
    return {"data": {**{key: fields[key] for key in _OWN}, **asked, "shown": shown}}


def read_asked(project: Project) -> list[Question]:
    """The questions that the project has, answered or not."""
    if project.id is None:
        return []
    rows = project.tasks.export_rows(only_annotated=False)
    return [question for row in rows if (question := _question(row.get("data")))]


def push_questions(project: Project, questions: Sequence[Question], scheme: LabelScheme, overlap: int | None) -> None:
    """Make tasks of questions that the project does not have.

    Args:
        project: the project of questions; it is made if needed.
        questions: what to ask, in this order.
        scheme: labels and topics.
        overlap: number of annotators per question; None leaves it as it is.

    Raises:
        NewsmarkError: the server fails; what arrived stays, and is not asked again.
    """
    project.ensure_interface(questions_xml(), questions_html(), overlap)
    for _ in push_tasks(project, questions, lambda question: question_row(question, scheme.label(question.label))):
        pass


def asked_under(project: Project, label: str) -> list[tuple[int, Question, tuple[str, ...]]]:
    """The questions about a label: numbers of their tasks, the questions, and the ids that they had under former names."""
    rows = project.tasks.export_rows(only_annotated=False)
    found = [(int(row["id"]), _question(row.get("data")), tuple((row.get("data") or {}).get(_FORMER) or ())) for row in rows]
    return [(task, question, former) for task, question, former in found if question and question.label == label]


def rename_questions(project: Project, old: str, label: Label) -> None:
    """Ask under a label's new name what was asked under its old one; answers stay. What a run that was cut off left is done by the next one.

    Args:
        project: the project of questions.
        old: the label's former name.
        label: the label under its new name.
    """
    for task, question, former in asked_under(project, old):
        data = question_row(replace(question, label=label.name), label)["data"]
        project.tasks.set_data(task, {**data, _FORMER: [*former, question.id]})


def read_answers(project: Project, scheme: LabelScheme) -> Answers:
    """Read the answers of all questions; what two annotators answer differently and what nobody can say decides nothing.

    Raises:
        NewsmarkError: there is no such project, or the server fails.
    """
    if project.id is None:
        raise NewsmarkError(f"{project.connection.url} has no project {project.title!r}; annotate ask makes it")

    def name_of(user: User) -> str:
        return project.annotators.name_of(user) or ("deleted user" if user.id is None else f"deleted user {user.id}")

    return answers_of(project.tasks.export_rows(only_annotated=False), scheme, name_of)


def answers_of(tasks: Iterable[Mapping[str, Any]], scheme: LabelScheme, name_of: Callable[[User], str]) -> Answers:
    """Read the answers of exported tasks (see ``read_answers``).

    Args:
        tasks: the tasks as the server writes them; those that are no questions are passed over.
        scheme: labels and topics.
        name_of: gives an annotator's name.
    """
    found: dict[str, tuple[Question, dict[str, str]]] = {}
    left_out = []
    former: dict[str, str] = {}
    for row in tasks:
        question, task = _question(row.get("data")), read_task(row)
        if question is None:
            continue
        if question.label not in scheme.label_names:
            reason = f"the label {question.label!r} is not in the labels file"
            left_out += [LeftOut(task.id, task.name, name_of(one.user), reason) for one in task.annotations if not one.skipped]
            continue
        _, votes = found.setdefault(question.id, (question, {}))
        former |= dict.fromkeys(row["data"].get(_FORMER) or (), question.id)
        for one in sorted(task.annotations, key=lambda one: one.updated_at or ""):  # the newest of each annotator counts
            if choice := _choice(one):
                votes[name_of(one.user)] = choice
    rows: dict[str, Row | None] = {}
    counts: Counter[str] = Counter()
    for key, (question, votes) in found.items():
        said = set(votes.values()) - {UNSURE}
        counts["open" if not votes else "unsure" if not said else "disputed" if len(said) > 1 else "decided"] += 1
        if votes:
            rows[key] = _labelled(question, said == {YES}, sorted(name for name, choice in votes.items() if choice != UNSURE)) if len(said) == 1 else None
    return Answers(rows, counts["unsure"], counts["disputed"], counts["open"], tuple(left_out), former)


def merge_answers(path: Path, answers: Answers) -> tuple[int, int, int]:
    """Bring a file of labelled passages up to date; rows that the server does not have stay. It is written whole, and only where something changed.

    Rows of one document do not follow each other as far as that can be had, because training takes such rows for neighbours.

    Returns:
        Number of new rows, of changed and removed ones, and of all.

    Raises:
        NewsmarkError: the file holds a row that is no JSON object.
    """
    local = [row for _, row in read_jsonl(path)] if path.exists() else []
    before = {answers.former.get(row["id"], row["id"]): row for row in local if _is_answer(row)}
    after = dict(before)
    for key, row in answers.rows.items():
        if row is None:
            after.pop(key, None)
        else:
            after[key] = row | {name: before[key][name] for name in _KEPT if name in before.get(key, ())}
    rows = [*(row for row in local if not _is_answer(row)), *_apart(after.values())]
    if rows != local or not path.exists():
        with atomic_write(path) as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    changed = sum(after.get(key) != row for key, row in before.items())
    return len(after.keys() - before.keys()), changed, len(rows)


def _is_answer(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("id"), str) and isinstance(row.get("annotators"), list)


def _apart(rows: Iterable[Row]) -> list[Row]:
    """Order rows: the first one of each document, then the second ones, and so on."""
    numbers: Counter[str] = Counter()
    ordered = []
    for row in sorted(rows, key=lambda row: (str(row.get("document")), str(row["id"]))):
        numbers[str(row.get("document"))] += 1
        ordered.append((numbers[str(row.get("document"))], row))
    return [row for _, row in sorted(ordered, key=lambda pair: pair[0])]


def _labelled(question: Question, has_label: bool, annotators: list[str]) -> Row:
    where = {"document": question.group, "name": question.name, "start": question.start, "end": question.end, "lang": question.language}
    kind = {"kind": question.kind} if question.kind else {}
    labels = [question.label] if has_label else []
    beside = {"weight": WEIGHT, "annotators": annotators, "id": question.id}
    around = {name: text for name, text in (("before", question.before), ("after", question.after)) if text}
    return {"text": question.text, **around, "labels": labels, "judged": [question.label], **where, **kind, **beside}


def _choice(annotation: StudioAnnotation) -> str | None:
    if annotation.skipped:
        return None
    return next((one for result in annotation.results or () if result.control == ANSWER for one in result.choices if one in {YES, NO, UNSURE}), None)


def _question(data: Any) -> Question | None:
    """Read a question back from a task's data; None where newsmark did not ask it, or somebody changed what it is about."""
    if not isinstance(data, dict) or not all(isinstance(data.get(key), int if key in {"start", "end"} else str) for key in _OWN):
        return None
    values = {key: data[key] for key in _OWN if key != "lang"}
    question = Question(**values, language=data["lang"])
    return question if question.id == data.get("sha256") and len(question.text) == question.end - question.start else None
