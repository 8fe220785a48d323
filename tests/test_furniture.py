"""What pages say about their furniture, and what becomes of it in a model's decisions."""

from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.documents import make_document, read_documents
from newsmark.annotation.reading.furniture import Signals, read_signals
from newsmark.annotation.reading.html import head_of, parse, visible_lines
from newsmark.annotation.reading.sources import ReadingOptions
from newsmark.models import cli
from newsmark.models.calibration import Calibration, with_pages
from newsmark.models.context import PassageInContext
from newsmark.models.model import TrainedModel
from newsmark.models.prediction.client import _parts
from newsmark.models.prediction.rows import read_rows, with_neighbours
from newsmark.models.store import FoundModel

PAGES = Path("tests/data/pages")
PAGE = """<html><head><title>Bron stängs i två veckor - Bladet</title></head><body><ul class="meny"><li><a href="/">Start</a></li><li><a href="/s">Sport</a>
</li></ul><h1>Bron stängs i två veckor</h1><p>Bron över ån stängs den 3 maj för att få nya räcken, och bilarna får
köra över Norrby så länge, vilket tar en kvart mer än den vanliga vägen längs ån till stationen.</p>
<p>Kommunen räknar med att arbetet kostar fyra miljoner kronor, och att bussarna kommer tio minuter senare än vanligt till skolan.</p>
<div><a href="/a">Läs också: Ny parkering vid torget</a></div></body></html>"""


@pytest.mark.parametrize(
    ("name", "article", "furniture"),
    [
        ("33_en_news_large", "The dispute began in May", "Politics"),
        ("02_en_divsoup", "The vote on Monday night", "Share on Facebook"),
        ("03_fr_wordpress", "Les tuiles viennent", "La foire aux ânes"),
        ("05_es_amp", "Los regantes se reunieron", "Esquelas"),
        ("06_nl_tables", "De molen uit 1783", "Lid worden"),
        ("37_es_blog_large", "Lo segundo es que no se siega", "La azada que no quería nadie"),
    ],
)
def test_pages_of_each_style_say_what_is_article_and_what_is_menu(name, article, furniture):
    (document,) = read_documents([PAGES / f"{name}.html"], ReadingOptions(furniture=True))
    in_article, in_menu = document.furniture_at([document.text.index(article), document.text.index(f"\n{furniture}") + 1])
    assert in_article < 0
    assert in_menu > 1


def test_signals_of_a_line_are_what_its_page_says():
    root = parse(PAGE)
    lines = visible_lines(root)
    assert [line.text[:8] for line in lines] == ["Start", "Sport", "Bron stä", "Bron öve", "Kommunen", "Läs ocks"]
    signals = read_signals(lines, PAGE, head_of(root, PAGE)["title"])
    assert signals[0] == Signals(taken=False, near=0.0, linked=1.0, heading=False, title=False, long=False)
    assert (signals[2].heading, signals[2].title, signals[2].linked) == (True, True, 0.0)
    assert (signals[4].taken, signals[4].long, signals[4].near) == (True, True, 0.25)


def test_links_around_blocks_and_the_cells_of_tables_are_seen():
    lines = visible_lines(parse('<a href="x"><h3>Teaser</h3><p>More words</p></a><table><tr><td class="menu">a</td><td>b</td></tr></table>'))
    assert [(line.text, line.block.tag, line.linked) for line in lines] == [("Teaser", "h3", 6), ("More words", "p", 9), ("a\tb", "td", 0)]


def test_a_page_of_which_nothing_can_be_taken_is_read():
    page = "<p>&nbsp;"
    assert [one.linked for one in read_signals(visible_lines(parse(page)), page, "")] == [0.0]


def test_lines_of_a_page_keep_their_odds_when_it_becomes_passages(tmp_path):
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    (document,) = read_documents([tmp_path / "a.html"], ReadingOptions(furniture=True))
    contexts = [one for _, one in with_neighbours(read_rows([str(tmp_path / "a.html")], options=ReadingOptions(furniture=True)))]
    assert [one.furniture for one in contexts] == document.furniture_at(document.text.index(one.text) for one in contexts)
    assert len(document.furniture) == len(document.text.split("\n"))


def test_only_pages_say_something(tmp_path):
    (tmp_path / "a.txt").write_text("Start\nBron stängs.", encoding="utf-8")
    assert [one.furniture for _, one in with_neighbours(read_rows([str(tmp_path / "a.txt")], options=ReadingOptions(furniture=True)))] == [None, None]
    assert make_document("Start", "a").furniture_at([0, 3]) == [None, None]


def test_without_a_page_scores_stay_to_the_last_digit_and_with_one_only_furniture_changes():
    scores = np.random.default_rng(1).random((3, 4))
    plain = [PassageInContext("a"), PassageInContext("b"), PassageInContext("c")]
    assert with_pages(scores, plain, [3], [0.4]) is scores
    found = with_pages(scores, [plain[0], plain[1]._replace(furniture=4.0), plain[2]._replace(furniture=-4.0)], [3], [0.4])
    assert np.array_equal(found[0], scores[0])
    assert np.array_equal(found[:, :3], scores[:, :3])
    assert found[1, 3] > scores[1, 3]
    assert found[2, 3] < scores[2, 3]
    assert with_pages(scores, [one._replace(furniture=4.0) for one in plain], [], []) is scores


class Undecided:
    """A classifier that finds each label as likely as not."""

    def scores(self, texts):
        return np.full((len(texts), 2), 0.5)


def test_the_article_of_a_page_is_printed_without_its_menu(tmp_path, monkeypatch, capsys):
    model = TrainedModel("baseline", ("quote", "boilerplate"), frozenset({"boilerplate"}), (Calibration(0.6), Calibration()), Undecided(), version="fake-1")
    monkeypatch.setattr("newsmark.models.store.find_model", lambda _: FoundModel(Path(), "made for this test"))
    monkeypatch.setattr("newsmark.models.saved.load_model", lambda _: model)
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    assert cli.main([str(tmp_path / "a.html"), "--article"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in printed] == ["Bron stä", "Bron öve", "Kommunen"]


def test_a_server_is_sent_what_the_page_says():
    assert list(_parts([PassageInContext("a", "", "b", 1.5), PassageInContext("b", "a")])) == [
        [{"text": "a", "after": "b", "furniture": 1.5}, {"text": "b", "before": "a"}]
    ]


def test_an_undecided_page_leaves_the_decision_and_more_of_its_odds_make_furniture_likelier():
    scores = np.array([[0.3], [0.41], [0.9]])
    contexts = [PassageInContext(text, furniture=0.0) for text in "abc"]
    assert (with_pages(scores, contexts, [0], [0.4]) >= 0.4).ravel().tolist() == [False, True, True]
    likelier = [with_pages(scores, [one._replace(furniture=odds) for one in contexts], [0], [0.4]) for odds in (-2.0, 0.0, 2.0)]
    assert (likelier[0] < likelier[1]).all()
    assert (likelier[1] < likelier[2]).all()
