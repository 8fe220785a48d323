"""``predict --report``: a page that holds whatever a text holds, and that works in a browser."""

import contextlib
import json
import re
import shutil

import pytest
from newsmark.annotation.errors import NewsmarkError, UsageError
from newsmark.models.prediction import report as module
from newsmark.models.prediction.report import Report
from newsmark.models.prediction.rows import Row, read_rows
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NASTY = "</script><script>document.title = 'taken'</script> & \u202etxet\u202c " + "x" * 1_000_000


def labelled(text, start, *labels, name="a.txt", review=False, begins_line=True, **fields):
    """A row of an article, as ``predict`` labels it."""
    scores = {"commitment": 0.1, "statistic": 0.2, "quote": 0.3, "boilerplate": 0.1} | dict.fromkeys(labels, 0.75)
    begin = json.dumps({"document": "1" * 64, "name": name, "start": start, "end": start + len(text), **fields})[:-1]
    added = {"labels": list(labels), "scores": scores, "review": review, "truncated": False, "model_version": "baseline-1"}
    return Row(text, begin, name, begins_line=begins_line), added


@contextlib.contextmanager
def browser_of(tmp_path):
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", f"user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.mark.parametrize("odd", [["a", "b"], {"a": 1}, 5, True])
def test_rows_whose_document_or_name_is_no_text_are_on_the_page(tmp_path, odd):
    rows = [{"text": "Regn.", "document": odd}, {"text": "Sol.", "document": odd}, {"text": "Snö.", "name": odd}, {"text": "Dela.", "title": odd, "date": odd}]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    made = Report(tmp_path / "report.html")
    made((row, labelled("", 0)[1]) for row in read_rows([str(tmp_path / "rows.jsonl")]))
    made.close()
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(one in text for one in ("Regn.", "Sol.", "Snö.", "Dela."))


@pytest.fixture
def page(tmp_path):
    """The page of two articles."""
    made = Report(tmp_path / "report.html")
    made([labelled("Start | Sport", 0, "boilerplate", title="Om <priset>", url="https://example.org/1"), labelled(NASTY, 14, "quote", review=True)])
    made([labelled("=1+1 löfte om 7 skolor.", 1_000_200, "commitment", "statistic", begins_line=False), labelled("Regn.", 0, name="b.txt")])
    made([labelled("Priset steg 3 procent.", 6, "statistic", name="b.txt")])
    made.close()
    return tmp_path / "report.html"


def test_the_page_holds_each_article_and_asks_nothing_of_anybody(page):
    text = page.read_text(encoding="utf-8")
    assert "2 articles, labelled by newsmark" in text
    assert not re.search(r"(?:src|href)=\"(?!#)", text)
    assert text.count("<script>") == 1  # the page's own
    assert "&lt;/script&gt;&lt;script&gt;" in text
    assert "Om &lt;priset&gt;" in text
    assert text.count("<tr data-label") == 4  # furniture is in no row
    assert '<span class="furniture" title="boilerplate 0.75"><bdi>Start | Sport</bdi></span>' in text


def promised(text, start, name, **fields):
    """A row of an article with a span that is a commitment."""
    row, added = labelled(text, start, "commitment", name=name, document=name, **fields)
    span = {"start": start, "end": start + len(text), "text": text, "label": "commitment", "kind": None, "score": 0.75, "model_version": "baseline-1"}
    return row._replace(start=start, language="sv"), {**added, "spans": [span]}


@pytest.fixture
def records(tmp_path):
    """The page of three commitments, two of which are the same."""
    made = Report(tmp_path / "records.html")
    made([promised("Kommunen lovar att bygga 40 skolor i Gävle före 2030.", 3, "late.txt", date="2026-03-16")])
    made([promised("Kommunen lovar att bygga 40 skolor i Gävle före 2030!", 5, "early.txt", date="2026-03-01")])
    made([promised("=<b>Ek</b> ska \u202evinna\u202c.", 7, "nasty.txt")])
    made.close()
    return tmp_path / "records.html"


def test_the_commitments_are_a_table_in_order_of_case_and_date_with_links_to_their_passages(records):
    text = records.read_text(encoding="utf-8")
    table = re.search(r'<table id="records".*?</table>', text, re.DOTALL).group()
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr><td.*?</tr>", table)]
    assert [re.search(r"\w+\.txt", row).group() for row in rows] == ["early.txt", "late.txt", "nasty.txt"]
    assert "3 commitments; 1 of them is the same as an earlier one in another article" in text
    for words in ("Kommunen", "bygga 40 skolor i Gävle före 2030", "före 2030", "40 skolor", "reported", "2026-03-01", "0.75", "5"):
        assert f"|{words}|" in rows[0]
    assert "<b>Ek" not in table
    for link in re.findall(r'href="#(p\d+-\d+)"', table):
        assert f'id="{link}"' in text
    assert re.findall(r'href="#(p\d+-\d+)"', table) == ["p2-0", "p1-0", "p3-0"]


def test_a_page_without_commitments_has_no_table_of_them(page):
    assert 'id="commitments"' not in page.read_text(encoding="utf-8")


@pytest.mark.server
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with its driver on this machine (Debian: apt-get install chromium-driver)")
def test_in_a_browser_the_commitments_are_sorted_and_saved(records, tmp_path):
    with browser_of(tmp_path) as browser:
        browser.set_window_size(500, 900)
        browser.get(records.as_uri())
        assert browser.execute_script("return document.body.scrollWidth <= innerWidth")

        def articles():
            return [row.find_elements(By.TAG_NAME, "td")[7].text for row in browser.find_elements(By.CSS_SELECTOR, "#records tbody tr")]

        assert articles() == ["early.txt", "late.txt", "nasty.txt"]
        by_article = browser.find_elements(By.CSS_SELECTOR, "#records th button")[7]
        by_article.send_keys(Keys.ENTER)
        by_article.send_keys(Keys.ENTER)
        assert articles() == ["nasty.txt", "late.txt", "early.txt"]
        browser.execute_script("URL.createObjectURL = blob => { window.saved = blob; return '#'; }")
        browser.find_element(By.CSS_SELECTOR, "[data-csv=records]").send_keys(Keys.ENTER)
        saved = browser.execute_async_script("window.saved.text().then(arguments[0])")
        assert "\"'=<b>Ek</b>" in saved
        assert len(saved.strip().splitlines()) == 4
        assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.mark.server
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with its driver on this machine (Debian: apt-get install chromium-driver)")
def test_in_a_browser_it_sorts_filters_and_fits_a_phone(page, tmp_path):
    with browser_of(tmp_path) as browser:
        browser.set_window_size(500, 900)
        browser.get(page.as_uri())
        assert browser.title == "2 articles, labelled by newsmark"
        assert browser.execute_script("return document.body.scrollWidth <= innerWidth")

        def shown():
            return [row.find_element(By.CSS_SELECTOR, ".label").text for row in browser.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]

        assert shown() == ["quote", "commitment", "statistic", "statistic"]
        by_label = browser.find_elements(By.CSS_SELECTOR, "th button")[1]
        by_label.send_keys(Keys.ENTER)
        assert shown() == ["commitment", "quote", "statistic", "statistic"]
        by_label.send_keys(Keys.ENTER)
        assert shown() == ["statistic", "statistic", "quote", "commitment"]
        browser.find_element(By.CSS_SELECTOR, "[value=statistic]").send_keys(Keys.SPACE)
        assert shown() == ["quote", "commitment"]
        browser.find_element(By.ID, "review").send_keys(Keys.SPACE)
        assert (shown(), browser.find_element(By.ID, "shown").text) == (["quote"], "1 of 4 rows")
        assert browser.execute_script("return cell('=1+1')") == '"\'=1+1"'  # a spreadsheet computes nothing
        assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_what_can_be_no_page_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"rows\.csv: the report is a page; give it a name with \.html"):
        Report(tmp_path / "rows.csv")
    with pytest.raises(UsageError, match="no such folder; make it first"):
        Report(tmp_path / "none" / "report.html")
    monkeypatch.setattr(module, "_MOST", 1)
    full = Report(tmp_path / "report.html")
    with pytest.raises(NewsmarkError, match="a page holds 1 passages at most; give fewer articles, or write an --output"):
        full([labelled("a", 0), labelled("b", 2)])
    assert not (tmp_path / "report.html").exists()
