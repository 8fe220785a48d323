"""``train report``: a page that holds whatever a text holds, read with and without JavaScript, on a wide screen and on a phone.

With ``NEWSMARK_SCREENSHOT_FOLDER=FOLDER`` pictures of the page are saved.
"""

import os
import re
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from newsmark.training.comparison import compare
from newsmark.training.explanation import Moved
from newsmark.training.metrics import Interval, evaluate
from newsmark.training.report import passages
from newsmark.training.report.collect import Changes, Findings, Flip, LoggedCurve
from newsmark.training.report.page import report_page
from newsmark.training.tracking import LoggedPredictions, LoggedRun
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
LABELS = ("commitment", "quote", "boiler<plate>")
NASTY = "</script><script>document.title = 'taken'</script> & \u202etxet\u202c " + "x" * 1_000_000
ROWS = [  # article, language, text, truth, probabilities
    ("a.txt", "sv", "Ministern lovar fler skolor.", (1, 0, 0), (0.9, 0.1, 0.1)),
    ("a.txt", "sv", "Hon sade att solen sken.", (0, 1, 0), (0.1, 0.3, 0.1)),
    ("a.txt", "sv", NASTY, (0, 0, 0), (0.1, 0.7, 0.1)),
    ("a.txt", "sv", "Regn.", (0, 0, 0), (0.1, 0.1, 0.05)),
    ("<b>.html", "ar", "قال الوزير: \u202bنعم\u202c.", (0, 1, np.nan), (0.1, 0.95, 0.1)),
    ("<b>.html", "ar", "Start | Sport", (0, 0, 1), (0.05, 0.1, 0.8)),
]


def predicted(rows=ROWS):
    names, languages, texts, truth, probabilities = (list(column) for column in zip(*rows, strict=True))
    truth, probabilities, count = np.array(truth, dtype=float), np.array(probabilities), len(rows)
    about = {"documents": np.array(names), "names": np.array(names), "groups": np.array(names), "languages": np.array(languages)}
    offsets = [(number, number + len(text)) for number, text in enumerate(texts)]
    return LoggedPredictions(
        out_of_fold=True,
        labels=LABELS,
        texts=np.array(texts, dtype=object),
        offsets=offsets,
        truth=truth > 0,
        probabilities=probabilities,
        decisions=probabilities >= 0.5,
        judged=~np.isnan(truth),
        kinds=np.full(count, "article"),
        **about,
    )


def findings(url="", changes=None, curve=None):
    one = predicted()
    run = LoggedRun("0123456789abcdef" * 2, "baseline", "d" * 64, "cross-validation", {"edits_per_article": 4.25}, {"seed": "13", "note": "<i>"})
    risks = np.where(one.decisions, 1 - one.probabilities, one.probabilities)
    suspicious = np.zeros_like(one.truth)
    suspicious[1, 1] = True
    moved = {1: Moved(((0, 3), (4, 8), (9, 12)), np.array([[0, 0.1, 0], [0, 1.5, 0], [0, -0.9, 0]]))}
    tasks = {"a.txt": "http://studio/tasks/1?a=1&b=2", "<b>.html": "javascript:alert(1)"}
    scores = evaluate(one.labelled, one.probabilities, one.decisions, 13)
    return Findings(run, url, one, scores, (risks > 0.2) & one.judged, suspicious, moved, "Weights of n-grams.", tasks, changes, curve)


def changed():
    """The run before gave nobody a quote."""
    now = predicted()
    before = replace(now, decisions=now.decisions & ~np.array([False, True, False]), probabilities=np.where([False, True, False], 0.4, now.probabilities))
    flips = (Flip(2, 1, 0.4, False), Flip(4, 1, 0.4, True))
    return Changes(LoggedRun("b" * 32, "baseline", "d" * 64, "cross-validation", {}, {}), compare(before, now, 13), flips=flips)


def passage(page, row):
    return re.search(rf'<div class="passage[^>]*id="p{row}".*?</details></div>', page, re.DOTALL)[0]


def test_the_page_asks_nothing_of_anybody_and_links_only_to_studio_and_mlflow():
    page = report_page(findings("http://mlflow/#/experiments/1/runs/2"))
    links = re.findall(r"(?:src|href)=\"(?!#)([^\"]*)", page)
    assert links == ["http://mlflow/#/experiments/1/runs/2", "http://studio/tasks/1?a=1&amp;b=2"]  # no javascript:
    assert page.count("<script>") == 1  # the page's own
    assert "default-src 'none'" in page
    assert "&lt;/script&gt;&lt;script&gt;" in page
    assert "boiler<plate>" not in page
    assert "<i>" not in page


def test_each_passage_has_its_truth_its_prediction_and_the_words_that_moved_it():
    page = report_page(findings())
    missed = passage(page, 1)
    assert '<mark class="up3">sade</mark> <mark class="down2">att</mark> solen sken.' in missed
    assert '<span class="error">missed</span> <span class="label l1">quote</span>' in missed
    assert "doubtful" in missed
    assert "annotation looks wrong" in missed
    assert (
        "<b>0.30</b> annotated, not predicted<br>raised by <bdi>sade</bdi>&nbsp;+1.50, <bdi>Hon</bdi>&nbsp;+0.10<br>lowered by <bdi>att</bdi>&nbsp;-0.90"
        in missed
    )
    assert '<span class="error">wrongly</span> <span class="label l1">quote</span>' in passage(page, 2)
    assert '<span class="tags"><span class=quiet>no label</span></span>' in passage(page, 3)
    assert "<b>0.10</b> not judged, not predicted" in passage(page, 4)
    assert re.search(r'data-has="2" data-lang="ar"', passage(page, 5))


def test_the_scores_are_those_of_the_run():
    page = report_page(findings())
    scores = findings().evaluation
    assert f"<dt>macro F1</dt><dd><b>{scores.macro_f1.value:.2f}</b>" in page
    assert "<dt>edits per article</dt><dd><b>4.2</b>" in page
    assert "<dt>passages with an error</dt><dd><b>33%</b>" in page
    quote = re.search(r'<tr><td><span class="label l1">quote</span></td><td class="number">.*?</tr>', page)[0]
    assert re.findall(r'class="number">(?:<a [^>]*>)?([\d.–]+)', quote) == ["0.50", "0.50", "0.50", "0.83", "2", "1", "1"]
    assert page.count('<svg class="chart"') == 2 * 3
    assert "By language" in page
    assert "By kind" not in page  # there is one


def test_what_changed_is_counted_and_linked():
    page = report_page(findings(changes=changed()))
    assert "This run less baseline bbbbbbbb, on the 6 passages that both have with the same annotation" in page
    assert "were wrong and are right now: 1; that were right and are wrong now: 1." in page
    flips = re.search(r'<table id="flips-table".*?</table>', page, re.DOTALL)[0]
    rows = re.findall(r'href="#(p\d)".*?(right|wrong) now.*?class="number">(.*?)<.*?class="number">(.*?)<', flips)
    assert rows == [("p2", "wrong", "0.40", "0.70"), ("p4", "right", "0.40", "0.95")]
    why_not = Changes(changed().before, None, "their labels differ: a and <b>")
    assert "can't be compared with this run passage by passage: their labels differ: a and &lt;b&gt;." in report_page(findings(changes=why_not))


def test_a_learning_curve_is_drawn_where_there_is_one():
    curve = LoggedCurve("c" * 32, ((0, Interval(0.25, 0.2, 0.3)), (2, Interval(0.5, 0.4, 0.75))))
    (figure,) = re.findall(r'<figure id="learning">.*?</figure>', report_page(findings(curve=curve)), re.DOTALL)
    assert "learning curve of run cccccccc (0: 0.25, 2: 0.50)" in figure
    assert re.findall(r"<title>(\d.*?)</title>", figure) == ["0.20–0.30", "0.40–0.75", "0 articles: macro F1 0.25", "2 articles: macro F1 0.50"]
    assert 'id="learning"' not in report_page(findings())


def test_of_too_many_passages_those_with_an_error_stay(monkeypatch):
    monkeypatch.setattr(passages, "MOST", 3)
    one = findings()
    assert passages.shown_rows(one).tolist() == [0, 1, 2]  # in doubt or wrong are 1 and 2; the first of the others is 0
    page = report_page(one)
    assert page.count('<div class="passage') == 3
    assert "The 3 others are right and not in doubt" in page


def test_passages_that_stand_alone_are_together():
    alone = replace(findings(), predictions=replace(predicted(), documents=np.array(["a", "a", "b", "c", "d", "d"])))
    assert [(name, own) for name, own in passages.articles_of(alone, np.arange(6))] == [("a.txt", [0, 1]), ("<b>.html", [4, 5]), ("Single passages", [2, 3])]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium with its driver on this machine (Debian: apt-get install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "no-proxy-server", f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def screen(browser, width, scheme, scripts=True):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})


def shown(browser):
    return [one.get_attribute("id") for one in browser.find_elements(By.CSS_SELECTOR, ".passage") if one.is_displayed()]


def contrast(one, other):
    """Contrast of two colours (WCAG 2.2), each ``rgb(…)``."""
    lights = []
    for color in (one, other):
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
    return max(lights) / min(lights)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Address of the page."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_page(findings(changes=changed())), encoding="utf-8")
    return path.as_uri()


@pytest.mark.server
def test_it_fits_a_phone_and_a_wide_screen_in_light_and_in_dark(browser, page):
    pictures = os.environ.get("NEWSMARK_SCREENSHOT_FOLDER")
    for width, scheme in product((1280, 360), ("light", "dark")):
        screen(browser, width, scheme)
        browser.get(page)
        assert browser.title == "Report: baseline 01234567"
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width  # no scrolling sideways
        look = "const look = getComputedStyle(arguments[0]); return [look.color, look.getPropertyValue('background-color')]"
        text, back = browser.execute_script(look, browser.find_element(By.TAG_NAME, "body"))
        for which in (".quiet", ".error", ".good"):
            assert contrast(browser.execute_script(look, browser.find_element(By.CSS_SELECTOR, which))[0], back) > 4.5
        assert contrast(text, back) > 10
        assert (contrast(back, "rgb(0, 0, 0)") < 2) == (scheme == "dark")
        for place in ("scores", "p1") if pictures else ():
            browser.execute_script("document.getElementById(arguments[0]).scrollIntoView()", place)
            browser.save_screenshot(str(Path(pictures) / f"report-{width}-{scheme}-{place}.png"))


@pytest.mark.server
def test_it_is_filtered_and_sorted_by_keyboard(browser, page):
    screen(browser, 1280, "light")
    browser.get(page)
    assert shown(browser) == [f"p{row}" for row in range(6)]

    def filtered(**chosen):
        for name, value in chosen.items():
            Select(browser.find_element(By.NAME, name)).select_by_value(value)
        return shown(browser)

    assert filtered(show="error") == ["p1", "p2"]
    assert filtered(show="missed") == ["p1"]
    assert filtered(show="suspect") == ["p1"]
    assert filtered(show="doubt") == ["p1", "p2"]
    assert filtered(show="all", label="1") == ["p1", "p2", "p4"]
    assert filtered(language="ar") == ["p4"]
    assert browser.find_element(By.ID, "shown").text == "1 of 6 passages"
    browser.find_element(By.NAME, "beside").send_keys(Keys.SPACE)
    assert shown(browser) == ["p4", "p5"]
    browser.find_element(By.CSS_SELECTOR, "#labels-table a[data-show=wrongly]").send_keys(Keys.ENTER)  # the number of errors leads to them
    assert shown(browser) == ["p2"]
    browser.find_element(By.CSS_SELECTOR, "#flips-table a[href='#p4']").send_keys(Keys.ENTER)  # a passage that the filters hide is shown
    assert shown(browser) == [f"p{row}" for row in range(6)]
    words = browser.find_element(By.NAME, "words")
    words.send_keys("SOLEN")
    assert shown(browser) == ["p1"]
    words.send_keys("!")
    assert browser.find_element(By.ID, "none").is_displayed()
    words.clear()
    words.send_keys(" ", Keys.BACKSPACE)
    summary = browser.find_element(By.CSS_SELECTOR, "#p1 summary")
    summary.send_keys(Keys.ENTER)
    assert "raised by sade" in browser.find_element(By.ID, "p1").text
    by_label = browser.find_element(By.CSS_SELECTOR, "#flips-table th:nth-child(3) button")
    by_label.send_keys(Keys.ENTER)
    assert [one.text for one in browser.find_elements(By.CSS_SELECTOR, "#flips-table td.outcome")] == ["right now", "wrong now"]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.mark.server
def test_without_javascript_everything_is_there_to_read(browser, page):
    screen(browser, 360, "light", scripts=False)
    browser.get(page)
    assert not browser.find_element(By.ID, "filters").is_displayed()
    assert shown(browser) == [f"p{row}" for row in range(6)]
    browser.find_element(By.CSS_SELECTOR, "#p1 summary").send_keys(Keys.ENTER)
    assert "raised by sade" in browser.find_element(By.ID, "p1").text
