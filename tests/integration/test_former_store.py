"""A store that a former version wrote, moved to another place: its models predict, compare and go out as they did then.

``tests/data/stores/0.1.0.tar.xz`` was written by the code of 0.1.0: a baseline of three small articles, registered and promoted by force, without its pictures.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from newsmark.models.context import in_reading_order
from newsmark.models.saved import load_model
from newsmark.models.store import connect, find_model, version_of
from newsmark.training.cli import main
from newsmark.training.tracking import find_runs, load_predictions

KEPT = sorted(Path("tests/data/stores").glob("*.tar.xz"))


@pytest.fixture(params=KEPT, ids=lambda path: path.name.removesuffix(".tar.xz"))
def kept(request, tmp_path, monkeypatch):
    """What its model answered then, by document; the store is the one that commands use."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    return json.loads(Path(str(request.param).replace(".tar.xz", ".json")).read_text(encoding="utf-8"))


def test_there_is_one():
    assert KEPT


def test_its_champion_answers_as_it_did_then(kept):
    connect()
    found = find_model(None)
    assert found.what == "champion version 1"
    model = load_model(found.folder)
    for document in kept:
        scores = model.scores(in_reading_order([row["text"] for row in document]))
        assert np.allclose(scores, [list(row["scores"].values()) for row in document], rtol=0, atol=1e-6)
        given = [[label for label, one in zip(model.labels, row, strict=True) if one] for row in model.decide(scores)]
        assert given == [row["labels"] for row in document]


def test_its_run_is_listed_and_its_predictions_are_read(kept, capsys):
    assert main(["compare"]) == 0
    assert "language sv macro f1" in capsys.readouterr().out
    (run,) = find_runs([])
    assert version_of("champion").run_id == run.run_id
    predictions = load_predictions(run)
    assert predictions.labels == ("commitment", "statistic", "quote", "boilerplate")
    assert sorted(predictions.texts) == sorted(row["text"] for document in kept for row in document)
    assert main(["suspects", run.run_id]) == 0


def test_its_model_can_be_exported(kept, tmp_path):
    connect()
    (run,) = find_runs([])
    assert main(["export", run.run_id, str(tmp_path / "model")]) == 0
    assert load_model(tmp_path / "model").labels == tuple(kept[0][0]["scores"])
    card = ModelCard.load(tmp_path / "model" / "README.md")
    assert {one.metric_name: one.metric_value for one in card.data.eval_results}["macro F1"] == round(run.metrics["macro_f1"], 4)
