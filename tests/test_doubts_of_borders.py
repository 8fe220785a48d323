"""Spans with odd borders, and those that nobody would call odd."""

import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.doubts.borders import borders_are_odd, odd_border
from newsmark.annotation.doubts.doubt import annotated_documents
from newsmark.annotation.labels import load_labels
from newsmark.annotation.splitting.passages import split_passages

SCHEME = load_labels()


def said(text, marked, language="en"):
    """What is odd about marked words; "|" stands for the borders."""
    before, words, _after = marked.split("|")
    whole = marked.replace("|", "")
    assert whole == text
    span = Span("s", len(before), len(before) + len(words), "statistic")
    found = odd_border(span, text, split_passages(text, language))
    return found and found[0]


@pytest.mark.parametrize(
    ("marked", "what"),
    [
        ("|Skip to conten|t", "ends one letter before the sentence does"),
        ("|They will ac|t.", "ends one letter before the sentence does"),
        ("S|kip to content|", "begins one letter after the sentence does"),
        ("We saw ne|arly 100 countries| there.", "begins within a word"),
        ("We saw |nearly 100 countr|ies there.", "ends within a word"),
        ("We saw| nearly 100 countries| there.", "begins with white space"),
        ("We saw |nearly 100 countries |there.", "ends with white space"),
        ("It rose|, by 4 percent| this year.", "begins with “,”"),
        ("It rose |by 4 percent,| they said.", "ends with “,”"),
        ("It rose |by 4 percent (|they said).", "ends with “(”"),
    ],
)
def test_odd_borders_are_named(marked, what):
    assert said(marked.replace("|", ""), marked) == what


@pytest.mark.parametrize(
    "marked",
    [
        "|They will act.|",
        "|They will act|.",
        "They said: |“We will act.”| Then they left.",
        "It rose by |.5 percent| this year.",
        "It rose |by 4 percent|, they said.",
        "We follow |plan| B",
        "|He said:|",
        "It fell by |-4 percent| this year.",
        "L'|État agira|.",
        "It is |(almost) 100 euros| now.",
    ],
)
def test_usual_borders_are_not_odd(marked):
    assert said(marked.replace("|", ""), marked) is None


def test_words_of_scripts_without_spaces_are_not_cut_but_the_last_character_is_missed():
    assert said("这里有120人参加。他说。", "这里有|120人参|加。他说。", "zh") == "ends one letter before the sentence does"
    assert said("这里有120人参加。他说。", "这里有|120人|参加。他说。", "zh") is None


def test_a_mark_that_belongs_to_the_letter_before_it_is_part_of_the_word():
    text = "हिन्दी में"
    assert odd_border(Span("s", 0, 1, "quote"), text, split_passages(text, "hi")) == ("ends within a word", 0.9)


def test_a_span_over_several_sentences_is_judged_at_its_ends():
    text = "They will act. It rains. We go on."
    passages = split_passages(text, "en")
    assert odd_border(Span("s", 0, 24, "quote"), text, passages) is None
    assert odd_border(Span("s", 0, 22, "quote"), text, passages) == ("ends one letter before the sentence does", 0.9)


def test_overlapping_spans_that_cannot_both_be_meant_are_doubted_where_they_overlap():
    document = Document("They will act. It rains.", "a.txt", "en")
    spans = (Span("a", 0, 14, "commitment"), Span("b", 5, 14, "commitment"), Span("c", 15, 24, "boilerplate"), Span("d", 15, 24, "statistic"))
    own = Annotation(document.id, document.name, "ann", False, (), spans)
    rows = list(borders_are_odd(annotated_documents([document], [own], SCHEME), SCHEME))
    assert [(one.start, one.end, one.label, one.given, one.reasons["borders"]) for one in rows] == [
        (5, 14, "commitment", True, "ann: commitment is given twice; keep one of the two"),
        (15, 24, "statistic", True, "ann: boilerplate excludes statistic; remove one of the two"),
    ]
