"""Passages with their neighbours: which passages stand beside which."""

import json

import pytest
from newsmark.annotation.labels import load_labels
from newsmark.models.context import PassageInContext, in_reading_order
from newsmark.training.labelled import load_labelled


def places(contexts):
    """Each passage with what stands before and after it."""
    return [(one.text, one.before, one.after) for one in contexts]


def test_neighbours_are_the_passages_before_and_after():
    assert places(in_reading_order(["a", "b", "c"])) == [("a", "", "b"), ("b", "a", "c"), ("c", "b", "")]


@pytest.mark.parametrize(("texts", "contexts"), [([], []), (["a"], [PassageInContext("a")])])
def test_little_has_no_neighbours(texts, contexts):
    assert in_reading_order(texts) == in_reading_order(texts, ["d"] * len(texts)) == contexts


@pytest.mark.parametrize(
    ("documents", "neighbours"),
    [
        pytest.param("xxxx", [("", "b"), ("a", "c"), ("b", "d"), ("c", "")], id="one document"),
        pytest.param("xxyy", [("", "b"), ("a", ""), ("", "d"), ("c", "")], id="two"),
        pytest.param("xyyz", [("", ""), ("", "c"), ("b", ""), ("", "")], id="one passage at both ends"),
        pytest.param("xyxy", [("", "")] * 4, id="the same document again is another place"),
    ],
)
def test_neighbours_are_of_one_document(documents, neighbours):
    assert [(one.before, one.after) for one in in_reading_order(list("abcd"), list(documents))] == neighbours


def test_equal_texts_are_neighbours_by_place():
    assert places(in_reading_order(["a", "a", "b"], ["x", "y", "y"])) == [("a", "", ""), ("a", "", "b"), ("b", "a", "")]


def load(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    judged = {"labels": [], "judged": ["quote"]}
    path.write_text("".join(json.dumps({"text": text, **judged, "document": document, "kind": kind}) + "\n" for text, document, kind in rows))
    return load_labelled(path, load_labels())


def test_hard_pairs_stand_alone(tmp_path):
    data = load(tmp_path, ("a", "d", "blog"), ("b", "d", "blog"), ("c", "d", "pairs"), ("d", "d", "pairs"), ("e", "d", "blog"), ("f", "d", "blog"))
    assert places(data.contexts) == [("a", "", "b"), ("b", "a", ""), ("c", "", ""), ("d", "", ""), ("e", "", "f"), ("f", "e", "")]


def test_passages_of_a_subset_know_only_its_passages(tmp_path):
    data = load(tmp_path, ("a", "1", "blog"), ("b", "1", "blog"), ("c", "2", "blog"), ("d", "2", "blog"))
    assert places(data.subset([0, 2, 3]).contexts) == [("a", "", ""), ("c", "", "d"), ("d", "c", "")]


def test_rows_without_a_document_stand_alone(tmp_path):
    assert load(tmp_path, ("a", "", "blog"), ("b", "", "blog")).contexts == [PassageInContext("a"), PassageInContext("b")]


def test_files_of_a_folder_are_read_by_name_and_are_no_neighbours(tmp_path):
    for name in ("b", "a"):
        rows = [{"text": f"{name}{number}", "labels": ["quote"], "document": name} for number in (1, 2)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "notes.txt").write_text("no passage")
    (tmp_path / "relabelled").mkdir()
    (tmp_path / "relabelled" / "a.jsonl").write_text('{"text": "again", "labels": []}\n')
    data = load_labelled(tmp_path, load_labels())
    assert places(data.contexts) == [("a1", "", "a2"), ("a2", "a1", ""), ("b1", "", "b2"), ("b2", "b1", "")]
