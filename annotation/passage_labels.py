"""Which passages spans give their labels to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .annotations import Span
from .splitting.passages import Passage

if TYPE_CHECKING:
    from .labels import LabelScheme


def labels_of_passages(passages: Sequence[Passage], spans: Sequence[Span], scheme: LabelScheme) -> list[frozenset[str]]:
    """Names of the labels that each passage takes (see ``spans_of_passages``)."""
    return [frozenset(span.label for span in own) for own in spans_of_passages(passages, spans, scheme)]


def spans_of_passages(passages: Sequence[Passage], spans: Sequence[Span], scheme: LabelScheme) -> list[list[Span]]:
    """Find the spans that give each passage a label.

    A passage takes the label of a span that covers at least half of the passage, or of which at least half is inside the
    passage (lengths in characters). An exclusive label removes the others.

    Args:
        passages: in reading order.
        spans: in any order.
        scheme: says which labels are exclusive.

    Returns:
        The spans of each passage, by ``start``.
    """
    exclusive = scheme.exclusive_names
    waiting = sorted(spans, key=lambda span: span.start, reverse=True)
    near: list[Span] = []  # passages and spans are gone through once, side by side: a long document takes no longer per passage
    found = []
    for passage in passages:
        while waiting and waiting[-1].start < passage.end:
            near.append(waiting.pop())
        near = [span for span in near if span.end > passage.start]
        own = [span for span in near if _half_overlap(passage, span)]
        found.append([span for span in own if span.label in exclusive] or own)
    return found


def cut_at_passages(spans: Sequence[Span], passages: Sequence[Passage], scheme: LabelScheme) -> list[Span]:
    """Make one span per passage of a span that gives several passages its label, as one drag over neighbouring lines does.

    Args:
        spans: of one annotation.
        passages: in reading order.
        scheme: says which labels are exclusive.

    Returns:
        The parts have the span's id with a number; the other spans are as they were.
    """
    places: dict[Span, list[Passage]] = {}
    for passage, own in zip(passages, spans_of_passages(passages, spans, scheme), strict=True):
        for span in own:
            places.setdefault(span, []).append(passage)
    found = []
    for span in spans:
        some = places.get(span, [])
        if len(some) < 2:
            found.append(span)
            continue
        for number, one in enumerate(some, start=1):
            found.append(replace(span, id=f"{span.id}-{number}", start=max(span.start, one.start), end=min(span.end, one.end)))
    return found


def odd_spans(spans: Sequence[Span], scheme: LabelScheme) -> list[tuple[Span, Span, str]]:
    """Find pairs of overlapping spans that can't both be meant: one label given twice, or an exclusive label beside another one.

    Args:
        spans: of one annotation.
        scheme: says which labels are exclusive.

    Returns:
        Each pair in reading order, and what is odd about it.
    """
    found = []
    near: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end, one.label)):
        near = [one for one in near if one.end > span.start]
        for one in near:
            exclusive = {one.label, span.label} & scheme.exclusive_names
            if one.label == span.label:
                found.append((one, span, f"{span.label} is given twice; keep one of the two"))
            elif exclusive:
                found.append((one, span, f"{min(exclusive)} excludes {one.label if span.label in exclusive else span.label}; remove one of the two"))
        near.append(span)
    return found


def _half_overlap(passage: Passage, span: Span) -> bool:
    shared = min(passage.end, span.end) - max(passage.start, span.start)
    return shared > 0 and (2 * shared >= passage.end - passage.start or 2 * shared >= span.end - span.start)
