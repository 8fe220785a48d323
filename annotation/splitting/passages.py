"""Splitting a text into passages: one sentence of running text, or one line of page furniture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..characters import trim
from .sentences import sentence_ends

MAX_PASSAGE = 10_000
"""Longest passage in characters; a longer line without an end of sentence is cut at white space."""

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # what str.splitlines takes for line breaks


@dataclass(frozen=True)
class Passage:
    """A passage of a document.

    Attributes:
        start: offset of its first character, in Unicode code points.
        end: offset after its last character; ``document.text[start:end] == text``.
        text: its exact characters, without white space at either end.
    """

    start: int
    end: int
    text: str


def split_passages(text: str, language: str) -> list[Passage]:
    """Split a text into its passages, in reading order.

    A line break always ends a passage. Inside a line, the rules of the language find the sentences (``languages/``); for a
    language without a file, those of English are used.

    Args:
        text: the exact text of a document.
        language: ISO 639-1 code.

    Returns:
        Passages that are not empty and do not overlap; what is between them is white space.
    """
    passages = []
    for line in _LINE.finditer(text):
        for start, end in _pieces(line.group(), language):
            start, end = trim(text, line.start() + start, line.start() + end)
            if start < end:
                passages.append(Passage(start, end, text[start:end]))
    return passages


def _pieces(line: str, language: str) -> Iterator[tuple[int, int]]:
    for start, end in _chunks(line):
        previous = 0
        for boundary in sentence_ends(line[start:end], language):
            yield start + previous, start + boundary
            previous = boundary


def _chunks(line: str) -> Iterator[tuple[int, int]]:
    """Cut an overlong line after an end of sentence if there is one, else at white space, else anywhere."""
    start = 0
    while len(line) - start > MAX_PASSAGE:
        window = line[start : start + MAX_PASSAGE]
        stops = [found.end() for found in re.finditer(r"(?:[.!?](?=\s)|[。！？])\s*", window)] or [found.end() for found in re.finditer(r"\s+", window)]
        end = start + (stops[-1] if stops else MAX_PASSAGE)
        yield start, end
        start = end
    yield start, len(line)
