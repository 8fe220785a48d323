"""Two runs on the same passages: how far they differ, and whether chance would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ..annotation.errors import NewsmarkError
from ..annotation.near_copies import SHORTEST, NearCopies, plain
from ..models.context import PassageInContext, in_reading_order
from ..models.model import TrainedModel
from .metrics import F1Differences, f1_differences
from .tracking import LoggedPredictions


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test of one label over passages (McNemar 1947; two-sided binomial test).

    Attributes:
        only_first: passages on which the first run alone is right.
        only_other: passages on which the other run alone is right.
        p_value: how often two equally good runs would differ as unequally; 1 where they never differ.
    """

    only_first: int
    only_other: int
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """How one run differs from another one, the first.

    Attributes:
        labels: label names.
        passages: number of them.
        groups: number of groups that the intervals are drawn from.
        differences: F1 of the other less F1 of the first.
        tests: one per label.
    """

    labels: tuple[str, ...]
    passages: int
    groups: int
    differences: F1Differences
    tests: tuple[McNemar, ...]

    def flat(self) -> dict[str, Any]:
        """All of it by name, for scripts."""
        labels = zip(self.labels, self.differences.labels, self.tests, strict=True)
        return {
            "passages": self.passages,
            "groups": self.groups,
            "labels": {label: {**vars(interval), **vars(test)} for label, interval, test in labels},
            "macro_f1": vars(self.differences.macro_f1),
            "micro_f1": vars(self.differences.micro_f1),
        }


def compare(first: LoggedPredictions, other: LoggedPredictions, seed: int) -> Comparison:
    """Compare two runs passage by passage; the groups are those of the first.

    Args:
        first: what the differences are from.
        other: the same passages in the same order, with the same truth.
        seed: of the resampling.

    Raises:
        NewsmarkError: passages or truths differ; the message says where, as a clause.
    """
    _check_same(first, other)
    right, other_right = first.decisions == first.truth, other.decisions == other.truth
    only_first, only_other = (right & ~other_right & first.judged).sum(axis=0), (~right & other_right & first.judged).sum(axis=0)
    return Comparison(
        first.labels,
        len(first.texts),
        len(set(first.groups)),
        f1_differences(first.groups, first.truth, first.decisions & first.judged, other.decisions & first.judged, seed),
        tuple(mcnemar(one, two) for one, two in zip(only_first.tolist(), only_other.tolist(), strict=True)),
    )


def on_newer_data(before: LoggedPredictions, now: LoggedPredictions, model: TrainedModel) -> tuple[LoggedPredictions, LoggedPredictions, int]:
    """Give what a former run says of the passages of a newer one, where annotations have grown or changed since.

    Of the passages that both have, wherever they stand now, it is what the former run logged out of fold; the others it was not trained on, and its
    model predicts them. What is nearly the same as a passage that it was trained on is neither, and is left out.
    (Where one of the others is a translation of an article that it was trained on, that is to the former model's advantage.)

    Args:
        before: of the former run, out of fold.
        now: of the newer run.
        model: the former run's.

    Returns:
        The former run's predictions, with the truth of today; the newer run's of the same passages; and the number of passages that the former model
        predicted now.

    Raises:
        NewsmarkError: nothing remains; the message says so as a clause.
    """
    found = _rows_in(before, now)
    near = _near_copies(now.texts[found < 0].tolist(), before.texts.tolist())
    kept = np.flatnonzero([row >= 0 or text not in near for row, text in zip(found.tolist(), now.texts.tolist(), strict=True)])
    if not len(kept):
        raise NewsmarkError("each passage is nearly the same as one that the champion was trained on, so nothing remains to compare them on")
    rows, contexts = found[kept], _contexts(now)
    new = rows < 0
    probabilities, decisions = before.probabilities[rows], before.decisions[rows]
    if new.any():
        scores = model.scores([contexts[row] for row in kept[new].tolist()])
        probabilities[new], decisions[new] = scores, model.decide(scores)
    now = now.subset(kept)
    return replace(now, probabilities=probabilities, decisions=decisions), now, int(new.sum())


def in_common(first: LoggedPredictions, other: LoggedPredictions) -> tuple[NDArray[np.intp], LoggedPredictions, LoggedPredictions]:
    """Take of two runs the passages that both were scored on and that are annotated alike for both.

    Returns:
        Their indices in the other run, in its order, and what each run predicted for them.

    Raises:
        NewsmarkError: labels differ, or there is no such passage; the message says so as a clause.
    """
    if first.labels != other.labels:
        raise NewsmarkError(f"their labels differ: {', '.join(first.labels)} and {', '.join(other.labels)}")
    found = _rows_in(first, other)
    others = np.flatnonzero(found >= 0)
    rows = found[others]
    alike = ((first.truth[rows] == other.truth[others]) & (first.judged[rows] == other.judged[others])).all(axis=1)
    if not alike.any():
        raise NewsmarkError("no passage was scored in both with the same annotation")
    return others[alike], first.subset(rows[alike]), other.subset(others[alike])


def language_differences(first: LoggedPredictions, other: LoggedPredictions, seed: int) -> dict[str, float]:
    """How much higher the other run's macro F1 is in each language, on the same passages; see ``compare``."""
    found = {}
    for language in sorted(set(first.languages.tolist())):
        rows = first.languages == language
        sides = (first.decisions & first.judged)[rows], (other.decisions & first.judged)[rows]
        found[language] = f1_differences(first.groups[rows], first.truth[rows], *sides, seed).macro_f1.value
    return found


def _rows_in(first: LoggedPredictions, other: LoggedPredictions) -> NDArray[np.intp]:
    """For each passage of the other run its row in the first one; -1 where that does not have it.

    A row of a table has no name that lasts, and an article has another id once a letter is changed. So a passage that is not in the same place is looked
    for by its text: in the same group, between the same neighbours, and last, where it is too long to repeat by nature, anywhere.
    """
    rows = [-1] * len(other.texts)
    for known, wanted in zip(_keys(first), _keys(other), strict=True):
        places = {key: row for row, key in enumerate(known) if key}
        rows = [places.get(key, -1) if row < 0 else row for row, key in zip(rows, wanted, strict=True)]
    return np.array(rows, dtype=np.intp)


def _near_copies(texts: Iterable[str], known: Iterable[str]) -> set[str]:
    """Those of some texts, mostly few, that are nearly the same as a known one; short texts repeat by nature and are none."""
    long = [text for text in dict.fromkeys(texts) if len(plain(text)) >= SHORTEST]
    copies = NearCopies(long)
    return {long[number] for text in (known if long else ()) for number, _ in copies.find(text)}


def _keys(predictions: LoggedPredictions) -> Iterator[Sequence[Any]]:
    """What each passage is known by, the surest first."""
    texts = predictions.texts.tolist()
    yield list(zip(predictions.documents.tolist(), predictions.offsets, texts, strict=True))
    yield list(zip(predictions.groups.tolist(), texts, strict=True))
    yield _contexts(predictions)
    yield [text if len(plain(text)) >= SHORTEST else "" for text in texts]


def _contexts(predictions: LoggedPredictions) -> list[PassageInContext]:
    return in_reading_order(predictions.texts.tolist(), predictions.documents.tolist())


def mcnemar(only_first: int, only_other: int) -> McNemar:
    """Test two discordant counts."""
    count = only_first + only_other
    return McNemar(only_first, only_other, float(binomtest(only_first, count).pvalue) if count else 1.0)


def _check_same(first: LoggedPredictions, other: LoggedPredictions) -> None:
    if first.labels != other.labels:
        raise NewsmarkError(f"their labels differ: {', '.join(first.labels)} and {', '.join(other.labels)}")
    if len(first.texts) != len(other.texts):
        raise NewsmarkError(f"they were scored on different passages: {len(first.texts)} and {len(other.texts)}")
    differing = np.flatnonzero((first.texts != other.texts) | (_numbers(first) != _numbers(other))).tolist()
    if differing:
        row = differing[0]
        raise NewsmarkError(
            f"they were scored on different passages: {len(differing)} of {len(first.texts)} differ, first number {row + 1} "
            f"({first.names[row]} and {other.names[row]})"
        )
    different = (first.truth != other.truth) | (first.judged != other.judged)
    differing = np.flatnonzero(different.any(axis=1)).tolist()
    if differing:
        row = differing[0]
        names = [label for label, one in zip(first.labels, different[row], strict=True) if one]
        raise NewsmarkError(
            f"their annotations differ on {len(differing)} of {len(first.texts)} passages, first on number {row + 1} ({first.names[row]}: {', '.join(names)})"
        )


def _numbers(predictions: LoggedPredictions) -> NDArray[np.intp]:
    """The document of each passage, as a number: one file has other names where its path is written otherwise."""
    numbers = {document: number for number, document in enumerate(dict.fromkeys(predictions.documents.tolist()))}
    return np.array([numbers[document] for document in predictions.documents.tolist()], dtype=np.intp)
