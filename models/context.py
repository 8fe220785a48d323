"""A passage in its context: the passages before and after it in the same document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class PassageInContext(NamedTuple):
    """A passage and what is known about its place.

    Attributes:
        text: the passage.
        before: what stands before it; "" where nothing does, or nothing is known.
        after: what stands after it, likewise.
        furniture: the logarithmic odds that it is furniture, as far as the page says that it is from; None where no page was read.
    """

    text: str
    before: str = ""
    after: str = ""
    furniture: float | None = None


def in_reading_order(texts: Sequence[str], documents: Sequence[Any] | None = None, furniture: Sequence[float | None] | None = None) -> list[PassageInContext]:
    """Give passages their neighbours.

    Args:
        texts: n passages in reading order.
        documents: what each belongs to; neighbours are of one document. By default all belong to one.
        furniture: of each (see ``PassageInContext``); by default nothing is known.
    """
    padded = ["", *texts, ""]
    found = [PassageInContext(*row) for row in zip(texts, padded, padded[2:], furniture or [None] * len(texts), strict=False)]
    if documents is None:
        return found
    starts = [not index or documents[index] != documents[index - 1] for index in range(len(texts))] + [True]
    return [one._replace(before="" if starts[index] else one.before, after="" if starts[index + 1] else one.after) for index, one in enumerate(found)]
