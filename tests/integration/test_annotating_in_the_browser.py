"""The interface as annotators use it: in a real browser, with the mouse, on a text whose characters are hard to count.

With ``NEWSMARK_SCREENSHOT=FILE.png`` a picture of the interface is saved; ``annotation/interface.png`` was made so.
"""

import base64
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import presence_of_element_located, url_changes
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with its driver on this machine (Debian: apt-get install chromium-driver)")

PATIENCE = 600  # seconds; a page that comes at all comes long before
FLAGS = "headless=new no-sandbox disable-gpu disable-background-networking disable-component-update disable-sync no-first-run no-proxy-server"
TEXT = "Möte 😀👩‍👩‍👧 i dag\r\n\tCafe\u0301 E\u0301lyse\u0301e:\u00a0vi bygger\u00a0mer  nu 🎉!\r\n\r\nPrès de 100 pays\tont dit 𝔬𝔲𝔦 oui.\r\n"
TEXT_AREA = (By.CSS_SELECTOR, ".lsf-htx-richtext")

# Middle heights and outer edges of the first and last character of some words, which must stand in one text node.
RECTS = """
const area = document.querySelector('.lsf-htx-richtext'), walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, at = node.data.indexOf(arguments[0]);
  if (at < 0) continue;
  const range = document.createRange();
  range.setStart(node, at); range.setEnd(node, at + arguments[0].length);
  node.parentElement.scrollIntoView({block: 'center'});
  const rects = [...range.getClientRects()], first = rects[0], last = rects[rects.length - 1];
  return [first.left + 1, first.top + first.height / 2, last.right - 1, last.top + last.height / 2].map(Math.round);
}
return null;
"""


@pytest.fixture
def annotate(label_studio, command, project):
    def run(name, *arguments):
        env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
        done = command("annotation", name, "--project", project.title, *arguments, env=env)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def browser(label_studio, tmp_path):
    """Chromium with a fresh profile, logged in as the administrator."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), "window-size=1400,1000", f"user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.get(f"{label_studio.url}/user/login/")
        driver.find_element(By.NAME, "email").send_keys(label_studio.username)
        password = driver.find_element(By.NAME, "password")
        password.send_keys(label_studio.password)
        here = driver.current_url
        password.submit()
        WebDriverWait(driver, PATIENCE).until(url_changes(here))
        yield driver
    finally:
        driver.quit()


def _open(browser, url, text):
    """Open a task and wait until its text and its suggestions are there."""
    browser.get(url)
    WebDriverWait(browser, PATIENCE).until(presence_of_element_located(TEXT_AREA))
    WebDriverWait(browser, PATIENCE).until(lambda driver: text in driver.find_element(*TEXT_AREA).text)
    WebDriverWait(browser, PATIENCE).until(_regions)


def _regions(browser):
    """Number of highlighted stretches of text."""
    return len(browser.find_elements(By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight"))


def _mark(browser, words):
    """Drag the mouse from before the first to behind the last character."""
    before = _regions(browser)
    left, top, right, bottom = browser.execute_script(RECTS, words)
    actions = ActionBuilder(browser)
    actions.pointer_action.move_to_location(left, top).pointer_down().move_to_location((left + right) // 2, top).move_to_location(right, bottom).pointer_up()
    actions.perform()
    WebDriverWait(browser, PATIENCE).until(lambda driver: _regions(driver) > before)
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)  # leaves the new region, so that the next key or click is no change of it


def _button(browser, text):
    return WebDriverWait(browser, PATIENCE).until(presence_of_element_located((By.XPATH, f"//button[normalize-space()='{text}']")))


def _choose(browser, name):
    """Click a label or topic, which carries its hotkey behind its name."""
    found = [one for one in browser.find_elements(By.XPATH, f"//*[starts-with(normalize-space(), '{name}')]") if re.fullmatch(rf"{name}\s*\W?\w?\W?", one.text)]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[-1])
    found[-1].click()


def test_marked_words_come_back_exactly(project, annotate, browser, tmp_path):
    row = {"text": TEXT, "name": "hard.txt", "lang": "sv"}
    (tmp_path / "hard.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "hard.jsonl")
    (task,) = project.tasks.export(only_annotated=False)
    assert task.text == TEXT
    _open(browser, project.task_url(task.id), "100 pays")
    browser.find_element(By.TAG_NAME, "body").send_keys("1")
    _mark(browser, "vi bygger\u00a0mer")
    _choose(browser, "boilerplate")
    _mark(browser, "𝔬𝔲𝔦 oui")
    _choose(browser, "drug-control")
    _button(browser, "Submit").click()
    _button(browser, "Update")
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    marked = {(span["label"], TEXT[span["start"] : span["end"]], span.get("accepted", False)) for span in pulled["spans"]}
    assert marked == {("commitment", "vi bygger\u00a0mer", False), ("boilerplate", "𝔬𝔲𝔦 oui", False), ("statistic", "Près de 100 pays", True)}
    assert pulled["topics"] == ["drug-control"]


def _click_mark(browser, words, *held):
    """Click a mark, with keys held down."""
    left, top, *_ = browser.execute_script(RECTS, words)
    for key in held:
        ActionChains(browser).key_down(key).perform()
    actions = ActionBuilder(browser)
    actions.pointer_action.move_to_location(left + 3, top).click()
    actions.perform()
    for key in held:
        ActionChains(browser).key_up(key).perform()


def test_a_key_and_a_drag_give_a_quote_its_kind_and_several_marks_are_deleted_at_once(project, annotate, browser, tmp_path):
    text = "Près de 100 pays ont signé.\nElle dit que tout va bien.\n« Nous allons y travailler demain », dit-elle."
    (tmp_path / "quotes.jsonl").write_text(json.dumps({"text": text, "name": "quotes.txt", "lang": "fr"}) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "quotes.jsonl")
    (task,) = project.tasks.export(only_annotated=False)
    _open(browser, project.task_url(task.id), "dit-elle")
    shown = {one.get_attribute("data-label") for one in browser.find_elements(By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight")}
    assert shown == {"1:statistic", "2:quote:direct"}  # what each mark is stands in the text
    browser.find_element(By.TAG_NAME, "body").send_keys("5")
    _mark(browser, "lle dit que tout va bie")
    _click_mark(browser, "100 pays")
    _click_mark(browser, "Nous allons", Keys.CONTROL)
    ActionChains(browser).send_keys(Keys.BACKSPACE).perform()
    WebDriverWait(browser, PATIENCE).until(lambda driver: _regions(driver) == 1)
    _button(browser, "Submit").click()
    _button(browser, "Update")
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    (span,) = pulled["spans"]
    assert (span["label"], span["kind"], text[span["start"] : span["end"]]) == ("quote", "indirect", "Elle dit que tout va bien")


def test_suggestions_that_arrive_later_are_taken_over_as_a_whole(project, annotate, browser, tmp_path):
    text = "Près de 100 pays ont signé.\nComment (0)"
    (tmp_path / "later.jsonl").write_text(json.dumps({"text": text, "name": "later.txt", "lang": "fr"}) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "later.jsonl", "--min-score", "0.8")
    (task,) = project.tasks.export(only_annotated=False)
    _open(browser, project.task_url(task.id), "Comment")
    browser.find_element(By.TAG_NAME, "body").send_keys("w")
    WebDriverWait(browser, PATIENCE).until(lambda _: project.tasks.drafts_of(task.id))
    annotate("push", tmp_path / "later.jsonl")
    _open(browser, project.task_url(task.id), "Comment")
    assert _regions(browser) == 1  # what was begun
    tab = next(one for one in browser.find_elements(By.CSS_SELECTOR, ".lsf-annotation-button") if one.text.startswith("rules-1\n"))
    tab.find_element(By.CSS_SELECTOR, "[class*=__trigger]").click()
    WebDriverWait(browser, PATIENCE).until(presence_of_element_located((By.XPATH, "//*[text()='Duplicate Annotation']"))).click()
    WebDriverWait(browser, PATIENCE).until(lambda driver: _regions(driver) == 2)
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    _button(browser, "Update")
    annotate("pull", "--annotations", tmp_path / "own.jsonl")
    (pulled,) = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(span["label"], span["accepted"]) for span in pulled["spans"]] == [("statistic", True), ("boilerplate", True)]


def test_the_next_task_opens_with_what_the_model_suggests_at_that_moment(project, annotate, browser, start_backend, tmp_path):
    row = {"text": "Ministern lovar fler skolor.\nSolen sken.", "name": "live.txt", "lang": "sv"}
    (tmp_path / "live.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    annotate("push", tmp_path / "live.jsonl")
    start_backend("--model", "tests/data/models/baseline-6")
    _open(browser, f"{project.url}/data?labeling=1", "Solen sken.")
    (found,) = {one.text for one in browser.find_elements(By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight")}
    assert found == "Ministern lovar fler skolor."  # the rules, which push had suggest, find nothing there
    (task,) = project.tasks.export(only_annotated=False)
    _open(browser, project.task_url(task.id), "Solen sken.")
    shown = browser.execute_script("return document.body.innerText")
    assert all(part in shown for part in ("baseline...f5f958", "65.24%", "0.79"))  # the version, as Label Studio shortens it, and scores
    _button(browser, "Submit").click()
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
    _open(browser, project.task_url(task.id), "100 pays")
    picture = base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
    Path(os.environ.get("NEWSMARK_SCREENSHOT") or tmp_path / "interface.png").write_bytes(picture)
    assert picture.startswith(b"\x89PNG")
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name).filter(name => name.startsWith('http'))")
    assert {urlsplit(name).netloc for name in fetched} == {urlsplit(project.connection.url).netloc}  # nobody else hears of the article
    marked = browser.execute_script("return document.body.innerText")
    assert all(name in marked for name in ("commitment", "statistic", "quote", "boilerplate", "online-fraud", "rules-1"))
