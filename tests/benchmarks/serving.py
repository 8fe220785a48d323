"""``predict serve`` against plain ``mlflow models serve`` and the bare model, with the same model in the same run.

Both are asked by turns. Prints requests per second, p50 and p99 of the latency, start time and memory. Which model: --model, by default the newest trained one.
"""

import argparse
import http.client
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from newsmark.annotation.commandline import run_command
from newsmark.annotation.documents import identify_language
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.splitting.passages import split_passages
from newsmark.models.context import PassageInContext
from newsmark.models.prediction.predict import predict_articles, predict_passages
from newsmark.models.saved import load_model
from newsmark.models.store import find_folder, resolve
from tabulate import tabulate

CLIENTS = (1, 4, 16)
ARTICLES = [path.read_text(encoding="utf-8") for path in sorted(Path("seeds").glob("*.txt"))]
PASSAGES = [passage.text for article in ARTICLES for passage in split_passages(article, identify_language(article))]
ROUNDS = 4
"""The servers are asked by turns, this many times each, for the machine's speed changes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="run id or MLflow URI (default: the newest)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of load for each row of the table (default: %(default)s)")
    arguments = parser.parse_args()
    return run_command("serving", False, lambda: bench(arguments.model, arguments.seconds))


def bench(name: str | None, seconds: float) -> None:
    model = load_model(find_folder(name))
    uri, _ = resolve(name) if name else (newest(), "")
    rows = []
    for what, new_text in texts().items():
        ask_model = (
            partial(predict_articles, model) if what == "article" else lambda asked: predict_passages(model, [PassageInContext(text) for text, _ in asked])
        )
        ask_model([(new_text(), None)])
        taken, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            taken.append(timed(partial(ask_model, [(new_text(), None)])))
        rows.append(["in process", what, 1, *figures(taken, sum(taken))])
    servers = {
        "mlflow models serve": [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local", "--host", "127.0.0.1"],
        "predict serve": [sys.executable, "-m", "models", "serve", "--model", uri],
    }
    asked = {server: texts() for server in servers}  # the same of each
    rates, facts = {}, []
    with ExitStack() as stack:
        running = {server: stack.enter_context(Running(command)) for server, command in servers.items()}
        for what, clients in itertools.product(texts(), CLIENTS):
            found: dict[str, list[tuple[list[float], float]]] = {server: [] for server in servers}
            for server in list(servers) * ROUNDS:
                found[server].append(load(running[server].port, partial(body, asked[server][what], what == "article"), clients, seconds / ROUNDS))
            for server, loads in found.items():
                latencies, wall = [one for taken, _ in loads for one in taken], sum(wall for _, wall in loads)
                rates[server, what, clients] = len(latencies) / wall
                rows.append([server, what, clients, *figures(latencies, wall)])
        facts = [[server, round(one.start, 1), round(one.memory())] for server, one in running.items()]
    print(f"{model.version}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n")
    print(tabulate(rows, headers=["", "request", "clients", "requests/s", "p50 ms", "p99 ms"], floatfmt=".1f"))
    print("\n" + tabulate(facts, headers=["", "seconds to start", "memory MB"]))
    plain, own = servers
    ratios = [[what, clients, rates[own, what, clients] / rates[plain, what, clients]] for what, clients in itertools.product(texts(), CLIENTS)]
    print("\n" + tabulate(ratios, headers=["request", "clients", f"{own} over {plain}"], floatfmt=".2f"))


def texts() -> dict[str, Callable[[], str]]:
    """What gives the next text of each kind of request; a number in it makes each one new, so that nothing is computed once for two."""
    numbers = itertools.count()

    def passage() -> str:
        number = next(numbers)
        return f"{PASSAGES[number % len(PASSAGES)]} {number}"

    def article() -> str:
        number = next(numbers)
        return "\n".join(f"{line} {number}" if line.strip() else line for line in ARTICLES[number % len(ARTICLES)].splitlines())

    return {"passage": passage, "article": article, "same passage": lambda: PASSAGES[0]}


def body(new_text, split):
    return json.dumps({"inputs": [{"text": new_text()}], "params": {"split": split}}).encode()


def newest() -> str:
    from newsmark.models.store import connect, uri_of_run

    connect()
    return uri_of_run(None)


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def figures(taken, wall):
    percentiles = statistics.quantiles(taken, n=100) if len(taken) > 1 else taken * 99
    return [len(taken) / wall, percentiles[49] * 1000, percentiles[98] * 1000]


class Running:
    """A server on a free port, stopped with its children at the end."""

    def __init__(self, command):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [*command, "--port", str(self.port)]

    def __enter__(self):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        begun = time.perf_counter()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.command, env={**os.environ, "PATH": path}, start_new_session=True, **quiet)
        while not self.answers():
            if self.process.poll() is not None:
                raise NewsmarkError(f"this did not start: {' '.join(self.command)}")
            time.sleep(0.05)
        self.start = time.perf_counter() - begun
        return self

    def answers(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def memory(self):
        """Memory of all its processes in MB, what they share counted once."""
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == self.process.pid:
                    total += next(int(line.split()[1]) for line in (folder / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
            except OSError:
                continue
        return total / 1000

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=60)


def load(port, new_body, clients, seconds):
    """Let clients ask one request after another over kept connections; gives the latencies and the time of it all."""
    taken = []
    ready = threading.Barrier(clients + 1)
    over = threading.Event()

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        ask(connection, new_body())
        ready.wait()
        while not over.is_set():
            taken.append(timed(partial(ask, connection, new_body())))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    begun = time.perf_counter()
    time.sleep(seconds)
    over.set()
    for thread in threads:
        thread.join()
    return taken, time.perf_counter() - begun


def ask(connection, body):
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise NewsmarkError(f"status {answer.status}: {content[:200]!r}")


if __name__ == "__main__":
    sys.exit(main())
