"""Judgements of single passages against whole articles, at equal time: what each adds to one label's F1 (``annotate ask``, simulated)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.label_studio.questions import WEIGHT
from ..annotation.questions import Candidate, Candidates, Question, choose_questions
from .metrics import Interval, f1_of, interval_of
from .progress import Report
from .simulation import Material, Plan, annotate_in_turn, count_errors, fit_heads, probabilities_of, resample

JUDGEMENTS = (0, 50, 100, 200, 400)
"""Numbers of judgements at which is scored."""

_THRESHOLD = 0.5


@dataclass(frozen=True)
class Pace:
    """How long an annotator takes, in seconds.

    Attributes:
        judgement: for one judgement of a single passage.
        passage: for one passage of a whole article, which is judged for all labels.
    """

    judgement: float = 6.0
    passage: float = 10.0


@dataclass(frozen=True)
class Asked:
    """F1 of a label, after each number of judgements and after whole articles that take as long.

    Attributes:
        label: which label.
        minutes: of the annotator, after those that the first articles took.
        f1: by way: judgements, and articles chosen in two ways.
        against: at the last number: how much higher the F1 of judgements is than that of articles, by their way.
    """

    label: str
    minutes: tuple[float, ...]
    f1: dict[str, tuple[Interval, ...]]
    against: dict[str, Interval]


def simulate_questions(material: Material, plan: Plan, label: str, pace: Pace, report: Report) -> Asked:
    """Go on from as many articles as the plan starts with, by judgements of one label and by whole articles.

    Judgements are chosen as ``annotate ask`` chooses them, and count with the same weight in training; articles by chance and by the way ``rich``.
    """
    seconds = [number * pace.judgement for number in JUDGEMENTS]
    budgets = [round(one / pace.passage) for one in seconds[1:]]
    first = round(plan.start * material.passages_per_article)
    ways: dict[str, Callable[[int], list[NDArray[np.int64]]]] = {"judgements": lambda seed: _judge(material, first, label, seed)}
    for name in ("random", "rich"):
        ways[f"{name} articles"] = lambda seed, name=name: annotate_in_turn(material, first, budgets, name, seed)[0]  # type: ignore[misc]
    counts = []
    for name, way in ways.items():
        counts.append([way(seed) for seed in plan.seeds])
        report(f"{label}, {name}: done")
    column = material.data.labels.index(label)
    f1 = resample(np.asarray(counts), f1_of)[..., column]
    curves = {name: tuple(interval_of(f1[0, number, size], f1[1:, number, size]) for size in range(len(JUDGEMENTS))) for number, name in enumerate(ways)}
    last = f1[:, :, -1]
    against = {name: interval_of(last[0, 0] - last[0, number], last[1:, 0] - last[1:, number]) for number, name in enumerate(ways) if number}
    return Asked(label, tuple(one / 60 for one in seconds), curves, against)


def _judge(material: Material, first: int, label: str, seed: int) -> list[NDArray[np.int64]]:
    data, column = material.data, material.data.labels.index(label)
    waiting = np.random.default_rng(seed).permutation(len(material.pool)).tolist()  # begins with the same articles as the other ways
    begun: list[int] = []
    while sum(len(material.pool[one]) for one in begun) < first:
        begun.append(waiting.pop(0))
    rows = np.concatenate([material.pool[one] for one in begun])
    targets, weights = data.targets[rows], np.ones(len(rows), dtype=np.float32)
    heads = fit_heads(material, rows, targets)
    errors = [count_errors(material, heads)]
    contexts = data.contexts
    open_rows = np.concatenate([material.pool[one] for one in waiting])
    questions = {row: _question(material, row, label, contexts[row].before, contexts[row].after) for row in open_rows.tolist()}
    known = [data.texts[row] for row in rows]
    asked: list[int] = []
    for number in JUDGEMENTS[1:]:
        found = probabilities_of(heads, material.vectors[open_rows])[:, column]
        candidates = [Candidate(questions[row], float(one)) for row, one in zip(open_rows.tolist(), found, strict=True)]
        before = [questions[row] for row in asked]
        new = choose_questions(
            Candidates(tuple(candidates), _THRESHOLD), number - len(asked), {one.id for one in before}, [*known, *(one.text for one in before)]
        )
        by_id = {questions[row].id: row for row in open_rows.tolist()}
        asked += [by_id[one.id] for one in new]
        answers = np.full((len(asked), targets.shape[1]), np.nan, dtype=np.float32)
        answers[:, column] = data.targets[asked, column]
        answer_weights = np.full(len(asked), WEIGHT, dtype=np.float32)
        every = np.concatenate([rows, np.asarray(asked, dtype=np.intp)])
        heads = fit_heads(material, every, np.concatenate([targets, answers]), np.concatenate([weights, answer_weights]))
        errors.append(count_errors(material, heads))
    return errors


def _question(material: Material, row: int, label: str, before: str, after: str) -> Question:
    data, text = material.data, material.data.texts[row]
    document = str(data.documents[row])
    return Question(document, document, str(data.groups[row]), str(data.languages[row]), str(data.kinds[row]), row, row + len(text), label, text, before, after)
