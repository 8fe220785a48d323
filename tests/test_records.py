"""The parts of a commitment: who, what, by when, how much, and who says so."""

import json
import re
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsmark.models.records.periods import find_period, read_date
from newsmark.models.records.quantities import find_quantities
from newsmark.models.records.record import find_parts
from newsmark.models.records.words import words_of

MONDAY = date(2026, 3, 16)
SAMPLE = Path("tests/data/records/passages.jsonl")


def parts(text, language, quoted=False):
    return find_parts(text, (0, len(text)), language, quoted, MONDAY)


@pytest.mark.parametrize(
    ("language", "text", "who", "what"),
    [
        ("sv", "Kommunen har beslutat att bygga 40 lägenheter.", "Kommunen", "bygga 40 lägenheter"),
        ("sv", "I vår ska vi stänga skolan.", "vi", "stänga skolan"),
        ("sv", "Regeringen sade att bolaget inte ska sälja gruvan.", "bolaget", "inte ska sälja gruvan"),
        ("en", "The board has agreed to close the plant by 2030.", "The board", "close the plant by 2030"),
        ("en", "We won't sell the forest.", "We", "won't sell the forest"),
        ("en", "The mayor, who was late, promised to repair the bridge.", "The mayor", "repair the bridge"),
        ("en", "The river wall will be rebuilt by the Harbour Board.", "the Harbour Board", "The river wall will be rebuilt by the Harbour Board"),
        ("en", "The river wall will be rebuilt.", None, "The river wall will be rebuilt"),
        ("fr", "La commune s'engage à repeindre le pont.", "La commune", "repeindre le pont"),
        ("fr", "Il a dit que le groupe ne fermera pas l'usine.", "le groupe", "ne fermera pas l'usine"),
        ("de", "Die Stadt hat beschlossen, die Brücke zu sanieren.", "Die Stadt", "die Brücke zu sanieren"),
        ("es", "El alcalde se ha comprometido a reparar el puente.", "El alcalde", "reparar el puente"),
        ("es", "No cerraremos el hospital.", None, "No cerraremos el hospital"),
        ("xx", "Kaupunki lupaa korjata sillan.", None, "Kaupunki lupaa korjata sillan"),
        ("ar", "تعهدت الحكومة ببناء مدارس.", None, "تعهدت الحكومة ببناء مدارس"),
        ("zh", "市政府承诺修桥。", None, "市政府承诺修桥"),
    ],
)
def test_the_actor_and_the_act(language, text, who, what):
    found = parts(text, language)
    assert (found.who, found.what) == (who, what)


def test_who_said_it_is_no_part_of_the_act():
    said = parts("”Vi ska bygga en bro”, säger Anna Ek.", "sv", quoted=True)
    assert (said.who, said.what, said.voice) == ("Vi", "bygga en bro", "direct")


@pytest.mark.parametrize(
    ("language", "text", "voice"),
    [
        ("en", "We will close the plant.", "direct"),
        ("en", "The firm will close the plant.", "reported"),
        ("es", "No cerraremos el hospital.", "direct"),
        ("sv", "Våra medlemmar ska städa parken.", "direct"),
    ],
)
def test_the_first_person_speaks_itself(language, text, voice):
    assert parts(text, language).voice == voice


@pytest.mark.parametrize(
    ("language", "text", "words", "iso"),
    [
        ("en", "by 12 March 2027", "by 12 March 2027", "2027-03-12"),
        ("en", "by March 12, 2027", "by March 12, 2027", "2027-03-12"),
        ("en", "before the end of 2030", "before the end of 2030", "2030-12-31"),
        ("en", "by June", "by June", "2026-06"),
        ("en", "by February", "by February", "2027-02"),
        ("en", "in the second quarter of 2027", "in the second quarter of 2027", "2027-04/2027-06"),
        ("en", "by Q3 2027", "by Q3 2027", "2027-07/2027-09"),
        ("en", "within 30 days", "within 30 days", "P30D"),
        ("en", "on Friday", "on Friday", "2026-03-20"),
        ("en", "by Christmas", "by Christmas", "2026-12-25"),
        ("en", "this weekend", "this weekend", "2026-03-21/2026-03-22"),
        ("sv", "senast den 1 juli 2027", "senast den 1 juli 2027", "2027-07-01"),
        ("sv", "före sommaren 2028", "före sommaren 2028", "2028"),
        ("sv", "inom tre år", "inom tre år", "P3Y"),
        ("sv", "nästa år", "nästa år", "2027"),
        ("fr", "d’ici fin 2026", "d’ici fin 2026", "2026-12-31"),
        ("fr", "dès janvier 2027", "dès janvier 2027", "2027-01"),
        ("fr", "l'an prochain", "l'an prochain", "2027"),
        ("fr", "avant la fin de la semaine", "avant la fin de la semaine", "2026-03-22"),
        ("de", "bis Ende März 2028", "bis Ende März 2028", "2028-03-31"),
        ("de", "innerhalb von zwei Jahren", "innerhalb von zwei Jahren", "P2Y"),
        ("es", "a partir de julio", "a partir de julio", "2026-07"),
        ("es", "antes del 3 de mayo de 2027", "antes del 3 de mayo de 2027", "2027-05-03"),
        ("it", "entro l'anno", "entro l'anno", "2026-12-31"),
        ("ja", "2030年3月までに", "2030年3月までに", "2030-03"),
        ("xx", "2027-05-31", "2027-05-31", "2027-05-31"),
        ("en", "by 31 February 2027", "by 31 February 2027", None),
    ],
)
def test_dates_and_periods(language, text, words, iso):
    text = f"x {text} x"
    found = find_period(text, 0, len(text), language, MONDAY)
    assert (text[found.start : found.end], found.iso) == (words, iso)


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "since Monday"), ("en", "two years ago"), ("fr", "en octobre dernier"), ("en", "2,027 schools"), ("en", "may open"), ("xx", "Juni 2027")],
)
def test_what_is_over_or_no_date_is_none(language, text):
    assert find_period(text, 0, len(text), language, MONDAY) is None


def test_without_the_article_s_date_only_what_is_explicit_is_a_date():
    for text in ("by next year", "on Friday", "by June", "by Christmas", "from tomorrow"):
        assert find_period(text, 0, len(text), "en").iso is None
    assert find_period("by 2030", 0, 7, "en").iso == "2030"


@pytest.mark.parametrize("today", [date.max, date.max.replace(day=30), date.min])
@pytest.mark.parametrize(
    "text",
    ["from tomorrow", "by next year", "by next month", "by next week", "by Christmas", "by the new year", "by the weekend", "on Monday", "by March"],
)
def test_a_day_after_the_last_one_of_the_calendar_is_no_date(text, today):
    iso = find_period(text, 0, len(text), "en", today).iso
    assert iso is None or re.fullmatch(r"\d{4}(-\d\d){0,2}(/\d{4}-\d\d-\d\d)?", iso)
    if today == date.max:
        assert iso == ("9999-12-31" if text == "by the new year" else None)
    if today == date.min:
        assert iso is not None


def test_dates_of_articles():
    assert read_date("2026-03-16T10:00:00+01:00") == MONDAY
    assert read_date("Mon, 16 Mar 2026 10:00:00 +0100") == MONDAY
    for written in ("", "yesterday", "2026-13-40", "16.3.2026", f"Mon, 16 Mar {10**30} 10:00:00 +0100"):
        assert read_date(written) is None


@pytest.mark.parametrize(
    ("language", "text", "quantities"),
    [
        ("sv", "skjuta till 4,2 miljoner kronor till 1 800 bostäder", ["4,2 miljoner kronor", "1 800 bostäder"]),
        ("en", "spend £600,000 on at least 40 ponds", ["£600,000", "at least 40 ponds"]),
        ("fr", "porter à 3,5 % les dépenses, soit 2,6 millions d'euros", ["3,5 %", "2,6 millions d'euros"]),
        ("de", "errichtet 40 neue Häuser nach 18 Uhr", ["40 neue Häuser"]),
        ("es", "destinará 95.000 millones de pesos", ["95.000 millones de pesos"]),
        ("it", "assumerà trenta tecnici", ["trenta tecnici"]),
        ("ja", "舗装に1800万円を充てる", ["1800万円"]),
        ("en", "apply article 12 and § 3 since 2019 with the two parties", []),
    ],
)
def test_quantities(language, text, quantities):
    assert [text[start:end] for start, end in find_quantities(text, 0, len(text), language)] == quantities


def test_the_numbers_of_a_date_are_no_quantity():
    found = parts("The firm will hire 30 people within 90 days.", "en")
    assert (found.quantity, found.when, found.when_iso) == (("30 people",), "within 90 days", "P90D")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["sv", "fr", "en", "de", "es", "pt", "it", "nl", "no", "da", "zh", "xx"]), st.booleans())
def test_any_text_has_parts_that_stand_in_it(text, language, quoted):
    found = find_parts(text, (0, len(text)), language, quoted, MONDAY)
    for words in (found.who, found.what, found.when, *found.quantity):
        assert words is None or words in text


@pytest.mark.parametrize("language", ["sv", "fr", "en", "de", "es"])
def test_a_long_passage_takes_no_longer_per_character(language):
    for text in ("att " * 700, "1" * 2900, "1 " * 1400, "the end of the " * 190, "a" * 2_000_000, "de 1 de " * 350):
        began = time.process_time()
        parts(text, language)
        assert time.process_time() - began < 2


def test_the_languages_that_the_manual_names_are_known():
    assert words_of("fi") is None
    assert all(map(words_of, ("sv", "fr", "en", "de", "es", "pt", "it", "nl", "no", "da")))


def test_the_sample_holds_words_of_its_passages():
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 241
    for row in rows:
        for words in (row["who"], row["what"], row["when"], *row["quantity"]):
            assert words is None or words in row["text"]
