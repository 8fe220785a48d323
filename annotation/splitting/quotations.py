"""Which parts of a line are quoted or in brackets: no sentence ends there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter

LONGEST = 300
"""Longest quotation, in characters, that stays in one piece; a longer one is read sentence by sentence."""

_ANY = re.compile(r"[\"“”„‟«»‘’‚‹›'`「」『』《》〈〉()（）\[\]【】]")
_MARKS = re.compile(r"''|``|[\"“”„‟«»‘’‚‹›'`「」『』《》〈〉()（）\[\]【】]")
_SINGLE = ("'", "''")
_PLAIN = re.compile(r"''?|`")
_CLITIC = re.compile(r"'[^\W\d_]{1,2}(?!\w)")  # "Anna 's"
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
        elif _EITHER[kind] in opened and _closes_late(line, kind, place):
            _close(opened, found, _EITHER[kind], place)
        elif _opens(kind, before, after, _EITHER[kind] in opened):
            opened.pop(_EITHER[kind], None)
            opened[_EITHER[kind]] = place
        elif _EITHER[kind] != "’" or before in _PUNCTUATION or after in _PUNCTUATION:  # else it may be an apostrophe: "the workers’ rights"
            _close(opened, found, _EITHER[kind], place)
    pairs, closing = _spaced(line)
    outermost: list[tuple[int, int]] = []
    for start, end in sorted(found + pairs, key=itemgetter(1)) if pairs else found:  # ordered by their ends
        if end - start > LONGEST:
            continue
        while outermost and outermost[-1][0] > start:
            outermost.pop()
        outermost.append((start, end))
    return Quotations(outermost, frozenset(end for _, end in found) | closing)


def _spaced(line: str) -> tuple[list[tuple[int, int]], frozenset[int]]:
    """Find quotations with white space at both sides of a plain mark, as in tokenised text; the line may begin inside one.

    Returns:
        Offsets of the first and the last mark of each, if all that are opened are closed; offsets of the marks that close one.
    """
    if (" '" not in line and not line.startswith("'")) or not _SPACED.search(line):
        return [], frozenset()
    marks = [mark for mark in _PLAIN.finditer(line) if not _is_apostrophe(line, mark)]
    is_open = len(marks) % 2 == 1 and line[: marks[0].start()].rstrip()[-1:] in set(".!?")
    start = -1
    pairs, closing = [], set()
    for mark in marks:
        before, after = line[mark.start() - 1 : mark.start()].strip(), line[mark.end() : mark.end() + 1].strip()
        closes = is_open if not before and not after else bool(before)
        if closes and is_open:
            if start >= 0:
                pairs.append((start, mark.start()))
            if not before:
                closing.add(mark.start())
        is_open, start = not closes, mark.start()
    return [] if is_open else pairs, frozenset(closing)


def _is_apostrophe(line: str, mark: re.Match[str]) -> bool:
    before, after = line[mark.start() - 1 : mark.start()].strip(), line[mark.end() : mark.end() + 1].strip()
    return bool(before and after and before not in _PUNCTUATION) or _CLITIC.match(line, mark.start()) is not None


def _close(opened: dict[str, int], found: list[tuple[int, int]], kind: str, place: int) -> None:
    start = opened.get(kind)
    if start is None:
        return
    for other in [name for name, since in opened.items() if since >= start]:  # what was opened inside and is still open was none
        del opened[other]
    found.append((start, place))


def _closes_late(line: str, kind: str, place: int) -> bool:
    """Whether white space stands on the wrong side of a mark that closes: vi gav op, "siger Ek."""
    return kind == '"' and line[place - 2 : place] in (", ", "! ", "? ") and line[place + 1 : place + 2].islower()


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
