"""The tokenizer of the formats that need tokens: a word is a run of letters, digits, marks and "_"; any other visible character stands alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def tokenize(text: str, borders: Iterable[int] = ()) -> list[tuple[int, int]]:
    """Find the tokens of a text.

    Args:
        text: the text.
        borders: offsets where a token ends, also inside a word: the borders of spans.

    Returns:
        Start and end of each token; what lies between tokens is white space.
    """
    cuts = set(borders)
    tokens: list[tuple[int, int]] = []
    start: int | None = None
    for number, character in enumerate(text):
        if start is not None and (number in cuts or not (_of_word(character) and _of_word(text[start]))):
            tokens.append((start, number))
            start = None
        if start is None and not character.isspace():
            start = number
    return tokens if start is None else [*tokens, (start, len(text))]


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
