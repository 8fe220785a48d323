"""What all formats have in common: entries that readers give, annotated documents that writers take, and offsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..annotations import Annotation, Span
from ..documents import Document

CODE_POINTS, UTF16, BYTES = "code-points", "utf-16", "bytes"
UNITS = (CODE_POINTS, UTF16, BYTES)
"""What offsets may count: Unicode code points, UTF-16 units (Java, JavaScript), or bytes of UTF-8."""


@dataclass(frozen=True)
class Mark:
    """A marked stretch of text as another tool's file has it.

    Attributes:
        start: offset of the first character, in the file's own unit.
        end: offset after the last character.
        label: the file's name for it; ``LABEL:KIND`` where newsmark's label has kinds.
        words: the words that the file says are marked; None where it repeats none.
        id: the file's id of it.
    """

    start: int
    end: int
    label: str
    words: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Entry:
    """What a file says of one text: an annotation by one annotator, or a text without one.

    Attributes:
        where: file and line, for messages.
        text: the text.
        name: its name, where the file has one.
        language: its language, likewise.
        annotator: who annotated it, likewise.
        marks: the marked stretches.
        categories: what the whole text was given: topics, or labels.
        annotated: somebody, or something, annotated the text; None where the file does not say so, and only what it holds can show it.
        skipped: the annotator passed the text over.
        ground_truth: whether the file marks it as the adjudicated version; None where it marks none.
        note: the annotator's remark.
        problems: parts that could not be read, one phrase each.
        offered: names that the annotator could choose from, where the file lists them, used or not.
        metadata: what the file says of the article (see ``Document.metadata``).
    """

    where: str
    text: str
    name: str | None = None
    language: str | None = None
    annotator: str | None = None
    marks: tuple[Mark, ...] = ()
    categories: tuple[str, ...] = ()
    annotated: bool | None = None
    skipped: bool = False
    ground_truth: bool | None = None
    note: str | None = None
    problems: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_annotated(self) -> bool:
        """Whether there is an annotation; a text without marks, of which no annotator is known, may be one that nobody looked at."""
        shown = self.marks or self.categories or self.note or self.annotator or self.skipped
        return bool(shown) if self.annotated is None else self.annotated


@dataclass(frozen=True)
class Annotated:
    """A document with one annotation, to write."""

    document: Document
    annotation: Annotation


def full_label(span: Span) -> str:
    """Name a span's label, with its kind where it has one: ``quote:direct``."""
    return f"{span.label}:{span.kind}" if span.kind else span.label


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Borders of a span without the white space at its ends."""
    marked = text[start:end]
    return start + len(marked) - len(marked.lstrip()), end - (len(marked) - len(marked.rstrip()))


class Offsets:
    """Converts offsets in one text between a unit and code points.

    Args:
        text: the text.
        unit: one of ``UNITS``.
    """

    def __init__(self, text: str, unit: str) -> None:
        self._length = len(text)
        self._of: list[int] | None = None
        if unit != CODE_POINTS and not text.isascii():
            self._of = [0]
            for character in text:
                size = len(character.encode("utf-8", "surrogatepass")) if unit == BYTES else 1 + (character > "\uffff")
                self._of.append(self._of[-1] + size)
            self._back = {offset: number for number, offset in enumerate(self._of)}

    def to_code_points(self, offset: int) -> int | None:
        """Convert an offset; None where it is outside the text or inside a character."""
        if self._of is not None:
            return self._back.get(offset)
        return offset if 0 <= offset <= self._length else None

    def from_code_points(self, offset: int) -> int:
        """Convert an offset that is in the text."""
        return offset if self._of is None else self._of[offset]
