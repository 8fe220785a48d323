"""What a doubt is, what a reason to doubt is given, and how the doubts of several reasons come together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..annotations import Annotation, Reviewed, annotations_by_document, with_offered
from ..documents import Document
from ..labels import LabelScheme
from ..splitting.passages import Passage, split_passages
from ..votes import Votes, count_votes, counting


@dataclass(frozen=True)
class Doubt:
    """A label, or the lack of one, that may be wrong.

    Attributes:
        document: id of the document.
        name: of the document.
        start: offset of the first character of the passage, or of the span whose borders are odd.
        end: offset after the last.
        text: the passage, or the span.
        label: name of the label.
        given: whether it has the label in the annotations.
        reasons: what speaks against that, in words, by the names of the reasons.
        strength: about how probable it is that the label is wrong, 0 to 1; it orders doubts, and is no measured probability.
    """

    document: str
    name: str
    start: int
    end: int
    text: str
    label: str
    given: bool
    reasons: dict[str, str]
    strength: float


@dataclass(frozen=True)
class AnnotatedDocument:
    """A document with the annotations that count: its ground truth, else all that were not skipped.

    Attributes:
        document: the document.
        passages: its passages.
        annotations: with what each annotator was offered; at least one.
        votes: the labels of the passages, as training takes them.
    """

    document: Document
    passages: tuple[Passage, ...]
    annotations: tuple[Annotation, ...]
    votes: Votes

    @property
    def reviewed(self) -> frozenset[Reviewed]:
        """What a reviewer has decided on."""
        return frozenset(place for one in self.annotations for place in one.reviewed)

    @property
    def task_url(self) -> str | None:
        """Page of the task in Label Studio."""
        return next((one.task_url for one in self.annotations if one.task_url), None)

    @cached_property
    def index_of(self) -> dict[tuple[int, int], int]:
        """Index of each passage by its offsets."""
        return {(one.start, one.end): index for index, one in enumerate(self.passages)}

    def has(self, index: int, label: str) -> bool:
        """Whether a passage has a label."""
        return label in self.votes.labels[index]

    def doubt(self, index: int, label: str, reason: tuple[str, str], strength: float) -> Doubt:
        """Doubt a label of a passage.

        Args:
            index: of the passage.
            label: name of the label.
            reason: its name, and what it says in words.
            strength: see ``Doubt``.
        """
        passage = self.passages[index]
        given = self.has(index, label)
        return Doubt(self.document.id, self.document.name, passage.start, passage.end, passage.text, label, given, dict([reason]), strength)


Reason = Callable[[Sequence[AnnotatedDocument], LabelScheme], Iterable[Doubt]]
"""Finds what it doubts in annotated documents."""


@dataclass(frozen=True)
class Doubts:
    """What was found.

    Attributes:
        rows: the strongest first; one for each passage (or span) and label.
        decided: number of doubts that are left out, because a reviewer has decided on them.
    """

    rows: tuple[Doubt, ...]
    decided: int


def annotated_documents(documents: Iterable[Document], annotations: Iterable[Annotation], scheme: LabelScheme) -> list[AnnotatedDocument]:
    """Bring documents and their annotations together; documents that nobody annotated are left out."""
    index = annotations_by_document(with_offered(annotations, scheme))
    found = []
    for document in documents:
        if own := counting(index.get(document.id, [])):
            passages = tuple(split_passages(document.text, document.language))
            found.append(AnnotatedDocument(document, passages, tuple(own), count_votes(passages, own, scheme)))
    return found


def find_doubts(documents: Sequence[AnnotatedDocument], scheme: LabelScheme, reasons: Iterable[Reason]) -> Doubts:
    """Collect what reasons doubt; several reasons against one label are one doubt, which is stronger than each of them alone.

    Strengths are joined as if the reasons were independent: the label is right only where none of them holds.
    """
    joined: dict[tuple[str, int, int, str], Doubt] = {}
    for reason in reasons:
        for one in reason(documents, scheme):
            key = (one.document, one.start, one.end, one.label)
            known = joined.get(key)
            joined[key] = one if known is None else _both(known, one)
    reviewed = {(one.document.id, place.start, place.end, place.label) for one in documents for place in one.reviewed}
    left = [one for key, one in joined.items() if key not in reviewed]
    return Doubts(tuple(sorted(left, key=lambda one: (-one.strength, one.name, one.start, one.label))), len(joined) - len(left))


def _both(one: Doubt, other: Doubt) -> Doubt:
    if one.reasons.keys() & other.reasons.keys():  # of one reason, the strongest case
        return one if one.strength >= other.strength else other
    return replace(one, reasons=one.reasons | other.reasons, strength=1 - (1 - one.strength) * (1 - other.strength))


def contradicted(given: bool, others: Sequence[tuple[bool, float]]) -> float | None:
    """How strongly passages that should have the same label contradict one.

    Args:
        given: whether the passage has the label.
        others: the same of each other passage, and how alike it is, 0 to 1.

    Returns:
        The share of the others that contradict, by likeness, the passage itself counted too; None where more passages agree with it.
    """
    against = [weight for has, weight in others if has != given]
    beside = [weight for has, weight in others if has == given]
    if not against or len(against) < 1 + len(beside):
        return None
    return math.fsum(against) / (1 + math.fsum(against) + math.fsum(beside))


def shortened(text: str, most: int = 60) -> str:
    """Put a text on one line, and cut it."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
