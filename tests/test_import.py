"""``annotate import`` and ``annotate export``: files of other tools, what is named, and what is written."""

import json
import sys
from pathlib import Path

import datasets
import pyarrow.parquet
import pytest
from newsmark.annotation.cli import main
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.formats.importing import Choices, import_entries
from newsmark.annotation.formats.kinds import format_named
from newsmark.annotation.labels import load_labels

FILES = Path(__file__).parent / "data" / "formats"
PRES = "Près de 100 pays 🇸🇪 ont signé.\r\n« Nous allons y travailler », dit-elle."
ARABIC = "قال الوزير إن العدد بلغ 40 في المئة."


@pytest.fixture
def run(tmp_path, capsys):
    """Import files; returns the exit code, texts by name, annotations, and what was printed."""

    def imported(name, kind, *options):
        code = main(
            ["import", str(FILES / name), "--format", kind, "--documents", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl"), *options]
        )
        texts, annotations = rows_of(tmp_path / "d.jsonl"), rows_of(tmp_path / "a.jsonl")
        return code, texts, annotations, capsys.readouterr().err

    return imported


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def entries_of(folder, name, kind, content=None):
    """What comes of a file that is written first, where it has a content: documents and annotations."""
    if content is not None:
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    imported = import_entries(format_named(kind).read(folder / name, None), load_labels(), Choices("me"))
    return list(imported.documents.values()), list(imported.annotations.values())


def marked(row, texts):
    """Label and words of each span."""
    text = {one["name"]: one["text"] for one in texts}[row["name"]]
    return [(span["label"], text[span["start"] : span["end"]]) for span in row["spans"]]


def test_what_doccano_exports_is_imported_and_every_command_reads_it(run, tmp_path, capsys):
    code, texts, rows, err = run("doccano_sequence.jsonl", "doccano", "--map", "STAT=statistic", "--map", "Zitat=quote:direct")
    assert (code, [one["text"] for one in texts]) == (0, [PRES, ARABIC, "Sans rien."])
    assert (texts[0]["name"], texts[0]["lang"]) == ("a.txt", "fr")
    assert [(row["annotator"], row["ground_truth"]) for row in rows] == [("imported (doccano)", False)] * 2  # nobody annotated the third text
    assert marked(rows[0], texts) == [("statistic", "Près de 100 pays"), ("quote", "« Nous allons y travailler », dit-elle.")]
    assert marked(rows[1], texts) == [("statistic", "40 في المئة")]
    assert rows[0]["note"] == "osäker"
    assert err.endswith("3 documents, 2 annotations, 3 spans\n")
    assert main(["check", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl")]) == 0
    out = capsys.readouterr().out
    assert "3 documents, 2 annotations; without any: doccano_sequence.jsonl, line 3\n" in out
    assert "–" in out  # nobody was offered commitment or boilerplate there


def test_an_import_judges_what_the_file_uses_or_lists_and_what_the_mapping_names(run, tmp_path):
    named = "--map", "STAT=statistic", "--map", "Zitat=quote:direct", "--map", "ZUSAGE=commitment", "--map", "ORG="
    _, _, rows, _ = run("doccano_sequence.jsonl", "doccano", *named)
    assert [row["offered"] for row in rows] == [["commitment", "statistic", "quote"]] * 2
    _, annotations = entries_of(
        tmp_path, "options.jsonl", "prodigy", {"text": "Hej.", "options": [{"id": "commitment"}, {"id": "nu"}], "accept": [], "answer": "accept"}
    )
    assert annotations[0].offered == ("commitment",)
    (tmp_path / "annotation.conf").write_text("[entities]\n# all\n!Claims\n\tstatistic\n\tcommitment\n[relations]\nboilerplate Arg1:quote\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("Hej hej.", encoding="utf-8")
    _, annotations = entries_of(tmp_path, "a.ann", "brat", "T1\tquote 0 3\tHej\nA1\tkind T1 direct\n")
    assert annotations[0].offered == ("commitment", "statistic", "quote")
    label = datasets.ClassLabel(names=["statistic", "boilerplate"])
    features = {"text": datasets.Value("string"), "spans": datasets.List({"start": datasets.Value("int64"), "end": datasets.Value("int64"), "label": label})}
    made = datasets.Dataset.from_list([{"text": "Hej.", "spans": [{"start": 0, "end": 3, "label": 0}]}], features=datasets.Features(features))
    made.save_to_disk(tmp_path / "set")
    _, annotations = entries_of(tmp_path, "set", "huggingface")
    assert ([span.label for span in annotations[0].spans], annotations[0].offered) == (["statistic"], ("statistic", "boilerplate"))


def test_unknown_labels_are_counted_and_left_out(run):
    code, texts, rows, err = run("doccano_relations.jsonl", "doccano", "--map", "STAT=statistic")
    assert code == 3
    assert [marked(row, texts) for row in rows] == [[("statistic", "Près de 100 pays")], [("statistic", "40 في المئة")]]
    assert "left out: 'Zitat', 1 times: unknown label or topic 'Zitat'" in err
    assert "doccano_relations.jsonl, line 1: 1 relations, which newsmark does not have" in err


def test_a_label_with_kinds_needs_one(run):
    code, _, _, err = run("doccano_sequence.jsonl", "doccano", "--map", "STAT=statistic", "--map", "Zitat=quote")
    assert code == 2
    assert "--map Zitat=quote: a quote has a kind: quote:direct or quote:indirect" in err


def test_strict_writes_nothing(run, tmp_path):
    code, *_, err = run("doccano_sequence.jsonl", "doccano", "--map", "STAT=statistic", "--strict")
    assert code == 1
    assert "'Zitat', 1 times" in err
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_mapped_to_nothing_is_left_out_without_a_word(run):
    code, _, rows, err = run("doccano_sequence.jsonl", "doccano", "--map", "STAT=statistic", "--map", "Zitat=")
    assert (code, len(rows), len(err.splitlines())) == (0, 2, 1)


def test_files_that_exist_are_not_overwritten(run, tmp_path):
    (tmp_path / "a.jsonl").write_text("", encoding="utf-8")
    code, *_, err = run("doccano_sequence.jsonl", "doccano")
    assert code == 2
    assert "a.jsonl exists; name another file" in err


def test_an_archive_is_named(tmp_path, capsys):
    (tmp_path / "all.zip").write_bytes(b"PK")
    files = ["--documents", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl")]
    assert main(["import", str(tmp_path / "all.zip"), "--format", "doccano", *files]) == 2
    assert "all.zip: an archive; unpack it and give the files or the folder" in capsys.readouterr().err


def test_classes_of_a_whole_text_are_topics_or_labels(run):
    code, texts, rows, _ = run("doccano_classification.jsonl", "doccano", "--map", "sport=statistic")
    assert code == 0
    assert (rows[0]["topics"], rows[0]["spans"]) == (["cybercrime"], [])
    assert marked(rows[1], texts) == [("statistic", ARABIC)]


def test_argillas_json_gives_an_annotation_per_user_and_suggestions_where_nobody_answered(run):
    code, texts, rows, _ = run("argilla.json", "argilla", "--map", "Zitat=quote:direct")
    assert (code, len(texts)) == (0, 4)
    assert [(row["annotator"][-4:], len(row["spans"]), row["topics"]) for row in rows] == [
        ("0001", 2, ["cybercrime"]),
        ("0002", 1, []),
        ("0001", 1, []),
        ("0002", 0, []),
        ("el-1", 1, []),
    ]
    assert not any(row["ground_truth"] for row in rows)


def test_argillas_data_set_says_which_response_is_a_draft_and_which_was_discarded(run):
    code, _, rows, err = run("argilla.parquet", "huggingface", "--map", "Zitat=quote:direct")
    assert code == 3
    assert [(row["annotator"][-4:], len(row["spans"]), row.get("skipped", False)) for row in rows] == [
        ("0001", 2, False),
        ("0001", 1, False),
        ("0002", 0, True),
        ("el-1", 1, False),
    ]
    assert "the draft of 00000000-0000-0000-0000-000000000002 was not submitted" in err


@pytest.mark.parametrize(("name", "kind"), [("docs.spacy", "spacy"), ("docs.json", "spacy-json")])
def test_spacys_files_give_groups_of_spans_entities_and_categories(run, name, kind):
    if kind == "spacy":
        pytest.importorskip("spacy")
    code, texts, rows, _ = run(name, kind, "--map", "Zitat=quote:indirect")
    assert (code, [one["text"] for one in texts], len(rows)) == (0, [PRES, "Sans rien."], 1)
    assert marked(rows[0], texts) == [("statistic", "Près de 100 pays"), ("quote", "« Nous allons y travailler », dit-elle.")]
    assert rows[0]["topics"] == ["cybercrime"]


def test_spacy_reads_what_is_written_for_it(tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc

    options = ["export", "seeds", "--annotations", "seeds/annotations.jsonl", "--format"]
    assert main([*options, "spacy-json", "--output", str(tmp_path / "docs.json")]) == 0
    for row in json.loads((tmp_path / "docs.json").read_text(encoding="utf-8")):
        doc = Doc(spacy.blank("xx").vocab).from_json(row)
        assert doc.text == row["text"]
        assert [(one.start_char, one.end_char, one.label_) for one in doc.spans["sc"]] == [(s["start"], s["end"], s["label"]) for s in row["spans"]["sc"]]


def test_without_spacy_it_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    code, *_, err = run("docs.spacy", "spacy")
    assert code == 1
    assert "spacy is not installed; run: pip install spacy" in err


def test_label_studios_export_of_a_project_with_its_own_interface(run):
    code, texts, rows, err = run("label_studio.json", "label-studio", "--map", "Zahl=statistic", "--map", "Zitat=quote:direct")
    assert (code, [one["text"] for one in texts]) == (0, ["Près de 100 pays & plus."])
    assert marked(rows[0], texts) == [("quote", "Près de 100 pays"), ("statistic", "Près de 100 pays")]
    assert (rows[0]["topics"], rows[0]["note"], rows[0]["ground_truth"]) == (["cybercrime"], "osäker", False), err


def test_prodigys_rejected_answers_are_named_and_its_ignored_ones_are_skips(run):
    code, texts, rows, err = run("prodigy.jsonl", "prodigy", "--map", "STAT=statistic")
    assert (code, len(texts)) == (3, 5)
    assert [(row["annotator"], len(row["spans"]), row.get("skipped", False), row["topics"]) for row in rows] == [
        ("desk-ann", 1, False, []),
        ("desk-ann", 0, True, []),
        ("desk-ann", 0, False, ["cybercrime"]),
    ]
    assert "prodigy.jsonl, line 2: the answer is a rejection, which does not say what is right" in err


def test_webannos_offsets_count_utf_16_and_its_layers_of_words_are_passed_over(run):
    code, texts, rows, err = run("inception.tsv", "webanno", "--map", "Zitat=quote:direct")
    assert code == 0, err
    assert texts[0]["text"] == "Près de 100 pays 🇸🇪 ont signé.\nEt 5 % [oui_non]."
    assert marked(rows[0], texts) == [("statistic", "Près de 100 pays"), ("quote", "100 pays 🇸🇪"), ("commitment", "sign"), ("statistic", "5 %")]


def test_brats_discontinuous_spans_become_several_unless_only_white_space_is_between(run):
    code, texts, rows, err = run("brat", "brat")
    assert code == 3
    assert marked(rows[0], texts) == [("quote", "Le ministre"), ("commitment", "promet"), ("commitment", "de bâtir\r\ndes écoles"), ("statistic", "40 %")]
    assert rows[0]["spans"][0]["kind"] == "indirect"
    assert rows[0]["note"] == "osäker"
    assert "2 relations, events, attributes or other lines" in err
    assert "the statistic span at 2–5: the text there is “mi”, and the file says “fel”" in err


def test_conll_of_other_tools_has_its_text_put_together_from_tokens(run):
    code, texts, rows, _ = run("conll2003.conll", "conll", "--map", "STAT=statistic", "--map", "PER=")
    assert (code, [one["text"] for one in texts]) == (0, ["Le ministre Bo promet .\n40 % 5", "Fin"])
    assert marked(rows[0], texts) == [("statistic", "40 %"), ("statistic", "5")]


def test_the_limit_of_a_text_is_none_of_a_conll_file(tmp_path):
    sizes = {"a": 11_000_000, "b": 11_000_000, "c": 20_000_001}
    content = "".join(f"# newdoc id = {name}\n# text = {'x' * size}{name}\nx\tO\n\n" for name, size in sizes.items())
    (tmp_path / "x.conll").write_text(content, encoding="utf-8")
    imported = import_entries(format_named("conll").read(tmp_path / "x.conll", None), load_labels(), Choices("me"))
    assert [document.name for document in imported.documents.values()] == ["a", "b"]
    (left_out,) = imported.left_out
    assert "x.conll, line 9: 20 MB; one article may have 20 MB at most" in left_out


def test_what_an_article_says_of_itself_comes_along_and_goes_along(tmp_path):
    said = {"title": "Priset steg", "url": "https://example.org/1", "author": "Eva Ek", "date": "2026-11-28", "source": "Bladet"}
    task = {"id": 1, "data": {**said, "text": "Priset steg.", "name": "a", "lang": "sv", "other": "x"}, "annotations": [{"result": [], "completed_by": 1}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]), encoding="utf-8")
    files = ["--documents", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl")]
    assert main(["import", str(tmp_path / "tasks.json"), "--format", "label-studio", *files]) == 0
    assert rows_of(tmp_path / "d.jsonl") == [{**said, "name": "a", "lang": "sv", "text": "Priset steg."}]
    assert main(["export", str(tmp_path / "d.jsonl"), *files[2:], "--format", "doccano", "--output", str(tmp_path / "out.jsonl")]) == 0
    (row,) = rows_of(tmp_path / "out.jsonl")
    assert row | said == row


def test_conll_with_the_tags_of_biluo(run):
    _, texts, rows, _ = run("biluo.conll", "conll", "--map", "STAT=statistic", "--map", "PER=commitment")
    assert marked(rows[0], texts) == [("commitment", "Bo"), ("statistic", "40 %")]


def test_a_csv_from_a_spreadsheet_is_one_text_per_row(run):
    code, texts, rows, _ = run("passages.csv", "passages-csv")
    assert (code, [one["text"] for one in texts]) == (0, ["40 % ont signé; oui", "Rien."])
    assert marked(rows[0], texts) == [("statistic", "40 % ont signé; oui")]


@pytest.mark.parametrize(
    ("text", "offsets", "unit"),
    [("🇸🇪 är 5 %", (8, 11), "utf-16"), ("🇸🇪 är 5 %", (13, 16), "bytes"), ("🇸🇪 är 5 %", (6, 9), "code-points")],
)
def test_offsets_that_the_user_names_become_code_points(tmp_path, text, offsets, unit):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"text": text, "label": [[*offsets, "statistic"]]}), encoding="utf-8")
    files = ["--documents", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl")]
    assert main(["import", str(path), "--format", "doccano", "--offsets", unit, *files]) == 0
    (row,) = rows_of(tmp_path / "a.jsonl")
    assert [text[one["start"] : one["end"]] for one in row["spans"]] == ["5 %"]


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("doccano", "x.jsonl", '{"texte": "a"}', "no string field 'text' or 'data' with the text; there are: texte; name it with --text-field"),
        ("doccano", "x.jsonl", '{"text": "abc", "label": [[2, 9, "statistic"]]}', "the statistic span at 2–9 is not in the text of 3 characters"),
        ("label-studio", "x.json", '[{"text": "abc", "label": []}]', "no 'data': this is no JSON export of Label Studio"),
        ("label-studio", "x.json", "[{", "broken JSON"),
        ("spacy", "x.spacy", "abc", "no DocBin of spaCy"),
        ("webanno", "x.tsv", "a\tb", "the first line is not #FORMAT=WebAnno TSV 3.x"),
        ("brat", "x.ann", "T1\tA 0 1\ta", "its text x.txt is missing"),
        ("passages-csv", "x.csv", 'text,labels\n"abc,x', "broken CSV"),
        ("huggingface", "x.parquet", "abc", "x.parquet"),
        ("argilla", "x.json", '[{"fields": {}}]', "no string field 'text'"),
        ("prodigy", "x.jsonl", "[]", "expected a JSON object"),
        ("conll", "x.conll", "a b c\n", "no text found"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, capsys, kind, name, content, said):
    if kind == "spacy":
        pytest.importorskip("spacy")
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    files = ["--documents", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl")]
    assert main(["import", str(path), "--format", kind, *files]) in {1, 3}
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("x.parquet", "{", ""),
        ("x.parquet", '"Value"', '"Vale"'),
        ("x/dataset_info.json", "{", ""),
        ("x/dataset_info.json", '"Value"', '"Vale"'),
        ("x/state.json", "{", ""),
        ("x/state.json", "_data_files", "files"),
    ],
)
def test_a_data_set_with_a_damaged_description_is_named_in_one_line(tmp_path, capsys, file, old, new):
    path = tmp_path / file
    made = datasets.Dataset.from_list([{"text": "Hej hej.", "spans": [{"start": 0, "end": 3, "label": "statistic"}]}])
    if path.suffix == ".parquet":
        table = made.data.table
        description = table.schema.metadata[b"huggingface"].decode()
        pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": description.replace(old, new, 1)}), path)
    else:
        path = path.parent
        made.save_to_disk(path)
        (tmp_path / file).write_text((tmp_path / file).read_text().replace(old, new, 1))
    capsys.readouterr()
    files = ["--documents", str(tmp_path / "d.jsonl"), "--annotations", str(tmp_path / "a.jsonl")]
    code, err = main(["import", str(path), "--format", "huggingface", *files]), capsys.readouterr().err
    assert (code, err.count("\n")) == (1, 1), err
    assert f"{path}: the data set can't be read (" in err
    assert not (tmp_path / "a.jsonl").exists()


def test_export_takes_the_ground_truth_where_a_format_holds_one_annotation(tmp_path, capsys):
    options = ["export", "seeds", "--annotations", "seeds/annotations.jsonl", "--format", "doccano", "--output"]
    assert main([*options, str(tmp_path / "x.jsonl")]) == 0
    assert {row["annotator"] for row in rows_of(tmp_path / "x.jsonl")} == {"adjudicator"}
    assert main([*options, str(tmp_path / "y.jsonl"), "--annotator", "reader-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["annotations"] == 5
    assert {row["annotator"] for row in rows_of(tmp_path / "y.jsonl")} == {"reader-1"}
    assert main([*options, str(tmp_path / "x.jsonl")]) == 2


def test_a_document_of_two_annotators_without_a_ground_truth_is_named(tmp_path, capsys):
    rows = [row for row in rows_of(Path("seeds/annotations.jsonl")) if not row["ground_truth"] or not row["name"].startswith("001")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    output = ["--format", "brat", "--output", str(tmp_path / "brat")]
    assert main(["export", "seeds", "--annotations", str(tmp_path / "a.jsonl"), *output]) == 3
    assert "annotated by reader-1, reader-2, none is the ground truth" in capsys.readouterr().err
    assert len(list((tmp_path / "brat").glob("*.ann"))) == 4


ODD = [None, True, -1, 1.5, "", "x", [[]], {"a": 1}, [0, 1, "statistic"]]


def places_in(value, way=()):
    yield way
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places_in(value[key], (*way, key))


def with_odd(value, way, odd):
    if not way:
        return odd
    copied = value.copy()
    copied[way[0]] = with_odd(value[way[0]], way[1:], odd)
    return copied


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("doccano_relations.jsonl", "doccano"),
        ("doccano_classification.jsonl", "doccano"),
        ("argilla.json", "argilla"),
        ("prodigy.jsonl", "prodigy"),
        ("docs.json", "spacy-json"),
        ("label_studio.json", "label-studio"),
    ],
)
def test_whatever_stands_where_a_value_should_be_is_read_or_named(tmp_path, name, kind):
    lines = (FILES / name).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in lines.splitlines()] if name.endswith(".jsonl") else json.loads(lines)
    path, tried, scheme, messages = tmp_path / "odd.json", 0, load_labels(), []
    for way in places_in(rows):
        for odd in ODD:
            path.write_text(json.dumps(with_odd(rows, way, odd)), encoding="utf-8")
            try:
                import_entries(format_named(kind).read(path, None), scheme, Choices("imported"))
            except NewsmarkError as error:
                messages.append(str(error))
            tried += 1
    assert tried > 100
    assert [one for one in messages if str(path) not in one] == []
