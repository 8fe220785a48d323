"""The baseline: what it learns, and that it predicts the same after it was saved."""

import json
import re
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.baseline.reader import SavedBaseline, Terms
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.baseline.trainer import Baseline
from newsmark.models.calibration import Calibration
from newsmark.models.context import PassageInContext
from newsmark.models.model import TrainedModel
from newsmark.models.saved import load_model, save_model
from sklearn.base import clone

LABELS = ("commitment", "statistic", "quote")
TEXTS = [
    "Regeringen lovar att bygga skolor",
    "Nous promettons de bâtir des écoles",
    "Antalet steg till 14 procent",
    "Le taux est de 7 pour cent",
    "”Jag lovar 20 nya skolor”, sade ministern",
    "« Nous irons », a dit le ministre",
    "Solen sken över staden",
    "Il fait beau aujourd'hui",
]
TARGETS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]], dtype=np.float32)
UNSEEN = ["Ministern lovade 300 nya hus", "", "Été 2030", "漢字"]
RULES = (Calibration(), Calibration(0.4), Calibration(0.3, 1.5, -0.25, (0.1, 0.2, 0.3), (0.0, -0.5, 0.5)))


def alone(texts):
    return [PassageInContext(text) for text in texts]


def fit(targets=TARGETS, seed=13, texts=TEXTS, start=None, weights=None, **settings):
    return Baseline.fit(texts, targets, BaselineSettings(**settings), seed, lambda *_: None, start, weights)


def as_model(classifier, labels=LABELS):
    return TrainedModel("baseline", labels, frozenset(), RULES[: len(labels)], classifier)


BIGRAMS, TRIGRAMS = fit(), fit(word_ngrams=3, char_ngrams=2)


@pytest.fixture
def folder(tmp_path):
    save_model(as_model(fit()), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("texts", [TEXTS, UNSEEN, UNSEEN[:1]])
def test_scores_are_a_probability_for_each_passage_and_label(texts):
    scores = fit().scores(texts)
    assert scores.shape == (len(texts), 3)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_labels_of_the_training_passages_are_learned():
    assert np.array_equal(fit(C=1000.0).scores(TEXTS) > 0.5, TARGETS > 0.5)


def test_a_number_counts_whatever_its_digits():
    classifier = fit()
    fourteen, more, unknown = (classifier.scores([f"Antalet är {number}"]) for number in ("14", "99031", "okänt"))
    assert np.array_equal(fourteen, more)
    assert fourteen[0, 1] > unknown[0, 1]


AWKWARD = [
    "",
    " ",
    "\u2009a\u00a0b\n",
    "İstanbul ΟΔΟΣ ΣΑΣ",
    "1 234,5 %—«l’État»",
    "a",
    "lovar lovar lovar bygga",
    "skolor\x1fbygga\x85skolor",
    "漢字" * 30,
    "😀🏳️‍🌈 é",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*TEXTS, *UNSEEN, *AWKWARD]), st.text(), st.text("abl öé0 .\n")), min_size=1, max_size=8))
def test_scores_are_those_of_the_scikit_learn_pipeline(texts):
    assert_as_scikit_learn(BIGRAMS, texts)
    assert_as_scikit_learn(TRIGRAMS, texts)


def test_scores_stay_the_same_after_the_known_words_were_forgotten(monkeypatch):
    monkeypatch.setattr("newsmark.models.baseline.reader._MOST_KEPT", 0)
    assert_as_scikit_learn(fit(), TEXTS)
    assert_as_scikit_learn(fit(), TEXTS)


def assert_as_scikit_learn(classifier, texts):
    vectors = classifier.features.transform([re.sub(r"\d+", "0", text) for text in texts])
    wanted = np.stack([regression.predict_proba(vectors)[:, 1] for regression in classifier.regressions], axis=1)
    assert np.allclose(classifier.scores(texts), wanted, rtol=0, atol=1e-12)


def test_ngrams_are_found_among_very_many_words():
    tokens = ["".join(letters) for letters in product("abcdefghij", repeat=5)]  # the square of their number is greater than 32 bits hold
    terms = [*tokens, " ".join(tokens[-2:])]
    words = Terms(terms, np.ones(len(terms)), np.eye(len(terms), 1, 1 - len(terms)))  # a weight for the n-gram of two alone
    scores = SavedBaseline(words, Terms(["a"], np.ones(1), np.zeros((1, 1))), np.zeros(1)).scores([terms[-1], " ".join(tokens[:-3:-1])])
    assert scores[0, 0] > 0.6
    assert scores[1, 0] == 0.5


def test_settings_set_the_length_of_the_ngrams():
    assert fit(word_ngrams=1, char_ngrams=1).features.transform(TEXTS).shape[1] < fit().features.transform(TEXTS).shape[1]


def test_no_passage_gives_no_scores():
    assert as_model(fit()).scores([]).shape == (0, 3)


def test_same_seed_gives_the_same_scores():
    assert np.array_equal(fit(seed=7).scores(UNSEEN), fit(seed=7).scores(UNSEEN))


def test_score_of_a_passage_does_not_depend_on_the_others():
    classifier = fit()
    together = classifier.scores([*TEXTS, *UNSEEN])
    assert np.array_equal(together[::-1], classifier.scores([*TEXTS, *UNSEEN][::-1]))
    assert np.array_equal(together[0], classifier.scores(TEXTS[:1])[0])


def test_going_on_is_training_on_all_passages_together():
    start = fit(TARGETS[:5], texts=TEXTS[:5])
    before = start.scores(UNSEEN)
    further = fit(TARGETS[5:], texts=TEXTS[5:], start=start).scores(UNSEEN)
    assert np.array_equal(further, fit().scores(UNSEEN))
    assert np.array_equal(start.scores(UNSEEN), before)
    assert not np.array_equal(further, before)


def test_a_passage_counts_by_its_weight_as_if_it_stood_there_more_often():
    threes = np.array([3, 1, 1, 1, 1, 1, 1, 1], dtype=np.float32)
    weighted, plain = fit(weights=threes).scores(TEXTS), fit().scores(TEXTS)
    often = fit(TARGETS[[0, 0, *range(8)]], texts=[TEXTS[0]] * 2 + TEXTS).scores(TEXTS)
    assert np.abs(weighted - often).max() < 0.05  # documents are counted once for TF-IDF, whatever they weigh
    assert np.abs(weighted - often).mean() < np.abs(plain - often).mean() / 3
    assert np.array_equal(fit(weights=np.ones(8, dtype=np.float32)).scores(TEXTS), plain)


def test_going_on_keeps_the_weights_of_the_first_passages():
    weights = np.array([3, 1, 1, 2, 1, 1, 5, 1], dtype=np.float32)
    start = fit(TARGETS[:5], texts=TEXTS[:5], weights=weights[:5])
    further = fit(TARGETS[5:], texts=TEXTS[5:], start=start, weights=weights[5:])
    assert np.array_equal(further.scores(UNSEEN), fit(weights=weights).scores(UNSEEN))


def test_two_fits_go_on_from_the_same_start_and_not_from_each_other():
    start = fit(TARGETS[:5], texts=TEXTS[:5])
    fit(TARGETS[5:], texts=TEXTS[5:], start=start)
    again = fit(TARGETS[6:], texts=TEXTS[6:], start=start)
    assert np.array_equal(again.scores(UNSEEN), fit(TARGETS[[*range(5), 6, 7]], texts=[*TEXTS[:5], *TEXTS[6:]]).scores(UNSEEN))


@pytest.mark.parametrize(
    ("columns", "constant"),
    [
        pytest.param([0, 1, 2], {}, id="all labels"),
        pytest.param([0, 1, 2], {1: 0.0}, id="a label without positives"),
        pytest.param([0, 1, 2], {1: 1.0}, id="a label without negatives"),
        pytest.param([0, 1, 2], {0: 0.0, 1: 0.0, 2: 0.0}, id="no positives at all"),
        pytest.param([0], {}, id="only one label"),
    ],
)
def test_saved_model_gives_identical_scores(tmp_path, columns, constant):
    targets = TARGETS[:, columns].copy()
    for column, value in constant.items():
        targets[:, column] = value
    model = as_model(fit(targets), tuple(LABELS[column] for column in columns))
    scores = model.scores(alone(UNSEEN))
    assert scores.shape == (len(UNSEEN), len(columns))
    for column, value in constant.items():
        assert (model.classifier.scores(UNSEEN)[:, column] == value).all()
        assert scores[:, column] == pytest.approx(value, abs=2e-4)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert np.array_equal(loaded.scores(alone(UNSEEN)), scores)
    assert np.array_equal(loaded.decide(scores), model.decide(scores))
    assert (loaded.kind, loaded.labels, loaded.exclusive, loaded.calibrations) == (model.kind, model.labels, model.exclusive, model.calibrations)


@pytest.mark.parametrize("change", [lambda known: known.pop(), lambda known: known.append("a term too many")])
def test_vocabulary_that_the_weights_do_not_fit_is_damaged(folder, change):
    path, card = folder / "vocabulary.json", json.loads((folder / "newsmark.json").read_text(encoding="utf-8"))
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    change(vocabulary["characters"])
    path.write_text(json.dumps(vocabulary), encoding="utf-8")
    card["files"]["vocabulary.json"] = path.stat().st_size
    del card["digests"]
    (folder / "newsmark.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(NewsmarkError, match=r"damaged .*weights that don't fit the vocabulary"):
        load_model(folder)


def test_loading_and_predicting_need_no_scikit_learn(folder):
    code = "import sys; from pathlib import Path; from newsmark.models.saved import load_model; load_model(Path(sys.argv[1])).classifier.scores(['Ett hus']); "
    code += "assert not {'sklearn', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, folder], check=True)


def test_a_label_learns_only_from_passages_that_were_judged_for_it():
    targets = TARGETS.copy()
    targets[[1, 3, 7], 1] = np.nan
    found = fit(targets)
    assert np.allclose(found.scores(UNSEEN)[:, [0, 2]], fit().scores(UNSEEN)[:, [0, 2]], rtol=0, atol=1e-12)
    judged = ~np.isnan(targets[:, 1])
    vectors = found.features.transform([re.sub(r"\d+", "0", text) for text in TEXTS])
    alone = clone(found.regressions[1]).fit(vectors[judged], TARGETS[judged, 1].astype(int))
    assert np.allclose(found.regressions[1].coef_, alone.coef_, rtol=0, atol=1e-12)


def test_a_label_that_nobody_judged_is_never_given():
    targets = TARGETS.copy()
    targets[:, 1] = np.nan
    assert (fit(targets).scores(UNSEEN)[:, 1] == 0).all()


def test_going_on_with_a_label_that_the_first_passages_do_not_judge():
    first = TARGETS[:5].copy()
    first[:, 2] = np.nan
    further = fit(TARGETS[5:], texts=TEXTS[5:], start=fit(first, texts=TEXTS[:5]))
    assert np.array_equal(further.scores(UNSEEN), fit(np.concatenate([first, TARGETS[5:]])).scores(UNSEEN))
    assert len(set(further.scores(UNSEEN)[:, 2])) > 1


def test_ngrams_of_passages_that_were_not_judged_for_a_label_do_not_weaken_those_of_others(tmp_path):
    targets = TARGETS.copy()
    targets[:4, 2] = np.nan
    found = fit(targets)
    text, more = "Jag lovar, sade ministern", "Jag lovar, sade ministern, Nous promettons de bâtir Le taux est pour cent"
    own, longer = found.scores([text, more])[:, 2]
    whole = fit().scores([text, more])[:, 2]
    assert own - longer < whole[0] - whole[1]
    model = as_model(found)
    save_model(model, tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").scores(alone(UNSEEN)), model.scores(alone(UNSEEN)))
