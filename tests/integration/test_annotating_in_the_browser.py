"""The interface as annotators use it: in a real browser, with the mouse, on a text whose characters are hard to count.

With ``NEWSMARK_SCREENSHOT=FILE.png`` a picture of the interface is saved; ``annotation/interface.png`` was made so.
"""

import base64
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import PATIENCE, button, choose, click_mark, mark, open_task, regions
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.ui import WebDriverWait

TEXT = "Möte 😀👩‍👩‍👧 i dag\r\n\tCafe\u0301 E\u0301lyse\u0301e:\u00a0vi bygger\u00a0mer  nu 🎉!\r\n\r\nPrès de 100 pays\tont dit 𝔬𝔲𝔦 oui.\r\n"


@pytest.fixture
def annotate(label_studio, command, project):
    def run(name, *arguments):
        env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
        done = command("annotation", name, "--project", project.title, *arguments, env=env)
        assert done.returncode == 0, done.stderr

    return run


def test_marked_words_come_back_exactly(project, annotate, browser, tmp_path):
    row = {"text": TEXT, "name": "hard.txt", "lang": "sv"}
    (tmp_path / "hard.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "hard.jsonl")
    (task,) = project.tasks.export(only_annotated=False)
    assert task.text == TEXT
    open_task(browser, project.task_url(task.id), "100 pays")
    browser.find_element(By.TAG_NAME, "body").send_keys("1")
    mark(browser, "vi bygger\u00a0mer")
    choose(browser, "boilerplate")
    mark(browser, "𝔬𝔲𝔦 oui")
    choose(browser, "drug-control")
    button(browser, "Submit").click()
    button(browser, "Update")
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    marked = {(span["label"], TEXT[span["start"] : span["end"]], span.get("accepted", False)) for span in pulled["spans"]}
    assert marked == {("commitment", "vi bygger\u00a0mer", False), ("boilerplate", "𝔬𝔲𝔦 oui", False), ("statistic", "Près de 100 pays", True)}
    assert pulled["topics"] == ["drug-control"]


def test_a_key_and_a_drag_give_a_quote_its_kind_and_several_marks_are_deleted_at_once(project, annotate, browser, tmp_path):
    text = "Près de 100 pays ont signé.\nElle dit que tout va bien.\n« Nous allons y travailler demain », dit-elle."
    (tmp_path / "quotes.jsonl").write_text(json.dumps({"text": text, "name": "quotes.txt", "lang": "fr"}) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "quotes.jsonl")
    (task,) = project.tasks.export(only_annotated=False)
    open_task(browser, project.task_url(task.id), "dit-elle")
    shown = {one.get_attribute("data-label") for one in browser.find_elements(By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight")}
    assert shown == {"1:statistic", "2:quote:direct"}  # what each mark is stands in the text
    browser.find_element(By.TAG_NAME, "body").send_keys("d")
    mark(browser, "lle dit que tout va bie")
    click_mark(browser, "100 pays")
    click_mark(browser, "Nous allons", Keys.CONTROL)
    ActionChains(browser).send_keys(Keys.BACKSPACE).perform()
    WebDriverWait(browser, PATIENCE).until(lambda driver: regions(driver) == 1)
    button(browser, "Submit").click()
    button(browser, "Update")
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    (span,) = pulled["spans"]
    assert (span["label"], span["kind"], text[span["start"] : span["end"]]) == ("quote", "indirect", "Elle dit que tout va bien")


def test_suggestions_that_arrive_later_are_taken_over_as_a_whole(project, annotate, browser, tmp_path):
    text = "Près de 100 pays ont signé.\nComment (0)"
    (tmp_path / "later.jsonl").write_text(json.dumps({"text": text, "name": "later.txt", "lang": "fr"}) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "later.jsonl", "--min-score", "0.8")
    (task,) = project.tasks.export(only_annotated=False)
    open_task(browser, project.task_url(task.id), "Comment")
    browser.find_element(By.TAG_NAME, "body").send_keys("w")
    WebDriverWait(browser, PATIENCE).until(lambda _: project.tasks.drafts_of(task.id))
    annotate("push", tmp_path / "later.jsonl")
    open_task(browser, project.task_url(task.id), "Comment")
    assert regions(browser) == 1  # what was begun
    tab = next(one for one in browser.find_elements(By.CSS_SELECTOR, ".lsf-annotation-button") if one.text.startswith("rules-1\n"))
    tab.find_element(By.CSS_SELECTOR, "[class*=__trigger]").click()
    WebDriverWait(browser, PATIENCE).until(presence_of_element_located((By.XPATH, "//*[text()='Duplicate Annotation']"))).click()
    WebDriverWait(browser, PATIENCE).until(lambda driver: regions(driver) == 2)
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    button(browser, "Update")
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(span["label"], span["accepted"]) for span in pulled["spans"]] == [("statistic", True), ("boilerplate", True)]


def test_the_next_task_opens_with_what_the_model_suggests_at_that_moment(project, annotate, browser, start_backend, tmp_path):
    row = {"text": "Ministern lovar fler skolor.\nSolen sken.", "name": "live.txt", "lang": "sv"}
    (tmp_path / "live.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "live.jsonl")
    start_backend("--model", "tests/data/models/baseline-6")
    open_task(browser, f"{project.url}/data?labeling=1", "Solen sken.")
    (found,) = {one.text for one in browser.find_elements(By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight")}
    assert found == "Ministern lovar fler skolor."  # the rules, which push had suggest, find nothing there
    (task,) = project.tasks.export(only_annotated=False)
    open_task(browser, project.task_url(task.id), "Solen sken.")
    shown = browser.execute_script("return document.body.innerText")
    assert all(part in shown for part in ("baseline...f5f958", "65.24%", "0.79"))  # the version, as Label Studio shortens it, and scores
    button(browser, "Submit").click()
    WebDriverWait(browser, PATIENCE).until(lambda _: project.tasks.export(only_annotated=True))
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(span["label"], span["accepted"]) for span in pulled["spans"]} == {("commitment", True), ("statistic", True)}


def test_picture_of_the_interface(project, annotate, browser, tmp_path):
    """The README's picture; NEWSMARK_SCREENSHOT=annotation/interface.png makes it anew."""
    annotate("push", "seeds/003_351322b492e975e1.txt")
    (task,) = project.tasks.export(only_annotated=False)
    # drawn on a larger page, so that labels, text and topics fit into 1400×992
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 1750, "height": 1240, "deviceScaleFactor": 0.8, "mobile": False})
    open_task(browser, project.task_url(task.id), "100 pays")
    picture = base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
    Path(os.environ.get("NEWSMARK_SCREENSHOT") or tmp_path / "interface.png").write_bytes(picture)
    assert picture.startswith(b"\x89PNG")
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name).filter(name => name.startsWith('http'))")
    assert {urlsplit(name).netloc for name in fetched} == {urlsplit(project.connection.url).netloc}  # nobody else hears of the article
    marked = browser.execute_script("return document.body.innerText")
    assert all(name in marked for name in ("commitment", "statistic", "quote", "boilerplate", "online-fraud", "rules-1"))
