"""``predict --spans``: rows of spans, with offsets in the article, in every form of output."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.documents import make_document
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestion_files import read_suggestions
from newsmark.annotation.suggestions import SuggestedSpan
from newsmark.models import cli
from newsmark.models.calibration import Calibration
from newsmark.models.model import TrainedModel
from newsmark.models.spans import SpanFinder
from newsmark.models.store import FoundModel
from pyarrow import parquet

ARTICLE = "Hon lovar mer.\n\nSju av tio och 14 procent kom. Solen sken.\n"
FOUND = [("Hon lovar mer", "commitment"), ("Sju av tio", "statistic"), ("14 procent", "statistic")]


class Words(SpanFinder):
    """Finds fixed words, or else the whole passage."""

    def find(self, context, scores, *_):
        return [
            SuggestedSpan(context.text.index(words), context.text.index(words) + len(words), label, scores[label])
            for words, label in FOUND
            if label in scores and words in context.text
        ] or super().find(context, scores)


class Sure(TrainedModel):
    """Gives a passage the labels of what stands in it, with a score that asks for review where a name is in it."""

    def scores(self, contexts):
        return np.array([[0.9 * ("lovar" in one.text), 0.75 * ("kom" in one.text), 0.95 * ("«" in one.text)] for one in contexts])


@pytest.fixture
def predict(monkeypatch, tmp_path, capsys):
    """Run ``predict --spans`` on files of these contents; answers the lines that it printed, as rows."""
    one = Sure(
        "baseline", ("commitment", "statistic", "quote"), frozenset(), (Calibration(),) * 3, None, (), "fake-1", Words({"quote": ("direct", "indirect")})
    )
    monkeypatch.setattr("newsmark.models.store.find_model", lambda _: FoundModel(Path(), "made for this test"))
    monkeypatch.setattr("newsmark.models.saved.load_model", lambda _: one)

    def run(content, *options, name="a.txt", code=0):
        (tmp_path / name).write_text(content, encoding="utf-8")
        assert cli.main([str(tmp_path / name), "--spans", *options]) == code
        return capsys.readouterr().out.splitlines()

    return run


def test_the_spans_of_an_article_have_its_offsets_and_nothing_comes_of_a_passage_without_any(predict):
    rows = [json.loads(line) for line in predict(ARTICLE)]
    assert [(row["text"], row["label"]) for row in rows] == [(ARTICLE[row["start"] : row["end"]], row["label"]) for row in rows] == FOUND
    assert list(rows[0]) == ["document", "name", "start", "end", "text", "label", "kind", "score", "model_version"]
    assert (rows[0]["document"], rows[0]["kind"], rows[0]["score"], rows[0]["model_version"]) == (make_document(ARTICLE, "", "sv").id, None, 0.9, "fake-1")


def test_a_row_keeps_its_own_fields_as_they_are_written_and_its_text_under_another_name(predict):
    [line] = predict('{"x": 1E2, "text": "Nu: Hon lovar mer.", "start": 7, "label": "old", "labels": [1]}\n', name="a.jsonl")
    assert line.startswith('{"x": 1E2, "input_text": "Nu: Hon lovar mer.", "input_start": 7, "input_label": "old", "input_labels": [1], "start": 4, ')
    assert json.loads(line)["text"] == "Hon lovar mer"


def test_an_article_of_a_file_of_rows_keeps_its_fields(predict):
    row = {"text": ARTICLE, "name": "own", "url": "u", "end": 7, "score": 3}
    first, *_ = [json.loads(line) for line in predict(json.dumps(row) + "\n", name="a.jsonl")]
    assert (first["name"], first["url"], first["input_end"], first["input_score"], first["text"]) == ("own", "u", 7, 3, "Hon lovar mer")
    assert "input_text" not in first


def test_a_kind_is_given_where_the_model_knows_some(predict):
    [one, two] = [json.loads(line) for line in predict("Han sade: «Det här blir ett mycket långt år.»\n\nHan «trodde» på det.\n")]
    assert [(row["label"], row["kind"]) for row in (one, two)] == [("quote", "direct"), ("quote", "indirect")]


def test_for_reading_a_line_is_a_span(predict):
    assert [line.split() for line in predict(ARTICLE, "--format", "table")] == [
        ["commitment", "0.90", "Hon", "lovar", "mer"],
        ["statistic", "0.75", "Sju", "av", "tio"],
        ["statistic", "0.75", "14", "procent"],
    ]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_every_kind_of_file_holds_the_spans_that_are_printed(predict, tmp_path, ending):
    printed = [json.loads(line) for line in predict(ARTICLE)]
    output = tmp_path / f"out.{ending}"
    assert json.loads("".join(predict(ARTICLE, "--output", str(output), "--json")))["rows"] == 3
    if ending == "jsonl":
        rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    elif ending == "csv":
        with output.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        printed = [{name: "" if value is None else str(value) for name, value in row.items()} for row in printed]
    else:
        table = parquet.read_table(output)
        assert {str(table.schema.field(name).type) for name in ("label", "kind")} == {"string"}
        rows = table.to_pylist()
    assert rows == printed
    assert not list(tmp_path.glob("*.part*"))


def test_only_spans_of_passages_that_need_review(predict, tmp_path):
    assert [json.loads(line)["label"] for line in predict(ARTICLE, "--review")] == ["statistic"] * 2
    answer = json.loads("".join(predict(ARTICLE, "--review", "--output", str(tmp_path / "out.jsonl"), "--json")))
    assert (answer["rows"], answer["skipped"]) == (2, 2)  # two spans; two passages need no review


def test_an_interrupted_run_goes_on_with_spans_and_not_without(predict, tmp_path):
    output, rows = tmp_path / "out.jsonl", "".join(json.dumps({"text": f"{number}: Hon lovar mer."}) + "\n" for number in range(5))
    predict(rows, "--output", str(output), name="a.jsonl")
    whole = output.read_text(encoding="utf-8")
    added = {"labels": ["commitment"], "scores": {"commitment": 0.9}, "review": False, "truncated": False, "model_version": "fake-1", "spans": []}
    Path(f"{output}.part").write_text("".join(json.dumps({"input_text": f"{number}: Hon lovar mer.", **added}) + "\n" for number in range(3)), "utf-8")
    Path(f"{output}.part.json").write_text(json.dumps({"model": "fake-1", "threshold": None, "format": 2, "spans": True}), encoding="utf-8")
    assert cli.main([str(tmp_path / "a.jsonl"), "--output", str(output), "--resume"]) == 1  # rows of passages are others
    predict(rows, "--output", str(output), "--resume", name="a.jsonl")
    assert [json.loads(line)["input_text"][0] for line in output.read_text(encoding="utf-8").splitlines()] == [
        "2",
        "3",
        "4",
    ]  # the first two were left without spans
    assert whole.endswith(output.read_text(encoding="utf-8"))


def test_a_page_shows_the_spans_in_colour_and_in_its_table(predict, tmp_path):
    predict(ARTICLE, "--report", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<mark class="l1 review">Sju av tio <sup class="label l1">statistic</sup></mark> och <mark class="l1 review">14 procent' in page
    assert page.count("<tr data-label") == 3
    assert '<bdi>Hon lovar mer</bdi></a></td><td class="number">0</td><td class="number">13</td>' in page


def test_whole_articles_have_no_rows_of_spans(predict):
    assert predict(ARTICLE, "--article", code=2) == []


def test_the_file_is_taken_for_suggestions_as_it_is(predict, tmp_path):
    predict(ARTICLE, "--output", str(tmp_path / "spans.jsonl"))
    document = make_document(ARTICLE, "a.txt", "sv")
    suggestion = read_suggestions(tmp_path / "spans.jsonl", [document], load_labels()).suggest(document)
    assert [(ARTICLE[span.start : span.end], span.label) for span in suggestion.spans] == FOUND
    assert list(suggestion.scores.values()) == [0.9, 0.75, 0.75]
