"""Commands in processes that begin with the libraries loaded: loading them takes most of a command's time.

``Forks`` starts this file as a process, which loads them once and forks a child for each command. A child differs from a new process by what is
loaded and by its hash seed, which all children share. On Linux only: elsewhere a loaded library may not survive a fork.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading

_LOADED = (
    "datasets",
    "krippendorff",
    "label_studio_sdk",
    "matplotlib.figure",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "py3langid",
    "scipy.stats",
    "sklearn.linear_model",
)
"""They compute nothing while they are loaded, and have no threads then but those that they stop and start again around a fork. Not so onnxruntime."""

_READ_WHEN_USED = (
    "LABEL_STUDIO_",
    "MLFLOW_DISABLE_TELEMETRY",  # newsmark sets it before it loads MLflow
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS",
    "MLFLOW_TRACKING_",
    "NEWSMARK_",
    "PYTEST_CURRENT_TEST",
)
"""Beginnings of the names of variables that no library reads while it is loaded."""


class Forks:
    """Runs commands in forked processes; the first one starts the process that is forked.

    Args:
        folder: where they run.
    """

    def __init__(self, folder):
        self._folder, self._environment = folder, dict(os.environ)
        self._starting, self._parent, self._requests = threading.Lock(), None, None

    def can_take(self, environment):
        """Whether a process forked from here is as good as a new one with this environment."""
        differ = {name for name, _ in environment.items() ^ self._environment.items()}
        return sys.platform == "linux" and all(name.startswith(_READ_WHEN_USED) for name in differ)

    def run(self, module, arguments, environment, stdin, timeout):
        """What ``subprocess.run`` returns for ``python -m MODULE …`` with captured output, as text."""
        self._start()
        ours, theirs = socket.socketpair()
        with ours, tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            read, write = (0, None) if stdin is None else os.pipe()
            request = json.dumps([module, arguments, environment]).encode()
            with theirs:
                socket.send_fds(self._requests, [request], [read, output.fileno(), errors.fileno(), theirs.fileno()])
            if write is not None:
                os.close(read)
                threading.Thread(target=_write, args=(write, stdin), daemon=True).start()
            answers = ours.makefile()
            pid = int(answers.readline())
            ours.settimeout(timeout)
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([module, *arguments], timeout) from None
            texts = []
            for stream in (output, errors):
                stream.seek(0)
                texts.append(stream.read())
        return subprocess.CompletedProcess([module, *arguments], code, *texts)

    def _start(self):
        with self._starting:
            if self._parent is None:
                self._requests, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
                environment = {**self._environment, "MLFLOW_DISABLE_TELEMETRY": "1"}
                with theirs:
                    command = [sys.executable, __file__]
                    self._parent = subprocess.Popen(command, cwd=self._folder, env=environment, stdin=theirs, stdout=subprocess.DEVNULL)

    def stop(self):
        """End the process that is forked."""
        if self._parent is not None:
            self._requests.close()
            self._parent.wait(60)


def _write(pipe, text):
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "w") as stream:  # a command may end without reading it
        stream.write(text)


def _wait_for_a_command(requests):
    """Fork for each request. Returns only in a child: the module and arguments that it is to run."""
    running = {}  # by a descriptor of the child that is ready when the child has ended: its number, and where its exit code goes
    while True:
        for ready in select.select([requests, *running], [], [])[0]:
            if ready is not requests:
                pid, answer = running.pop(ready)
                os.close(ready)
                _answer(answer, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(answer)
                continue
            request, descriptors, *_ = socket.recv_fds(requests, 1 << 20, 4)
            if not request:
                sys.exit()
            *streams, answer = descriptors
            pid = os.fork()
            if not pid:
                requests.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                for descriptor in (*descriptors, *running, *(other for _, other in running.values())):
                    os.close(descriptor)
                return json.loads(request)
            _answer(answer, pid)
            running[os.pidfd_open(pid)] = pid, answer
            for stream in streams:
                os.close(stream)


def _answer(answer, number):
    with contextlib.suppress(BrokenPipeError):  # nobody may wait for this command any longer
        os.write(answer, f"{number}\n".encode())


if __name__ == "__main__":
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which then closes the socket
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()  # a child that looks through all of this for garbage when it ends would copy it all, for seconds
    module, arguments, environment = _wait_for_a_command(socket.socket(fileno=os.dup(0)))
    signal.signal(signal.SIGINT, interrupt)
    os.environ.clear()
    os.environ.update(environment)
    sys.modules["numpy"].random.seed()
    sys.path[0] = os.getcwd()  # noqa: PTH109 a text
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
