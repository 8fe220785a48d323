"""The file of labelled rows: JSONL and Parquet, continued after an interruption, one run at a time."""

import csv
import json
import re
from pathlib import Path

import openpyxl
import pytest
from newsmark.annotation.errors import NewsmarkError, UsageError
from newsmark.models.context import PassageInContext
from newsmark.models.prediction.output import Output
from newsmark.models.prediction.rows import Row
from pyarrow import parquet

MADE = {"model": "m", "threshold": None}
ADDED = {"labels": [], "scores": {"quote": 0.5}, "review": False, "truncated": False, "model_version": "m"}


def row_of(fields, text="a"):
    return Row(text, json.dumps({"text": text, **fields})[:-1])


def written(path, rows):
    """Write rows, each of its own fields and what labelling adds, to a file that is then finished."""
    output = Output(path, False, MADE)
    output.write((row_of(fields), ADDED | added) for fields, added in rows)
    return output.finish(False)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([({}, {}), ({"id": 7}, {})], [{"id": None}, {"id": 7}]),
        ([({"x": 1}, {})] * 10_000 + [({"x": 1.5}, {})], [{"x": 1.0}] * 10_000 + [{"x": 1.5}]),
        ([({}, {"labels": []})] * 10_000 + [({}, {"labels": ["quote"]})], [{"labels": []}] * 10_000 + [{"labels": ["quote"]}]),
        ([({"x": None}, {})] * 10_000 + [({"x": {"y": 1}}, {})], [{"x": None}] * 10_000 + [{"x": {"y": 1}}]),
        ([], []),
    ],
    ids=["a column of later rows", "whole numbers, then others", "labels in late rows only", "nothing, then something", "no rows"],
)
def test_a_parquet_file_holds_every_field_of_every_row(rows, columns, tmp_path):
    assert written(tmp_path / "out.parquet", rows) == len(columns)
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [{name: row[name] for name in column} for row, column in zip(found, columns, strict=True)] == columns
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize("values", [["s"] * 10_000 + [1], [1] * 10_000 + ["s"], [2**70], [{}]], ids=["string, number", "number, string", "large", "empty"])
def test_rows_that_parquet_can_not_hold_are_kept_as_jsonl(values, tmp_path):
    rows = [row_of({"x": value}) for value in values]
    with pytest.raises(
        NewsmarkError, match=r"out.parquet: this kind of file can't hold these rows \(.+\); they are kept: continue with --output .+out\.jsonl --resume"
    ):
        written(tmp_path / "out.parquet", [({"x": value}, {}) for value in values])
    output = Output(tmp_path / "out.jsonl", True, MADE)
    left = output.skip((row, PassageInContext("a")) for row in rows)
    output.write((row, ADDED) for row, _ in left)
    assert output.finish(False) == len(values)
    assert [json.loads(line)["x"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == values
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.fixture
def interrupted(tmp_path):
    """Path of an output of which four rows were written, numbered from 0."""
    output = Output(tmp_path / "out.jsonl", False, MADE)
    output.write((row_of({"x": number}), ADDED) for number in range(4))
    output._stream.close()
    return tmp_path / "out.jsonl"


def rest(path, rows):
    return [json.loads(row.fields + "}")["x"] for row, _ in Output(path, True, MADE).skip((row, None) for row in rows)]


def test_all_rows_but_the_last_are_passed_over(interrupted):
    """The last one is labelled again: the passage after it, which the model reads too, may be another one now."""
    assert rest(interrupted, [row_of({"x": number}) for number in range(6)]) == [3, 4, 5]


@pytest.mark.parametrize(
    "changed",
    [
        [row_of({"x": 0}), row_of({"x": 9}), row_of({"x": 2}), row_of({"x": 3})],
        [row_of({"x": 0}), row_of({"x": 1}, "other"), row_of({"x": 2}), row_of({"x": 3})],
        [row_of({"x": 0}), row_of({}), row_of({"x": 2}), row_of({"x": 3})],
        [row_of({"x": 0}), row_of({"x": 1, "y": 1}), row_of({"x": 2}), row_of({"x": 3})],
        [row_of({"x": 0})],
    ],
    ids=["a value", "the text", "a field less", "a field more", "rows less"],
)
def test_a_row_that_has_changed_in_the_middle_is_noticed(interrupted, changed):
    with pytest.raises(NewsmarkError, match=r"its 3 rows are not the first of this input \(row 2 differs\); give the same input, or remove the file"):
        rest(interrupted, changed)


def test_a_half_written_row_is_cut_off(interrupted, tmp_path):
    with (tmp_path / "out.jsonl.part").open("a") as part:
        part.write('{"text": "a", "x": 4')
    assert rest(interrupted, [row_of({"x": number}) for number in range(6)]) == [3, 4, 5]


def test_what_another_model_has_labelled_is_not_continued(interrupted):
    with pytest.raises(NewsmarkError, match="use the same model and threshold, or remove it"):
        Output(interrupted, True, MADE | {"model": "n"})
    with pytest.raises(UsageError, match="an interrupted run left this; continue it with --resume, or remove it"):
        Output(interrupted, False, MADE)


def test_an_output_has_one_run_at_a_time(tmp_path):
    first = Output(tmp_path / "out.jsonl", False, MADE)
    first.write([(row_of({"x": 0}), ADDED)])
    for resume in (False, True):
        with pytest.raises(NewsmarkError, match=r"out\.jsonl\.part: another run is writing it; wait for its end, or name another --output"):
            Output(tmp_path / "out.jsonl", resume, MADE)
    assert first.finish(False) == 1
    second = Output(tmp_path / "out.jsonl", False, MADE)
    second.write([(row_of({"x": 1}), ADDED)] * 2)
    assert second.finish(False) == 2
    assert re.findall(r'"x": (\d)', (tmp_path / "out.jsonl").read_text()) == ["1", "1"]


def test_a_run_that_failed_before_its_first_row_leaves_nothing_to_resume(tmp_path):
    Output(tmp_path / "out.jsonl", False, MADE)._stream.close()
    assert written(tmp_path / "out.jsonl", [({}, {})]) == 1


def test_a_folder_is_no_output(tmp_path):
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(UsageError, match="this is a folder"):
        Output(tmp_path / "out.jsonl", False, MADE)


def test_a_run_that_begins_while_another_one_ends_keeps_its_rows(tmp_path, monkeypatch):
    path, others, replace = tmp_path / "out.jsonl", [], Path.replace

    def replace_and_begin(self, target):
        done = replace(self, target)
        monkeypatch.undo()
        others.append(Output(path, False, MADE))
        return done

    first = Output(path, False, MADE)
    first.write([(Row("a", '{"text": "a"'), FOUND)])
    monkeypatch.setattr(Path, "replace", replace_and_begin)
    assert first.finish(False) == 1
    others[0].write([(Row("b", '{"text": "b"'), FOUND)])
    assert others[0].finish(False) == 1
    assert json.loads(path.read_text(encoding="utf-8"))["text"] == "b"
    assert list(tmp_path.iterdir()) == [path]


FOUND = {"labels": ["quote", "speech"], "scores": {"quote": 0.9, "speech": 0.75}, "review": False, "truncated": False, "model_version": "m"}


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_table_for_a_spreadsheet_names_the_article_and_has_a_column_per_score(tmp_path, ending):
    path = tmp_path / f"out{ending}"
    file = Output(path, False, {})
    file.write(
        [(Row(text, f'{{"name": "a.html", "start": {start}, "text": {json.dumps(text)}, "more": {{"a": [1]}}'), FOUND) for start, text in enumerate(TEXTS)]
    )
    assert file.finish(False) == len(TEXTS)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    header, *rows = cells(path)
    assert header == ["name", "start", "text", "more", "labels", "score_quote", "score_speech", "review", "truncated", "model_version"]
    assert [row[2] for row in rows] == TEXTS
    assert {(row[0], row[3], row[4], str(row[5])) for row in rows} == {("a.html", '{"a": [1]}', "quote, speech", "0.9")}


TEXTS = ["=1+1", 'Hon sa "nej", och gick;\nDet 😀 regnade.', "@SUM(A1)"]


def cells(path):
    if path.suffix == ".csv":
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.reader(stream))
    return [list(row) for row in openpyxl.load_workbook(path).active.iter_rows(values_only=True)]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_field_that_is_called_like_the_column_of_a_score_is_kept_under_another_name(tmp_path, ending):
    path = tmp_path / f"out{ending}"
    file = Output(path, False, {})
    file.write([(Row("a", '{"text": "a", "score_quote": 7'), FOUND)])
    file.finish(False)
    found = dict(zip(*cells(path), strict=True))
    assert [str(found[name]) for name in ("input_score_quote", "score_quote")] == ["7", "0.9"]


def test_a_control_character_and_a_long_text_fit_into_a_workbook_and_what_is_cut_is_counted(tmp_path, capsys):
    path = tmp_path / "out.xlsx"
    file = Output(path, False, {})
    file.write([(Row("a", json.dumps({"text": "a\x01b" + "c" * 40_000})[:-1]), FOUND)])
    file.finish(False)
    assert cells(path)[1][0] == "ab" + "c" * 32_765
    assert capsys.readouterr().err == "1 text is cut: a cell of a workbook holds 32,767 characters; .csv, .jsonl and .parquet files hold all\n"
