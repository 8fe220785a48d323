"""Scores against hand-computed numbers and scikit-learn, bootstrap intervals, and from scores to labels."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

from models.classifier import TrainedModel, decide
from training.dataset import LabelledPassages
from training.metrics import score

LABELS = ("commitment", "statistic", "boilerplate")
EXCLUSIVE = frozenset({"boilerplate"})
TRUTH = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
GIVEN = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]]
PROBABILITIES = [[0.9, 0.1, 0.1], [0.4, 0.6, 0.2], [0.7, 0.8, 0.3], [0.2, 0.7, 0.4]]


def passages(targets, groups, languages=None):
    count = len(targets)
    return LabelledPassages(
        LABELS,
        [f"text {number}" for number in range(count)],
        np.array(targets, dtype=np.float32),
        np.array(groups),
        np.array(languages or ["sv"] * count),
        np.array(groups),
        [(0, 6)] * count,
    )


def score_small(languages=None):
    return score(passages(TRUTH, ["a", "a", "b", "b"], languages), np.array(PROBABILITIES), np.array(GIVEN, dtype=bool), 13)


def random_case(seed, groups):
    drawn = np.random.default_rng(seed)
    targets = (drawn.random((60, 3)) < [0.3, 0.5, 0.2]).astype(int)
    probabilities = np.clip(0.3 * targets + 0.7 * drawn.random((60, 3)), 0, 1)
    return passages(targets, [f"g{number % groups}" for number in range(60)]), probabilities, probabilities >= 0.5


@pytest.mark.parametrize(
    ("column", "precision", "recall", "f1", "average_precision", "support"),
    [
        (0, 1 / 2, 1 / 2, 1 / 2, 1 / 2 * 1 + 1 / 2 * 2 / 3, 2),  # ranked: yes, no, yes, no
        (1, 2 / 3, 1.0, 4 / 5, 1 / 2 * 1 + 1 / 2 * 2 / 3, 2),  # ranked: yes, no, yes, no
    ],
)
def test_scores_of_a_label_are_those_computed_by_hand(column, precision, recall, f1, average_precision, support):
    row = score_small().labels[column]
    assert row.label == LABELS[column]
    assert (row.precision, row.recall, row.f1.value) == pytest.approx((precision, recall, f1))
    assert row.average_precision == pytest.approx(average_precision)
    assert row.support == support


def test_macro_f1_is_over_labels_with_support_and_micro_f1_over_all_decisions():
    scores = score_small()
    assert scores.macro_f1.value == pytest.approx((1 / 2 + 4 / 5) / 2)
    assert scores.micro_f1.value == pytest.approx(2 * 3 / (2 * 3 + 2 + 1))


def test_label_without_positives_has_no_average_precision_and_it_is_not_logged():
    scores = score_small()
    assert scores.labels[2].support == 0
    assert math.isnan(scores.labels[2].average_precision)
    flat = scores.flat()
    assert "boilerplate/average_precision" not in flat
    assert flat["boilerplate/f1"] == 0
    assert flat["statistic/f1"] == pytest.approx(0.8)
    assert all(math.isfinite(value) for value in flat.values())


def test_flat_names_every_interval():
    flat = score_small().flat()
    for name in ("macro_f1", "micro_f1", *(f"{label}/f1" for label in LABELS)):
        assert flat[f"{name}_low"] <= flat[name] <= flat[f"{name}_high"]


@pytest.mark.parametrize("seed", range(5))
def test_f1_agrees_with_scikit_learn(seed):
    data, probabilities, decisions = random_case(seed, groups=6)
    scores = score(data, probabilities, decisions, seed)
    assert [row.f1.value for row in scores.labels] == pytest.approx(f1_score(data.targets, decisions, average=None).tolist())
    assert scores.macro_f1.value == pytest.approx(f1_score(data.targets, decisions, average="macro"))
    assert scores.micro_f1.value == pytest.approx(f1_score(data.targets, decisions, average="micro"))


@pytest.mark.parametrize("seed", range(5))
def test_interval_is_wider_than_nothing_and_holds_the_value(seed):
    scores = score(*random_case(seed, groups=6), seed)
    for interval in (scores.macro_f1, scores.micro_f1, *(row.f1 for row in scores.labels)):
        assert 0 <= interval.low < interval.value < interval.high <= 1


def test_intervals_depend_on_the_seed_alone():
    case = random_case(1, groups=6)
    assert score(*case, 13) == score(*case, 13)
    assert score(*case, 13).macro_f1 != score(*case, 14).macro_f1
    assert score(*case, 13).macro_f1.value == score(*case, 14).macro_f1.value


def test_one_group_gives_an_interval_without_width():
    scores = score(*random_case(1, groups=1), 13)
    assert scores.macro_f1.low == scores.macro_f1.value == scores.macro_f1.high


def test_interval_covers_what_whole_groups_give():
    """One group is all right and the other all wrong: a resample is all of the one, all of the other, or both."""
    data = passages([[1, 0, 0]] * 4, ["right", "right", "wrong", "wrong"])
    given = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], dtype=bool)
    scores = score(data, given.astype(float), given, 13)
    assert (scores.micro_f1.low, scores.micro_f1.value, scores.micro_f1.high) == pytest.approx((0, 0.5, 1))


def test_each_language_is_scored_by_itself():
    languages = score_small(["fr", "sv", "fr", "sv"]).languages
    assert list(languages) == ["fr", "sv"]
    assert languages["fr"] == pytest.approx((1 / 2 * (2 / 3 + 1), 2 * 2 / (2 * 2 + 1), 2))
    assert languages["sv"] == pytest.approx((1 / 2 * (0 + 2 / 3), 2 * 1 / (2 * 1 + 1 + 1), 2))


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        pytest.param([0.9, 0.6, 0.2], {"commitment", "statistic"}, id="labels combine"),
        pytest.param([0.4, 0.3, 0.2], set(), id="none"),
        pytest.param([0.5, 0.49999, 0.0], {"commitment"}, id="threshold included"),
        pytest.param([0.6, 0.2, 0.9], {"boilerplate"}, id="exclusive wins"),
        pytest.param([0.9, 0.6, 0.8], {"commitment", "statistic"}, id="exclusive loses"),
        pytest.param([0.8, 0.6, 0.8], {"boilerplate"}, id="exclusive wins a tie"),
        pytest.param([0.1, 0.2, 0.5], {"boilerplate"}, id="exclusive by itself"),
        pytest.param([0.45, 0.2, 0.49], set(), id="exclusive under the threshold"),
    ],
)
def test_exclusive_label_stands_alone(scores, labels):
    given = decide(np.array([scores]), 0.5, LABELS, EXCLUSIVE)
    assert {label for label, yes in zip(LABELS, given[0], strict=True) if yes} == labels


def test_rows_are_decided_one_by_one():
    rows = np.random.default_rng(3).random((50, 3))
    together = decide(rows, 0.5, LABELS, EXCLUSIVE)
    assert np.array_equal(together, np.concatenate([decide(row[None], 0.5, LABELS, EXCLUSIVE) for row in rows]))
    assert not (together[:, 2] & together[:, :2].any(axis=1)).any()


def test_two_exclusive_labels_exclude_each_other():
    given = decide(np.array([[0.9, 0.7, 0.8], [0.2, 0.9, 0.7], [0.6, 0.8, 0.9]]), 0.5, LABELS, frozenset({"statistic", "boilerplate"}))
    assert given.tolist() == [[True, False, False], [False, True, False], [False, False, True]]


def test_only_label_may_be_exclusive():
    assert decide(np.array([[0.6], [0.4]]), 0.5, ("boilerplate",), EXCLUSIVE).tolist() == [[True], [False]]


def test_model_decides_by_its_own_threshold_unless_told_another():
    model = TrainedModel("baseline", LABELS, EXCLUSIVE, 0.3, classifier=None)
    scores = np.array([[0.4, 0.2, 0.1]])
    assert model.decide(scores).tolist() == [[True, False, False]]
    assert model.decide(scores, 0.5).tolist() == [[False, False, False]]
    assert model.decide(scores, 0.0).tolist() == [[True, True, False]]
