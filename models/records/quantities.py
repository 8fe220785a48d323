"""How much: the numbers in a commitment with what they count."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import yaml

from .words import words_of

_NUMBER = r"(?<![\d.,/§#A-Za-zÀ-ÿ-])\d++(?:[ \u00a0\u202f.,]\d{3}(?!\d)){0,6}+(?:[.,]\d++)?+(?![\d/:]|[.-]\d)"
_SCALES = (
    r"miljon(?:er)?|miljard(?:er)?|million(?:er|en|es|i|s)?|milliard(?:er|en|s)?|miliard[oi]|milion[ei]|billions?|trillions?|thousand|hundred|hundra|tusen|tusind|tausend|"
    r"mio|mrd|mille|mil|milhões|milhão|millones|millón|bilhões|bilhão|mila|miljoen|miljard|duizend"
)
_PERCENT = r"percent|per cent|procent|prosent|prozent|pour cent|por ciento|por cento|per cento"
_NO_UNIT = r"uhr|o['’]clock|h|pm|am|heures?|horas"
_ONE = "en|ett|et|la|le|a|one|ein|eine|die|un|une|una|the|um|uma"
_FRACTION = re.compile(
    rf"(?:(?:{_ONE}) )?(?:moitié|tiers|hälften|hälfte|half|third|tredjedel|mitad|tercio|metà|metade|terço|drittel|halvparten|halvdelen|helft)"
)
_EXACT = r"at least|at most|up to|upp till|bis zu|fino a|jusqu['’]à"
_DIRECTIONS = {"to", "till", "til", "upp", "up", "at", "à", "a", "au", "jusqu", "di", "de", "zu", "bis", "op", "opp", "tot", "do", "fino", "på", "sobre"}
"""Words that say where a number goes more often than how exact it is."""
_ORDINARY = re.compile(r"(?:n[°ºo]|nr|no|kl|klockan|um|§|art|article|artikel|kapitel)\.?\s*$")
_DEFINITE = re.compile(r"(?<!\w)(?:the|les|los|las|die|der|den|de|das|i|le|os|as|ces|these|those|diese|båda|both)\s+$")


def find_quantities(text: str, start: int, end: int, language: str, without: tuple[int, int] | None = None) -> list[tuple[int, int]]:
    """Find the quantities in a part of a passage.

    Args:
        text: a passage.
        start: offset of the part.
        end: offset after it.
        language: ISO 639-1 code.
        without: offsets of a date or period, whose numbers count nothing.

    Returns:
        Offsets of each quantity: from "nearly" to what is counted.
    """
    low = "".join(one.lower() if len(one.lower()) == 1 else one for one in text)
    words, found = words_of(language), []
    for one in _pattern(language).finditer(low, start, end):
        if without is not None and one.start() < without[1] and without[0] < one.end():
            continue
        unit = one["unit"]
        counted = bool(unit) and not (words is not None and words.is_link(unit))
        if _is_none(low, one, counted):
            continue
        stop = one.end() if counted else one.end("measure") if one["measure"] else one.end("number")
        if counted and not text[one.start("unit")].isupper() and language == "de":
            noun = re.compile(r" [A-ZÄÖÜ][\w-]+").match(text, stop)  # after an adjective
            stop = noun.end() if noun is not None else stop
        found.append((one.start(), stop))
    return found


def _is_none(low: str, one: re.Match[str], counted: bool) -> bool:
    """Whether a number counts nothing: a year, a clock time, a number of a paragraph, or a count that is only presupposed."""
    before, number = low[: one.start()], one["number"]
    if re.fullmatch(r"(?:19|20|21)\d\d", number) and not one["measure"]:
        return True
    bare = not counted and not one["measure"] and not one["currency"] and not _FRACTION.fullmatch(number)
    return bare or _ORDINARY.search(before) is not None or (not number[0].isdigit() and _DEFINITE.search(before) is not None)


@functools.cache
def _pattern(language: str) -> re.Pattern[str]:
    read = yaml.safe_load((Path(__file__).parent.parent / "quantities.yaml").read_text(encoding="utf-8"))
    about = "(?:" + _EXACT + "|" + _any([word for word in read["before"].get(language, []) if word not in _DIRECTIONS]) + ")"
    numbers = _any(read["numbers"].get(language, [])) if words_of(language) is not None else "(?!)"
    scale = rf"(?:{_SCALES})"
    of = r"(?:d['’]|(?:de la|de l['’]|du|des|de|da|do|del|della|of the|of|av|der|van|di) ?)"
    unit = rf"(?!(?:{_NO_UNIT})\b)(?P<unit>[^\W\d_][\w-]*)"
    asian = r"[万億亿兆천만억]+[円元원ドル美]*"
    scaled = rf"(?:[ \u00a0\u202f]?{scale}(?!\w))+(?:[ \u00a0\u202f]?[€$£¥])?"
    measure = rf"(?P<measure>[ \u00a0\u202f]?%|[ \u00a0\u202f-](?:{_PERCENT})|[ \u00a0\u202f]?[€$£¥円元원]|{scaled}|{asian})?"
    counted = rf"(?:(?<![€$£¥円元원])[ \u00a0\u202f](?:(?<=%.){of}|(?<!%.){of}?){unit})?"
    written = rf"(?P<number>{_NUMBER}|(?<!\w){_FRACTION.pattern}(?!\w)|(?<!\w){numbers}(?!\w))"
    return re.compile(rf"(?:(?<!\w){about} ){{0,2}}(?P<currency>[€$£¥])?(?(currency)[ \u00a0]?){written}(?![ \u00a0](?:{_NO_UNIT})\b){measure}{counted}")


def _any(words: list[str]) -> str:
    return "(?:" + "|".join(map(re.escape, sorted(map(str, words), key=len, reverse=True))) + ")" if words else "(?!)"
