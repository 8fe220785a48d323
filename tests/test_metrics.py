"""Scores against hand-computed numbers and scikit-learn, bootstrap intervals, and from scores to labels."""

import math
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from mlflow.utils.validation import _validate_metric_name
from newsmark.models.calibration import Calibration
from newsmark.models.model import TrainedModel, decide
from newsmark.training.dataset import LabelledPassages
from newsmark.training.metrics import calibration_error, evaluate
from newsmark.training.tables import scores_table
from sklearn.metrics import f1_score

LABELS = ("commitment", "statistic", "boilerplate")
EXCLUSIVE = frozenset({"boilerplate"})
TRUTH = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
HALF = [0.5, 0.5, 0.5]
GIVEN = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]]
PROBABILITIES = [[0.9, 0.1, 0.1], [0.4, 0.6, 0.2], [0.7, 0.8, 0.3], [0.2, 0.7, 0.4]]


def passages(targets, groups, languages=None, kinds=None):
    count = len(targets)
    return LabelledPassages(
        LABELS,
        [f"text {number}" for number in range(count)],
        np.array(targets, dtype=np.float32),
        np.array(groups),
        np.array(groups),
        np.array(languages or ["sv"] * count),
        np.array(groups),
        [(0, 6)] * count,
        np.array(kinds or ["article"] * count),
    )


def score_small(languages=None, kinds=None):
    return evaluate(passages(TRUTH, ["a", "a", "b", "b"], languages, kinds), np.array(PROBABILITIES), np.array(GIVEN, dtype=bool), 13)


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


def test_a_labels_file_with_one_label_is_scored_as_a_column_among_others_is():
    """And not as the two classes of a binary task, of which the first is not to have it."""
    data = replace(passages(TRUTH, ["a", "a", "b", "b"]), labels=LABELS[1:2])
    data = replace(data, targets=data.targets[:, 1:2])
    scores = evaluate(data, np.array(PROBABILITIES)[:, 1:2], np.array(GIVEN, dtype=bool)[:, 1:2], 13)
    assert scores.labels == score_small().labels[1:2]
    assert scores.macro_f1 == scores.micro_f1 == scores.labels[0].f1


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
    scores = evaluate(data, probabilities, decisions, seed)
    assert [row.f1.value for row in scores.labels] == pytest.approx(f1_score(data.targets, decisions, average=None).tolist())
    assert scores.macro_f1.value == pytest.approx(f1_score(data.targets, decisions, average="macro"))
    assert scores.micro_f1.value == pytest.approx(f1_score(data.targets, decisions, average="micro"))


@pytest.mark.parametrize("seed", range(5))
def test_interval_is_wider_than_nothing_and_holds_the_value(seed):
    scores = evaluate(*random_case(seed, groups=6), seed)
    for interval in (scores.macro_f1, scores.micro_f1, *(row.f1 for row in scores.labels)):
        assert 0 <= interval.low < interval.value < interval.high <= 1


def test_intervals_depend_on_the_seed_alone():
    case = random_case(1, groups=6)
    assert evaluate(*case, 13) == evaluate(*case, 13)
    assert evaluate(*case, 13).macro_f1 != evaluate(*case, 14).macro_f1
    assert evaluate(*case, 13).macro_f1.value == evaluate(*case, 14).macro_f1.value


def test_an_interval_is_that_of_2000_draws_of_as_many_groups_as_there_are():
    data, probabilities, decisions = random_case(1, groups=6)
    counts = np.zeros((6, 3), dtype=int)  # right, wrong, missed, in the order in which the groups come
    for row, number in enumerate(int(group[1:]) for group in data.groups.tolist()):
        counts[number] += [(data.truth[row] & decisions[row]).sum(), (~data.truth[row] & decisions[row]).sum(), (data.truth[row] & ~decisions[row]).sum()]
    right, wrong, missed = counts[np.random.default_rng(13).integers(0, 6, (2000, 6))].sum(axis=1).T
    low, high = np.percentile(2 * right / (2 * right + wrong + missed), [2.5, 97.5])
    micro = evaluate(data, probabilities, decisions, 13).micro_f1
    assert (micro.low, micro.high) == pytest.approx((low, high))


def test_many_groups_are_not_all_drawn_in_memory_at_once():
    """Each row without a document is a group: 20,000 of them, drawn 2,000 times at once, are 320 MB."""
    count = 20_000
    data = passages(TRUTH * (count // 4), [str(number) for number in range(count)])
    given = np.array(GIVEN * (count // 4), dtype=bool)
    tracemalloc.start()
    try:
        scores = evaluate(data, given.astype(float), given, 13)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000
    assert scores.micro_f1.low < 2 / 3 < scores.micro_f1.high


def test_one_group_gives_an_interval_without_width():
    scores = evaluate(*random_case(1, groups=1), 13)
    assert scores.macro_f1.low == scores.macro_f1.value == scores.macro_f1.high


def test_interval_covers_what_whole_groups_give():
    """One group is all right and the other all wrong: a resample is all of the one, all of the other, or both."""
    data = passages([[1, 0, 0]] * 4, ["right", "right", "wrong", "wrong"])
    given = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], dtype=bool)
    scores = evaluate(data, given.astype(float), given, 13)
    assert (scores.micro_f1.low, scores.micro_f1.value, scores.micro_f1.high) == pytest.approx((0, 0.5, 1))


def test_each_language_is_scored_by_itself():
    languages = score_small(["fr", "sv", "fr", "sv"]).languages
    assert list(languages) == ["fr", "sv"]
    values = {name: (part.macro_f1.value, part.micro_f1.value, part.passages) for name, part in languages.items()}
    assert values["fr"] == pytest.approx((1 / 2 * (2 / 3 + 1), 2 * 2 / (2 * 2 + 1), 2))
    assert values["sv"] == pytest.approx((1 / 2 * (0 + 2 / 3), 2 * 1 / (2 * 1 + 1 + 1), 2))


def test_interval_of_a_language_covers_its_own_groups_alone():
    scores = score_small(["fr", "fr", "sv", "sv"])
    for part in scores.languages.values():
        assert part.macro_f1.low == part.macro_f1.value == part.macro_f1.high
    mixed = score_small(["fr", "sv", "fr", "sv"]).languages["sv"].micro_f1
    assert (mixed.low, mixed.value, mixed.high) == pytest.approx((0, 1 / 2, 2 / 3))  # group b alone, both, group a alone


def test_each_kind_of_text_is_scored_and_named_as_a_metric_that_mlflow_takes():
    scores = score_small(kinds=["blog", "q&a (old)", "blog", "q&a (old)"])
    assert {name: part.passages for name, part in scores.kinds.items()} == {"blog": 2, "q&a (old)": 2}
    flat = scores.flat()
    assert flat["kind_blog/macro_f1"] == pytest.approx(1 / 2 * (2 / 3 + 1))
    assert flat["kind_blog/micro_f1_low"] <= flat["kind_blog/micro_f1"] <= flat["kind_blog/micro_f1_high"]
    (odd,) = [name for name in flat if re.fullmatch(r"kind_q_a _old_-[0-9a-f]{8}/micro_f1", name)]
    assert flat[odd] == pytest.approx(1 / 2)


def test_kinds_and_languages_whose_names_are_long_or_alike_have_metrics_of_their_own():
    long = "a review of a book that nobody has read " * 10
    scores = score_small(["sv", "sv", long, long], ["a/b", "a:b", "a_b", long])
    flat = scores.flat()
    kinds = [name for name in flat if name.startswith("kind_") and name.endswith("/macro_f1")]
    assert len(kinds) == 4
    assert "kind_a_b/macro_f1" in kinds
    for name in flat:
        _validate_metric_name(name)


def test_parts_are_laid_out_where_there_are_several():
    table = scores_table(score_small(["fr", "sv", "fr", "sv"], ["blog", "blog", "wiki", "wiki"]), score_small(), 2, "articles")
    for row in (r"^language +macro F1", r"^fr +0\.83 +\S+–\S+ +0\.80 +\S+–\S+ +2$", r"^kind of text +macro F1", r"^wiki +0\.\d\d .* +2$"):
        assert re.search(row, table, re.MULTILINE), row
    alone = scores_table(score_small(), score_small(), 2, "articles")
    assert "language" not in alone
    assert "kind of text" not in alone
    assert "calibration error of the probabilities: 0." in alone


@pytest.mark.parametrize(
    ("probabilities", "truth", "error"),
    [
        pytest.param([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 1], 0.1, id="a tenth beside in both bins"),
        pytest.param([0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], 0.0, id="as often as it says"),
        pytest.param([0.0, 1.0], [1, 0], 1.0, id="always the contrary; 1 is in the last bin"),
        pytest.param([0.52, 0.58, 0.91], [1, 0, 1], 2 / 3 * 0.05 + 1 / 3 * 0.09, id="weighted by size"),
    ],
)
def test_calibration_error_is_that_computed_by_hand(probabilities, truth, error):
    assert calibration_error(np.array([probabilities]).T, np.array([truth], dtype=bool).T) == pytest.approx(error)


def test_calibration_error_is_over_all_labels_together():
    """A label that is always too high and one that is always too low: in one bin they make up for each other."""
    probabilities, truth = np.full((4, 2), 0.5), np.array([[1, 0]] * 4, dtype=bool)
    assert calibration_error(probabilities, truth) == 0
    assert calibration_error(probabilities[:, :1], truth[:, :1]) == 0.5


def test_calibration_error_of_each_label_is_scored_and_logged():
    scores = score_small()
    for column, row in enumerate(scores.labels):
        expected = calibration_error(np.array(PROBABILITIES)[:, column], np.array(TRUTH, dtype=bool)[:, column])
        assert scores.flat()[f"{row.label}/calibration_error"] == row.calibration_error == expected


def test_calibration_error_is_scored_and_logged():
    scores = score_small()
    assert scores.flat()["calibration_error"] == scores.calibration_error == calibration_error(np.array(PROBABILITIES), np.array(TRUTH, dtype=bool))


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
    given = decide(np.array([scores]), HALF, LABELS, EXCLUSIVE)
    assert {label for label, yes in zip(LABELS, given[0], strict=True) if yes} == labels


def test_rows_are_decided_one_by_one():
    rows = np.random.default_rng(3).random((50, 3))
    together = decide(rows, HALF, LABELS, EXCLUSIVE)
    assert np.array_equal(together, np.concatenate([decide(row[None], HALF, LABELS, EXCLUSIVE) for row in rows]))
    assert not (together[:, 2] & together[:, :2].any(axis=1)).any()


def test_two_exclusive_labels_exclude_each_other():
    given = decide(np.array([[0.9, 0.7, 0.8], [0.2, 0.9, 0.7], [0.6, 0.8, 0.9]]), HALF, LABELS, frozenset({"statistic", "boilerplate"}))
    assert given.tolist() == [[True, False, False], [False, True, False], [False, False, True]]


def test_only_label_may_be_exclusive():
    assert decide(np.array([[0.6], [0.4]]), [0.5], ("boilerplate",), EXCLUSIVE).tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        pytest.param([0.65, 0.25, 0.1], {"statistic"}, id="each its own"),
        pytest.param([0.7, 0.2, 0.1], {"commitment", "statistic"}, id="thresholds included"),
        pytest.param([0.69, 0.1, 0.4], {"boilerplate"}, id="what is not given is no rival"),
        pytest.param([0.1, 0.5, 0.45], {"statistic"}, id="the higher score wins, whatever its threshold"),
        pytest.param([0.1, 0.4, 0.45], {"boilerplate"}, id="the exclusive one has the higher score"),
        pytest.param([0.1, 0.25, 0.39], {"statistic"}, id="exclusive under its threshold"),
    ],
)
def test_each_label_has_a_threshold_of_its_own(scores, labels):
    given = decide(np.array([scores]), [0.7, 0.2, 0.4], LABELS, EXCLUSIVE)
    assert {label for label, yes in zip(LABELS, given[0], strict=True) if yes} == labels


def test_model_decides_by_its_own_thresholds_label_by_label():
    model = TrainedModel("baseline", LABELS, EXCLUSIVE, (Calibration(0.3), Calibration(0.6), Calibration(0.5)), classifier=None)
    assert model.decide(np.array([[0.4, 0.4, 0.1], [0.2, 0.6, 0.1]])).tolist() == [[True, False, False], [False, True, False]]


def test_model_decides_by_its_own_threshold_unless_told_another():
    model = TrainedModel("baseline", LABELS, EXCLUSIVE, (Calibration(0.3),) * 3, classifier=None)
    scores = np.array([[0.4, 0.2, 0.1]])
    assert model.decide(scores).tolist() == [[True, False, False]]
    assert model.decide(scores, 0.5).tolist() == [[False, False, False]]
    assert model.decide(scores, 0.0).tolist() == [[True, True, False]]


def test_what_was_not_judged_counts_for_nothing():
    """With row 0 and 2 not judged for commitment, one hit is missed and nothing is found."""
    targets = np.array(TRUTH, dtype=float)
    targets[[0, 2], 0] = np.nan
    found = evaluate(passages(targets, ["a", "a", "b", "b"]), np.array(PROBABILITIES), np.array(GIVEN, dtype=bool), 13)
    row, whole = found.labels[0], score_small()
    assert (row.precision, row.recall, row.f1.value, row.support, row.judged) == (0, 0, 0, 1, 2)
    assert row.average_precision == 1.0  # the one that has it is ranked above the other
    assert found.labels[1:] == whole.labels[1:]
    assert found.micro_f1.value == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert found.flat()["commitment/judged"] == 2
    assert not any(name.endswith("/judged") for name in whole.flat())


def test_the_table_says_how_many_were_judged_only_where_not_all_were():
    targets = np.array(TRUTH, dtype=float)
    targets[[0, 2], 0] = targets[:, 2] = np.nan
    data = passages(targets, ["a", "a", "b", "b"])
    found = evaluate(data, np.array(PROBABILITIES), np.array(GIVEN, dtype=bool), 13)
    lines = [line.split() for line in scores_table(found, found, 2, "articles").splitlines()]
    assert lines[0][-1] == "judged"
    assert [line[-1] for line in lines if line and line[0] in LABELS] == ["2", "4", "0"]
    assert ["boilerplate", *["–"] * 5, "0", "–", "0"] in lines
    assert next(line for line in lines if line and line[0] == "statistic")[1:4] == ["0.67", "1.00", "0.80"]  # two digits also beside what was not judged
    assert "judged" not in scores_table(score_small(), score_small(), 2, "articles")


def test_scoring_goes_through_the_passages_however_many_groups_there_are():
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    count = 400
    data = replace(passages(TRUTH * (count // 4), ["a"] * count), groups=np.array([Name(f"g{number // 2}") for number in range(count)], dtype=object))
    evaluate(data, np.array(PROBABILITIES * (count // 4)), np.array(GIVEN * (count // 4), dtype=bool), 13)
    assert count <= compared < 20 * count
