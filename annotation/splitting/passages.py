"""Splitting a text into passages: one sentence of running text, or one line of page furniture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sentencex import get_sentence_boundaries

from ..characters import trim

MAX_PASSAGE = 10_000
"""Longest passage in characters; a longer line without an end of sentence is cut at white space."""

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # what str.splitlines takes for line breaks
# White space of more than one byte, behind an initial, makes the sentence splitter panic.
_WIDE_SPACE = re.compile(r"[^\S ]")
# Where the splitter cuts too much: after these abbreviations when a digit follows, ...
_BEFORE_NUMBER = re.compile(
    r"\b(?:al|approx|aprox|art|avd|blz|ca|cap|ch|chap|čl|éd|env|eq|fig|godz|h|kap|kl|max|min|n|no|nr|núm|p|pág|pkl|pp|prop|réf|s|sid|str|tel|tél|tfn|vol|д|ст|стр"
    r"|janv|févr?|avr|juill?|sept|oct|nov|déc|jan|febr?|apr|aug|okt|dec|ene|abr|dic)\.\s*$",
    re.IGNORECASE,
)
# ... after initials and titles, ...
_TITLES = {
    "de": "Dipl|Fa|geb|inkl|max|min|Tsd|zzgl",
    "en": "Atty|Ft",
    "es": "Cía|Cnel|Dip|Dña|FF|Mons|Pdt[ea]|RR",
    "fr": "[Bb]d|[Cc]ol|[Gg]én|Me",
    "id": "Bpk|Ir|Moh",
    "it": "[Dd]ott|[Oo]n",
    "pt": "Av|[Dd]ep",
    "sv": r"dvs|[Ee]nl|[Oo]rdf|t\.ex",
    "vi": "BS|GS|PGS|ThS|TP|TS",
}
_EVERYWHERE = "Dra?|Ing|Mgr|Mlle|Mmes?|Ms|Pr|Prof|Sra?|Ste?"
_BEFORE_NAME = {language: re.compile(rf"(?<!\w)(?:([^\W\d_])|{_EVERYWHERE}|{titles})\.\s*$") for language, titles in (_TITLES | {"": "Lic"}).items()}
# ... between an hour and a day or a zone, between a German ordinal and what it counts, ...
_BETWEEN = {
    "en": [
        (
            re.compile(r"\b[ap]\.\s?m\.\s*$"),
            re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|[CEMP][SD]?T\b|BST\b|CET\b|GMT\b|UTC\b|(?:Pacific|Eastern|Central|Mountain)\b"),
        )
    ],
    "de": [
        (re.compile(r"\b\d{1,2}\.\s*$"), re.compile(r"(?:Jan|Feb|Mär|Apr|Mai\b|Jun|Jul|Aug|Sep|Okt|Nov|Dez)")),
        (
            re.compile(
                r"\b(?:[Aa]m|[Bb]eim|[Dd](?:as|em|en|er|es|ie)|[Ii]m|[Vv]om|[Zz]u[mr]|(?:[DdMmSs]?[Ee]in|[Ii]hr|[Uu]nser)(?:e[mnrs]?)?)"
                r"(?: [a-zäöüß]+)? \d{1,2}\.\s*$"
            ),
            re.compile(r""),
        ),
    ],
}
# ... and after the number of an item.
_NUMBER = re.compile(r"\s*(?:\d+(?:\.\d+)*|1er|[IVXL]+|[a-z])\.\s*")
_CONTINUES = set(",;:!?…")
_GLUED = {".-", "」と"}  # "Dipl.-Ing.", and "said" behind a quotation
# Where it cuts in the wrong place: a quotation mark belongs to the words that it opens or closes.
_CLOSING = re.compile(r"\s*»(?!\w)")
_OPENING = re.compile(r"(?<=\s)(?:«\s*|[\"“”„»‘‚])(?=\w)")
# Where it cuts too little: after words that it takes for abbreviations, ...
_WORDS = {
    "de": "usw",
    "en": "etc|me|no",
    "es": "ante|bien|con|contra|etc|no|nos",
    "fr": "etc",
    "it": "ci|ecc|fa|ma|me|no|ore|set|so|va|vi|via",
    "nl": "enz",
    "pl": "itd|itp",
    "sv": r"del|det|ens|hon|i|jul|m\.m|maj|med|min|ont|ord|se|sen|ut",
}
# ... three dots, the name of a site and a sentence in brackets, and before a digit.
_BEGINS = r"(?=[\"“”„»«‘’(–—•-]*\s?[^\W_a-zß-öø-ÿ])"
_ENDS = {language: re.compile(rf"\b(?:{words})\.\s+{_BEGINS}") for language, words in _WORDS.items()}
_ENDS["ja"] = _ENDS["zh"] = re.compile(r"[。！？](?=\d)")
_ENDS_ANYWHERE = re.compile(rf"…\s+{_BEGINS}|\.(?:com|eu|fr|net|org|se)\.\s+{_BEGINS}|\((?:(?<=^\()|(?<=[.!?…]\s\())[^()]*[.!?…]\)\s+{_BEGINS}")


@dataclass(frozen=True)
class Passage:
    """A passage of a document.

    Attributes:
        start: offset of its first character, in Unicode code points.
        end: offset after its last character; ``document.text[start:end] == text``.
        text: its exact characters, without white space at either end.
    """

    start: int
    end: int
    text: str


def split_passages(text: str, language: str) -> list[Passage]:
    """Split a text into its passages, in reading order.

    A line break always ends a passage. Inside a line, sentences are found by sentencex (rule-based, some 300 languages);
    for a language that it lacks, its English rules are used.

    Args:
        text: the exact text of a document.
        language: ISO 639-1 code.

    Returns:
        Passages that are not empty and do not overlap; what lies between them is white space.
    """
    passages = []
    for line in _LINE.finditer(text):
        for start, end in _pieces(line.group(), language):
            start, end = trim(text, line.start() + start, line.start() + end)
            if start < end:
                passages.append(Passage(start, end, text[start:end]))
    return passages


def _pieces(line: str, language: str) -> Iterator[tuple[int, int]]:
    for start, end in _chunks(line):
        previous = 0
        for boundary in _boundaries(line[start:end], language):
            yield start + previous, start + boundary
            previous = boundary


def _chunks(line: str) -> Iterator[tuple[int, int]]:
    """Cut an overlong line after an end of sentence if there is one, else at white space, else anywhere."""
    start = 0
    while len(line) - start > MAX_PASSAGE:
        window = line[start : start + MAX_PASSAGE]
        stops = [found.end() for found in re.finditer(r"(?:[.!?](?=\s)|[。！？])\s*", window)] or [found.end() for found in re.finditer(r"\s+", window)]
        end = start + (stops[-1] if stops else MAX_PASSAGE)
        yield start, end
        start = end
    yield start, len(line)


def _boundaries(line: str, language: str) -> Iterator[int]:
    plain = _plain(line)
    ends = {_with_quote(line, boundary["end_index"]) for boundary in get_sentence_boundaries(language, plain)}
    for missed in filter(None, (_ENDS.get(language), _ENDS_ANYWHERE)):
        ends |= {found.end() for found in missed.finditer(line) if not _is_quoted(plain, found.end())}
    previous = 0
    for end in sorted(ends):
        following = line[end : end + 20].lstrip()[:1]
        if end < len(line) and following and _runs_on(line, previous, end, following, language):
            continue
        yield end
        previous = end
    if previous < len(line):
        yield len(line)


def _plain(line: str) -> str:
    """Write a line, in as many characters, with the marks that the splitter understands."""
    plain = _WIDE_SPACE.sub(" ", line).replace("’", "'").replace("‘", "'")  # a typographic apostrophe looks like the end of a quotation
    for pair, other in (("„”", "“"), ("»", "«")):  # they open and close in Polish and in Swedish
        if other not in plain and sum(map(plain.count, pair)) % 2 == 0:
            for mark in pair:
                plain = plain.replace(mark, '"')
    return plain


def _is_quoted(plain: str, end: int) -> bool:
    """Whether a quotation is open at a place."""
    pairs = ("「", "」"), ("«", "»"), (("„", "“") if "„" in plain else ("“", "”"))
    return plain.count('"', 0, end) % 2 == 1 or any(plain.count(left, 0, end) > plain.count(right, 0, end) for left, right in pairs)


def _with_quote(line: str, end: int) -> int:
    """Keep the quotation mark that closes a sentence with it, and the one that opens the next with that."""
    if closing := _CLOSING.match(line, end):
        return closing.end()
    opening = _OPENING.search(line, max(end - 4, 0), end + 1)
    return opening.start() if opening and opening.end() >= end else end


def _runs_on(line: str, start: int, end: int, following: str, language: str) -> bool:
    """Whether no sentence ends here after all."""
    glued = not line[end - 1].isspace()
    if following.islower() or following in _CONTINUES or line[end - 1 : end + 1] in _GLUED or _NUMBER.fullmatch(line, start, end):
        return True
    tail = max(start, end - 40)
    if following.isdigit():
        return _BEFORE_NUMBER.search(line, tail, end) is not None
    for left, right in _BETWEEN.get(language, ()):
        if left.search(line, tail, end) and right.match(line, end):
            return True
    name = _BEFORE_NAME.get(language, _BEFORE_NAME[""]).search(line, tail, end)
    if name is None or name[1] is None:
        return name is not None
    # "O.M.S." goes on after each letter, "in the U.S. We" does not
    return name[1].isupper() and (glued or line[name.start() - 1 : name.start()] != ".")
