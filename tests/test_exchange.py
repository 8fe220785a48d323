"""Offsets that count code points, UTF-16 units or bytes, and what an entry of another tool's file says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsmark.annotation.annotations import Span
from newsmark.annotation.formats.exchange import BYTES, CODE_POINTS, UNITS, UTF16, Entry, Mark, Offsets, full_label


@given(text=st.text(st.characters(exclude_categories=["Cs"])), unit=st.sampled_from(UNITS))
def test_offsets_of_every_character_go_there_and_back(text, unit):
    offsets = Offsets(text, unit)
    assert [offsets.to_code_points(offsets.from_code_points(number)) for number in range(len(text) + 1)] == list(range(len(text) + 1))


def test_an_offset_inside_a_character_is_none():
    assert Offsets("a🇸b", UTF16).to_code_points(2) is None
    assert Offsets("é", BYTES).to_code_points(1) is None
    assert [Offsets("a🇸b", unit).to_code_points(9) for unit in (CODE_POINTS, UTF16, BYTES)] == [None] * 3


@pytest.mark.parametrize(("unit", "offsets"), [(CODE_POINTS, [0, 1, 2, 3, 4]), (UTF16, [0, 1, 3, 4, 5]), (BYTES, [0, 1, 5, 7, 8])])
def test_each_unit_counts_as_its_tools_do(unit, offsets):
    counted = Offsets("a\U0001d4b3éb", unit)
    assert [counted.from_code_points(number) for number in range(5)] == offsets
    assert [number for offset in range(-2, 11) if (number := counted.to_code_points(offset)) is not None] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("unit", UNITS)
def test_in_ascii_every_unit_is_the_same(unit):
    assert [Offsets("ab", unit).to_code_points(number) for number in range(-1, 4)] == [None, 0, 1, 2, None]


def test_a_lone_surrogate_counts_as_the_three_bytes_that_it_would_take():
    assert Offsets("\ud800a", BYTES).from_code_points(1) == 3
    assert Offsets("\ud800a", UTF16).from_code_points(1) == 1


def test_the_last_character_of_the_first_plane_is_one_unit():
    assert [Offsets(f"{character}a", UTF16).from_code_points(1) for character in ("\uffff", "\U00010000")] == [1, 2]


@pytest.mark.parametrize(
    ("said", "annotated"),
    [
        ({}, False),
        ({"marks": (Mark(0, 1, "quote"),)}, True),
        ({"categories": ("other",)}, True),
        ({"note": "?"}, True),
        ({"annotator": "bo"}, True),
        ({"skipped": True}, True),
        ({"annotated": True}, True),
        ({"annotated": False, "marks": (Mark(0, 1, "quote"),)}, False),
    ],
)
def test_an_entry_is_an_annotation_where_the_file_says_so_or_something_shows_it(said, annotated):
    assert Entry("a.json", "Hej", **said).is_annotated is annotated


def test_a_label_is_named_with_its_kind():
    assert (full_label(Span("a", 0, 1, "quote", "direct")), full_label(Span("a", 0, 1, "statistic"))) == ("quote:direct", "statistic")
