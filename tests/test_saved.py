"""The folder that a trained model of any kind is saved in: what is checked when it is loaded, and that models of former versions are read."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.baseline.trainer import Baseline
from newsmark.models.calibration import Calibration
from newsmark.models.context import in_reading_order
from newsmark.models.kinds import KINDS
from newsmark.models.model import TrainedModel
from newsmark.models.saved import is_model_folder, load_model, save_model
from newsmark.models.spans import SpanFinder

LABELS = ("commitment", "statistic", "quote")
TEXTS = ["Regeringen lovar att bygga skolor", "Antalet steg till 14 procent", "« Nous irons », a dit le ministre", "Solen sken över staden"]
TARGETS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=np.float32)
RULES = (Calibration(), Calibration(0.4), Calibration(0.3, 1.5, -0.25, (0.1, 0.2, 0.3), (0.0, -0.5, 0.5)))
KEPT = Path("tests/data/models")
"""Models that released versions saved, each beside a file of what it answered then."""


@pytest.fixture
def folder(tmp_path):
    baseline = Baseline.fit(TEXTS, TARGETS, BaselineSettings(), 13, lambda *_: None)
    save_model(TrainedModel("baseline", LABELS, frozenset(), RULES, baseline), tmp_path / "model")
    return tmp_path / "model"


def change_card(folder, **change):
    card = json.loads((folder / "newsmark.json").read_text(encoding="utf-8"))
    (folder / "newsmark.json").write_text(json.dumps(card | change), encoding="utf-8")


def test_a_model_is_kept_of_the_present_format_of_each_kind():
    assert {f"{kind.name}-{kind.format}" for kind in KINDS.values()} <= {path.name for path in KEPT.iterdir()}


@pytest.mark.parametrize("name", sorted(path.stem for path in KEPT.glob("*.json")))
def test_a_model_that_a_released_version_saved_answers_as_it_did_then(name):
    model, then = load_model(KEPT / name), json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    scores = model.scores(in_reading_order(then["texts"]))
    # the graph's 32-bit sums depend on the processor in their last digit
    assert np.allclose(scores, then["scores"], rtol=0, atol=1e-12 if model.kind == "baseline" else 1e-6)
    assert model.decide(scores).tolist() == then["decisions"]
    assert model.version == then["version"]


def test_a_transformer_of_an_older_version_makes_no_vectors_and_says_so():
    model = load_model(KEPT / "transformer-5")
    assert model.topics is None
    with pytest.raises(NewsmarkError, match="an older newsmark wrote this model, and it makes no vectors; train it again"):
        model.classifier.vectors(["Solen sken."])


@pytest.mark.parametrize("kind", KINDS)
def test_format_of_a_newer_version_is_named(tmp_path, kind):
    known = KINDS[kind].format
    shutil.copytree(KEPT / f"{kind}-{known}", tmp_path / "model")
    change_card(tmp_path / "model", format=known + 1)
    with pytest.raises(NewsmarkError, match=rf"newsmark\.json: {kind} model of format {known + 1}, and this version of newsmark reads format {known}; install"):
        load_model(tmp_path / "model")


def test_the_version_follows_from_the_weights_and_from_what_decides(folder, tmp_path):
    model = load_model(folder)
    stricter = replace(model, calibrations=tuple(replace(rule, threshold=0.9) for rule in model.calibrations))
    versions = []
    for number, one in enumerate((model, model, stricter)):
        save_model(one, tmp_path / str(number))
        versions.append(load_model(tmp_path / str(number)).version)
    assert versions[0] == versions[1] == model.version != versions[2]


def test_folder_holds_a_card_the_vocabulary_and_the_weights(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["newsmark.json", "vocabulary.json", "weights.safetensors"]
    card = json.loads((folder / "newsmark.json").read_text(encoding="utf-8"))
    assert card["files"] == {name: (folder / name).stat().st_size for name in ("vocabulary.json", "weights.safetensors")}
    assert is_model_folder(folder)
    assert not is_model_folder(folder.parent)


def test_the_kinds_that_a_model_knows_come_back_and_belong_to_its_files(folder, tmp_path):
    save_model(replace(load_model(folder), spans=SpanFinder({"quote": ("direct", "indirect")})), tmp_path / "other")
    assert "spans.json" in json.loads((tmp_path / "other" / "newsmark.json").read_text(encoding="utf-8"))["digests"]
    assert load_model(tmp_path / "other").spans == SpanFinder({"quote": ("direct", "indirect")})
    assert load_model(folder).spans == SpanFinder()


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(NewsmarkError, match="nowhere: no such model folder"):
        load_model(tmp_path / "nowhere")


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(NewsmarkError, match=r"not a newsmark model: it holds no newsmark\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"format": 2},
        {"kind": "forest"},
        {"kind": ["baseline"]},
        {"labels": []},
        {"files": {}},
        {"files": ["weights.safetensors"]},
        {"rules": []},
        {"rules": [vars(rule) for rule in RULES[:2]]},
        {"rules": [vars(rule) for rule in (*RULES, Calibration())]},
        {"rules": 0.5},
        {"rules": [0.5] * 3},
        {"rules": [vars(Calibration(threshold=1.5))] * 3},
        {"rules": [vars(Calibration(threshold="0.5"))] * 3},
        {"rules": [vars(Calibration(slope=math.nan))] * 3},
        {"rules": [vars(Calibration(slope="1", intercept="0"))] * 3},
        {"rules": [vars(Calibration(intercept=math.inf))] * 3},
        {"rules": [{"threshold": 0.5}] * 3},
        {"rules": [{**vars(Calibration()), "offset": 1}] * 3},
        {"rules": [vars(Calibration(before=(1.0, 2.0)))] * 3},
        {"rules": [vars(Calibration(after=(1.0, math.nan, 2.0)))] * 3},
        {"rules": [vars(Calibration(after="abc"))] * 3},
        {"exclusive": None},
        {"digests": {}},
        {"digests": {"weights.safetensors": "0" * 64}},
        {"digests": None},
    ],
)
def test_card_of_another_version_is_refused(folder, change):
    change_card(folder, **change)
    with pytest.raises(NewsmarkError, match=r"newsmark\.json: not a model card that this version of newsmark reads"):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"rules": [vars(Calibration(slope=9.0))] * 3},
        {"labels": ["commitment", "quote", "quote"]},
        {"labels": "abc"},
        {"exclusive": "boilerplate"},
        {"version": 3},
    ],
)
def test_a_changed_card_is_noticed(folder, change):
    change_card(folder, **change)
    with pytest.raises(NewsmarkError, match=r"newsmark\.json: this file of the model was changed or damaged; copy"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 2}'])
def test_card_that_is_none_is_refused(folder, content):
    (folder / "newsmark.json").write_bytes(content)
    with pytest.raises(NewsmarkError, match=r"newsmark\.json: not a model card"):
        load_model(folder)


@pytest.mark.parametrize("name", ["vocabulary.json", "weights.safetensors"])
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(NewsmarkError, match=rf"{re.escape(name)}: this file of the model is missing"):
        load_model(folder)


@pytest.mark.parametrize("name", ["vocabulary.json", "weights.safetensors"])
def test_truncated_file_is_named_with_its_sizes(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(NewsmarkError, match=rf"{re.escape(name)}: this file of the model has 100 bytes instead of \d+"):
        load_model(folder)


@pytest.mark.parametrize("name", ["vocabulary.json", "weights.safetensors"])
@pytest.mark.parametrize("place", [0, -2])
def test_one_changed_byte_of_a_file_is_noticed(folder, name, place):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(NewsmarkError, match=rf"{re.escape(name)}: this file of the model was changed or damaged; copy"):
        load_model(folder)


@pytest.mark.parametrize("name", ["vocabulary.json", "weights.safetensors"])
def test_damaged_file_of_a_model_without_digests_is_one_clear_error(tmp_path, name):
    shutil.copytree(KEPT / "baseline-6", tmp_path / "model")
    path = tmp_path / "model" / name
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(NewsmarkError, match="model: the model's files are damaged"):
        load_model(tmp_path / "model")
