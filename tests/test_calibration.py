"""From scores to probabilities, thresholds and what a person should look at."""

import math
from dataclasses import replace

import numpy as np
import pytest
from newsmark.models.calibration import Calibration, calibrated, log_odds, logistic, read_odds
from newsmark.models.context import PassageInContext, in_reading_order
from newsmark.models.model import REVIEW_RISK, TrainedModel, risk
from newsmark.models.prediction.predict import predict_passages
from newsmark.training.calibration import fit_calibrations, threshold_losses, weights_for_rates
from newsmark.training.dataset import LabelledPassages
from newsmark.training.metrics import calibration_error
from sklearn.metrics import f1_score

AS_IS = Calibration()


def alone(scores):
    """Logarithmic odds of passages without neighbours, from their scores."""
    own = log_odds(np.asarray(scores, dtype=float))
    return np.stack([own, np.zeros_like(own), np.zeros_like(own)], axis=1)


def drawn_case(seed, slope=1.0, intercept=0.0, count=6000):
    """Scores whose true logarithmic odds are ``slope`` times theirs, plus ``intercept``; and what came of them."""
    drawn = np.random.default_rng(seed)
    odds = drawn.normal(-0.5, 2, count)
    truth = drawn.random(count) < 1 / (1 + np.exp(-(slope * odds + intercept)))
    return (1 / (1 + np.exp(-odds)))[:, None], truth[:, None].astype(np.float32)


@pytest.mark.parametrize(
    ("score", "rule", "probability"),
    [
        (0.8, Calibration(), 0.8),
        (0.8, Calibration(slope=2.0), 16 / 17),  # odds 4, squared
        (0.8, Calibration(slope=0.5), 2 / 3),  # odds 4, their root
        (0.5, Calibration(intercept=math.log(3)), 3 / 4),
        (0.2, Calibration(slope=2.0, intercept=math.log(4)), 1 / 5),  # odds 1/4, squared, times 4
        (0.5, Calibration(threshold=0.7, slope=5.0), 0.5),
    ],
)
def test_rule_calibrates_as_computed_by_hand(score, rule, probability):
    assert rule.calibrate(alone([[score]]), 0) == pytest.approx([probability])


@pytest.mark.parametrize("rule", [Calibration(), Calibration(slope=100.0), Calibration(slope=0.01, intercept=-3.0)])
@pytest.mark.filterwarnings("error")
def test_calibrated_scores_keep_their_order_and_stay_finite_at_both_ends(rule):
    found = rule.calibrate(alone([[0.0], [1e-9], [0.3], [0.7], [1.0]]), 0)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] <= found[2] < found[3] <= 1


def test_log_odds_are_finite_and_symmetric():
    assert log_odds(np.array([0.25, 0.5])) == pytest.approx([-math.log(3), 0])
    ends = log_odds(np.array([0.0, 1.0]))
    assert ends[0] == pytest.approx(-ends[1])
    assert np.isfinite(ends).all()


def test_each_label_is_calibrated_by_its_own_rule():
    found = calibrated(alone([[0.8, 0.8], [0.5, 0.5]]), (Calibration(), Calibration(slope=2.0, intercept=math.log(4))))
    assert found == pytest.approx(np.array([[0.8, 64 / 65], [0.5, 4 / 5]]))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, 1.0), (2.0, -1.0)])
def test_known_distortion_is_recovered(slope, intercept):
    scores, targets = drawn_case(1, slope, intercept)
    (rule,) = fit_calibrations(alone(scores), targets)
    assert (rule.slope, rule.intercept) == pytest.approx((slope, intercept), abs=0.2)
    fresh, truth = drawn_case(2, slope, intercept)
    after = calibration_error(calibrated(alone(fresh), (rule,)), truth > 0)
    assert after < 0.03
    if (slope, intercept) != (1.0, 0.0):
        assert after < calibration_error(fresh, truth > 0) / 3


def test_weights_make_labels_as_frequent_as_they_usually_are():
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, np.nan, 0], [1, 0, 0], [0, np.nan, 0]], dtype=np.float32)
    weights = weights_for_rates(targets, [0.1, None, 0.2])
    assert weights[:, 0] == pytest.approx([2 / 27, 2 / 27, 1, 2 / 27, 1])  # two without the label: 2/9 with it are one in ten
    assert (weights[:, 1:] == 1).all()  # no rate is known; and no passage has the label


def test_a_label_that_is_rarer_than_where_it_is_learned_is_less_probable():
    scores, targets = drawn_case(1)
    (rule,) = fit_calibrations(alone(scores), targets, weights_for_rates(targets, [0.05]))
    fresh, truth = drawn_case(2, count=60000)
    rare = np.flatnonzero((truth[:, 0] == 0) | (np.arange(len(truth)) % 10 == 0))  # as a text has it that holds few of them
    assert truth[rare].mean() == pytest.approx(0.07, abs=0.02)
    (as_it_was,) = fit_calibrations(alone(scores), targets)
    found = {one: calibrated(alone(fresh[rare]), (one,)) for one in (rule, as_it_was)}
    assert calibration_error(found[rule], truth[rare] > 0) < 0.03
    assert calibration_error(found[as_it_was], truth[rare] > 0) > 0.2
    reached = {one: f1_score(truth[rare, 0], found[one][:, 0] >= one.threshold) for one in found}
    assert reached[rule] > reached[as_it_was] + 0.05


@pytest.mark.parametrize("seed", range(3))
def test_threshold_gives_nearly_the_best_f1(seed):
    scores, targets = drawn_case(seed, 0.8, -1.0, count=800)
    (rule,) = fit_calibrations(alone(scores), targets)
    probabilities = rule.calibrate(alone(scores), 0)
    reached = [f1_score(targets[:, 0], probabilities >= threshold, zero_division=0) for threshold in np.arange(0.25, 0.755, 0.01)]
    assert 0.25 <= rule.threshold <= 0.75
    assert f1_score(targets[:, 0], probabilities >= rule.threshold) >= max(reached) - 0.02
    assert rule.threshold < 0.5  # F1 asks for less than .5 where a label is hard to tell
    assert max(reached) > f1_score(targets[:, 0], probabilities >= 0.6)


def test_threshold_is_in_the_middle_where_many_are_as_good():
    scores = np.array([0.01] * 30 + [0.99] * 30)[:, None]
    (rule,) = fit_calibrations(alone(scores), (scores > 0.5).astype(np.float32))
    assert rule.threshold == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("positives", "negatives"), [(2, 100), (0, 100), (100, 2), (100, 0), (0, 0)], ids=["two positives", "none", "two negatives", "no negatives", "nothing"]
)
def test_too_few_passages_on_one_side_keep_scores_and_one_half(positives, negatives):
    scores = np.array([0.9] * positives + [0.2] * negatives)[:, None]
    targets = np.array([1.0] * positives + [0.0] * negatives, dtype=np.float32)[:, None]
    assert fit_calibrations(alone(scores), targets) == (Calibration(0.5, 1.0, 0.0),)


@pytest.mark.parametrize(("positives", "negatives"), [(3, 100), (29, 100), (100, 3)])
def test_a_label_with_few_passages_is_given_to_as_many_as_have_it(positives, negatives):
    scores = np.linspace(0.3, 0.01, positives + negatives)[:, None]  # a classifier of a rare label is sure of nothing
    targets = np.zeros_like(scores, dtype=np.float32)
    targets[[*range(positives - 1), positives + 1]] = 1
    (rule,) = fit_calibrations(alone(scores), targets)
    assert (rule.slope, rule.threshold, rule.before) == (1.0, 0.5, ())
    assert (rule.calibrate(alone(scores), 0) >= 0.5).sum() == targets.sum()


def test_few_passages_whose_scores_are_all_alike_are_not_all_given_the_label():
    scores, targets = np.array([0.2] * 50 + [0.1] * 50)[:, None], np.array([1.0] * 5 + [0.0] * 95, dtype=np.float32)[:, None]
    assert fit_calibrations(alone(scores), targets) == (Calibration(),)


def test_thirty_passages_on_one_side_have_a_calibration_of_their_own():
    scores, targets = np.array([0.4] * 30 + [0.2] * 100)[:, None], np.array([1.0] * 30 + [0.0] * 100, dtype=np.float32)[:, None]
    assert fit_calibrations(alone(scores), targets)[0].alone


def test_scores_that_say_the_contrary_keep_one_half():
    scores, targets = drawn_case(1)
    assert fit_calibrations(alone(1 - scores), targets) == (Calibration(),)


def test_rules_are_learned_label_by_label():
    (one, truth), (two, other) = drawn_case(1), drawn_case(2, 2.0, -1.0)
    together = fit_calibrations(alone(np.hstack([one, two])), np.hstack([truth, other]))
    for rule, (apart,) in zip(together, (fit_calibrations(alone(one), truth), fit_calibrations(alone(two), other)), strict=True):
        assert (rule.threshold, rule.slope, rule.intercept) == pytest.approx((apart.threshold, apart.slope, apart.intercept))
    assert together[0] != together[1]


def case_of_thresholds(best, groups=10):
    """Passages whose truth is a probability of ``best`` or more, in several groups."""
    scores = np.tile(np.linspace(0.02, 0.98, 50), 4)[:, None]
    names = np.array([f"d{number % groups}" for number in range(200)])
    texts = [f"text {number}" for number in range(200)]
    offsets = [(0, 6)] * 200
    return LabelledPassages(("quote",), texts, (scores >= best).astype(np.float32), names, names, np.full(200, "sv"), names, offsets, names), scores


@pytest.mark.parametrize(("threshold", "loses"), [(0.6, False), (0.3, True), (0.8, True)])
def test_what_thresholds_lose_is_measured_against_those_of_other_documents(threshold, loses):
    data, scores = case_of_thresholds(0.6)
    losses = threshold_losses(data, scores, scores >= threshold, frozenset())
    expected = f1_score(data.truth, scores >= 0.6) - f1_score(data.truth, scores >= threshold)
    assert losses == {"threshold_loss": losses["quote/threshold_loss"], "quote/threshold_loss": pytest.approx(expected, abs=0.06)}
    assert (losses["threshold_loss"] > 0.1) is loses


def test_what_thresholds_lose_is_not_measured_on_few_documents_nor_of_labels_that_none_has():
    data, scores = case_of_thresholds(0.6, groups=4)
    assert threshold_losses(data, scores, scores >= 0.5, frozenset()) == {}
    data, scores = case_of_thresholds(2.0)
    assert threshold_losses(data, scores, scores >= 0.5, frozenset()) == {}


def test_what_was_not_judged_has_no_part_in_what_thresholds_lose():
    data, scores = case_of_thresholds(0.6)
    wrong = scores[:, 0] < 0.3
    targets = data.targets.copy()
    targets[wrong] = np.nan
    decisions = (scores >= 0.6) | wrong[:, None]
    assert threshold_losses(replace(data, targets=targets), scores, decisions, frozenset())["threshold_loss"] == pytest.approx(0, abs=0.06)


def test_what_the_neighbours_say_is_learned_and_applied():
    """A label that its passage hides, but of which the passage before speaks."""
    drawn = np.random.default_rng(3)
    odds = drawn.normal(0, 2, (2000, 3, 2))
    truth = drawn.random(2000) < logistic(0.3 * odds[:, 0, 0] + 1.5 * odds[:, 1, 1])
    rule, _ = fit_calibrations(odds, np.stack([truth, ~truth], axis=1).astype(np.float32))
    assert rule.slope == pytest.approx(0.3, abs=0.15)
    assert rule.before == pytest.approx((0, 1.5), abs=0.2)
    assert rule.after == pytest.approx((0, 0), abs=0.15)
    assert rule.calibrate(odds, 0) == pytest.approx(logistic(rule.slope * odds[:, 0, 0] + rule.intercept + odds[:, 1] @ rule.before + odds[:, 2] @ rule.after))


def calibration_of(seed, help_of_neighbours):
    """What is learned of 400 passages, of whose first label the passage before speaks so much."""
    drawn = np.random.default_rng(seed)
    odds = drawn.normal(0, 2, (400, 3, 4))
    truth = drawn.random(400) < logistic(odds[:, 0, 0] + help_of_neighbours * odds[:, 1, 1])
    return fit_calibrations(odds, np.stack([truth] * 4, axis=1).astype(np.float32))[0]


def test_neighbours_that_help_to_predict_nothing_have_no_say():
    rule = calibration_of(3, 0)
    assert (rule.before, rule.after, rule.alone) == ((), (), ())
    assert rule.slope == pytest.approx(1.0, abs=0.3)


def test_neighbours_have_a_say_only_where_they_clearly_help():
    """Neighbours that say little lower the loss in each of these seven draws, mostly by less than one standard error."""
    assert sum(bool(calibration_of(seed, 0.2).before) for seed in range(7)) <= 1
    assert all(calibration_of(seed, 0.6).before for seed in range(7))


class Lengths:
    """A classifier whose score is a hundredth of a text's length; it keeps what it was asked."""

    def scores(self, texts):
        self.asked = list(texts)
        return np.array([[len(text) / 100] for text in texts])


def test_odds_are_read_of_a_passage_and_of_its_neighbours_each_text_once():
    classifier = Lengths()
    odds = read_odds(classifier, in_reading_order(["a" * 20, "b" * 50, "a" * 20]))
    twenty, fifty = log_odds(np.array([0.2, 0.5]))
    assert odds[:, :, 0] == pytest.approx(np.array([[twenty, 0, fifty], [fifty, twenty, twenty], [twenty, fifty, 0]]))
    assert classifier.asked.count("a" * 20) == 1


def test_risk_is_that_of_the_least_certain_label():
    scores = np.array([[0.9, 0.1, 0.05], [0.6, 0.1, 0.0], [0.45, 0.3, 0.2], [0.9, 0.85, 0.7]])
    decisions = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]], dtype=bool)
    assert risk(scores, decisions) == pytest.approx([0.1, 0.4, 0.45, 0.7])
    assert risk(np.zeros((0, 3)), np.zeros((0, 3), dtype=bool)).shape == (0,)


class Constant:
    """A classifier whose scores are given."""

    def __init__(self, scores):
        self.given = np.array(scores, dtype=float)

    def scores(self, texts):
        return np.array([self.given[int(text)] if text else self.given[0] for text in texts])


def predict(scores, threshold=None, calibrations=(AS_IS, AS_IS)):
    model = TrainedModel("baseline", ("quote", "boilerplate"), frozenset({"boilerplate"}), calibrations, Constant(scores))
    return predict_passages(model, [PassageInContext(str(number)) for number in range(len(scores))], threshold)


def test_passages_at_risk_are_for_review():
    found = predict([[0.95, 0.02], [0.78, 0.02], [0.05, 0.22], [0.05, 0.18], [0.9, 0.85]])
    assert [one.review for one in found] == [False, True, True, False, True]
    assert [one.labels for one in found] == [["quote"], ["quote"], [], [], ["quote"]]
    assert REVIEW_RISK == 0.2


def test_review_and_scores_are_of_calibrated_probabilities():
    (found,) = predict([[0.8, 0.02]], calibrations=(Calibration(0.9, 2.0), AS_IS))
    assert found.scores["quote"] == pytest.approx(16 / 17, abs=1e-6)
    assert (found.labels, found.review) == (["quote"], False)


def test_a_given_threshold_decides_and_with_it_what_is_for_review():
    assert [one.review for one in predict([[0.95, 0.02]], threshold=0.99)] == [True]
    assert [one.labels for one in predict([[0.95, 0.02]], threshold=0.99)] == [[]]


def test_a_label_learns_from_the_passages_that_were_judged_for_it():
    scores, targets = drawn_case(1, 0.5, 1.0)
    judged = np.arange(len(targets)) % 3 > 0
    some = np.where(judged[:, None], targets, np.nan).astype(np.float32)
    assert fit_calibrations(alone(scores), some) == fit_calibrations(alone(scores[judged]), targets[judged])
    nothing = np.full_like(targets, np.nan)
    assert fit_calibrations(alone(scores), nothing) == (Calibration(),)


def test_a_passage_without_known_neighbours_is_not_the_edge_of_a_page():
    """Only first and last lines are furniture: a passage of which nothing is known but its text must not pass for one."""
    drawn = np.random.default_rng(3)
    documents = np.repeat(np.arange(200), 5)
    edge = np.isin(np.arange(1000) % 5, [0, 4])
    own = drawn.normal(-1, 0.5, 1000) + 0.5 * edge  # the text says little
    contexts = in_reading_order([str(number) for number in range(1000)], documents)
    odds = np.stack([own, np.where([bool(one.before) for one in contexts], -1.0, 0), np.where([bool(one.after) for one in contexts], -1.0, 0)], axis=1)[
        ..., None
    ]
    (rule,) = fit_calibrations(odds, edge[:, None].astype(np.float32))
    assert calibrated(odds, (rule,))[edge].mean() > 0.8
    lonely = odds * np.array([1, 0, 0])[:, None]
    assert calibrated(lonely, (rule,)).mean() == pytest.approx(0.4, abs=0.02)  # as many as there are
    assert calibrated(lonely, (rule,))[edge].mean() > calibrated(lonely, (rule,))[~edge].mean()


def test_a_rule_for_passages_alone_leaves_the_others_as_they_are():
    odds = np.array([[[1.0], [0.0], [0.0]], [[1.0], [2.0], [0.0]]])
    rule = Calibration(slope=1.0, intercept=0.0, before=(0.5,), after=(0.5,), alone=(2.0, -1.0))
    assert rule.calibrate(odds, 0) == pytest.approx(logistic(np.array([1.0, 2.0])))
    older = Calibration(slope=1.0, intercept=-3.0, before=(0.5,), after=(0.5,))
    assert older.calibrate(odds, 0) == pytest.approx(logistic(np.array([-2.0, -1.0])))
