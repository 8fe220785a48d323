"""Starting Label Studio, without one: its database takes its place when it is whole, and progress, not time, decides how long is waited."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio import install, progress
from newsmark.annotation.label_studio.database import DATABASE, ensure_database, migrations_done
from newsmark.annotation.label_studio.progress import wait_until


def change(database, *statements):
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def rows(database, query):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def migrate(database):
    """Make what is not there, as Label Studio's migrations do; the second step fails on a database where it was cut off."""
    if not rows(database, "SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'"):
        change(database, "CREATE TABLE django_migrations (name)", "INSERT INTO django_migrations VALUES ('0001')")
    try:
        if not rows(database, "SELECT 1 FROM django_migrations WHERE name = '0002'"):
            change(database, "CREATE TABLE fsm_annotationstate (id)", "INSERT INTO django_migrations VALUES ('0002')")
    except sqlite3.OperationalError as error:
        raise NewsmarkError(str(error)) from None


def interrupted(database):
    change(database, "CREATE TABLE django_migrations (name)", "CREATE TABLE fsm_annotationstate (id)")
    raise KeyboardInterrupt


def refuse(_database):
    raise AssertionError("nothing was to be migrated")


@pytest.fixture
def ensure(tmp_path):
    """Make the database of the test's folder; returns what was reported."""

    def run(work=migrate, version="1"):
        reported = []
        ensure_database(tmp_path, version, work, reported.append)
        return reported

    return run


def test_a_start_that_is_killed_while_the_database_is_made_can_be_started_again(ensure, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        ensure(interrupted)
    assert not (tmp_path / DATABASE).exists()
    assert ensure() == []
    assert rows(tmp_path / DATABASE, "SELECT name FROM django_migrations") == [("0001",), ("0002",)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["database-version", DATABASE]
    ensure(refuse)  # it is whole


def test_a_database_that_a_former_version_left_half_made_is_made_anew(ensure, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / DATABASE)
    with pytest.raises(NewsmarkError, match="table fsm_annotationstate already exists"):
        migrate(tmp_path / DATABASE)
    (report,) = ensure()
    assert report == f"{tmp_path / DATABASE} was left half-made by a start that was killed; it holds no work and is made anew"
    assert migrations_done(tmp_path / DATABASE) == 2
    assert (tmp_path / f"{DATABASE}.broken").is_file()


def test_a_database_with_work_in_it_is_never_replaced_by_an_empty_one(ensure, tmp_path):
    change(tmp_path / DATABASE, "CREATE TABLE fsm_annotationstate (id)", "CREATE TABLE project (title)", "INSERT INTO project VALUES ('ours')")
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(NewsmarkError, match="already exists"):
        ensure()
    assert (tmp_path / DATABASE).read_bytes() == before


def test_another_version_migrates_a_copy_which_takes_the_place_of_the_old_one(ensure, tmp_path):
    ensure()
    change(tmp_path / DATABASE, "CREATE TABLE project (title)", "INSERT INTO project VALUES ('ours')")

    def add(database):
        change(database, "INSERT INTO django_migrations VALUES ('0003')")

    ensure(add, version="2")
    assert rows(tmp_path / DATABASE, "SELECT title FROM project") == [("ours",)]
    assert migrations_done(tmp_path / DATABASE) == 3
    ensure(refuse, version="2")


def test_steps_are_counted_in_whatever_state_the_database_is(tmp_path):
    assert migrations_done(tmp_path / "none") == 0
    (tmp_path / "broken").write_text("no database, but longer than the head of one " * 10)
    assert migrations_done(tmp_path / "broken") == 0


@pytest.fixture
def clock(monkeypatch):
    """A clock that runs a minute at each look."""
    times = iter(range(0, 10**9, 60))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _: None))


@pytest.fixture
def sleeping():
    """A process that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.usefixtures("clock")
def test_a_program_is_waited_for_as_long_as_its_files_grow(sleeping, tmp_path):
    looks, reported = [], []

    def finished():
        looks.append(None)
        (tmp_path / "log").write_text("." * len(looks))
        return len(looks) == 100

    wait_until(finished, sleeping, tmp_path, lambda: f"step {len(looks)}", reported.append)
    assert len(looks) == 100
    assert reported[:2] == ["step 1 (60 s)", "step 2 (120 s)"]


@pytest.mark.usefixtures("clock")
def test_a_program_that_does_nothing_is_given_up(sleeping, tmp_path):
    with pytest.raises(NewsmarkError, match=r"^starting it: nothing has happened for 180 s$"):
        wait_until(lambda: False, sleeping, tmp_path, lambda: "starting it", lambda _: None)


@pytest.mark.usefixtures("clock")
def test_a_program_that_computes_is_waited_for(monkeypatch, sleeping, tmp_path):
    looks = []
    monkeypatch.setattr(progress, "_processor_time", lambda _: str(len(looks)))
    wait_until(lambda: looks.append(None) or len(looks) == 100, sleeping, tmp_path, lambda: "computing", lambda _: None)
    assert len(looks) == 100


def test_the_processors_time_is_read_of_a_living_process():
    sum(range(10**7))
    assert progress._processor_time(os.getpid()).partition(":")[0].isdecimal()


def test_the_installation_reports_what_is_fetched_and_stops_with_pips_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0)
    seen = tmp_path / "seen"
    code = f"import pathlib, time; print('Collecting a\\nCollecting b', flush=True)\nwhile not pathlib.Path({str(seen)!r}).exists(): time.sleep(.05)\n"
    code += "print('ERROR: no such version'); raise SystemExit(1)"

    def report(line):
        if "2 packages fetched, 0 installed" in line:
            seen.touch()

    with pytest.raises(NewsmarkError, match=r"^Label Studio can't be installed: ERROR: no such version$"):
        install._run([sys.executable, "-c", code], tmp_path / "venv", report)
    assert seen.exists()
