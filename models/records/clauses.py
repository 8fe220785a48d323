"""Who binds itself, and to what: the parts of the clause that binds, by the words of its language.

A verb is looked for that binds ("has agreed", "will"). The actor stands before it, back to where the clause begins; in languages whose verb comes
second it may follow. The act is what follows. Where a part is not clear it is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .actors import ENDS, STARTS, Place, Verb, clause_start, find_actor, find_attribution, find_verb, lower, trimmed
from .words import Words, words_of

_FAR = 90  # characters from a pledge to the marker before its act


@dataclass(frozen=True)
class Clause:
    """The parts of a clause that binds; places are offsets in the passage.

    Attributes:
        who: the actor's words.
        what: the act.
        own: whether the words are the actor's own: it speaks in the first person.
    """

    who: Place | None
    what: Place
    own: bool


def find_clause(text: str, span: Place, language: str, quoted: bool = False) -> Clause:
    """Find the parts of a commitment.

    Args:
        text: a passage.
        span: offsets of the commitment in it.
        language: ISO 639-1 code; of a language whose words are not known the act is the whole span.
        quoted: whether these are a source's own words.
    """
    words = words_of(language)
    if words is None:
        return Clause(None, _stripped(text, *span), quoted)
    low = lower(text)
    said = find_attribution(low, words)
    start, end = span
    if said is not None and start < said < end:
        end = said
    verb = find_verb(low, start, end, words)
    who, inverted = find_actor(text, low, verb, start, end, words)
    what = _act(text, low, verb, who, inverted, start, end, words)
    own = _is_own(low, who, verb, start, words) if not quoted else True
    return Clause(who, what, own)


def _act(text: str, low: str, verb: Verb | None, who: Place | None, inverted: bool, start: int, end: int, words: Words) -> Place:
    """The act: what follows the verb that only announces it, or the verb of the act with all that follows."""
    if verb is None:
        return _stripped(text, who[1] if who is not None and who[0] - start < 3 else start, end)
    clause = max(start, clause_start(low, verb.start, words))
    lead = trimmed(low, clause, verb.start, words)
    if verb.kind == "passive" or (inverted and lead is not None and not words.place.match(low, *lead) and not _is_subordinate(low, clause, words)):
        return _stripped(text, lead[0] if lead is not None else clause, end)  # its object comes first
    begin = max(verb.end, who[1] if inverted and who is not None else 0)
    if verb.kind in {"pledge", "noun"}:
        marker = words.marker.search(low, begin, min(end, begin + _FAR))
        if marker is not None and (verb.kind == "noun" or not words.near or not low[begin : marker.start()].strip()):
            begin = marker.start() if low[marker.start() :].startswith("not") else marker.end()
            begin = _past(low, words.pronouns, begin, end)
    elif verb.kind == "will":
        denied = _before(low, words.never, clause, verb.start)
        begin = denied if denied < verb.start else verb.start if "n't" in low[verb.start : verb.end] else _past(low, words.marker, begin, end)
    elif inverted:
        begin = verb.start
    else:
        begin = max(clause, who[1] if who is not None and who[1] <= verb.start else 0)
        begin = begin if who is not None and "," not in low[begin : verb.start] else _before(low, words.behind, clause, verb.start)
    place = _stripped(text, begin, end)
    return place if place[1] - place[0] > 1 else _stripped(text, start, end)


def _is_subordinate(low: str, clause: int, words: Words) -> bool:
    """Whether a clause begins with a word like "if"."""
    return any(one.end() == clause for one in words.joint.finditer(low, 0, clause))


def _past(low: str, pattern: re.Pattern[str], start: int, end: int) -> int:
    """Past a word of a pattern, where there is one."""
    begin = next((place for place in range(start, end) if not low[place].isspace()), end)
    found = pattern.match(low, begin, end)
    return found.end() if found is not None else start


def _before(low: str, pattern: re.Pattern[str], start: int, end: int) -> int:
    """Before the words of a pattern that stand right before a verb, such as a negation."""
    for one in reversed(list(pattern.finditer(low, start, end))):
        if low[one.end() : end].strip():
            break
        end = one.start()
    return end


def _stripped(text: str, start: int, end: int) -> Place:
    while start < end and text[start] in STARTS:
        start += 1
    while end > start and text[end - 1] in ENDS:
        end -= 1
    return start, end


def _is_own(low: str, who: Place | None, verb: Verb | None, start: int, words: Words) -> bool:
    if who is not None:
        return words.first.match(low, *who) is not None
    return verb is not None and words.own.search(low, start, verb.end) is not None
