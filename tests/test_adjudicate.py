"""What counts as agreement between annotators, and what is in dispute."""

from dataclasses import replace

import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.disputes import whole_words
from newsmark.annotation.documents import Document
from newsmark.annotation.label_studio.adjudication import AGREED, settle
from newsmark.annotation.labels import load_labels

SCHEME = load_labels()
DOCUMENT = Document("Le pays s'engage à agir. « Oui », dit-elle. Il pleut.", "a.txt", "fr")  # passages: 0–24, 25–43, 44–53
SPANS = (Span("s1", 0, 24, "commitment"), Span("s2", 25, 43, "quote", "direct"))


def _annotation(annotator, **changes):
    whole = Annotation(DOCUMENT.id, DOCUMENT.name, annotator, ground_truth=False, topics=("cybercrime", "other"), spans=SPANS)
    return replace(whole, **changes)


def _settle(*annotations, documents=(DOCUMENT,)):
    return settle(documents, annotations, SCHEME)


@pytest.mark.parametrize(
    "changes",
    [
        {"spans": tuple(replace(span, id=f"x{span.id}") for span in SPANS)},
        {"topics": ("other", "cybercrime")},
        {"spans": (replace(SPANS[0], end=23), SPANS[1])},  # without the full stop
        {"spans": (replace(SPANS[0], end=20), SPANS[1])},  # in the middle of a word
        {"spans": (replace(SPANS[0], start=9), SPANS[1])},  # the passage has the label all the same
        {"spans": (*SPANS, replace(SPANS[1], id="s3"))},  # the same region twice
        {"spans": (*SPANS, replace(SPANS[1], id="s3", start=27, end=30))},
        {"spans": (replace(SPANS[0], accepted=True), SPANS[1])},
    ],
    ids=["other ids", "order of topics", "full stop", "within a word", "within a passage", "double", "inside another", "accepted"],
)
def test_annotators_agree_where_passages_get_the_same_labels_and_the_document_the_same_topics(changes):
    agreements, disputes = _settle(_annotation("a"), _annotation("b", **changes))
    assert not disputes
    assert [(one.annotator, one.ground_truth, one.spans, one.topics) for one in agreements] == [(AGREED, True, SPANS, ("cybercrime", "other"))]


def test_a_border_in_the_middle_of_a_word_agrees_even_where_it_decides_about_half_of_a_passage():
    text = "Abcdefghij klmnopqrst."
    document = Document(text, "b.txt", "en")
    one, two = (replace(_annotation(name, spans=(Span("s", 0, end, "commitment"),)), document_id=document.id) for name, end in (("a", 9), ("b", 11)))
    agreements, disputes = _settle(one, two, documents=[document])
    assert not disputes
    assert [span.end for span in agreements[0].spans] == [9]


@pytest.mark.parametrize(
    ("text", "marked", "words"),
    [
        ("Priset är »250 kronor« nu.", "50 kron", "250 kronor"),
        ("Priset är »250 kronor« nu.", " är »250 kronor« ", "är »250 kronor"),
        ("Priset är »250 kronor« nu.", "r", "Priset"),
        ("Priset är »250 kronor« nu.", "nu", "nu"),
        ("Priset – det är högt.", " – ", " – "),
        ("他买iPhone或iPad了。", "Phone或", "iPhone或"),
        ("他买iPhone或iPad了。", "或iP", "或iPad"),
    ],
)
def test_a_span_is_compared_from_its_first_word_to_its_last(text, marked, words):
    start = text.index(marked)
    found = whole_words(Span("s", start, start + len(marked), "statistic"), text)
    assert text[found.start : found.end] == words


def test_a_span_too_far_over_a_border_to_label_a_passage_is_kept_where_all_mark_it():
    across = Span("s3", 19, 30, "statistic")
    for others, agreed in (((*SPANS, replace(across, id="x", accepted=True)), (SPANS[0], across, SPANS[1])), (SPANS, SPANS)):
        (truth,), disputes = _settle(_annotation("a", spans=(*SPANS, across)), _annotation("b", spans=others))
        assert (truth.spans, disputes) == (agreed, [])


def test_a_region_marked_twice_is_once_in_the_ground_truth():
    (truth,), _ = _settle(_annotation("a", spans=(*SPANS, replace(SPANS[0], id="s3"))), _annotation("b"))
    assert truth.spans == SPANS


@pytest.mark.parametrize(
    ("changes", "agreed", "disputed"),
    [
        ({"spans": SPANS[:1]}, SPANS[:1], [(25, "quote", ("a",), ("b",))]),
        ({"spans": (SPANS[0], replace(SPANS[1], kind="indirect"))}, SPANS[:1], [(25, "quote", ("a",), ("b",)), (25, "quote", ("b",), ("a",))]),
        ({"spans": ()}, (), [(0, "commitment", ("a",), ("b",)), (25, "quote", ("a",), ("b",))]),
        ({"spans": (*SPANS, Span("s3", 44, 53, "statistic"))}, SPANS, [(44, "statistic", ("b",), ("a",))]),
        ({"topics": ("other",)}, SPANS, []),
    ],
)
def test_a_difference_is_in_dispute_and_what_all_say_is_agreed(changes, agreed, disputed):
    agreements, disputes = _settle(_annotation("a"), _annotation("b", **changes))
    assert not agreements
    assert [dispute.agreed for dispute in disputes] == [agreed]
    assert [(one.span.start, one.span.label, one.marked_by, one.not_by) for one in disputes[0].spans] == disputed
    assert list(disputes[0].shared.annotations) == ["a", "b"]


def test_a_span_is_agreed_as_far_as_all_go():
    longer, shorter = Span("s1", 0, 43, "commitment"), Span("s1", 0, 24, "commitment")
    for first, second, agreed, who in ((longer, shorter, replace(shorter, id="s1-1"), {"a"}), (shorter, longer, shorter, {"b"})):
        _, (dispute,) = _settle(_annotation("a", spans=(first,)), _annotation("b", spans=(second,)))
        assert dispute.agreed == (agreed,)
        assert [(one.passage.start, {name for name, marks in one.marks.items() if marks}) for one in dispute.passages] == [(25, who)]


def test_topics_that_all_give_are_agreed():
    _, (dispute,) = _settle(_annotation("a"), _annotation("b", topics=("other",)))
    assert dispute.topics == {"a": ("cybercrime", "other"), "b": ("other",)}
    assert dispute.agreed_topics == ("other",)


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
    assert _settle(*annotations) == ([], [])
