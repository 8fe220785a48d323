"""Scores as text and pictures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from .comparison import Comparison
from .corpus import (
    PERCENTILES,
    WINDOW,
    Relabelling,
    combinations,
    compare_lengths,
    count_by,
    duplicate_rates,
    measure_variety,
    nearest,
)
from .dataset import LabelledPassages
from .leaks import NEAR, SHORTEST
from .metrics import BINS, Interval, PartScores, Scores, calibration_error
from .suspects import Suspect
from .tracking import LoggedPredictions, LoggedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scores_table(scores: Scores, majority: Scores, groups: int, drawn: str) -> str:
    """Lay out scores as a table, the majority baseline beside them.

    Args:
        scores: of the classifier.
        majority: of the classifier that gives each passage the commonest answer of the training passages.
        groups: number of groups that the intervals are drawn from.
        drawn: what a group is.
    """
    rows = [
        [row.label, row.precision, row.recall, row.f1.value, _range(row.f1), _number(row.average_precision), row.support, other.f1.value]
        for row, other in zip(scores.labels, majority.labels, strict=True)
    ]
    for name, interval, other_interval in (("macro F1", scores.macro_f1, majority.macro_f1), ("micro F1", scores.micro_f1, majority.micro_f1)):
        rows.append([name, "", "", interval.value, _range(interval), "", "", other_interval.value])
    labels = tabulate(rows, headers=["label", "precision", "recall", "F1", "95 % interval", "avg. precision", "support", "majority F1"], floatfmt=".2f")
    tables = [labels, *(_parts_table(what, parts) for what, parts in (("language", scores.languages), ("kind of text", scores.kinds)) if len(parts) > 1)]
    below = f"Expected calibration error of the probabilities: {scores.calibration_error:.3f}.\nIntervals: bootstrap over {groups} {drawn}{_caution(groups)}."
    return "\n\n".join([*tables, below])


def _parts_table(what: str, parts: dict[str, PartScores]) -> str:
    rows = [[name, one.macro_f1.value, _range(one.macro_f1), one.micro_f1.value, _range(one.micro_f1), one.passages] for name, one in parts.items()]
    return tabulate(rows, headers=[what, "macro F1", "95 % interval", "micro F1", "95 % interval", "passages"], floatfmt=".2f")


def curve_table(scores: Mapping[int, Scores], groups: int) -> str:
    """Lay out F1 by the number of annotated articles trained on."""
    labels = [row.label for row in next(iter(scores.values())).labels]
    rows = [[size, one.macro_f1.value, _range(one.macro_f1), *(row.f1.value for row in one.labels)] for size, one in scores.items()]
    table = tabulate(rows, headers=["articles", "macro F1", "95 % interval", *labels], floatfmt=".2f")
    return f"{table}\n\nOut of fold. Intervals: bootstrap over {groups} articles{_caution(groups)}."


def curve_figure(scores: Mapping[int, Scores]) -> Figure:
    """Draw macro F1, with its interval, by the number of annotated articles trained on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(ylim=(0, 1), title="What more annotated articles buy", xlabel="Annotated articles trained on", ylabel="F1")
    sizes, macro = list(scores), [one.macro_f1 for one in scores.values()]
    axes.fill_between(sizes, [one.low for one in macro], [one.high for one in macro], alpha=0.2)
    axes.plot(sizes, [one.value for one in macro], marker="o", label="macro F1, 95 % interval")
    for column, row in enumerate(next(iter(scores.values())).labels):
        axes.plot(sizes, [one.labels[column].f1.value for one in scores.values()], linestyle=":", label=row.label)
    axes.legend(loc="lower right")
    return figure


def comparison_table(runs: Sequence[LoggedRun], same_passages: bool = False) -> str:
    """Lay out the scores of runs side by side, and say where they can't be compared.

    Args:
        runs: one a column.
        same_passages: all are known to be scored on the same passages.
    """
    names = [name for name in runs[0].metrics if name.endswith(("macro_f1", "micro_f1", "/f1"))]
    rows = [[name.removesuffix("/f1").replace("_", " ").replace("/", " "), *(_with_range(run.metrics, name) for run in runs)] for name in names]
    rows += [["data digest", *(run.data_digest[:12] for run in runs)], ["scored on", *(run.scored_on for run in runs)]]
    table = tabulate(rows, headers=["F1 [95 % interval]", *(run.name for run in runs)])
    if len({(run.data_digest, run.scored_on) for run in runs}) == 1:
        return table
    if same_passages:
        return f"{table}\n\nThese runs were trained on different data and scored on the same passages: the data may be what makes the difference."
    return f"{table}\n\nThese runs were trained or scored on different data: their scores can't be compared."


def paired_table(first: LoggedRun, other: LoggedRun, comparison: Comparison) -> str:
    """Lay out how another run differs from the first one on the same passages."""
    rows = [
        [label, _signed(interval.value), _signed_range(interval), str(test.only_first), str(test.only_other), _p_value(test.p_value)]
        for label, interval, test in zip(comparison.labels, comparison.differences.labels, comparison.tests, strict=True)
    ]
    for name, interval in (("macro F1", comparison.differences.macro_f1), ("micro F1", comparison.differences.micro_f1)):
        rows.append([name, _signed(interval.value), _signed_range(interval), "", "", ""])
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
        urls: pages in Label Studio by name of document.
        limit: number of rows at most.
    """
    passages = len(predictions.texts)
    if not suspects:
        return f"Nothing suspicious on {passages} passages."
    rows = []
    for one in suspects[:limit]:
        document, (start, end) = str(predictions.documents[one.row]), predictions.offsets[one.row]
        sides = ("has it", "has it not") if one.given else ("has it not", "has it")
        rows.append([one.label, *sides, f"{one.probability:.2f}", document, f"{start}–{end}", _short(predictions.texts[one.row]), urls.get(document, "")])
    headers = ["label", "given", "suspected", "probability", "document", "offsets", "text", "task"]
    if not any(row[-1] for row in rows):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    counts = Counter(one.label for one in suspects)
    counted = ", ".join(f"{label} {counts[label]}" for label in predictions.labels)
    shown = f"; the first {limit} are shown" if len(suspects) > limit else ""
    return f"{tabulate(rows, headers=headers, disable_numparse=True)}\n\n{len(suspects)} suspicious labels on {passages} passages: {counted}{shown}"


def corpus_report(data: LabelledPassages, seeds: LabelledPassages, exclusive: frozenset[str]) -> str:
    """Lay out the measured facts of labelled passages beside the seeds' (see ``training.corpus``).

    Args:
        data: the labelled passages.
        seeds: those to compare with.
        exclusive: labels of page furniture.
    """
    counted = ["documents", "passages", "hard pairs", *data.labels, "none", "two or more"]
    found = nearest(data, seeds, exclusive)
    overlap = f"{found[0]:.2f}, “{_short(data.texts[found[1]])}” and “{_short(seeds.texts[found[2]])}”" if found else "none shares anything"
    parts = [
        _table(
            [name, *counted],
            [[one.name, one.documents, one.passages, one.hard_pairs, *one.labels, one.none, one.several] for one in count_by(data, keys)],
        )
        for name, keys in (("language", data.languages), ("kind", data.kinds))
    ]
    parts += [
        _table(["labels", "passages"], combinations(data)),
        _table(
            ["language", "passages", "tokens", "types", "types/tokens", f"… over {WINDOW}", "distinct openings"],
            [
                [name + one.language, one.passages, one.tokens, one.types, *map(_number, (one.ratio, one.moving_ratio, one.openings))]
                for name, passages in (("", data), ("seeds ", seeds))
                for one in measure_variety(passages, exclusive)
            ],
        ),
        "Variety is of running text: no page furniture, no hard pairs. A token is a word, or a character where no spaces stand between\n"
        "words (Chinese, Japanese, Thai); only languages that count alike compare. An opening is the first three tokens of a passage.",
        _table(
            ["part", "passages", "with a near duplicate", "share"],
            [[one.part, one.passages, one.alike, _percent(one.alike, one.passages)] for one in duplicate_rates(data, exclusive)],
        ),
        f"Near duplicates have {NEAR} or more of their 12-character shingles in common (Jaccard). Page furniture and passages under {SHORTEST}\n"
        "characters (most of Chinese and Japanese) repeat by nature, hard pairs are alike on purpose: lines two and three leave them out,\n"
        "and so do those of the languages.",
        _table(
            ["label", "passages", "their characters", "seeds", "their characters", "KS", "KS, seeds' languages"],
            [
                [one.group, here, _quantiles(long), there, _quantiles(seeds_long), _number(one.distance), _number(one.same_languages)]
                for one in compare_lengths(data, seeds)
                for (here, there), (long, seeds_long) in [(one.counts, one.percentiles)]
            ],
        ),
        f"Characters: percentiles {', '.join(map(str, PERCENTILES))}. KS: two-sample Kolmogorov-Smirnov distance, 0 where lengths are distributed alike.",
        f"nearest passage of the seeds: {overlap}",
    ]
    return "\n\n".join(parts)


def relabelling_table(relabelled: Relabelling) -> str:
    """Lay out how a second labelling agrees with the first."""
    rows = [[label, first, second, _number(kappa), _number(f1)] for label, (first, second, kappa, f1) in relabelled.labels.items()]
    table = _table(["label", "first", "second", "kappa", "F1"], rows)
    return f"{table}\n\n{relabelled.differing} of {relabelled.passages} passages labelled twice differ"


def precision_recall_figure(data: LabelledPassages, probabilities: NDArray[np.float64]) -> Figure:
    """Draw the precision-recall curve of each label that some passage has."""
    from matplotlib.figure import Figure
    from sklearn.metrics import PrecisionRecallDisplay

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1.02), ylim=(0, 1.05), title="Passages not trained on")
    for column, label in enumerate(data.labels):
        if data.targets[:, column].any():
            PrecisionRecallDisplay.from_predictions(data.targets[:, column], probabilities[:, column], name=label, ax=axes)
    axes.set(xlabel="Recall", ylabel="Precision")
    axes.legend(loc="upper right", title="label (average precision)")
    return figure


def reliability_figure(data: LabelledPassages, before: NDArray[np.float64], after: NDArray[np.float64]) -> Figure:
    """Draw how often labels come true against their probability, in ten bins, before and after calibration (n × labels each)."""
    from matplotlib.figure import Figure
    from sklearn.calibration import calibration_curve

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1), title="Passages not trained on, all labels together")
    axes.plot([0, 1], [0, 1], color="#9e9e9e", linestyle=":", label="as it should be")
    truth = data.targets.astype(bool)
    for name, probabilities in (("before", before), ("after", after)):
        happened, said = calibration_curve(truth.ravel(), probabilities.ravel(), n_bins=BINS)
        axes.plot(said, happened, marker="o", label=f"{name} calibration (error {calibration_error(probabilities, truth):.3f})")
    axes.set(xlabel="Probability given", ylabel="Share that has the label")
    axes.legend(loc="upper left")
    return figure


def cooccurrence_figure(data: LabelledPassages) -> Figure:
    """Draw how many passages have each two labels; the diagonal counts each label."""
    from matplotlib.figure import Figure

    counts = (data.targets.T @ data.targets).astype(int)
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot(title="Passages that have both labels")
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(data.labels)), data.labels, rotation=30, ha="right")
    axes.set_yticks(range(len(data.labels)), data.labels)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center", color="white" if count > counts.max() / 2 else "black")
    return figure


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f}–{interval.high:.2f}"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # no -0.00


def _signed_range(interval: Interval) -> str:
    return f"{_signed(interval.low)} to {_signed(interval.high)}"


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def _with_range(metrics: dict[str, float], name: str) -> str:
    value, low, high = (metrics.get(key, math.nan) for key in (name, f"{name}_low", f"{name}_high"))
    return _number(value) if math.isnan(low) else f"{value:.2f} [{low:.2f}–{high:.2f}]"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out names on the left and figures on the right."""
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", *["right"] * (len(headers) - 1)))


def _percent(some: int, whole: int) -> str:
    return f"{100 * some / whole:.1f} %" if whole else "–"


def _quantiles(values: Sequence[float]) -> str:
    return " ".join("–" if math.isnan(value) else f"{value:.0f}" for value in values)


def _caution(groups: int) -> str:
    return "; so few say little" if groups < 20 else ""
