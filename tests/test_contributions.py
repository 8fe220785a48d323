"""What moved a score: the parts of the baseline's odds, and words left out of any other model's texts."""

from pathlib import Path

import numpy as np
import pytest
from newsmark.models.baseline.contributions import contributions
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.baseline.trainer import Baseline
from newsmark.models.calibration import Calibration, log_odds
from newsmark.models.kinds import KINDS
from newsmark.models.model import TrainedModel
from newsmark.models.saved import load_model
from newsmark.training import explanation
from newsmark.training.explanation import explain

TEXTS = ["Ministern lovar 100 skolor.", "Solen sken.", "Priset steg 3 procent, sade hon.", "Vi lovar Vi lovar mer 7 gånger.", "Regn i dag."]
TARGETS = np.array([[1, 1], [0, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
HARD = ["Ministern LOVAR lovar 2 345 skolor, 3 procent", "ΟΔΟΣ İlan: solen\u00a0sken\tåter", "學校 日本は2030年までに", "(...)", ""]


def fitted(targets=TARGETS):
    return Baseline.fit(TEXTS, targets, BaselineSettings(), 7, lambda *_: None)


def saved(baseline, tmp_path):
    baseline.save(tmp_path)
    return KINDS["baseline"].load_reader().load(tmp_path)


@pytest.mark.parametrize("judged", [True, False])
def test_what_the_characters_add_is_the_whole_of_the_odds(judged, tmp_path):
    targets = TARGETS.copy()
    if not judged:
        targets[1:3, 0] = np.nan  # n-grams that only these texts have are not known for the first label
    classifier = saved(fitted(targets), tmp_path)
    parts = contributions(classifier, HARD)
    scores = classifier.scores(HARD)
    assert [len(one) for one in parts] == [len(text) for text in HARD]
    sums = np.stack([one.sum(axis=0) for one in parts]) + classifier.intercepts
    assert sums == pytest.approx(np.log(scores) - np.log1p(-scores), abs=1e-9)


def test_white_space_adds_nothing_and_a_number_counts_at_its_first_digit(tmp_path):
    text = "Hon lovar  12345 skolor"
    (one,) = contributions(saved(fitted(), tmp_path), [text])
    assert one[[index for index, character in enumerate(text) if character == " "]] == pytest.approx(0, abs=1e-12)
    assert np.abs(one[text.index("1")]).min() > 0.01
    assert one[text.index("2") : text.index("5") + 1] == pytest.approx(0, abs=1e-12)


def trained(classifier, kind="baseline"):
    return TrainedModel(kind, ("commitment", "statistic"), frozenset(), (Calibration(),) * 2, classifier)


def test_the_words_of_the_label_raise_it_and_a_script_without_spaces_is_read_by_character(tmp_path):
    promise, japanese = explain(trained(saved(fitted(), tmp_path)), ["Solen lovar.", "日本は20年"])
    words = {"Solen lovar."[start:end]: odds for (start, end), odds in zip(promise.pieces, promise.odds[:, 0], strict=True)}
    assert words["lovar."] > 0 > words["Solen"]
    assert ["日本は20年"[start:end] for start, end in japanese.pieces] == ["日", "本", "は", "20", "年"]


class CountsWords:
    """A classifier that is no sum: the odds of the first label are 2 where "lovar" stands, but only beside "vi"."""

    def __init__(self):
        self.read = 0

    def scores(self, texts):
        self.read += len(texts)
        odds = np.array([[2.0 if {"vi", "lovar"} <= set(text.split()) else 0.0, 0.0] for text in texts])
        return 1 / (1 + np.exp(-odds))


def test_of_another_model_each_word_counts_what_is_lost_without_it(monkeypatch):
    classifier = CountsWords()
    monkeypatch.setattr(explanation, "READINGS", 10)
    model = trained(classifier, "transformer")
    first, blank, second, late = explain(model, ["vi lovar skolor", "  ", "det regnar nu", "vi lovar"])
    assert first.odds.round(9).tolist() == [[2, 0], [2, 0], [0, 0]]
    assert second.odds.tolist() == [[0, 0]] * 3
    assert (blank, late) == (None, None)  # nothing to leave out; and ten texts were to be read at most
    assert classifier.read == 8


def test_the_words_of_a_transformer_are_left_out_in_turn():
    model = load_model(Path("tests/data/models/transformer-5"))
    text = "Ministern lovar fler skolor."
    (one,) = explain(model, [text])
    without = log_odds(model.classifier.scores([text, " lovar fler skolor.", "Ministern  fler skolor."]))
    assert one.pieces == ((0, 9), (10, 15), (16, 20), (21, 28))
    assert one.odds[:2] == pytest.approx(without[0] - without[1:], abs=1e-6)
    assert np.abs(one.odds).max() > 0.05


def test_a_text_that_is_too_long_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(explanation, "LONGEST", 20)
    model = trained(saved(fitted(), tmp_path))
    assert [one is None for one in explain(model, ["Solen sken.", "Solen sken. " * 2])] == [False, True]
