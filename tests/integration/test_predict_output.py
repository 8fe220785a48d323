"""``predict --output``: whole files or none, resumed after a kill, JSONL and Parquet."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyarrow.parquet
import pytest

PLACES = ["Ministern lovar", "Antalet steg till", "Dela artikeln", "« Nous irons », dit", "Solen sken över"]


@pytest.fixture(scope="module")
def model(baseline_run):
    return re.search(r"models:/m-\w+", baseline_run.stderr).group()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A file of 12,000 passages in documents of a hundred."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with path.open("w") as stream:
        for number in range(12_000):
            row = {"text": f"{PLACES[number % 5]} {number * 7919 % 1013} gånger.", "document": f"d{number // 100}", "own": number}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


@pytest.fixture(scope="module")
def whole(command, store, model, rows, tmp_path_factory):
    """The file of an uninterrupted run."""
    path = tmp_path_factory.mktemp("whole") / "whole.jsonl"
    done = command("models", rows, "--model", model, "--output", path, env=store)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return path


def test_the_file_holds_what_is_printed(command, store, model, rows, whole):
    printed = command("models", rows, "--model", model, env=store)
    assert whole.read_text() == printed.stdout
    assert list(whole.parent.iterdir()) == [whole]


def test_a_killed_run_is_resumed_to_the_same_bytes(command, store, model, rows, whole, tmp_path):
    output, part = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part"
    arguments = [str(rows), "--model", model, "--output", str(output)]
    for _ in range(3):
        before = part.stat().st_size if part.exists() else 0
        process = subprocess.Popen([sys.executable, "-m", "models", *arguments, "--resume"], env=store)
        while process.poll() is None and (not part.exists() or part.stat().st_size <= before):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not output.exists()
        with part.open("ab") as stream:
            stream.write(b'{"text": "half a ro')
    refused = command("models", *arguments, env=store)
    assert refused.returncode == 2
    assert "an interrupted run left this; continue it with --resume, or remove it" in refused.stderr
    other = command("models", *arguments, "--resume", "--threshold", "0.9", env=store)
    assert other.returncode == 1
    assert "use the same model and threshold" in other.stderr
    done = command("models", *arguments, "--resume", env=store)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [output]


def test_other_input_is_not_continued(command, store, model, rows, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_text("".join(rows.read_text().splitlines(keepends=True)[:10]))
    output = tmp_path / "out.jsonl"
    assert command("models", few, "--model", model, "--output", output, env=store).returncode == 0
    process = subprocess.Popen([sys.executable, "-m", "models", str(rows), "--model", model, "--output", str(output)], env=store)
    part = tmp_path / "out.jsonl.part"
    while process.poll() is None and (not part.exists() or not part.stat().st_size):
        time.sleep(0.002)
    process.kill()
    process.wait()
    done = command("models", few, "--model", model, "--output", output, "--resume", env=store)
    assert done.returncode == 1
    assert "rows are not the first of this input" in done.stderr


def test_parquet_in_and_out(command, store, model, whole, rows, tmp_path):
    table = pyarrow.Table.from_pylist([json.loads(line) for line in rows.read_text().splitlines()[:3000]])
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=700)
    done = command("models", tmp_path / "in.parquet", "--model", model, "--output", tmp_path / "out.parquet", env=store)
    assert done.returncode == 0, done.stderr
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert found[:2900] == [json.loads(line) for line in whole.read_text().splitlines()[:2900]]
    (tmp_path / "bad.parquet").write_text("no parquet")
    bad = command("models", tmp_path / "bad.parquet", env=store)
    assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)
    assert "bad.parquet: no readable Parquet file" in bad.stderr


def test_only_what_a_person_should_look_at(command, store, model, whole, rows, tmp_path):
    done = command("models", rows, "--model", model, "--output", tmp_path / "review.jsonl", "--review", env=store)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "review.jsonl").read_text().splitlines() == [line for line in whole.read_text().splitlines() if json.loads(line)["review"]]


def test_an_input_that_breaks_off_leaves_no_file_but_what_was_done(command, store, model, rows, tmp_path):
    broken = tmp_path / "broken.jsonl"
    broken.write_text("".join(rows.read_text().splitlines(keepends=True)[:2000]) + "{broken\n")
    output = tmp_path / "out.jsonl"
    done = command("models", broken, "--model", model, "--output", output, env=store)
    assert done.returncode == 1
    assert "line 2001: broken JSON" in done.stderr
    assert not output.exists()
    broken.write_text("".join(rows.read_text().splitlines(keepends=True)[:2001]))
    assert command("models", broken, "--model", model, "--output", output, "--resume", env=store).returncode == 0
    assert len(output.read_text().splitlines()) == 2001


def test_two_runs_with_one_output_are_refused(command, store, model, rows, whole, tmp_path):
    output = tmp_path / "out.jsonl"
    arguments = [str(rows), "--model", model, "--output", str(output)]
    process = subprocess.Popen([sys.executable, "-m", "models", *arguments], env=store, stderr=subprocess.DEVNULL)
    part = tmp_path / "out.jsonl.part"
    while process.poll() is None and (not part.exists() or not part.stat().st_size):
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    second = command("models", *arguments, "--resume", env=store)
    process.send_signal(signal.SIGCONT)
    assert (second.returncode, second.stderr.splitlines()[-1]) == (
        1,
        f"predict: error: {part}: another run is writing it; wait for its end, or name another --output",
    )
    assert process.wait() == 0
    assert output.read_bytes() == whole.read_bytes()


@pytest.fixture
def on_screen(store, model, tmp_path):
    """What a run shows on a terminal."""

    def run(*paths):
        screen, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, 100))
        arguments = [*map(str, paths), "--model", model, "--output", str(tmp_path / "out.jsonl")]
        process = subprocess.Popen([sys.executable, "-m", "models", *arguments], env=store, stderr=terminal)
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is closed
            while some := os.read(screen, 10_000):
                shown += some
        os.close(screen)
        assert process.wait() == 0, shown
        return shown.decode()

    return run


def test_progress_shows_rate_and_time_left_where_the_rows_can_be_counted(on_screen, rows, tmp_path):
    few = [json.loads(line) for line in rows.read_text().splitlines()[:3000]]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(few), tmp_path / "few.parquet")
    shown = on_screen(rows, tmp_path / "few.parquet")
    assert re.search(r" \d+/15000 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+ passages/s\]", shown)
    assert "15000/15000" in shown


def test_progress_shows_the_rate_where_the_rows_can_not_be_counted(on_screen):
    assert re.search(r"(?m)^\d+ passages \[\d\d:\d\d, +[\d.]+ passages/s\]", on_screen("seeds").replace("\r", "\n"))


@pytest.mark.parametrize("engine", [("--workers", "2"), ("--engine", "ray"), ("--engine", "ray", "--workers", "2")])
def test_every_engine_answers_the_same_in_the_same_order(command, store, model, rows, whole, tmp_path, engine):
    output = tmp_path / "out.jsonl"
    done = command("models", rows, "--model", model, "--output", output, *engine, env=store)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == whole.read_bytes()


def processes(title):
    """Ids of the processes whose title begins so."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(title.encode()):
                found.append(int(path.parent.name))
    return found


def test_what_a_killed_actor_had_under_way_is_done_again(store, model, rows, whole, tmp_path):
    output = tmp_path / "out.jsonl"
    arguments = [str(rows), "--model", model, "--output", str(output), "--engine", "ray"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "models", *arguments], env=store, stderr=log)
        while process.poll() is None and not (actors := processes("ray::MapWorker(MapBatches(_Actor)).submit")):  # it labels
            time.sleep(0.01)
        assert process.poll() is None, (tmp_path / "log").read_text()
        for actor in actors:
            os.kill(actor, signal.SIGKILL)
        assert process.wait(timeout=300) == 0, (tmp_path / "log").read_text()
    assert output.read_bytes() == whole.read_bytes()


def test_a_killed_worker_process_is_one_clear_line(store, model, rows, tmp_path):
    arguments = [str(rows), "--model", model, "--output", str(tmp_path / "out.jsonl"), "--workers", "2"]
    process = subprocess.Popen([sys.executable, "-m", "models", *arguments], env=store, stderr=subprocess.PIPE, text=True)
    part = tmp_path / "out.jsonl.part"
    while process.poll() is None and (not part.exists() or not part.stat().st_size):
        time.sleep(0.01)
    children = [int(line) for line in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    workers = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "predict: error: a worker process was killed" in told
    assert "Traceback" not in told


def test_a_cluster_that_is_not_there_is_one_clear_line(command, store, model, rows):
    refused = command("models", rows, "--model", model, "--engine", "ray", env={**store, "RAY_ADDRESS": "127.0.0.1:1"})
    assert refused.returncode == 1
    assert "check RAY_ADDRESS" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_what_fails_on_the_cluster_is_one_clear_line(command, store, model, tmp_path):
    artifacts = Path(store["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).parent / "artifacts/models"
    damaged = shutil.copytree(artifacts / model.rpartition("/")[2] / "artifacts/artifacts/model", tmp_path / "model")
    (damaged / "weights.safetensors").write_bytes(b"no weights")
    refused = command("models", "seeds", "--model", damaged, "--output", tmp_path / "out.jsonl", "--engine", "ray", env=store)
    assert refused.returncode == 1, refused.stderr
    assert re.search(r"predict: error: Ray: .*weights\.safetensors", refused.stderr.splitlines()[-1])
    assert "Traceback" not in refused.stderr


def test_a_server_takes_no_engine(command):
    refused = command("models", "seeds", "--url", "http://127.0.0.1:1", "--workers", "2")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "leave out --engine and --workers" in refused.stderr
