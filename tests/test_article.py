"""predict --article: the article, without what is labelled boilerplate."""

import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.prediction.article import ArticlePrinter
from newsmark.models.prediction.rows import read_rows

PAGE = "<nav><a>Hem</a></nav><h1>Rubrik</h1><p>Hon kom hem. Han gick.</p><p>Läs mer här</p><p>Det regnade.</p>"


def labelled(paths):
    furniture = {"Hem", "Läs mer här"}
    return [(row, {"labels": ["boilerplate"] * (row.text in furniture), "scores": {"boilerplate": 0.5}}) for row in read_rows(map(str, paths))]


def test_lines_stay_lines_and_articles_are_divided(tmp_path, capsys):
    for name in ("a.html", "b.html"):
        (tmp_path / name).write_text(PAGE, encoding="utf-8")
    rows = labelled([tmp_path])
    printer = ArticlePrinter()
    for place in range(0, len(rows), 3):  # chunks know nothing of articles
        printer(rows[place : place + 3])
    printer.close()
    article = "Rubrik\nHon kom hem. Han gick.\nDet regnade.\n"
    assert capsys.readouterr().out == f"{article}\n{article}"


def test_a_model_without_the_label_is_refused(tmp_path):
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    rows = [(row, {"labels": [], "scores": {"quote": 0.5}}) for row in read_rows([str(tmp_path)])]
    with pytest.raises(NewsmarkError, match="this model has no such label"):
        ArticlePrinter()(rows)
