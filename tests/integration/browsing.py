"""Label Studio's interface in a real browser: a browser that is logged in, and what an annotator does in it."""

import re
import shutil
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import presence_of_element_located, url_changes
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE = 600  # seconds; a page that comes at all comes long before
FLAGS = "headless=new no-sandbox disable-gpu disable-background-networking disable-component-update disable-sync no-first-run no-proxy-server"
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


@contextmanager
def logged_in(label_studio, profile):
    """Start Chromium with a fresh profile in this folder, logged in as the administrator."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), "window-size=1400,1000", f"user-data-dir={profile}"):
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


def open_task(browser, url, text):
    """Open a task and wait until its text and its suggestions are there."""
    browser.get(url)
    WebDriverWait(browser, PATIENCE).until(presence_of_element_located(TEXT_AREA))
    WebDriverWait(browser, PATIENCE).until(lambda driver: text in driver.find_element(*TEXT_AREA).text)
    WebDriverWait(browser, PATIENCE).until(regions)


def regions(browser):
    """Number of highlighted stretches of text."""
    return len(browser.find_elements(By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight"))


def mark(browser, words):
    """Drag the mouse from before the first to behind the last character."""
    before = regions(browser)
    left, top, right, bottom = browser.execute_script(RECTS, words)
    actions = ActionBuilder(browser)
    actions.pointer_action.move_to_location(left, top).pointer_down().move_to_location((left + right) // 2, top).move_to_location(right, bottom).pointer_up()
    actions.perform()
    WebDriverWait(browser, PATIENCE).until(lambda driver: regions(driver) > before)
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)  # leaves the new region, so that the next key or click is no change of it


def button(browser, text):
    return WebDriverWait(browser, PATIENCE).until(presence_of_element_located((By.XPATH, f"//button[normalize-space()='{text}']")))


def choose(browser, name):
    """Click a label or topic, which carries its hotkey behind its name."""
    found = [one for one in browser.find_elements(By.XPATH, f"//*[starts-with(normalize-space(), '{name}')]") if re.fullmatch(rf"{name}\s*\W?\w?\W?", one.text)]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[-1])
    found[-1].click()


def click_mark(browser, words, *held):
    """Click a mark, with keys held down."""
    left, top, *_ = browser.execute_script(RECTS, words)
    for key in held:
        ActionChains(browser).key_down(key).perform()
    actions = ActionBuilder(browser)
    actions.pointer_action.move_to_location(left + 3, top).click()
    actions.perform()
    for key in held:
        ActionChains(browser).key_up(key).perform()
