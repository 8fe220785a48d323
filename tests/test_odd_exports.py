"""Exports of other tools as old or unusual versions write them, and what must not be lost or half-written without a word."""

import hashlib
import json

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from newsmark.annotation.cli import main

TEXT = "The EU agreed to train officers."
SPAN = ("commitment", "agreed to train officers")
KNOWN = {"start": 7, "end": 31, "label": "commitment"}


@pytest.fixture
def take(tmp_path, capsys):
    """Import what is written into a file; returns the exit code, the texts, the label and words of each span by annotation, and what was printed."""

    def imported(kind, name, content):
        path = tmp_path / name
        if content is not None:
            written = content if isinstance(content, bytes | str) else json.dumps(content)
            path.write_bytes(written if isinstance(written, bytes) else written.encode())
        for old in ("documents.jsonl", "annotations.jsonl"):
            (tmp_path / old).unlink(missing_ok=True)
        files = ["--documents", str(tmp_path / "documents.jsonl"), "--annotations", str(tmp_path / "annotations.jsonl")]
        code = main(["import", str(path), "--format", kind, *files])
        texts, rows = rows_of(tmp_path / "documents.jsonl"), rows_of(tmp_path / "annotations.jsonl")
        of = {hashlib.sha256(one["text"].encode()).hexdigest(): one["text"] for one in texts}
        spans = [[(span["label"], of[row["document"]][span["start"] : span["end"]]) for span in row["spans"]] for row in rows]
        return code, [one["text"] for one in texts], spans, capsys.readouterr().err

    return imported


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


STUDIO = {"from_name": "l", "to_name": "t", "type": "labels", "id": "a", "value": {"start": 7, "end": 31, "labels": ["commitment"]}}
ARGILLA = {"user_id": "u1", "status": "submitted", "values": {"span": {"value": [KNOWN]}}}


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("doccano", "a.jsonl", {"text": TEXT, "meta": {}, "annotations": [{"id": 5, "label": "commitment", "start_offset": 7, "end_offset": 31, "user": 1}]}),
        ("label-studio", "a.json", [{"id": 1, "data": {"text": TEXT}, "completions": [{"id": 1, "result": [STUDIO]}], "predictions": []}]),
        ("argilla", "a.json", [{"fields": {"text": TEXT}, "responses": [ARGILLA], "suggestions": []}]),
        ("argilla", "a.json", [{"fields": {"text": TEXT}, "responses": [], "suggestions": [{"question_name": "span", "value": [KNOWN], "agent": "m"}]}]),
        ("spacy-json", "a.jsonl", {"text": TEXT, "entities": [[7, 31, "commitment"]]}),
        ("spacy-json", "a.jsonl", {"text": TEXT, "spans": [KNOWN]}),
    ],
)
def test_layouts_of_older_versions_are_read(take, kind, name, content):
    assert take(kind, name, content)[:3] == (0, [TEXT], [[SPAN]])


@pytest.mark.parametrize(
    ("kind", "content", "field"),
    [
        ("doccano", {"text": TEXT, "spans": [KNOWN], "answer": "accept"}, "spans"),
        ("prodigy", {"text": TEXT, "label": [[7, 31, "commitment"]]}, "label"),
        ("spacy-json", {"text": TEXT, "label": [[7, 31, "commitment"]]}, "label"),
        ("doccano", {"text": TEXT, "completions": [{"result": [STUDIO]}]}, "completions"),
        ("doccano", {"text": "The EU agreed", "tokens": ["The", "EU", "agreed"], "ner_tags": [0, 1, 0]}, "ner_tags"),
    ],
)
def test_annotations_where_the_format_has_none_are_named_and_judge_nothing(take, kind, content, field):
    code, texts, spans, err = take(kind, "a.jsonl", content)
    assert (code, texts, spans) == (3, [content["text"]], [])
    assert f"the field {field!r} looks like annotations, and this format has none there" in err


def webanno(sentences):
    return "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.N|label\n\n\n" + "\n".join(sentences)


def test_webannos_offsets_that_do_not_fit_are_named(take):
    faces = "😀😀😀"  # three code points, and six UTF-16 units
    first = f"#Text=Hi {faces} all.\n1-1\t0-2\tHi\t_\t\n1-2\t3-{{}}\t{faces}\t_\t\n1-3\t{{}}\tall\t_\t\n"
    second = "#Text=London agreed.\n2-1\t{}\tLondon\tcommitment[1]\t\n2-2\t{}\tagreed\tcommitment[1]\t\n"
    code, _, spans, err = take("webanno", "a.tsv", webanno([first.format(6, "7-10"), second.format("12-18", "19-25")]))
    assert (code, spans) == (3, [])
    assert "this sentence begins before the one above it ends: the file's offsets do not count UTF-16 units" in err
    assert "the text there is “l.London agre”, and the file says “Londonagreed”" in err
    right = webanno([first.format(9, "10-13"), second.format("15-21", "22-28")])
    assert take("webanno", "a.tsv", right)[:3] == (0, [f"Hi {faces} all.\nLondon agreed."], [[("commitment", "London agreed")]])


@pytest.mark.parametrize(
    ("content", "text", "spans"),
    [
        (
            "# sent_id = 1\n1\tLondon\tLondon\tPROPN\tB-commitment\n2\tagreed\tagree\tVERB\tO\n\n1\tYes\tyes\tX\tO\n",
            "London agreed\nYes",
            [("commitment", "London")],
        ),
        ("1\tau\tau\tO\n1-2\tdes\t_\tO\n2\tmois\tmois\tB-statistic\n", "au mois", [("statistic", "mois")]),
        ("rank NN O\n# NN B-statistic\n1 CD I-statistic\n", "rank # 1", [("statistic", "# 1")]),
        ("40 CD B-statistic\nmen NN O\n", "40 men", [("statistic", "40")]),
        ("1 CD B-statistic\n\n1 CD B-statistic\n", "1\n1", [("statistic", "1"), ("statistic", "1")]),
        ("\ufeff-DOCSTART- -X- O O\n\nLondon NNP I-NP B-commitment\nagreed VB O O\n", "London agreed", [("commitment", "London")]),
        ("10\xa0000 B-statistic\npeople O\n", "10\xa0000 people", [("statistic", "10\xa0000")]),
        ("London\tB-commitment\r\nagreed\tO\n", "London agreed", [("commitment", "London")]),
    ],
)
def test_conll_takes_the_word_for_the_word(take, content, text, spans):
    assert take("conll", "a.conll", content)[:3] == (0, [text], [spans])


def test_a_byte_order_mark_in_brats_annotations(take, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    assert take("brat", "a.ann", "\ufeffT1\tcommitment 7 31\tagreed to train officers\n".encode())[:3] == (0, [TEXT], [[SPAN]])


def test_a_row_of_a_csv_with_too_many_values_is_refused(take):
    code, texts, _, err = take("passages-csv", "a.csv", "labels,text\nquote:direct,He said that it works, and that is all.\n")
    assert (code, texts) == (1, [])
    assert "a.csv, row 2: 3 values for 2 columns; repair the row" in err
    assert take("passages-csv", "a.csv", "labels,text\nquote:direct,He said it.,,\n")[:3] == (0, ["He said it."], [[("quote", "He said it.")]])


NUMBERED = Features(
    {"text": Value("string"), "spans": List({"start": Value("int64"), "end": Value("int64"), "label": ClassLabel(names=["commitment", "quote"])})}
)


@pytest.mark.parametrize(
    ("row", "features", "problem"),
    [
        ({"text": TEXT, "spans": [KNOWN | {"label": -1}]}, NUMBERED, "span 1 has no whole start and end, or no label"),
        ({"text": TEXT, "spans": [None]}, NUMBERED, "span 1 "),
        ({"text": TEXT, "spans": {"start": [7], "end": [31, 32], "label": ["commitment"]}}, None, "the columns of its spans have not the same length"),
        ({"text": "The EU agreed", "tokens": ["The", "EU", "agreed"], "ner_tags": [0, 1, 0]}, None, "the field 'ner_tags' looks like annotations"),
    ],
)
def test_odd_spans_of_a_data_set_are_named(take, tmp_path, row, features, problem):
    Dataset.from_list([row], features=features).to_parquet(tmp_path / "a.parquet")
    code, texts, spans, err = take("huggingface", "a.parquet", None)
    assert (code, texts, spans) == (3, [row["text"]], [])
    assert problem in err


def test_a_file_name_that_is_not_utf_8(take, tmp_path):
    code, texts, spans, _ = take("doccano", "caf\udce9.jsonl", {"text": TEXT, "label": [[7, 31, "commitment"]]})
    assert (code, texts, spans) == (0, [TEXT], [[SPAN]])
    assert rows_of(tmp_path / "documents.jsonl")[0]["name"] == r"caf\xe9.jsonl, line 1"


def test_an_import_writes_both_files_or_none(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": TEXT, "label": [[7, 31, "commitment"]]}))
    same, missing = tmp_path / "same", tmp_path / "a.jsonl" / "b.jsonl"
    command = ["import", str(tmp_path / "a.jsonl"), "--format", "doccano"]
    assert main([*command, "--documents", str(same), "--annotations", str(same)]) == 2
    assert "both the documents and the annotations; name two files" in capsys.readouterr().err
    assert main([*command, "--documents", str(same), "--annotations", str(missing)]) == 1
    assert not same.exists()


@pytest.fixture
def desk(tmp_path):
    """Two documents whose long names differ at their end, each with an annotation; some borders are in white space."""
    texts = {f"{'新' * 85}{number}": f"The EU agreed to act. {number}0 states signed." for number in (1, 2)}
    (tmp_path / "own.jsonl").write_text("".join(json.dumps({"name": name, "text": text, "lang": "en"}) + "\n" for name, text in texts.items()))
    rows = [
        {
            "document": hashlib.sha256(text.encode()).hexdigest(),
            "name": name,
            "annotator": "eva",
            "ground_truth": True,
            "topics": [],
            "spans": [{"id": "s1", "start": 0, "end": 22, "label": "commitment"}, {"id": "s2", "start": 21, "end": 39, "label": "statistic"}],
        }
        for name, text in texts.items()
    ]
    (tmp_path / "marks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return lambda kind, output: main(
        ["export", str(tmp_path / "own.jsonl"), "--annotations", str(tmp_path / "marks.jsonl"), "--format", kind, "--output", str(tmp_path / output)]
    )


@pytest.mark.parametrize(("kind", "output"), [("brat", "brat"), ("webanno", "webanno"), ("spacy", "a.spacy"), ("spacy-json", "a.json")])
def test_long_names_and_borders_in_white_space_come_back(desk, take, kind, output):
    assert desk(kind, output) == 0
    code, texts, spans, _ = take(kind, output, None)
    assert (code, len(texts)) == (0, 2)
    assert [[label for label, _ in some] for some in spans] == [["commitment", "statistic"]] * 2


@pytest.mark.parametrize(
    ("kind", "output"), [("brat", "brat"), ("spacy", "a.spacy"), ("huggingface", "a.parquet"), ("huggingface", "data"), ("doccano", "a.jsonl")]
)
def test_an_export_that_fails_leaves_nothing(desk, tmp_path, monkeypatch, capsys, kind, output):
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as full:
        full.setattr("pathlib.Path.rename", no_space)
        assert desk(kind, output) == 1
    assert f"{tmp_path / output}: can't be written (No space left on device); nothing was" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
    assert desk(kind, output) == 0


def no_space(*_):
    raise OSError(28, "No space left on device")
