"""Suspicious annotations: hand-computed thresholds, what is no suspect, the tasks' pages, and the model as a reason to doubt."""

import json
from dataclasses import replace

import numpy as np
import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.doubts.doubt import annotated_documents
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.training.suspects import doubts_of_model, find_suspects, task_urls
from newsmark.training.tables import suspects_table
from newsmark.training.tracking import LoggedPredictions


def predictions(given, probabilities, labels=("quote",)):
    given, probabilities = (np.array(values).reshape(-1, len(labels)) for values in (given, probabilities))
    count = len(given)
    return LoggedPredictions(
        out_of_fold=True,
        labels=labels,
        documents=np.array([f"id-{number}" for number in range(count)]),
        names=np.array([f"{number}.txt" for number in range(count)]),
        groups=np.array(["a"] * count),
        texts=np.array([f"text {number}" for number in range(count)], dtype=object),
        offsets=[(number, number + 6) for number in range(count)],
        truth=given > 0,
        probabilities=probabilities.astype(float),
        decisions=probabilities >= 0.5,
        judged=~np.isnan(given.astype(float)),
        languages=np.array(["sv"] * count),
        kinds=np.array(["article"] * count),
    )


def test_suspects_are_those_computed_by_hand():
    """Thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 to have it, (0.8 + 0.7 + 0.05) / 3 = 0.52 not to."""
    found = find_suspects(predictions([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.1, 0.2, 0.3, 0.95]))
    assert [(one.row, one.label, one.given, one.probability) for one in found] == [(5, "quote", False, 0.95), (2, "quote", True, 0.1)]
    assert [one.margin for one in found] == pytest.approx([0.95 - 0.05, 0.9 - 0.1])


def test_a_passage_whose_given_side_is_confidently_predicted_too_is_no_suspect():
    """Thresholds 0.3 and 0.617: row 0 has both (0.4, 0.6 no), row 4 has both (0.35, 0.65), rows 1 and 3 only the other side."""
    found = find_suspects(predictions([1, 1, 0, 0, 0], [0.4, 0.2, 0.1, 0.7, 0.35]))
    assert [one.row for one in found] == [1, 3]


def test_thresholds_are_each_label_s_own_and_margins_rank_across_labels():
    given = [[1, 1], [1, 0], [0, 1], [0, 0]]
    probabilities = [[0.9, 0.3], [0.2, 0.1], [0.6, 0.02], [0.1, 0.25]]
    found = find_suspects(predictions(given, probabilities, ("quote", "statistic")))
    assert [(one.label, one.row) for one in found] == [("statistic", 2), ("quote", 1), ("quote", 2), ("statistic", 3)]


@pytest.mark.parametrize("given", [[1, 0, 1, 0, 0, 1, 1], [1] * 7, [0] * 7])
@pytest.mark.parametrize("probability", [0.1, 1 / 3, 0.7])
def test_a_model_that_knows_nothing_suspects_nothing(given, probability):
    assert find_suspects(predictions(given, [probability] * 7)) == []


@pytest.mark.parametrize("given", [0, 1])
def test_a_label_that_all_passages_have_or_none_has_no_suspects(given):
    assert find_suspects(predictions([given] * 3, [0.1, 0.5, 0.9])) == []


def test_a_good_model_suspects_planted_errors_and_nothing_else():
    """Not all of them: about half of what is right lies under a mean."""
    drawn = np.random.default_rng(5)
    truth = drawn.random(400) < 0.3
    probabilities = np.clip(np.where(truth, 0.85, 0.1) + 0.1 * drawn.standard_normal(400), 0, 1)
    planted = drawn.choice(400, 20, replace=False)
    given = truth.copy()
    given[planted] = ~given[planted]
    found = find_suspects(predictions(given, probabilities))
    assert {one.row for one in found} <= set(planted.tolist())
    assert len(found) > 5


def test_the_report_shows_the_first_and_counts_all():
    table = predictions([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.1, 0.2, 0.3, 0.95])
    found = find_suspects(table)
    whole = suspects_table(found, table, {"id-2": "http://studio/projects/1/data?task=7"}, 50)
    assert [line.split() for line in whole.splitlines()[2:4]] == [
        ["quote", "has", "it", "not", "has", "it", "0.95", "5.txt", "5–11", "text", "5"],
        ["quote", "has", "it", "has", "it", "not", "0.10", "2.txt", "2–8", "text", "2", "http://studio/projects/1/data?task=7"],
    ]
    assert whole.endswith("2 suspicious labels on 6 passages: quote 2")
    first = suspects_table(found, table, {}, 1)
    assert "2.txt" not in first
    assert "task" not in first
    assert first.endswith("2 suspicious labels on 6 passages: quote 2; the first 1 are shown")
    assert suspects_table([], table, {}, 50) == "Nothing suspicious on 6 passages."


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_document_s_page_is_its_ground_truth_s_where_that_has_one(tmp_path):
    rows = [
        {"document": "1", "name": "a.txt", "task_url": "http://studio/1"},
        {"document": "1", "name": "a.txt", "task_url": "http://studio/2", "ground_truth": True},
        {"document": "1", "name": "a.txt", "task_url": "http://studio/3"},
        {"document": "2", "name": "b.txt", "ground_truth": True},
        {"document": "2", "name": "b.txt", "task_url": "http://studio/4"},
        {"document": "3", "name": "c.txt"},
        {"document": "4", "task_url": "http://studio/5"},
    ]
    for order in (rows, rows[::-1]):
        assert task_urls(write(tmp_path / "annotations.jsonl", *order)) == {"1": "http://studio/2", "2": "http://studio/4", "4": "http://studio/5"}


def test_two_documents_of_one_name_keep_their_own_pages(tmp_path):
    rows = [{"document": number, "name": "untitled", "task_url": f"http://studio/{number}"} for number in "12"]
    assert task_urls(write(tmp_path / "annotations.jsonl", *rows)) == {"1": "http://studio/1", "2": "http://studio/2"}


def test_a_file_that_is_no_annotations_is_refused(tmp_path):
    with pytest.raises(NewsmarkError, match="line 1: 'task_url' is int"):
        task_urls(write(tmp_path / "annotations.jsonl", {"name": "a.txt", "task_url": 7}))


def test_a_label_that_was_not_judged_is_no_suspect():
    probabilities = [0.9, 0.8, 0.1, 0.2, 0.3, 0.95, 0.99, 0.01]
    found = predictions([1, 1, 1, 0, 0, 0, np.nan, np.nan], probabilities)
    assert find_suspects(found) == find_suspects(predictions([1, 1, 1, 0, 0, 0], probabilities[:6]))
    assert suspects_table(find_suspects(found), found, {}, 50).endswith("2 suspicious labels on 8 passages: quote 2 (6 judged)")


def test_the_model_doubts_what_is_labelled_now_as_it_was_when_it_was_trained():
    scheme = load_labels()
    document = Document("\n".join(f"text {number}" for number in range(6)), "a.txt", "sv")
    table = predictions([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.1, 0.2, 0.3, 0.95])
    offsets = [(7 * number, 7 * number + 6) for number in range(6)]
    table = replace(table, documents=np.array([document.id] * 6), offsets=offsets)

    def doubts(rows, table=table):
        spans = tuple(Span(str(number), *offsets[number], "quote", "direct") for number in rows)
        own = Annotation(document.id, document.name, "ann", False, (), spans, offered=scheme.label_names)
        found = doubts_of_model(annotated_documents([document], [own], scheme), scheme, table, "baseline 1234abcd")
        return [(one.text, one.given, pytest.approx(one.strength), one.reasons) for one in found]

    says = "baseline 1234abcd, trained without the article, gives it a probability of"
    assert doubts([0, 1, 2]) == [("text 5", False, 0.95, {"model": f"{says} 0.95"}), ("text 2", True, 0.9, {"model": f"{says} 0.10"})]
    assert doubts([0, 1]) == [("text 5", False, 0.95, {"model": f"{says} 0.95"})]  # the other one was corrected since
    assert doubts([0, 1, 2], replace(table, documents=np.array(["another"] * 6))) == []
    assert doubts([0, 1, 2], replace(table, offsets=[(start, end + 1) for start, end in offsets])) == []  # split otherwise now
    assert doubts([0, 1, 2], replace(table, labels=("former",))) == []
