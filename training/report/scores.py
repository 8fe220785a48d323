"""The scores of a report: tables, curves, what is taken for what, and what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from ...models.page import Heads, bdi, cells, label_tag, numbers, table
from ..effort import EDITS
from ..metrics import Interval, PartEvaluation
from ..tables import number
from .charts import bar, learning_curve, precision_recall, reliability
from .collect import Changes, Findings, LoggedCurve
from .passages import passage_link


def overview(found: Findings) -> str:
    """The few numbers that say most."""
    scores, metrics = found.evaluation, found.run.metrics
    facts = [
        ("macro F1", f"{scores.macro_f1.value:.2f}", _range(scores.macro_f1)),
        ("micro F1", f"{scores.micro_f1.value:.2f}", _range(scores.micro_f1)),
        ("passages with an error", f"{(found.missed | found.wrongly).any(axis=1).mean():.0%}", f"of {scores.passages}"),
        ("calibration error", f"{scores.calibration_error:.2f}", "0 is best"),
    ]
    if EDITS in metrics:
        others = [f"{name} {metrics[key]:.1f}" for name, key in (("rules", f"{EDITS}_rules"), ("nothing", f"{EDITS}_nothing")) if key in metrics]
        facts.append(("edits per article", f"{metrics[EDITS]:.1f}", "from " + ", from ".join(others) if others else ""))
    return "\n".join(f"<div><dt>{name}</dt><dd><b>{value}</b> <span>{more}</span></dd></div>" for name, value, more in facts)


def label_scores(found: Findings) -> str:
    """Scores of each label; the counts of errors lead to them."""
    rows = []
    for column, one in enumerate(found.evaluation.labels):
        missed, wrongly = int(found.missed[:, column].sum()), int(found.wrongly[:, column].sum())
        if not one.judged:
            rows.append(cells([(label_tag(one.label, column), ""), *["–"] * 8]))
            continue
        rows.append(
            cells(
                [
                    (label_tag(one.label, column), ""),
                    f"{one.f1.value:.2f}",
                    (f"{bar(one.f1)} {_range(one.f1)}", "range"),
                    f"{one.precision:.2f}",
                    f"{one.recall:.2f}",
                    number(one.average_precision),
                    one.support,
                    _to_errors(missed, "missed", column),
                    _to_errors(wrongly, "wrongly", column),
                ]
            )
        )
    for name, interval in (("macro F1", found.evaluation.macro_f1), ("micro F1", found.evaluation.micro_f1)):
        rows.append(cells([(name, ""), f"{interval.value:.2f}", (f"{bar(interval)} {_range(interval)}", "range"), *[""] * 6]))
    heads: Heads = (
        "label",
        *numbers("F1"),
        "95 % interval",
        *numbers("precision", "recall", "avg. precision", "have it", "missed", "wrongly given"),
    )
    return table("labels-table", "scores", heads, rows)


def _to_errors(count: int, kind: str, column: int) -> str:
    return f'<a href="#passages" data-show="{kind}" data-label="{column}">{count}</a>' if count else "0"


def part_scores(found: Findings) -> str:
    """Scores of each language, and of each kind of text, where there are several."""
    parts = (("language", found.evaluation.languages), ("kind of text", found.evaluation.kinds))
    return "\n".join(_parts_table(what, own) for what, own in parts if len(own) > 1)


def _parts_table(what: str, parts: Mapping[str, PartEvaluation]) -> str:
    name = what.split(" ", maxsplit=1)[0]
    rows = []
    for key, one in parts.items():
        both = [cell for interval in (one.macro_f1, one.micro_f1) for cell in (f"{interval.value:.2f}", (f"{bar(interval)} {_range(interval)}", "range"))]
        rows.append(cells([(bdi(key), ""), *both, one.passages]))
    heads: Heads = (what, *numbers("macro F1"), "95 % interval", *numbers("micro F1"), "95 % interval", *numbers("passages"))
    return f'<h3 id="{name}">By {what}</h3>\n{table(f"{name}-table", name, heads, rows)}'


def curves(found: Findings) -> str:
    """Both curves of each label that some passage has."""
    predictions, figures = found.predictions, []
    for column, one in enumerate(found.evaluation.labels):
        if not one.support:
            continue
        known = predictions.judged[:, column]
        truth, probabilities, decisions = (values[known, column] for values in (predictions.truth, predictions.probabilities, predictions.decisions))
        pair = precision_recall(column, one.label, truth, probabilities, decisions), reliability(column, one.label, truth, probabilities)
        caption = f"{label_tag(one.label, column)} average precision {number(one.average_precision)}, {one.support} of {one.judged} have it"
        figures.append(f'<figure><figcaption>{caption}</figcaption><div class="pair">{"".join(pair)}</div></figure>')
    return "\n".join(figures)


def learning(curve: LoggedCurve) -> str:
    """What more annotated articles buy."""
    caption = f"macro F1 by the number of annotated articles trained on, with 95 % intervals; learning curve of run {escape(curve.run_id[:8])}"
    points = ", ".join(f"{size}: {one.value:.2f}" for size, one in curve.points)
    return f'<figure id="learning"><figcaption>{caption} ({points})</figcaption><div class="pair">{learning_curve(curve.points)}</div></figure>'


def confusion(found: Findings) -> str:
    """What was given in place of a label that was missed."""
    labels = found.predictions.labels
    sides = [*found.missed.T, ~found.predictions.truth.any(axis=1)]
    counts = [[int((side & wrong).sum()) for wrong in found.wrongly.T] + [int((side & ~found.wrongly.any(axis=1)).sum())] for side in sides[:-1]]
    counts.append([int((sides[-1] & wrong).sum()) for wrong in found.wrongly.T])
    most = max(max(row, default=0) for row in counts)
    names = [f"{label_tag(label, column)} missed" for column, label in enumerate(labels)] + ["no label annotated"]
    rows = [
        cells(
            [
                (name, ""),
                *(_heated(count, most) if column != line else ("", "number") for column, count in enumerate(row)),
                *[""] * (len(labels) + 1 - len(row)),
            ]
        )
        for line, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    return table("confusion-table", "confusion", ("", *numbers(*(f"given: {label}" for label in labels), "no wrong label")), rows)


def cooccurrence(found: Findings) -> str:
    """How many passages have each two labels, as annotated and as predicted."""
    predictions = found.predictions
    truth, given = (values.astype(int) for values in (predictions.truth, predictions.decisions & predictions.judged))
    annotated, predicted = truth.T @ truth, given.T @ given
    most = int(annotated.max())
    rows = [
        cells(
            [
                (label_tag(label, line), ""),
                *(_heated(int(annotated[line, column]), most, f"{annotated[line, column]} / {predicted[line, column]}") for column in range(len(annotated))),
            ]
        )
        for line, label in enumerate(predictions.labels)
    ]
    return table("both-table", "both", ("annotated / predicted", *numbers(*predictions.labels)), rows)


def _heated(count: int, most: int, text: str = "") -> tuple[str, str]:
    return f'<span class="heat" style="--heat: {100 * count / max(most, 1):.0f}%">{escape(text) or count}</span>', "number"


def changes(found: Findings, one: Changes) -> str:
    """How the run differs from the one before, and each decision that differs."""
    if one.comparison is None:
        return f"<p>{escape(one.before.name)} can't be compared with this run passage by passage: {escape(one.why_not)}.</p>"
    comparison, rows = one.comparison, []
    tests: list[tuple[str | int, ...]] = [*((test.only_first, test.only_other, f"{test.p_value:.3f}") for test in comparison.tests), ("", "", ""), ("", "", "")]
    names = [*(label_tag(label, column) for column, label in enumerate(comparison.labels)), "macro F1", "micro F1"]
    differences = [*comparison.differences.labels, comparison.differences.macro_f1, comparison.differences.micro_f1]
    for name, difference, test in zip(names, differences, tests, strict=True):
        rows.append(cells([(name, ""), _signed(difference.value), (f"{_signed(difference.low)} to {_signed(difference.high)}", "range"), *test]))
    heads: Heads = ("label", *numbers("F1 difference"), "95 % interval", *numbers("only before right", "only now right", "McNemar p"))
    better = sum(flip.better for flip in one.flips)
    said = (
        f"This run less {escape(one.before.name)}, on the {comparison.passages} passages that both have with the same annotation: "
        f"decisions that were wrong and are right now: {better}; that were right and are wrong now: {len(one.flips) - better}."
    )
    return f'<p>{said}</p>\n{table("changes-table", "changes", heads, rows)}\n<h3 id="flips">Decisions that changed</h3>\n{_flips(found, one)}'


def _flips(found: Findings, changes: Changes) -> str:
    predictions, rows = found.predictions, []
    for one in changes.flips:
        outcome = '<span class="good">right now</span>' if one.better else '<span class="error">wrong now</span>'
        about = [(passage_link(found, one.row), "text"), (label_tag(predictions.labels[one.column], one.column), ""), (outcome, "outcome")]
        now = f"{predictions.probabilities[one.row, one.column]:.2f}"
        rows.append(cells([*about, f"{one.before:.2f}", now, (bdi(str(predictions.names[one.row])), "name")]))
    if not rows:
        return "<p>None.</p>"
    button = '<p><button type="button" data-csv="flips-table" hidden>Save as CSV</button></p>'
    return f"{button}\n{table('flips-table', 'flips', ('text', 'label', 'outcome', *numbers('before', 'now'), 'article'), rows)}"


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f}–{interval.high:.2f}"


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{round(value, 2) + 0.0:+.2f}"
