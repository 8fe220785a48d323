"""What an annotator has to do to turn suggested spans into the right ones, counted in edits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass

from .annotations import Span


@dataclass(frozen=True)
class Edits:
    """Counts of spans, by what an annotator does with them.

    Attributes:
        accepted: suggested spans that stay as they are.
        moved: suggested spans of which a border is moved.
        relabelled: suggested spans that get another label or kind, or both.
        deleted: suggested spans that are deleted.
        added: spans that are marked without a suggestion.
    """

    accepted: int = 0
    moved: int = 0
    relabelled: int = 0
    deleted: int = 0
    added: int = 0

    @property
    def total(self) -> int:
        """Number of edits; what is accepted takes none."""
        return self.moved + self.relabelled + self.deleted + self.added

    def __add__(self, other: Edits) -> Edits:
        """Sum two counts."""
        return Edits(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


def count_topic_edits(suggested: Iterable[str], right: Iterable[str]) -> Edits:
    """Count the edits from suggested topics to the right ones of a document: each one that is ticked or taken away."""
    given, asked = set(suggested), set(right)
    return Edits(accepted=len(given & asked), deleted=len(given - asked), added=len(asked - given))


def count_edits(suggested: Iterable[Span], right: Iterable[Span]) -> Edits:
    """Count the edits from suggested spans to the right ones of a document.

    Each span is used once: first where all is the same, then where only the kind differs, then where only the label does, then, of one
    label, where spans overlap, those that share most characters first; a span of which border and kind are changed counts twice.

    Args:
        suggested: what was suggested.
        right: what the annotator marked.
    """
    waiting, asked = list(suggested), list(right)
    accepted = _take_pairs(waiting, asked, lambda one, two: (*_borders(one), one.label, one.kind) == (*_borders(two), two.label, two.kind))
    relabelled = _take_pairs(waiting, asked, lambda one, two: (*_borders(one), one.label) == (*_borders(two), two.label))
    relabelled += _take_pairs(waiting, asked, lambda one, two: _borders(one) == _borders(two))
    overlapping = [(one, two) for one in waiting for two in asked if one.label == two.label and _shared(one, two) > 0]
    moved = 0
    for one, two in sorted(overlapping, key=lambda pair: -_shared(*pair)):
        if one in waiting and two in asked:
            waiting.remove(one)
            asked.remove(two)
            moved += 1
            relabelled += one.kind != two.kind
    return Edits(accepted, moved, relabelled, len(waiting), len(asked))


def _take_pairs(waiting: list[Span], asked: list[Span], alike: Callable[[Span, Span], bool]) -> int:
    """Remove pairs of alike spans from both lists; returns their number."""
    count = 0
    for one in list(waiting):
        found = next((two for two in asked if alike(one, two)), None)
        if found is not None:
            waiting.remove(one)
            asked.remove(found)
            count += 1
    return count


def _borders(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _shared(one: Span, two: Span) -> int:
    return min(one.end, two.end) - max(one.start, two.start)
