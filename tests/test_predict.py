"""What ``predict`` hands to the model: rows with their neighbours, in chunks, and what it prints of the answer."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.documents import make_document
from newsmark.models import cli
from newsmark.models.addresses import without_password
from newsmark.models.calibration import Calibration
from newsmark.models.context import PassageInContext
from newsmark.models.model import TrainedModel
from newsmark.models.prediction.rows import count_rows
from newsmark.models.store import FoundModel

CHUNK = 1024


class Remembering(TrainedModel):
    """A model that keeps which contexts it was asked for; a passage's score is the number that its text ends with."""

    def __init__(self):
        super().__init__("baseline", ("quote",), frozenset(), (Calibration(),), None, version="fake-1")
        self.asked, self.longest = [], None

    def scores(self, contexts):
        self.asked.append(list(contexts))
        return np.array([[float(one.text.split()[-1])] for one in contexts])

    def truncates(self, texts):
        return [self.longest is not None and len(text) > self.longest for text in texts]

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


@pytest.fixture
def model(monkeypatch):
    one = Remembering()
    monkeypatch.setattr("newsmark.models.store.find_model", lambda _: FoundModel(Path(), "made for this test"))
    monkeypatch.setattr("newsmark.models.saved.load_model", lambda _: one)
    return one


@pytest.fixture
def predict(tmp_path, capsys):
    """Run ``predict`` on rows; answers what it printed, as rows."""

    def run(rows, *options):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert cli.main([str(path), *options]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def rows_of(*documents, field="document"):
    return [{"text": f"{number} 0.5", **({field: name} if name else {})} for number, name in enumerate(documents)]


def test_rows_of_one_document_are_neighbours(model, predict):
    predict(rows_of("x", "x", "x", "y", "y"))
    texts = [f"{number} 0.5" for number in range(5)]
    assert model.asked == [
        [
            PassageInContext(texts[0], "", texts[1]),
            PassageInContext(texts[1], texts[0], texts[2]),
            PassageInContext(texts[2], texts[1], ""),
            PassageInContext(texts[3], "", texts[4]),
            PassageInContext(texts[4], texts[3], ""),
        ]
    ]


def test_a_page_is_a_document_too(model, predict):
    predict(rows_of("x", "x", field="page"))
    assert model.asked == [[PassageInContext("0 0.5", "", "1 0.5"), PassageInContext("1 0.5", "0 0.5", "")]]


@pytest.mark.parametrize("documents", [("", "", ""), ("x", "", "x"), ("x", "y", "x"), ("x",)])
def test_rows_of_no_document_or_of_different_ones_stand_alone(model, predict, documents):
    predict(rows_of(*documents))
    assert model.asked == [[PassageInContext(f"{number} 0.5") for number in range(len(documents))]]


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_neighbours_are_read_across_chunks_and_no_row_is_lost(model, predict, count):
    answered = predict(rows_of(*["x"] * count))
    assert [row["text"] for row in answered] == [f"{number} 0.5" for number in range(count)]
    assert max(map(len, model.asked)) <= CHUNK
    texts = ["", *(f"{number} 0.5" for number in range(count)), ""]
    asked = [one for chunk in model.asked for one in chunk]
    assert asked == [PassageInContext(text, before, after) for before, text, after in zip(texts, texts[1:], texts[2:], strict=False)]


def test_passages_of_an_article_are_neighbours_and_those_of_two_articles_are_not(model, tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("Rubrik 0.1\n\nAndra raden 0.2\n")
    assert cli.main([str(tmp_path)]) == 0
    assert model.asked == [[PassageInContext("Rubrik 0.1", "", "Andra raden 0.2"), PassageInContext("Andra raden 0.2", "Rubrik 0.1", "")] * 2]
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.usefixtures("model")
def test_review_prints_only_what_is_likely_enough_wrong(predict):
    rows = [{"text": f"{number} {score}", "document": "x"} for number, score in enumerate([0.05, 0.3, 0.95, 0.79, 0.19])] * 200
    whole, picked = predict(rows), predict(rows, "--review")
    assert [row["review"] for row in whole[:5]] == [False, True, False, True, False]
    assert picked == [row for row in whole if row["review"]]
    assert len(picked) == 400


@pytest.mark.usefixtures("model")
def test_review_may_find_nothing(predict):
    assert predict([{"text": "a 0.01"}], "--review") == []


def test_a_row_that_is_wrong_is_told_before_a_later_one_is_classified(model, tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a 0.5"}\n{"text": 5}\n')
    assert cli.main([str(path)]) == 1
    assert not model.asked
    assert "line 2: 'text' is int" in capsys.readouterr().err


def rows_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("model")
def test_the_model_is_named_once_and_in_every_row(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a 0.5"}\n{"text": "b 0.5"}\n')
    assert cli.main([str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == "model: fake-1, made for this test\n"
    assert [json.loads(line)["model_version"] for line in out.splitlines()] == ["fake-1", "fake-1"]


@pytest.mark.usefixtures("model")
def test_the_values_of_a_row_come_back_as_they_are_written(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    line = '{"id":123456789012345678901234567890, "x": -0, "y": 1E2,"z":1.10, "text": "a 0.5", "e":"\\u00e9", "n": {"a" : [ ]}'
    path.write_text(f"  {line} }}  \r\n")
    assert cli.main([str(path)]) == 0
    assert capsys.readouterr().out.startswith(f'{line}, "labels": ["quote"], "scores": {{')


@pytest.mark.usefixtures("model")
def test_a_field_that_is_called_like_a_new_one_is_kept_under_another_name(predict):
    (row,) = predict([{"labels": ["old"], "scores": 1, "text": "a 0.9", "input_labels": 2, "review": None, "model_version": "x", "truncated": "no"}])
    assert row == {
        "input_input_labels": ["old"],
        "input_scores": 1,
        "text": "a 0.9",
        "input_labels": 2,
        "input_review": None,
        "input_model_version": "x",
        "input_truncated": "no",
        "labels": ["quote"],
        "scores": {"quote": 0.9},
        "review": False,
        "truncated": False,
        "model_version": "fake-1",
    }


def test_a_row_that_is_an_article_is_split(model, predict):
    text = "Rubrik 0.1\n\nAndra raden 0.2\n"
    rows = predict([{"text": text, "url": "u", "end": 7}, {"text": text, "name": "own"}])
    assert [text[row["start"] : row["end"]] for row in rows] == [row["text"] for row in rows] == ["Rubrik 0.1", "Andra raden 0.2"] * 2
    assert {row["document"] for row in rows} == {make_document(text, "", "sv").id}
    assert [row["name"].rpartition("/")[2] for row in rows] == ["rows.jsonl, line 1"] * 2 + ["own"] * 2
    assert [(row["url"], row["input_end"]) for row in rows[:2]] == [("u", 7)] * 2
    assert model.asked == [[PassageInContext("Rubrik 0.1", "", "Andra raden 0.2"), PassageInContext("Andra raden 0.2", "Rubrik 0.1", "")] * 2]


def test_a_row_may_name_the_passages_beside_it(model, predict):
    predict([{"text": "a 0.5", "before": "x 0.1", "after": "y 0.2"}, {"text": "b 0.5", "before": None}])
    assert model.asked == [[PassageInContext("a 0.5", "x 0.1", "y 0.2"), PassageInContext("b 0.5")]]


def test_pages_of_two_files_are_no_neighbours(model, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "a 0.5", "page": 3}\n')
    assert cli.main([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]) == 0
    assert model.asked == [[PassageInContext("a 0.5")] * 2]


@pytest.mark.usefixtures("model")
def test_a_value_that_is_not_json_is_refused(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a 0.5", "x": NaN}\n')
    assert cli.main([str(path)]) == 1
    assert "line 1: broken JSON (NaN is no JSON value; write null)" in capsys.readouterr().err


@pytest.mark.usefixtures("model")
def test_a_file_name_that_is_not_utf_8_is_written_as_far_as_it_can_be(tmp_path, capsys):
    name = os.fsdecode(b"caf\xe9 0.txt")
    (tmp_path / name).write_text("Solen sken 0.5")
    assert cli.main([str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == f"{tmp_path}/caf\\xe9 0.txt"


def test_passages_that_are_cut_off_are_marked_and_counted(model, tmp_path, capsys):
    model.longest = 10
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "short 0.5"}\n{"text": "a longer one 0.5"}\n')
    assert cli.main([str(path)]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["truncated"] for line in out.splitlines()] == [False, True]
    assert err.splitlines()[-1] == "1 passages are longer than what the model reads of them; their rows say so in 'truncated'"


@pytest.mark.usefixtures("model")
def test_the_answer_for_scripts(tmp_path, capsys):
    path, output = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    path.write_text('{"text": "a 0.5"}\n{"text": "b 0.01"}\n')
    assert cli.main([str(path), "--output", str(output), "--review", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": str(output),
        "rows": 1,
        "skipped": 1,
        "resumed": 0,
        "truncated": 0,
        "model_version": "fake-1",
    }
    assert len(rows_in(output)) == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--resume"], "--resume continues an --output: name it"),
        (["--json"], "--json says what an --output holds: name it"),
        (["--wait", "5"], "--wait is for the server that --url names: name it"),
        (["--output", "x.ods"], "--output x.ods: name a .jsonl, .parquet, .csv or .xlsx file"),
        (["--output", "x.jsonl", "--format", "table"], "leave out one of the two"),
        (["--output", "configs"], "--output configs: this is a folder; name a file in it"),
    ],
)
def test_wrong_use_is_reported_before_any_work(model, options, reason, capsys):
    assert cli.main(["seeds", *options]) == 2
    assert reason in capsys.readouterr().err
    assert not model.asked
    assert not Path("x.jsonl.part").exists()


def test_serve_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert re.search(r"commands:\n +serve +start a server", capsys.readouterr().out)
    assert [parser.prog for parser in cli.parsers().values()] == list(cli.parsers()) == ["predict", "predict serve"]


def test_rows_are_counted_where_they_can_be(tmp_path):
    whole, cut, broken = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl", tmp_path / "broken.parquet"
    whole.write_text("{}\n{}\n")
    cut.write_text("{}\n{}\n{}")
    broken.write_text("no parquet")
    (tmp_path / "empty.jsonl").touch()
    assert count_rows([str(whole), str(cut), str(tmp_path / "empty.jsonl")]) == 5
    assert count_rows([str(whole), str(broken)]) is count_rows([str(whole), str(tmp_path / "absent.parquet")]) is count_rows(["-"]) is None


@pytest.mark.usefixtures("model")
def test_a_path_that_is_not_there_is_told_before_any_row_is_read(tmp_path, capsys):
    (tmp_path / "rows.jsonl").write_text('{"text": "0 0.5"}\n')
    assert cli.main([str(tmp_path / "rows.jsonl"), str(tmp_path / "absent.parquet")]) == 2
    assert capsys.readouterr() == ("", f"predict: error: {tmp_path}/absent.parquet: no such file or folder\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the store postgresql://me:s3cret@host/db is away", "the store postgresql://host/db is away"),
        ("postgresql://me:a/b@c@host/db", "postgresql://host/db"),
        ("postgresql://host/db?user=me&password=s3cret&a=b", "postgresql://host/db?user=me&password=…&a=b"),
        ("http://host:5000/a, http://host/b", "http://host:5000/a, http://host/b"),
    ],
)
def test_passwords_are_not_shown(text, shown):
    assert without_password(text) == shown


@pytest.mark.usefixtures("model")
def test_what_can_not_be_used_is_skipped_where_that_is_asked_for(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"text": "Ett 0.1"}\n{"text": ""}\n{"text": "Två 0.1"}\n', encoding="utf-8")
    output = tmp_path / "out.csv"
    assert cli.main([str(tmp_path / "a.jsonl"), "--on-error", "skip", "--output", str(output)]) == 3
    assert f"predict: error: skipped (rows or files): 1; {output}.skipped.jsonl says which and why" in capsys.readouterr().err
    assert [line.partition(",")[0] for line in output.read_text(encoding="utf-8-sig").splitlines()] == ["text", "Ett 0.1", "Två 0.1"]


@pytest.mark.usefixtures("model")
def test_what_a_page_says_about_itself_comes_back_with_its_passages(tmp_path, capsys):
    page = '<title>Rubrik</title><link rel="canonical" href="https://example.org/a"><meta name="author" content="Eva Ek"><p>Hon kom 0.1</p><p>Han gick 0.1</p>'
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    assert cli.main([str(tmp_path)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["text"], row["title"], row["url"], row["author"]) for row in rows] == [
        (text, "Rubrik", "https://example.org/a", "Eva Ek") for text in ("Hon kom 0.1", "Han gick 0.1")
    ]
