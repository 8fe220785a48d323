"""The measured facts of labelled passages as text (``train corpus``)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabulate import tabulate

from ..annotation.near_copies import NEAR, SHORTEST
from .corpus import PERCENTILES, WINDOW, CorpusFacts, Relabelling
from .dataset import LabelledPassages
from .tables import number, short


def corpus_report(facts: CorpusFacts, data: LabelledPassages, seeds: LabelledPassages) -> str:
    """Lay out the measured facts of labelled passages beside the seeds' (see ``training.corpus``).

    Args:
        facts: what was measured.
        data: the labelled passages.
        seeds: those that they were compared with.
    """
    counted = ["documents", "passages", "hard pairs", *data.labels, "none", "two or more"]
    found = facts.nearest
    overlap = f"{found[0]:.2f}, “{short(data.texts[found[1]])}” and “{short(seeds.texts[found[2]])}”" if found else "none shares anything"
    parts = [
        _table(
            [name, *counted],
            [[one.name, one.documents, one.passages, one.hard_pairs, *one.labels, one.none, one.several] for one in counts],
        )
        for name, counts in (("language", facts.languages), ("kind", facts.kinds))
    ]
    parts += [
        _table(["labels", "passages"], facts.combinations),
        _table(
            ["language", "passages", "tokens", "types", "types/tokens", f"… over {WINDOW}", "distinct openings"],
            [
                [name + one.language, one.passages, one.tokens, one.types, *map(number, (one.ratio, one.moving_ratio, one.openings))]
                for name, measured in (("", facts.variety), ("seeds ", facts.seeds_variety))
                for one in measured
            ],
        ),
        "Variety is of running text: no page furniture, no hard pairs. A token is a word, or a character where no spaces stand between\n"
        "words (Chinese, Japanese, Thai); only languages that count alike compare. An opening is the first three tokens of a passage.",
        _table(
            ["part", "passages", "with a near duplicate", "share"],
            [[one.part, one.passages, one.alike, _percent(one.alike, one.passages)] for one in facts.duplicates],
        ),
        f"Near duplicates have {NEAR} or more of their 12-character shingles in common (Jaccard). Page furniture and passages under {SHORTEST}\n"
        "characters (most of Chinese and Japanese) repeat by nature, hard pairs are alike on purpose: lines two and three leave them out,\n"
        "and so do those of the languages.",
        _table(
            ["label", "passages", "their characters", "seeds", "their characters", "KS", "KS, seeds' languages"],
            [
                [one.group, here, _quantiles(long), there, _quantiles(seeds_long), number(one.distance), number(one.same_languages)]
                for one in facts.lengths
                for (here, there), (long, seeds_long) in [(one.counts, one.percentiles)]
            ],
        ),
        f"Characters: percentiles {', '.join(map(str, PERCENTILES))}. KS: two-sample Kolmogorov-Smirnov distance, 0 where lengths are distributed alike.",
        f"nearest passage of the seeds: {overlap}",
    ]
    return "\n\n".join(parts)


def relabelling_table(relabelled: Relabelling) -> str:
    """Lay out how a second labelling agrees with the first."""
    rows = [[label, first, second, number(kappa), number(f1)] for label, (first, second, kappa, f1) in relabelled.labels.items()]
    table = _table(["label", "first", "second", "kappa", "F1"], rows)
    return f"{table}\n\n{relabelled.differing} of {relabelled.passages} passages labelled twice differ"


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out names on the left and figures on the right."""
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", *["right"] * (len(headers) - 1)))


def _percent(some: int, whole: int) -> str:
    return f"{100 * some / whole:.1f} %" if whole else "–"


def _quantiles(values: Sequence[float]) -> str:
    return " ".join("–" if math.isnan(value) else f"{value:.0f}" for value in values)
