"""Which parts of a line are quoted or in brackets: no sentence ends there."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANY = re.compile(r"[\"“”„‟«»‘’‚‹›'`「」『』《》〈〉()（）\[\]【】]")
_MARKS = re.compile(r"''|``|[\"“”„‟«»‘’‚‹›'`「」『』《》〈〉()（）\[\]【】]")
_SINGLE = ("'", "''")
_PLAIN = re.compile(r"''?")
_SPACED = re.compile(r"(?<!\S)''?(?!\S)")
_OPENS = {"„": "“", "‚": "’", "「": "「", "『": "『", "《": "《", "〈": "〈", "(": "(", "（": "(", "[": "[", "【": "【"}
_CLOSES = {"」": "「", "』": "『", "》": "《", "〉": "〈", ")": "(", "）": "(", "]": "[", "】": "【"}
_EITHER = {'"': "“", "“": "“", "”": "“", "‟": "“", "«": "«", "»": "«", "‹": "‹", "›": "‹", "‘": "’", "’": "’", "'": "’", "`": "’", "''": "''", "``": "''"}
_BEFORE_OPENING = frozenset(" \t([{（「«»“„\"‘'’—–-:/¿¡")
_PUNCTUATION = frozenset(".,;:!?…。！？")


@dataclass(frozen=True)
class Quotations:
    """What is quoted or in brackets in a line.

    Attributes:
        outermost: offsets of the first and the last mark of each part that stands in no other, in order.
        closing: offsets of all marks that close one.
    """

    outermost: list[tuple[int, int]]
    closing: frozenset[int]


_NOTHING = Quotations([], frozenset())


def quoted(line: str) -> Quotations:
    """Find quotations and brackets that open and close in one line.

    A mark that both opens and closes in some language is read by what stands around it. One that is never closed opens nothing.
    """
    if not _ANY.search(line):
        return _NOTHING
    opened: dict[str, int] = {}  # kind of mark: where it was opened; in the order of opening, one of a kind at most
    found: list[tuple[int, int]] = []
    for mark in _MARKS.finditer(line):
        place, kind = mark.start(), mark.group()
        before, after = line[place - 1 : place], line[mark.end() : mark.end() + 1]
        if kind in _OPENS:
            opened.pop(_OPENS[kind], None)
            opened[_OPENS[kind]] = place
        elif kind in _CLOSES:
            _close(opened, found, _CLOSES[kind], place)
        elif (before.isalnum() and after.isalnum()) or (kind in _SINGLE and not before.strip() and not after.strip()):
            continue  # an apostrophe, inches, or the sign of a Hebrew abbreviation
        elif _opens(kind, before, after, _EITHER[kind] in opened):
            opened.pop(_EITHER[kind], None)
            opened[_EITHER[kind]] = place
        elif _EITHER[kind] != "’" or before in _PUNCTUATION or after in _PUNCTUATION:  # else it may be an apostrophe: "the workers’ rights"
            _close(opened, found, _EITHER[kind], place)
    outermost: list[tuple[int, int]] = []
    for start, end in found:  # ordered by their ends
        while outermost and outermost[-1][0] > start:
            outermost.pop()
        outermost.append((start, end))
    return Quotations(outermost, frozenset(end for _, end in found) | _spaced(line))


def _spaced(line: str) -> frozenset[int]:
    """Find the plain marks with white space at both sides, as in tokenised text, that close a quotation; what stands in one may be cut."""
    marks = list(_SPACED.finditer(line)) if "'" in line else []
    is_open = len(marks) % 2 == 1 and line[: marks[0].start()].rstrip()[-1:] in set(".!?")
    closing = set()
    for mark in _PLAIN.finditer(line) if marks else ():
        before, after = line[mark.start() - 1 : mark.start()].strip(), line[mark.end() : mark.end() + 1].strip()
        if before and after and before not in _PUNCTUATION:
            continue  # an apostrophe
        if not before and not after:
            if is_open:
                closing.add(mark.start())
            is_open = not is_open
        else:
            is_open = not before
    return frozenset(closing)


def _close(opened: dict[str, int], found: list[tuple[int, int]], kind: str, place: int) -> None:
    start = opened.get(kind)
    if start is None:
        return
    for other in [name for name, since in opened.items() if since >= start]:  # what was opened inside and is still open was none
        del opened[other]
    found.append((start, place))


def _opens(kind: str, before: str, after: str, is_open: bool) -> bool:
    if before > "\u2e80" and kind in "“”":  # Chinese puts no space before it
        return kind == "“"
    free = not before or before.isspace() or before in _BEFORE_OPENING
    touches = bool(after) and not after.isspace()
    if kind in "«‹":
        return free or (touches and after not in _PUNCTUATION and before not in _PUNCTUATION)  # in German it closes: "bleiben«, sagte"
    if kind in "»›":
        return free and touches and after not in _PUNCTUATION and not (is_open and not before.isspace())
    if free and not touches:
        return not is_open and kind in '"“'
    return free and touches and (after not in _PUNCTUATION or not is_open)
