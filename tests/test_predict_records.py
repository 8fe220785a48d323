"""``predict --records``: commitments as rows, in files that appear whole and that no spreadsheet program computes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.documents import make_document
from newsmark.models import cli
from newsmark.models.calibration import Calibration
from newsmark.models.model import TrainedModel
from newsmark.models.spans import SpanFinder
from newsmark.models.store import FoundModel

ARTICLE = "Solen sken.\n\nKommunen lovar att bygga 40 skolor före 2030.\n\n”Vi ska stänga bron”, säger Anna Ek. Han lovar inget.\n"
FIELDS = ["case", "who", "what", "when", "when_iso", "quantity", "voice"]
PLACE = ["document", "name", "date", "lang", "start", "end", "score", "review", "text", "model_version"]


class Sure(TrainedModel):
    """Labels a passage by the words in it."""

    def scores(self, contexts):
        return np.array([[0.9 * ("lovar att" in one.text or "ska" in one.text), 0.95 * ("”" in one.text)] for one in contexts])


@pytest.fixture
def predict(monkeypatch, tmp_path, capsys):
    """Run ``predict --records`` on a file of this content; answers what it printed on standard error."""
    kinds = SpanFinder({"quote": ("direct", "indirect")})
    labels = ("commitment", "quote")

    def run(content, ending=".jsonl", *options, name="a.txt", code=0, labels=labels):
        one = Sure("baseline", labels, frozenset(), (Calibration(),) * 2, None, (), "fake-1", kinds)
        monkeypatch.setattr("newsmark.models.store.find_model", lambda _: FoundModel(Path(), "made for this test"))
        monkeypatch.setattr("newsmark.models.saved.load_model", lambda _: one)
        (tmp_path / name).write_text(content, encoding="utf-8")
        assert cli.main([str(tmp_path / name), "--records", str(tmp_path / f"records{ending}"), *options]) == code
        return capsys.readouterr().err

    return run


def rows_of(tmp_path):
    return [json.loads(line) for line in (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()]


def test_each_commitment_of_an_article_is_a_record(predict, tmp_path):
    predict(ARTICLE)
    first, second = rows_of(tmp_path)
    assert list(first) == FIELDS + PLACE
    assert [first[name] for name in FIELDS] == [1, "Kommunen", "bygga 40 skolor före 2030", "före 2030", "2030", ["40 skolor"], "reported"]
    assert [second[name] for name in FIELDS] == [2, "Vi", "stänga bron", None, None, [], "direct"]
    assert first["document"] == make_document(ARTICLE, "", "sv").id
    assert ARTICLE[first["start"] : first["end"]] == first["text"] == "Kommunen lovar att bygga 40 skolor före 2030."
    assert (first["lang"], first["date"], first["score"], first["model_version"]) == ("sv", None, 0.9, "fake-1")


def test_dates_are_resolved_against_the_article_s(predict, tmp_path):
    row = {"text": "Kommunen lovar att bygga en bro nästa år.", "name": "own", "date": "2026-03-16T08:00:00Z", "lang": "sv"}
    predict(json.dumps(row) + "\n" + json.dumps({**row, "date": "i tisdags"}) + "\n", name="a.jsonl")
    first, second = rows_of(tmp_path)
    assert (first["date"], first["when"], first["when_iso"]) == ("2026-03-16", "nästa år", "2027")
    assert (second["date"], second["when"], second["when_iso"]) == ("i tisdags", "nästa år", None)


def test_the_same_in_two_articles_is_one_case_in_order_of_date(predict, tmp_path):
    row = {"text": "Solen sken.\nKommunen lovar att bygga 40 skolor i Gävle.", "name": "late", "date": "2026-03-16", "lang": "sv"}
    other = {**row, "text": "Kommunen lovar att bygga 40 skolor i Gävle!", "name": "early", "date": "2026-03-01"}
    third = {**row, "text": "Kommunen lovar att stänga badet.", "name": "third"}
    predict("".join(json.dumps(one) + "\n" for one in (row, third, other)), name="a.jsonl")
    assert [(one["case"], one["name"]) for one in rows_of(tmp_path)] == [(1, "early"), (1, "late"), (2, "third")]


def test_a_table_holds_no_formula(predict, tmp_path):
    row = {"text": "=1+1 ska +2 i pris.", "name": "@SUM(A1)", "lang": "xx", "date": "-1"}
    predict(json.dumps(row) + "\n", ".csv", name="a.jsonl")
    with (tmp_path / "records.csv").open(encoding="utf-8-sig", newline="") as stream:
        [found] = csv.DictReader(stream)
    assert {found[name][:2] for name in ("what", "name", "text")} == {"'=", "'@"}
    assert found["date"] == "'-1"
    assert found["score"] == "0.9"
    assert not list(tmp_path.glob("*.tmp"))


def test_no_commitment_is_an_empty_file(predict, tmp_path):
    predict("Solen sken.\n")
    assert (tmp_path / "records.jsonl").read_text() == ""
    predict("Solen sken.\n", ".csv")
    assert (tmp_path / "records.csv").read_text(encoding="utf-8-sig").strip() == ""


def test_what_can_be_no_records_is_refused_before_any_work(predict, tmp_path):
    assert "records.txt: name a .jsonl or .csv file" in predict(ARTICLE, ".txt", code=2)
    for options, named in (
        (("--spans",), "--spans"),
        (("--review",), "--review"),
        (("--format", "table"), "--format table"),
        (("--article",), "--article"),
        (("--output", "x.jsonl"), "--output"),
        (("--report", "x.html"), "--report"),
    ):
        assert f"--records writes commitments in place of rows: leave out {named}" in predict(ARTICLE, ".jsonl", *options, code=2)
    assert "--records is for passages" in predict(ARTICLE, ".jsonl", "--topics", code=2)
    assert "records are made of what is labelled 'commitment', and this model has no such label" in predict(ARTICLE, code=1, labels=("claim", "quote"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
