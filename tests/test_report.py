"""``predict --report``: a page that holds whatever a text holds, and that works in a browser."""

import json
import re
import shutil

import pytest
from newsmark.annotation.errors import NewsmarkError, UsageError
from newsmark.models.prediction import report as module
from newsmark.models.prediction.report import Report
from newsmark.models.prediction.rows import Row
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


@pytest.mark.server
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with its driver on this machine (Debian: apt-get install chromium-driver)")
def test_in_a_browser_it_sorts_filters_and_fits_a_phone(page, tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", f"user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
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
    finally:
        browser.quit()


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
