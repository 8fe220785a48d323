"""CoNLL: one token per line with a BIO tag in the last column, an empty line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..annotations import Span
from ..files import atomic_write
from .exchange import Annotated, Entry, Mark, full_label
from .rows import read_bytes_as_text
from .tokens import tokenize

_COMMENT = re.compile(r"# (newdoc(?: id)?|[\w.]+(?: id)?) ?=? ?(.*)$", re.DOTALL)
_SEVERAL = re.compile(r"\d+[-.]\d+$")
"""Number of a line of CoNLL-U that holds no token of its own: several of them in one word, or one that the text does not show."""
_TAG = re.compile(r"([BIESULO])(?:-(.+))?$")


@dataclass
class _Page:
    """A document while its lines are read: its text so far, and its spans."""

    where: str
    facts: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    length: int = 0
    marks: list[Mark] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read(path: Path, _: str | None) -> Iterator[Entry]:
    """Read tags of the schemes BIO, IOB, BIOES and BILUO. The text of a sentence is in ``# text = …``; without that, a space is put between tokens."""
    raw = read_bytes_as_text(path)
    for page in _pages(raw.replace("\r\n", "\n") if raw.count("\r\n") == raw.count("\n") else raw, path):
        yield Entry(
            page.where,
            "\n".join(page.lines),
            page.facts.get("newdoc id"),
            page.facts.get("lang"),
            page.facts.get("annotator"),
            tuple(page.marks),
            problems=tuple(page.problems),
        )


def _pages(raw: str, path: Path) -> Iterator[_Page]:
    page, word = _Page(f"{path}, line 1"), 1 if _are_numbered(raw) else 0
    text: str | None = None
    tokens: list[tuple[str, str]] = []
    for number, line in enumerate([*raw.split("\n"), ""], start=1):
        comment = _COMMENT.match(line) if "\t" not in line or line.startswith("# text =") else None
        cells = line.rstrip("\r").split("\t") if "\t" in line else re.split("[ \r]+", line.strip(" \r"))
        if comment and " = " not in line and not comment[1].startswith("newdoc") and len(cells) > 2 and _TAG.match(cells[-1]):
            comment = None  # the token "#"
        new = (comment and comment[1].startswith("newdoc")) or cells[:1] == ["-DOCSTART-"]
        if (tokens and (comment or not line.strip() or new)) or (text is not None and not line):
            _add(page, tokens, text, number)
            text, tokens = None, []
        if new and page.lines:
            yield page
        if new:
            page = _Page(f"{path}, line {number}", {"newdoc id": comment[2]} if comment and comment[2] else {})
        elif comment and comment[1] == "text":
            text = comment[2]
        elif comment:
            page.facts[comment[1]] = comment[2]
        elif word and _SEVERAL.match(cells[0]):
            pass
        elif len(cells) > 1 and _TAG.match(cells[-1]):
            tokens.append((cells[word], cells[-1]))
        elif line.strip():
            page.problems.append(f"line {number} of the file has no token and tag: {line[:60]}")
    if page.lines:
        yield page


def _are_numbered(raw: str) -> bool:
    """Whether the first column counts the tokens of each sentence (CoNLL-U, GermEval), and the second one holds them."""
    last, longest = 0, 0
    for line in raw.split("\n"):
        cells = line.split("\t") if "\t" in line else line.split()
        if not cells or cells[0].startswith("#"):
            last = 0
        elif _SEVERAL.match(cells[0]):
            continue
        elif len(cells) > 2 and cells[0] in {str(last + 1), "1"}:
            last = int(cells[0])
            longest = max(longest, last)
        else:
            return False
    return longest > 1


def _add(page: _Page, tokens: Sequence[tuple[str, str]], text: str | None, number: int) -> None:
    """Add a sentence, with the spans of its tags."""
    base = page.length
    line = text if text is not None else " ".join(word for word, _ in tokens)
    at = 0
    open_span: tuple[int, int, str] | None = None
    for word, tag in tokens:
        start = line.find(word, at)
        if start < 0:
            page.problems.append(f"the token {word!r} is not in the sentence that ends before line {number}; the rest of its tags is left out")
            break
        at = start + len(word)
        found = _TAG.match(tag)
        position, label = (found[1], found[2] or "") if found else ("O", "")
        if open_span and (position in "BSUO" or label != open_span[2]):
            page.marks.append(Mark(*open_span))
            open_span = None
        if position != "O" and label:
            open_span = (open_span[0] if open_span else base + start, base + at, label)
            if position in "SUEL":
                page.marks.append(Mark(*open_span))
                open_span = None
    if open_span:
        page.marks.append(Mark(*open_span))
    page.lines.append(line)
    page.length += len(line) + 1


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write tokens (see ``tokens``) with BIO tags, a sentence per line of text. BIO holds no overlapping spans, and none over several lines.

    Returns:
        What was left out or cut.
    """
    left_out = []
    with atomic_write(path) as stream:
        for one in annotated:
            name = " ".join(one.document.name.split())
            stream.write(f"# newdoc id = {name}\n# lang = {one.document.language}\n# annotator = {one.annotation.annotator}\n")
            spans, lost = _without_overlaps(one.annotation.spans)
            left_out += [f"{name}: the {full_label(span)} span at {span.start}–{span.end} overlaps a longer one" for span in lost]
            cut = [span for span in spans if "\n" in one.document.text[span.start : span.end]]
            left_out += [f"{name}: the {full_label(span)} span at {span.start}–{span.end} is cut at its line breaks" for span in cut]
            base = 0
            for line in one.document.text.split("\n"):
                stream.write(f"# text = {line}\n")
                own = [span for span in spans if span.start < base + len(line) and span.end > base]
                borders = {border - base for span in own for border in (span.start, span.end)}
                for start, end in tokenize(line, borders):
                    span = next((span for span in own if span.start <= base + start < span.end), None)
                    first = span is not None and not line[max(span.start - base, 0) : start].strip() and span.start >= base
                    tag = f"{'B' if first else 'I'}-{full_label(span)}" if span else "O"
                    stream.write(f"{line[start:end]}\t{tag}\n")
                stream.write("\n")
                base += len(line) + 1
    return left_out


def _without_overlaps(spans: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    kept: list[Span] = []
    lost = []
    for span in sorted(spans, key=lambda one: one.start - one.end):
        if any(span.start < other.end and other.start < span.end for other in kept):
            lost.append(span)
        else:
            kept.append(span)
    return kept, lost
