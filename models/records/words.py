"""The words of a language by which the parts of a commitment are found."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

NEVER = re.compile(r"(?!)")
"""Finds nothing."""


@dataclass(frozen=True)
class Words:
    """Patterns of a language, all for texts in lower case; the lists are those of ``words.yaml``.

    Attributes:
        will: verbs that only say that an act is to come.
        future: main verbs whose form says so.
        pledge: verbs that bind, with the verbs that belong to them.
        now: main verbs of the present tense.
        noun: nouns that stand for a commitment.
        marker: what stands between a pledge and its act.
        joint: words that begin another clause.
        first: words of the first person.
        own: verbs of the first person that need no pronoun.
        pronouns: subjects that are no names.
        before: words at the beginning of a clause that belong to no actor.
        behind: words between an actor and its verb.
        place: prepositions.
        report: verbs of saying.
        passive: verbs with the object before them.
        agent: prepositions before the actor of such a verb.
        also: words that join a second verb of the same actor.
        never: what says no.
        headline: what stands for a verb in headlines.
        near: whether a marker counts only right after its pledge.
        second: whether the actor may come after its verb.
    """

    will: re.Pattern[str]
    future: re.Pattern[str]
    pledge: re.Pattern[str]
    now: re.Pattern[str]
    noun: re.Pattern[str]
    marker: re.Pattern[str]
    joint: re.Pattern[str]
    first: re.Pattern[str]
    own: re.Pattern[str]
    pronouns: re.Pattern[str]
    before: re.Pattern[str]
    behind: re.Pattern[str]
    place: re.Pattern[str]
    report: re.Pattern[str]
    passive: re.Pattern[str]
    agent: re.Pattern[str]
    also: re.Pattern[str]
    never: re.Pattern[str]
    headline: re.Pattern[str]
    near: bool
    second: bool

    def is_link(self, word: str) -> bool:
        """Whether a word joins what stands beside it, and so is nothing that is counted."""
        return any(one.fullmatch(word) for one in (self.place, self.also, self.joint, self.behind, self.before, self.marker, self.pronouns))


def words_of(language: str) -> Words | None:
    """The words of a language (ISO 639-1); None where they are not known."""
    return _all().get(language)


@functools.cache
def _all() -> dict[str, Words]:
    read = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
    return {language: _words(lists) for language, lists in read.items()}


def _words(lists: dict[str, Any]) -> Words:
    names = [field.name for field in fields(Words) if field.name not in {"pledge", "near", "second"}]
    found = {name: _any(lists.get(name, [])) for name in names}
    second = bool(lists.get("second"))
    between = 6 if second else 2  # words between "has" and "agreed"
    have = f"(?:(?:{_join(lists['have'])})(?:(?<=['’])| )(?:\\w+ ){{0,{between}}}?)?"
    pledge = re.compile(f"(?<![\\w-]){have}(?:{_join(lists['pledge'])})(?!\\w)")
    return Words(**found, pledge=pledge, near=bool(lists.get("near")), second=second)


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile(f"(?:(?<![\\w-])|(?=\\W))(?:{_join(patterns)})(?!(?<=\\w)\\w)") if patterns else NEVER


def _join(patterns: list[str]) -> str:
    return "|".join(one.replace("'", "['’]") for one in sorted(patterns, key=len, reverse=True))
