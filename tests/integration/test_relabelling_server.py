"""``annotate labels`` against a real Label Studio: files and project change together, and a run that was cut off is finished by the next one."""

import json
import shutil
import sqlite3
from contextlib import closing
from itertools import islice

import pytest
from newsmark.annotation.cli import main
from newsmark.annotation.label_studio import labels_command
from newsmark.annotation.label_studio.interface import SPAN, offered_in
from newsmark.annotation.label_studio.labels_command import _change_server
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.relabelling import relabel_project
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.relabelling import rename_label

TEXT = "Près de 100 pays ont signé.\n« Nous allons y travailler dès demain », dit-elle."


@pytest.fixture
def annotate(label_studio, project, monkeypatch, capsys):
    """Run ``annotate`` for the test's project, in this process, and return what it reports."""
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)

    def run(*arguments, code=0):
        capsys.readouterr()
        done = main([*map(str, arguments), "--project", project.title])
        said = capsys.readouterr().err
        assert done == code, said
        return said

    return run


def _quote(region, start, end):
    return [{"id": region, "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": start, "end": end, "labels": ["quote:direct"]}}]


@pytest.fixture
def desk(project, annotate, label_studio, tmp_path):
    """A desk with an article, Bo's annotation, which was pulled, and a draft of Åsa's; returns its labels file and its annotations."""
    labels, article, own = shutil.copy(DEFAULT_LABELS, tmp_path / "labels.yaml"), tmp_path / "a.txt", tmp_path / "own.jsonl"
    article.write_text(TEXT, encoding="utf-8")
    annotate("push", article, "--labels", labels)
    (task,) = project.tasks.export(only_annotated=False)
    marked = [
        *_quote("s1", 28, 66),
        {"id": "s2", "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 27, "labels": ["statistic"]}},
    ]
    project.tasks.add_annotation(task.id, {"result": marked, "completed_by": project.annotators.id_of("Bo")})
    annotate("pull", "--annotations", own, "--labels", labels)
    request = project.connection._http.post(  # the SDK makes no drafts
        f"{label_studio.url}/api/tasks/{task.id}/drafts", json={"result": _quote("d1", 30, 66)}, headers={"Authorization": f"Token {label_studio.token}"}
    )
    with closing(sqlite3.connect(label_studio.data / "label_studio.sqlite3")) as database, database:
        database.execute("UPDATE tasks_annotationdraft SET user_id = ? WHERE id = ?", (project.annotators.id_of("Åsa"), request.json()["id"]))
    return labels, own


def _names(project):
    """Labels of spans that the server has, by where they are."""
    (row,) = project.tasks.export_rows(only_annotated=False)
    given = {"annotation": row["annotations"], "draft": row["drafts"], "prediction": project.tasks.prediction_rows()}
    names = {kind: sorted(name for one in some for result in one["result"] for name in result["value"].get("labels", ())) for kind, some in given.items()}
    return {**names, "interface": sorted(value for control, value in offered_in(project.label_config) if control == SPAN)}


def test_a_renamed_label_is_renamed_everywhere_and_a_run_that_was_killed_is_finished(project, annotate, desk):
    labels, own = desk
    before, scheme = _names(project), load_labels(labels)
    assert before["prediction"] == ["quote:direct", "statistic"]
    rename = "labels", "rename", "quote", "speech", "--annotations", own, "--labels", labels
    dry = annotate(*rename, "--dry-run")
    assert f"would change {own}: 1 span in 1 annotation\nwould change {project.url}: the interface, 1 annotation, 1 draft, 1 prediction\n" in dry
    assert _names(project) == before
    for steps in (1, None):  # what a run does on the server until it is killed: after the first step, and before it changes the files
        for _ in islice(relabel_project(project, scheme, rename_label(scheme, "quote", "speech"), adjudicating=False), steps):
            pass
        assert "quote" in labels.read_text(encoding="utf-8")
    annotate(*rename)
    assert _names(project) == {where: sorted(name.replace("quote", "speech") for name in names) for where, names in before.items()}
    (row,) = map(json.loads, own.read_text(encoding="utf-8").splitlines())
    assert [(span["label"], span.get("kind")) for span in row["spans"]] == [("statistic", None), ("speech", "direct")]
    assert row["offered"] == ["commitment", "statistic", "speech", "boilerplate"]
    assert annotate("pull", "--annotations", own, "--labels", labels, "--all") == f"{own}: 0 new, 0 changed, 1 in all\n"
    (draft,) = project.tasks.export_rows(only_annotated=False)[0]["drafts"]
    assert draft["user"].endswith("@annotators.invalid")  # it is Åsa's still


def test_a_change_of_the_server_that_follows_that_of_the_files_is_no_submission(annotate, desk):
    labels, own = desk
    (row,) = map(json.loads, own.read_text(encoding="utf-8").splitlines())
    own.write_text(json.dumps({**row, "offered": ["statistic", "quote"]}) + "\n", encoding="utf-8")  # the other labels came later
    rename = "labels", "rename", "quote", "speech", "--annotations", own, "--labels", labels
    annotate(*rename, "--offline")
    assert "1 annotation, 1 draft, 1 prediction" in annotate(*rename)
    (renamed,) = map(json.loads, own.read_text(encoding="utf-8").splitlines())
    assert renamed["updated_at"] == row["updated_at"] < renamed["relabelled_at"]
    assert annotate("pull", "--annotations", own, "--labels", labels) == f"{own}: 0 new, 0 changed, 1 in all\n"
    assert json.loads(own.read_text(encoding="utf-8"))["offered"] == ["statistic", "speech"]


def test_what_a_pull_wrote_meanwhile_stays_and_the_same_command_continues(annotate, desk, monkeypatch):
    labels, own = desk
    (row,) = map(json.loads, own.read_text(encoding="utf-8").splitlines())
    rename = "labels", "rename", "quote", "speech", "--annotations", own, "--labels", labels

    def change_server(*arguments, **options):
        own.write_text("".join(json.dumps(one) + "\n" for one in (row, {**row, "annotator": "Åsa"})), encoding="utf-8")
        _change_server(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(labels_command, "_change_server", change_server)
        said = annotate(*rename, code=1)
    assert f"{own}: another program wrote this file meanwhile, and nothing was written over it; run the command again" in said
    assert "quote" in labels.read_text(encoding="utf-8")
    annotate(*rename)
    rows = [json.loads(line) for line in own.read_text(encoding="utf-8").splitlines()]
    labels_of = {one["annotator"]: [span["label"] for span in one["spans"]] for one in rows}
    assert labels_of == {row["annotator"]: ["statistic", "speech"], "Åsa": ["statistic", "speech"]}


def test_a_merge_reaches_disputes(project, annotate, desk, label_studio, tmp_path):
    labels, own = desk
    (row,) = map(json.loads, own.read_text(encoding="utf-8").splitlines())
    promise = {"id": "s3", "start": 28, "end": 66, "label": "commitment"}
    rows = [{**row, "annotator": "Åsa", "spans": [*row["spans"], promise]}, row]
    own.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    adjudicate = "adjudicate", tmp_path / "a.txt", "--annotations", own, "--labels", labels
    annotate(*adjudicate)
    deciding = Project(project.connection, f"{project.title} adjudication")
    (task,) = deciding.tasks.export(only_annotated=False)
    (agreed,) = deciding.tasks.prediction_rows()
    deciding.tasks.add_annotation(task.id, {"result": agreed["result"]})  # submitted untouched
    (annotated,) = project.tasks.export(only_annotated=True)
    address, headers = f"{label_studio.url}/api", {"Authorization": f"Token {label_studio.token}"}
    drafts = f"{address}/tasks/{annotated.id}/annotations/{annotated.annotations[0].id}/drafts"
    draft = project.connection._http.post(drafts, json={"result": []}, headers=headers).json()["id"]
    merge = "labels", "merge", "statistic", "commitment", "--into", "claim", "--annotations", own, "--labels", labels
    text, before = labels.read_text(encoding="utf-8"), _names(project)
    assert "Label Studio would delete these drafts; let them press Update or discard the drafts" in annotate(*merge, code=1)
    assert (labels.read_text(encoding="utf-8"), _names(project)) == (text, before)
    project.connection._http.delete(f"{address}/drafts/{draft}/", headers=headers)
    annotate(*merge)
    assert _names(project)["annotation"] == ["claim", "quote:direct"]
    assert _names(project)["interface"] == ["boilerplate", "claim", "quote:direct", "quote:indirect"]
    (task,) = deciding.tasks.export(only_annotated=False)
    assert "<td>claim</td>" in task.disputed
    assert [result.labels for result in task.annotations[0].results if result.labels] == [("claim",), ("quote:direct",)]
    assert "submitted as it was shown, which decides nothing" in annotate(*adjudicate, code=3)
