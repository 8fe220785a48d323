"""Where the sentences of a line end: every mark that may end one is looked at once, from left to right."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from .quotations import Quotations, quoted
from .rules import rules_of
from .stops import NEAR, STOPS, Stop, ends_sentence, is_plain_end

_CLOSING = frozenset("\"'“”’‘»«›‹)]}」』》〉）】")
_NOTE = re.compile(r"(?:\s?\[\d{1,3}\])+(?=\s)")
_BULLET = re.compile(r"[•⁃▪●◦‣∙■►]")
_MARKER = re.compile(r"(?<!\S)(?:\(?(?P<number>\d{1,3})(?P<after>\.\)|[.)])|(?P<letter>[a-z])(?P<tail>\.\)|[.)]))\s*(?=[^\W_])")


def sentence_ends(line: str, language: str) -> Iterator[int]:
    """Find where the sentences of a line end, in order.

    Args:
        line: text without a line break.
        language: ISO 639 code.

    Yields:
        Offsets after each sentence and the white space that follows it; the last one is the line's length.
    """
    rules = rules_of(language)
    quotations = quoted(line)
    parts = quotations.outermost
    items, numbers = _items(line)
    ends: list[int] = []
    part = item = previous = 0
    for found in _pattern(rules.stops).finditer(line):
        end = _with_closing(line, found.end(), quotations)
        while part < len(parts) and parts[part][1] < end:
            part += 1
        if end >= len(line) or found.start() in numbers or (part < len(parts) and parts[part][0] < end):
            continue
        while item < len(items) and items[item] <= found.start():
            previous = items[item]
            item += 1
        following = _skip_space(line, end)
        if following >= len(line):
            continue
        plain = end == found.end() == found.start() + 1 < following and is_plain_end(line, rules, previous, found.start(), following)
        if plain or ends_sentence(Stop(line, rules, previous, found.start(), found.end(), end, following)):
            ends.append(following)
            previous = following
    yield from sorted({*ends, *items, len(line)})


@functools.cache
def _pattern(stops: frozenset[str]) -> re.Pattern[str]:
    one = f"[{STOPS}{''.join(sorted(stops))}]"
    return re.compile(rf"{one}++(?:\s{one}++(?![^\s\"'”’»)]))*")  # ". . ." and "Bravo ! ." are one mark


def _with_closing(line: str, end: int, quotations: Quotations) -> int:
    """Keep with a sentence the marks that close a quotation or a bracket, and the number of a note."""
    while end < len(line):
        place = _skip_space(line, end) if line[end].isspace() else end
        if place >= len(line):
            break
        if place in quotations.closing:
            end = place + (2 if line.startswith(("''", "``"), place) else 1)
        elif (place == end or line[place] == "»") and line[place] in _CLOSING and not line[place + 1 : place + 2].isalnum():
            end = place + 1
        elif note := _NOTE.match(line, end):
            end = note.end()
        else:
            break
    return end


def _skip_space(line: str, place: int) -> int:
    limit = min(len(line), place + NEAR)
    while place < limit and line[place].isspace():
        place += 1
    return place


def _items(line: str) -> tuple[list[int], set[int]]:
    """Find the items of a list that stands on one line.

    Returns:
        Where the second and later items begin; offsets of the full stops of all items' numbers.
    """
    head = line.lstrip()
    if bullet := _BULLET.match(head):
        return [found.start() for found in re.finditer(re.escape(bullet.group()), line)][1:], set()
    if not _MARKER.match(line, len(line) - len(head)):
        return [], set()
    markers = list(_MARKER.finditer(line))
    starts: list[int] = []
    stops: set[int] = set()
    kind, count = _value(markers[0])
    for marker in markers:
        if _value(marker) == (kind, count):
            starts.append(marker.start())
            stops.update(range(marker.start(), marker.end()))
            count += 1
    return (starts[1:], stops) if len(starts) > 1 else ([], set())


def _value(marker: re.Match[str]) -> tuple[str, int]:
    if marker["number"]:
        return "1" + marker["after"], int(marker["number"])
    return "a" + marker["tail"], ord(marker["letter"])
