"""Which passage of a translation translates which of the original: alignment by length."""

from __future__ import annotations

import math
from collections.abc import Sequence

_VARIANCE = 6.8
_STEPS = {(1, 1): 0.89, (1, 0): 0.00495, (0, 1): 0.00495, (2, 1): 0.0445, (1, 2): 0.0445, (2, 2): 0.011}
"""How many passages of each side stand for each other, and how probable that is. Both constants: Gale and Church 1993."""

_BAND = 60  # passages that one side may be ahead of what its length says; more are never compared, so that long texts take no longer per passage


def align(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Align the passages of a text with those of its translation, which has them in the same order.

    Of all ways to pass through both, in steps of one or two passages of each side, the most probable one is taken, where the only
    thing looked at is how long passages are. Source: Gale and Church 1993, "A program for aligning sentences in bilingual
    corpora"; otherwise than there, the ratio of the two texts is taken in place of one, because scripts differ in length, and to skip a
    long passage costs no more than to skip a short one, because whole paragraphs are left out.

    Returns:
        Pairs of indices of passages that stand for each other one to one, in reading order.
    """
    lengths = [list(map(len, first)), list(map(len, second))]
    if not sum(lengths[0]) or not sum(lengths[1]):
        return []
    ratio = sum(lengths[1]) / sum(lengths[0])
    slope = len(second) / len(first)
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for one in range(len(first) + 1):
        middle = int(one * slope)
        for other in range(max(0, middle - _BAND), min(len(second), middle + _BAND) + 1):
            ways = [
                (best[before][0] + _cost(sum(lengths[0][before[0] : one]), sum(lengths[1][before[1] : other]), ratio, prior), step)
                for step, prior in _STEPS.items()
                if (before := (one - step[0], other - step[1])) in best
            ]
            if ways:
                best[one, other] = min(ways)
    pairs = []
    place = (len(first), len(second))
    while place != (0, 0) and place in best:
        step = best[place][1]
        place = (place[0] - step[0], place[1] - step[1])
        if step == (1, 1):
            pairs.append(place)
    return pairs[::-1]


def _cost(one: int, other: int, ratio: float, prior: float) -> float:
    """Negative logarithm of the probability of a step; that a passage stands for nothing says nothing about how long it is."""
    if not one or not other:
        return -math.log(prior)
    mean = (one + other / ratio) / 2
    deviation = abs(other - one * ratio) / math.sqrt(_VARIANCE * max(mean, 1.0))
    return -math.log(max(math.erfc(deviation / math.sqrt(2)), 1e-300)) - math.log(prior)
