"""Annotators who disagree: who marked what, the share of those who say otherwise, and kinds."""

import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.doubts.disagreement import annotators_disagree
from newsmark.annotation.doubts.doubt import annotated_documents
from newsmark.annotation.labels import load_labels

SCHEME = load_labels()
DOCUMENT = Document("« Oui », dit-elle. Il pleut.", "a.txt", "fr")
QUOTE, INDIRECT, RAIN = Span("q", 0, 18, "quote", "direct"), Span("q", 0, 18, "quote", "indirect"), Span("r", 19, 28, "statistic")


def by(annotator, *spans, truth=False, offered=SCHEME.label_names):
    return Annotation(DOCUMENT.id, DOCUMENT.name, annotator, truth, (), spans, offered=offered)


def doubts(*annotations):
    rows = annotators_disagree(annotated_documents([DOCUMENT], annotations, SCHEME), SCHEME)
    return [(one.start, one.label, one.given, one.reasons["annotators"], pytest.approx(one.strength)) for one in rows]


def test_it_says_who_marked_a_passage_and_who_did_not():
    assert doubts(by("ann", QUOTE), by("bo", QUOTE, RAIN)) == [(19, "statistic", True, "marked by bo, not by ann", 0.5)]


def test_the_strength_is_the_share_of_those_who_say_otherwise():
    assert doubts(by("ann", RAIN), by("bo"), by("cy")) == [(19, "statistic", False, "marked by ann, not by bo, cy", 1 / 3)]


def test_kinds_are_compared_too():
    assert doubts(by("ann", QUOTE), by("bo", INDIRECT)) == [(0, "quote", True, "ann: direct; bo: indirect", 0.5)]


def test_who_agrees_is_not_doubted_and_borders_within_a_word_are_no_disagreement():
    assert doubts(by("ann", QUOTE), by("bo", Span("q", 0, 17, "quote", "direct"))) == []


def test_who_was_not_offered_a_label_does_not_disagree():
    assert doubts(by("ann", RAIN), by("bo", offered=("quote",))) == []


def test_a_ground_truth_or_a_single_annotator_ends_the_dispute():
    assert doubts(by("ann", RAIN), by("bo"), by("cy", truth=True)) == []
    assert doubts(by("ann", RAIN)) == []
