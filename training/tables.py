"""Scores as text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from tabulate import tabulate

from .comparison import Comparison
from .metrics import Evaluation, Interval, PartEvaluation
from .suspects import Suspect
from .tracking import LoggedPredictions, LoggedRun


def scores_table(scores: Evaluation, majority: Evaluation, groups: int, drawn: str) -> str:
    """Lay out scores as a table, the majority baseline beside them.

    Args:
        scores: of the classifier.
        majority: of the classifier that gives each passage the commonest answer of the training passages.
        groups: number of groups that the intervals are drawn from.
        drawn: what a group is.
    """
    rows: list[list[object]] = [
        [row.label, row.precision, row.recall, row.f1.value, _range(row.f1), number(row.average_precision), row.support, other.f1.value]
        if row.judged
        else [row.label, *[None] * 5, row.support, None]
        for row, other in zip(scores.labels, majority.labels, strict=True)
    ]
    for name, interval, other_interval in (("macro F1", scores.macro_f1, majority.macro_f1), ("micro F1", scores.micro_f1, majority.micro_f1)):
        rows.append([name, "", "", interval.value, _range(interval), "", "", other_interval.value])
    headers = ["label", "precision", "recall", "F1", "95 % interval", "avg. precision", "support", "majority F1"]
    if any(row.judged < scores.passages for row in scores.labels):
        headers.append("judged")
        rows = [[*row, count] for row, count in zip(rows, [*(row.judged for row in scores.labels), "", ""], strict=True)]
    labels = tabulate(rows, headers=headers, floatfmt=".2f", missingval="–")
    tables = [labels, *(_parts_table(what, parts) for what, parts in (("language", scores.languages), ("kind of text", scores.kinds)) if len(parts) > 1)]
    errors = ", ".join(f"{row.label} {row.calibration_error:.3f}" for row in scores.labels if row.judged)
    error = f"Expected calibration error of the probabilities: {scores.calibration_error:.3f}. By label: {errors}."
    return "\n\n".join([*tables, f"{error}\nIntervals: bootstrap over {groups} {drawn}{_caution(groups)}."])


def _parts_table(what: str, parts: dict[str, PartEvaluation]) -> str:
    rows = [[name, one.macro_f1.value, _range(one.macro_f1), one.micro_f1.value, _range(one.micro_f1), one.passages] for name, one in parts.items()]
    return tabulate(rows, headers=[what, "macro F1", "95 % interval", "micro F1", "95 % interval", "passages"], floatfmt=".2f")


def curve_table(scores: Mapping[int, Evaluation], groups: int) -> str:
    """Lay out F1 by the number of annotated articles trained on."""
    labels = [row.label for row in next(iter(scores.values())).labels]
    rows = [[size, one.macro_f1.value, _range(one.macro_f1), *(row.f1.value for row in one.labels)] for size, one in scores.items()]
    table = tabulate(rows, headers=["articles", "macro F1", "95 % interval", *labels], floatfmt=".2f")
    return f"{table}\n\nOut of fold. Intervals: bootstrap over {groups} articles{_caution(groups)}."


def comparison_table(runs: Sequence[LoggedRun], same_passages: bool = False) -> str:
    """Lay out the scores of runs side by side, and say where they can't be compared.

    Args:
        runs: one per column.
        same_passages: all are known to be scored on the same passages.
    """
    names = [name for name in runs[0].metrics if name.endswith(("macro_f1", "micro_f1", "/f1"))]
    rows = [[name.removesuffix("/f1").replace("_", " ").replace("/", " "), *(_with_range(run.metrics, name) for run in runs)] for name in names]
    rows += [["data digest", *(run.data_digest[:12] for run in runs)], ["scored on", *(run.scored_on for run in runs)]]
    table = tabulate(rows, headers=["F1 [95 % interval]", *(run.name for run in runs)])
    if not same_passages and len({(run.data_digest, run.scored_on) for run in runs}) > 1:
        return f"{table}\n\nThese runs were trained or scored on different data: their scores can't be compared."
    if len({run.data_digest for run in runs}) > 1:
        return f"{table}\n\nThese runs were trained on different data and scored on the same passages: the data may be what makes the difference."
    return table


def paired_table(first: LoggedRun, other: LoggedRun, comparison: Comparison) -> str:
    """Lay out how another run differs from the first one on the same passages."""
    rows = [
        [label, signed(interval.value), signed_range(interval), str(test.only_first), str(test.only_other), _p_value(test.p_value)]
        for label, interval, test in zip(comparison.labels, comparison.differences.labels, comparison.tests, strict=True)
    ]
    for name, interval in (("macro F1", comparison.differences.macro_f1), ("micro F1", comparison.differences.micro_f1)):
        rows.append([name, signed(interval.value), signed_range(interval), "", "", ""])
    headers = ["label", "F1 difference", "95 % interval", f"only {first.name}\nis right", f"only {other.name}\nis right", "McNemar p"]
    table = tabulate(rows, headers=headers, colalign=("left", *["right"] * 5), disable_numparse=True)
    return (
        f"{other.name} less {first.name}, on the same {comparison.passages} passages\n\n{table}\n\n"
        f"Intervals: bootstrap over {comparison.groups} groups, the same for both{_caution(comparison.groups)}. "
        "McNemar's exact test takes passages for independent, which those of one article are not."
    )


def suspects_table(suspects: Sequence[Suspect], predictions: LoggedPredictions, urls: Mapping[str, str], limit: int) -> str:
    """Lay out the annotations that look wrong, and count them.

    Args:
        suspects: the largest margin first.
        predictions: what they were found in.
        urls: pages in Label Studio by id of document.
        limit: number of rows at most.
    """
    passages = len(predictions.texts)
    if not suspects:
        return f"Nothing suspicious on {passages} passages."
    rows = []
    for one in suspects[:limit]:
        (start, end), url = predictions.offsets[one.row], urls.get(str(predictions.documents[one.row]), "")
        sides = ("has it", "has it not") if one.given else ("has it not", "has it")
        rows.append([one.label, *sides, f"{one.probability:.2f}", predictions.names[one.row], f"{start}–{end}", short(predictions.texts[one.row]), url])
    headers = ["label", "given", "suspected", "probability", "document", "offsets", "text", "task"]
    if not any(row[-1] for row in rows):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    counts = Counter(one.label for one in suspects)
    known = dict(zip(predictions.labels, predictions.judged.sum(axis=0).tolist(), strict=True))
    counted = ", ".join(f"{label} {counts[label]}" + (f" ({count} judged)" if count < passages else "") for label, count in known.items())
    shown = f"; the first {limit} are shown" if len(suspects) > limit else ""
    return f"{tabulate(rows, headers=headers, disable_numparse=True)}\n\n{len(suspects)} suspicious labels on {passages} passages: {counted}{shown}"


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f}–{interval.high:.2f}"


def signed(value: float, digits: int = 2) -> str:
    """Write a difference with its sign."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"  # no -0.00


def signed_range(interval: Interval, digits: int = 2) -> str:
    """Write the interval of a difference."""
    return f"{signed(interval.low, digits)} to {signed(interval.high, digits)}"


def with_range(interval: Interval, digits: int = 2) -> str:
    """Write a value with its interval."""
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}–{interval.high:.{digits}f}]"


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def short(text: str) -> str:
    """Cut a text to 60 characters on one line."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def _with_range(metrics: dict[str, float], name: str) -> str:
    value, low, high = (metrics.get(key, math.nan) for key in (name, f"{name}_low", f"{name}_high"))
    return number(value) if math.isnan(low) else f"{value:.2f} [{low:.2f}–{high:.2f}]"


def number(value: float) -> str:
    """Write a number with two digits; a dash for none."""
    return "–" if math.isnan(value) else f"{value:.2f}"


def _caution(groups: int) -> str:
    return "; so few say little" if groups < 20 else ""
