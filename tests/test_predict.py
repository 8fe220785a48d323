"""What ``predict`` hands to the model: rows with their neighbours, in chunks, and what it prints of the answer."""

import json

import numpy as np
import pytest

from models import cli
from models.classifier import Excerpt, Rule, TrainedModel

CHUNK = 1024


class Remembering(TrainedModel):
    """A model that keeps which excerpts it was asked for; a passage's score is the number that its text ends with."""

    def __init__(self):
        super().__init__("baseline", ("quote",), frozenset(), (Rule(),), None)
        object.__setattr__(self, "asked", [])

    def scores(self, excerpts):
        self.asked.append(list(excerpts))
        return np.array([[float(one.text.split()[-1])] for one in excerpts])


@pytest.fixture
def model(monkeypatch):
    one = Remembering()
    monkeypatch.setattr("models.store.find_folder", lambda _: None)
    monkeypatch.setattr("models.classifier.load_model", lambda _: one)
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
            Excerpt(texts[0], "", texts[1]),
            Excerpt(texts[1], texts[0], texts[2]),
            Excerpt(texts[2], texts[1], ""),
            Excerpt(texts[3], "", texts[4]),
            Excerpt(texts[4], texts[3], ""),
        ]
    ]


def test_a_page_is_a_document_too(model, predict):
    predict(rows_of("x", "x", field="page"))
    assert model.asked == [[Excerpt("0 0.5", "", "1 0.5"), Excerpt("1 0.5", "0 0.5", "")]]


@pytest.mark.parametrize("documents", [("", "", ""), ("x", "", "x"), ("x", "y", "x"), ("x",)])
def test_rows_of_no_document_or_of_different_ones_stand_alone(model, predict, documents):
    predict(rows_of(*documents))
    assert model.asked == [[Excerpt(f"{number} 0.5") for number in range(len(documents))]]


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_neighbours_are_read_across_chunks_and_no_row_is_lost(model, predict, count):
    answered = predict(rows_of(*["x"] * count))
    assert [row["text"] for row in answered] == [f"{number} 0.5" for number in range(count)]
    assert max(map(len, model.asked)) <= CHUNK
    texts = ["", *(f"{number} 0.5" for number in range(count)), ""]
    asked = [one for chunk in model.asked for one in chunk]
    assert asked == [Excerpt(text, before, after) for before, text, after in zip(texts, texts[1:], texts[2:], strict=False)]


def test_passages_of_an_article_are_neighbours_and_those_of_two_articles_are_not(model, tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("Rubrik 0.1\n\nAndra raden 0.2\n")
    assert cli.main([str(tmp_path)]) == 0
    assert model.asked == [[Excerpt("Rubrik 0.1", "", "Andra raden 0.2"), Excerpt("Andra raden 0.2", "Rubrik 0.1", "")] * 2]
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
