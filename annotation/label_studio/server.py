"""The process of a Label Studio on this machine: started, watched until it answers, stopped with all its children.

It has a virtual environment of its own (see ``install``), and newsmark reaches it over HTTP only.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import NewsmarkError
from .credentials import CREDENTIALS, Credentials, ensure_credentials, read_credentials, write_url
from .database import ensure_database, migrations_done
from .install import LABEL_STUDIO_VERSION, install_label_studio, own_environment
from .progress import Report, report_on_stderr, wait_until

HOST = "127.0.0.1"
_ALL = "0.0.0.0"
_LOG = "server.log"
_STOP_SECONDS = 15
_SETTINGS = {
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",  # takes effect only when the organisation is made, at the first start
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",  # annotate backend listens on this machine, too
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "fflag_feat_utc_210_prediction_validation_15082025": "true",  # without it, wrong predictions are stored in silence
    "https_proxy": f"http://{HOST}:9",  # nothing listens there: Label Studio fetches tips from GitHub for its log-in page, and no setting stops it
    "PYTHONUNBUFFERED": "1",  # the log is whole when the server dies
    "PYTHONUTF8": "1",
}


@dataclass(frozen=True)
class Server(AbstractContextManager["Server"]):
    """A running Label Studio; as a context manager it stops at the end."""

    url: str
    username: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    data: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """The process, which also leads its process group."""
        return self.process.pid

    @property
    def log(self) -> Path:
        """What the server printed since its start."""
        return self.data / _LOG

    def stop(self) -> None:
        """End the server and its whole process group: politely, and after 15 s by force."""
        _stop(self.process)

    def __exit__(self, *error: object) -> None:
        """Stop, whatever happened."""
        self.stop()


def start_server(data: Path, port: int | None = None, report: Report = report_on_stderr, host: str = HOST) -> Server:
    """Start Label Studio and wait until it answers, for as long as it makes progress.

    It keeps everything in ``data`` (SQLite), unless ``DJANGO_DB=default`` and ``POSTGRE_NAME``, ``_USER``, ``_PASSWORD``,
    ``_HOST`` and ``_PORT`` name a PostgreSQL database; Label Studio's other variables are passed on too. Secrets travel in
    the environment, which only the same user can read, and never on the command line.

    Args:
        data: data folder; made with credentials and a database at the first start.
        port: None or 0 for any free one.
        report: takes what is being done where it takes long.
        host: address to listen on; 0.0.0.0 for all addresses of this machine.

    Returns:
        The running server; stop it, or use it in a ``with`` statement.

    Raises:
        NewsmarkError: the port or the folder is taken, the folder holds something else, or Label Studio can't be installed or
            does not start.
    """
    port = _free_port(port or 0, host)
    data = data.resolve()
    known = ensure_credentials(data)
    program, url = str(install_label_studio(report)), f"http://{HOST if host == _ALL else host}:{port}"
    log = os.open(data / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        _claim(log, data)
        if not any(os.environ.get(f"{prefix}{name}") for prefix in ("", "LABEL_STUDIO_", "HEARTEX_") for name in ("DJANGO_DB", "DATABASE_NAME")):
            ensure_database(data, LABEL_STUDIO_VERSION, lambda part: _migrate(program, part, log, known, report), report)
        process = _launch([program, "start", "--no-browser", "--internal-host", host, "--port", str(port)], data, log, known)
    finally:
        os.close(log)
    try:
        _wait(process, url, data, known, report)
        write_url(data, url)
    except BaseException:  # Ctrl-C too must leave nothing behind
        _stop(process)
        raise
    return Server(url, known.username, known.password, known.token, data, process)


def serve(data: Path, port: int, host: str = HOST) -> None:
    """Run Label Studio until Ctrl-C (or SIGTERM, or the end of the terminal), and print on stderr how to reach it.

    Args:
        data: data folder.
        port: 0 for any free one.
        host: address to listen on.

    Raises:
        NewsmarkError: it does not start (see ``start_server``), or it ended by itself.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays what it is
            signal.signal(number, signal.default_int_handler)
    report_on_stderr(f"starting Label Studio with its data in {data} (the first start makes its database, which takes a minute or more)")
    with start_server(data, port, host=host) as server:
        who = (
            "this machine only" if host == HOST else f"everybody who reaches {'this machine' if host == _ALL else host} (plain HTTP; see annotation/README.md)"
        )
        report_on_stderr(f"Label Studio is on {server.url} for {who}; Ctrl-C stops it")
        report_on_stderr(f"log in as {server.username}; the password and the API token are in {server.data / CREDENTIALS}")
        with suppress(KeyboardInterrupt):
            code = server.process.wait()
            raise NewsmarkError(f"Label Studio ended by itself (code {code}): {_last_line(server.data, read_credentials(server.data))}; see {server.log}")
        report_on_stderr("stopping Label Studio")


def _migrate(program: str, database: Path, log: int, known: Credentials, report: Report) -> None:
    """Bring a database file to the installed version, with the administrator's account in it."""
    data, done = database.parent, 0

    def doing() -> str:
        nonlocal done
        done = max(done, migrations_done(database))  # it can't be asked while it is busy
        return f"making Label Studio's database: {done} steps done"

    process = _launch([program, "init", "--database", str(database)], data, log, known)
    try:
        wait_until(lambda: False, process, data, doing, report)
    finally:
        _stop(process)
    if process.returncode:
        raise NewsmarkError(f"Label Studio can't make its database (code {process.returncode}): {_last_line(data, known)}; see {data / _LOG}")


def _launch(command: list[str], data: Path, log: int, known: Credentials) -> subprocess.Popen[bytes]:
    environment = _environment(data, known)
    return subprocess.Popen(command, cwd=data, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, umask=0o077)


def _environment(data: Path, known: Credentials) -> dict[str, str]:
    account = {f"LABEL_STUDIO_{key}": value for key, value in (("USERNAME", known.username), ("PASSWORD", known.password), ("USER_TOKEN", known.token))}
    return {**own_environment(), **_SETTINGS, **account, "SECRET_KEY": known.secret_key, "LABEL_STUDIO_BASE_DATA_DIR": str(data)}


def _free_port(port: int, host: str) -> int:
    # Label Studio takes the next port without a word when this one is busy, so it is checked first
    with socket.socket() as client, socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            if port and client.connect_ex((HOST, port)) == 0:  # macOS lets 127.0.0.1 be bound beside another's 0.0.0.0
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no port number"
            raise NewsmarkError(
                f"port {port} of {host} can't be used ({reason}); stop what uses it or choose another with --port{'' if host == HOST else ' or --host'}"
            ) from None
        return int(probe.getsockname()[1])


def _claim(log: int, data: Path) -> None:
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the server inherits it, so it holds until the server itself is gone
    except BlockingIOError:
        raise NewsmarkError(f"{data}: a Label Studio is running on this folder; use that one, stop it, or name another folder") from None
    os.fchmod(log, 0o600)
    os.ftruncate(log, 0)


def _wait(process: subprocess.Popen[bytes], url: str, data: Path, known: Credentials, report: Report) -> None:
    token_status = 0

    def answers() -> bool:
        nonlocal token_status
        token_status = _status(f"{url}/api/current-user/whoami", known.token) if _status(f"{url}/health") == 200 else 0
        return token_status != 0

    wait_until(answers, process, data, lambda: "starting Label Studio", report)
    if process.poll() is not None:
        line = _last_line(data, known)
        hint = ": an earlier start was cut off while it made the database; give it an empty one" if "already exists" in line else ""
        raise NewsmarkError(f"Label Studio did not start (code {process.returncode}): {line}{hint}; see {data / _LOG}")
    if token_status != 200:  # an old database with a new credentials file, above all with PostgreSQL
        raise NewsmarkError(
            f"Label Studio refuses the token of {data / CREDENTIALS} (status {token_status}): its database was made with another such file; restore it"
        )


def _status(url: str, token: str | None = None) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Token {token}"} if token else {})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy can't reach this machine's own servers
    try:
        with direct.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return 0


def _last_line(data: Path, known: Credentials | None) -> str:
    lines = (data / _LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    line = "".join(character for character in next((one for one in reversed(lines) if one.strip()), "(its log is empty)") if character.isprintable())
    hidden = [*((known.password, known.token, known.secret_key) if known else ()), os.environ.get("POSTGRE_PASSWORD")]
    for secret in filter(None, hidden):
        line = line.replace(secret, "…")
    return line[:500]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:  # it was reaped: its number may belong to somebody else by now
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    finally:  # what is left of the group, also after a second Ctrl-C
        with suppress(ProcessLookupError, PermissionError):  # macOS answers the latter for a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
