"""Telling agreed documents from disputed ones."""

from dataclasses import replace

import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.label_studio.adjudication import AGREED, settle

DOCUMENT = Document("Le pays s'engage à agir. « Oui », dit-elle.", "a.txt", "fr")
SPANS = (Span("s1", 0, 24, "commitment"), Span("s2", 25, 43, "quote", "direct"))


def _annotation(annotator, **changes):
    whole = Annotation(DOCUMENT.id, DOCUMENT.name, annotator, ground_truth=False, topics=("cybercrime", "other"), spans=SPANS)
    return replace(whole, **changes)


def test_a_document_on_which_all_agree_gets_its_ground_truth():
    others = tuple(replace(span, id=f"x{span.id}") for span in SPANS)
    agreements, disputes = settle([DOCUMENT], [_annotation("a"), _annotation("b", spans=others, topics=("other", "cybercrime"))])
    assert not disputes
    assert [(one.annotator, one.ground_truth, one.spans) for one in agreements] == [(AGREED, True, SPANS)]


@pytest.mark.parametrize(
    ("changes", "agreed"),
    [
        ({"spans": SPANS[:1]}, SPANS[:1]),
        ({"spans": (SPANS[0], replace(SPANS[1], kind="indirect"))}, SPANS[:1]),
        ({"spans": (replace(SPANS[0], end=23), SPANS[1])}, SPANS[1:]),
        ({"spans": ()}, ()),
        ({"topics": ("other",)}, SPANS),
    ],
)
def test_any_difference_is_a_dispute_that_keeps_the_agreed_spans(changes, agreed):
    agreements, disputes = settle([DOCUMENT], [_annotation("a"), _annotation("b", **changes)])
    assert not agreements
    assert [dispute.agreed for dispute in disputes] == [agreed]
    assert [one.annotator for one in disputes[0].versions] == ["a", "b"]


@pytest.mark.parametrize(
    "annotations",
    [
        [],
        [_annotation("a")],
        [_annotation("a"), _annotation("b", skipped=True, spans=())],
        [_annotation("a"), _annotation("b", spans=()), _annotation("c", ground_truth=True)],
    ],
)
def test_documents_with_one_annotator_or_a_ground_truth_are_left_alone(annotations):
    assert settle([DOCUMENT], annotations) == ([], [])
