"""``annotate push``, ``pull`` and ``status`` against a real Label Studio."""

import json
import os
import re
import shutil
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from newsmark.annotation.annotations import Annotation, write_annotations
from newsmark.annotation.documents import read_documents
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.interface import SPAN, TOPICS, offered_in
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.pull import pull_annotations
from newsmark.annotation.label_studio.tasks import Tasks
from newsmark.annotation.label_studio.writing import task_data
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.splitting.passages import split_passages
from newsmark.models.saved import load_model, save_model
from newsmark.training.config import load_config
from newsmark.training.dataset import load_passages
from newsmark.training.topics import learn_topics

SEEDS = Path("seeds/annotations.jsonl")
NAMES = ["000_d97304283369a603.txt", "001_de0bcf51e6ff2360.txt", "002_bf581d19c5184088.txt", "003_351322b492e975e1.txt", "004_01df7fd14f7a8f34.txt"]
LOCAL = {"updated_at", "task_url", "offered"}  # what a pull adds to an annotation


@pytest.fixture(scope="module")
def annotate(label_studio, command):
    """Run ``annotate`` for this server and return the finished process, which must have succeeded unless ``code`` says otherwise."""
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}

    def run(*arguments, code=0):
        done = command("annotation", *arguments, env=env)
        assert done.returncode == code, done.stderr
        return done

    return run


@pytest.fixture
def seeds(project, annotate):
    """The same, with the seeds and their annotations pushed; returns the tasks by name."""
    annotate("push", "seeds", "--annotations", SEEDS, "--project", project.title)
    return {task.name: task for task in project.tasks.export(only_annotated=False)}


@pytest.fixture
def two(project, annotate, tmp_path):
    """The same with two small documents without annotations; returns their tasks by name."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("Près de 100 pays ont signé.\n« Nous allons y travailler », dit-elle.", encoding="utf-8")
    (tmp_path / "own" / "b.txt").write_text("Comment (0)", encoding="utf-8")
    annotate("push", tmp_path / "own", "--project", project.title)
    return {task.name: task for task in project.tasks.export(only_annotated=False)}


def _rows(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(row["name"], row["annotator"]): row for row in rows}


def _stable(rows):
    return {key: {name: value for name, value in row.items() if name not in LOCAL} for key, row in rows.items()}


def _mark(start, end, label, span_id="s1", **more):
    return {"id": span_id, "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": start, "end": end, "labels": [label]}, **more}


def _labels(tmp_path, change):
    content = yaml.safe_load(DEFAULT_LABELS.read_text(encoding="utf-8"))
    change(content["labels"])
    (tmp_path / "labels.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return tmp_path / "labels.yaml"


def _versions(predictions):
    """Versions of each task's predictions."""
    found = {}
    for one in predictions:
        found.setdefault(one["task"], []).append(one["model_version"])
    return found


def test_each_document_is_pushed_once(project, annotate):
    dry = annotate("push", "seeds", "--dry-run", "--project", project.title)
    assert dry.stdout.splitlines() == [f"new\t{name}" for name in NAMES]
    assert "would push: 5 new, 0 unchanged, 0 of the new ones changed" in dry.stderr
    assert project.title not in [project.title for project in project.connection.sdk.projects.list()]
    first = annotate("push", "seeds", "--annotations", SEEDS, "--project", project.title)
    assert ": 5 new, 0 unchanged, 0 of the new ones changed" in first.stderr
    second = annotate("push", "seeds", "--annotations", SEEDS, "--project", project.title)
    assert ": 0 new, 5 unchanged, 0 of the new ones changed" in second.stderr
    assert second.stderr.endswith("suggestions renewed in 0\n")
    assert annotate("push", "seeds", "--dry-run", "--project", project.title).stdout.splitlines() == [f"unchanged\t{name}" for name in NAMES]
    export = project.connection.get(f"api/projects/{project.required_id()}/export", {"exportType": "JSON", "download_all_tasks": "true"})
    tasks = {task["data"]["name"]: task["data"] for task in export}
    assert tasks == {one.name: {"text": one.text, "sha256": one.id, "name": one.name, "lang": one.language} for one in read_documents([Path("seeds")])}
    assert project.connection.sdk.projects.get(id=project.required_id()).task_number == 5


def test_a_table_without_rows_makes_an_empty_project(project, annotate, tmp_path):
    (tmp_path / "empty.csv").write_text("text\n", encoding="utf-8")
    for _ in range(2):
        assert ": 0 new, 0 unchanged" in annotate("push", tmp_path / "empty.csv", "--project", project.title).stderr
    assert (project.tasks.count, project.suggestion_version) == (0, "")


def test_a_personal_access_token_serves_as_well(project, label_studio, command, tmp_path):
    request = urllib.request.Request(
        f"{label_studio.url}/api/token/", b"{}", {"Authorization": f"Token {label_studio.token}", "Content-Type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        token = json.load(answer)["token"]
    assert token.count(".") == 2  # a JWT, unlike a legacy token
    connection = Connection(label_studio.url, token)
    for access in ("", "expired"):
        connection._access = access
        assert connection.get("api/current-user/whoami", {})["email"] == label_studio.username
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": token}
    for arguments in (("push", "seeds", "--annotations", SEEDS), ("pull", "--annotations", tmp_path / "own.jsonl"), ("status",)):
        done = command("annotation", *arguments, "--project", project.title, env=env)
        assert done.returncode == 0, done.stderr
    assert _stable(_rows(tmp_path / "own.jsonl")) == _stable(_rows(SEEDS))


def test_a_pull_to_a_new_file_gives_back_what_was_pushed(project, seeds, annotate, tmp_path):
    own = tmp_path / "own.jsonl"
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 15 new, 0 changed, 15 in all\n"
    pulled = _rows(own)
    assert _stable(pulled) == _stable(_rows(SEEDS))
    assert {name: row["task_url"] for (name, _), row in pulled.items()} == {name: project.task_url(task.id) for name, task in seeds.items()}
    before = own.read_bytes()
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 0 new, 0 changed, 15 in all\n"
    assert own.read_bytes() == before
    annotate("check", "seeds", "--annotations", own)  # fits its documents


@pytest.mark.usefixtures("seeds")
def test_pulling_into_the_file_that_was_pushed_changes_nothing(project, annotate, tmp_path):
    own = shutil.copy(SEEDS, tmp_path / "own.jsonl")
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 0 new, 0 changed, 15 in all\n"
    assert own.read_bytes() == SEEDS.read_bytes()


def test_an_edit_on_the_server_comes_with_the_next_pull(project, seeds, annotate, tmp_path):
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", project.title)
    before = _rows(own)
    edited = seeds[NAMES[3]].annotations[0]
    project.connection.sdk.annotations.update(id=edited.id, result=[_mark(0, 4, "commitment")])
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 0 new, 1 changed, 15 in all\n"
    after = _rows(own)
    key = NAMES[3], project.annotators.names[edited.user.id]
    assert after[key]["spans"] == [{"id": "s1", "start": 0, "end": 4, "label": "commitment"}]
    assert after[key]["updated_at"] > before[key]["updated_at"]
    assert [one for one in before if before[one] != after[one]] == [key]


@pytest.mark.parametrize("moment", ["2999-01-01T00:00:00Z", "2999-01-01T00:00:00+02:00"])
def test_a_time_that_has_not_come_yet_hides_no_change(project, two, annotate, tmp_path, moment):
    own, created = tmp_path / "own.jsonl", project.connection.sdk.annotations.create(id=two["a.txt"].id, result=[_mark(0, 4, "statistic")])
    annotate("pull", "--annotations", own, "--project", project.title)
    own.write_text(json.dumps({**json.loads(own.read_text(encoding="utf-8")), "updated_at": moment}) + "\n", encoding="utf-8")
    project.connection.sdk.annotations.update(id=created.id, result=[])
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 0 new, 1 changed, 1 in all\n"
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 0 new, 0 changed, 1 in all\n"


def test_a_skipped_document_and_an_accepted_suggestion_are_recorded(project, two, predictions, label_studio, annotate, tmp_path):
    (prediction,) = [one for one in predictions() if one["task"] == two["a.txt"].id]
    accepted = [{**one, "origin": "prediction"} for one in prediction["result"]]
    assert [one["type"] for one in accepted] == ["labels", "labels"]  # a statistic, and a quote with its kind
    own_span = _mark(8, 11, "commitment", "mine", origin="manual")
    project.connection.sdk.annotations.create(id=two["a.txt"].id, result=[*accepted, own_span], parent_prediction=prediction["id"])
    project.connection.sdk.annotations.create(id=two["b.txt"].id, result=[], was_cancelled=True)
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", project.title)
    rows = _rows(own)
    spans = {span["label"]: span for span in rows["a.txt", label_studio.username]["spans"]}
    assert {label: span.get("accepted", False) for label, span in spans.items()} == {"statistic": True, "quote": True, "commitment": False}
    assert spans["quote"]["kind"] == "direct"
    assert "skipped" not in rows["a.txt", label_studio.username]
    assert (rows["b.txt", label_studio.username]["skipped"], rows["b.txt", label_studio.username]["spans"]) == (True, [])
    annotate("push", tmp_path / "own", "--annotations", own, "--project", f"{project.title[:40]} again")
    copy = tmp_path / "copy.jsonl"
    annotate("pull", "--annotations", copy, "--project", f"{project.title[:40]} again")
    assert _stable(_rows(copy)) == _stable(rows)


def test_an_annotation_that_the_server_lost_is_kept_and_reported(project, seeds, annotate, tmp_path):
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", project.title)
    lost = next(one for one in seeds[NAMES[1]].annotations if one.ground_truth)
    project.connection.sdk.annotations.delete(id=lost.id)
    for everything in ([], ["--all"]):
        lines = annotate("pull", *everything, "--annotations", own, "--project", project.title).stderr.splitlines()
        assert lines == [f"kept: adjudicator's annotation of {NAMES[1]} is no longer on the server", f"{own}: 0 new, 0 changed, 15 in all"]
    project.connection.sdk.tasks.delete(id=seeds[NAMES[2]].id)
    assert len(annotate("pull", "--annotations", own, "--project", project.title).stderr.splitlines()) == 2
    assert len(annotate("pull", "--all", "--annotations", own, "--project", project.title).stderr.splitlines()) == 5
    assert _stable(_rows(own)) == _stable(_rows(SEEDS))


def test_annotations_of_documents_that_were_pushed_without_follow_and_replace_none(project, annotate, label_studio, tmp_path):
    annotate("push", "seeds", "--project", project.title)
    (task,) = [one for one in project.tasks.export(only_annotated=False) if one.name == NAMES[0]]
    project.connection.sdk.annotations.create(id=task.id, result=[_mark(0, 4, "commitment")])
    project.connection.sdk.annotations.create(id=task.id, result=[], completed_by=project.annotators.id_of("reader-1"))
    push = "push", "seeds", "--annotations", SEEDS, "--project", project.title
    assert "; 14 annotations added to the unchanged ones;" in annotate(*push).stderr
    assert "; 0 annotations added to the unchanged ones;" in annotate(*push).stderr
    annotate("pull", "--annotations", tmp_path / "own.jsonl", "--project", project.title)
    pulled = _rows(tmp_path / "own.jsonl")
    assert [span["label"] for span in pulled.pop((NAMES[0], label_studio.username))["spans"]] == ["commitment"]
    assert pulled[NAMES[0], "reader-1"]["spans"] == []
    others = {key: row for key, row in _stable(_rows(SEEDS)).items() if key != (NAMES[0], "reader-1")}
    assert {key: row for key, row in _stable(pulled).items() if key != (NAMES[0], "reader-1")} == others


def test_an_annotation_edited_while_a_pull_runs_comes_with_the_next_one(project, two, monkeypatch):
    first, second = (project.connection.sdk.annotations.create(id=two[name].id, result=[]).id for name in ("a.txt", "b.txt"))

    class Slow(Tasks):
        """Exports the first task, then both annotations are changed, then it exports the second one."""

        def export(self, only_annotated):
            before = super().export(only_annotated)
            project.connection.sdk.annotations.update(id=first, result=[_mark(0, 4, "statistic")])
            project.connection.sdk.annotations.update(id=second, result=[_mark(0, 7, "boilerplate")])
            return [one for one in before if one.id == two["a.txt"].id] + [one for one in super().export(only_annotated) if one.id == two["b.txt"].id]

    monkeypatch.setattr(Project, "tasks", property(lambda own: Slow(own.connection, own.required_id())))
    torn = pull_annotations(project, [], load_labels(), everything=False)
    monkeypatch.undo()
    assert {one.name: len(one.spans) for one in torn.annotations} == {"a.txt": 0, "b.txt": 1}
    after = pull_annotations(project, torn.annotations, load_labels(), everything=False)
    assert (after.new, after.changed, after.missing) == (0, 1, ())
    assert {one.name: [span.label for span in one.spans] for one in after.annotations} == {"a.txt": ["statistic"], "b.txt": ["boilerplate"]}


def test_two_annotators_of_one_document_are_kept_apart(project, two, annotate, tmp_path):
    judged = {"Åsa Ek": "commitment", "åsa-ek": "boilerplate", "bo@example.org": "statistic"}  # names that differ by little
    for name, label in judged.items():
        project.connection.sdk.annotations.create(id=two["a.txt"].id, result=[_mark(0, 7, label)], completed_by=project.annotators.id_of(name))
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", project.title)
    assert {key: row["spans"][0]["label"] for key, row in _rows(own).items()} == {("a.txt", name): label for name, label in judged.items()}
    assert project.connection.sdk.projects.get(id=project.required_id()).maximum_annotations == 1
    annotate("push", tmp_path / "own", "--overlap", "2", "--project", project.title)
    assert project.connection.sdk.projects.get(id=project.required_id()).maximum_annotations == 2


@pytest.fixture(scope="module")
def model(store, baseline_run, tmp_path_factory):
    """The folder of a model trained on the seeds."""
    name = re.search(r"models:/(m-\w+)", baseline_run.stderr).group(1)
    location = MlflowClient(store["MLFLOW_TRACKING_URI"]).get_logged_model(name).artifact_location
    return shutil.copytree(location.removeprefix("file://"), tmp_path_factory.mktemp("model") / "copied") / "artifacts" / "model"


def test_a_models_suggestions_join_the_older_ones_and_leave_annotations_alone(project, seeds, predictions, annotate, model):
    assert _versions(predictions()) == {task.id: ["rules-1"] for task in seeds.values()}
    dry = annotate("push", "seeds", "--model", model, "--dry-run", "--project", project.title)
    assert [line for line in dry.stdout.splitlines() if line.startswith("suggestions")] == [f"suggestions\t{name}" for name in NAMES]
    assert "would renew the suggestions of 5 with those of baseline-" in dry.stderr
    assert annotate("push", "seeds", "--model", model, "--project", project.title).stderr.endswith("suggestions renewed in 5\n")
    after = {task.name: task for task in project.tasks.export(only_annotated=False)}
    assert {name: task.annotations for name, task in after.items()} == {name: task.annotations for name, task in seeds.items()}
    (version,) = {version for versions in _versions(predictions()).values() for version in versions} - {"rules-1"}
    assert re.fullmatch(r"baseline-[0-9a-f]{12}", version)
    assert {task: sorted(versions) for task, versions in _versions(predictions()).items()} == {task.id: [version, "rules-1"] for task in seeds.values()}
    results = [result for one in predictions() if one["model_version"] == version for result in one["result"]]
    texts = {task.id: task.text for task in seeds.values()}
    assert "quote:direct" in {label for result in results for label in result["value"].get("labels", [])}
    assert all(0 <= result["score"] <= 1 for result in results if result["type"] == "labels")
    for one in predictions():
        assert all(texts[one["task"]][result["value"]["start"] : result["value"]["end"]] == result["value"]["text"] for result in one["result"])
    assert annotate("push", "seeds", "--model", model, "--project", project.title).stderr.endswith("suggestions renewed in 0\n")


@pytest.mark.usefixtures("two")
def test_another_text_of_the_same_name_is_a_change_and_the_old_task_stays(project, annotate, tmp_path):
    (tmp_path / "own" / "b.txt").write_text("Comment (1)", encoding="utf-8")
    dry = annotate("push", tmp_path / "own", "--dry-run", "--project", project.title)
    assert dry.stdout.splitlines() == ["unchanged\ta.txt", "changed\tb.txt"]
    assert ": 1 new, 1 unchanged, 1 of the new ones changed" in annotate("push", tmp_path / "own", "--project", project.title).stderr
    texts = [task.text for task in project.tasks.export(only_annotated=False) if task.name == "b.txt"]
    assert sorted(texts) == ["Comment (0)", "Comment (1)"]


def _labels_offered(project):
    offered = offered_in(project.connection.sdk.projects.get(id=project.required_id()).label_config)
    return {value for control, value in offered if control == SPAN}


def test_a_label_added_to_the_file_reaches_the_interface(project, two, annotate, tmp_path):
    more = _labels(tmp_path, lambda labels: labels.update({"forecast": {"definition": "Says what will be.", "color": "#123456", "hotkey": "9"}}))
    annotate("push", tmp_path / "own", "--labels", more, "--project", project.title)
    assert _labels_offered(project) == {"commitment", "statistic", "quote:direct", "quote:indirect", "boilerplate", "forecast"}
    project.connection.sdk.annotations.create(id=two["a.txt"].id, result=[_mark(0, 4, "forecast")])
    annotate("pull", "--labels", more, "--annotations", tmp_path / "own.jsonl", "--project", project.title)
    assert [row["spans"][0]["label"] for row in _rows(tmp_path / "own.jsonl").values()] == ["forecast"]


def test_a_project_of_the_former_interface_keeps_its_annotations_and_new_ones_carry_the_kind(project, annotate, tmp_path):
    (tmp_path / "a.txt").write_text("Aaa « bb » ccc.", encoding="utf-8")
    project.ensure_interface(
        '<View><Labels name="span" toName="text"><Label value="quote"/></Labels><Choices name="kind-quote" toName="text" perRegion="true" required="true">'
        '<Choice value="direct"/><Choice value="indirect"/></Choices><Text name="text" value="$text"/></View>',
        "",
        None,
    )
    (document,) = read_documents([tmp_path / "a.txt"])
    former = [_mark(0, 3, "quote", "q1"), {**_mark(0, 3, "", "q1"), "from_name": "kind-quote", "type": "choices", "value": {"choices": ["indirect"]}}]
    project.tasks.import_rows([{"data": task_data(document), "annotations": [{"result": former}]}])
    own, pull = tmp_path / "own.jsonl", ("pull", "--all", "--annotations", tmp_path / "own.jsonl", "--project", project.title)
    for _ in range(2):  # the second push finds the interface that the first one made
        annotate("push", tmp_path / "a.txt", "--project", project.title)
        assert _labels_offered(project) == {"commitment", "statistic", "quote:direct", "quote:indirect", "boilerplate", "quote"}
        annotate(*pull)
        assert [(span["label"], span["kind"]) for row in _rows(own).values() for span in row["spans"]] == [("quote", "indirect")]
    (task,) = project.tasks.export(only_annotated=True)
    project.tasks.update_annotation(task.annotations[0].id, {"result": [*former, _mark(4, 10, "quote:direct", "q2")]})
    annotate(*pull)
    assert [(span["label"], span["kind"]) for row in _rows(own).values() for span in row["spans"]] == [("quote", "indirect"), ("quote", "direct")]


def test_a_label_in_use_cannot_be_removed_and_an_unused_one_can(project, two, annotate, tmp_path):
    task = two["a.txt"].id
    annotation = project.connection.sdk.annotations.create(id=task, result=[_mark(0, 4, "statistic")])
    push = "push", tmp_path / "own", "--project", project.title, "--labels"
    refused = annotate(*push, _labels(tmp_path, lambda labels: labels.pop("statistic")), code=1)
    assert refused.stderr == (
        "annotate: error: the labels file no longer has what annotations use: "
        f"'statistic' in task {task} (a.txt), annotation {annotation.id}; change these annotations first, or put the names back\n"
    )
    annotate(*push, _labels(tmp_path, lambda labels: labels.pop("commitment")))
    assert _labels_offered(project) == {"statistic", "quote:direct", "quote:indirect", "boilerplate"}


def test_status_counts_annotators_and_spans_by_document_and_what_is_left(project, two, label_studio, annotate, tmp_path):
    annotate("push", tmp_path / "own", "--overlap", "2", "--project", project.title)
    marks = [_mark(0, 4, "statistic"), _mark(0, 7, "statistic", "s2")]
    project.connection.sdk.annotations.create(id=two["a.txt"].id, result=marks, lead_time=90)
    project.connection.sdk.annotations.create(id=two["b.txt"].id, result=[], was_cancelled=True)
    lines = annotate("status", "--project", project.title).stdout.splitlines()
    headers = ["task", "document", "annotators", "commitment spans", "statistic spans", "quote spans", "boilerplate spans", "left"]
    assert re.split(r"  +", lines[0].strip()) == headers
    assert lines[2].split() == [str(two["a.txt"].id), "a.txt", label_studio.username, "0", "2", "0", "0", "1"]
    assert lines[3].split() == [str(two["b.txt"].id), "b.txt", label_studio.username, "(skipped)", "0", "0", "0", "0", "2"]
    assert lines[5].split() == ["suggestions", "of", "annotations", "accepted", "moved", "relabelled", "deleted", "added", "minutes", "(median)"]
    assert lines[7].split() == ["rules-1", "1", "0", "1", "0", "1", "1", "1.5"]  # of "Près de 100 pays" a border, the quote away, one mark more
    assert lines[-1] == f"2 documents, 0 without any annotation; left at 2 per document: 3 annotations; {project.url}"


def test_learned_topics_are_suggested_beside_the_spans(project, annotate, predictions, tmp_path):
    (tmp_path / "articles").mkdir()
    words = {"cybercrime": "trawler harbour herring nets quay", "drug-control": "forest timber birch sawmill moss"}
    for number, (topic, text) in enumerate(sorted(words.items()) * 6):
        (tmp_path / "articles" / f"{topic}-{number}.txt").write_text(f"In {number} days the {text} were seen.\nAll {text} are here again.", encoding="utf-8")
    documents = list(read_documents([tmp_path / "articles"]))
    file = tmp_path / "annotations.jsonl"
    write_annotations(file, [Annotation(one.id, one.name, "anna", ground_truth=False, topics=(one.name.rpartition("-")[0],), spans=()) for one in documents])
    config = load_config(Path("configs/baseline.yaml"), {"documents": [str(tmp_path / "articles")], "annotations": str(file), "bootstrap": ""}, fast=False)
    data, trained = load_passages(config.data.documents, str(file)), load_model(Path("tests/data/models/baseline-6"))
    topics = learn_topics(config, load_labels(), trained.classifier, data, data.truth, None)
    save_model(replace(trained, topics=topics.model), tmp_path / "model")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.txt").write_text("The herring and the trawler left the harbour.\nThe nets were on the quay.", encoding="utf-8")
    annotate("push", tmp_path / "new", "--model", tmp_path / "model", "--project", project.title)
    [stored] = predictions()
    assert [one["value"]["choices"] for one in stored["result"] if one["from_name"] == TOPICS] == [["cybercrime"]]


def test_what_predict_wrote_is_suggested(project, annotate, predictions, tmp_path):
    articles = tmp_path / "articles.jsonl"
    articles.write_text('{"text": "Priset steg.\\nDe lovar mer.", "name": "a", "lang": "sv"}\n', encoding="utf-8")
    (document,) = read_documents([articles])
    passages = split_passages(document.text, "sv")
    rows = [
        {
            "document": document.id,
            "name": "a",
            **vars(passage),
            "labels": labels,
            "scores": {"commitment": 0.8, "statistic": 0.1},
            "model_version": "baseline-1",
        }
        for passage, labels in zip(passages, ([], ["commitment"]), strict=True)
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "document": "f" * 64, "name": "b"}]), encoding="utf-8")
    pushed = annotate("push", articles, "--suggestions", file, "--project", project.title)
    assert f"{file}: 1 other document (b) passed over\n" in pushed.stderr
    (stored,) = predictions()
    assert stored["model_version"] == "baseline-1" == project.suggestion_version
    assert [(one["value"]["text"], one["value"]["labels"], one["score"]) for one in stored["result"]] == [("De lovar mer.", ["commitment"], 0.8)]


def test_suggestions_of_another_version_are_shown_once_all_that_wait_have_them(project, two, annotate, predictions, tmp_path):
    (tmp_path / "c.txt").write_text("Près de 200 pays.", encoding="utf-8")
    sure = "--min-score", "0.5", "--project", project.title
    said = annotate("push", tmp_path / "c.txt", *sure).stderr
    assert "not shown yet: the suggestions of rules-1 from 0.5; annotators see those of rules-1 as long as 2 other documents (a.txt, b.txt) that nobody" in said
    assert project.suggestion_version == "rules-1"
    project.connection.sdk.annotations.create(id=two["a.txt"].id, result=[])
    project.tasks.import_rows([{"data": {"text": "Somebody's own."}}])
    (tmp_path / "own" / "b.txt").write_text("Comments (0)", encoding="utf-8")
    assert "not shown" not in annotate("push", tmp_path / "own" / "b.txt", *sure).stderr  # the task of its former text waits for nobody
    assert project.suggestion_version == "rules-1 from 0.5"
    assert _versions(predictions())[two["b.txt"].id] == ["rules-1"]


def test_a_text_that_was_changed_there_gets_no_marks_and_is_named(project, two, annotate, tmp_path):
    project.tasks.set_data(two["a.txt"].id, {**task_data(next(iter(read_documents([tmp_path / "own" / "a.txt"])))), "text": "Changed."})
    own = tmp_path / "own.jsonl"
    write_annotations(own, [Annotation(one.id, one.name, "Bo", False, (), ()) for one in read_documents([tmp_path / "own"])])
    push = "push", tmp_path / "own", "--annotations", own, "--min-score", "0.5", "--project", project.title
    said = annotate(*push, code=3).stderr
    assert "1 annotations added to the unchanged ones; suggestions renewed in 1\n" in said
    assert f"passed over: task {two['a.txt'].id} (a.txt): the text in Label Studio is not the one that was pushed" in said
    assert [task.name for task in project.tasks.export(only_annotated=True)] == ["b.txt"]


@pytest.mark.usefixtures("two")
def test_with_json_the_answer_is_one_object(project, annotate, label_studio, tmp_path):
    common = "--project", project.title, "--json"
    (tmp_path / "own" / "c.txt").write_text("Nytt i dag.", encoding="utf-8")

    def answer(*arguments):
        return json.loads(annotate(*arguments, *common).stdout)

    dry = answer("push", tmp_path / "own", "--dry-run")
    assert (dry["dry_run"], dry["new"], dry["unchanged"], dry["changed"]) == (True, 1, 2, 0)
    assert [(one["name"], one["state"]) for one in dry["documents"]] == [("c.txt", "new"), ("a.txt", "unchanged"), ("b.txt", "unchanged")]
    pushed = answer("push", tmp_path / "own")
    assert pushed == {
        "dry_run": False, "url": project.url, "new": 1, "unchanged": 2, "changed": 0, "annotations_added": 0, "suggestions_renewed": 0,
        "suggestions_version": "rules-1", "suggestions_shown": "rules-1",
    }  # fmt: skip
    for task in project.tasks.export(only_annotated=False):
        project.connection.sdk.annotations.create(id=task.id, result=[])
    own = tmp_path / "own.jsonl"
    pulled = answer("pull", "--annotations", own)
    assert (pulled["file"], pulled["new"], pulled["changed"], pulled["annotations"], pulled["left_out"]) == (str(own), 3, 0, 3, [])
    status = answer("status")
    assert (status["overlap"], status["untouched"], status["left"], status["foreign_tasks"]) == (1, 0, 0, [])
    assert [(one["name"], one["annotators"], one["left"]) for one in status["tasks"]] == [
        (name, [label_studio.username], 0) for name in ("a.txt", "b.txt", "c.txt")
    ]


def test_a_sixth_article_goes_all_the_way_into_the_training_data(project, seeds, annotate, command, store, tmp_path):
    text = "« Nous allons construire 100 écoles avant la fin de l'année », a promis la ministre. Comment (0)"
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "sixth.txt").write_text(text, encoding="utf-8")
    annotate("push", tmp_path / "articles", "--project", project.title)
    (task,) = [one for one in project.tasks.export(only_annotated=False) if one.name == "sixth.txt"]
    project.connection.sdk.annotations.create(id=task.id, result=[_mark(0, text.index("Comment") - 1, "commitment")])
    own = tmp_path / "own.jsonl"
    assert annotate("pull", "--annotations", own, "--project", project.title).stderr == f"{own}: 16 new, 0 changed, 16 in all\n"
    documents = f"seeds,{tmp_path / 'articles'}"
    trained = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--documents", documents, "--annotations", own, env=store)
    assert trained.returncode == 0, trained.stderr
    client, run = MlflowClient(store["MLFLOW_TRACKING_URI"]), re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1)
    table = json.loads(Path(client.download_artifacts(run, "out_of_fold.json")).read_text(encoding="utf-8"))
    rows = [dict(zip(table["columns"], values, strict=True)) for values in table["data"]]
    assert {row["name"] for row in rows} == {*NAMES, "sixth.txt"}
    assert [row["commitment_true"] for row in rows if row["name"] == "sixth.txt"] == [1, 0]
    for again in (("seeds", "--annotations", SEEDS), (tmp_path / "articles",)):
        assert ": 0 new, " in annotate("push", *again, "--project", project.title).stderr
    assert annotate("pull", "--all", "--annotations", own, "--project", project.title).stderr == f"{own}: 0 new, 0 changed, 16 in all\n"
    assert project.tasks.count == len(seeds) + 1
