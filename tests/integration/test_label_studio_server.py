"""A real Label Studio, as ``annotation.server`` installs, starts and stops it."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio import install as install_module
from newsmark.annotation.label_studio import server as server_module
from newsmark.annotation.label_studio.credentials import CREDENTIALS, read_credentials, read_url
from newsmark.annotation.label_studio.server import start_server

DATABASE = "label_studio.sqlite3"
SERVE = """
import signal, sys
from pathlib import Path
from newsmark.annotation.label_studio.server import serve
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job, such as this test may be, starts with SIGINT ignored
serve(Path(sys.argv[1]), int(sys.argv[2]))
"""


def _ask(url, token=None, body=None):
    """Status and JSON of the answer (to a POST where there is a body); no proxy in between."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Token {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=600) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


def _whoami(server, token):
    return _ask(f"{server.url}/api/current-user/whoami", token)


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def _command_line(pid):
    """What others see of a process, by ``ps`` for one."""
    file = Path(f"/proc/{pid}/cmdline")
    if file.is_file():
        return file.read_text().replace("\0", " ")
    return subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout


def _group_is_gone(pid):
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _listening(port):
    """Addresses, as the kernel writes them, on which somebody listens at this port."""
    rows = [line.split() for name in ("tcp", "tcp6") if Path("/proc/net", name).is_file() for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]


@pytest.fixture(scope="module")
def stopped(label_studio, tmp_path_factory):
    """Data folder of a stopped server, copied from the running one: a migrated database saves 40 s."""
    data = shutil.copytree(label_studio.data, tmp_path_factory.mktemp("stopped") / "data", ignore=shutil.ignore_patterns("*.sqlite3*"))
    with closing(sqlite3.connect(label_studio.data / DATABASE)) as source, closing(sqlite3.connect(data / DATABASE)) as copy:
        source.backup(copy)  # whole, even while the server writes
    return data


def test_health_answers(label_studio):
    assert _ask(f"{label_studio.url}/health") == (200, {"status": "UP"})


def test_the_administrators_token_works_and_a_wrong_one_is_refused(label_studio):
    status, user = _whoami(label_studio, label_studio.token)
    assert (status, user["email"]) == (200, label_studio.username)
    assert _whoami(label_studio, "0" * 40)[0] == 401
    assert _whoami(label_studio, None)[0] == 401


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="needs Linux's /proc")
def test_it_listens_on_this_machine_only(label_studio):
    assert _listening(int(label_studio.url.rsplit(":", 1)[1])) == ["0100007F"]  # 127.0.0.1, and nothing of IPv6


def test_a_wrong_prediction_is_refused(label_studio):
    config = '<View><Labels name="span" toName="text"><Label value="quote"/></Labels><Text name="text" value="$text"/></View>'
    status, project = _ask(f"{label_studio.url}/api/projects", label_studio.token, {"title": "predictions", "label_config": config})
    assert status == 201

    def imported(label):
        result = {"id": "p1", "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 3, "labels": [label]}}
        task = {"data": {"text": "Hej hej"}, "predictions": [{"model_version": "m", "score": 0.5, "result": [result]}]}
        return _ask(f"{label_studio.url}/api/projects/{project['id']}/import", label_studio.token, [task])[0]

    assert (imported("quote"), imported("rumour")) == (201, 400)


def test_it_calls_nobody(stopped, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "localhost")
        with start_server(stopped) as server:
            assert _ask(f"{server.url}/heidi-tips/")[0] == 404  # what its log-in page asks for, and it would ask GitHub for
            login = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{server.url}/user/login/", timeout=600).read().decode()
        proxy.settimeout(0.1)
        asked = []
        with suppress(TimeoutError):
            asked.append(proxy.accept()[0].recv(200))
    assert asked == []
    assert "collect_analytics = false" in login
    assert "googletagmanager" not in login


def test_only_the_owner_reads_the_data(label_studio):
    assert _mode(label_studio.data) == 0o700
    assert {path.name: _mode(path) for path in label_studio.data.iterdir() if path.is_file() and _mode(path) & 0o077} == {}
    assert _mode(label_studio.data / CREDENTIALS) == 0o600


def test_secrets_are_in_no_log_command_line_or_message(label_studio):
    known = read_credentials(label_studio.data)
    assert (known.username, known.password, known.token) == (label_studio.username, label_studio.password, label_studio.token)
    arguments = _command_line(label_studio.pid)
    assert "--internal-host" in arguments
    shown = [label_studio.log.read_text(), arguments, repr(label_studio), repr(known)]
    assert [secret in text for secret in (known.password, known.token, known.secret_key) for text in shown] == [False] * 12


def test_a_busy_port_is_one_line_before_anything_is_made(label_studio, tmp_path):
    port = int(label_studio.url.rsplit(":", 1)[1])
    with pytest.raises(NewsmarkError, match=f"^port {port} of 127.0.0.1 can't be used .*choose another with --port$"):
        start_server(tmp_path / "data", port)
    with pytest.raises(NewsmarkError, match=r"^port 0 of no\.such\.host\.invalid can't be used .*choose another with --port or --host$"):
        start_server(tmp_path / "data", host="no.such.host.invalid")
    assert not (tmp_path / "data").exists()


def test_a_folder_in_use_is_one_line(label_studio):
    with pytest.raises(NewsmarkError, match="a Label Studio is running on this folder"):
        start_server(label_studio.data)
    assert _whoami(label_studio, label_studio.token)[0] == 200
    assert label_studio.log.stat().st_size > 0


def test_users_and_data_outlive_a_restart_and_a_stop_leaves_no_process(stopped, label_studio):
    with start_server(stopped) as first:
        assert first.token == label_studio.token
        status, project = _ask(f"{first.url}/api/projects", first.token, {"title": "kept over a restart"})
        assert status == 201
        assert os.getpgid(first.pid) == first.pid
    assert _group_is_gone(first.pid)
    first.stop()  # once more does no harm
    with start_server(stopped, int(first.url.rsplit(":", 1)[1]), host="0.0.0.0") as second:
        assert "--internal-host 0.0.0.0" in _command_line(second.pid)
        assert second.url == first.url == read_url(stopped)
        assert _ask(f"{second.url}/api/projects/{project['id']}", first.token)[1]["title"] == "kept over a restart"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_how_to_log_in_and_takes_the_server_along(stopped, number):
    command = [sys.executable, "-c", SERVE, str(stopped), "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        lines = [process.stderr.readline()]
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", lines[-1])):  # on a slow machine it reports that it waits
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        url = found.group()
        lines.append(process.stderr.readline())
        assert _ask(f"{url}/health")[0] == 200
        process.send_signal(number)
        lines += process.stderr.readlines()
    assert process.returncode == 0
    with pytest.raises(urllib.error.URLError, match="refused"):
        _ask(f"{url}/health")
    known = read_credentials(stopped)
    assert f"log in as {known.username}; the password and the API token are in {stopped / CREDENTIALS}\n" in lines
    assert not any(secret in line for line in lines for secret in (known.password, known.token, known.secret_key))


def test_lost_credentials_are_told_from_a_new_folder(stopped, tmp_path):
    data = shutil.copytree(stopped, tmp_path / "data")
    (data / CREDENTIALS).unlink()
    assert read_credentials(data) is None
    with pytest.raises(NewsmarkError, match=r"not empty and without credentials\.json"):
        start_server(data)
    (data / CREDENTIALS).write_text('{"username": "admin@example.org"}')
    with pytest.raises(NewsmarkError, match="not the credentials of a Label Studio"):
        start_server(data)


def test_credentials_of_another_database_are_one_line(stopped, tmp_path):
    data = shutil.copytree(stopped, tmp_path / "data")
    other = {**json.loads((data / CREDENTIALS).read_text()), "token": "f" * 40}
    (data / CREDENTIALS).write_text(json.dumps(other))
    with pytest.raises(NewsmarkError, match=r"refuses the token of .*credentials\.json \(status 401\)") as error:
        start_server(data)
    assert "f" * 40 not in str(error.value)


@pytest.mark.parametrize(("step", "problem"), [("init", "can't make its database"), ("start", "did not start")])
def test_a_server_that_dies_is_one_line_without_secrets(tmp_path, monkeypatch, step, problem):
    program = tmp_path / "label-studio"
    program.write_text(f'#!/bin/sh\n[ "$1" = {step} ] || exit 0\necho "first"\necho "no database for $LABEL_STUDIO_PASSWORD"\nexit 3\n')
    program.chmod(0o700)
    monkeypatch.setattr(server_module, "install_label_studio", lambda _: program)
    with pytest.raises(NewsmarkError, match=rf"^Label Studio {problem} \(code 3\): no database for …; see .*server\.log$"):
        start_server(tmp_path / "data")


def test_a_failed_installation_is_one_line_and_tried_again(tmp_path, monkeypatch):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("label-studio==0.0.1\n")  # contradicts the version, so that pip fails at once
    monkeypatch.setattr(install_module, "_CONSTRAINTS", constraints)
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(NewsmarkError, match=r"^Label Studio can't be installed: ERROR: "):
            install_module.install_label_studio()
    assert not list((tmp_path / "cache").glob("*/ready"))


@pytest.fixture
def database(postgres, monkeypatch):
    """The PostgreSQL cluster, named by Label Studio's variables."""
    monkeypatch.setenv("DJANGO_DB", "default")
    for name, value in postgres.items():
        monkeypatch.setenv(f"POSTGRE_{name}", value)
    return postgres


def test_it_keeps_its_data_in_postgresql(database, tmp_path):
    with start_server(tmp_path / "data") as server:
        assert _whoami(server, server.token)[0] == 200
        log = server.log.read_text()
    assert not (tmp_path / "data" / DATABASE).exists()
    assert database["PASSWORD"] not in log
