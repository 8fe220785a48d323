"""Parquet in and out: the input's own columns come back untouched, with the new ones after them."""

import datetime
import decimal
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from newsmark.models import cli
from newsmark.models.calibration import Calibration
from newsmark.models.model import TrainedModel
from newsmark.models.store import FoundModel
from pyarrow import parquet

NEW = ["labels", "scores", "review", "truncated", "model_version"]
COUNT = 3
DAY = datetime.date(2026, 11, 28)
COLUMNS = {
    "day": pa.array([DAY, None, DAY], pa.date32()),
    "time": pa.array([datetime.time(1, 2, 3, 4), None, None], pa.time64("us")),
    "timestamp": pa.array([1, None, 1_700_000_000_123_456_789], pa.timestamp("ns", "Europe/Stockholm")),
    "duration": pa.array([1, None, 2], pa.duration("ns")),
    "decimal": pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("-2.00")], pa.decimal128(20, 2)),
    "binary": pa.array([b"\x00\xff", None, b""], pa.binary()),
    "int8": pa.array([-1, None, 1], pa.int8()),
    "uint8": pa.array([255, None, 1], pa.uint8()),
    "uint64": pa.array([2**64 - 1, None, 1], pa.uint64()),
    "float32": pa.array([0.1, None, float("nan")], pa.float32()),
    "dictionary": pa.array(["a", None, "b"], pa.dictionary(pa.int8(), pa.string())),
    "large_string": pa.array(["a", None, "b"], pa.large_string()),
    "large_list": pa.array([[1], None, []], pa.large_list(pa.int16())),
    "empty_list": pa.array([[], None, []], pa.list_(pa.int32())),
    "empty_struct": pa.array([None, None, None], pa.struct([("x", pa.int32())])),
    "struct": pa.array([{"x": 1, "y": ["a"]}, None, {"x": None, "y": None}], pa.struct([("x", pa.int32()), ("y", pa.list_(pa.string()))])),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32())),
    "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "null": pa.array([None] * COUNT, pa.null()),
    "boolean": pa.array([True, None, False]),
}


class Numbers(TrainedModel):
    """A model whose score of a passage is the number that its text ends with."""

    def __init__(self):
        super().__init__("baseline", ("quote", "statistic"), frozenset(), (Calibration(),) * 2, None, version="fake-1")

    def scores(self, contexts):
        return np.array([[float(one.text.split()[-1]), 0.25] for one in contexts])


@pytest.fixture(autouse=True)
def model(monkeypatch):
    one = Numbers()
    monkeypatch.setattr("newsmark.models.store.find_model", lambda _: FoundModel(Path(), "made for this test"))
    monkeypatch.setattr("newsmark.models.saved.load_model", lambda _: one)


@pytest.fixture
def label(tmp_path):
    """Label tables, each in a file, and read the output."""

    def run(*tables, options=(), code=0):
        paths = []
        for number, table in enumerate(tables):
            paths.append(str(tmp_path / f"in{number}.parquet"))
            parquet.write_table(table, paths[-1], row_group_size=2)
        output = tmp_path / "out.parquet"
        assert cli.main([*paths, "--output", str(output), *options]) == code
        return parquet.ParquetFile(output).read() if output.exists() else None

    return run


def texts(*values, kind=None):
    return pa.array(values, kind or pa.string())


def test_every_type_comes_back_as_it_went_in(label, tmp_path):
    found = label(pa.table({"text": texts("a 0.1", "b 0.6", "c 0.9"), **COLUMNS}).replace_schema_metadata({"own": "metadata", "é": "ü"}))
    table = parquet.ParquetFile(tmp_path / "in0.parquet").read()
    assert [table.schema.field(name).type.id for name in COLUMNS] == [column.type.id for column in COLUMNS.values()]
    assert found.schema.names == [*table.schema.names, *NEW]
    for name in table.schema.names:
        assert found.schema.field(name).equals(table.schema.field(name), check_metadata=True), name
        if name == "float32":  # NaN is not equal to itself
            assert found.column(name).to_numpy().tobytes() == table.column(name).to_numpy().tobytes()
        else:
            assert found.column(name).combine_chunks().equals(table.column(name).combine_chunks()), name
    assert found.schema.metadata == table.schema.metadata
    assert found.column("labels").to_pylist() == [[], ["quote"], ["quote"]]
    assert found.column("scores").to_pylist() == [{"quote": score, "statistic": 0.25} for score in (0.1, 0.6, 0.9)]
    assert set(found.column("model_version").to_pylist()) == {"fake-1"}


def test_columns_of_one_name_all_come_back(label):
    table = pa.Table.from_arrays([texts("a 0.1", "b 0.6"), pa.array([1, 2]), pa.array(["x", "y"])], names=["text", "twice", "twice"])
    found = label(table)
    assert found.schema.names == ["text", "twice", "twice", *NEW]
    assert found.column(1).to_pylist() == [1, 2]
    assert found.column(2).to_pylist() == ["x", "y"]


def test_a_column_that_is_called_like_a_new_one_comes_back_under_another_name(label):
    found = label(pa.table({"text": texts("a 0.9"), "labels": pa.array([["old"]]), "scores": pa.array([1]), "input_scores": pa.array([2])}))
    assert found.schema.names == ["text", "input_labels", "input_input_scores", "input_scores", *NEW]
    assert found.select(range(4)).to_pylist() == [{"text": "a 0.9", "input_labels": ["old"], "input_input_scores": 1, "input_scores": 2}]
    assert found.column("labels").to_pylist() == [["quote"]]


def test_the_rows_of_many_batches_keep_their_order(label):
    count = 25_000
    found = label(pa.table({"text": texts(*(f"x {number / count}" for number in range(count))), "own": pa.array(range(count), pa.uint32())}))
    assert found.column("own").to_pylist() == list(range(count))
    assert found.column("scores").combine_chunks().field("quote").to_pylist() == [round(number / count, 6) for number in range(count)]


def test_an_article_gives_a_row_per_passage_with_its_own_columns(label):
    text = "Rubrik 0.9\n\nAndra raden 0.2"
    table = pa.table(
        {
            "text": texts(text, "En sats 0.6", "Ensam 0.3\nrad 0.1", kind=pa.large_string()),
            "document": texts(None, "own", None),
            "url": texts("u", None, None),
            "day": pa.array([DAY, DAY, None], pa.date32()),
            "end": texts("x", None, None),
        }
    )
    found = label(table)
    assert found.schema.names == ["text", "document", "url", "day", "input_end", "name", "start", "end", *NEW]
    assert found.schema.field("text").type == pa.large_string()
    rows = found.to_pylist()
    assert [row["text"] for row in rows] == ["Rubrik 0.9", "Andra raden 0.2", "En sats 0.6", "Ensam 0.3", "rad 0.1"]
    assert [row["start"] for row in rows] == [0, 12, None, 0, 10]
    assert [text[row["start"] : row["end"]] for row in rows[:2]] == ["Rubrik 0.9", "Andra raden 0.2"]
    assert rows[0]["document"] == rows[1]["document"] != rows[3]["document"]
    assert rows[2]["document"] == "own"
    assert [row["day"] for row in rows] == [DAY, DAY, DAY, None, None]
    assert [row["input_end"] for row in rows] == ["x", "x", None, None, None]
    assert rows[3]["name"].endswith("in0.parquet, row 3")
    assert rows[2]["name"] is None


def test_only_rows_that_need_review(label):
    found = label(pa.table({"text": texts("a 0.1", "b 0.6", "c 0.9"), "own": pa.array([1, 2, 3])}), options=["--review"])
    assert found.column("own").to_pylist() == [1, 2, 3]  # of each a label has a 25 % chance
    assert found.column("review").to_pylist() == [True] * 3


def test_several_files_with_the_same_columns_are_one(label):
    found = label(pa.table({"text": texts("a 0.1"), "own": pa.array([1])}), pa.table({"text": texts("b 0.1"), "own": pa.array([2])}))
    assert found.column("own").to_pylist() == [1, 2]


def test_files_with_other_columns_are_refused_before_any_work(label, capsys):
    assert label(pa.table({"text": texts("a 0.1")}), pa.table({"text": texts("b 0.1"), "own": pa.array([2])}), code=2) is None
    assert "its columns are not those of" in capsys.readouterr().err


def numbered(count, **changed):
    """A table of passages; ``changed`` gives some of them, by their numbers, another text."""
    values = [changed.get(f"row{number}", f"x {number / 100}") for number in range(count)]
    return pa.table({"text": texts(*values), "own": pa.array(range(count))})


def test_an_interrupted_run_is_continued_and_changed_rows_are_noticed(label, tmp_path, capsys):
    whole = label(numbered(60))
    (tmp_path / "out.parquet").unlink()
    assert label(numbered(60, row50=""), code=1) is None
    assert "row 51: 'text' is empty" in capsys.readouterr().err
    assert 0 < len((tmp_path / "out.parquet.part").read_text().splitlines()) < 50
    assert label(numbered(60, row3="other 0.1"), options=["--resume"], code=1) is None
    assert "are not the first of this input (row 4 differs)" in capsys.readouterr().err
    assert label(numbered(60), options=["--resume"]).equals(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in0.parquet", "out.parquet"]


def test_a_file_that_changes_while_it_is_labelled_is_noticed(label, tmp_path, monkeypatch, capsys):
    def change(_, contexts):
        parquet.write_table(numbered(5, row2="other 0.5"), tmp_path / "new.parquet")
        (tmp_path / "new.parquet").replace(tmp_path / "in0.parquet")
        return np.full((len(contexts), 2), 0.5)

    monkeypatch.setattr(Numbers, "scores", change)
    assert label(numbered(5), code=1) is None
    assert "row 3 has changed while it was labelled; run the command again" in capsys.readouterr().err


def test_values_that_json_does_not_have_are_written_as_it_can_hold_them(tmp_path, capsys):
    table = pa.table({"text": texts("a 0.1", "b 0.6", "c 0.9"), **COLUMNS})
    twice = pa.Table.from_arrays([*table.columns, pa.array([1, 2, 3])], names=[*table.schema.names, "int8"])
    parquet.write_table(twice, tmp_path / "in.parquet")
    assert cli.main([str(tmp_path / "in.parquet")]) == 0
    first, second, third = [json.loads(line, parse_constant=pytest.fail) for line in capsys.readouterr().out.splitlines()]
    assert (first["day"], first["decimal"], first["binary"], first["uint64"], first["map"]) == ("2026-11-28", "1.10", "AP8=", 2**64 - 1, [["a", 1]])
    assert (first["int8"], first["int8_2"]) == (-1, 1)
    assert third["float32"] is None
    assert second["struct"] is None
