"""Benchmark of push and pull against bare calls of the SDK, in one run: ``make bench``.

Prints ratios, which say more than seconds on a shared machine. The documents are random words of a seed article.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from newsmark.annotation.documents import Document
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.pull import pull_annotations
from newsmark.annotation.label_studio.push import plan_push, push_documents
from newsmark.annotation.label_studio.renewal import refresh_suggestions
from newsmark.annotation.label_studio.server import start_server
from newsmark.annotation.label_studio.tasks import BATCH
from newsmark.annotation.label_studio.writing import prediction_row, task_data, to_results
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestions import RuleSuggester

COUNT = 10_000
SCHEME = load_labels()
RULES = RuleSuggester(SCHEME)


def documents(count):
    """Make documents of about one kilobyte."""
    words = Path("seeds/004_01df7fd14f7a8f34.txt").read_text(encoding="utf-8").split()
    chance = random.Random(13)
    return [Document(f"{number} {' '.join(chance.choices(words, k=140))}.", f"document {number}", "fr") for number in range(count)]


def timed(what, work):
    """Run and print how long it took."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(f"  {what}: {seconds:.1f} s", flush=True)
    return seconds


def row(document):
    """Make the row that a bare import sends: the same predictions."""
    return {"data": task_data(document), "predictions": [prediction_row(document, RULES.suggest(document))]}


def push(project, some):
    """Do what ``annotate push`` does."""
    plan = plan_push(project, some)
    project.ensure(SCHEME, None)
    for _ in push_documents(project, plan.new, RULES, []):
        pass
    if project.suggestion_version != RULES.version:
        refresh_suggestions(project, plan.unchanged, RULES)
        project.suggestion_version = RULES.version


def memory_of(url, token, count):
    """Peak memory (MB) of a process that pushes and pulls so many documents."""
    done = subprocess.run([sys.executable, __file__, url, token, str(count)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def child(url, token, count):
    """Push and pull in a process of its own, and print its peak memory."""
    project = Project(Connection(url, token), f"memory {count}")
    push(project, documents(count))
    pull_annotations(project, [], SCHEME, everything=True)
    peak = next(line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 1024)


def main():
    """Run all comparisons on a fresh server and print them."""
    some = documents(COUNT)
    print(f"{COUNT:,} documents of {sum(len(one.text) for one in some) / COUNT:.0f} characters, batches of {BATCH}")
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder) / "data") as server:
        bare, ours = Project(Connection(server.url, server.token), "bare"), Project(Connection(server.url, server.token), "newsmark")
        bare.ensure(SCHEME, None)
        rows = [row(one) for one in some]
        imports = timed("bare import", lambda: [bare.tasks.import_rows(rows[start : start + BATCH]) for start in range(0, COUNT, BATCH)])
        first = timed("annotate push", lambda: push(ours, some))
        second = timed("annotate push again", lambda: push(ours, some))
        print(f"push: {imports / first:.0%} of the bare rate; second push: {second / first:.0%} of the first one's time")
        annotate(ours, some)
        export = timed("bare export", lambda: ours.tasks.export(only_annotated=True))
        pull = timed("annotate pull --all", lambda: pull_annotations(ours, [], SCHEME, everything=True))
        print(f"pull: {pull / export:.2f} times the bare export")
        small, large = memory_of(server.url, server.token, 1000), memory_of(server.url, server.token, COUNT)
        print(f"peak memory: {small:.0f} MB for 1,000 documents, {large:.0f} MB for {COUNT:,}")


def annotate(project, some):
    """Give every task an annotation, through a second import of the same documents into a fresh project."""
    project.connection.sdk.projects.delete(id=project.required_id())
    project.__dict__.pop("id")
    project.ensure(SCHEME, None)
    rows = [{"data": task_data(one), "annotations": [{"result": to_results(one, RULES.suggest(one).spans, ("other",))}]} for one in some]
    for start in range(0, len(rows), BATCH):
        project.tasks.import_rows(rows[start : start + BATCH])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
