"""``annotate pull --adopt`` and the JSON export of a project that newsmark did not make, against a real Label Studio."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from newsmark.annotation.formats.kinds import format_named
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.labels import load_labels

SEEDS = Path("seeds/annotations.jsonl")
TEXT = "Près de 100 pays 🇸🇪 ont signé.\n« Nous allons y travailler », dit-elle."
OWN = {"id": "r1", "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 16, "labels": ["statistic"]}}
PAGE = "<html><head><title>no</title></head><body><p>Près de <b>100 pays</b> &amp; plus.</p></body></html>"


@pytest.fixture
def annotate(label_studio, command):
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    return lambda *arguments: command("annotation", *arguments, env=env)


def imported(project, rows):
    project.connection.sdk.projects.import_tasks(id=project.required_id(), request=rows)


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_tasks_of_others_are_adopted_on_request_and_named_without(project, annotate, tmp_path):
    project.ensure(load_labels(), None)
    imported(project, [{"data": {"text": TEXT, "name": "egen.txt", "desk": "A"}, "annotations": [{"result": [OWN]}]}, {"data": {"text": "Ingen."}}])
    file, texts = tmp_path / "annotations.jsonl", tmp_path / "adopted.jsonl"
    passed_over = annotate("pull", "--annotations", file, "--project", project.title)
    assert passed_over.returncode == 0, passed_over.stderr
    assert "passed over: 1 task" in passed_over.stderr
    assert rows_of(file) == []
    assert not texts.exists()

    adopted = annotate("pull", "--adopt", "--annotations", file, "--project", project.title, "--json")
    assert adopted.returncode == 0, adopted.stderr
    assert [one["document"] for one in json.loads(adopted.stdout)["adopted"]] == [hashlib.sha256(text.encode()).hexdigest() for text in (TEXT, "Ingen.")]
    (row,) = rows_of(file)
    assert (row["name"], row["ground_truth"]) == ("egen.txt", True)  # Label Studio marks what is imported
    assert "1 adopted task (egen.txt) with a ground truth" in adopted.stderr
    assert row["spans"] == [{"id": "r1", "start": 0, "end": 16, "label": "statistic"}]
    tasks = project.connection.get("api/tasks/", {"project": project.required_id(), "fields": "all"})["tasks"]
    data = {task["data"]["name"]: task["data"] for task in tasks}
    assert (data["egen.txt"]["desk"], data["egen.txt"]["sha256"]) == ("A", hashlib.sha256(TEXT.encode()).hexdigest())

    checked = annotate("check", texts, "--annotations", file)
    assert checked.returncode == 0, checked.stderr
    pushed = annotate("push", texts, "--project", project.title)
    assert "0 new" in pushed.stderr or "2 unchanged" in pushed.stderr, pushed.stderr
    again = annotate("pull", "--adopt", "--annotations", file, "--project", project.title)
    assert "adopted" not in again.stderr
    assert len(rows_of(file)) == 1


def test_the_export_of_a_project_with_its_own_interface_is_imported(project, command, tmp_path):
    interface = (
        '<View><HyperTextLabels name="marks" toName="page"><Label value="Zahl"/><Label value="Zitat"/></HyperTextLabels><HyperText name="page" value="$html"/>'
        '<Choices name="rubrik" toName="page"><Choice value="cybercrime"/></Choices><TextArea name="kommentar" toName="page"/></View>'
    )
    created = project.connection.sdk.projects.create(title=project.title, label_config=interface)
    other = Project(project.connection, project.title)
    assert other.id == created.id
    place = {"start": "/p[1]/text()[1]", "end": "/p[1]/b[1]/text()[1]", "startOffset": 0, "endOffset": 8, "globalOffsets": {"start": 0, "end": 16}}
    results = [
        {
            "id": "a",
            "from_name": "marks",
            "to_name": "page",
            "type": "hypertextlabels",
            "value": {**place, "text": "Près de 100 pays", "hypertextlabels": ["Zahl", "Zitat"]},
        },
        {"id": "b", "from_name": "rubrik", "to_name": "page", "type": "choices", "value": {"choices": ["cybercrime"]}},
        {"id": "c", "from_name": "kommentar", "to_name": "page", "type": "textarea", "value": {"text": ["osäker"]}},
    ]
    imported(other, [{"data": {"html": PAGE}, "annotations": [{"result": results}]}])
    exported = other.connection.get(f"api/projects/{other.id}/export", {"exportType": "JSON"})
    path = tmp_path / "export.json"
    path.write_text(json.dumps(exported, ensure_ascii=False), encoding="utf-8")
    (entry,) = format_named("label-studio").read(path, None)
    assert entry.text == "Près de 100 pays & plus."
    files = ("--documents", tmp_path / "d.jsonl", "--annotations", tmp_path / "a.jsonl")
    done = command("annotation", "import", path, "--format", "label-studio", "--map", "Zahl=statistic", *files)
    assert done.returncode == 3
    assert "left out: 'Zitat', 1 times" in done.stderr
    (row,) = rows_of(tmp_path / "a.jsonl")
    assert [(one["start"], one["end"], one["label"]) for one in row["spans"]] == [(0, 16, "statistic")]
    assert (row["topics"], row["note"], row["ground_truth"]) == (["cybercrime"], "osäker", False)


def test_an_exported_file_is_imported_by_a_server_that_knows_the_annotators(project, annotate, tmp_path):
    project.ensure(load_labels(), 3)
    for name in ("reader-1", "reader-2", "adjudicator"):
        project.annotators.id_of(name)
    emails = {user.first_name: user.email for user in project.connection.sdk.users.list()}
    done = annotate("export", "seeds", "--annotations", "seeds/annotations.jsonl", "--format", "label-studio", "--output", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    for row in rows:
        for one in row["annotations"]:
            one["completed_by"] = {"email": emails[one["completed_by"]["email"]]}  # annotators who log in are called as their address
    imported(project, rows)
    pulled = annotate("pull", "--annotations", tmp_path / "back.jsonl", "--project", project.title)
    assert pulled.returncode == 0, pulled.stderr
    own = {(row["document"], row["annotator"]): (row["ground_truth"], row["topics"], row["spans"]) for row in rows_of(SEEDS)}
    assert {(row["document"], row["annotator"]): (row["ground_truth"], row["topics"], row["spans"]) for row in rows_of(tmp_path / "back.jsonl")} == own
