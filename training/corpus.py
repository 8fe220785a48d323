"""Measured facts of labelled passages: how many, how varied, how alike, how long, and how a second labelling agrees."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from ..annotation.agreement import kappa_and_f1
from ..annotation.errors import NewsmarkError
from ..annotation.near_copies import SHORTEST
from .dataset import HARD_PAIRS, LabelledPassages
from .leaks import as_units, compared_rows, is_furniture, near_duplicates

WINDOW = 300
"""Tokens over which the type/token ratio is averaged."""

PERCENTILES = (5, 25, 50, 75, 95)
"""Of the lengths."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"  # scripts without spaces between words
_TOKEN = regex.compile(rf"[[{_UNSPACED}]--\p{{M}}]\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+", regex.V1)
_OPENING = 3  # tokens


@dataclass(frozen=True)
class Counts:
    """How many passages there are of something.

    Attributes:
        name: what is counted.
        documents: distinct ones; hard pairs come in none.
        passages: all of them.
        hard_pairs: passages of hard pairs.
        labels: passages with each label, in the order of the labels.
        none: passages without any label.
        several: passages with two labels or more.
    """

    name: str
    documents: int
    passages: int
    hard_pairs: int
    labels: tuple[int, ...]
    none: int
    several: int


def count_by(data: LabelledPassages, keys: NDArray[np.str_]) -> list[Counts]:
    """Count the passages of each key (languages, say), the commonest first, then all."""
    parts = [_count(name, data.subset(np.flatnonzero(keys == name))) for name, _ in Counter(keys.tolist()).most_common()]
    return [*parts, _count("all", data)]


def combinations(data: LabelledPassages) -> list[tuple[str, int]]:
    """Count each set of labels that a passage has, the commonest first."""
    names = (" + ".join(label for label, has in zip(data.labels, row, strict=True) if has) or "none" for row in data.truth)
    return Counter(names).most_common()


def tokens(text: str) -> list[str]:
    """Split into words, or characters where the script has no spaces between words (Chinese, Japanese, Thai), without case."""
    return [str(token) for token in _TOKEN.findall(text.casefold())]


@dataclass(frozen=True)
class Variety:
    """How varied the running text of a language is.

    Attributes:
        language: ISO 639-1 code.
        passages: of running text.
        tokens: number of words (or characters, see ``tokens``).
        types: distinct ones.
        ratio: types by tokens; falls with the size of a corpus.
        moving_ratio: mean of this ratio over all windows of ``WINDOW`` tokens (MATTR; Covington and McFall 2010); NaN with fewer tokens.
        openings: distinct first three tokens, by the passages that have three; NaN where none has.
    """

    language: str
    passages: int
    tokens: int
    types: int
    ratio: float
    moving_ratio: float
    openings: float


def running_text(data: LabelledPassages, exclusive: frozenset[str]) -> NDArray[np.intp]:
    """Find the passages that are neither page furniture (exclusive labels) nor of hard pairs."""
    return np.flatnonzero(~is_furniture(data, exclusive) & (data.kinds != HARD_PAIRS))


def measure_variety(data: LabelledPassages, exclusive: frozenset[str], window: int = WINDOW) -> list[Variety]:
    """Measure the running text of each language, the one with most passages first."""
    running = data.subset(running_text(data, exclusive))
    result = []
    for language, count in Counter(running.languages.tolist()).most_common():
        split = [tokens(running.texts[index]) for index in np.flatnonzero(running.languages == language)]
        flat = [token for passage in split for token in passage]
        openings = [tuple(passage[:_OPENING]) for passage in split if len(passage) >= _OPENING]
        types = len(set(flat))
        result.append(
            Variety(language, count, len(flat), types, _part(types, len(flat)), _moving_ratio(flat, window), _part(len(set(openings)), len(openings)))
        )
    return result


@dataclass(frozen=True)
class DuplicateRate:
    """How many passages have a near duplicate among the others of the same part of the corpus."""

    part: str
    passages: int
    alike: int


def duplicate_rates(data: LabelledPassages, exclusive: frozenset[str]) -> list[DuplicateRate]:
    """Count near duplicates: among all passages, without what repeats by nature (see ``leaks.compared_rows``), and without hard pairs too.

    The last part then follows by language. A near duplicate may stand in the same document or in another.
    """
    every = as_units(data, np.arange(len(data.texts)))
    pairs = [(one.passages[0], two.passages[0]) for one, two, _ in near_duplicates(every, every) if one is not two]
    compared = compared_rows(data, exclusive)
    alone = compared[data.kinds[compared] != HARD_PAIRS]
    languages = [name for name, _ in Counter(data.languages[alone].tolist()).most_common()]
    parts = [("all passages", np.arange(len(data.texts))), (f"no furniture, {SHORTEST}+ characters", compared), ("… no hard pairs", alone)]
    parts += [(f"… {language}", alone[data.languages[alone] == language]) for language in languages]
    result = []
    for name, rows in parts:
        inside = set(rows.tolist())
        result.append(DuplicateRate(name, len(inside), len({one for one, two in pairs if one in inside and two in inside})))
    return result


def nearest(data: LabelledPassages, other: LabelledPassages, exclusive: frozenset[str]) -> tuple[float, int, int] | None:
    """Find the passage most alike one of another corpus: Jaccard similarity of shingles and both indices; none where nothing is shared."""
    mine, others = (as_units(one, compared_rows(one, exclusive)) for one in (data, other))
    pairs = ((part, one.passages[0], two.passages[0]) for one, two, part in near_duplicates(mine, others, 0))
    return max(pairs, default=None)


@dataclass(frozen=True)
class Lengths:
    """Lengths of passages in characters, beside those of another corpus.

    Attributes:
        group: a label, "none" or "all".
        counts: passages here and there.
        percentiles: ``PERCENTILES`` here and there; NaN where there is no passage.
        distance: two-sample Kolmogorov-Smirnov distance; NaN where one has no passage.
        same_languages: the distance when only the other corpus's languages are taken.
    """

    group: str
    counts: tuple[int, int]
    percentiles: tuple[tuple[float, ...], tuple[float, ...]]
    distance: float
    same_languages: float


def compare_lengths(data: LabelledPassages, other: LabelledPassages) -> list[Lengths]:
    """Compare how long passages are: all, those with each label, those without any."""
    shared = data.subset(np.flatnonzero(np.isin(data.languages, other.languages)))
    result = []
    for group in ("all", *data.labels, "none"):
        here, there, same = (_lengths(one, group) for one in (data, other, shared))
        result.append(Lengths(group, (len(here), len(there)), (_percentiles(here), _percentiles(there)), _distance(here, there), _distance(same, there)))
    return result


@dataclass(frozen=True)
class CorpusFacts:
    """All that is measured of labelled passages, and beside it of the seeds.

    Attributes:
        languages: counts by language, then of all.
        kinds: counts by kind of text, then of all.
        combinations: how many passages have each set of labels.
        variety: of each language.
        seeds_variety: the same of the seeds.
        duplicates: near duplicates, by part.
        lengths: beside those of the seeds.
        nearest: the most similar pair: similarity, index here and in the seeds; None where nothing is shared.
    """

    languages: list[Counts]
    kinds: list[Counts]
    combinations: list[tuple[str, int]]
    variety: list[Variety]
    seeds_variety: list[Variety]
    duplicates: list[DuplicateRate]
    lengths: list[Lengths]
    nearest: tuple[float, int, int] | None


def measure_corpus(data: LabelledPassages, seeds: LabelledPassages, exclusive: frozenset[str]) -> CorpusFacts:
    """Measure all facts of labelled passages, and those of the seeds that they are compared with."""
    return CorpusFacts(
        count_by(data, data.languages),
        count_by(data, data.kinds),
        combinations(data),
        measure_variety(data, exclusive),
        measure_variety(seeds, exclusive),
        duplicate_rates(data, exclusive),
        compare_lengths(data, seeds),
        nearest(data, seeds, exclusive),
    )


@dataclass(frozen=True)
class Relabelling:
    """How a second labelling agrees with the first.

    Attributes:
        passages: labelled twice.
        differing: whose labels are not the same.
        labels: for each label how often the first and the second gave it, Cohen's kappa and F1 (see ``kappa_and_f1``).
    """

    passages: int
    differing: int
    labels: dict[str, tuple[int, int, float, float]]


def compare_labellings(data: LabelledPassages, second: LabelledPassages) -> Relabelling:
    """Compare a second labelling, where both judged, matched by document and text (the first such with the first, where one repeats).

    Raises:
        NewsmarkError: a passage of the second is not among the first's.
    """
    rows = {key: index for index, key in enumerate(_keys(data))}
    found = []
    for document, text, repeat in _keys(second):
        if (document, text, repeat) not in rows:
            raise NewsmarkError(f"relabelled passage “{text[:60]}” ({document}) is not in the corpus{' so often' if repeat else ''}; match document and text")
        found.append(rows[document, text, repeat])
    both = data.judged[found] & second.judged
    one, two = data.truth[found] & both, second.truth & both
    labels = {}
    for column, (name, known) in enumerate(zip(data.labels, both.T, strict=True)):
        first, other = one[known, column], two[known, column]
        labels[name] = (int(first.sum()), int(other.sum()), *kappa_and_f1(first.tolist(), other.tolist()))
    return Relabelling(len(found), int((one != two).any(axis=1).sum()), labels)


def _count(name: str, data: LabelledPassages) -> Counts:
    pairs = data.kinds == HARD_PAIRS
    labels = data.truth.sum(axis=1)
    by_label = tuple(int(count) for count in data.truth.sum(axis=0))
    documents = len(set(data.documents[~pairs].tolist()))
    return Counts(name, documents, len(data.texts), int(pairs.sum()), by_label, int((labels == 0).sum()), int((labels > 1).sum()))


def _moving_ratio(words: Sequence[str], window: int) -> float:
    if len(words) < window:
        return math.nan
    inside = Counter(words[:window])
    types = len(inside)
    for old, new in zip(words, words[window:], strict=False):
        inside[new] += 1
        inside[old] -= 1
        if not inside[old]:
            del inside[old]
        types += len(inside)
    return types / window / (len(words) - window + 1)


def _lengths(data: LabelledPassages, group: str) -> NDArray[np.intp]:
    lengths = np.array([len(text) for text in data.texts], dtype=np.intp)
    if group == "all":
        return lengths
    return lengths[~data.truth.any(axis=1) if group == "none" else data.truth[:, data.labels.index(group)]]


def _percentiles(lengths: NDArray[np.intp]) -> tuple[float, ...]:
    return tuple(np.percentile(lengths, PERCENTILES).tolist()) if len(lengths) else (math.nan,) * len(PERCENTILES)


def _distance(one: NDArray[np.intp], two: NDArray[np.intp]) -> float:
    return float(ks_2samp(one, two, method="asymp").statistic) if len(one) and len(two) else math.nan


def _keys(data: LabelledPassages) -> Iterable[tuple[str, str, int]]:
    """Document, text, and how often both came before."""
    seen: Counter[tuple[str, str]] = Counter()
    for key in zip(data.names.tolist(), data.texts, strict=True):
        yield (*key, seen[key])
        seen[key] += 1


def _part(some: int, whole: int) -> float:
    return some / whole if whole else math.nan
