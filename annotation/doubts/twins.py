"""The reason "twin": a near copy of the passage has other labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..labels import LabelScheme
from ..near_copies import NearCopies, plain
from .doubt import AnnotatedDocument, Doubt, contradicted, shortened

NAME = "twin"

Place = tuple[int, int]
"""A passage: numbers of its document and of itself."""


def twins_differ(documents: Sequence[AnnotatedDocument], scheme: LabelScheme) -> Iterator[Doubt]:
    """Doubt labels in which a passage differs from its near copies, in whichever document; of two, both are doubted.

    Near copies are what ``NearCopies`` takes for one. Where more copies agree with a passage than contradict it, the others are doubted.
    """
    places: dict[str, list[Place]] = defaultdict(list)
    for number, one in enumerate(documents):
        for index, passage in enumerate(one.passages):
            places[plain(passage.text)].append((number, index))
    places.pop("", None)  # marks without a word: nothing that could be alike
    texts = list(places)
    copies = NearCopies(texts)
    for text in texts:
        near = [(place, likeness) for other, likeness in copies.find(text) for place in places[texts[other]]]
        if len(near) > 1:
            for place in places[text]:
                yield from _contradictions(documents, place, [pair for pair in near if pair[0] != place], scheme)


def _contradictions(documents: Sequence[AnnotatedDocument], place: Place, near: Sequence[tuple[Place, float]], scheme: LabelScheme) -> Iterator[Doubt]:
    one, index = documents[place[0]], place[1]
    for label in scheme.label_names:
        if label not in one.votes.judged:
            continue
        known = [(documents[number], other, likeness) for (number, other), likeness in near if label in documents[number].votes.judged]
        given = one.has(index, label)
        strength = contradicted(given, [(twin.has(other, label), likeness) for twin, other, likeness in known])
        if strength is None:
            continue
        twin, other, likeness = max((some for some in known if some[0].has(some[1], label) != given), key=lambda some: some[2])
        against = sum(twin.has(other, label) != given for twin, other, _ in known)
        count = "the same text" if likeness == 1 else f"a near copy ({likeness:.0%} alike)"
        more = f", and so {'do' if given else 'have'} {against - 1} more" if against > 1 else ""
        words = f"{count} in {twin.document.name} {'does not have it' if given else 'has it'}{more}: “{shortened(twin.passages[other].text)}”"
        yield one.doubt(index, label, (NAME, words), strength)
