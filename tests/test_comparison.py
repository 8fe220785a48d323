"""Two runs compared on the same passages: hand-computed differences, McNemar's test, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.training.comparison import compare, in_common, language_differences, mcnemar, on_newer_data
from newsmark.training.labelled import load_to_train
from newsmark.training.metrics import Interval
from newsmark.training.tables import comparison_table, paired_table
from newsmark.training.tracking import LoggedPredictions, LoggedRun
from sklearn.metrics import f1_score


def predictions(truth, decisions, groups):
    count, width = np.shape(truth)
    return LoggedPredictions(
        out_of_fold=True,
        labels=("quote", "statistic", "boilerplate")[:width],
        documents=np.array([f"id of {group}" for group in groups]),
        names=np.array([f"{group}.txt" for group in groups]),
        groups=np.array(list(groups)),
        texts=np.array([f"text {number}" for number in range(count)], dtype=object),
        offsets=[(0, 6)] * count,
        truth=np.array(truth, dtype=float) > 0,
        probabilities=np.array(decisions, dtype=float),
        decisions=np.array(decisions, dtype=bool),
        judged=~np.isnan(np.array(truth, dtype=float)),
        languages=np.array(["sv", "fr"] * count)[:count],
        kinds=np.array(["article"] * count),
    )


def random_pair(seed, groups=6):
    drawn = np.random.default_rng(seed)
    truth = drawn.random((60, 3)) < 0.4
    names = [f"g{number % groups}" for number in range(60)]
    return [predictions(truth, truth ^ (drawn.random((60, 3)) < wrong), names) for wrong in (0.3, 0.2)]


def logged(run_id, digest="d" * 64):
    return LoggedRun(run_id * 32, "baseline", digest, "cross-validation", {"macro_f1": 0.5}, {"seed": "13"})


@pytest.mark.parametrize(
    ("only_first", "only_other", "p_value"),
    [(0, 0, 1), (1, 0, 1), (3, 3, 1), (0, 5, 2 / 2**5), (5, 0, 2 / 2**5), (2, 8, 2 * (1 + 10 + 45) / 2**10)],
)
def test_mcnemar_is_the_exact_two_sided_binomial_test(only_first, only_other, p_value):
    assert mcnemar(only_first, only_other).p_value == pytest.approx(p_value)


def test_discordant_passages_are_those_that_one_run_alone_has_right():
    truth = [[1, 0], [1, 0], [0, 0], [0, 1], [1, 1]]
    first = predictions(truth, [[1, 0], [1, 1], [1, 0], [0, 0], [0, 1]], "aabbb")
    other = predictions(truth, [[0, 0], [0, 0], [0, 0], [0, 0], [0, 1]], "aabbb")
    tests = compare(first, other, 13).tests
    assert [(test.only_first, test.only_other) for test in tests] == [(2, 1), (0, 1)]


def test_difference_and_interval_over_two_groups_are_those_computed_by_hand():
    """The first run has all of group a and nothing of b, the other has all: resamples give 0 (aa), 1/3 (ab) or 1 (bb)."""
    truth = [[1]] * 4
    comparison = compare(predictions(truth, [[1], [1], [0], [0]], "aabb"), predictions(truth, truth, "aabb"), 13)
    assert (comparison.passages, comparison.groups) == (4, 2)
    for interval in (*comparison.differences.labels, comparison.differences.macro_f1, comparison.differences.micro_f1):
        assert (interval.low, interval.value, interval.high) == pytest.approx((0, 1 / 3, 1))


@pytest.mark.parametrize("seed", range(3))
def test_differences_agree_with_scikit_learn(seed):
    first, other = random_pair(seed)
    differences = compare(first, other, 13).differences

    def expected(average):
        return f1_score(other.truth, other.decisions, average=average) - f1_score(first.truth, first.decisions, average=average)

    assert [interval.value for interval in differences.labels] == pytest.approx(expected(None).tolist())
    assert differences.macro_f1.value == pytest.approx(expected("macro"))
    assert differences.micro_f1.value == pytest.approx(expected("micro"))
    assert differences.macro_f1.low < differences.macro_f1.value < differences.macro_f1.high


def test_both_runs_get_the_same_groups_so_a_run_does_not_differ_from_itself():
    first, _ = random_pair(1)
    differences = compare(first, first, 13).differences
    assert {*differences.labels, differences.macro_f1, differences.micro_f1} == {Interval(0, 0, 0)}


def test_turned_round_the_differences_change_their_sign():
    first, other = random_pair(2)
    there, back = compare(first, other, 13), compare(other, first, 13)
    assert back.differences.micro_f1.value == pytest.approx(-there.differences.micro_f1.value)
    assert back.differences.micro_f1.low == pytest.approx(-there.differences.micro_f1.high)
    assert [(test.only_other, test.only_first) for test in back.tests] == [(test.only_first, test.only_other) for test in there.tests]


def change_labels(one):
    return replace(one, labels=("quote", "statistic", "question"))


def drop_a_passage(one):
    return replace(one, texts=one.texts[:-1])


def change_a_text(one):
    return replace(one, texts=np.array([*one.texts[:4], "another text", *one.texts[5:]], dtype=object))


def change_a_document(one):
    return replace(one, documents=np.array(["id of other", *one.documents[1:]]))


def change_a_truth(one):
    truth = one.truth.copy()
    truth[7, 1] ^= True
    return replace(one, truth=truth)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_labels, "their labels differ: quote, statistic, boilerplate and quote, statistic, question"),
        (drop_a_passage, "different passages: 60 and 59"),
        (change_a_text, r"different passages: 1 of 60 differ, first number 5 \(g4.txt and g4.txt\)"),
        (change_a_document, r"different passages: 9 of 60 differ, first number 7 \(g0.txt and g0.txt\)"),
        (change_a_truth, r"annotations differ on 1 of 60 passages, first on number 8 \(g1.txt: statistic\)"),
    ],
)
def test_runs_on_other_passages_or_truths_are_refused(change, reason):
    first, other = random_pair(1)
    with pytest.raises(NewsmarkError, match=reason):
        compare(first, change(other), 13)


def test_passages_with_one_text_are_told_apart_by_their_place():
    truth = [[1], [0]]
    first, other = (replace(predictions(truth, given, "aa"), texts=np.array(["Share", "Share"], dtype=object)) for given in ([[1], [0]], [[0], [1]]))
    assert compare(first, other, 13).tests[0].only_first == 2


@pytest.mark.parametrize(("groups", "cautious"), [(19, True), (20, False)])
def test_few_groups_are_cautioned_of(groups, cautious):
    text = paired_table(logged("a"), logged("b"), compare(*random_pair(1, groups), 13))
    assert text.startswith("baseline bbbbbbbb less baseline aaaaaaaa, on the same 60 passages\n")
    assert f"over {groups} groups" in text
    assert ("so few say little" in text) == cautious


def test_a_difference_has_its_sign_and_none_where_it_rounds_to_zero():
    truth = [[1]] * 300
    almost = [[1]] * 299 + [[0]]
    assert "-0.00" not in paired_table(logged("a"), logged("b"), compare(predictions(truth, truth, "a" * 300), predictions(truth, almost, "a" * 300), 13))
    worse = paired_table(logged("a"), logged("b"), compare(predictions(truth, truth, "a" * 300), predictions(truth, [[1]] * 100 + [[0]] * 200, "a" * 300), 13))
    assert "-0.50   -0.50 to -0.50" in worse
    assert "< 0.001" in worse


def test_runs_on_the_same_passages_may_be_compared_though_trained_on_different_data():
    runs = [logged("a"), logged("b", "e" * 64)]
    assert "can't be compared" in comparison_table(runs)
    assert "can't be compared" not in comparison_table(runs, same_passages=True)
    assert "trained on different data" in comparison_table(runs, same_passages=True)
    assert "different data" not in comparison_table(runs[:1] * 2)
    tested = [replace(runs[0], scored_on=f"test file {name}") for name in ("test.jsonl", "renamed.jsonl")]
    assert "different data" not in comparison_table(tested, same_passages=True)


def test_labels_that_were_not_judged_make_no_difference():
    truth = [[1, 0], [0, 1], [1, np.nan], [np.nan, 0]]
    first, other = predictions(truth, [[1, 0], [0, 1], [0, 0], [0, 0]], "aabb"), predictions(truth, [[1, 0], [0, 1], [1, 1], [1, 0]], "aabb")
    found = compare(first, other, 1)
    assert [(one.only_first, one.only_other) for one in found.tests] == [(0, 1), (0, 0)]
    assert found.differences.labels[1].value == 0


def test_runs_whose_passages_were_not_judged_for_the_same_labels_are_refused():
    first, other = predictions([[1, 0], [0, 0]], [[1, 0], [0, 0]], "ab"), predictions([[1, 0], [0, np.nan]], [[1, 0], [0, 0]], "ab")
    with pytest.raises(NewsmarkError, match="their annotations differ on 1 of 2 passages, first on number 2"):
        compare(first, other, 1)


class Model:
    """A model that gives every passage every label."""

    def scores(self, contexts):
        return np.full((len(contexts), 2), 0.9)

    def decide(self, scores):
        return scores > 0.5


def test_where_annotations_have_grown_the_former_run_keeps_what_it_said_and_its_model_answers_for_the_rest():
    before = predictions([[1, 0], [0, 1], [0, 0]], [[1, 0], [0, 0], [0, 0]], "aab")
    now = predictions([[1, 1], [0, 1], [0, 0], [0, 1]], [[1, 1], [0, 1], [0, 0], [0, 1]], "aabc")  # one label was corrected, one article is new
    carried, judged, predicted = on_newer_data(before, now, Model())
    assert predicted == 1
    assert judged.texts.tolist() == now.texts.tolist()
    assert carried.decisions.tolist() == [[True, False], [False, False], [False, False], [True, True]]
    assert carried.probabilities[3].tolist() == [0.9, 0.9]
    assert carried.truth.tolist() == now.truth.tolist()
    differences = compare(carried, now, 13).differences
    assert differences.labels[1].value == pytest.approx(1 - 0.5)  # of three, the former run finds one, and nothing wrong
    same, _, none = on_newer_data(now, now, Model())
    assert (none, same.decisions.tolist()) == (0, now.decisions.tolist())


LONG = [
    "Regeringen lovar att bygga tolv nya sjukhus i norra delen av landet före 2030.",
    "Antalet anmälda brott steg förra året med tre procent i hela landet, enligt myndigheten.",
    "Det blir sol över hela Svealand i dag, med temperaturer upp mot tjugo grader på eftermiddagen.",
]


def logged_rows(path, rows):
    """What a run would log of a table of labelled sentences, if it gave no passage any label."""
    path.write_text("".join(json.dumps({"judged": load_labels().label_names, **row}) + "\n" for row in rows))
    data, _ = load_to_train([str(path)], load_labels())
    none = np.zeros(data.truth.shape)
    about = data.documents, data.names, data.groups, np.array(data.texts, dtype=object), data.offsets
    return LoggedPredictions(True, data.labels, *about, data.truth, none, none > 0, data.judged, data.languages, data.kinds)


class Asked:
    """A model that gives no label, and remembers which passages it was asked about."""

    def __init__(self, labels):
        self.labels, self.texts = labels, []

    def scores(self, contexts):
        self.texts = [one.text for one in contexts]
        return np.zeros((len(contexts), len(self.labels)))

    def decide(self, scores):
        return scores > 0.5


def asked_about(before, now):
    model = Asked(before.labels)
    _, judged, predicted = on_newer_data(before, now, model)
    assert len(model.texts) == predicted
    return model.texts, judged.texts.tolist()


@pytest.mark.parametrize("document", [{}, {"document": "a"}])
def test_rows_that_moved_in_a_file_of_another_name_are_known_by_their_text(tmp_path, document):
    """A champion must not be judged by what its model says of the rows that it was trained on."""
    rows = [{"text": text, "labels": [], **document} for text in [*LONG, "Dela"]]
    new = {"text": "Ministern avgår på onsdag, säger hon till tidningen efter mötet med partiledningen.", "labels": ["quote"], "document": "b"}
    before, now = logged_rows(tmp_path / "rows.jsonl", rows), logged_rows(tmp_path / "renamed.jsonl", [new, *rows])
    assert asked_about(before, now) == ([new["text"]], [new["text"], *LONG, "Dela"])


def test_what_is_nearly_a_passage_that_the_champion_was_trained_on_is_left_out(tmp_path):
    before = logged_rows(tmp_path / "rows.jsonl", [{"text": text, "labels": []} for text in LONG])
    corrected = [LONG[0].replace("tolv", "elva"), *LONG[1:]]
    now = logged_rows(tmp_path / "rows.jsonl", [{"text": text, "labels": []} for text in corrected])
    assert asked_about(before, now) == ([], LONG[1:])
    only = logged_rows(tmp_path / "rows.jsonl", [{"text": corrected[0], "labels": []}])
    with pytest.raises(NewsmarkError, match="each passage is nearly the same as one that the champion was trained on"):
        asked_about(before, only)


def test_an_article_of_which_a_letter_was_corrected_keeps_what_was_said_of_its_other_passages():
    before = predictions([[1], [0], [0]], [[1], [0], [0]], "aaa")
    before = replace(before, texts=np.array([*LONG[:2], "Dela"], dtype=object))
    now = replace(before, documents=np.array(["another id"] * 3), groups=np.array(["b"] * 3), texts=np.array([LONG[0] + "!", LONG[1], "Dela"], dtype=object))
    assert asked_about(before, now) == ([], [LONG[1], "Dela"])


def test_short_sentences_of_other_articles_are_no_copies():
    before, now = (replace(predictions([[0]], [[0]], group), texts=np.array([text], dtype=object)) for group, text in (("a", "Läs mer"), ("b", "Läs mer!")))
    assert asked_about(before, now) == (["Läs mer!"], ["Läs mer!"])


def test_one_file_under_two_names_has_the_same_passages(tmp_path):
    rows = [{"text": text, "labels": [], "document": document} for text, document in zip(LONG, "aab", strict=True)]
    first, other = logged_rows(tmp_path / "rows.jsonl", rows), logged_rows(tmp_path / "renamed.jsonl", rows)
    assert compare(first, other, 13).passages == 3
    assert in_common(first, other)[0].tolist() == [0, 1, 2]
    other = logged_rows(tmp_path / "renamed.jsonl", [{**row, "document": "a"} for row in rows])
    with pytest.raises(NewsmarkError, match="different passages: 1 of 3 differ, first number 3"):
        compare(first, other, 13)


def test_languages_differ_by_the_macro_f1_of_their_passages():
    first, other = (
        predictions([[1, 0], [1, 1], [1, 0], [0, 1]], given, "aabb") for given in ([[1, 0], [0, 0], [1, 0], [0, 0]], [[1, 0], [1, 1], [0, 0], [0, 1]])
    )
    found = language_differences(first, other, 13)  # the first and third passage are Swedish
    assert found["fr"] == pytest.approx(1.0)
    assert found["sv"] == pytest.approx(2 / 3 - 1)


def test_in_common_are_the_passages_that_both_runs_have_with_the_same_annotation():
    first, other = predictions([[1], [0], [1], [0]], [[1], [1], [0], [0]], "aabb"), predictions([[0], [1], [0], [np.nan]], [[1], [1], [1], [1]], "aabb")
    texts = np.array(["text 1", "new", "text 0", "text 3"], dtype=object)  # the first as before, one new, one annotated otherwise, one not judged any more
    other = replace(other, texts=texts, documents=first.documents[[1, 1, 0, 3]], names=first.names[[1, 1, 0, 3]])
    rows, before, now = in_common(first, other)
    assert (rows.tolist(), before.texts.tolist(), now.decisions.tolist()) == ([0], ["text 1"], [[True]])
    assert compare(before, now, 13).passages == 1


def test_nothing_is_in_common_where_labels_or_all_passages_differ():
    first, other = predictions([[1]], [[1]], "a"), predictions([[0]], [[1]], "a")
    with pytest.raises(NewsmarkError, match="no passage was scored in both with the same annotation"):
        in_common(first, other)
    with pytest.raises(NewsmarkError, match="their labels differ: quote and quote, statistic"):
        in_common(first, predictions([[1, 0]], [[1, 0]], "a"))
