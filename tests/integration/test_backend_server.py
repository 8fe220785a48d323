"""``annotate backend`` with a real Label Studio: connected, asked when an annotator gets a task, and removed again."""

import signal
from pathlib import Path

import pytest
from newsmark.annotation.documents import make_document
from newsmark.annotation.label_studio.push import push_documents
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestions import RuleSuggester

MODEL = Path("tests/data/models/baseline-6")
VERSION = "baseline-4eab1ef5f958"
SCHEME = load_labels(Path("configs/labels.yaml"))
TEXTS = ("Près de 100 pays ont signé.\n« Nous allons y travailler cette année », dit-elle.", "Nästan 30 procent. Ministern lovar fler skolor.")
PATIENCE = 120


@pytest.fixture
def documents(project):
    """Two documents in the project, with the rules' suggestions."""
    some = [make_document(text, f"{number}.txt") for number, text in enumerate(TEXTS)]
    project.ensure(SCHEME, None)
    list(push_documents(project, some, RuleSuggester(SCHEME), []))
    return some


def connections(project):
    return project.connection.get("api/ml/", {"project": project.required_id()})


def next_task(project):
    """The task that the label stream gives an annotator."""
    return project.connection.get(f"api/projects/{project.required_id()}/next/", {})


def test_the_label_stream_suggests_with_the_model_and_older_suggestions_are_renewed(project, documents, start_backend, predictions, wait_until):
    process, log = start_backend("--model", MODEL)
    (connection,) = connections(project)
    assert (connection["readable_state"], connection["title"], connection["is_interactive"]) == ("Connected", VERSION, False)
    assert {one["model_version"] for one in next_task(project)["predictions"]} == {VERSION}
    assert list(project.connection.sdk.webhooks.list(project=project.id)) == []
    wait_until(lambda: len({one["task"] for one in predictions() if one["model_version"] == VERSION}) == len(documents))
    second, _ = start_backend("--model", MODEL, ready="another annotate backend answers")
    assert second.wait(300) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 0
    assert connections(project) == []
    assert project.suggestion_version == VERSION  # all tasks have it
    assert not [secret for secret in (project.connection._token, TEXTS[0][:20]) if secret in log.read_text()]


@pytest.mark.usefixtures("documents")
def test_a_killed_backend_is_replaced_by_the_next_start_and_ctrl_c_removes_it(project, start_backend):
    killed, _ = start_backend("--model", MODEL)
    killed.kill()
    killed.wait()
    assert len(connections(project)) == 1
    refused, _ = start_backend("--model", MODEL, "--url", "http://127.0.0.1:1", ready="Label Studio can't reach http://127.0.0.1:1")
    assert refused.wait(300) == 1
    assert connections(project) == []
    assert next_task(project)["predictions"]  # those that are stored
    process, _ = start_backend("--model", MODEL)
    (connection,) = connections(project)
    assert connection["readable_state"] == "Connected"
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130
    assert connections(project) == []
