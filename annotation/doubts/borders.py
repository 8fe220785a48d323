"""The reason "borders": a span begins or ends where nobody would put it, or overlaps another one that can't be meant beside it."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ..annotations import Annotation, Span
from ..disputes import whole_words
from ..labels import LabelScheme
from ..passage_labels import odd_spans
from ..splitting.passages import Passage
from .doubt import AnnotatedDocument, Doubt

NAME = "borders"

_WORD_CUT, _OVERLAP, _SPACE, _PUNCTUATION = 0.9, 0.8, 0.6, 0.3
"""Strengths, by how sure it is that nobody meant it so; they are set by hand, not measured."""

_STRANGE_FIRST = re.compile(r"[,;:!?)\]}、。，；：！？]|\.(?![\d.])")
_STRANGE_LAST = re.compile(r"(?:[,;:(\[{¿¡、，；：]|\s[-–—])\Z")


def borders_are_odd(documents: Sequence[AnnotatedDocument], scheme: LabelScheme) -> Iterator[Doubt]:
    """Doubt spans that begin or end within a word, or with white space or stray punctuation, and those that overlap and can't both be meant."""
    for one in documents:
        for annotation in one.annotations:
            for span in annotation.spans:
                if found := odd_border(span, one.document.text, one.passages):
                    what, strength = found
                    yield _doubt(one, annotation, span.start, span.end, span.label, what, strength)
            for first, second, what in odd_spans(annotation.spans, scheme):
                start, end = max(first.start, second.start), min(first.end, second.end)
                yield _doubt(one, annotation, start, end, second.label, what, _OVERLAP)


def _doubt(one: AnnotatedDocument, annotation: Annotation, start: int, end: int, label: str, what: str, strength: float) -> Doubt:
    document = one.document
    return Doubt(document.id, document.name, start, end, document.text[start:end], label, True, {NAME: f"{annotation.annotator}: {what}"}, strength)


def odd_border(span: Span, text: str, passages: Sequence[Passage]) -> tuple[str, float] | None:
    """What is odd about the borders of a span, in words, and how strongly that speaks against it; None where nothing is.

    Args:
        span: the span.
        text: of the document.
        passages: of the document, in reading order.
    """
    first, last = _passage_at(span.start, passages), _passage_at(span.end - 1, passages)
    begins_sentence, ends_sentence = first is not None and span.start == first.start, last is not None and span.end == last.end
    return _cut_word(span, text, first, last) or _stray(text[span.start : span.end], begins_sentence, ends_sentence)


def _cut_word(span: Span, text: str, first: Passage | None, last: Passage | None) -> tuple[str, float] | None:
    words = whole_words(span, text)
    begins_within, ends_within = words.start < span.start or _continues(text, span.start), words.end > span.end or _continues(text, span.end)
    if last and _is_one_letter(text[span.end : last.end]):
        return "ends one letter before the sentence does", _WORD_CUT if ends_within else _PUNCTUATION
    if begins_within:
        letter = first and _is_one_letter(text[first.start : span.start][::-1])
        return "begins one letter after the sentence does" if letter else "begins within a word", _WORD_CUT
    return ("ends within a word", _WORD_CUT) if ends_within else None


def _stray(marked: str, begins_sentence: bool, ends_sentence: bool) -> tuple[str, float] | None:
    """White space at a border, and punctuation that belongs to what is beside it."""
    for side, there in (("begins", marked != marked.lstrip()), ("ends", marked != marked.rstrip())):
        if there:
            return f"{side} with white space", _SPACE
    if not begins_sentence and _STRANGE_FIRST.match(marked):
        return f"begins with “{marked[0]}”", _PUNCTUATION
    if not ends_sentence and _STRANGE_LAST.search(marked):
        return f"ends with “{marked[-1]}”", _PUNCTUATION
    return None


def _passage_at(offset: int, passages: Sequence[Passage]) -> Passage | None:
    number = bisect_right(passages, offset, key=lambda one: one.start) - 1
    return passages[number] if number >= 0 and offset < passages[number].end else None


def _is_one_letter(rest: str) -> bool:
    """Whether what a span leaves of a sentence is one letter, directly beside it, with or without punctuation behind that."""
    return bool(re.match(r"[^\W_]\W*\Z", rest))


def _continues(text: str, offset: int) -> bool:
    """Whether a mark that combines with the letter before it stands behind an offset."""
    return 0 < offset < len(text) and unicodedata.category(text[offset])[0] == "M"
