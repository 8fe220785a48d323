"""What is known of each language, read from ``languages/*.yaml`` (``languages/README.md`` says what each list does)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "languages"
EVERYWHERE = "all"
DEFAULT = "en"


@dataclass(frozen=True)
class Rules:
    """The word lists of a language with those of all languages; each is described in ``languages/README.md``."""

    never_end: frozenset[str] = frozenset()
    before_numbers: frozenset[str] = frozenset()
    sometimes_end: frozenset[str] = frozenset()
    always_end: frozenset[str] = frozenset()
    starters: frozenset[str] = frozenset()
    not_starters: frozenset[str] = frozenset()
    particles: frozenset[str] = frozenset()
    fronting: frozenset[str] = frozenset()
    after_dots: frozenset[str] = frozenset()
    articles: frozenset[str] = frozenset()
    before_letters: frozenset[str] = frozenset()
    ordinals: frozenset[str] = frozenset()
    ordinals_after: frozenset[str] = frozenset()
    saying: frozenset[str] = frozenset()
    saying_ends: frozenset[str] = frozenset()
    addressed: frozenset[str] = frozenset()
    nobody: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()
    introducing: frozenset[str] = frozenset()

    @functools.cached_property
    def abbreviations(self) -> frozenset[str]:
        """Words that some list of abbreviations holds, in lower case; of a name of several words, the last one."""
        lists = self.never_end | self.before_numbers | self.sometimes_end | self.always_end
        return frozenset(word.rpartition("_")[2].lower() for word in lists)

    def has(self, words: frozenset[str], word: str) -> bool:
        """Whether a list holds a word; what a list writes in lower case may stand with a capital or in capitals, too."""
        return word in words or word[:1].lower() + word[1:] in words or (word.isupper() and len(word) > 1 and word.lower() in words)


def rules_of(language: str) -> Rules:
    """The rules of a language; of English for one that has no file.

    Args:
        language: ISO 639 code.
    """
    names = _files()
    return _rules(names.get(language, DEFAULT))


def word_lists() -> dict[str, dict[str, str]]:
    """All lists of all languages, by the name of their file and their own."""
    return {path.stem: _read(path.stem) for path in sorted(FOLDER.glob("*.yaml"))}


@functools.cache
def _rules(name: str) -> Rules:
    lists = [_read(EVERYWHERE), _read(name)]
    return Rules(**{field.name: frozenset(word for one in lists for word in one.get(field.name, "").split()) for field in fields(Rules)})


@functools.cache
def _files() -> dict[str, str]:
    """Names of the files by language; a file may name more languages that it is good for."""
    names = {path.stem: path.stem for path in FOLDER.glob("*.yaml") if path.stem != EVERYWHERE}
    return {code: name for pair in _read(EVERYWHERE)["same_as"].split() for code, name in [pair.split("=")]} | names


@functools.cache
def _read(name: str) -> dict[str, str]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, str] = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), loader)
    return content
