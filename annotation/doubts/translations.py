"""The reason "translation": the passage that translates this one has other labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from ..alignment import align
from ..labels import LabelScheme
from ..near_copies import SHORTEST, anchors
from .doubt import AnnotatedDocument, Doubt, contradicted, shortened

NAME = "translation"

Pair = tuple[AnnotatedDocument, int, float]
"""A passage of another language, and how sure it is that it is the translation."""


def translations_differ(documents: Sequence[AnnotatedDocument], scheme: LabelScheme) -> Iterator[Doubt]:
    """Doubt labels in which a passage differs from its translation; of two, both are doubted.

    Translations of each other are documents of one group (see ``Document.group``) in different languages. Their passages are aligned by
    order and length; pairs of short passages, and those whose numbers differ, are passed over.
    """
    groups: dict[str, list[AnnotatedDocument]] = defaultdict(list)
    for one in documents:
        groups[one.document.group].append(one)
    for some in groups.values():
        counterparts: dict[tuple[str, int], list[Pair]] = defaultdict(list)
        for one, other in combinations(some, 2):
            if one.document.language != other.document.language:
                for mine, theirs, likeness in _pairs(one, other):
                    counterparts[one.document.id, mine].append((other, theirs, likeness))
                    counterparts[other.document.id, theirs].append((one, mine, likeness))
        for one in some:
            for index in range(len(one.passages)):
                yield from _contradictions(one, index, counterparts.get((one.document.id, index), []), scheme)


def _pairs(one: AnnotatedDocument, other: AnnotatedDocument) -> Iterator[tuple[int, int, float]]:
    for mine, theirs in align([own.text for own in one.passages], [own.text for own in other.passages]):
        texts = one.passages[mine].text, other.passages[theirs].text
        likeness = _likeness(*texts)
        if likeness and max(map(len, texts)) >= SHORTEST:
            yield mine, theirs, likeness


def _likeness(one: str, other: str) -> float:
    """How sure it is that passages at the same place translate each other, ½ to 1, by the numbers and names that they share; 0 where their numbers differ."""
    mine, theirs = anchors([one]), anchors([other])
    numbers = [{word for word in some if word.isdigit()} for some in (mine, theirs)]
    if all(numbers) and not numbers[0] & numbers[1]:
        return 0.0
    return (1 + len(mine & theirs) / max(len(mine | theirs), 1)) / 2  # names are inflected and transliterated, so that they may differ


def _contradictions(one: AnnotatedDocument, index: int, pairs: Sequence[Pair], scheme: LabelScheme) -> Iterator[Doubt]:
    for label in scheme.label_names:
        known = [pair for pair in pairs if label in pair[0].votes.judged and label in one.votes.judged]
        given = one.has(index, label)
        strength = contradicted(given, [(other.has(theirs, label), likeness) for other, theirs, likeness in known])
        if strength is not None:
            other, theirs, _ = next(pair for pair in known if pair[0].has(pair[1], label) != given)
            text = shortened(other.passages[theirs].text)
            words = f"its translation in {other.document.name} {'does not have it' if given else 'has it'}: “{text}”"
            yield one.doubt(index, label, (NAME, words), strength)
