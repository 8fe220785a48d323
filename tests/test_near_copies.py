"""Near copies: what counts as one, how similar it is, and what a translation leaves alone."""

import pytest
from newsmark.annotation.near_copies import NEAR, NearCopies, anchors, shingles

TEXT = "Regeringen i Sverige lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 2030."


def test_a_near_copy_is_found_with_its_similarity_and_other_texts_are_not():
    copies = NearCopies(["Det regnar.", TEXT, "Kommunen i norra delen av landet har inga planer på nya skolor för barnen."])
    ((number, similarity),) = copies.find(TEXT.replace("2030", "2031"))
    own, other = shingles(TEXT), shingles(TEXT.replace("2030", "2031"))
    assert (number, similarity) == (1, pytest.approx(len(own & other) / len(own | other)))
    assert copies.find(TEXT) == [(1, 1.0)]
    assert copies.find("Något helt annat, som ingen har sagt förut i hela världen.") == []


def test_short_texts_are_near_copies_only_where_their_words_are_equal():
    copies = NearCopies(["Comment (0)"])
    assert copies.find("COMMENT  0") == [(0, 1.0)]
    assert copies.find("Comment (1)") == []


def test_a_text_is_added_once():
    copies = NearCopies()
    assert copies.add(TEXT)
    assert not copies.add(TEXT.upper())
    assert copies.add("Det regnar.")
    assert [number for number, _ in copies.find("det regnar")] == [1]


def test_texts_are_near_copies_from_the_least_similarity_on():
    text = "".join(f"{chr(ord('a') + one % 26)}{one}" for one in range(60))  # no run of characters comes twice
    all_of_it = len(shingles(text))
    enough = next(size for size in range(len(text)) if len(shingles(text[:size], shortest=0)) >= NEAR * all_of_it)
    assert NearCopies([text]).find(text[:enough])
    assert not NearCopies([text]).find(text[: enough - 1])


def test_numbers_and_names_are_left_alone_by_a_translation():
    assert anchors(["I Hanoi möttes 72 länder.", "Vietnam vann."]) == {"hanoi", "72"}
