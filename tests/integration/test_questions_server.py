"""``annotate ask``, ``answers`` and ``next`` against the real Label Studio, up to what training reads."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from newsmark.annotation.documents import read_documents
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.splitting.passages import split_passages
from newsmark.training.labelled import load_to_train

SCHEME = load_labels()
TEXTS = {"a.txt": "De lovar nya skolor.\nPriset steg.\nHon ska gå hem.", "b.txt": "Il pleut.\nNous allons agir.", "c.txt": "Vi ska bygga."}


@pytest.fixture
def title(request):
    return request.node.name.removeprefix("test_")[:30]


@pytest.fixture
def annotate(label_studio, command, title):
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}

    def run(*arguments):
        done = command("annotation", *arguments, "--project", title, env=env)
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def articles(tmp_path):
    """A folder of articles, and beside it what a model says of them: everything is about as probable as not."""
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as stream:
        for document in read_documents([folder]):
            for number, one in enumerate(split_passages(document.text, document.language)):
                row = {"document": document.id, "name": document.name, **vars(one), "labels": [], "scores": {"commitment": 0.5 - number / 10}}
                stream.write(json.dumps({**row, "model_version": "m"}) + "\n")
    return folder


def answer(project, choice, task):
    result = {"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}
    project.connection.sdk.annotations.create(id=task.id, result=[result])


def test_passages_are_asked_answered_and_learned(project, annotate, articles, tmp_path, title):
    def ask(number):
        options = ("--rows", tmp_path / "rows.jsonl", "--annotations", tmp_path / "none.jsonl", "--json")
        return json.loads(annotate("ask", articles, "--label", "commitment", "--number", number, *options).stdout)

    annotate("push", articles / "c.txt")
    annotated = Project(project.connection, title)
    (whole,) = annotated.tasks.export(only_annotated=False)
    project.connection.sdk.annotations.create(id=whole.id, result=[])
    first, rest = ask(3), ask(9)
    assert (first["asked"], first["articles"], first["annotated_articles"]) == (3, 2, 1)
    assert (rest["asked"], rest["asked_before"], ask(9)["asked"]) == (2, 3, 0)

    questions = Project(project.connection, f"{title} questions")
    tasks = sorted(questions.tasks.export(only_annotated=False), key=lambda one: one.id)
    texts = [task.text for task in tasks]
    assert {*texts} == {line for name in ("a.txt", "b.txt") for line in TEXTS[name].split("\n")}
    for choice, task in zip(("yes", "no", "can't say"), tasks, strict=False):
        answer(questions, choice, task)

    file = tmp_path / "answers.jsonl"
    assert (
        f"{file}: 2 new, 0 changed, 2 in all; not written: 0 on which annotators differ, 1 that nobody could answer; 2 questions are open"
        in annotate("answers", file).stderr
    )
    before = file.read_bytes()
    assert json.loads(annotate("answers", file, "--json").stdout)["new"] == 0
    assert file.read_bytes() == before
    data, _ = load_to_train([str(file)], SCHEME)
    assert dict(zip(data.texts, data.truth[:, 0].tolist(), strict=True)) == {texts[0]: True, texts[1]: False}
    assert data.judged.tolist() == [[True, False, False, False]] * 2
    assert data.weights.tolist() == [3, 3]

    labels, old = shutil.copy(DEFAULT_LABELS, tmp_path / "labels.yaml"), [json.loads(line) for line in before.splitlines()]
    (tmp_path / "none.jsonl").touch()
    rename = ("labels", "rename", "commitment", "promise", "--labels", labels, "--annotations", tmp_path / "none.jsonl")
    assert f"would change {questions.url}: 5 questions\n" in annotate(*rename, "--dry-run").stderr
    assert f"changed {questions.url}: 5 questions\n" in annotate(*rename).stderr
    assert f"{file}: 0 new, 2 changed, 2 in all" in annotate("answers", file, "--labels", labels).stderr
    renamed = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted((row["text"], row["labels"], row["judged"]) for row in renamed) == sorted(
        (row["text"], ["promise"] * len(row["labels"]), ["promise"]) for row in old
    )


MORE = "Det sade hon på måndagen efter ett möte med regeringen, där frågan om skolornas framtid hade varit uppe. Kommunerna får vänta till våren. "
QUEUED = {
    "sure.txt": "Solen sken. Det var fint väder hela dagen i hela landet.",
    "unsure.txt": MORE + "Ministern hoppas att fler länder ansluter sig, och vi ska bygga 100 skolor till nästa år.",
    "copy.txt": MORE + "Ministern hoppas att fler länder ansluter sig, och vi ska bygga 101 skolor till nästa år.",
    "french.txt": "Les deux parties ont convenu de poursuivre la formation des enquêteurs.",
    "done.txt": "Kommunen öppnar ett nytt bibliotek i den gamla stationen vid torget.",
}
KILLED = """
import os, signal, sys
import newsmark
from newsmark.annotation.label_studio.tasks import Tasks
write = Tasks.set_data
def once(*given):
    write(*given)
    os.kill(os.getpid(), signal.SIGKILL)
Tasks.set_data = once
newsmark.annotate(sys.argv[1:])
"""


def test_the_queue_becomes_ranks_that_the_label_stream_follows_and_a_killed_push_is_completed(label_studio, project, annotate, tmp_path, title):
    folder = tmp_path / "queued"
    folder.mkdir()
    for name, text in QUEUED.items():
        (folder / name).write_text(text, encoding="utf-8")
    annotate("push", folder)
    pushed = Project(project.connection, title)
    ids = {task.name: task.id for task in pushed.tasks.export(only_annotated=False)}
    pushed.connection.sdk.annotations.create(id=ids["done.txt"], result=[])
    options = ["next", folder, "--annotations", tmp_path / "none.jsonl", "--push", "--json"]

    def data():
        return {row["data"]["name"]: row["data"] for row in pushed.tasks.export_rows(only_annotated=False)}

    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, options), "--project", title], env=env, capture_output=True, check=False, timeout=600)
    assert killed.returncode == -9, killed.stderr
    assert sum("rank" in one for one in data().values()) == 1

    predicted = pushed.tasks.prediction_rows()
    first, second = (json.loads(annotate(*options).stdout) for _ in range(2))
    assert (first["changed"], second["changed"], second["waiting"]) == (3, 0, 4)
    assert pushed.tasks.prediction_rows() == predicted
    names = [row["name"] for row in first["queue"]]
    assert sorted(names) == sorted(QUEUED.keys() - {"done.txt"})
    assert names[-1] in {"copy.txt", "unsure.txt"}  # each is a near copy of the other
    assert first["queue"][-1]["reason"].startswith("near copy of ")
    assert {one["name"]: (one.get("rank"), one.get("rank_reason")) for one in data().values()} == {
        "done.txt": (None, None),
        **{row["name"]: (f"{row['rank']:04}", row["reason"]) for row in first["queue"]},
    }
    (view,) = pushed.connection.get("api/dm/views/", {"project": pushed.required_id()})
    assert (view["data"]["title"], view["data"]["ordering"]) == ("Next", ["tasks:data.rank"])
    stream = f"api/dm/actions/?id=next_task&project={pushed.id}&tabID={view['id']}"  # what Label All Tasks of the tab asks
    for name in names:
        given = pushed.connection.send("POST", stream, {"ordering": view["data"]["ordering"], "project": pushed.id})
        assert given["data"]["name"] == name
        pushed.connection.sdk.annotations.create(id=ids[name], result=[])

    shorter = json.loads(annotate(*options, "--number", "1").stdout)
    assert (shorter["waiting"], shorter["queue"]) == (0, [])
