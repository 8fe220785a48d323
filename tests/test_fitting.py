"""Cold start, folds and what is learned from whom, with a classifier whose scores are known."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.calibration import calibrated, read_odds
from newsmark.models.kinds import Kind
from newsmark.models.model import decide
from newsmark.training.calibration import fit_calibrations
from newsmark.training.config import Config, DataConfig
from newsmark.training.cross_validation import TUNING_PARTS, Fitter, Start, majority
from newsmark.training.dataset import LabelledPassages
from newsmark.training.splits import make_folds
from newsmark.training.stages import Stages

LABELS = ("quote", "boilerplate")
EXCLUSIVE = frozenset({"boilerplate"})


class Counting:
    """Remembers what it was fitted on; its scores depend on a passage's own text and on how much that was."""

    def __init__(self, texts, start):
        self.texts, self.start = texts, start

    @classmethod
    def fit(cls, texts, *rest):
        return cls(list(texts), rest[-2])

    def scores(self, texts):
        values = np.array([float(text.split()[-1]) if text else 0.5 for text in texts])
        return np.stack([values, 1 - values], axis=1) ** (1 + len(self.texts) / 1000)


class Log:
    """What of a recorder a trainer needs, in memory."""

    def __init__(self):
        self.runs, self.metrics = 0, {}

    @contextmanager
    def run(self, _):
        self.runs += 1
        yield self.runs

    def log_params(self, params):
        pass

    def log_metrics(self, values, key):
        self.metrics[key] = values


@pytest.fixture(autouse=True)
def _counting(monkeypatch):
    monkeypatch.setattr(Kind, "load_trainer", lambda _: Counting)


def passages(groups, each=30, languages=("sv",), seed=1, prefix="g"):
    """Passages whose text ends with a score; the labels follow it, with much noise. A document and a language a group."""
    drawn = np.random.default_rng(seed)
    values = drawn.random(groups * each)
    truth = drawn.random(groups * each) < 0.2 + 0.5 * values
    names = np.repeat([f"{prefix}{number}" for number in range(groups)], each)
    texts = [f"text {value}" for value in values]
    spoken = np.repeat([languages[number % len(languages)] for number in range(groups)], each)
    targets = np.stack([truth, ~truth], axis=1).astype(np.float32)
    return LabelledPassages(LABELS, texts, targets, names, names, spoken, names, [(0, len(text)) for text in texts], np.array(["article"] * len(texts)))


def flipped(data, rows):
    targets = data.targets.copy()
    targets[rows] = 1 - targets[rows]
    return replace(data, targets=targets)


def fitter(report=lambda _: None, fits=1, begins=False, stages=None, **keys):
    config = Config(DataConfig("baseline", ("articles",), "annotations.jsonl", **keys), BaselineSettings())
    return Fitter(Log(), config, fits, begins, report, stages)


def cross_validate(data, bootstrap=None, **keys):
    own = fitter(**keys)
    folds, start = make_folds(data, 10), own.begin(bootstrap)
    return own.cross_validate(data, folds, start, EXCLUSIVE), folds, start, own


def test_a_part_of_whole_documents_of_the_corpus_is_kept_for_calibration():
    reported, corpus = [], passages(17)
    start = fitter(reported.append).begin(corpus)
    kept = set(start.tuning.texts)
    assert len(set(start.tuning.groups)) == 17 // TUNING_PARTS
    assert sorted([*kept, *start.classifier.texts]) == sorted(corpus.texts)
    assert f"cold-start corpus: {17 * 30 - len(kept)} passages to train on, {len(kept)} kept for calibration" in reported


def test_a_small_corpus_is_trained_on_whole():
    start = fitter().begin(passages(TUNING_PARTS - 1))
    assert start.tuning is None
    assert len(start.classifier.texts) == (TUNING_PARTS - 1) * 30


def test_a_label_that_the_corpus_does_not_judge_is_calibrated_on_the_articles_alone():
    data, corpus = passages(4), passages(16, prefix="c", seed=2)
    targets = corpus.targets.copy()
    targets[:, 1] = np.nan
    part, _, _, _ = cross_validate(data, replace(corpus, targets=targets))
    whole, folds, _, _ = cross_validate(data, corpus)
    assert np.array_equal(part.odds, whole.odds)
    assert np.array_equal(part.probabilities[:, 0], whole.probabilities[:, 0])
    (_, rule) = fit_calibrations(whole.odds[folds[0].train], data.targets[folds[0].train])
    assert np.array_equal(part.probabilities[folds[0].test, 1], rule.calibrate(whole.odds[folds[0].test], 1))


def test_the_corpus_counts_with_the_usual_rates_and_the_articles_as_they_are():
    data, corpus = passages(4), passages(16, prefix="c", seed=2)
    found, _, start, _ = cross_validate(data, corpus, rates={LABELS[0]: 0.05, "unknown": 0.5})
    as_it_is, _, _, _ = cross_validate(data, corpus)
    assert found.probabilities[:, 0].mean() < as_it_is.probabilities[:, 0].mean() - 0.1
    assert np.array_equal(found.probabilities[:, 1], as_it_is.probabilities[:, 1])
    alone = replace(start, tuning=None).learn_calibrations(found.odds, data.targets, None)
    assert alone == fit_calibrations(found.odds, data.targets)


def test_the_commonest_answer_is_of_those_judged():
    targets = np.array([[1, 0, np.nan], [1, 0, np.nan], [np.nan, 1, np.nan], [0, np.nan, np.nan]], dtype=np.float32)
    assert majority(targets, 2).tolist() == [[True, False, False]] * 2


def test_without_a_corpus_there_is_no_start():
    assert fitter().begin(None) == Start()


def test_each_fold_goes_on_from_the_corpus_and_sees_nothing_that_it_is_judged_on(monkeypatch):
    fitted = []
    fit = Counting.fit.__func__

    def fit_and_remember(*arguments):
        fitted.append(fit(*arguments))
        return fitted[-1]

    monkeypatch.setattr(Counting, "fit", classmethod(fit_and_remember))
    data = passages(4)
    found, folds, start, _ = cross_validate(data, passages(16, prefix="c", seed=2))
    assert len(fitted) == 5
    assert start.classifier is fitted[0]
    for fold, classifier in zip(folds, fitted[1:], strict=True):
        assert classifier.start is start.classifier
        assert classifier.texts == [data.texts[row] for row in fold.train]
        assert np.array_equal(found.odds[fold.test], read_odds(classifier, data.subset(fold.test).contexts))


@pytest.mark.parametrize("corpus", [None, passages(16, prefix="c", seed=2)], ids=["alone", "with corpus"])
def test_rules_of_a_fold_come_from_the_other_folds_and_the_held_out_part_of_the_corpus(corpus):
    data = passages(4)
    found, folds, start, own = cross_validate(data, corpus)
    for number, fold in enumerate(folds, start=1):
        odds, targets = found.odds[fold.train], data.targets[fold.train]
        if corpus:
            tuned = read_odds(Counting([""] * len(fold.train), None), start.tuning.contexts)
            odds, targets = np.concatenate([odds, tuned]), np.concatenate([targets, start.tuning.targets])
        calibrations = fit_calibrations(odds, targets)
        assert calibrations[0].slope != 1
        assert np.allclose(found.probabilities[fold.test], calibrated(found.odds[fold.test], calibrations))
        assert np.array_equal(found.decisions[fold.test], decide(found.probabilities[fold.test], [rule.threshold for rule in calibrations], LABELS, EXCLUSIVE))
        assert "macro_f1" in own.log.metrics[number]


def test_what_is_true_of_a_fold_changes_nothing_in_it():
    data = passages(4)
    before, folds, *_ = cross_validate(data)
    after, *_ = cross_validate(flipped(data, folds[1].test))
    assert np.array_equal(after.probabilities[folds[1].test], before.probabilities[folds[1].test])
    assert np.array_equal(after.decisions[folds[1].test], before.decisions[folds[1].test])
    assert not np.allclose(after.probabilities[folds[0].test], before.probabilities[folds[0].test])


def test_left_out_languages_are_judged_and_nothing_is_learned_from_them():
    data, corpus = passages(6, languages=("sv", "fr", "fi")), passages(24, prefix="c", seed=2, languages=("sv", "fr"))
    left_out = np.flatnonzero(data.languages == "fr")
    before, _, start, _ = cross_validate(data, corpus, leave_out_languages=("fr",))
    assert set(start.tuning.languages) == {"sv"}
    assert not set(start.classifier.texts) & {text for text, language in zip(corpus.texts, corpus.languages, strict=True) if language == "fr"}
    assert set(data.languages[before.rows]) == {"sv", "fi"}
    assert (before.odds[left_out, 0] != 0).all()
    after, *_ = cross_validate(flipped(data, left_out), corpus, leave_out_languages=("fr",))
    assert np.array_equal(after.odds, before.odds)
    assert np.array_equal(after.probabilities, before.probabilities)
    heard, *_ = cross_validate(data, corpus)
    assert not np.array_equal(heard.odds, before.odds)


def test_where_nothing_is_left_to_train_on_the_start_is_taken_or_an_error_raised():
    data, corpus = passages(2, languages=("sv", "fr")), passages(16, prefix="c", seed=2)
    nothing = data.subset(np.zeros(0, dtype=int))
    own = fitter()
    start = own.begin(corpus)
    assert own.fit(nothing, start) is start.classifier
    with pytest.raises(NewsmarkError, match="leave_out_languages leaves no passage to train on"):
        fitter().fit(nothing, Start())


def test_an_interrupted_cross_validation_is_resumed_after_its_last_finished_fold(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path))
    fitted, fit = [], Counting.fit.__func__

    def fit_until_killed(cls, texts, *rest):
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(texts)
        return fit(cls, texts, *rest)

    data = passages(4)
    whole, folds, *_ = cross_validate(data)
    monkeypatch.setattr(Counting, "fit", classmethod(fit_until_killed))
    with pytest.raises(KeyboardInterrupt):
        fitter(stages=Stages()).cross_validate(data, folds, Start(), EXCLUSIVE)
    monkeypatch.setattr(Counting, "fit", classmethod(lambda cls, texts, *rest: fitted.append(texts) or fit(cls, texts, *rest)))
    reported = []
    resumed = fitter(reported.append, stages=Stages(resume=True))
    found = resumed.cross_validate(data, folds, Start(), EXCLUSIVE)
    assert len(fitted) == 4  # two before the interruption, two after it
    assert sum("finished before the interruption" in line for line in reported) == 2
    for one, other in zip(vars(found).values(), vars(whole).values(), strict=True):
        assert np.array_equal(one, other)
    resumed.forget_folds()
    assert list((tmp_path / "stages").iterdir()) == []
    again = fitter(stages=Stages(resume=True), seed=14)
    again.cross_validate(data, folds, Start(), EXCLUSIVE)
    assert len(fitted) == 8  # another seed: nothing to take over
