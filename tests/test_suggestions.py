"""Suggestions: simple rules, a model's labels, and a file of what ``predict`` wrote."""

import json

import pytest
from newsmark.annotation.documents import Document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio.writing import prediction_row
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestion_files import read_suggestions
from newsmark.annotation.suggestions import RuleSuggester, SureSuggester

SCHEME = load_labels()
DOCUMENT = Document("De lovar mer.\nPriset steg.", "a.txt", "sv")
ROW = {
    "document": DOCUMENT.id, "name": "a.txt", "start": 0, "end": 13, "text": "De lovar mer.", "labels": ["commitment"], "scores": {"commitment": 0.8},
    "model_version": "baseline-1",
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def run(*rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return read_suggestions(path, [DOCUMENT], SCHEME)

    return run


def test_the_rows_of_a_document_become_spans_and_other_documents_are_named(read):
    suggester = read(ROW, {**ROW, "start": 14, "end": 26, "text": "Priset steg.", "labels": []}, {**ROW, "document": "f" * 64, "name": "b.txt"})
    suggestion = suggester.suggest(DOCUMENT)
    assert [(DOCUMENT.text[span.start : span.end], span.label, suggestion.scores[span.id]) for span in suggestion.spans] == [
        ("De lovar mer.", "commitment", 0.8)
    ]
    assert (suggester.version, suggestion.version, suggester.others) == ("baseline-1", "baseline-1", ("b.txt",))
    assert suggester.suggest(Document("Nytt.", "c.txt", "sv")).spans == ()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"document": None}, "no 'document' or no 'model_version'"),
        ({"model_version": None}, "no 'document' or no 'model_version'"),
        ({"end": 100}, "0–100 are no offsets in a.txt, which has 26 characters"),
        ({"start": None}, "None–13 are no offsets"),
        ({"start": 13}, "13–13 are no offsets"),
        ({"text": "De lovar nu."}, "'text' is not what a.txt has at 0–13"),
        ({"labels": None}, "no list 'labels'"),
        ({"scores": None}, "no list 'labels' or no object 'scores'"),
        ({"labels": ["comitment"]}, "unknown label 'comitment'; did you mean 'commitment'?"),
        ({"labels": ["quote"]}, "the score of 'quote' is None; it must be a number from 0 to 1"),
        ({"scores": {"commitment": 1.5}}, "the score of 'commitment' is 1.5"),
        ({"scores": {"commitment": True}}, "the score of 'commitment' is True"),
    ],
)
def test_a_row_that_is_not_of_the_text_or_not_of_predict_is_one_line(read, tmp_path, changed, problem):
    with pytest.raises(NewsmarkError) as error:
        read(ROW, ROW | changed)
    assert str(error.value).startswith(f"{tmp_path / 'rows.jsonl'}, line 2: {problem}")


SPAN = {"document": DOCUMENT.id, "start": 3, "end": 12, "text": "lovar mer", "label": "quote", "kind": "indirect", "score": 0.7, "model_version": "baseline-1"}


def test_rows_of_spans_are_suggested_as_they_are_and_a_kind_that_is_not_said_follows_from_a_rule(read):
    suggestion = read(SPAN, {**SPAN, "kind": "direct"}, {**SPAN, "kind": None}, {**SPAN, "label": "commitment", "kind": None}).suggest(DOCUMENT)
    assert [(span.start, span.end, span.label, span.kind) for span in suggestion.spans] == [
        (3, 12, "quote", "indirect"), (3, 12, "quote", "direct"), (3, 12, "quote", "indirect"), (3, 12, "commitment", None),
    ]  # fmt: skip
    assert set(suggestion.scores.values()) == {0.7}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"end": 100}, "3–100 are no offsets in a.txt"),
        ({"text": "lovar"}, "'text' is not what a.txt has at 3–12"),
        ({"label": "qoute"}, "unknown label 'qoute'; did you mean 'quote'?"),
        ({"label": ["quote"]}, "unknown label ['quote']"),
        ({"kind": "mixed"}, "unknown kind of quote 'mixed'"),
        ({"label": "commitment"}, "unknown kind of commitment 'indirect'"),
        ({"score": None}, "the score of 'quote' is None"),
    ],
)
def test_a_row_of_a_span_that_is_wrong_is_one_line(read, tmp_path, changed, problem):
    with pytest.raises(NewsmarkError) as error:
        read(SPAN, SPAN | changed)
    assert str(error.value).startswith(f"{tmp_path / 'rows.jsonl'}, line 2: {problem}")


def test_what_has_a_low_score_is_left_out_under_a_version_of_its_own(read):
    sure = SureSuggester(read({**ROW, "labels": ["commitment", "statistic"], "scores": {"commitment": 0.8, "statistic": 0.5}}), 0.6)
    made = sure.suggest(DOCUMENT)
    assert [span.label for span in made.spans] == ["commitment"]
    assert made.version == sure.version == "baseline-1 from 0.6"
    row = prediction_row(DOCUMENT, made)
    assert (row["score"], [one["score"] for one in row["result"]]) == (0.8, [0.8])


def test_rows_of_two_models_and_no_rows_are_refused(read):
    with pytest.raises(NewsmarkError, match=r"rows of baseline-1 and baseline-2; give the rows of one model$"):
        read(ROW, {**ROW, "model_version": "baseline-2"})
    with pytest.raises(NewsmarkError, match="rows of no model; give the rows of one model"):
        read()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Nästan 12 500,5 miljoner euro, 3,5 % och 1.2345 people.", ["Nästan 12 500,5 miljoner", "3,5 %", "1.2345 people"]),
        ("Hon sade «det här är ett mycket långt citat» i går.", ["Hon sade «det här är ett mycket långt citat» i går."]),
        ("Hon sade «nej» och ”det här är ett mycket långt citat” i går.", ["Hon sade «nej» och ”det här är ett mycket långt citat” i går."]),
        ("Hon sade «nej» i går.", []),
        ("1" * 300_000, []),  # passages of 10,000 digits: each is looked at once
        ("100 " * 100_000, []),
        ("«“" * 200_000, []),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_rules_find_quantities_and_long_quotations_in_lines_of_any_length(text, found):
    suggestion = RuleSuggester(SCHEME).suggest(Document(text, "a.txt", "sv"))
    assert [text[span.start : span.end] for span in suggestion.spans] == found
