"""``annotate adjudicate`` against the real Label Studio, from two readings of the seeds to a ground truth."""

import json
import re

import pytest
from newsmark.annotation.annotations import read_annotations
from newsmark.annotation.documents import read_documents
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.labels import load_labels

TITLE = "adjudicated seeds"


@pytest.fixture
def environment(label_studio, store):
    return {**store, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}


def test_agreed_documents_pass_and_disputes_are_decided_in_label_studio(command, environment, label_studio, tmp_path, pytestconfig):
    rows = [json.loads(line) for line in (pytestconfig.rootpath / "seeds/annotations.jsonl").read_text().splitlines()]
    path = tmp_path / "annotations.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if not row["ground_truth"]))

    def adjudicate():
        done = command("annotation", "adjudicate", "--annotations", path, "--project", TITLE, env=environment)
        assert done.returncode == 0, done.stderr
        return tuple(map(int, re.search(r"(\d) of 5 documents have a ground truth, (\d) are in dispute", done.stderr).groups()))

    assert adjudicate() == (1, 4)
    assert adjudicate() == (1, 4)
    project = Project(Connection(label_studio.url, label_studio.token), f"{TITLE} adjudication")
    tasks = project.tasks.export(only_annotated=False)
    assert len(tasks) == 4
    first = tasks[0]
    versions = {
        one["model_version"]: one["result"] for one in project.connection.get("api/predictions/", {"project": project.required_id()}) if one["task"] == first.id
    }
    assert set(versions) == {"agreed", "reader-1", "reader-2"}
    project.connection.sdk.annotations.create(id=first.id, result=versions["reader-2"])

    assert adjudicate() == (2, 3)
    (marked,) = project.tasks.export(only_annotated=True)
    assert [one.ground_truth for one in marked.annotations] == [True]
    documents = list(read_documents([pytestconfig.rootpath / "seeds"]))
    merged = read_annotations(path, documents, load_labels())
    (truth,) = [one for one in merged if one.ground_truth and one.document_id == first.sha256]
    (reader,) = [one for one in merged if one.annotator == "reader-2" and one.document_id == truth.document_id]
    assert [(span.start, span.end, span.label, span.kind) for span in truth.spans] == [(span.start, span.end, span.label, span.kind) for span in reader.spans]
    assert truth.task_url.startswith(label_studio.url)
    assert len(merged) == 12

    pushed = command("annotation", "push", "seeds", "--project", TITLE, env=environment)
    assert pushed.returncode == 0, pushed.stderr
    (task,) = [
        one for one in Project(Connection(label_studio.url, label_studio.token), TITLE).tasks.export(only_annotated=False) if one.sha256 == truth.document_id
    ]
    project.connection.sdk.annotations.create(id=task.id, result=[])
    pulled = command("annotation", "pull", "--annotations", path, "--project", TITLE, env=environment)
    assert f"{path}: 1 new, 0 changed, 13 in all" in pulled.stderr
