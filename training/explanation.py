"""What moved a score: how much each word of a passage added to the logarithmic odds of each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray

from ..models.calibration import log_odds
from ..models.kinds import KINDS
from ..models.model import TrainedModel

LONGEST = 10_000
"""Characters of a text from which on it is not explained."""

READINGS = 4_000
"""Texts, whole and without one of their words, that are classified at most: some 12 seconds for the transformer on 2 cores (models/RESULTS.md)."""

_NO_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_PIECE = regex.compile(rf"[{_NO_SPACES}]\p{{M}}*|[^\s{_NO_SPACES}]+")


@dataclass(frozen=True)
class Moved:
    """What the words of a text add to the logarithmic odds of labels.

    Attributes:
        pieces: start and end of n words; a character is one where a script has no spaces.
        odds: n × labels.
    """

    pieces: tuple[tuple[int, int], ...]
    odds: NDArray[np.float64]


def is_exact(kind: str) -> bool:
    """Whether the odds of this kind of model are a sum over words; if not, each word is left out in turn."""
    return KINDS[kind].contributions is not None


def explain(model: TrainedModel, texts: Sequence[str]) -> list[Moved | None]:
    """Find what moved the scores of texts, the most important first.

    Where the classifier's odds are a sum over the words, the parts of the sum. Otherwise what is lost by leaving out one word at a time
    (Zeiler and Fergus 2014, "occlusion"), until as many texts were read as ``READINGS`` says.

    Returns:
        For each text what its words add; None for one that is too long, or comes too late.
    """
    short = [text if len(text) <= LONGEST else "" for text in texts]
    pieces = [tuple(match.span() for match in _PIECE.finditer(text)) for text in short]
    exact = KINDS[model.kind].load_contributions()
    if exact is not None:
        by_character = [np.vstack([np.zeros((1, len(model.labels))), one]).cumsum(axis=0) for one in exact(model.classifier, short)]
        return [Moved(own, np.stack([sums[end] - sums[start] for start, end in own])) if own else None for own, sums in zip(pieces, by_character, strict=True)]
    sizes = [len(own) and len(own) + 1 for own in pieces]
    read = [bool(size) and total <= READINGS for size, total in zip(sizes, np.cumsum(sizes).tolist(), strict=True)]
    without = [[text, *(text[:start] + text[end:] for start, end in own)] for text, own, one in zip(short, pieces, read, strict=True) if one]
    odds = iter(log_odds(model.classifier.scores([text for one in without for text in one])))
    found: list[Moved | None] = []
    for own, one in zip(pieces, read, strict=True):
        whole = next(odds) if one else None
        found.append(Moved(own, np.stack([whole - next(odds) for _ in own])) if whole is not None else None)
    return found
