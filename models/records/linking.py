"""The same commitment in several articles and languages: by their meaning, and by the names and numbers that a translation leaves alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...annotation.near_copies import NEAR, NearCopies, anchors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f ’']\d{3}(?!\d))*(?:[.,]\d+)?")
_THOUSANDS = re.compile(r"[.,\u00a0\u202f ’'](?=\d{3}(?!\d))")
_FEW, _PART = 2, 0.2  # names and numbers that two passages without vectors share, at least, and as a part of those of both
_NEAR, _NEARER = 0.5, 0.8  # similarity of vectors, at least, with a common name or number, and without
_CHUNK = 1000  # passages compared with all others at once
_COMMON = 0.02  # a name in more than this part of the passages, or in more than five, says little


@dataclass(frozen=True)
class Evidence:
    """What is compared of a commitment.

    Attributes:
        text: its passage.
        document: its article; an article has one commitment of a case.
    """

    text: str
    document: str


def find_cases(evidence: Sequence[Evidence], vectors: NDArray[np.float64] | None = None) -> list[int]:
    """Number the cases: commitments with one number are the same.

    The likest two are joined first; a case holds one commitment of each article.

    Args:
        evidence: n commitments.
        vectors: of their passages, n × size, near where they mean nearly the same (``classifier.Embeds``); None where there are none: then translations
            without common names or numbers are not found.

    Returns:
        n numbers, from 1 on, in the order in which the cases first come.
    """
    owner = list(range(len(evidence)))
    articles = [{one.document} for one in evidence]

    def find(place: int) -> int:
        while owner[place] != place:
            place = owner[place] = owner[owner[place]]
        return place

    for _, one, two in sorted(_links(evidence, vectors), key=lambda link: (-link[0], *link[1:])):
        first, second = sorted((find(one), find(two)))
        if first != second and articles[first].isdisjoint(articles[second]):
            owner[second] = first
            articles[first] |= articles[second]
    numbers: dict[int, int] = {}
    return [numbers.setdefault(find(place), len(numbers) + 1) for place in range(len(evidence))]


def names_and_numbers(text: str) -> set[str]:
    """What a translation leaves alone: names without accents, and numbers without what divides their thousands."""
    names = {_plain(one) for one in anchors([text]) if not one.isdigit()}
    return names | {_THOUSANDS.sub("", one).replace(",", ".") for one in _NUMBER.findall(text)}


def _plain(word: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", word) if not unicodedata.combining(one))


def _links(evidence: Sequence[Evidence], vectors: NDArray[np.float64] | None) -> Iterator[tuple[float, int, int]]:
    """Pairs of commitments that may be the same, with how alike they are."""
    known = [names_and_numbers(one.text) for one in evidence]
    counts = Counter(word for words in known for word in words)
    most = max(5, _COMMON * len(evidence))
    rare = [{word for word in words if counts[word] <= most} for words in known]
    yield from _copies(evidence)
    shared: Counter[tuple[int, int]] = Counter()
    holders: dict[str, list[int]] = defaultdict(list)
    for place, words in enumerate(rare):
        for word in words:
            shared.update((other, place) for other in holders[word])
            holders[word].append(place)
    if vectors is None:
        for (one, two), count in shared.items():
            part = count / len(rare[one] | rare[two])
            if count >= _FEW and part >= _PART:
                yield part, one, two
        return
    for one, two, similarity in _similar(vectors):
        if similarity >= (_NEAR if shared[one, two] else _NEARER) and not _contradict(known[one], known[two]):
            yield similarity, one, two


def _copies(evidence: Sequence[Evidence]) -> Iterator[tuple[float, int, int]]:
    texts = list(dict.fromkeys(one.text for one in evidence))
    first = {text: place for place, text in reversed(list(enumerate(one.text for one in evidence)))}
    copies = NearCopies(texts)
    for place, one in enumerate(evidence):
        for number, similarity in copies.find(one.text):
            other = first[texts[number]]
            if other != place and similarity >= NEAR:
                yield 1 + similarity, min(other, place), max(other, place)


def _similar(vectors: NDArray[np.float64]) -> Iterator[tuple[int, int, float]]:
    """Pairs of which the vectors are near (cosine)."""
    import numpy as np  # --help has no need of it

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    for start in range(0, len(unit), _CHUNK):
        found = unit[start : start + _CHUNK] @ unit.T
        for row, column in np.argwhere(found >= _NEAR).tolist():
            if start + row < column:
                yield start + row, column, float(found[row, column])


def _contradict(one: set[str], two: set[str]) -> bool:
    """Whether both passages hold numbers, and none is common."""
    first, second = ({word for word in words if word[0].isdigit()} for words in (one, two))
    return bool(first and second) and not first & second
