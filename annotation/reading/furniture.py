"""What a page itself says of its lines: which of them look like furniture, whatever their words are."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .html import Line

_SPACE = re.compile(r"\s+")
_SHORT = 25
"""Characters of a line, white space left out, that are too few to be found in the article by chance alone: such a line must be a whole element of it."""

_BEGIN = 60
"""Characters of a line's beginning that are enough to find it in the article: the extractor may cut a paragraph."""

_LONG = 100
"""Characters, white space left out, from which on a line counts as long."""


@dataclass(frozen=True)
class Signals:
    """What a page says of one of its lines; as numbers, these are what ``WEIGHTS`` weigh.

    Attributes:
        taken: whether the extractor (trafilatura) takes it for the article.
        near: the share of the two lines before it and the two after it that the extractor takes.
        linked: the share of its characters that are in links.
        heading: whether it is a heading of the first level.
        title: whether the page's title holds it.
        long: whether it has at least a hundred characters.
    """

    taken: bool
    near: float
    linked: float
    heading: bool
    title: bool
    long: bool


WEIGHTS = Signals(taken=-1.54, near=-1.56, linked=3.41, heading=-2.03, title=-2.02, long=-0.98)  # type: ignore[arg-type]
CONSTANT = 2.01
"""Weights of a logistic regression from signals, and a model's own odds above its threshold, to furniture. ``tests/benchmarks/pages.py --fit`` learns
them from the pages in ``tests/data/pages``, where furniture and article together have the same weight."""


def furniture_odds(lines: Sequence[Line], page: str, title: str) -> tuple[float, ...]:
    """Logarithmic odds that each line is furniture, as far as the page says (see ``read_signals``); to be added to what a model says of its words."""
    weights = astuple(WEIGHTS)
    return tuple(
        round(CONSTANT + sum(weight * value for weight, value in zip(weights, astuple(one), strict=True)), 3) for one in read_signals(lines, page, title)
    )


def read_signals(lines: Sequence[Line], page: str, title: str) -> list[Signals]:
    """Read the signals of a page's lines.

    Args:
        lines: all visible lines of the page, in reading order.
        page: its HTML.
        title: what its head says that it is called; empty where it says nothing.
    """
    texts = [_SPACE.sub("", line.text) for line in lines]
    article, elements = _extract(page)
    title = _SPACE.sub("", title)
    taken = [text in elements if len(text) < _SHORT else text in article or text[:_BEGIN] in article for text in texts]
    return [
        Signals(
            taken[place],
            sum(taken[max(place - 2, 0) : place] + taken[place + 1 : place + 3]) / 4,
            min(line.linked / (len(text) or 1), 1.0),  # a line may be of spaces that do not break
            line.block.tag == "h1",
            len(text) >= _SHORT // 2 and text in title,
            len(text) >= _LONG,
        )
        for place, (line, text) in enumerate(zip(lines, texts, strict=True))
    ]


def _extract(page: str) -> tuple[str, set[str]]:
    """The article with its readers' comments, and each element of both, white space left out; nothing where the extractor finds none."""
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # that a page holds no article is no news here
    try:
        found: Any = trafilatura.bare_extraction(page, fast=True)
    except Exception:  # noqa: BLE001 - whatever stops the extractor does not stop the reader
        found = None
    parts = [part for part in (found.body, found.commentsbody) if part is not None] if found is not None else []
    elements = [_SPACE.sub("", "".join(element.itertext())) for part in parts for element in part.iter()]
    return "\n".join(_SPACE.sub("", "".join(part.itertext())) for part in parts), set(elements)
