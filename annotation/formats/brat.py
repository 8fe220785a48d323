"""brat's standoff files: the text in ``NAME.txt``, its annotations in ``NAME.ann``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import NewsmarkError
from ..files import atomic_write, read_text
from .exchange import Annotated, Entry, Mark
from .rows import read_bytes_as_text

_BOUND = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?$", re.DOTALL)
_KIND = re.compile(r"A\S+\tkind (T\S+) (.*)$", re.DOTALL)
_LONGEST = 200  # bytes of a file's name, of which file systems take 255
_CONFIGURATION = "annotation.conf"
_NOTE = re.compile(r"#\S*\tAnnotatorNotes (\S+)\t(.*)$", re.DOTALL)


def read(path: Path, _: str | None) -> Iterator[Entry]:
    """Read an ``.ann`` file and its text. Fragments with only white space between them are one span; others are spans of their own."""
    text_path = path.with_suffix(".txt")
    if not text_path.is_file():
        raise NewsmarkError(f"{path}: its text {text_path.name} is missing; brat's export has both")
    text = read_text(text_path)
    lines = read_bytes_as_text(path.with_suffix(".ann")).split("\n")
    kinds = {found[1]: found[2].strip() for line in lines if (found := _KIND.match(line))}
    marks: list[Mark] = []
    notes: list[str] = []
    problems: list[str] = []
    others = 0
    for number, line in enumerate(lines, start=1):
        if found := _BOUND.match(line.rstrip("\r")):
            label = f"{found[2]}:{kinds[found[1]]}" if found[1] in kinds else found[2]
            marks += _fragments(found[1], label, found[3], found[4], text)
        elif found := _NOTE.match(line):
            notes.append(found[2].strip().replace("\\n", "\n"))
        elif line.startswith("T"):
            problems.append(f"line {number} is no text-bound annotation of brat: {line.strip()[:60]}")
        elif line.strip() and not _KIND.match(line):
            others += 1
    if others:
        problems.append(f"{others} relations, events, attributes or other lines, which newsmark does not have")
    yield Entry(str(path), text, text_path.name, marks=tuple(marks), note="\n".join(notes) or None, problems=tuple(problems), offered=_offered(path))


def _offered(path: Path) -> tuple[str, ...]:
    """The entities of the configuration that is in the file's folder or the next one above it."""
    configured = next((one for one in (path.parent / _CONFIGURATION, path.parent.parent / _CONFIGURATION) if one.is_file()), None)
    if configured is None:
        return ()
    section, names = "", []
    for line in (one.strip() for one in read_text(configured).splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[entities]" and line and not line.startswith(("#", "-", "<")):
            names.append(line.removeprefix("!").split()[0])  # "!" marks a group of entities that is no entity itself
    return tuple(names)


def _fragments(mark_id: str, label: str, offsets: str, words: str | None, text: str) -> list[Mark]:
    parts = [tuple(map(int, part.split())) for part in offsets.split(";")]
    joined: list[list[int]] = []
    for start, end in parts:
        if joined and not text[joined[-1][1] : start].strip() and joined[-1][1] <= start:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    if len(joined) == 1:
        return [Mark(joined[0][0], joined[0][1], label, words, mark_id)]
    bare = "".join((words or "").split())
    fits = words is None or bare == "".join("".join(text[start:end] for start, end in parts).split())
    return [Mark(start, end, label, None if fits else words, mark_id if number == 0 else None) for number, (start, end) in enumerate(joined)]


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write two files per document into a folder; a span over several lines is written line by line, as brat does."""
    names: set[str] = set()
    for one in annotated:
        stem = file_stem(one.document.name, names)
        text = one.document.text
        lines = []
        for number, span in enumerate(one.annotation.spans, start=1):
            parts = [(span.start + found.start(), span.start + found.end()) for found in re.finditer(r"[^\n]+", text[span.start : span.end])]
            offsets, words = ";".join(f"{start} {end}" for start, end in parts), " ".join(text[start:end] for start, end in parts)
            lines.append(f"T{number}\t{span.label} {offsets}\t{words}\n")
            if span.kind:
                lines.append(f"A{number}\tkind T{number} {span.kind}\n")
        if one.annotation.note and one.annotation.spans:  # brat keeps a note at a span
            lines.append("#1\tAnnotatorNotes T1\t" + one.annotation.note.replace("\n", "\\n") + "\n")
        with atomic_write(path / f"{stem}.txt") as stream:
            stream.write(text)
        with atomic_write(path / f"{stem}.ann") as stream:
            stream.writelines(lines)
    return []


def file_stem(name: str, taken: set[str]) -> str:
    """A file name for a document, without its ending, that no other document has."""
    stem = own = re.sub(r"[^\w.-]+", "_", name.removesuffix(".txt")).lstrip(".")[:80].encode()[:_LONGEST].decode(errors="ignore") or "document"
    number = 1
    while own.lower() in taken:
        number += 1
        own = f"{stem}-{number}"
    taken.add(own.lower())
    return own
