"""What ``predict`` hands to the model: rows with their neighbours, in chunks, and what it prints of the answer."""

import json

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models import cli
from newsmark.models.calibration import Calibration
from newsmark.models.context import PassageInContext
from newsmark.models.model import TrainedModel
from newsmark.models.prediction.rows import Output, count_rows
from newsmark.models.store import without_password
from pyarrow import parquet

CHUNK = 1024


class Remembering(TrainedModel):
    """A model that keeps which contexts it was asked for; a passage's score is the number that its text ends with."""

    def __init__(self):
        super().__init__("baseline", ("quote",), frozenset(), (Calibration(),), None)
        object.__setattr__(self, "asked", [])

    def scores(self, contexts):
        self.asked.append(list(contexts))
        return np.array([[float(one.text.split()[-1])] for one in contexts])


@pytest.fixture
def model(monkeypatch):
    one = Remembering()
    monkeypatch.setattr("newsmark.models.store.find_folder", lambda _: None)
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


MADE = {"model": "m", "threshold": None}
ADDED = {"labels": [], "scores": {"quote": 0.5}, "review": False}


def written(path, rows):
    output = Output(path, False, MADE)
    output.write({"text": "a", **ADDED, **row} for row in rows)
    output.finish(False)
    return parquet.read_table(path).to_pylist()


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([{}, {"id": 7}], [{"id": None}, {"id": 7}]),
        ([{"x": 1}] * 10_000 + [{"x": 1.5}], [{"x": 1.0}] * 10_000 + [{"x": 1.5}]),
        ([{"labels": []}] * 10_000 + [{"labels": ["quote"]}], [{"labels": []}] * 10_000 + [{"labels": ["quote"]}]),
        ([{"x": None}] * 10_000 + [{"x": {"y": 1}}], [{"x": None}] * 10_000 + [{"x": {"y": 1}}]),
        ([], []),
    ],
    ids=["a column of later rows", "whole numbers, then others", "labels in late rows only", "nothing, then something", "no rows"],
)
def test_a_parquet_file_holds_every_field_of_every_row(rows, columns, tmp_path):
    found = written(tmp_path / "out.parquet", rows)
    assert [{name: row[name] for name in column} for row, column in zip(found, columns, strict=True)] == columns
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize("values", [["s"] * 10_000 + [1], [1] * 10_000 + ["s"], [2**70], [{}]], ids=["string, number", "number, string", "large", "empty"])
def test_rows_that_parquet_can_not_hold_are_kept_as_jsonl(values, tmp_path):
    with pytest.raises(NewsmarkError, match=r"out.parquet: Parquet can't hold these rows \(.+\); they are kept: go on with --output .+out\.jsonl --resume"):
        written(tmp_path / "out.parquet", [{"x": value} for value in values])
    output = Output(tmp_path / "out.jsonl", True, MADE)
    assert output.done == len(values)
    output.finish(False)
    assert [json.loads(line)["x"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == values
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_rows_with_values_that_are_no_numbers_are_gone_on_with(tmp_path):
    row = {"text": "a", "x": float("nan"), "y": [1, {"z": None}]}
    first = Output(tmp_path / "out.jsonl", False, MADE)
    first.write([row | ADDED])
    second = Output(tmp_path / "out.jsonl", True, MADE)
    assert list(second.skip(iter([(row, PassageInContext("a")), (row, PassageInContext("b"))]))) == [(row, PassageInContext("b"))]
    third = Output(tmp_path / "out.jsonl", True, MADE)
    with pytest.raises(NewsmarkError, match="its 1 rows are not the first of this input"):
        third.skip(iter([({**row, "x": 1}, PassageInContext("a"))]))


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
