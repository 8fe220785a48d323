"""Kept stages of training: used again only where all that made them is the same, and then to the last digit."""

import json
import os

import numpy as np
import pytest
from newsmark.annotation.errors import UsageError
from newsmark.models.kinds import KINDS
from newsmark.models.static.settings import StaticSettings
from newsmark.models.transformer.settings import TransformerSettings
from newsmark.training import stages as module
from newsmark.training.config import Config, DataConfig
from newsmark.training.cross_validation import Fitter
from newsmark.training.dataset import LabelledPassages
from newsmark.training.stages import Stages, origin

MADE_BY = {"stage": "corpus", "seed": 13}
TEXTS = ["ministern lovar skolor", "antalet steg till", "en lång dag", "solen sken över staden"] * 4
TARGETS = np.tile(np.array([[1, 0], [0, 1], [0, 0], [1, 1]], dtype=np.float32), (4, 1))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path))
    return tmp_path / "stages"


def keep(stages, made_by=MADE_BY, size=10):
    stages.keep(made_by, lambda folder: (folder / "file").write_bytes(b"x" * size), [("loss", 0.5, 1)])


def test_a_stage_is_found_where_all_that_made_it_is_the_same():
    stages = Stages()
    assert stages.find(MADE_BY) is None
    keep(stages)
    folder = stages.find(MADE_BY)
    assert (folder / "file").read_bytes() == b"x" * 10
    assert stages.reported(folder) == [("loss", 0.5, 1)]
    assert stages.find({**MADE_BY, "seed": 14}) is None
    assert stages.find(None) is None


def test_a_damaged_or_half_written_stage_is_not_used_and_may_be_kept_again():
    stages = Stages()
    keep(stages)
    folder = stages.find(MADE_BY)
    (folder / "file").write_bytes(b"y" * 10)
    assert stages.find(MADE_BY) is None
    keep(stages)
    (folder / "stage.json").write_text("{")
    assert stages.find(MADE_BY) is None
    keep(stages)
    assert stages.find(MADE_BY) is not None


def test_what_was_used_longest_ago_is_removed_beyond_the_bound(monkeypatch):
    monkeypatch.setenv("NEWSMARK_STAGES_GB", "0.0000025")
    stages = Stages()
    for number in range(3):
        keep(stages, {"number": number}, 900)
        if number < 2:
            os.utime(stages.find({"number": number}) / "stage.json", (1000 + number, 1000 + number))
    assert [stages.find({"number": number}) is not None for number in range(3)] == [False, True, True]


def test_a_stage_that_can_not_be_written_is_no_error(cache):
    cache.write_text("a file in the place of the folder")
    keep(Stages())
    assert Stages().find(MADE_BY) is None


@pytest.mark.parametrize("how", ["variable", "flag", "processes"])
def test_stages_can_be_turned_off(monkeypatch, how, cache):
    if how != "flag":
        monkeypatch.setenv(*{"variable": ("NEWSMARK_STAGES_GB", "0"), "processes": ("WORLD_SIZE", "2")}[how])
    stages = Stages(used=how != "flag")
    keep(stages)
    assert not cache.exists()
    with pytest.raises(UsageError, match="--resume continues from kept stages"):
        Stages(used=how != "flag", resume=True)


@pytest.mark.parametrize("value", ["much", "-1", "inf", "nan"])
def test_a_bound_that_is_no_number_is_named(monkeypatch, value):
    monkeypatch.setenv("NEWSMARK_STAGES_GB", value)
    with pytest.raises(UsageError, match=f"NEWSMARK_STAGES_GB: must be a number of gigabytes, 0 or more, got '{value}'"):
        Stages()


def test_origin_changes_with_the_encoder_the_libraries_and_the_code(encoder, tmp_path, monkeypatch):
    kind, settings = KINDS["transformer"], TransformerSettings(encoder=encoder)
    before = origin(kind, settings)
    assert before == origin(kind, settings)
    assert json.dumps(before)
    assert origin(kind, TransformerSettings(encoder="someone/of-the-hub")) is None
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.json").write_text("{}")
    other = origin(kind, TransformerSettings(encoder=str(own)))
    assert other["of the kind"] != before["of the kind"]
    assert other["code"] == before["code"] != origin(KINDS["baseline"], None)["code"]
    monkeypatch.setattr(module.importlib.metadata, "version", lambda _: "another")
    assert origin(kind, settings) != before


def test_origin_of_the_static_model_changes_with_its_encoder_and_is_not_known_of_one_from_the_hub(tmp_path):
    kind, settings = KINDS["static"], StaticSettings(encoder=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    before = origin(kind, settings)
    assert before == origin(kind, settings)
    (tmp_path / "config.json").write_text("{ }")
    assert origin(kind, settings) != before
    assert origin(kind, StaticSettings(encoder="someone/of-the-hub")) is None


def test_training_goes_on_from_a_kept_transformer_as_from_the_one_in_memory(encoder, tmp_path):
    """To the last digit: the same probabilities, and the same after a further fit."""
    kind = KINDS["transformer"]
    stage, trainer = kind.load_stage(), kind.load_trainer()
    settings = TransformerSettings(encoder=encoder, epochs=2, further_epochs=2, batch_size=4, max_tokens=32, learning_rate=1e-3)
    first = trainer.fit(TEXTS, TARGETS, settings, 13, lambda *_: None)
    folder = tmp_path / "kept"
    folder.mkdir()
    stage.keep(first, folder)
    restored = stage.restore(folder, settings)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".txt"}
    assert (restored.vocabulary, restored.sample, restored.settings) == (first.vocabulary, first.sample, first.settings)
    assert np.array_equal(restored.scores(TEXTS), first.scores(TEXTS))
    further = [trainer.fit(TEXTS[:8], TARGETS[:8], settings, 13, lambda *_: None, start) for start in (first, restored)]
    assert np.array_equal(*(one.scores(TEXTS) for one in further))
    assert not np.array_equal(further[0].scores(TEXTS), first.scores(TEXTS))


class Log:
    """What of a recorder a fitter needs, in memory."""

    def __init__(self):
        self.metrics = []

    def log_metrics(self, values, step):
        self.metrics.append((values, step))


def test_the_corpus_stage_is_trained_once_and_then_taken_from_the_cache(encoder):
    names = np.array([f"d{number // 2}" for number in range(16)])
    languages, kinds = np.array(["sv"] * 16), np.array(["article"] * 16)
    corpus = LabelledPassages(("commitment", "statistic"), TEXTS, TARGETS, names, names, languages, names, [(0, len(text)) for text in TEXTS], kinds)
    settings = {"encoder": encoder, "epochs": 2, "batch_size": 4, "max_tokens": 32}
    found = {}
    for when, changed, stages in (("first", {}, Stages()), ("again", {}, Stages()), ("fresh", {}, Stages(used=False)), ("other", {"epochs": 1}, Stages())):
        lines, log = [], Log()
        config = Config(DataConfig("transformer", ("articles",), "annotations.jsonl"), TransformerSettings(**settings | changed))
        start = Fitter(log, config, 1, True, lines.append, stages).begin(corpus)
        found[when] = ("taken from the cache" in " ".join(lines), log.metrics, start.classifier.scores(TEXTS), start.tuning.texts)
    assert {when: taken for when, (taken, *_) in found.items()} == {"first": False, "again": True, "fresh": False, "other": False}
    for when in ("again", "fresh"):
        assert found[when][1] == found["first"][1]
        assert np.array_equal(found[when][2], found["first"][2])
        assert found[when][3] == found["first"][3]
