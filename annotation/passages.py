"""Splitting a text into passages: one sentence of running text, or one line of page furniture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yasbd import BoundaryDetector

MAX_PASSAGE = 10_000
"""Longest passage in characters; a longer line without an end of sentence is cut at white space."""

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # what str.splitlines takes for line breaks
_INVISIBLE = " \t\xa0\u200b\u200e\u200f\u2060\ufeff\u3000\u2002\u2003\u2009\u202f"
# No sentences; and the sentence splitter takes quadratic time on it: an unbroken run, or white space among nothing but dots.
_UNBROKEN = re.compile(r"[\w\u0300-\u036f]{1000}|[^\w\s]{1000}|(?:[.!?…]\s*){1000}")
# Where the splitter cuts too much: after these abbreviations when a digit follows, and before a lower-case letter.
_ABBREVIATION = re.compile(r"\b(?:env|approx|al|art|p|pp|vol|h|kl|nr|no|ca|tel|tél|fig|chap|kap|s)\.\s*$", re.IGNORECASE)

# Swedish words that the splitter takes for titles ("hon." is "Hon.").
_SWEDISH_WORD = re.compile(r"\b(?:hon|det|min|maj|med|sen)\.\s+(?=[A-ZÅÄÖ])")


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

    A line break always ends a passage. Inside a line, sentences are found by yasbd (rule-based, 39 languages);
    for a language that it lacks, its English rules are used.

    Args:
        text: the exact text of a document.
        language: ISO 639-1 code.

    Returns:
        Passages that are not empty and do not overlap; what lies between them is white space.
    """
    passages = []
    for line in _LINE.finditer(text):
        for start, end in _pieces(line.group(), language):
            start, end = _strip(text, line.start() + start, line.start() + end)
            if start < end:
                passages.append(Passage(start, end, text[start:end]))
    return passages


def is_blank(text: str) -> bool:
    """Whether a text has no visible character."""
    return not text.strip().strip(_INVISIBLE)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and (text[start] in _INVISIBLE or text[start].isspace()):
        start += 1
    while end > start and (text[end - 1] in _INVISIBLE or text[end - 1].isspace()):
        end -= 1
    return start, end


def _pieces(line: str, language: str) -> Iterator[tuple[int, int]]:
    for start, end in _chunks(line):
        chunk = line[start:end]
        if _UNBROKEN.search(chunk):
            yield start, end
            continue
        previous = 0
        for boundary in _boundaries(chunk, language):
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


def _boundaries(line: str, language: str) -> Iterator[int]:
    # A typographic apostrophe looks like the end of a quotation to the splitter; a plain one has the same length.
    ends = {_past_quote(line, end) for end in _detector(language).detect(line.replace("’", "'"))}
    if language == "sv":
        ends |= {word.end() for word in _SWEDISH_WORD.finditer(line) if line.count("”", 0, word.end()) % 2 == 0}
    previous = 0
    for end in sorted(ends):
        following = line[end:].lstrip()[:1]
        runs_on = following.islower() or following in {",", ";"} or (following.isdigit() and _ABBREVIATION.search(line[previous:end]))
        if end < len(line) and following and runs_on:
            continue
        yield end
        previous = end
    if previous < len(line):
        yield len(line)


def _past_quote(line: str, end: int) -> int:
    """Keep the quotation mark that closes a sentence with it."""
    closing = re.compile(r"\s*»").match(line, end)
    return closing.end() if closing else end


@lru_cache
def _detector(language: str) -> BoundaryDetector:
    from yasbd import BoundaryDetector, get_supported_langs  # slow to import

    return BoundaryDetector(lang=language if language in get_supported_langs() else "en")
