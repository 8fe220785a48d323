"""predict --on-error skip: one bad row or file does not stop the others, and is named."""

import json

import pyarrow as pa
import pytest
from newsmark.annotation.errors import NewsmarkError, PartlyDoneError
from newsmark.annotation.reading.sources import ReadingOptions
from newsmark.models.prediction.rows import read_rows
from newsmark.models.prediction.skipped import Skipped
from pyarrow import parquet

JSONL = '{"text": "Ett."}\n{"text": " "}\n{"text": 5}\n{"te\n"a"\n{"text": "Två."}\n'
CSV = "name,text,more\n,Ett.,\n,a,b,c\n,,x\n,Två.,\n"


def read(paths, skipped, joined=False):
    return [row.text for row in read_rows(list(map(str, paths)), joined, ReadingOptions(skip=skipped))]


def test_bad_rows_of_json_lines_are_skipped_and_written_with_the_reason(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(JSONL, encoding="utf-8")
    skipped = Skipped(tmp_path / "out.jsonl")
    assert read([path], skipped) == ["Ett.", "Två."]
    with pytest.raises(PartlyDoneError, match=r"skipped \(rows or files\): 4; .*out\.jsonl\.skipped\.jsonl says which and why"):
        skipped.finish()
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl.skipped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["error"].split(":")[0].removeprefix(str(tmp_path)) for row in rows] == [f"/a.jsonl, line {number}" for number in (2, 3, 4, 5)]
    assert [row.get("row") for row in rows] == [{"text": " "}, {"text": 5}, None, None]
    with pytest.raises(NewsmarkError, match="line 2: 'text' is empty"):
        read([path], None)


def test_bad_rows_of_tables_are_skipped(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    skipped = Skipped(None)
    assert read([tmp_path / "a.csv"], skipped) == ["Ett.", "Två."]
    assert [line.partition("a.csv")[2][:9] for line in capsys.readouterr().err.splitlines()] == [", line 3:", ", line 4:"]


@pytest.mark.parametrize("joined", [False, True])
def test_bad_rows_of_parquet_files_are_skipped(tmp_path, joined):
    parquet.write_table(pa.table({"text": ["Ett.", None, " ", "Två."]}), tmp_path / "a.parquet")
    seen = []
    assert read([tmp_path / "a.parquet"], lambda error, _: seen.append(str(error)), joined) == ["Ett.", "Två."]
    assert len(seen) == 2


def test_a_damaged_file_in_a_folder_is_skipped(tmp_path):
    for name, content in {"a.txt": "Ett.", "b.pdf": "no PDF", "c.txt.gz": "no gzip", "d.txt": "", "e.txt": "Två."}.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    seen = []
    assert read([tmp_path], lambda error, _: seen.append(str(error).partition(":")[0])) == ["Ett.", "Två."]
    assert seen == [str(tmp_path / name) for name in ("b.pdf", "c.txt.gz", "d.txt")]


def test_where_nothing_is_skipped_no_file_is_left(tmp_path):
    (tmp_path / "out.jsonl.skipped.jsonl").write_text("of an earlier run", encoding="utf-8")
    Skipped(tmp_path / "out.jsonl").finish()
    assert list(tmp_path.iterdir()) == []
