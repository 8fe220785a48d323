"""A passage in its context: the passages before and after it in the same document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class PassageInContext(NamedTuple):
    """A passage and what stands before and after it; "" where nothing does, or nothing is known."""

    text: str
    before: str = ""
    after: str = ""


def in_reading_order(texts: Sequence[str], documents: Sequence[Any] | None = None) -> list[PassageInContext]:
    """Give passages their neighbours.

    Args:
        texts: n passages in reading order.
        documents: what each belongs to; neighbours are of one document. By default all belong to one.
    """
    padded = ["", *texts, ""]
    found = [PassageInContext(*row) for row in zip(texts, padded, padded[2:], strict=False)]
    if documents is None:
        return found
    starts = [not index or documents[index] != documents[index - 1] for index in range(len(texts))] + [True]
    return [PassageInContext(one.text, "" if starts[index] else one.before, "" if starts[index + 1] else one.after) for index, one in enumerate(found)]
