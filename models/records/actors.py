"""Who binds itself: the verb that binds, and the actor before it or, in languages whose verb comes second, after it."""

from __future__ import annotations

import re
from typing import NamedTuple

from .words import Words

Place = tuple[int, int]

_BORDER = re.compile(r"[,;:()«»“”„\"—–]|(?<=\s)-(?=\s)|[.!?…](?=\s)")
ENDS = ' \t\u00a0\u202f.。!?…,;:،؛！？，；：»”“"«„—–-'
STARTS = ' \t\u00a0\u202f,;:»”“"«„—–-'
_WORD = re.compile(r"\w+(?:[-’'.&]\w+)*[’']?")
_CAPITAL = r"[^\W\d_a-zà-öø-ÿ]"
_HEAD = re.compile(rf"(?:[^\W\d_]{{1,5}}\s+)?{_CAPITAL}[\w’'-]+(?:\s+{_CAPITAL}[\w’'-]+)*")
"""A name at the beginning of a clause, perhaps with its article."""
_OF_ACTOR = re.compile(rf"\s+(?:du|de la|de l['’]|des|de|d['’]|del|of the|of|do|da|dell['’])\s*({_CAPITAL}[\w’'-]+(?:\s+{_CAPITAL}[\w’'-]+)*)")
_AGENT = re.compile(rf"\s+((?:[^\W\d_]{{1,4}}['’]?\s*)?[\w’-]+(?:\s+{_CAPITAL}[\w’'-]+)*)")
_AFTER = re.compile(
    rf"(?:(?:den|det|de|der|die|das|het|een|ein|eine|unser\w*|onze|vår\w*)\s+)?(?:[\w-]*(?:en|et|na|erna|n)\b|{_CAPITAL}[\w-]+(?:\s+{_CAPITAL}[\w-]+)*)"
)
"""A noun with its article, by the ending or the capital."""
_VERBS = ("pledge", "future", "will", "now", "passive")
_LONGEST_ACTOR = 30  # words


class Verb(NamedTuple):
    """A verb: its offsets, and the list of words that it is in."""

    start: int
    end: int
    kind: str


def lower(text: str) -> str:
    """Lower case with the offsets of the text."""
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


def find_verb(low: str, start: int, end: int, words: Words) -> Verb | None:
    """The first verb that binds, announces an act, or is one; else a noun that stands for a commitment."""
    found = [Verb(one.start(), one.end(), kind) for kind in _VERBS for one in getattr(words, kind).finditer(low, start, end)]
    if found:
        return min(found, key=lambda one: (one.start, -one.end))
    if (noun := words.noun.search(low, start, end)) is not None:
        return Verb(*noun.span(), "noun")
    headline = words.headline.search(low, start + 1, end)
    return Verb(*headline.span(), "will") if headline is not None else None


def find_actor(text: str, low: str, verb: Verb | None, start: int, end: int, words: Words) -> tuple[Place | None, bool]:
    """The actor's words, and whether they follow their verb."""
    if verb is None:
        return _pronoun_within(low, start, end, words), False
    if verb.kind == "noun":
        named = _OF_ACTOR.match(text, verb.end, end)
        return (named.span(1) if named is not None else None), False
    if passive := words.passive.match(low, verb.start, end):
        return _agent(text, low, passive.end(), end, words), False
    if words.second and (after := _after(text, low, verb, words, end)):
        return after, True
    return _left(text, low, verb.start, words) or _teller(text, low, verb, words), False


def _agent(text: str, low: str, start: int, end: int, words: Words) -> Place | None:
    """The actor of a verb with its object before it."""
    found = words.agent.search(low, start, end)
    if found is None:
        return None
    inside = _AGENT.match(text, found.end(), end)
    return inside.span(1) if inside is not None else None


def _teller(text: str, low: str, verb: Verb, words: Words) -> Place | None:
    """Who says "that it will", where the verb itself has no actor before it, as in languages that leave pronouns out."""
    start = clause_start(low, verb.start, words)
    said = [one for one in words.report.finditer(low, 0, start) if start - one.end() < 12]
    return _left(text, low, said[-1].start(), words) if said and not low[start : verb.start].strip(STARTS) else None


def _left(text: str, low: str, end: int, words: Words, again: bool = True) -> Place | None:
    """The noun phrase before a verb (at ``end``), without what stands around it."""
    start = clause_start(low, end, words)
    place = trimmed(low, start, end, words)
    if place is None and start and low[:start].rstrip()[-1:] in {",", "–", "—"}:  # what stands between two commas is passed over
        opened = max(low.rfind(mark, 0, start - 1) for mark in ",–—")
        outer = clause_start(low, opened, words) if opened > 0 else 0
        place = trimmed(low, outer, opened, words) if opened > outer else None
    if place is None:
        return None
    joined = [one for one in words.also.finditer(low, *place) if one.end() == place[1]]
    if joined:  # a second verb: the actor is that of the first
        first = find_verb(low, place[0] + 1, joined[0].start(), words)
        if first is not None and again:
            return _left(text, low, first.start, words, again=False)
        head = _HEAD.match(text, place[0], joined[0].start())
        return head.span() if head is not None else None
    first_word = _WORD.match(low, place[0])
    if first_word is not None and words.pronouns.fullmatch(first_word.group()) and " " in low[slice(*place)]:
        return first_word.span()
    inside = low[slice(*place)]
    last = _last_word(inside)
    if last is not None and words.pronouns.fullmatch(inside[last:].strip()):
        return place[0] + last, place[1]
    return None if words.place.match(inside) or len(inside.split()) > _LONGEST_ACTOR else place


def clause_start(low: str, end: int, words: Words) -> int:
    """Where the clause begins that an offset is in."""
    borders = [one.end() for one in _BORDER.finditer(low, 0, max(end, 0)) if not _in_parentheses(low, one)]
    joints = [one.end() for one in words.joint.finditer(low, 0, max(end, 0))]
    return max([0, *borders, *joints])


def _in_parentheses(low: str, border: re.Match[str]) -> bool:
    """Whether a border belongs to a short parenthesis, which is a part of what stands before it."""
    if border.group() == "(":
        return low.find(")", border.end(), border.end() + 30) >= 0
    return border.group() == ")" and low.rfind("(", max(0, border.start() - 30), border.start()) >= 0


def trimmed(low: str, start: int, end: int, words: Words) -> Place | None:
    """A stretch without words that belong to no actor; None where nothing is left."""
    changed = True
    while changed:
        changed = False
        while start < end and low[start] in STARTS:
            start += 1
        while end > start and low[end - 1] in ENDS:
            end -= 1
        for one in words.before.finditer(low, start, end):
            if one.start() == start:
                start, changed = one.end(), True
            break
        for one in words.behind.finditer(low, start, end):
            if one.end() == end and (one.start() > start or not words.pronouns.fullmatch(one.group())):
                end, changed = one.start(), True
                break
    return (start, end) if start < end else None


def _last_word(text: str) -> int | None:
    found = [one.start() for one in _WORD.finditer(text)]
    return found[-1] if found else None


def _after(text: str, low: str, verb: Verb, words: Words, end: int) -> Place | None:
    """The actor after its verb: a pronoun, or, where the clause begins with something else, a name or a noun with its article."""
    first = _WORD.match(low, verb.start)
    if first is None:
        return None
    rest = re.compile(r"\s+").match(low, first.end())
    if rest is None:
        return None
    pronoun = words.pronouns.match(low, rest.end(), end)
    if pronoun is not None and not low[pronoun.end() :].startswith(("-", "’")):
        return pronoun.span()
    start = clause_start(low, verb.start, words)
    lead = trimmed(low, start, verb.start, words)
    plain = low[start : verb.start].strip(STARTS)
    if lead is not None and not words.place.match(low[slice(*lead)]) and plain:
        return None
    if not plain:
        return None
    name = _AFTER.match(text, rest.end(), end)
    return name.span() if name is not None and not words.marker.fullmatch(low[slice(*name.span())]) else None


def _pronoun_within(low: str, start: int, end: int, words: Words) -> Place | None:
    for pattern in (words.first, words.pronouns):
        for one in pattern.finditer(low, start, end):
            if words.pronouns.fullmatch(one.group()):
                return one.span()
    return None


def find_attribution(low: str, words: Words) -> int | None:
    """Where "…, says the minister" begins that follows a commitment."""
    for one in words.report.finditer(low):
        if words.marker.match(low, one.end() + 1):  # "promises to": no attribution
            continue
        clear = re.search(r"[,”»\"“]\s*(?:[—–-]\s*)?(?:(?:a|ont|ha|hat|har|en)\s+)?$", low[: one.start()])
        if clear is not None:
            return clear.start()
        before = re.search(r"[,”»\"“]\s*(?:[—–-]\s*)?[^,.;:”»\"“]{2,60}\s$", low[: one.start()])
        if before is not None and re.search(r"[”»\"“]", before.group()[:3]):
            return before.start()
    return None
