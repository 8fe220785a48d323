"""What goes wrong between newsmark and a real Label Studio: each time one clear line, nothing lost and nothing doubled."""

import base64
import errno
import functools
import http.server
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
import yaml
from newsmark.annotation.documents import read_documents
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio import push as push_module
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.push import plan_push, project_lock, push_documents
from newsmark.annotation.label_studio.reading import EDITED
from newsmark.annotation.label_studio.server import start_server
from newsmark.annotation.label_studio.tasks import Tasks
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.suggestions import RuleSuggester

SCHEME = load_labels()
RULES = RuleSuggester(SCHEME)
DATABASE = "label_studio.sqlite3"


@pytest.fixture
def annotate(label_studio, command, project):
    """Run ``annotate`` on the test's project; ``env`` replaces variables, None takes one out."""

    def run(*arguments, env=None):
        known = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token, **(env or {})}
        known = {key: value for key, value in known.items() if value is not None}
        return command("annotation", arguments[0], "--project", project.title, *arguments[1:], env=known)

    return run


def _error(done, *secrets, code=1):
    """The one line of a command that failed as it must."""
    assert done.returncode == code, done.stderr
    *before, error = done.stderr.splitlines()
    assert error.startswith("annotate: error: "), done.stderr
    assert all(line.startswith("seeds: read 5 files") for line in before), done.stderr
    assert not any(secret in done.stderr + done.stdout for secret in secrets)
    return error.removeprefix("annotate: error: ")


def _articles(path, count):
    rows = [{"text": f"Texte {number} : près de {number} pays.", "name": f"{number}.txt", "lang": "fr"} for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _hashes(project):
    return sorted(task.sha256 for task in project.tasks.export(only_annotated=False))


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _jwt(**claims):
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "HS256"}, claims, "signature"))


@pytest.fixture
def own_data(label_studio, tmp_path):
    """Data folder for a server of the test's own, copied from the running one: a migrated database saves 40 s."""
    data = shutil.copytree(label_studio.data, tmp_path / "data", ignore=shutil.ignore_patterns("*.sqlite3*"))
    with closing(sqlite3.connect(label_studio.data / DATABASE)) as source, closing(sqlite3.connect(data / DATABASE)) as copy:
        source.backup(copy)
    return data


def test_a_server_killed_during_a_push_has_every_document_once_after_the_next(own_data, tmp_path, command):
    articles = _articles(tmp_path / "articles.jsonl", 2000)
    with start_server(own_data) as server:
        env = {**os.environ, "LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
        push = "push", "--project", "killed", str(articles)
        with subprocess.Popen([sys.executable, "-m", "annotation", *push], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not _stored(server):
                time.sleep(0.02)
            os.kill(server.pid, signal.SIGKILL)
            output, errors = process.communicate()
        assert "can't be reached" in _error(subprocess.CompletedProcess(push, process.returncode, output, errors), server.token)
    with start_server(own_data, int(server.url.rsplit(":", 1)[1])):
        project = Project(Connection(server.url, server.token), "killed")
        assert 0 < len(_hashes(project)) < 2000
        again = command("annotation", *push, env=env)
        assert again.returncode == 0, again.stderr
        assert _hashes(project) == sorted(document.id for document in read_documents([articles]))
        assert len(project.tasks.predictions()) == 2000
        assert ": 0 new, 2000 unchanged" in command("annotation", *push, env=env).stderr


def _stored(server):
    """Number of tasks in the project that is being pushed, read past the server, which is busy."""
    with closing(sqlite3.connect(f"file:{server.data / DATABASE}?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*) FROM task JOIN project ON project.id = project_id WHERE title = 'killed'").fetchone()[0]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"LABEL_STUDIO_API_KEY": "f" * 40}, r"the token is refused \(wrong, expired or disabled\); take a new one from the account page"),
        ({"LABEL_STUDIO_API_KEY": _jwt(exp=1000, token_type="refresh")}, "the token is refused"),
        ({"LABEL_STUDIO_API_KEY": _jwt(exp=2**33, token_type="refresh")}, "the token is refused"),
        ({"LABEL_STUDIO_API_KEY": "sécret token"}, "LABEL_STUDIO_API_KEY holds what no token has"),
        ({"LABEL_STUDIO_API_KEY": "open\nsesame"}, "LABEL_STUDIO_API_KEY holds what no token has"),
        ({"LABEL_STUDIO_API_KEY": None}, "no token for http://.*; set LABEL_STUDIO_API_KEY"),
        ({"LABEL_STUDIO_URL": None}, "no Label Studio server is known; run: annotate serve, or set LABEL_STUDIO_URL"),
        ({"LABEL_STUDIO_URL": "127.0.0.1:8080"}, "127.0.0.1:8080 can't be reached .*'http://'"),
    ],
    ids=["wrong", "expired", "forged", "not-ascii", "two-lines", "no-token", "no-server", "no-scheme"],
)
def test_without_a_usable_server_or_token_there_is_one_line(annotate, label_studio, tmp_path, env, message):
    secrets = (env.get("LABEL_STUDIO_API_KEY") or label_studio.token).splitlines()
    assert re.search(message, _error(annotate("status", "--data", tmp_path / "none", env=env), label_studio.token, *secrets))


@pytest.mark.parametrize("arguments", [("push", "seeds"), ("push", "seeds", "--dry-run"), ("pull", "--annotations", "OWN"), ("status",)])
def test_a_server_that_is_down_is_one_line(annotate, label_studio, tmp_path, arguments):
    own, url = tmp_path / "own.jsonl", f"http://127.0.0.1:{_free_port()}"
    done = annotate(*(own if one == "OWN" else one for one in arguments), env={"LABEL_STUDIO_URL": url})
    message = f"{url} can't be reached ([Errno {errno.ECONNREFUSED}] Connection refused); is the server running? annotate serve starts one"
    assert _error(done, label_studio.token) == message
    assert not own.exists()


def test_another_web_server_is_told_from_label_studio(annotate, label_studio, tmp_path):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        done = annotate("push", "seeds", env={"LABEL_STUDIO_URL": url})
        other.shutdown()
    assert _error(done, label_studio.token) == f"{url} does not answer as Label Studio does; check LABEL_STUDIO_URL"


@pytest.mark.parametrize(("methods", "asked"), [({"GET", "POST"}, ("status",)), ({"POST"}, ("push", "seeds"))], ids=["all", "changes"])
def test_a_server_that_redirects_is_one_line(annotate, label_studio, methods, asked):
    class Redirecting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(301 if self.command in methods else 200)
            body = b"" if self.command in methods else b'{"count": 0, "next": null, "previous": null, "results": []}'
            for key, value in (("Location", f"{label_studio.url}{self.path}"), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        done = annotate(*asked, env={"LABEL_STUDIO_URL": url})
        other.shutdown()
    said = f"{url} redirects to {label_studio.url}; set LABEL_STUDIO_URL to the address at which Label Studio itself answers"
    assert _error(done, label_studio.token) == said


def test_a_project_deleted_between_commands_is_made_anew(annotate, project, tmp_path):
    assert annotate("push", "seeds").returncode == 0
    project.connection.sdk.projects.delete(id=project.required_id())
    message = f"{project.connection.url} has no project {project.title!r}; annotate push makes it"
    assert _error(annotate("pull", "--annotations", tmp_path / "own.jsonl")) == message
    with pytest.raises(NewsmarkError, match=r"the project is not there \(deleted\?\)"), project.connection.clear_errors():
        project.tasks.export(only_annotated=False)
    assert ": 5 new, 0 unchanged" in annotate("push", "seeds").stderr


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [("--project", 1, "Label Studio wants 3 to 50 characters"), ("--overlap", 2, "must be a number of annotators from 1 to 1000")],
)
def test_what_label_studio_would_refuse_is_refused_before(command, label_studio, option, code, message):
    env = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    done = command("annotation", "push", "seeds", option, "-1", env=env)
    assert done.returncode == code
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


class _Hasty(Tasks):
    """Gives up an import as soon as it is sent: the server continues with it."""

    def import_rows(self, rows):
        threading.Thread(target=super().import_rows, args=(rows,)).start()
        raise httpx.ReadTimeout("the read operation timed out")


@pytest.fixture
def hasty(label_studio, project):
    """The test's project, seen by a client that does not wait for imports."""

    class Hasty(Project):
        @property
        def tasks(self):
            return _Hasty(self.connection, self.required_id())

    return Hasty(Connection(label_studio.url, label_studio.token), project.title)


def test_an_import_that_timed_out_is_waited_for(project, hasty, monkeypatch, tmp_path):
    monkeypatch.setattr(push_module, "_SETTLE_SECONDS", 600)  # however slow the machine is
    documents = list(read_documents([_articles(tmp_path / "articles.jsonl", 500)]))
    hasty.ensure(SCHEME, None)
    assert list(push_documents(hasty, documents, RULES, [])) == [500]
    assert _hashes(project) == sorted(one.id for one in documents)


def test_a_push_that_timed_out_and_one_that_crossed_it_leave_no_copies(project, annotate, hasty, monkeypatch, tmp_path):
    articles = _articles(tmp_path / "articles.jsonl", 500)
    documents = list(read_documents([articles]))
    hasty.ensure(SCHEME, None)
    monkeypatch.setattr(push_module, "_wait_until_settled", lambda *_: len(documents))  # what became of the import is not waited for
    with pytest.raises(NewsmarkError, match="did not answer in time and stored 0 of 500 documents; run the command again"):
        list(push_documents(hasty, documents, RULES, []))
    crossing = plan_push(project, documents).new  # what a second push would send at this moment
    list(push_documents(project, crossing, RULES, []))
    assert annotate("push", articles).returncode == 0
    assert _hashes(project) == sorted(one.id for one in documents)


def test_a_second_push_is_kept_out_while_one_runs(annotate, project):
    with project_lock(project):
        message = f"another annotate command is changing {project.connection.url}, project {project.title!r}; wait for it, then run the command again"
        assert _error(annotate("push", "seeds")) == message
    assert project.id is None
    assert annotate("push", "seeds").returncode == 0


def test_two_pushes_at_once_store_each_document_once(annotate, project, tmp_path):
    articles = _articles(tmp_path / "articles.jsonl", 1500)
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: annotate("push", articles), range(2)))
    assert any(one.returncode == 0 for one in done), done
    for one in done:
        assert one.returncode == 0 or "; wait for it" in _error(one)
    assert _hashes(project) == sorted(one.id for one in read_documents([articles]))


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_text_with_a_nul_is_refused_before_anything_is_sent(annotate, project, tmp_path, name):
    (tmp_path / name).write_text({"a.txt": "Hej\0 hej", "a.jsonl": '{"text": "Hej\\u0000 hej"}\n'}[name], encoding="utf-8")
    assert re.search(r"a\.(txt|jsonl, line 1): .*NUL", _error(annotate("push", tmp_path / name)))
    assert project.id is None


def test_an_annotation_that_cannot_be_read_is_named_and_the_others_are_pulled(annotate, project, label_studio, tmp_path):
    content = yaml.safe_load(DEFAULT_LABELS.read_text(encoding="utf-8"))
    content["labels"]["rumour"] = {"definition": "Says what is not known.", "color": "#123456", "hotkey": "9"}
    (tmp_path / "labels.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    annotate("push", _articles(tmp_path / "articles.jsonl", 3), "--labels", tmp_path / "labels.yaml")
    odd, good, edited = project.tasks.export(only_annotated=False)
    mark = {"id": "s1", "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 5, "labels": ["rumour"]}}
    for task, results in ((odd, [mark]), (good, []), (edited, [])):
        project.connection.sdk.annotations.create(id=task.id, result=results)
    sdk = project.connection.sdk
    sdk.tasks.update(id=edited.id, data={"text": f"Nu. {edited.text}", "sha256": edited.sha256, "name": edited.name})
    sdk.projects.import_tasks(id=project.required_id(), request=[{"data": {"text": "Eget."}}])
    own, name = tmp_path / "own.jsonl", label_studio.username
    label = f"task {odd.id} (0.txt), {name}: label 'rumour' is not in the labels file; add it there, or change the annotation"
    assert _error(annotate("pull", "--strict", "--annotations", own)) == label
    assert not own.exists()
    pulled = annotate("pull", "--annotations", own)
    assert pulled.returncode == 3
    assert pulled.stderr.splitlines() == [
        f"{own}: 1 new, 0 changed, 1 in all",
        f"left out: {label}",
        f"left out: task {edited.id} (2.txt), {name}: {EDITED}",
        "annotate: error: 2 parts of annotations could not be read (see above); "
        "correct them in Label Studio or in the labels file, then run annotate pull --all",
    ]
    assert [json.loads(line)["name"] for line in own.read_text(encoding="utf-8").splitlines()] == ["1.txt"]
    status = annotate("status", "--json")
    assert status.returncode == 3
    answer = json.loads(status.stdout)
    assert [(one["name"], one["annotators"]) for one in answer["tasks"]] == [
        ("0.txt", [f"{name} (not readable)"]),
        ("1.txt", [name]),
        ("2.txt", [f"{name} (not readable)"]),
    ]
    assert [one["task"] for one in answer["left_out"]] == [odd.id, edited.id]
    assert len(answer["foreign_tasks"]) == 1
    assert f"passed over: 1 task ({answer['foreign_tasks'][0]}) that newsmark did not push" in status.stderr
    assert annotate("pull", "--all", "--labels", tmp_path / "labels.yaml", "--annotations", own, "--json").returncode == 3  # the edited text
    assert {json.loads(line)["name"] for line in own.read_text(encoding="utf-8").splitlines()} == {"0.txt", "1.txt"}


def test_the_work_of_a_deleted_user_keeps_his_name(annotate, project, tmp_path):
    annotate("push", _articles(tmp_path / "articles.jsonl", 1))
    (task,) = project.tasks.export(only_annotated=False)
    user = project.annotators.id_of("Åsa Ek")
    project.connection.sdk.annotations.create(id=task.id, result=[], completed_by=user)
    own = tmp_path / "own.jsonl"
    annotate("pull", "--annotations", own)
    before = own.read_bytes()
    project.connection.sdk.users.delete(id=user)
    assert annotate("pull", "--all", "--annotations", own).stderr == f"{own}: 0 new, 0 changed, 1 in all\n"
    assert own.read_bytes() == before
