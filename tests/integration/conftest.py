"""What the integration tests share: one real Label Studio, PostgreSQL, and servers of models."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest
from browsing import CHROMIUM, DRIVER, logged_in
from filelock import FileLock
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.server import start_server


@pytest.fixture(scope="session", autouse=True)
def _not_the_users_database():
    """``start_server`` passes these on, and the tests must never write to a database that somebody uses."""
    with pytest.MonkeyPatch.context() as patch:
        for prefix in ("", "LABEL_STUDIO_", "HEARTEX_"):
            patch.delenv(f"{prefix}DJANGO_DB", raising=False)
        yield


@pytest.fixture(scope="session")
def label_studio(_not_the_users_database, tmp_path_factory):
    """A running ``Server``, one per process that runs tests: make projects of your own.

    Its first start takes 40 s, for the database; the processes copy the data folder of the first one.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = shared / "label-studio"
    with FileLock(shared / "label-studio.lock"):
        if not (shared / "label-studio-is-made").exists():
            shutil.rmtree(made, ignore_errors=True)
            start_server(made, port=None).stop()
            (shared / "label-studio-is-made").touch()
    data = tmp_path_factory.mktemp("label-studio") / "data"
    shutil.copytree(made, data)
    with start_server(data, port=None) as server:
        yield server


@pytest.fixture
def project(label_studio, request):
    """A project of the test's own, which does not exist yet."""
    name = request.node.name.removeprefix("test_")
    title = f"{name[:40]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"  # 50 characters at most, and the parameters count
    return Project(Connection(label_studio.url, label_studio.token), title)


@pytest.fixture
def predictions(project):
    """Read all predictions of the test's project, as the server writes them."""
    return lambda: project.connection.get("api/predictions/", {"project": project.required_id()})


@pytest.fixture(scope="session")
def wait_until():
    """Wait until something is reached."""

    def wait(reached):
        end = time.monotonic() + 300
        while not reached():
            assert time.monotonic() < end
            time.sleep(0.1)

    return wait


@pytest.fixture
def start_backend(label_studio, project, wait_until, tmp_path):
    """Start ``annotate backend`` for the test's project, and wait until it is connected (or has printed ``ready``); what still runs at the end is killed."""
    own = {**os.environ, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    running = []

    def start(*options, ready="suggesting with", env=None):
        log = tmp_path / f"backend-{len(running)}.log"
        command = [sys.executable, "-m", "annotation", "backend", "--project", project.title, "--port", "0", *map(str, options)]
        with log.open("w") as stream:
            process = subprocess.Popen(command, env={**own, **(env or {})}, stdout=stream, stderr=stream)
        running.append(process)
        wait_until(lambda: ready in log.read_text() or process.poll() is not None)
        assert ready in log.read_text(), log.read_text()
        return process, log

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def browser(label_studio, tmp_path):
    """Chromium, logged in to Label Studio as the administrator (see ``browsing``)."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium with its driver on this machine (Debian: apt-get install chromium-driver)")
    with logged_in(label_studio, tmp_path / "profile") as driver:
        yield driver


def _postgres_programs():
    """Folder with ``initdb`` and ``pg_ctl``; Debian keeps it out of the PATH."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


@pytest.fixture
def postgres():
    """A throwaway PostgreSQL cluster on 127.0.0.1: NAME, USER, PASSWORD, HOST and PORT of its database."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}  # it refuses to run as root
    port = _free_port()
    # not pytest's folder: only its owner may enter that one
    folder = Path(tempfile.mkdtemp(prefix="newsmark-postgres-"))

    def run(program, *arguments):
        subprocess.run([programs / program, "-D", folder / "data", *arguments], cwd=folder, check=True, timeout=120, stdout=subprocess.DEVNULL, **as_user)

    try:
        (folder / "password").write_text("a password of the database")
        if as_user:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        run("initdb", "-U", "newsmark", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8", "--locale=C")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories=''"
        run("pg_ctl", "start", "-w", "-l", folder / "log", "-o", options)
        try:
            yield {"NAME": "postgres", "USER": "newsmark", "PASSWORD": "a password of the database", "HOST": "127.0.0.1", "PORT": str(port)}
        finally:
            run("pg_ctl", "stop", "-m", "fast")
    finally:
        shutil.rmtree(folder)


_PLAIN_JSON = {"Content-Type": "application/json"}


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class PredictServer:
    """A running ``predict serve``; its log is in a file."""

    def __init__(self, folder, env, *options, port=None):
        self.port, self.log = port or _free_port(), folder / f"log-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "models", "serve", "--port", str(self.port), *map(str, options)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/ping").status_code == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail(f"the server did not start: {self.log.read_text()}")

    def post(self, content, headers=_PLAIN_JSON):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.http.post("/invocations", content=body, headers=headers)

    def until_under_way(self, count):
        """Wait until this number of requests are under way."""
        with httpx.Client(base_url=self.http.base_url, timeout=60) as other:
            while f"newsmark_requests_under_way {count}.0" not in other.get("/metrics").text:
                time.sleep(0.01)

    def memory(self):
        """Resident memory in MB."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) / 1000

    def stop(self):
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=90)


@pytest.fixture(scope="session")
def serve():
    """Start a ``predict serve``: ``serve(FOLDER_OF_ITS_LOG, ENVIRONMENT, *OPTIONS)``."""
    return PredictServer


@pytest.fixture(scope="module")
def champion(store, command, baseline_run):
    """Run id of the champion, the baseline."""
    run = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    done = command("training", "promote", run, "--force", "for the tests", env=store)
    assert done.returncode == 0 or "champion already" in done.stderr, done.stderr
    return run


@pytest.fixture(scope="module")
def server(champion, serve, store, tmp_path_factory):
    """A ``predict serve`` of the champion with low limits, one per file of tests."""
    assert champion
    one = serve(tmp_path_factory.mktemp("serve"), store, "--max-body", "300000", "--max-inputs", "50", "--max-characters", "60000")
    yield one
    assert one.stop() == 0
