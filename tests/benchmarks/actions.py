"""How many actions an annotator needs per article, counted in Label Studio's real interface with a real browser: ``make bench``.

An action is a key, a drag or a click. The annotator works as the instructions say, with one drag over neighbouring stretches of one label, towards
the ground truth of the seed articles: from nothing, from the rules' suggestions, and from those of a baseline that has not seen the article. Only
what decides a passage counts: a suggestion stays where each passage has the right labels and kinds. Each count is checked: what is pulled says of
every passage what the ground truth says. The setting that is made once on each computer is not counted.
"""

import os
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from newsmark.annotation.annotations import read_annotations
from newsmark.annotation.documents import read_documents
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.interface import mark_name
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.pull import pull_annotations
from newsmark.annotation.label_studio.push import push_documents
from newsmark.annotation.label_studio.server import start_server
from newsmark.annotation.labels import load_labels
from newsmark.annotation.passage_labels import spans_of_passages
from newsmark.annotation.splitting.passages import split_passages
from newsmark.annotation.suggestions import RuleSuggester, SuggestedPassage, Suggestion, suggest_labels
from newsmark.training.config import load_config
from newsmark.training.experiment import run_experiment
from newsmark.training.material import load_material
from selenium import webdriver
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SCHEME = load_labels()
CHARACTERS, LINES = 900, 12  # that one drag goes over
PATIENCE = 100  # seconds; a page that comes at all comes long before
FLAGS = "headless=new no-sandbox disable-gpu disable-background-networking disable-component-update disable-sync no-first-run no-proxy-server"

# Where the characters of a slice (code points) are on the page: [left, middle, right, middle] of the first and the last one. A line break is one character.
PLACE = """
const [from, to] = arguments, area = document.querySelector('.lsf-htx-richtext');
const walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT), ends = [];
for (let at = 0, node; (node = walker.nextNode());) {
  if (node.nodeName === 'BR') at += 1;
  if (node.nodeType !== Node.TEXT_NODE) continue;
  for (let index = 0; index < node.data.length;) {
    const width = node.data.codePointAt(index) > 0xffff ? 2 : 1;
    if (at === from || at === to - 1) {
      const range = document.createRange();
      range.setStart(node, index); range.setEnd(node, index + width);
      ends.push(range);
      if (from === to - 1) ends.push(range);
    }
    at += 1; index += width;
  }
}
ends[0].startContainer.parentElement.scrollIntoView({block: 'center'});
const [first, last] = ends.map(one => one.getBoundingClientRect());
return [first.left + 1, first.top + first.height / 2, last.right - 1, last.top + last.height / 2].map(Math.round);
"""
REGIONS = "return window.Htx.annotationStore.selected.regionStore.regions.map(one => [one.startOffset, one.endOffset, one.labels[0]])"
UNDER = "const r = window.Htx.annotationStore.selected.regionStore.regions, s = document.elementFromPoint(...arguments).closest('.htx-highlight');" + (
    "const one = s && r.find(one => one.find(s)); return one ? [one.startOffset, one.endOffset, one.labels[0]] : null"
)
TOPICS = "return window.Htx.annotationStore.selected.names.get('topics').selectedValues()"
SETTING = "Keep label selected after creating a region"


class Hand:
    """An annotator at a browser; all that is done is counted.

    Attributes:
        counts: actions by what they are.
    """

    def __init__(self, driver):
        self.driver, self.counts = driver, Counter()

    def wait(self, reached):
        """Wait until the page has come so far."""
        return WebDriverWait(self.driver, PATIENCE, 0.05).until(lambda _: reached())

    def open(self, url, shown):
        """Open a task, and wait until its text and this number of suggestions are there."""
        self.driver.get(url)
        self.wait(lambda: self.driver.execute_script("return window.Htx?.annotationStore?.selected?.objects[0]?.isReady"))
        self.wait(lambda: len(self.regions()) == shown)
        if not self.driver.execute_script("return window.Htx.settings.continuousLabeling"):
            keep_label(self.driver)
            self.open(url, shown)
            return
        body, selected = self.driver.find_element(By.TAG_NAME, "body"), "return window.Htx.annotationStore.selected.names.get('span').isSelected"
        self.wait(lambda: body.send_keys("1") or self.driver.execute_script(selected))  # a page that is not ready loses keys
        body.send_keys(Keys.ESCAPE)
        self.wait(lambda: not self.driver.execute_script(selected))

    def regions(self):
        """What is marked: start, end, mark."""
        return [tuple(one) for one in self.driver.execute_script(REGIONS)]

    def press(self, *keys):
        """Press one key, with others held down before it."""
        self.counts["keys"] += 1
        actions = ActionBuilder(self.driver)
        for key in keys:
            actions.key_action.key_down(key)
        for key in reversed(keys):
            actions.key_action.key_up(key)
        actions.perform()

    def drag(self, start, end, mark):
        """Drag over a slice of the text, with a label selected."""
        self.counts["drags"] += 1
        before = len(self.regions())
        left, top, right, bottom = self.driver.execute_script(PLACE, start, end)
        actions = ActionBuilder(self.driver)
        actions.pointer_action.move_to_location(left, top).pointer_down().move_to_location((left + right) // 2, top).move_to_location(right, bottom)
        actions.pointer_action.pointer_up()
        actions.perform()
        self.wait(lambda: len(self.regions()) > before)
        made = self.regions()[-1]  # Label Studio takes whole words
        assert made[2] == mark, (made, mark)
        assert start - 3 < made[0] <= start < end <= made[1] < end + 3, (made, start, end)

    def click(self, region, more):
        """Click a mark, with Ctrl where it is one more; where another one covers it, in the list beside the text."""
        self.counts["clicks"] += 1
        x, y = self._place(region)
        actions = ActionBuilder(self.driver)
        if more:
            actions.key_action.key_down(Keys.CONTROL)
            actions.pointer_action.pause()
        actions.pointer_action.move_to_location(x, y).click()
        actions.perform()
        if more:
            after = ActionBuilder(self.driver)
            after.key_action.key_up(Keys.CONTROL)
            after.perform()

    def _place(self, region):
        start, end, _ = region
        for at in range(start, min(end, start + 400), 7):
            left, top, *_ = self.driver.execute_script(PLACE, at, at + 1)
            under = self.driver.execute_script(UNDER, left + 1, top)
            if under and tuple(under) == region:
                return left + 1, top
        row = self.driver.find_elements(By.CSS_SELECTOR, ".lsf-outliner-item")[self.regions().index(region)]
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", row)
        box = row.rect
        return round(box["x"] + box["width"] / 3), round(row.location["y"] + box["height"] / 2)

    def annotate(self, document, truth):
        """Correct what is marked until every passage has what the truth gives it, and submit."""
        plan = Corrections(document, truth, self.regions())
        for topic in truth.topics:
            self.press(next(one.hotkey for one in SCHEME.topics if one.name == topic))
            self.wait(lambda topic=topic: topic in self.driver.execute_script(TOPICS))
        for mark, spans in plan.missing.items():
            self.press(KEYS[mark])
            for start, end in spans:
                self.drag(start, end, mark)
        for mark, regions in plan.relabelled.items():
            for number, region in enumerate(regions):
                self.click(region, more=number > 0)
            self.press(KEYS[mark])
            self.wait(lambda regions=regions: not {*regions} & {*self.regions()})
        for number, region in enumerate(plan.wrong):
            self.click(region, more=number > 0)
        if plan.wrong:
            left = len(self.regions()) - len(plan.wrong)
            self.press(Keys.BACKSPACE)
            self.wait(lambda: len(self.regions()) == left)
        self.press(Keys.CONTROL, Keys.ENTER)
        self.wait(lambda: self.driver.find_elements(By.XPATH, "//button[normalize-space()='Update']"))


class Corrections:
    """What has to be done to what is marked.

    Attributes:
        missing: by mark, the spans to mark.
        relabelled: by the right mark, the regions that get it.
        wrong: regions to delete.
    """

    def __init__(self, document, truth, regions):
        passages = split_passages(document.text, document.language)
        needed = given(passages, truth.spans)
        shown = [to_span(number, *region) for number, region in enumerate(regions)]
        own = [{index for index, marks in enumerate(given(passages, [span])) if marks} for span in shown]
        right = [mark_of(span) for span in shown]
        self.relabelled, self.wrong, kept = {}, [], []
        for number, (span, where) in enumerate(zip(shown, own, strict=True)):
            wanted = [needed[index] for index in where]
            if where and all(right[number] in marks for marks in wanted):
                kept.append(span)
                continue
            others = {mark_of(one) for one, there in zip(shown, own, strict=True) if one is not span and there & where}
            better = set.intersection(*map(set, wanted)) - others if wanted else set()
            if better:
                mark = min(better, key=lambda one: one.split(":")[0] != span.label)
                self.relabelled.setdefault(mark, []).append(regions[number])
                kept.append(to_span(number, span.start, span.end, mark))
            else:
                self.wrong.append(regions[number])
        self.missing = {}
        for span in truth.spans:
            have = given(passages, kept)
            if any(mark_of(span) in need and mark_of(span) not in has for need, has in zip(given(passages, [span]), have, strict=True)):
                self.missing.setdefault(mark_of(span), []).append((span.start, span.end))
                kept.append(span)
        self.missing = {mark: together(sorted(places), document.text) for mark, places in self.missing.items()}


def together(places, text):
    """One drag for stretches that have only white space between them, as far as they are in view without scrolling."""
    found = places[:1]
    for start, end in places[1:]:
        whole = text[found[-1][0] : end]
        if start >= found[-1][1] and not text[found[-1][1] : start].strip() and len(whole) <= CHARACTERS and whole.count("\n") < LINES:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


KEYS = {mark_name(label.name, kind): key for label in SCHEME.labels for kind, key in label.marks.items()}


def mark_of(span):
    """Name of what a span was marked with."""
    return mark_name(span.label, span.kind)


def to_span(number, start, end, mark):
    """A region as a span."""
    from newsmark.annotation.annotations import Span
    from newsmark.annotation.label_studio.interface import read_mark

    label, kind = read_mark(mark)
    return Span(str(number), start, end, label, kind)


def given(passages, spans):
    """The marks that spans give each passage."""
    return [{mark_of(span) for span in own} for own in spans_of_passages(passages, list(spans), SCHEME)]


@contextmanager
def browser(server):
    """Chromium, logged in, with the setting that the instructions ask for, made in the interface."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS.split(), "window-size=1400,1200", f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            driver.get(f"{server.url}/user/login/")
            driver.find_element(By.NAME, "email").send_keys(server.username)
            driver.find_element(By.NAME, "password").send_keys(server.password)
            here = driver.current_url
            driver.find_element(By.NAME, "password").submit()
            WebDriverWait(driver, PATIENCE).until(lambda one: one.current_url != here)
            yield driver
        finally:
            driver.quit()


def keep_label(driver):
    """Switch the setting on, as the instructions say; it is kept in the browser."""
    driver.find_element(By.CSS_SELECTOR, "button[aria-label='Settings']").click()
    box = f"//label[contains(., '{SETTING}')]//input"
    (switch,) = WebDriverWait(driver, PATIENCE).until(lambda one: one.find_elements(By.XPATH, box))
    driver.execute_script("arguments[0].click()", switch)  # a real click may miss it while the window opens
    WebDriverWait(driver, PATIENCE).until(lambda one: one.execute_script("return window.Htx.settings.continuousLabeling"))


class Given:
    """Suggestions that are made already."""

    def __init__(self, version, made):
        self.version, self.made = version, made

    def suggest(self, document):
        """Give the document's."""
        return self.made.get(document.id, Suggestion(self.version, (), {}))


def unseen(documents):
    """Suggestions of a baseline that has not seen the article."""
    config = load_config(Path("configs/baseline.yaml"), {}, False)
    result, data = run_experiment(config), load_material(config, SCHEME, None, lambda _: None).data
    by_document = {}
    for row, document in enumerate(data.documents.tolist()):
        labels = {label: float(result.probabilities[row, index]) for index, label in enumerate(data.labels) if result.decisions[row, index]}
        by_document.setdefault(document, []).append(SuggestedPassage(*data.offsets[row], labels))
    return {one.id: suggest_labels(one, "baseline", by_document.get(one.id, ()), SCHEME) for one in documents}


def count(driver, server, title, documents, truths, suggester):
    """Annotate all documents in a project of their own; returns the actions of each."""
    project = Project(Connection(server.url, server.token), title)
    project.ensure(SCHEME, None)
    for _ in push_documents(project, documents, suggester, []):
        pass
    project.suggestion_version = suggester.version
    tasks = {task.sha256: task.id for task in project.tasks.export(only_annotated=False)}
    counts = {}
    for document in documents:
        hand = Hand(driver)
        hand.open(project.task_url(tasks[document.id]), len(suggester.suggest(document).spans))
        hand.annotate(document, truths[document.id])
        counts[document.name] = hand.counts
    pulled = {one.document_id: one for one in pull_annotations(project, [], SCHEME, everything=True).annotations}
    for document in documents:
        passages = split_passages(document.text, document.language)
        assert given(passages, pulled[document.id].spans) == given(passages, truths[document.id].spans), document.name
        assert pulled[document.id].topics == truths[document.id].topics
    return counts


def main():
    """Count all articles and print a table."""
    documents = list(read_documents([Path("seeds")]))
    truths = {one.document_id: one for one in read_annotations(Path("seeds/annotations.jsonl"), documents, SCHEME) if one.ground_truth}
    sources = {"nothing": Given("none", {}), "rules": RuleSuggester(SCHEME), "baseline": Given("baseline", unseen(documents))}
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder) / "data") as server, browser(server) as driver:
        table = {name: count(driver, server, f"actions {name}", documents, truths, suggester) for name, suggester in sources.items()}
    print(f"{'article':26} passages  spans  " + "  ".join(f"{name:>32}" for name in table))
    for document in documents:
        size = len(split_passages(document.text, document.language))
        cells = (
            f"{one.total():4} ({one['keys']:2} keys, {one['drags']:2} drags, {one['clicks']:2} clicks)"
            for one in (part[document.name] for part in table.values())
        )
        print(f"{document.name:26} {size:8}  {len(truths[document.id].spans):5}  " + "  ".join(cells))


if __name__ == "__main__":
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        raise SystemExit(print("actions: no Chromium with its driver on this machine; not counted"))
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{tempfile.mkdtemp()}/mlflow.db")
    main()
