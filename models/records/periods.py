"""By when: the words in a passage that say a date or a period, and the date as ISO 8601 writes it."""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import yaml

_YEAR = r"(?P<year>(?:19|20|21)\d\d)(?![\d.,]\d|\s?[%€$£]|\w)"
_DAY = r"(?P<day>[0-3]?\d)(?:\.|er|st|nd|rd|th|º)?(?: de| of)?"
_ONE = "(?:ett|en|et|a|one|un|une|ein|eine|einem|einer|eines|een|uno|una|um|uma)"
_UNITS = ("D", "W", "M", "Y", "H")
_UNIT_NAMES = ("day", "week", "month", "year", "hour")
_ASIA = re.compile(
    r"(?P<year>(?:19|20|21)\d\d)\s?[年년](?:\s?(?P<month>1[0-2]|0?[1-9])\s?[月월](?:\s?(?P<day>[0-3]?\d)\s?[日일])?)?(?P<end>底|末|末日)?(?:之前|以前|前|までに?|까지)?"
)


@dataclass(frozen=True)
class Period:
    """A date or a period.

    Attributes:
        start: offset of its words in the passage, with "by" or "until".
        end: offset after them.
        iso: a day, month or year, two of these with "/" between them, or a length such as "P3Y" (ISO 8601); None where that is not explicit.
    """

    start: int
    end: int
    iso: str | None


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], date | None], str | None]


def find_period(text: str, start: int, end: int, language: str, today: date | None = None) -> Period | None:
    """Find the first date or period in a part of a passage; where several begin at one place, the longest.

    Args:
        text: a passage.
        start: offset from which on it is looked for.
        end: offset after the part.
        language: ISO 639-1 code; of a language whose words are not known only dates in digits are found.
        today: date of the article, against which "next year" is resolved; without it only what is explicit has ``iso``.
    """
    low = "".join(one.lower() if len(one.lower()) == 1 else one for one in text)
    past, found = _past(language), []
    for rule in _rules(language):
        for one in rule.pattern.finditer(low, start, end):
            if not past.match(low, one.start()) and not past.match(low, one.end() + 1) and not _follows(past, low, one.start()):
                found.append((one.start(), -one.end(), _read(rule, one, today)))
                break
    if not found:
        return None
    first = min(found, key=lambda one: one[:2])
    return Period(first[0], -first[1], first[2])


def _read(rule: _Rule, one: re.Match[str], today: date | None) -> str | None:
    """What a rule reads; None where no calendar has such a day, or it comes after the year 9999."""
    try:
        return rule.read(one, today)
    except (ValueError, OverflowError):
        return None


def _follows(pattern: re.Pattern[str], low: str, end: int) -> bool:
    """Whether the word before an offset is one of a pattern."""
    begin = low[:end].rstrip()
    return any(one.end() == len(begin) for one in pattern.finditer(begin, max(len(begin) - 15, 0)))


def read_date(written: str) -> date | None:
    """Read an article's date: ISO 8601, or as a mail has it; None where it is written otherwise."""
    iso = re.match(r"\s*(\d{4})-(\d\d)-(\d\d)", written)
    try:
        return date(*map(int, iso.groups())) if iso is not None else parsedate_to_datetime(written).date()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@functools.cache
def _rules(language: str) -> tuple[_Rule, ...]:
    digits = _Rule(re.compile(r"(?<![\d.-])(?P<year>(?:19|20|21)\d\d)-(?P<month>0[1-9]|1[0-2])-(?P<day>[0-3]\d)(?!\d)"), _calendar({}, False))
    words = _languages().get(language)
    if words is None:
        return digits, _Rule(_ASIA, _calendar({}, False))
    return digits, *_rules_of(words)


@functools.cache
def _past(language: str) -> re.Pattern[str]:
    """What says that a date is over: "since", "last"."""
    words = _languages().get(language)
    return re.compile(rf"(?<!\w){_any(words['past'])}(?!\w)" if words is not None else r"(?!)")


@functools.cache
def _languages() -> dict[str, Mapping[str, Any]]:
    return dict(yaml.safe_load(Path(__file__).with_name("periods.yaml").read_text(encoding="utf-8")))


def _any(patterns: list[str]) -> str:
    return "(?:" + "|".join(one.replace("'", "['’]") for one in sorted(patterns, key=len, reverse=True)) + ")"


def _rules_of(words: Mapping[str, Any]) -> Iterator[_Rule]:
    """The rules of a language, each with its words before the date."""
    lead = rf"(?<![\w-])(?:{_any(words['lead'])}(?:\s|(?<=['’]))\s*){{0,4}}"
    must = lead.replace("{0,4}", "{1,4}")
    end = rf"(?P<end>{_any(words['end'])}\s)?"
    months = "|".join(f"(?P<m{number}>{month})" for number, month in enumerate(words["months"], start=1))
    numbers = {word: number for number, word in words["numbers"].items()}
    units = "|".join(f"(?P<u{number}>{unit})" for number, unit in enumerate(words["units"]))
    ordinals = "|".join(f"(?P<o{number}>{word}|{number}(?:\\.|:a|st|nd|rd|th|er|e|º)?)" for number, word in enumerate(words["ordinals"], start=1))
    year = rf"(?:,|\s(?:de|del|of))?\s{_YEAR}"

    def rule(pattern: str, read: Callable[[re.Match[str], date | None], str | None]) -> _Rule:
        return _Rule(re.compile(pattern), read)

    with_day = _calendar(numbers, True)
    yield rule(rf"{lead}{end}(?:{_DAY}\s)?(?<!\w)(?:{months})(?!\w)(?:{year})", with_day)
    yield rule(rf"{lead}(?<!\w)(?:{months})\s{_DAY}(?!\w)(?:{year})?", with_day)
    yield rule(rf"{must}{end}(?:{_DAY}\s)?(?<!\w)(?:{months})(?!\w)", with_day)
    yield rule(rf"{lead}(?P<day>[0-3]?\d)[./](?P<month>1[0-2]|0?[1-9])[./]{_YEAR}", with_day)
    yield rule(rf"{must}{end}{_YEAR}", with_day)
    yield rule(rf"{lead}(?:{_any(words['seasons'])})(?:\s(?:de|del|of))?\s{_YEAR}(?:[–/-]\d\d)?", with_day)
    for parts, names in ((2, words["half"]), (4, words["quarter"])):
        ordinal = _any([name.replace("N", f"(?:{ordinals})") for name in names])
        yield rule(rf"{lead}{ordinal}(?:\s(?:des|of|de|del|av|van|do|jahres))*\s{_YEAR}", _part(parts))
    yield rule(rf"{lead}q(?P<o0>[1-4])\s{_YEAR}", _part(4))
    length = rf"(?P<number>\d{{1,3}}|{_any(list(numbers))}|{_ONE})"
    after = f"(?:{_any(words['after'])}\\s)?" if "after" in words else ""
    behind = f"(?:\\s{_any(words['after'])}(?!\\w))" if "after" in words else "(?!)"
    article = r"(?:(?:de|den|der|die|den|les|the|los|las|os|as|i|le|nos|nas|dem)\s)?"
    stretch = rf"(?<!\w){length}\s(?:\w+\s)?(?:{units})(?!\w)"
    yield rule(rf"(?<![\w-]){_any(words['within'])}\s{article}{after}{stretch}", _length(numbers))
    yield rule(rf"{stretch}{behind}", _length(numbers))
    yield from _relative(words, lead, must)


def _relative(words: Mapping[str, Any], lead: str, must: str) -> Iterator[_Rule]:
    """What only the article's date gives a date: tomorrow, next year, on Friday."""
    for which in ("next", "this"):
        for pattern in words[which]:
            for number, unit in enumerate(words["units"][:4]):
                names = _any([pattern.replace("UNIT", f"(?:{unit})")])
                if "UNIT" in pattern or re.search(rf"(?<!\w)(?:{unit})(?!\w)", re.sub(r"\(\?:|[()\[\]?’']", " ", pattern)):
                    yield _Rule(re.compile(rf"{lead}(?<!\w){names}(?!\w)"), _calendar_unit(which, _UNIT_NAMES[number]))
    yield _Rule(re.compile(rf"{must}(?<!\w){_any(words['today'])}(?!\w)"), lambda _, today: _later(today, 0))
    yield _Rule(re.compile(rf"{lead}(?<!\w){_any(words['tomorrow'])}(?!\w)"), lambda _, today: _later(today, 1))
    yield _Rule(re.compile(rf"{must}(?<!\w){_any(words['christmas'])}(?!\w)"), lambda _, today: _next_day(today, 12, 25))
    yield _Rule(re.compile(rf"{must}(?<!\w){_any(words['newyear'])}(?!\w)"), lambda _, today: _next_day(today, 12, 31))
    yield _Rule(re.compile(rf"{must}(?<!\w){_any(words['weekend'])}(?!\w)"), lambda _, today: _weekend(today))
    yield _Rule(re.compile(rf"{must}(?<!\w){_any(words['spans'])}(?!\w)"), lambda *_: None)
    for number, name in enumerate(words["days"]):
        yield _Rule(re.compile(rf"{must}(?<!\w)(?:{name})(?!\w)"), functools.partial(_weekday, number))


def _number_of(one: re.Match[str], prefix: str) -> int | None:
    """The number in the name of the group that a pattern found."""
    return next((int(name[1:]) for name, value in one.groupdict().items() if name[0] == prefix and name[1:].isdigit() and value), None)


def _calendar(_: Mapping[str, int], resolve: bool) -> Callable[[re.Match[str], date | None], str | None]:
    def read(one: re.Match[str], today: date | None) -> str | None:
        parts = one.groupdict()
        month = _number_of(one, "m") or int(parts.get("month") or 0) or None
        year = int(parts["year"]) if parts.get("year") else None
        day = int(parts["day"]) if parts.get("day") else None
        if year is None:
            if today is None or month is None or not resolve:
                return None
            year = today.year + ((month, day or 31) < (today.month, today.day))
        if parts.get("end"):
            return date(year, month or 12, calendar.monthrange(year, month or 12)[1]).isoformat()
        return date(year, month, day).isoformat() if month and day else _month(year, month) if month else _year(year)

    return read


def _year(year: int) -> str:
    return date(year, 1, 1).isoformat()[:4]


def _month(year: int, month: int) -> str:
    return date(year, month, 1).isoformat()[:7]


def _part(parts: int) -> Callable[[re.Match[str], date | None], str | None]:
    def read(one: re.Match[str], _: date | None) -> str | None:
        number = _number_of(one, "o")
        number = int(one["o0"]) if number == 0 else number
        if number is None or number > parts:
            return None
        size = 12 // parts
        return f"{one['year']}-{(number - 1) * size + 1:02}/{one['year']}-{number * size:02}"

    return read


def _length(numbers: Mapping[str, int]) -> Callable[[re.Match[str], date | None], str | None]:
    def read(one: re.Match[str], _: date | None) -> str | None:
        unit, written = _number_of(one, "u"), one["number"]
        number = int(written) if written.isdigit() else numbers.get(written, 1)
        return None if unit is None else f"PT{number}H" if _UNITS[unit] == "H" else f"P{number}{_UNITS[unit]}"

    return read


def _calendar_unit(which: str, unit: str) -> Callable[[re.Match[str], date | None], str | None]:
    def read(_: re.Match[str], today: date | None) -> str | None:
        if today is None:
            return None
        step = which == "next"
        if unit == "year":
            return date(today.year, 12, 31).isoformat() if not step and _ends(_) else _year(today.year + step)
        if unit == "month":
            month = today.month + step
            return _month(today.year + (month > 12), (month - 1) % 12 + 1)
        if unit == "week":
            monday = today + timedelta(days=7 * step - today.weekday())
            last = (monday + timedelta(days=6)).isoformat()
            return last if _ends(_) else f"{monday.isoformat()}/{last}"
        return None

    return read


def _ends(one: re.Match[str]) -> bool:
    """Whether the words say by the end of a period."""
    return re.search(r"slut|\bfin\b|entro|\bout\b|\bende\b|\bend\b", one.group()) is not None


def _later(today: date | None, days: int) -> str | None:
    return (today + timedelta(days=days)).isoformat() if today is not None else None


def _next_day(today: date | None, month: int, day: int) -> str | None:
    if today is None:
        return None
    return date(today.year + ((month, day) < (today.month, today.day)), month, day).isoformat()


def _weekend(today: date | None) -> str | None:
    if today is None:
        return None
    saturday = today + timedelta(days=max(5 - today.weekday(), 0) if today.weekday() < 6 else -1)
    return f"{saturday.isoformat()}/{(saturday + timedelta(days=1)).isoformat()}"


def _weekday(number: int, _: re.Match[str], today: date | None) -> str | None:
    return (today + timedelta(days=(number - today.weekday()) % 7)).isoformat() if today is not None else None
