"""``annotate push``, ``pull`` and ``status`` against a real Label Studio."""

import json
import os
import re
import shutil
import urllib.request
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from newsmark.annotation.documents import read_documents
from newsmark.annotation.label_studio.client import Studio
from newsmark.annotation.label_studio.interface import SPAN, offered_in
from newsmark.annotation.label_studio.pull import pull_annotations
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels

SEEDS = Path("seeds/annotations.jsonl")
NAMES = ["000_d97304283369a603.txt", "001_de0bcf51e6ff2360.txt", "002_bf581d19c5184088.txt", "003_351322b492e975e1.txt", "004_01df7fd14f7a8f34.txt"]
LOCAL = {"updated_at", "task_url"}  # what a pull adds to an annotation


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
def studio(label_studio, request):
    """A project of the test's own, which does not exist yet."""
    return Studio(label_studio.url, label_studio.token, request.node.name.removeprefix("test_")[:50])


@pytest.fixture
def seeds(studio, annotate):
    """The same, with the seeds and their annotations pushed; returns the tasks by name."""
    annotate("push", "seeds", "--annotations", SEEDS, "--project", studio.title)
    return {task["data"]["name"]: task for task in studio.export(only_annotated=False)}


@pytest.fixture
def two(studio, annotate, tmp_path):
    """The same with two small documents without annotations; returns their tasks by name."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("Près de 100 pays ont signé.\n« Nous allons y travailler », dit-elle.", encoding="utf-8")
    (tmp_path / "own" / "b.txt").write_text("Comment (0)", encoding="utf-8")
    annotate("push", tmp_path / "own", "--project", studio.title)
    return {task["data"]["name"]: task for task in studio.export(only_annotated=False)}


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


def _predictions(studio):
    """Versions of each task's predictions."""
    found = {}
    for one in studio.predictions():
        found.setdefault(one["task"], []).append(one["model_version"])
    return found


def test_each_document_is_pushed_once(studio, annotate):
    dry = annotate("push", "seeds", "--dry-run", "--project", studio.title)
    assert dry.stdout.splitlines() == [f"new\t{name}" for name in NAMES]
    assert dry.stderr.startswith("would push: 5 new, 0 unchanged, 0 of the new ones changed")
    assert studio.title not in [project.title for project in studio.client.projects.list()]
    first = annotate("push", "seeds", "--annotations", SEEDS, "--project", studio.title)
    assert ": 5 new, 0 unchanged, 0 of the new ones changed" in first.stderr
    second = annotate("push", "seeds", "--annotations", SEEDS, "--project", studio.title)
    assert ": 0 new, 5 unchanged, 0 of the new ones changed" in second.stderr
    assert second.stderr.endswith("suggestions renewed in 0\n")
    assert annotate("push", "seeds", "--dry-run", "--project", studio.title).stdout.splitlines() == [f"unchanged\t{name}" for name in NAMES]
    tasks = {task["data"]["name"]: task["data"] for task in studio.export(only_annotated=False)}
    assert tasks == {one.name: {"text": one.text, "sha256": one.id, "name": one.name, "lang": one.language} for one in read_documents([Path("seeds")])}
    assert studio.client.projects.get(id=studio.require_project()).task_number == 5


def test_a_personal_access_token_serves_as_well(studio, label_studio, command, tmp_path):
    request = urllib.request.Request(
        f"{label_studio.url}/api/token/", b"{}", {"Authorization": f"Token {label_studio.token}", "Content-Type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        token = json.load(answer)["token"]
    assert token.count(".") == 2  # a JWT, unlike a legacy token
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": token}
    for arguments in (("push", "seeds", "--annotations", SEEDS), ("pull", "--annotations", tmp_path / "own.jsonl"), ("status",)):
        done = command("annotation", *arguments, "--project", studio.title, env=env)
        assert done.returncode == 0, done.stderr
    assert _stable(_rows(tmp_path / "own.jsonl")) == _stable(_rows(SEEDS))


def test_a_pull_to_a_new_file_gives_back_what_was_pushed(studio, seeds, annotate, tmp_path):
    own = tmp_path / "own.jsonl"
    assert annotate("pull", "--annotations", own, "--project", studio.title).stderr == f"{own}: 15 new, 0 changed, 15 in all\n"
    pulled = _rows(own)
    assert _stable(pulled) == _stable(_rows(SEEDS))
    assert {name: row["task_url"] for (name, _), row in pulled.items()} == {name: studio.task_url(task["id"]) for name, task in seeds.items()}
    before = own.read_bytes()
    assert annotate("pull", "--annotations", own, "--project", studio.title).stderr == f"{own}: 0 new, 0 changed, 15 in all\n"
    assert own.read_bytes() == before
    annotate("check", "seeds", "--annotations", own)  # fits its documents


@pytest.mark.usefixtures("seeds")
def test_pulling_into_the_file_that_was_pushed_changes_nothing(studio, annotate, tmp_path):
    own = shutil.copy(SEEDS, tmp_path / "own.jsonl")
    assert annotate("pull", "--annotations", own, "--project", studio.title).stderr == f"{own}: 0 new, 0 changed, 15 in all\n"
    assert own.read_bytes() == SEEDS.read_bytes()


def test_an_edit_on_the_server_comes_with_the_next_pull(studio, seeds, annotate, tmp_path):
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", studio.title)
    before = _rows(own)
    edited = seeds[NAMES[3]]["annotations"][0]
    studio.client.annotations.update(id=edited["id"], result=[_mark(0, 4, "commitment")])
    assert annotate("pull", "--annotations", own, "--project", studio.title).stderr == f"{own}: 0 new, 1 changed, 15 in all\n"
    after = _rows(own)
    key = NAMES[3], studio.annotators[edited["completed_by"]]
    assert after[key]["spans"] == [{"id": "s1", "start": 0, "end": 4, "label": "commitment"}]
    assert after[key]["updated_at"] > before[key]["updated_at"]
    assert [one for one in before if before[one] != after[one]] == [key]


@pytest.mark.parametrize("moment", ["2999-01-01T00:00:00Z", "2999-01-01T00:00:00+02:00"])
def test_a_pull_asks_only_for_what_changed_since_the_last_one(studio, two, annotate, tmp_path, moment):
    own, created = tmp_path / "own.jsonl", studio.client.annotations.create(id=two["a.txt"]["id"], result=[_mark(0, 4, "statistic")])
    annotate("pull", "--annotations", own, "--project", studio.title)
    own.write_text(json.dumps({**json.loads(own.read_text(encoding="utf-8")), "updated_at": moment}) + "\n", encoding="utf-8")
    studio.client.annotations.update(id=created.id, result=[])
    assert annotate("pull", "--annotations", own, "--project", studio.title).stderr == f"{own}: 0 new, 0 changed, 1 in all\n"
    assert annotate("pull", "--all", "--annotations", own, "--project", studio.title).stderr == f"{own}: 0 new, 1 changed, 1 in all\n"


def test_a_skipped_document_and_an_accepted_suggestion_are_recorded(studio, two, label_studio, annotate, tmp_path):
    (prediction,) = [one for one in studio.predictions() if one["task"] == two["a.txt"]["id"]]
    accepted = [{**one, "origin": "prediction"} for one in prediction["result"]]
    assert [one["type"] for one in accepted] == ["labels", "labels", "choices"]  # a statistic, and a quote with its kind
    own_span = _mark(8, 11, "commitment", "mine", origin="manual")
    studio.client.annotations.create(id=two["a.txt"]["id"], result=[*accepted, own_span], parent_prediction=prediction["id"])
    studio.client.annotations.create(id=two["b.txt"]["id"], result=[], was_cancelled=True)
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", studio.title)
    rows = _rows(own)
    spans = {span["label"]: span for span in rows["a.txt", label_studio.username]["spans"]}
    assert {label: span.get("accepted", False) for label, span in spans.items()} == {"statistic": True, "quote": True, "commitment": False}
    assert spans["quote"]["kind"] == "direct"
    assert "skipped" not in rows["a.txt", label_studio.username]
    assert (rows["b.txt", label_studio.username]["skipped"], rows["b.txt", label_studio.username]["spans"]) == (True, [])
    annotate("push", tmp_path / "own", "--annotations", own, "--project", f"{studio.title[:40]} again")
    copy = tmp_path / "copy.jsonl"
    annotate("pull", "--annotations", copy, "--project", f"{studio.title[:40]} again")
    assert _stable(_rows(copy)) == _stable(rows)


def test_an_annotation_that_the_server_lost_is_kept_and_told(studio, seeds, annotate, tmp_path):
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", studio.title)
    lost = next(one for one in seeds[NAMES[1]]["annotations"] if one["ground_truth"])
    studio.client.annotations.delete(id=lost["id"])
    for everything in ([], ["--all"]):
        told = annotate("pull", *everything, "--annotations", own, "--project", studio.title).stderr.splitlines()
        assert told == [f"kept: adjudicator's annotation of {NAMES[1]} is no longer on the server", f"{own}: 0 new, 0 changed, 15 in all"]
    studio.client.tasks.delete(id=seeds[NAMES[2]]["id"])
    assert len(annotate("pull", "--annotations", own, "--project", studio.title).stderr.splitlines()) == 2
    assert len(annotate("pull", "--all", "--annotations", own, "--project", studio.title).stderr.splitlines()) == 5
    assert _stable(_rows(own)) == _stable(_rows(SEEDS))


def test_annotations_of_documents_that_were_pushed_without_follow_and_replace_none(studio, annotate, label_studio, tmp_path):
    annotate("push", "seeds", "--project", studio.title)
    (task,) = [one for one in studio.export(only_annotated=False) if one["data"]["name"] == NAMES[0]]
    studio.client.annotations.create(id=task["id"], result=[_mark(0, 4, "commitment")])
    studio.client.annotations.create(id=task["id"], result=[], completed_by=studio.annotator_id("reader-1"))
    push = "push", "seeds", "--annotations", SEEDS, "--project", studio.title
    assert "; 14 annotations added to the unchanged ones;" in annotate(*push).stderr
    assert "; 0 annotations added to the unchanged ones;" in annotate(*push).stderr
    annotate("pull", "--annotations", tmp_path / "own.jsonl", "--project", studio.title)
    pulled = _rows(tmp_path / "own.jsonl")
    assert [span["label"] for span in pulled.pop((NAMES[0], label_studio.username))["spans"]] == ["commitment"]
    assert pulled[NAMES[0], "reader-1"]["spans"] == []
    others = {key: row for key, row in _stable(_rows(SEEDS)).items() if key != (NAMES[0], "reader-1")}
    assert {key: row for key, row in _stable(pulled).items() if key != (NAMES[0], "reader-1")} == others


def test_an_annotation_edited_while_a_pull_runs_comes_with_the_next_one(studio, two, label_studio):
    first, second = (studio.client.annotations.create(id=two[name]["id"], result=[]).id for name in ("a.txt", "b.txt"))

    class Slow(Studio):
        """Exports the first task, then both annotations are changed, then it exports the second one."""

        def export(self, only_annotated):
            before = super().export(only_annotated)
            self.client.annotations.update(id=first, result=[_mark(0, 4, "statistic")])
            self.client.annotations.update(id=second, result=[_mark(0, 7, "boilerplate")])
            return [one for one in before if one["id"] == two["a.txt"]["id"]] + [
                one for one in super().export(only_annotated) if one["id"] == two["b.txt"]["id"]
            ]

    slow = Slow(label_studio.url, label_studio.token, studio.title)
    torn = pull_annotations(slow, [], load_labels(), everything=False)
    assert {one.name: len(one.spans) for one in torn.annotations} == {"a.txt": 0, "b.txt": 1}
    after = pull_annotations(studio, torn.annotations, load_labels(), everything=False)
    assert (after.new, after.changed, after.missing) == (0, 1, ())
    assert {one.name: [span.label for span in one.spans] for one in after.annotations} == {"a.txt": ["statistic"], "b.txt": ["boilerplate"]}


def test_two_annotators_of_one_document_are_kept_apart(studio, two, annotate, tmp_path):
    judged = {"Åsa Ek": "commitment", "åsa-ek": "boilerplate", "bo@example.org": "statistic"}  # names that differ by little
    for name, label in judged.items():
        studio.client.annotations.create(id=two["a.txt"]["id"], result=[_mark(0, 7, label)], completed_by=studio.annotator_id(name))
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own, "--project", studio.title)
    assert {key: row["spans"][0]["label"] for key, row in _rows(own).items()} == {("a.txt", name): label for name, label in judged.items()}
    assert studio.client.projects.get(id=studio.require_project()).maximum_annotations == 1
    annotate("push", tmp_path / "own", "--overlap", "2", "--project", studio.title)
    assert studio.client.projects.get(id=studio.require_project()).maximum_annotations == 2


@pytest.fixture(scope="module")
def model(store, baseline_run, tmp_path_factory):
    """The folder of a model trained on the seeds."""
    name = re.search(r"models:/(m-\w+)", baseline_run.stderr).group(1)
    location = MlflowClient(store["MLFLOW_TRACKING_URI"]).get_logged_model(name).artifact_location
    return shutil.copytree(location.removeprefix("file://"), tmp_path_factory.mktemp("model") / "copied") / "artifacts" / "model"


def test_a_models_suggestions_join_the_older_ones_and_leave_annotations_alone(studio, seeds, annotate, model):
    assert _predictions(studio) == {task["id"]: ["calibrations-1"] for task in seeds.values()}
    assert annotate("push", "seeds", "--model", model, "--project", studio.title).stderr.endswith("suggestions renewed in 5\n")
    after = {task["data"]["name"]: task for task in studio.export(only_annotated=False)}
    assert {name: task["annotations"] for name, task in after.items()} == {name: task["annotations"] for name, task in seeds.items()}
    (version,) = {version for versions in _predictions(studio).values() for version in versions} - {"calibrations-1"}
    assert re.fullmatch(r"baseline-[0-9a-f]{12}", version)
    assert {task: sorted(versions) for task, versions in _predictions(studio).items()} == {task["id"]: [version, "calibrations-1"] for task in seeds.values()}
    results = [result for one in studio.predictions() if one["model_version"] == version for result in one["result"]]
    texts = {task["id"]: task["data"]["text"] for task in seeds.values()}
    assert "quote" in {label for result in results for label in result["value"].get("labels", [])}
    assert all(0 <= result["score"] <= 1 for result in results if result["type"] == "labels")
    for one in studio.predictions():
        assert all(texts[one["task"]][result["value"]["start"] : result["value"]["end"]] == result["value"]["text"] for result in one["result"])
    assert annotate("push", "seeds", "--model", model, "--project", studio.title).stderr.endswith("suggestions renewed in 0\n")


@pytest.mark.usefixtures("two")
def test_another_text_of_the_same_name_is_a_change_and_the_old_task_stays(studio, annotate, tmp_path):
    (tmp_path / "own" / "b.txt").write_text("Comment (1)", encoding="utf-8")
    dry = annotate("push", tmp_path / "own", "--dry-run", "--project", studio.title)
    assert dry.stdout.splitlines() == ["new\tb.txt", "unchanged\ta.txt", "changed\tb.txt"]
    assert ": 1 new, 1 unchanged, 1 of the new ones changed" in annotate("push", tmp_path / "own", "--project", studio.title).stderr
    texts = [task["data"]["text"] for task in studio.export(only_annotated=False) if task["data"]["name"] == "b.txt"]
    assert sorted(texts) == ["Comment (0)", "Comment (1)"]


def _labels_offered(studio):
    offered = offered_in(studio.client.projects.get(id=studio.require_project()).label_config)
    return {value for control, value in offered if control == SPAN}


def test_a_label_added_to_the_file_reaches_the_interface(studio, two, annotate, tmp_path):
    more = _labels(tmp_path, lambda labels: labels.update({"forecast": {"definition": "Says what will be.", "color": "#123456", "hotkey": "9"}}))
    annotate("push", tmp_path / "own", "--labels", more, "--project", studio.title)
    assert _labels_offered(studio) == {"commitment", "statistic", "quote", "boilerplate", "forecast"}
    studio.client.annotations.create(id=two["a.txt"]["id"], result=[_mark(0, 4, "forecast")])
    annotate("pull", "--labels", more, "--annotations", tmp_path / "own.jsonl", "--project", studio.title)
    assert [row["spans"][0]["label"] for row in _rows(tmp_path / "own.jsonl").values()] == ["forecast"]


def test_a_label_in_use_cannot_be_removed_and_an_unused_one_can(studio, two, annotate, tmp_path):
    task = two["a.txt"]["id"]
    annotation = studio.client.annotations.create(id=task, result=[_mark(0, 4, "statistic")])
    push = "push", tmp_path / "own", "--project", studio.title, "--labels"
    refused = annotate(*push, _labels(tmp_path, lambda labels: labels.pop("statistic")), code=1)
    assert refused.stderr == (
        "annotate: error: the labels file no longer has what annotations use: "
        f"'statistic' in task {task} (a.txt), annotation {annotation.id}; change these annotations first, or put the names back\n"
    )
    annotate(*push, _labels(tmp_path, lambda labels: labels.pop("commitment")))
    assert _labels_offered(studio) == {"statistic", "quote", "boilerplate"}


def test_status_counts_annotators_and_spans_by_document_and_what_is_left(studio, two, label_studio, annotate, tmp_path):
    annotate("push", tmp_path / "own", "--overlap", "2", "--project", studio.title)
    studio.client.annotations.create(id=two["a.txt"]["id"], result=[_mark(0, 4, "statistic"), _mark(0, 7, "statistic", "s2")])
    studio.client.annotations.create(id=two["b.txt"]["id"], result=[], was_cancelled=True)
    lines = annotate("status", "--project", studio.title).stdout.splitlines()
    headers = ["task", "document", "annotators", "commitment spans", "statistic spans", "quote spans", "boilerplate spans", "left"]
    assert re.split(r"  +", lines[0].strip()) == headers
    assert lines[2].split() == [str(two["a.txt"]["id"]), "a.txt", label_studio.username, "0", "2", "0", "0", "1"]
    assert lines[3].split() == [str(two["b.txt"]["id"]), "b.txt", label_studio.username, "(skipped)", "0", "0", "0", "0", "2"]
    assert lines[-1] == f"2 documents, 0 without any annotation; left at 2 a document: 3 annotations; {studio.project_url}"


def test_a_sixth_article_goes_all_the_way_into_the_training_data(studio, seeds, annotate, command, store, tmp_path):
    text = "« Nous allons construire 100 écoles avant la fin de l'année », a promis la ministre. Comment (0)"
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "sixth.txt").write_text(text, encoding="utf-8")
    annotate("push", tmp_path / "articles", "--project", studio.title)
    (task,) = [one for one in studio.export(only_annotated=False) if one["data"]["name"] == "sixth.txt"]
    studio.client.annotations.create(id=task["id"], result=[_mark(0, text.index("Comment") - 1, "commitment")])
    own = tmp_path / "own.jsonl"
    assert annotate("pull", "--annotations", own, "--project", studio.title).stderr == f"{own}: 16 new, 0 changed, 16 in all\n"
    documents = f"seeds,{tmp_path / 'articles'}"
    trained = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", "--documents", documents, "--annotations", own, env=store)
    assert trained.returncode == 0, trained.stderr
    client, run = MlflowClient(store["MLFLOW_TRACKING_URI"]), re.search(r"run ([0-9a-f]{32})", trained.stderr).group(1)
    table = json.loads(Path(client.download_artifacts(run, "out_of_fold.json")).read_text(encoding="utf-8"))
    rows = [dict(zip(table["columns"], values, strict=True)) for values in table["data"]]
    assert {row["document"] for row in rows} == {*NAMES, "sixth.txt"}
    assert [row["commitment_true"] for row in rows if row["document"] == "sixth.txt"] == [1, 0]
    for again in (("seeds", "--annotations", SEEDS), (tmp_path / "articles",)):
        assert ": 0 new, " in annotate("push", *again, "--project", studio.title).stderr
    assert annotate("pull", "--all", "--annotations", own, "--project", studio.title).stderr == f"{own}: 0 new, 0 changed, 16 in all\n"
    assert studio.task_count == len(seeds) + 1
