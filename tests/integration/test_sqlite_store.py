"""The store's tables read without MLflow: the same answers as MLflow's own, and what happens where the store was moved or copied."""

import re
import shutil
import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from newsmark.annotation.errors import NewsmarkError
from newsmark.models import addresses, sqlite_store, store
from newsmark.models.saved import load_model, read_version


@pytest.fixture
def own_store(store, baseline_run, tmp_path, monkeypatch):
    """Folder of a store with one run, which a test may change."""
    assert baseline_run.returncode == 0
    source = Path(store["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).parent
    folder = tmp_path / "own"
    shutil.copytree(source, folder)
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        for table, column in sqlite_store._LOCATIONS:
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (source.as_uri(), folder.as_uri()))
    use(folder, monkeypatch)
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    return folder


@pytest.fixture
def run_id(baseline_run):
    return re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)


def use(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")


def change(folder, statement, *values):
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.execute(statement, values)


def crown(folder, run_id):
    """Make a run's model version 1 and champion."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    store.connect()
    client.create_registered_model("newsmark")
    client.create_model_version("newsmark", store.uri_of_run(run_id), run_id)
    client.set_registered_model_alias("newsmark", "champion", "1")


def copy_row(folder, table, key, value, **changes):
    """Add a row that is the one with this key but for these columns."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute(f"SELECT * FROM {table} WHERE {key} = ?", (value,)).fetchone()) | changes
        database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def both(name, monkeypatch):
    """What is found without MLflow, and what MLflow finds: how, and the version."""
    at_hand = store._find_at_hand(name)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_find_at_hand", lambda _: None)
        by_mlflow = store.find_model(name)
    return [(one.what, read_version(one.folder)) for one in (at_hand, by_mlflow)]


def test_the_tables_are_those_of_the_version_that_they_were_read_from(own_store):
    store.connect()  # brings the tables up to this MLflow
    with closing(sqlite3.connect(own_store / "mlflow.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(sqlite_store.TABLES,)], (
            "MLflow's tables have changed: read them again, then change TABLES"
        )


def test_without_mlflow_the_answer_is_the_same(own_store, run_id, monkeypatch):
    at_hand, by_mlflow = both(run_id, monkeypatch)
    assert at_hand == by_mlflow
    assert at_hand[0] == f"run {run_id}"
    at_hand, by_mlflow = both(None, monkeypatch)
    assert at_hand == by_mlflow
    assert at_hand[0] == "the newest model, as there is no champion yet"
    crown(own_store, run_id)
    at_hand, by_mlflow = both(None, monkeypatch)
    assert at_hand == by_mlflow
    assert at_hand[0] == "champion version 1"


@pytest.mark.parametrize("status", ["FAILED", "RUNNING", "KILLED"])
def test_a_run_that_did_not_finish_is_taken_only_by_its_name(own_store, run_id, monkeypatch, status):
    change(own_store, "UPDATE runs SET status = ?", status)
    at_hand, by_mlflow = both(run_id, monkeypatch)
    assert at_hand == by_mlflow
    with pytest.raises(NewsmarkError, match="no model was trained yet; run: train --config"):
        store.find_model(None)


def test_a_run_that_was_deleted_is_taken_only_by_its_name(own_store, run_id, monkeypatch):
    client = MlflowClient(f"sqlite:///{own_store}/mlflow.db")
    for run in client.search_runs([client.get_experiment_by_name("newsmark").experiment_id]):
        client.delete_run(run.info.run_id)
    at_hand, by_mlflow = both(run_id, monkeypatch)
    assert at_hand == by_mlflow
    with pytest.raises(NewsmarkError, match="no model was trained yet; run: train --config"):
        store.find_model(None)


def test_of_the_newest_models_the_one_is_taken_that_has_no_other_labels(own_store, run_id):
    store.connect()

    def newest(*labels):
        names = frozenset(labels) if labels else None
        stored = sqlite_store.find_stored(own_store / "mlflow.db", "newsmark", None, "champion", lambda: names)
        model_id = store.uri_of_run(None, names).rpartition("/")[2]
        assert stored.folder.parent.name == model_id  # MLflow says the same
        return model_id

    own = ("commitment", "statistic", "quote", "boilerplate")
    before, other = newest(), "f" * 32
    copy_row(own_store, "runs", "run_uuid", run_id, run_uuid=other)
    change(own_store, "INSERT INTO tags (key, value, run_uuid) VALUES (?, 'threat, thanks', ?)", sqlite_store.LABELS_TAG, other)
    model = {"model_id": "m-other", "source_run_id": other, "creation_timestamp_ms": 2**42}
    copy_row(own_store, "logged_models", "model_id", before, **model, artifact_location=f"{own_store.as_uri()}/artifacts/models/m-other/artifacts")
    assert newest() == newest("thanks", "threat", "weather") == "m-other"
    assert newest(*own) == newest(*own, "threat") == before
    with pytest.raises(NewsmarkError, match=rf"every model has labels that are not in the labels file: the newest is that of run {other} \(threat, thanks\)"):
        store.uri_of_run(None, frozenset({"quote"}))


def test_tables_of_another_version_are_left_to_mlflow(own_store, run_id):
    assert store._find_at_hand(run_id)
    change(own_store, "UPDATE alembic_version SET version_num = 'another'")
    assert store._find_at_hand(run_id) is None
    assert sqlite_store.mend_locations(own_store / "mlflow.db", store.registered_name()) is None


def test_a_champion_that_is_no_logged_model_is_left_to_mlflow(own_store, run_id):
    crown(own_store, run_id)
    change(own_store, "UPDATE model_versions SET source = 's3://elsewhere/model'")
    assert store._find_at_hand(None) is None


def test_a_copied_store_is_read_at_its_new_place(own_store, run_id, tmp_path, monkeypatch):
    shutil.copytree(own_store, tmp_path / "copy")
    use(tmp_path / "copy", monkeypatch)
    assert store.find_folder(run_id).is_relative_to(tmp_path / "copy")


def test_a_moved_store_is_read_and_then_mended(own_store, run_id, tmp_path, monkeypatch, command, capsys):
    crown(own_store, run_id)
    moved = tmp_path / "mövéd here"
    own_store.rename(moved)
    use(moved, monkeypatch)
    assert load_model(store.find_folder(None)).kind == "baseline"  # without MLflow, and without a change
    store.connect()
    assert f"the store was moved; it now names its artifacts in {(moved / 'artifacts').as_uri()}" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(store, "_find_at_hand", lambda _: None)
        assert load_model(store.find_folder(run_id)).kind == "baseline"
        assert store.find_model(None).what == "champion version 1"
    store.connect()
    assert not capsys.readouterr().err
    done = command("training", "compare", run_id)
    assert done.returncode == 0, done.stderr


def test_a_folder_of_artifacts_that_is_missing_is_named(own_store, run_id, tmp_path):
    (own_store / "artifacts").rename(tmp_path / "elsewhere")
    with pytest.raises(NewsmarkError, match=f"run {run_id}: its folder .+ is missing; was it moved\\? Move the folder of artifacts to {own_store}/artifacts"):
        store.find_model(run_id)


def test_a_server_that_does_not_answer_is_one_sentence(monkeypatch):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(
            NewsmarkError, match=f"the MLflow server {address} does not answer \\(Connection refused\\); start it, or check MLFLOW_TRACKING_URI"
        ):
            store.find_model(None)
        listening.listen()  # and never answers
        monkeypatch.setattr(addresses, "_ANSWER_SECONDS", 0.2)
        with pytest.raises(NewsmarkError, match=f"the MLflow server {address} does not answer \\(timed out\\)"):
            store.find_model(None)


def test_a_server_that_refuses_is_left_to_mlflow():
    def refuse():
        connection, _ = listening.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=refuse)
        thread.start()
        addresses.check_answers(f"http://me:secret@127.0.0.1:{listening.getsockname()[1]}/mlflow")
        thread.join()
