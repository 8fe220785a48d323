"""The model that a server follows: how it is named, and what a store sent of it."""

import shutil
import tempfile
from pathlib import Path

import mlflow
import pytest
from mlflow.store.artifact import artifact_repository_registry
from newsmark.annotation.errors import NewsmarkError, UsageError
from newsmark.models import store
from newsmark.models.serving.following import FollowedModel

MODEL = Path("tests/data/models/baseline-6")
URI = "models:/newsmark/1"


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """A store on a server that sends the files of a model, and the folder of temporary files."""

    class Logged:
        def __init__(self, uri):
            assert uri == URI

        @staticmethod
        def download_artifacts(inside, target):
            assert inside == f"artifacts/{store.ARTIFACT}"
            return shutil.copytree(MODEL, Path(target) / inside)

    monkeypatch.setattr(store, "connect", lambda: None)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "http://127.0.0.1:9")
    monkeypatch.setattr(artifact_repository_registry, "get_artifact_repository", Logged)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_server_sent_is_removed_when_the_model_is_loaded(sent):
    assert FollowedModel(URI, 100, lambda _: None).batcher.model.kind == "baseline"
    assert list(sent.iterdir()) == []


def test_what_a_server_sent_is_removed_when_the_model_cannot_be_loaded(sent, monkeypatch):
    monkeypatch.setattr("newsmark.models.serving.following.load_model", refuse)
    with pytest.raises(NewsmarkError):
        FollowedModel(URI, 100, lambda _: None)
    assert list(sent.iterdir()) == []


@pytest.mark.parametrize("find", [store.find_model, lambda name: FollowedModel(name, 100, lambda _: None)])
def test_a_name_that_is_none_of_a_model_is_wrong_usage_for_predict_and_for_predict_serve(find):
    with pytest.raises(UsageError, match=r"^nothing: no such model folder, and neither a run id nor an MLflow URI"):
        find("nothing")


def refuse(folder):
    assert folder.is_dir()
    raise NewsmarkError(f"{folder}: of a newer format")
