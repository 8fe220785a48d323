"""Labelled passages to train on: spreadsheets, rows of JSON, groups, and what is wrong with a row."""

import json
from dataclasses import replace

import numpy as np
import openpyxl
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import LabelScheme, load_labels
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.training.config import Config, DataConfig
from newsmark.training.dataset import joined
from newsmark.training.labelled import load_to_train
from newsmark.training.leaks import check_leaks
from newsmark.training.material import load_material
from newsmark.training.splits import make_folds
from newsmark.training.stages import content_of

SCHEME = load_labels()
ROWS = [
    {"text": "Tio procent, sade hon.", "labels": ["quote", "statistic"], "lang": "sv", "document": "a", "kind": "sports"},
    {"text": "Vi ska bygga skolor, lovade han.", "labels": ["quote", "commitment"], "lang": "sv", "document": "a", "judged": ["quote", "commitment"]},
    {"text": "Solen sken.", "labels": [], "document": "b"},
    {"text": "Dela", "labels": ["boilerplate"], "judged": ["boilerplate"]},
]
LONG = "Regeringen i Sverige lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 203{}."


def write_csv(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def write_xlsx(path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return str(path)


def write_jsonl(path, rows):
    return write_csv(path, *map(json.dumps, rows))


def facts(path):
    data, alone = load_to_train([path], SCHEME)
    return data.texts, data.targets.tolist(), data.languages.tolist(), data.kinds.tolist(), data.groups.tolist(), alone.tolist()


def test_csv_and_xlsx_and_jsonl_give_the_same_passages(tmp_path):
    head = ["text", "labels", "judged", "lang", "document", "kind"]
    cells = [[row[name] if isinstance(row.get(name), str) else "; ".join(row.get(name, [])) for name in head] for row in ROWS]
    expected = facts(write_jsonl(tmp_path / "rows.jsonl", ROWS))
    assert str(expected) == str(facts(write_xlsx(tmp_path / "rows.xlsx", [head, *cells])))
    lines = ["\t".join(head), *("\t".join(row) for row in cells)]
    assert str(expected) == str(facts(write_csv(tmp_path / "rows.tsv", *lines)))
    lists = [";".join(head), *(";".join([row[0], json.dumps(row[1].split("; ")).replace('"', '""').join('""') if row[1] else "", *row[2:]]) for row in cells)]
    assert str(expected) == str(facts(write_csv(tmp_path / "rows.csv", *(line.replace("; ", ",") for line in lists))))
    assert np.nansum(expected[1]) == 5
    assert expected[-1] == [False, False, False, True]


def test_a_column_per_label_says_yes_no_or_not_judged(tmp_path, capsys):
    rows = [["text", "quote", "statistic", "remark"], ["Tio procent, sade hon.", 1, True, "sure"], ["Solen sken.", 0, None, None], ["Dela", "no", "", 3]]
    data, _ = load_to_train([write_xlsx(tmp_path / "rows.xlsx", rows)], SCHEME)
    assert data.judged.tolist() == [[False, True, True, False], [False, False, True, False], [False, False, True, False]]
    assert data.truth[:, [1, 2]].tolist() == [[True, True], [False, False], [False, False]]
    assert capsys.readouterr().err == f"{tmp_path / 'rows.xlsx'}: columns that are called after no label are not read: remark\n"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["text,labels", "Hej,quote", "Hej då,quot"], "line 3: field 'labels': unknown label 'quot'; did you mean 'quote'"),
        (["text,labels,judged", "Hej,quote,quote;statistik"], "line 2: field 'judged': unknown label 'statistik'"),
        (["text,labels,judged", "Hej,quote,statistic"], "line 2: label 'quote' is given, but not among the row's 'judged'"),
        (["text,labels", 'Hej,"[""quote"""'], "line 2: field 'labels': broken JSON"),
        (["text,quote", "Hej,1", "Hej då,maybe"], "line 3: column 'quote' holds 'maybe'; write 1 for yes, 0 for no, and nothing"),
        (["text,quote,labels", "Hej,1,quote"], " there is a column 'labels' or 'judged', and one called 'quote'"),
        (["text,note", "Hej,1"], " no row has anything in 'labels', 'judged' or a column that is called after a label"),
        (["text,labels", "Hej,quote", ",quote"], "line 3: there is no 'text'"),
        (["text,labels,weight", "Hej,quote,3", "Hej då,quote,0"], "line 3: field 'weight' is '0'; it must be a number above 0"),
        (["text,labels,weight", "Hej,quote,heavy"], "line 2: field 'weight' is 'heavy'"),
        (["text,labels,weight", "Hej,quote,inf"], "line 2: field 'weight' is 'inf'"),
        (["text,labels,weight", "Hej,quote,1e39"], "line 2: field 'weight' is '1e39'; it must be a number above 0, from 0.000001 to 1000000"),
        (["text,labels", "Hej,"], " no row has anything in 'labels'"),
    ],
)
def test_what_is_wrong_with_a_table_is_named_by_row_and_column(tmp_path, lines, reason):
    with pytest.raises(NewsmarkError, match=rf"rows\.csv[,:] ?{reason}"):
        load_to_train([write_csv(tmp_path / "rows.csv", *lines)], SCHEME)


def test_a_document_may_be_called_0(tmp_path):
    rows = [[f"Mening {number}.", "quote", number // 3] for number in range(6)]
    data, alone = load_to_train([write_xlsx(tmp_path / "rows.xlsx", [["text", "labels", "document"], *rows])], SCHEME)
    assert data.groups.tolist() == ["0", "0", "0", "1", "1", "1"]
    assert not alone.any()


def test_a_label_that_is_called_as_a_column_of_rows_needs_a_column_of_labels(tmp_path):
    scheme = LabelScheme(tuple(replace(SCHEME.labels[0], name=name) for name in ("promise", "page")), ())
    with pytest.raises(NewsmarkError, match=r"rows\.csv: a column 'page' is not read as a label, though one is called so; give the labels of each row"):
        load_to_train([write_csv(tmp_path / "rows.csv", "text,promise,page", "Hej,1,0")], scheme)
    data, _ = load_to_train([write_csv(tmp_path / "rows.csv", "text,labels,page", "Hej,page;promise,a", "Hej då,,a")], scheme)
    assert data.truth.tolist() == [[True, True], [False, False]]


def test_passages_count_by_their_weight_also_where_they_are_taken_together_with_others(tmp_path):
    weighty, plain = ({"text": text, "labels": ["quote"], **more} for text, more in (("Hej", {"weight": 2.5}), ("Hej då", {})))
    data, _ = load_to_train([write_jsonl(tmp_path / "weights.jsonl", [weighty, plain])], SCHEME)
    without, _ = load_to_train([write_jsonl(tmp_path / "none.jsonl", [plain, plain | {"weight": 1}])], SCHEME)
    assert without.weights is None
    assert joined(without, without).weights is None
    together = joined(without, data)
    assert together.weights.tolist() == [1, 1, 2.5, 1]
    assert together.subset(np.array([2, 0])).weights.tolist() == [2.5, 1]
    assert content_of(data) != content_of(replace(data, weights=None))


def test_a_row_may_say_what_stands_before_and_after_its_passage(tmp_path):
    rows = [{"text": text, "labels": ["quote"], "document": "a"} for text in ("Hej.", "Hej då.", "Dela.")]
    plain, _ = load_to_train([write_jsonl(tmp_path / "plain.jsonl", rows)], SCHEME)
    said, _ = load_to_train([write_jsonl(tmp_path / "said.jsonl", [*rows[:2], rows[2] | {"before": "Hon sade:", "after": "Sedan gick hon."}])], SCHEME)
    assert plain.neighbours is None
    assert joined(plain, said).contexts[-1] == said.contexts[2] == ("Dela.", "Hon sade:", "Sedan gick hon.", None)
    assert said.contexts[1] == ("Hej då.", "Hej.", "Dela.", None)
    assert said.subset(np.array([2])).contexts == said.contexts[2:]
    assert content_of(said) != content_of(plain)
    assert said.digest != plain.digest


def test_an_article_is_no_file_of_labelled_passages(tmp_path):
    with pytest.raises(NewsmarkError, match=r"article\.txt: an article; labelled passages are rows of a table"):
        load_to_train([write_csv(tmp_path / "article.txt", "Solen sken.")], SCHEME)


def material(folder, rows, documents=(), annotations=""):
    data = DataConfig("baseline", documents, annotations, passages=(write_jsonl(folder / "rows.jsonl", rows),))
    said = []
    return load_material(Config(data, BaselineSettings()), SCHEME, None, said.append).data, said


def test_passages_of_no_document_are_on_one_side_with_their_near_copies_and_others_with_their_document(tmp_path):
    texts = [LONG.format(0), LONG.format(1), "Efter en lång torka faller regnet åter över slätterna vid floden Po.", "Solen sken."]
    rows = [{"text": text, "labels": ["quote"]} for text in texts]
    rows += [{"text": text, "labels": [], "document": "page"} for text in ("Det regnade hela dagen.", "Solen sken.")]
    data, said = material(tmp_path, rows)
    assert len(set(data.groups)) == 4
    assert data.groups[0] == data.groups[1]
    assert data.groups[4] == data.groups[5]
    assert [len(fold.test) for fold in make_folds(data, 10)].count(2) == 2
    assert data.contexts[3].before == ""
    assert data.contexts[5].before == "Det regnade hela dagen."
    assert f"6 labelled passages of {tmp_path / 'rows.jsonl'}; 4 of them name no document and stand alone" in said
    check_leaks(data, None, SCHEME.exclusive_names)


def test_two_documents_of_passages_that_are_alike_are_a_leak(tmp_path):
    rows = [{"text": LONG.format(number), "labels": ["commitment"], "document": f"page {number}"} for number in (0, 1)]
    with pytest.raises(NewsmarkError, match=r"near duplicate.*rows of passages: the same 'document'"):
        material(tmp_path, rows)


def test_passages_beside_annotated_articles_join_the_group_of_their_article(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path / "cache"))
    rows = [{"text": "Det här är en mening till.", "labels": [], "judged": ["quote"], "document": "004_01df7fd14f7a8f34.txt"}]
    data, _ = material(tmp_path, rows, ("seeds",), "seeds/annotations.jsonl")
    assert len(data.texts) == 150
    assert len(set(data.groups)) == 4
    assert data.names[-1] == "004_01df7fd14f7a8f34.txt"
    assert (data.contexts[-1].before, data.contexts[-1].after) == ("", "")  # no neighbour of the article's last passage
