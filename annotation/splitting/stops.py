"""Whether a sentence ends at a mark: what stands before and after it, and what the language knows of both.

Every function looks at a bounded piece of the line, so that the time for a line grows with its length.
"""

from __future__ import annotations

import re
from functools import cached_property

from .rules import Rules

NEAR = 60
"""Characters before and after a mark that decide; longer words and abbreviations do not exist."""

_ATTRIBUTION = 120
"""Longest sentence, in characters, that names who said the quotation before it."""

_WIDE = "。！？｡．"  # no white space follows them
STOPS = ".!?…‼⁇⁈⁉؟۔।॥።፧" + _WIDE
"""Marks that end a sentence in any language; more of one language are its ``stops``."""

_STOP = re.compile(f"[{STOPS}]")
_CRIES = frozenset("!?…‼⁇⁈⁉！？؟")
_OPENING = frozenset("\"'“”„‟’‘‚»«›‹([{「『《〈【（–—―-•·*¿¡ \t\xa0\u202f")
_QUOTING = frozenset('"“„«')
_GOES_ON = frozenset(",;:!?…،؛、，；：)]}%")
_PARTICLES = frozenset("とをがのに")  # of Japanese, behind a quotation
_APOSTROPHE = re.compile(r"['’/]")
_AFTER_SPACE = re.compile(r"[\s'’]")
_LOWER_BEGINNING = re.compile(r"['’][a-z]{1,2} [A-ZÀ-Þ]")  # Dutch: 's Avonds, 't Is
_ITEM = re.compile(r"\s*[•⁃▪●◦‣∙■►]?\s*(?:[([]?(?:\d{1,3}(?:\.\d{1,3})*|1er|[IVXLivxl]{1,6}|[a-zA-Z])[.)]+|\d{1,3}\.\))\s*")
_DAY = re.compile(r"(?:\d{1,2}|\d{4})\.")
_YEAR = re.compile(r"\d{1,2}\.\s*(?:\d{4}\b|\d{1,2}\.)")
_PAGES = re.compile(r"\d{1,4}(?:\.,| (?:p|pp|s|S|str|sid|págs?|pages|sivua|с|стр)\b)")  # of a book
_MEASURE = re.compile(r"\d+ [a-z]{1,3}\.(?!\w)")  # goes on from another one: "5 ft. 3 in."
_ROMAN = re.compile(r"[IVXLC]+\b")
_NEXT_WORD = re.compile(r"[\w'’-]+")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_HYPHENATED_INITIAL = re.compile(r"\S+-[^\W\d_a-zß-öø-ÿ]?")  # "Jean-C.", "Dipl.-"


class Stop:
    """A mark that may end a sentence, with what stands around it; made once for each mark, so that all is ready that every question needs.

    Attributes:
        line: the line.
        rules: the language's.
        start: where the sentence began.
        mark: offset of the mark.
        after: offset after it, and after those that follow it at once.
        end: offset after the quotation marks and brackets that close with it.
        following: offset of the next visible character.
        text: the mark itself, or several.
        sentence: the end of the sentence before the mark.
        words: the last words before the mark.
        word: the last one, without what is elided before it: "art" of "l’art".
        next: what follows the mark.
        first: the first letter or digit after the mark; marks that open something may stand before it.
    """

    def __init__(self, line: str, rules: Rules, start: int, mark: int, after: int, end: int, following: int) -> None:
        self.line, self.rules, self.start, self.mark, self.after, self.end, self.following = line, rules, start, mark, after, end, following
        self.text = line[mark:after]
        self.sentence = line[max(start, mark - NEAR) : mark]
        self.words = self.sentence.split()
        self.word = _APOSTROPHE.split(_bare(self.words[-1]))[-1] if self.words else ""
        self.next = line[following : following + NEAR]
        self.first = _first(self.next[:8])

    @property
    def before(self) -> str:
        """The word before that one; it may be elided: "l'"."""
        if not self.words:
            return ""
        elided = _bare(self.words[-1]).replace("’", "'").rpartition("'")[0]
        return f"{elided.lower()}'" if elided else _bare(self.words[-2]).rstrip(".") if len(self.words) > 1 else ""

    @cached_property
    def next_word(self) -> str:
        """The word after the mark."""
        found = _NEXT_WORD.search(self.next)
        return found.group() if found else ""

    @property
    def next_is_abbreviated(self) -> bool:
        """Whether a full stop follows the next word."""
        return self.next[len(self.next_word) : len(self.next_word) + 1] == "."

    @cached_property
    def begins(self) -> bool:
        """Whether the next word is one that begins sentences, and no initial."""
        return self.next_word in self.rules.starters and not (self.next_is_abbreviated and len(self.next_word) == 1)

    @property
    def fronted(self) -> bool:
        """Whether all that stands before is a place in time: "At 5 a.m. Mr. Smith came."."""
        words = self.sentence.rpartition(": ")[2].split()
        return bool(words) and words[0] in self.rules.fronting


def is_plain_end(line: str, rules: Rules, start: int, mark: int, following: int) -> bool:
    """Whether one look is enough: one mark with white space behind it stands after a usual word and before a capital.

    Most sentences end so. ``ends_sentence`` finds the same of them, but takes many times as long.
    """
    if mark - start <= 12 or rules.introducing or not _first(line[following : following + 8]).isupper():  # "II." before a capital may be the number of an item
        return False
    if line[mark] != ".":
        return line[mark] in "!?"
    word = _AFTER_SPACE.split(line[max(start, mark - NEAR) : mark])[-1]
    if word.isdigit():
        return len(word) > 3 or (bool(word) and not rules.ordinals)
    return len(word) > 1 and word.isalpha() and not word.isupper() and word.lower() not in rules.abbreviations


def _first(text: str) -> str:
    """The first character that opens nothing."""
    return next((character for character in text if character not in _OPENING), "")


def ends_sentence(stop: Stop) -> bool:
    """Whether a sentence ends at a mark."""
    if _goes_on(stop) or _is_item_number(stop):
        return False
    if stop.following == stop.end and stop.line[stop.after - 1] not in _WIDE:
        return _ends_without_space(stop)
    if stop.text == ".":
        return _ends_after_word(stop)
    if stop.text[-1] in _CRIES and stop.end > stop.after:
        return not _is_attributed(stop)
    return not (stop.text.count(".") > 1 and stop.next_word in stop.rules.after_dots)


def _goes_on(stop: Stop) -> bool:
    """Whether what follows begins no sentence."""
    if stop.next[0] in _GOES_ON or (stop.next[0] in ".!?" and not stop.next[1:2].strip()):
        return True
    if stop.first.islower() and not _LOWER_BEGINNING.match(stop.next):
        return True
    if stop.following == stop.end > stop.after and stop.next[0] in _PARTICLES:
        return True
    if stop.text in stop.rules.introducing and stop.next[0] in _QUOTING:
        return True
    if stop.line[stop.after] == ")" and (opening := stop.sentence.rfind("(")) > 0 and stop.sentence[opening + 1 :][:1].islower():
        return True  # part of a sentence in brackets: "for (very good!) reasons"
    return stop.line[stop.mark - 1 : stop.mark] + stop.line[stop.after] in ("[]", "()")  # "[...]" stands for what was left out


def _is_item_number(stop: Stop) -> bool:
    return stop.following - stop.start <= NEAR and _ITEM.fullmatch(stop.line, stop.start, stop.following) is not None


def _ends_without_space(stop: Stop) -> bool:
    """Whether a sentence ends where the white space was forgotten ("gesagt.Der"); a name, a number or an address goes on."""
    rules, word = stop.rules, stop.word
    if stop.text.strip(".!?"):
        return stop.first.isalpha()
    if not stop.first.isupper() or stop.after - stop.mark > 1:
        return False
    if stop.end > stop.after or stop.next[0] in _OPENING:
        return word.isalpha() and word.islower() and stop.next[0] not in "-–—·/*‘’'"
    if not word.isalpha() or not word[1:].islower() or len(word) < 3 or rules.has(rules.never_end, word):
        return word[-1:].isdigit() and stop.next_word in rules.starters
    if rules.has(rules.never_end, stop.next_word):
        return True
    behind = stop.next[len(stop.next_word) : len(stop.next_word) + 1]
    return (behind.isspace() or behind in ",;:") and (not stop.next_word.isupper() or bool(_ROMAN.fullmatch(stop.next_word)))


def _ends_after_word(stop: Stop) -> bool:
    """Whether a sentence ends at a full stop with white space behind it."""
    rules, word = stop.rules, stop.word
    if not word or stop.sentence[-1].isspace():
        return not rules.has(rules.never_end, word) and (stop.begins or "." not in word or not rules.has(rules.sometimes_end, word))
    if stop.first.isdigit():
        return _ends_before_number(stop)
    if f"{stop.before}_{word}" in rules.always_end or rules.has(rules.always_end, word):
        return not ("." in word and stop.fronted)
    if word.isdigit() or (rules.ordinals and len(word) > 1 and _ROMAN.fullmatch(word)):
        return stop.begins or not _is_ordinal(stop)
    return _ends_after_abbreviation(stop)


def _ends_before_number(stop: Stop) -> bool:
    rules, word = stop.rules, stop.word
    if word.isdigit():  # "5. 12. 2024"
        date = _YEAR.match(stop.next) or (len(stop.words) > 1 and _DAY.fullmatch(stop.words[-2]))
        return not (rules.ordinals and len(word) in (1, 2, 4) and date)
    if _PAGES.match(stop.next) or (len(word) == 1 and word.isupper() and stop.next[0] == "("):  # "Rajala, T. (2022)"
        return False
    if stop.before.isdigit() and _MEASURE.match(stop.next):
        return False
    return not (rules.has(rules.before_numbers, word) or rules.has(rules.never_end, word))


def _is_ordinal(stop: Stop) -> bool:
    """Whether a number with a full stop counts what follows: "am 6. Mai", "das 19. Jahrhundert", "Paul II."."""
    rules = stop.rules
    if not rules.ordinals or len(stop.word) > 3:
        return False
    if not stop.word.isdigit() or stop.next_word.lower().startswith(tuple(rules.ordinals_after)):
        return True
    if len(stop.words) > 1 and _DAY.fullmatch(stop.words[-2]):  # the month of a date: "5. 3."
        return True
    near = [word.lower() for word in stop.words[-3:-1]]
    return bool(near) and (near[-1] in rules.ordinals or (near[0] in rules.ordinals and near[-1].islower()))


def _ends_after_abbreviation(stop: Stop) -> bool:
    rules, word = stop.rules, stop.word
    if f"{stop.before}_{word}" in rules.sometimes_end:
        return stop.begins
    if rules.has(rules.never_end, word):
        # What is a word, too, ends a sentence before one that begins sentences
        return stop.begins and word.islower() and len(word) > 2 and stop.next_word not in rules.particles
    if rules.has(rules.before_numbers, word) and _ROMAN.match(stop.next):
        return False
    if rules.has(rules.sometimes_end, word):
        return stop.begins or (stop.next_is_abbreviated and rules.has(rules.never_end, stop.next_word) and not stop.fronted)
    if len(word) == 1 and word.isalpha():
        return _ends_after_letter(stop)
    return _ends_after_dotted_letters(stop)


def _ends_after_letter(stop: Stop) -> bool:
    """Whether a sentence ends after one letter: an initial, part of an abbreviation ("z. B."), a unit, or a name ("vitamin D")."""
    if stop.word.islower():
        return not (len(stop.next_word) <= 3 and stop.next_is_abbreviated and stop.next_word[:1].isupper())
    if stop.words[-1].startswith("°") or stop.before.endswith("°") or stop.before.lower() in stop.rules.before_letters:
        return True
    initials = len(stop.words) > 1 and stop.words[-2].endswith(".")
    return stop.begins and stop.next_word not in stop.rules.particles and not initials


def _ends_after_dotted_letters(stop: Stop) -> bool:
    """Whether a sentence ends after "F.B.I.", which an article goes before, and not after "J.R.R."."""
    rules = stop.rules
    if "." in stop.word and all(part in rules.never_end for part in stop.word.split(".")):
        return False
    if not _DOTTED.fullmatch(stop.word):
        return stop.begins or not _HYPHENATED_INITIAL.fullmatch(stop.words[-1])
    if stop.begins and stop.next_word not in rules.particles:
        return True
    return stop.before.lower() in rules.articles and stop.next_word not in rules.not_starters and stop.word.count(".") > 1


def _is_attributed(stop: Stop) -> bool:
    """Whether the sentence after a quotation only says who spoke: a verb of saying ends it, or a verb and who was spoken to."""
    rules = stop.rules
    window = stop.line[stop.following : stop.following + _ATTRIBUTION]
    marks = (found.start() for found in _STOP.finditer(window))
    end = next((place for place in marks if window[place] != "." or not _is_abbreviated(window[:place], rules)), None)
    if end is None and stop.following + len(window) < len(stop.line):
        return False
    sentence = window[:end]
    words = [_bare(word).lower() for word in sentence.rstrip(":,").split()]
    if len(words) <= 1:
        return sentence.endswith(tuple(rules.saying_ends)) if rules.saying_ends else False
    while len(words) > 1 and words[-1] in rules.addressed:
        words.pop()
    return len(words) <= 9 and words[-1] in rules.saying and words[0] not in rules.nobody


def _is_abbreviated(text: str, rules: Rules) -> bool:
    """Whether a text ends in an abbreviation that goes before a name, or in an initial."""
    words = text.rsplit(maxsplit=1)
    word = _bare(words[-1]) if words else ""
    return rules.has(rules.never_end, word) or (len(word) == 1 and word.isupper())


def _bare(word: str) -> str:
    """A word without the marks around it."""
    return word.strip("\"'“”„«»‘’‚()[]{}–—-¿¡,;:*")
