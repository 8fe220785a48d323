"""Of which kind a span is: a direct or an indirect quote, say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .context import PassageInContext

_QUOTED = re.compile(r'[«“„”"「『»]([^«»“”„"「」『』]*)[»”“"」』«]')
_OPEN, _CLOSED, _MARKS, _DASHES = "«“„「『", "»”」』", "«“„»”\"「『'‘", "–—-―"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class KindModel:
    """A logistic regression for each kind of a label.

    Attributes:
        weights: of each kind, its weight of each feature; the intercept is that of "".
    """

    weights: Mapping[str, Mapping[str, float]]

    def find(self, context: PassageInContext) -> str:
        """Find the most probable kind of a span of a passage."""
        known = kind_features(context)
        return max(self.weights, key=lambda kind: self.weights[kind][""] + sum(value * self.weights[kind].get(name, 0.0) for name, value in known.items()))


def kind_features(context: PassageInContext) -> dict[str, float]:
    """Describe a passage: quotation marks and dashes, those of its neighbours, which a quotation may go over, and its words."""
    found: dict[str, float] = {}
    for name, text in (("t", context.text.strip()), ("b", context.before.strip()), ("a", context.after.strip())):
        parts = _QUOTED.findall(text)
        opened, closed, plain = (sum(map(text.count, marks)) for marks in (_OPEN, _CLOSED, '"'))
        longest = max(map(len, parts), default=0)
        signs = {
            "pair": bool(parts), "long20": longest > 20, "long40": longest > 40,
            "marks": opened + closed + plain > 0, "odd": opened != closed or plain % 2 == 1,
            "begins": text[:1] != "" and text[:1] in _MARKS, "dash": text[:1] != "" and text[:1] in _DASHES, "dashes": " – " in text or " — " in text,
            "colon": bool(re.search(r":\s*[«“„»”\"「『]", text)), "ends": bool(re.search(r"[»”\"“」』][.,]?$", text)), "none": not text,
        }  # fmt: skip
        found |= {f"{name}{sign}": 1.0 for sign, there in signs.items() if there}
        found[f"{name}share"] = sum(map(len, parts)) / max(1, len(text))
    if context.text.strip()[:1].islower():
        found["small"] = 1.0
    words = {word.casefold() for word in _WORD.findall(context.text)}
    return found | {f"w{word}": len(words) ** -0.5 for word in words}  # as much together in a long passage as in a short one
