"""Doubtful labels as tasks to decide: what a task shows, when one is made, and what a reviewer's answer comes to."""

import json
from dataclasses import replace

import pytest
from newsmark.annotation.annotations import Annotation, Reviewed, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.doubts.doubt import Doubt, annotated_documents
from newsmark.annotation.label_studio.adjudication import AGREED, _newest_of_each, with_decisions
from newsmark.annotation.label_studio.records import Review, read_task
from newsmark.annotation.label_studio.reviews import _plan, doubts_html, review_rows
from newsmark.annotation.labels import load_labels

SCHEME = load_labels()
DOCUMENT, OTHER = (Document(f"Trois <b> pays {word} voté. Il pleut.", f"{word}.txt", "fr") for word in ("ont", "auraient"))
MARK = Span("s1", 0, 12, "statistic")


def annotation(annotator="ann", *spans, truth=False, document=DOCUMENT, **more):
    return Annotation(document.id, document.name, annotator, truth, ("other",), spans, **{"offered": SCHEME.label_names, **more})


def doubt(start=0, end=12, label="statistic", document=DOCUMENT, **more):
    return Doubt(document.id, document.name, start, end, document.text[start:end], label, True, {"borders": "ann: ends within a word"}, 0.9, **more)


def rows_of(annotations, *doubts, documents=(DOCUMENT, OTHER)):
    annotated = annotated_documents(documents, annotations, SCHEME)
    return review_rows(annotated, annotations, doubts, SCHEME), {one.document.id: one for one in annotated}


def task(number, row, **more):
    return read_task({"id": number, "data": json.loads(json.dumps(row["data"])), **more})


def answered(number, row, **more):
    return task(number, row, annotations=[{"id": 1, "result": [], **more}])


def test_a_task_has_the_annotation_marked_and_shows_each_doubt_with_its_reason():
    rows, _ = rows_of([annotation("ann", MARK, offered=("statistic", "quote"))], doubt(), doubt(24, 33, "quote"))
    row = rows[DOCUMENT.id]
    assert row["predictions"][0]["model_version"] == AGREED
    assert [one["value"].get("labels", one["value"].get("choices")) for one in row["predictions"][0]["result"]] == [["statistic"], ["other"]]
    shown = task(1, row)
    assert shown.review == Review((Reviewed(0, 12, "statistic"), Reviewed(24, 33, "quote")), ("statistic", "quote"))
    assert "<td>Trois &lt;b&gt; pa</td><td>statistic</td><td>marked</td><td>borders: ann: ends within a word</td>" in shown.disputed
    assert "<td>not marked</td>" in doubts_html([replace(doubt(), given=False)])


def test_what_annotators_agree_on_is_marked_and_a_dispute_is_the_task_of_adjudicate():
    agreed, _ = rows_of([annotation("ann", MARK), annotation("bo", MARK)], doubt())
    assert [one["value"].get("labels") for one in agreed[DOCUMENT.id]["predictions"][0]["result"]] == [["statistic"], None]
    disputed, _ = rows_of([annotation("ann", MARK), annotation("bo")], doubt())
    assert task(1, disputed[DOCUMENT.id]).review is None
    assert "<td>ann</td><td>bo</td>" in disputed[DOCUMENT.id]["data"]["disputed"]


def test_only_doubted_documents_become_tasks():
    rows, _ = rows_of([annotation("ann", MARK), annotation("ann", document=OTHER)], doubt(0, 5, document=OTHER))
    assert [*rows] == [OTHER.id]


ROWS, DOCUMENTS = rows_of([annotation("ann", MARK)], doubt())
(ROW,) = ROWS.values()
CHANGED = rows_of([annotation("ann", replace(MARK, end=11))], doubt(0, 11))[0][DOCUMENT.id]


@pytest.mark.parametrize(
    ("tasks", "new", "waiting", "outdated"),
    [
        ([], 1, 0, ()),
        ([task(1, ROW)], 0, 0, ()),
        ([task(1, ROW), task(2, ROW)], 0, 0, (2,)),
        ([task(1, CHANGED)], 1, 0, (1,)),
        ([task(1, CHANGED), task(2, ROW)], 0, 0, (1,)),
        ([task(1, CHANGED, drafts=[{}])], 0, 1, ()),
        ([answered(1, ROW)], 0, 1, ()),
        ([answered(1, ROW, was_cancelled=True)], 0, 1, ()),
        ([answered(1, ROW), task(2, ROW)], 0, 1, ()),
    ],
    ids=["none", "same", "double", "changed", "changed and same", "begun", "answered", "skipped", "answered and open"],
)
def test_a_document_has_one_open_task_and_none_beside_an_answer_that_was_not_read(tasks, new, waiting, outdated):
    plan = _plan(tasks, ROWS, DOCUMENTS, ())
    assert (len(plan.new), len(plan.waiting), plan.outdated) == (new, waiting, outdated)
    assert len(plan.unchanged) == 1 - new - waiting


def test_a_new_doubt_is_asked_in_a_task_of_its_own_once_the_answer_was_read():
    truth = annotation("boss (adjudicating)", MARK, truth=True, reviewed=(Reviewed(0, 12, "statistic"),))
    rows, documents = rows_of([annotation("ann", MARK), truth], doubt(24, 33, "quote"))
    plan = _plan([answered(1, ROW)], rows, documents, ())
    assert (plan.new, plan.outdated) == ((DOCUMENT.id,), ())
    assert _plan([answered(1, CHANGED)], rows, documents, ()).waiting == (DOCUMENT.id,)


def test_open_reviews_of_documents_without_doubts_are_over_and_disputes_stay():
    (dispute,) = rows_of([annotation("ann", MARK), annotation("bo")], doubt())[0].values()
    assert _plan([task(1, ROW)], {}, DOCUMENTS, {DOCUMENT.id}).outdated == (1,)
    assert _plan([task(1, ROW)], {}, DOCUMENTS, {DOCUMENT.id}).over == (DOCUMENT.id,)
    assert _plan([task(1, ROW)], {}, DOCUMENTS, ()).outdated == ()
    assert _plan([answered(1, ROW)], {}, DOCUMENTS, {DOCUMENT.id}).outdated == ()
    assert _plan([task(1, dispute)], {}, DOCUMENTS, {DOCUMENT.id}).outdated == ()


def test_what_was_reviewed_stays_reviewed_after_another_decision():
    first = annotation("boss (adjudicating)", MARK, truth=True, reviewed=(Reviewed(0, 12, "statistic"),))
    second = annotation("chief (adjudicating)", truth=True, reviewed=(Reviewed(24, 33, "quote"),))
    (own, truth) = with_decisions([DOCUMENT], [annotation("ann"), first], [second])
    assert (own.annotator, own.ground_truth) == ("ann", False)
    assert (truth.annotator, truth.reviewed) == ("chief (adjudicating)", (Reviewed(0, 12, "statistic"), Reviewed(24, 33, "quote")))


@pytest.mark.parametrize("review", [7, "x", {"doubts": [{"start": "x"}, 3]}, {"doubts": None}])
def test_a_review_that_somebody_changed_by_hand_asks_nothing_that_cannot_be_read(review):
    read = read_task({"id": 1, "data": {**ROW["data"], "review": review}}).review
    assert read is None or read.doubts == ()


def test_the_newest_decision_counts_with_all_that_was_reviewed_and_the_order_is_that_of_the_tasks():
    def decided(moment, *reviewed, document=DOCUMENT):
        return annotation(f"boss at {moment}", truth=True, document=document, updated_at=moment, reviewed=reviewed)

    one, two = Reviewed(0, 12, "statistic"), Reviewed(24, 33, "quote")
    for moments in (("1", "3", "2"), ("3", "1", "2")):
        first, second, other = decided(moments[0], one), decided(moments[1], two), decided(moments[2], document=OTHER)
        newest, last = _newest_of_each([first, other, second])
        assert (newest.annotator, newest.reviewed, last) == ("boss at 3", (one, two), other)
