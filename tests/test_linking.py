"""The same commitment in several articles and languages is one case."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsmark.models.records.linking import Evidence, find_cases, names_and_numbers

SWEDISH = "I går lovade Eva Ek i Gävle att bygga 1 800 bostäder före 2030."
ENGLISH = "Yesterday Eva Ek in Gävle promised to build 1,800 homes by 2030."
OTHER = "Yesterday the mayor of Falun promised to close 14 schools."


def test_a_translation_is_found_by_names_and_numbers_and_a_copy_by_its_words():
    evidence = [Evidence(SWEDISH, "a"), Evidence(OTHER, "a"), Evidence(ENGLISH, "b"), Evidence(OTHER + " ", "c")]
    assert find_cases(evidence) == [1, 2, 1, 2]


def test_an_article_has_one_commitment_of_a_case():
    assert find_cases([Evidence(SWEDISH, "a"), Evidence(ENGLISH, "a")]) == [1, 2]
    cases = find_cases([Evidence(SWEDISH, "a"), Evidence(ENGLISH, "b"), Evidence(SWEDISH + "!", "b"), Evidence(ENGLISH, "c")])
    assert cases[1] != cases[2]
    assert len(set(cases)) == 2


def test_meaning_links_what_shares_no_name_and_numbers_keep_apart_what_means_the_same():
    alike = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    evidence = [Evidence("we stay here", "a"), Evidence("vi blir kvar", "b"), Evidence("es regnet", "c")]
    assert find_cases(evidence, alike) == [1, 1, 2]
    assert find_cases(evidence) == [1, 2, 3]
    numbers = [Evidence("we hire 30", "a"), Evidence("vi anställer 40", "b"), Evidence("es regnet", "c")]
    assert find_cases(numbers, alike) == [1, 2, 3]


@pytest.mark.parametrize(
    ("one", "two"), [("on 1,800 homes", "på 1 800 bostäder"), ("om 95.000 m", "for 95 000 m"), ("of 2,6 %", "av 2.6 %"), ("in Hanoï now", "in Hanoi now")]
)
def test_numbers_and_names_are_alike_in_all_languages(one, two):
    assert names_and_numbers(one) == names_and_numbers(two) != set()


def test_many_are_compared_in_blocks():
    evidence = [Evidence(f"Nu lovar Namn{number % 1500} Efternamn{number % 1500} {number % 1500} hus.", f"d{number}") for number in range(3000)]
    cases = find_cases(evidence)
    assert cases[:1500] == cases[1500:] == list(range(1, 1501))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([SWEDISH, ENGLISH, OTHER, "Kort.", ""]), st.sampled_from("abc")), max_size=8))
def test_cases_are_numbered_in_order_and_hold_an_article_once(pairs):
    cases = find_cases([Evidence(*pair) for pair in pairs])
    assert list(dict.fromkeys(cases)) == list(range(1, len(set(cases)) + 1))
    assert len({(case, document) for case, (_, document) in zip(cases, pairs, strict=True)}) == len(pairs)


def test_the_translations_name_their_passages():
    rows = {json.loads(line)["text"] for line in Path("tests/data/records/passages.jsonl").read_text(encoding="utf-8").splitlines()}
    translations = [json.loads(line) for line in Path("tests/data/records/translations.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(translations) == 28
    assert all(one["of"]["text"] in rows for one in translations)
