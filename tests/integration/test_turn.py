"""``annotate turn``: from what annotators submitted to a new champion and its suggestions, with a real Label Studio, MLflow and browser."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from browsing import TEXT_AREA, button, click_mark, mark, open_task, regions
from mlflow import MlflowClient
from newsmark.annotation.documents import read_documents
from newsmark.annotation.labels import load_labels
from newsmark.annotation.reading.sources import ReadingOptions
from newsmark.annotation.suggestions import RuleSuggester
from newsmark.training.turn import _renew
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

SENTENCES = {
    "Ministern lovar att bygga {} skolor.": "commitment",
    "Antalet steg till {} procent.": "statistic",
    "Solen sken över staden igår.": None,
    "Staten ska anställa {} poliser.": "commitment",
}
MARKS = (By.CSS_SELECTOR, ".lsf-htx-richtext .htx-highlight")
GATE = "{margin: 1, label_loss: 1, language_loss: 1, calibration_error: 1, megabytes: 600, more_edits: 99}"
KILL = """
import importlib, os, signal, sys
import newsmark
module = importlib.import_module(sys.argv[1])
setattr(module, sys.argv[2], lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
newsmark.annotate(sys.argv[3:])
"""


@pytest.fixture
def desk(project, label_studio, command, tmp_path):
    """Five articles, pushed to a project, and how to annotate one and to take a turn."""
    articles = tmp_path / "articles"
    (articles / "more").mkdir(parents=True)
    for number in range(5):
        lines = [sentence.format(number + 3) for sentence in list(SENTENCES)[number % 2 :] + list(SENTENCES)[: number % 2]] * 3
        (articles / "more" / f"{number}.txt" if number == 4 else articles / f"{number}.txt").write_text(
            f"Nummer {number} av raden.\n" + "\n".join(lines) + "\n"
        )
    (tmp_path / "gate.yaml").write_text(GATE)
    (tmp_path / "baseline.yaml").write_text("model: baseline\n")
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    env |= {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "NEWSMARK_CACHE": str(tmp_path / "cache")}
    options = [
        "turn",
        str(articles),
        "--recursive",
        "--annotations",
        str(tmp_path / "own.jsonl"),
        "--config",
        str(tmp_path / "baseline.yaml"),
        "--project",
        project.title,
    ]
    options += ["--gate", str(tmp_path / "gate.yaml"), "--json"]

    class Desk:
        store = env["MLFLOW_TRACKING_URI"]
        client = MlflowClient(store)
        documents = tuple(read_documents([articles], ReadingOptions(recursive=True)))

        @staticmethod
        def turn(*more):
            return command("annotation", *options, *more, env=env)

        @staticmethod
        def killed_at(module, function):
            program = [sys.executable, "-c", KILL, module, function, *options]
            done = subprocess.run(program, env=env, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == -9, done.stderr

        def annotate(self, *numbers):
            tasks = {task.name: task.id for task in project.tasks.export(only_annotated=False)}
            for document in (self.documents[number] for number in numbers):
                marks, start = [], 0
                for line in document.text.split("\n"):
                    label = next((label for sentence, label in SENTENCES.items() if line[:8] == sentence[:8]), None)
                    value = {"start": start, "end": start + len(line), "labels": [label]}
                    if label:
                        marks.append({"id": f"s{start}", "from_name": "span", "to_name": "text", "type": "labels", "value": value})
                    start += len(line) + 1
                project.connection.sdk.annotations.create(id=tasks[document.name], result=marks)

        def champion(self):
            return self.client.get_registered_model("newsmark").aliases["champion"]

        def finished_runs(self):
            found = self.client.search_runs([self.client.get_experiment_by_name("newsmark").experiment_id], "attributes.status = 'FINISHED'")
            return [run for run in found if "mlflow.parentRunId" not in run.data.tags]

    made = Desk()
    pushed = command("annotation", "push", str(articles), "--recursive", "--project", project.title, env=env)
    assert pushed.returncode == 0, pushed.stderr
    return made


def queue(project):
    return {
        row["data"]["rank"]: row["data"]["name"] for row in project.tasks.export_rows(only_annotated=False) if not row["annotations"] and "rank" in row["data"]
    }


def test_a_turn_that_is_killed_anywhere_goes_on_from_there_and_the_next_one_learns_what_is_new(desk, project, predictions, tmp_path):
    desk.annotate(0, 1, 2)
    would = desk.turn("--dry-run")
    assert would.returncode == 0, would.stderr
    assert json.loads(would.stdout) | {"new": 3, "run_id": None, "champion": None} == json.loads(would.stdout)
    assert not (tmp_path / "own.jsonl").exists()

    desk.killed_at("newsmark.training.turn", "_log_tasks")  # the model is trained, and nobody knows it yet
    (run,) = desk.finished_runs()
    desk.killed_at("newsmark.training.registry", "set_aliases")  # it has a version, and is not champion
    desk.killed_at("newsmark.training.turn", "refresh_suggestions")  # it is champion, and suggests nothing yet
    desk.killed_at("newsmark.training.turn", "push_ranks")  # it suggests, and the queue has no order yet
    assert str(desk.champion()) == "1"
    first = desk.turn("--notify", f"tee {tmp_path / 'notified.json'}")
    assert first.returncode == 0, first.stderr
    answer = json.loads(first.stdout)
    assert answer | {"new": 0, "run_id": run.info.run_id, "trained": False, "champion": "1", "renewed": [], "reordered": 2} == answer
    assert sorted(queue(project)) == ["0001", "0002"]
    assert [one.info.run_id for one in desk.finished_runs()] == [run.info.run_id]  # trained once
    assert not (tmp_path / "notified.json").exists()  # nothing was promoted

    desk.annotate(3)
    second = desk.turn("--notify", f"tee {tmp_path / 'notified.json'}")
    assert second.returncode == 0, second.stderr
    answer = json.loads(second.stdout)
    assert answer | {"new": 1, "trained": True, "promoted": True, "refused": [], "champion": "2", "renewed": ["4.txt"]} == answer
    assert queue(project)["0001"] == "4.txt"
    assert "newer; 13 of 52 passages were not among the champion's" in answer["table"]
    assert json.loads((tmp_path / "notified.json").read_text())["champion"] == "2"
    links = Path(desk.client.download_artifacts(answer["run_id"], "tasks.txt", str(tmp_path))).read_text()
    assert links.count(f"{project.url}/data?task=") == 4
    waiting = next(task.id for task in project.tasks.export(only_annotated=False) if task.name == "4.txt")
    newest = max((one for one in predictions() if one["task"] == waiting), key=lambda one: one["id"])
    assert newest["model_version"] == project.suggestion_version
    assert {label for result in newest["result"] for label in result["value"].get("labels", ())} >= {"commitment", "statistic"}


def test_an_annotator_submits_and_the_next_article_opens_with_what_the_next_champion_suggests(desk, project, browser, start_backend, wait_until, tmp_path):
    desk.annotate(0, 1, 2)
    first = desk.turn()
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["champion"] == "1"
    start_backend(env={"MLFLOW_TRACKING_URI": desk.store})

    def connected_version():
        return project.connection.get("api/ml/", {"project": project.required_id()})[0]["title"]

    former = connected_version()

    def next_article():
        """Open what the label stream gives: its number, and the words and the label of each mark in it."""
        open_task(browser, f"{project.url}/data?labeling=1", "av raden")
        number = int(re.search(r"Nummer (\d) av raden", browser.find_element(*TEXT_AREA).text).group(1))
        return number, {(one.text, one.get_attribute("data-label").partition(":")[2]) for one in browser.find_elements(*MARKS)}

    number, marks = next_article()
    promise, count = (sentence.format(number + 3) for sentence in list(SENTENCES)[:2])
    assert {(promise, "commitment"), (count, "statistic")} <= marks
    (task,) = [one for one in project.tasks.export(only_annotated=False) if one.name == f"{number}.txt"]
    open_task(browser, project.task_url(task.id), "av raden")  # the stream's page begins with the instructions, in a window of their own
    there = regions(browser)
    click_mark(browser, count)
    ActionChains(browser).send_keys(Keys.BACKSPACE).perform()
    wait_until(lambda: regions(browser) == there - 1)
    button(browser, "Submit").click()
    wait_until(lambda: len(project.tasks.export(only_annotated=True)) == 4)

    second = desk.turn()  # one of three equal sentences has no label now: what was learned of them is worse
    answer = json.loads(second.stdout)
    assert answer | {"new": 1, "promoted": False, "refused": ["macro F1"], "champion": "1"} == answer, second.stderr
    open_task(browser, project.task_url(task.id), "av raden")
    browser.find_element(By.TAG_NAME, "body").send_keys("2")
    mark(browser, count)
    button(browser, "Update").click()
    wait_until(lambda: there in {len(one.annotations[0].results) for one in project.tasks.export(only_annotated=True) if one.id == task.id})
    third = desk.turn()
    answer = json.loads(third.stdout)
    assert answer | {"new": 0, "changed": 1, "promoted": True, "refused": [], "champion": "3"} == answer, third.stderr
    pulled = next(row for row in map(json.loads, (tmp_path / "own.jsonl").read_text().splitlines()) if row["name"] == f"{number}.txt")
    assert sum(span.get("accepted", False) for span in pulled["spans"]) == len(pulled["spans"]) - 1 == there - 1

    wait_until(lambda: connected_version() == project.suggestion_version != former)  # the backend follows the champion some seconds later
    newest = project.suggestion_version  # of the tasks that nobody annotated
    last, marks = next_article()
    assert {number, last} == {3, 4}
    assert (promise.replace(str(number + 3), str(last + 3)), "commitment") in marks
    (task,) = [one for one in project.tasks.export(only_annotated=False) if one.name == f"{last}.txt"]
    open_task(browser, project.task_url(task.id), "av raden")
    assert newest[-6:] in browser.execute_script("return document.body.innerText")  # the stream's page does not show the version


def test_where_everything_is_annotated_nothing_is_suggested_anew(desk, project):
    desk.annotate(0, 1, 2, 3, 4)
    newer = RuleSuggester(load_labels(), "newer")
    assert _renew(SimpleNamespace(project=project, dry_run=False), list(desk.documents), newer, print) == ()
    assert project.suggestion_version == "rules-1"  # Label Studio refuses a version of which the project has no suggestions


def test_a_failure_is_one_line_and_is_notified(desk, tmp_path):
    (tmp_path / "baseline.yaml").write_text("model: baseline\nseed: many\n")
    done = desk.turn("--notify", f"tee {tmp_path / 'notified.json'}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"annotate: error: {tmp_path / 'baseline.yaml'}: seed: must be a whole number")
    assert "seed" in json.loads((tmp_path / "notified.json").read_text())["error"]
    failed = desk.turn("--notify", "false")
    assert "--notify failed" in failed.stderr
