"""Which processes are taken to be gone."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from newsmark.training.processes import interrupts_held, is_gone, keep_run_folder, make_run_folder, this_process
from newsmark.training.recorder import Recorder


def changed(**values):
    return json.dumps({**json.loads(this_process()), **values})


def test_this_process_is_there_and_one_that_has_ended_is_gone():
    assert not is_gone(this_process())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        process.communicate(b"\n")
    assert is_gone(changed(pid=process.pid))


def test_another_process_that_has_got_the_number_of_one_that_is_gone_is_another_one():
    assert is_gone(changed(started=json.loads(this_process())["started"] - 3600))


def test_a_process_of_another_host_and_what_names_none_may_be_there():
    for owner in (changed(host="elsewhere", pid=1), "{}", "no JSON", "[]", changed(pid="x"), changed(started=None)):
        assert not is_gone(owner)


def test_a_folder_that_is_kept_names_no_process():
    folder = make_run_folder()
    assert not is_gone((folder / "process.json").read_text())
    keep_run_folder(folder)
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_two_runs_that_the_store_could_not_take_are_both_kept_though_they_end_in_the_same_second(tmp_path, monkeypatch):
    monkeypatch.setattr("newsmark.training.recorder.project_folder", lambda: tmp_path)
    monkeypatch.setattr("newsmark.training.recorder.datetime", SimpleNamespace(now=lambda _: datetime(2026, 11, 28, tzinfo=UTC)))
    kept = []
    for number in range(2):
        recorder = Recorder(logs=False)
        recorder.log_text(f"run {number}", "note.txt")
        kept.append(recorder._keep())
    assert [(folder / "note.txt").read_text(encoding="utf-8") for folder in kept] == ["run 0", "run 1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_a_run_is_begun(number):
    before = signal.signal(number, signal.default_int_handler)
    done = []

    def interrupted():
        with interrupts_held():
            signal.raise_signal(number)
            done.append("the rest")

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        with interrupts_held():
            done.append("once more")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert done == ["the rest", "once more"]
