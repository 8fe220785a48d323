"""Annotation files, the rule that gives passages their labels, and the measures of agreement."""

import functools
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from newsmark.annotation.agreement import krippendorff_alpha, measure_agreement, shared_documents, topic_alpha
from newsmark.annotation.annotations import Annotation, Span, read_annotations, with_offered, write_annotations
from newsmark.annotation.disputes import compare_annotations
from newsmark.annotation.documents import Document, read_documents
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio.adjudication import settle
from newsmark.annotation.labels import load_labels
from newsmark.annotation.passage_labels import cut_at_passages, labels_of_passages, odd_spans
from newsmark.annotation.reports import agreement_answer, check_answer
from newsmark.annotation.splitting.passages import Passage, split_passages

SEEDS = Path(__file__).parent.parent / "seeds"
SCHEME = load_labels()
DOCUMENT = Document("Aa.\nBb.\nCc.\nDd.", "a.txt", "fr")  # passages: 0–3, 4–7, 8–11, 12–15
OTHER = Document("Ee.\nFf.", "b.txt", "fr")
SPAN = {"id": "s1", "start": 0, "end": 3, "label": "quote", "kind": "direct"}
ROW = {"document": DOCUMENT.id, "annotator": "alice", "ground_truth": False, "topics": ["other"], "spans": [SPAN]}
BOB = {**ROW, "annotator": "bob"}


def read_rows(folder, *rows):
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_annotations(path, [DOCUMENT, OTHER], SCHEME)


def with_span(**changes):
    return {**BOB, "spans": [SPAN | changes]}


def without(row, key):
    return {name: value for name, value in row.items() if name != key}


def direct(start, end):
    return Span(f"{start}-{end}", start, end, "quote", "direct")


def judge(annotator, *spans, document=DOCUMENT, topics=(), ground_truth=False):
    return Annotation(document.id, document.name, annotator, ground_truth, tuple(topics), spans)


def agreement(*annotations, documents=(DOCUMENT,)):
    return measure_agreement(shared_documents(documents, annotations, SCHEME), SCHEME)


def disputes(*annotations, documents=(DOCUMENT, OTHER)):
    return compare_annotations(shared_documents(documents, annotations, SCHEME), SCHEME)


def test_each_seed_has_two_readers_and_one_ground_truth():
    documents = list(read_documents([SEEDS]))
    annotations = read_annotations(SEEDS / "annotations.jsonl", documents, SCHEME)
    assert len(annotations) == 15
    for document in documents:
        own = [annotation for annotation in annotations if annotation.document_id == document.id]
        assert {annotation.annotator for annotation in own} == {"reader-1", "reader-2", "adjudicator"}
        assert [annotation.annotator for annotation in own if annotation.ground_truth] == ["adjudicator"]


def test_adjudicated_spans_of_the_seeds_begin_and_end_with_a_character():
    texts = {document.id: document.text for document in read_documents([SEEDS])}
    annotations = read_annotations(SEEDS / "annotations.jsonl", read_documents([SEEDS]), SCHEME)
    marked = [texts[one.document_id][span.start : span.end] for one in annotations if one.ground_truth for span in one.spans]
    assert len(marked) > 100
    assert [text for text in marked if text != text.strip()] == []


def test_the_seeds_annotations_survive_writing_and_reading(tmp_path):
    documents = list(read_documents([SEEDS]))
    annotations = read_annotations(SEEDS / "annotations.jsonl", documents, SCHEME)
    write_annotations(tmp_path / "new" / "copy.jsonl", annotations)
    assert read_annotations(tmp_path / "new" / "copy.jsonl", documents, SCHEME) == annotations
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy.jsonl"]


def test_spans_are_read_in_the_order_of_the_text(tmp_path):
    (annotation,) = read_rows(tmp_path, {**ROW, "spans": [{**SPAN, "id": "s2", "start": 4, "end": 7}, SPAN]})
    assert [span.id for span in annotation.spans] == ["s1", "s2"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (with_span(end=16), ", span 1: offsets 0–16 are out of range: a.txt has 15 characters"),
        (with_span(start=-1), ", span 1: offsets -1–3 are out of range"),
        (with_span(start=3), ", span 1: offsets 3–3 are out of range"),
        (with_span(label="quot"), ", span 1: unknown label 'quot'; did you mean 'quote'?"),
        (with_span(kind="indrect"), ", span 1: unknown kind of quote 'indrect'; did you mean 'indirect'?"),
        (with_span(kind=None), ", span 1: unknown kind of quote None; known: direct, indirect"),
        (with_span(label="statistic"), ", span 1: a statistic span has no kind"),
        (with_span(start="0"), ", span 1: field 'start' is '0'; it must be of type int"),
        (with_span(start=0.0), ", span 1: field 'start' is 0.0; it must be of type int"),
        (with_span(start=False), ", span 1: field 'start' is False; it must be of type int"),
        (with_span(label=["quote"]), ", span 1: field 'label' is ['quote']; it must be of type str"),
        (with_span(id=1), ", span 1: field 'id' is 1; it must be of type str"),
        ({**BOB, "spans": [without(SPAN, "end")]}, ", span 1: field 'end' is missing"),
        ({**BOB, "spans": [[0, 3]]}, ", span 1: expected an object"),
        ({**BOB, "spans": [SPAN, SPAN | {"start": 1}]}, ", span 2: the id 's1' is used twice"),
        ({**BOB, "spans": {}}, ": field 'spans' is {}; it must be of type list"),
        ({**BOB, "document": "f" * 64}, ": unknown document 'ffffffffffffffff'"),
        ({**BOB, "topics": ["cybercrimes"]}, ": unknown topic 'cybercrimes'; did you mean 'cybercrime'?"),
        ({**BOB, "topics": [["other"]]}, ": unknown topic ['other']"),
        ({**BOB, "topics": "other"}, ": field 'topics' is 'other'; it must be of type list"),
        ({**BOB, "ground_truth": "no"}, ": field 'ground_truth' is 'no'; it must be of type bool"),
        ({**BOB, "annotator": None}, ": field 'annotator' is None; it must be of type str"),
        (ROW, ": 'alice' annotates a.txt a second time"),
        *((without(BOB, key), f": field {key!r} is missing") for key in ROW),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_a_wrong_row_is_refused_with_its_line_and_span(tmp_path, row, problem):
    with pytest.raises(NewsmarkError, match=re.escape(f"own.jsonl, line 2{problem}")):
        read_rows(tmp_path, ROW, row)


def test_one_annotator_may_annotate_many_documents_and_many_one_document(tmp_path):
    rows = [ROW, BOB, {**ROW, "document": OTHER.id}]
    assert [(one.name, one.annotator) for one in read_rows(tmp_path, *rows)] == [("a.txt", "alice"), ("a.txt", "bob"), ("b.txt", "alice")]


@pytest.mark.parametrize(
    ("spans", "labels"),
    [
        ([], [set(), set(), set()]),
        ([direct(5, 15)], [{"quote"}, set(), set()]),  # exactly half of the first, 4 of 10 of the second
        ([direct(5, 21)], [{"quote"}, {"quote"}, set()]),  # exactly half of the first, and a third of the span's own 16
        ([direct(6, 15)], [set(), set(), set()]),  # 4 of 10 of both, and 4 of the span's own 9
        ([direct(6, 14)], [{"quote"}, set(), set()]),  # 4 of 10, but exactly half of the span lies inside
        ([direct(2, 4)], [{"quote"}, set(), set()]),  # small, wholly inside
        ([direct(0, 40)], [{"quote"}, {"quote"}, {"quote"}]),
        ([direct(3, 24)], [{"quote"}, {"quote"}, set()]),  # 2 of 18 of the last
        ([direct(10, 11)], [set(), set(), set()]),  # the white space between
        ([direct(0, 10), Span("n", 2, 4, "statistic")], [{"quote", "statistic"}, set(), set()]),
        ([direct(0, 21), Span("b", 11, 21, "boilerplate")], [{"quote"}, {"boilerplate"}, set()]),
    ],
)
def test_a_passage_takes_the_label_of_a_span_that_covers_half_of_it_or_lies_half_inside(spans, labels):
    passages = [Passage(0, 10, "x" * 10), Passage(11, 21, "y" * 10), Passage(22, 40, "z" * 18)]
    assert labels_of_passages(passages, spans, SCHEME) == labels
    cut = cut_at_passages(spans, passages, SCHEME)
    assert labels_of_passages(passages, cut, SCHEME) == labels
    assert len({span.id for span in cut}) == len(cut)


@pytest.mark.parametrize(
    ("spans", "cut"),
    [
        ([direct(2, 40)], [("2-40-1", 2, 10), ("2-40-2", 11, 21), ("2-40-3", 22, 40)]),
        ([direct(3, 24)], [("3-24-1", 3, 10), ("3-24-2", 11, 21)]),  # what it has of the third says nothing of it
        ([direct(2, 12), direct(6, 15)], [("2-12", 2, 12), ("6-15", 6, 15)]),  # of one passage, and of none
        ([direct(0, 21), Span("b", 11, 21, "boilerplate")], [("0-21", 0, 21), ("b", 11, 21)]),
    ],
)
def test_a_span_that_gives_several_passages_its_label_is_cut_into_one_for_each(spans, cut):
    passages = [Passage(0, 10, "x" * 10), Passage(11, 21, "y" * 10), Passage(22, 40, "z" * 18)]
    found = cut_at_passages(spans, passages, SCHEME)
    assert [(span.id, span.start, span.end) for span in found] == cut
    assert {(span.label, span.kind) for span in found} == {(span.label, span.kind) for span in spans}


@pytest.mark.parametrize(
    ("first", "second", "counts", "measures"),
    [
        ([direct(0, 3), direct(4, 7)], [direct(0, 3), direct(4, 7)], (2, 2), (1, 1, 1, 1)),
        ([direct(0, 3), direct(4, 7)], [direct(0, 3), direct(8, 11)], (2, 2), (0, 0.5, 0.5, 0.5)),
        ([direct(0, 3), direct(4, 7)], [direct(0, 2)], (2, 1), (0.5, 2 / 3, 0, 2 / 3)),
        ([direct(0, 7)], [direct(0, 3), direct(4, 7)], (2, 2), (1, 1, 1, 1)),
        ([direct(0, 3)], [Span("i", 0, 3, "quote", "indirect")], (1, 1), (1, 1, 0, 1)),
        ([direct(0, 3)], [], (1, 0), (0, 0, 0, 0)),
        ([direct(0, 2)], [direct(2, 3)], (1, 1), (1, 1, 0, 0)),
    ],
    ids=["same", "half", "shorter", "one for two", "other kind", "one alone", "neighbours"],
)
def test_agreement_is_what_is_worked_out_by_hand(first, second, counts, measures):
    table = agreement(judge("alice", *first), judge("bob", *second))
    quote = next(one for one in table["alice", "bob"].labels if one.label == "quote")
    assert (quote.first_count, quote.second_count) == counts
    assert (quote.passage_kappa, quote.passage_f1, quote.exact_f1, quote.overlap_f1) == pytest.approx(measures)


def test_agreement_is_not_a_number_for_a_label_that_neither_uses():
    table = agreement(judge("alice", direct(0, 3)), judge("bob", direct(0, 3)))
    assert [one.label for one in table["alice", "bob"].labels if math.isnan(one.passage_kappa) and math.isnan(one.overlap_f1)] == [
        "commitment",
        "statistic",
        "boilerplate",
    ]


@pytest.mark.filterwarnings("error")
def test_agreement_on_a_label_that_both_give_to_every_passage_has_an_f1_but_no_kappa():
    table = agreement(judge("alice", direct(0, 15)), judge("bob", direct(0, 15)))
    quote = next(one for one in table["alice", "bob"].labels if one.label == "quote")
    assert quote.passage_f1 == 1
    assert math.isnan(quote.passage_kappa)


def test_agreement_leaves_out_the_ground_truth_and_documents_of_one_annotator():
    shared = [judge("alice", direct(0, 3)), judge("bob", direct(0, 3)), judge("carol", direct(0, 3), ground_truth=True)]
    alone = judge("alice", direct(0, 3), document=OTHER)
    table = agreement(*shared, alone, documents=[DOCUMENT, OTHER])
    assert {pair: one.labels[2].first_count for pair, one in table.items()} == {("alice", "bob"): 1}


def test_agreement_leaves_out_the_ground_truth_of_someone_who_also_annotates():
    ordinary = [judge("alice", direct(0, 3)), judge("bob", direct(0, 3)), judge("bob", direct(0, 3), document=OTHER)]
    adjudicated = judge("alice", direct(0, 3), document=OTHER, ground_truth=True)
    table = agreement(*ordinary, adjudicated, documents=[DOCUMENT, OTHER])
    assert table["alice", "bob"].labels[2].first_count == 1


def test_the_measures_of_topics_are_what_is_worked_out_by_hand():
    one, two = judge("alice", topics=["cybercrime", "other"]), judge("bob", topics=["cybercrime"])
    assert len(SCHEME.topics) == 7  # both: 1, alice alone: 1, neither: 5
    pair = agreement(one, two)["alice", "bob"]
    assert pair.topic_f1 == pytest.approx(2 / 3)
    assert pair.topic_kappa == pytest.approx(10 / 17)
    assert topic_alpha(shared_documents([DOCUMENT], [one, two], SCHEME), SCHEME) == pytest.approx(20 / 33)


def test_the_measures_of_topics_are_not_numbers_where_nobody_gives_one():
    annotations = [judge("alice"), judge("bob")]
    pair = agreement(*annotations)["alice", "bob"]
    assert math.isnan(pair.topic_f1)
    assert math.isnan(pair.topic_kappa)
    assert math.isnan(topic_alpha(shared_documents([DOCUMENT], annotations, SCHEME), SCHEME))


def test_spans_that_not_all_mark_alike_are_in_dispute_the_most_divided_first():
    first, second, third, indirect = direct(0, 3), direct(4, 7), direct(8, 11), Span("x", 0, 3, "quote", "indirect")
    (dispute,) = disputes(judge("alice", first, second, third), judge("bob", first, third), judge("carol", first), judge("dan", first))
    found = [(one.span, one.marked_by, one.not_by) for one in dispute.spans]
    assert found == [(third, ("alice", "bob"), ("carol", "dan")), (second, ("alice",), ("bob", "carol", "dan"))]
    (kinds,) = disputes(judge("alice", indirect), judge("bob", first))
    assert [(one.span.kind, one.marked_by, one.not_by) for one in kinds.spans] == [("direct", ("bob",), ("alice",)), ("indirect", ("alice",), ("bob",))]


def test_of_a_span_that_others_stop_inside_the_parts_before_and_after_are_agreed():
    (dispute,) = disputes(judge("alice", direct(0, 15)), judge("bob", direct(0, 3), direct(8, 15)))
    assert [(span.id, span.start, span.end) for span in dispute.agreed] == [("0-15-1", 0, 3), ("0-15-2", 8, 15)]


def test_agreed_spans_of_different_annotators_that_share_an_id_get_ids_of_their_own():
    given = [("ann", 0, "commitment"), ("bo", 4, "statistic"), ("cy", 8, "boilerplate")]
    (dispute,) = disputes(*(replace(judge(name, Span("s", start, start + 3, label)), offered=(label,)) for name, start, label in given))
    assert [(span.id, span.label) for span in dispute.agreed] == [("s", "commitment"), ("s-2", "statistic"), ("s-3", "boilerplate")]


def test_a_document_with_a_ground_truth_is_not_in_dispute():
    assert disputes(judge("alice", direct(0, 3)), judge("bob"), judge("eve", ground_truth=True)) == []


def test_documents_with_other_topics_are_in_dispute_whatever_the_order():
    annotations = [judge("alice", topics=["other", "cybercrime"]), judge("bob", topics=["cybercrime", "other"])]
    assert [one.size for one in disputes(*annotations)] == [0]
    annotations += [judge("alice", document=OTHER, topics=["other"]), judge("bob", document=OTHER)]
    assert [one.topics for one in disputes(*annotations)] == [{}, {"alice": ("other",), "bob": ()}]


def lines_run(work):
    """Count the lines of Python that a call runs: its work, whatever the machine."""
    count = 0

    def trace(_frame, event, _):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def many(count):
    documents = [Document(f"Number {number} is here.\nIt rose.", f"{number}.txt", "en") for number in range(count)]
    truths = [judge("eve", document=one, ground_truth=True) for one in documents[::3]]
    return documents, [*(judge(name, direct(0, 5), document=one, topics=["other"]) for one in documents for name in ("alice", "bob")), *truths]


@pytest.mark.parametrize(
    "work",
    [
        lambda documents, _, path: read_annotations(path, documents, SCHEME),
        lambda documents, annotations, _: check_answer(documents, annotations, SCHEME),
        lambda documents, annotations, _: agreement_answer(documents, annotations, SCHEME),
        lambda documents, annotations, _: settle(documents, annotations, SCHEME),
    ],
    ids=["read", "check", "agreement", "settle"],
)
def test_the_work_grows_with_the_number_of_documents(tmp_path, work):
    counts = {}
    work(*many(10), write_and_return(tmp_path, many(10)[1]))  # loads what is loaded once
    for count in (50, 200):
        documents, annotations = many(count)
        path = write_and_return(tmp_path, annotations)
        counts[count] = lines_run(functools.partial(work, documents, annotations, path))
    assert counts[50] > 500
    assert counts[200] < 4.4 * counts[50]


def write_and_return(folder, annotations):
    write_annotations(folder / "many.jsonl", annotations)
    return folder / "many.jsonl"


def test_the_work_grows_with_the_length_of_a_document():
    def label(count):
        passages = [Passage(5 * index, 5 * index + 4, "word") for index in range(count)]
        return lines_run(lambda: labels_of_passages(passages, [direct(one.start, one.end) for one in passages], SCHEME))

    assert label(400) < 4.4 * label(100)


def test_agreement_and_disputes_split_each_document_once(monkeypatch):
    split = []
    monkeypatch.setattr("newsmark.annotation.agreement.split_passages", lambda text, language: split.append(text) or split_passages(text, language))
    documents, annotations = many(30)
    agreement_answer(documents, annotations, SCHEME)
    assert len(split) == 30


def test_what_an_annotator_was_offered_survives_writing_and_reading(tmp_path):
    whole = [replace(judge("ann", direct(0, 3)), offered=("quote", "a label of tomorrow")), judge("bo")]
    write_annotations(tmp_path / "own.jsonl", whole)
    assert read_annotations(tmp_path / "own.jsonl", [DOCUMENT], SCHEME) == whole


def test_offered_must_be_a_list_of_names(tmp_path):
    with pytest.raises(NewsmarkError, match=r"own\.jsonl, line 1: field 'offered' must be a list of names"):
        read_rows(tmp_path, {**ROW, "offered": "quote"})


def test_annotations_that_do_not_say_it_were_offered_what_such_annotations_of_the_file_use():
    older, other = judge("ann", direct(0, 3)), judge("bo", Span("s", 4, 7, "commitment"))
    newer = replace(judge("cy", Span("s", 4, 7, "statistic")), offered=("boilerplate", "a label of tomorrow"))
    assert [one.offered for one in with_offered([older, other, newer], SCHEME)] == [
        ("commitment", "quote"),
        ("commitment", "quote"),
        ("statistic", "boilerplate"),  # its own labels were offered, whatever it says
    ]


def test_a_label_that_one_annotator_was_not_offered_is_neither_agreed_nor_in_dispute_between_them():
    ann, bo = (replace(judge(name, *spans), offered=offered) for name, spans, offered in OFFERED[:2])
    ((_, found),) = agreement(ann, bo).items()
    statistic, quote = (next(one for one in found.labels if one.label == name) for name in ("statistic", "quote"))
    assert (quote.first_count, quote.second_count) == (1, 1)
    assert (statistic.first_count, statistic.second_count) == (0, 0)
    assert math.isnan(statistic.passage_f1)
    assert math.isnan(krippendorff_alpha(shared_documents([DOCUMENT], [ann, bo], SCHEME), SCHEME)["statistic"])
    (dispute,) = disputes(ann, bo)
    assert dispute.size == 0
    assert [span.label for span in dispute.agreed] == ["quote", "statistic"]


def test_those_who_were_offered_a_label_may_disagree_on_it():
    (dispute,) = disputes(*(replace(judge(name, *spans), offered=offered) for name, spans, offered in OFFERED))
    ((span, marked_by, not_by),) = [(one.span.label, one.marked_by, one.not_by) for one in dispute.spans]
    assert (span, marked_by, not_by) == ("statistic", ("bo",), ("cy",))
    assert [span.label for span in dispute.agreed] == ["quote"]


OFFERED = [
    ("ann", (direct(0, 3),), ("quote",)),
    ("bo", (direct(0, 3), Span("s", 4, 7, "statistic")), ("quote", "statistic")),
    ("cy", (direct(0, 3),), ("quote", "statistic")),
]


def test_spans_that_cannot_both_be_meant_are_found():
    scheme = load_labels()
    spans = [Span("1", 0, 9, "statistic"), Span("2", 5, 12, "statistic"), Span("3", 20, 30, "boilerplate"), Span("4", 25, 28, "commitment")]
    spans += [Span("5", 28, 40, "statistic"), Span("6", 40, 50, "quote", "direct"), Span("7", 41, 44, "statistic"), Span("8", 50, 60, "boilerplate")]
    spans += [Span("9", 60, 70, "commitment"), Span("10", 65, 75, "boilerplate")]
    assert [(one.id, two.id, reason) for one, two, reason in odd_spans(spans, scheme)] == [
        ("1", "2", "statistic is given twice; keep one of the two"),
        ("3", "4", "boilerplate excludes commitment; remove one of the two"),
        ("3", "5", "boilerplate excludes statistic; remove one of the two"),
        ("9", "10", "boilerplate excludes commitment; remove one of the two"),
    ]


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(tmp_path):
    shared, link = tmp_path / "shared.jsonl", tmp_path / "link.jsonl"
    annotations = read_rows(tmp_path, ROW)
    shared.write_text("")
    shared.chmod(0o600)
    link.symlink_to(shared)
    write_annotations(link, annotations)
    assert link.is_symlink()
    assert read_annotations(shared, [DOCUMENT], SCHEME) == annotations
    assert shared.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_read_only_is_not_replaced(tmp_path, monkeypatch):
    annotations = read_rows(tmp_path, ROW)
    monkeypatch.setattr("os.access", lambda *_: False)  # to the superuser, whom tests may run as, no file is read-only
    with pytest.raises(PermissionError):
        write_annotations(tmp_path / "own.jsonl", [])
    assert read_annotations(tmp_path / "own.jsonl", [DOCUMENT], SCHEME) == annotations
