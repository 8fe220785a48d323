"""WebAnno TSV 3, which INCEpTION exports: one file per document and annotator, one line per token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import NewsmarkError
from ..files import atomic_write
from .brat import file_stem
from .exchange import UTF16, Annotated, Entry, Mark, Offsets, full_label
from .rows import read_bytes_as_text
from .tokens import tokenize

LAYER = "webanno.custom.Newsmark"
_OF_TOKENS = ("de.tudarmstadt.ukp.dkpro.core.api.lexmorph.", "de.tudarmstadt.ukp.dkpro.core.api.segmentation.", "de.tudarmstadt.ukp.dkpro.core.api.syntax.")
_TOKEN = re.compile(r"(\d+)-(\d+)(?:\.\d+)?$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_VALUE = re.compile(r"((?:[^\\]|\\.)*?)(?:\[(\d+)\])?$", re.DOTALL)


def read(path: Path, _: str | None) -> Iterator[Entry]:
    """Read a file: the text from its sentences, spans from its layers of spans; layers of single words (parts of speech, lemmas) are passed over.

    Offsets count UTF-16 units, as Java does. What lies between two sentences is not in the file: it is taken to be line breaks.
    """
    lines = read_bytes_as_text(path).split("\n")
    if not lines[0].startswith("#FORMAT=WebAnno TSV 3"):
        raise NewsmarkError(f"{path}: the first line is not #FORMAT=WebAnno TSV 3.x; export the document as WebAnno TSV v3.3")
    columns = _columns(lines)
    pieces: dict[tuple[str, str], list[tuple[int, int, str, str]]] = {}
    problems: list[str] = []
    text, length, sentence, waiting = "", 0, list[str](), False
    others = sum(line.startswith(("#T_RL", "#T_CH")) for line in lines)
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        cells = line.split("\t")
        if line.startswith("#Text="):
            sentence = [*sentence, _unescape(line[6:])] if waiting else [_unescape(line[6:])]
            waiting = True
        elif _TOKEN.match(cells[0]) and len(cells) >= 3 and (found := re.fullmatch(r"(\d+)-(\d+)", cells[1])):
            start, end = int(found[1]), int(found[2])
            if waiting:
                before = length
                text, length, waiting = *_grown(text, length, "\n".join(sentence), start, _unescape(cells[2])), False
                if start < before:
                    problems.append(f"line {number}: this sentence begins before the one above it ends: the file's offsets do not count UTF-16 units")
            _collect(cells[3:], columns, (start, end, _unescape(cells[2])), f"{number}", pieces)
        elif line.strip() and not line.startswith("#"):
            problems.append(f"line {number} is no token of WebAnno TSV 3: {line[:60]}")
    if others:
        problems.append(f"{others} layers of relations or chains, which newsmark does not have")
    marks = tuple(Mark(min(one[0] for one in own), max(one[1] for one in own), own[0][3], "".join(one[2] for one in own)) for own in pieces.values())
    yield Entry(str(path), text, path.stem, marks=marks, problems=tuple(problems))


def _grown(text: str, length: int, sentence: str, start: int, token: str) -> tuple[str, int]:
    """Add a sentence where its first token says that it begins; lengths in UTF-16 units."""
    before = sentence.partition(token)[0]
    gap = start - _size(before) - length
    added = "\n" * max(gap, 0) + sentence
    return text + added, length + _size(added)


def _size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _columns(lines: Sequence[str]) -> list[str | None]:
    """The layer of each column that holds a label; None for the other columns."""
    columns: list[str | None] = []
    for line in lines:
        found = re.match(r"#T_(SP|RL|CH)=([^|\r]*)\|?([^\r]*)", line)
        if not found:
            continue
        features = found[3].split("|") if found[3] else [""]
        chosen = next(name for name in ("label", "value", features[0]) if name in features)
        own = found[1] == "SP" and not found[2].startswith(_OF_TOKENS)
        columns += [found[2] if own and name == chosen else None for name in features]
        if found[1] == "RL":
            columns.append(None)  # a relation has one more column, for the token that it starts at
    return columns


def _collect(
    cells: Sequence[str], columns: Sequence[str | None], token: tuple[int, int, str], line: str, pieces: dict[tuple[str, str], list[tuple[int, int, str, str]]]
) -> None:
    """Add a token's labels; those of one layer with one number are one span."""
    for cell, layer in zip(cells, columns, strict=False):
        if layer is None or cell in {"_", ""}:
            continue
        for part in re.split(r"(?<!\\)\|", cell):
            found = _VALUE.match(part)
            if found and part != "_":
                value = "*" if found[1] == "*" else _unescape(found[1])
                pieces.setdefault((layer, found[2] or f"line {line} {part}"), []).append((*token, value))


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def _escape(text: str, reserved: str = "") -> str:
    text = text.replace("\\", "\\\\")
    for letter, character in _ESCAPES.items():
        text = text.replace(character, f"\\{letter}")
    return re.sub(f"([{re.escape(reserved)}])", r"\\\1", text) if reserved else text


def write(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write a file per document into a folder; tokens are cut at the borders of spans, so that none moves."""
    names: set[str] = set()
    for one in annotated:
        text, spans = one.document.text, one.annotation.spans
        offsets = Offsets(text, UTF16)
        with atomic_write(path / f"{file_stem(one.document.name, names)}.tsv") as stream:
            stream.write(f"#FORMAT=WebAnno TSV 3.3\n#T_SP={LAYER}|label\n\n")
            for number, (start, end, tokens) in enumerate(_sentences(text, {border for span in spans for border in (span.start, span.end)}), start=1):
                stream.write(f"\n#Text={_escape(text[start:end])}\n")
                for place, token in enumerate(tokens, start=1):
                    own = [f"{_escape(full_label(span), '[]|_;*')}[{index}]" for index, span in enumerate(spans, 1) if span.start <= token[0] < span.end]
                    where = f"{offsets.from_code_points(token[0])}-{offsets.from_code_points(token[1])}"
                    stream.write(f"{number}-{place}\t{where}\t{_escape(text[slice(*token)])}\t{'|'.join(own) or '_'}\t\n")
    return []


def _sentences(text: str, borders: set[int]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Cut a text into its lines, each with a visible character; one line break between two of them is in neither, all other white space is in one."""
    tokens = tokenize(text, borders)
    lines: list[list[tuple[int, int]]] = []
    for token in tokens:
        if lines and "\n" not in text[lines[-1][-1][1] : token[0]]:
            lines[-1].append(token)
        else:
            lines.append([token])
    start = 0
    for line, after in zip(lines, [*lines[1:], []], strict=True):
        end = after[0][0] if after else len(text)
        whole = text[line[-1][1] : end] != "\n" or not after
        yield start, end if whole else end - 1, line
        start = end
