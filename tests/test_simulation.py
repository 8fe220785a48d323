"""``train simulate``: ways of choosing articles, on articles whose labels are known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from newsmark.annotation.new_desk import make_desk
from newsmark.training.cli import main
from newsmark.training.dataset import HARD_PAIRS, LabelledPassages
from newsmark.training.metrics import Interval, f1_of, macro_f1_of
from newsmark.training.simulated_questions import JUDGEMENTS, Pace, simulate_questions
from newsmark.training.simulation import Material, Plan, annotate_in_turn, fit_heads, make_material, probabilities_of, resample, simulate
from newsmark.training.strategies import STRATEGIES, Pool, rarity_weights, uncertainty

LABELS = ("a", "b")


def passages(articles, of_each=8, seed=0):
    """Articles of passages whose labels two of eight numbers decide; the language of every third one is French."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(articles * of_each, 8)).astype(np.float32)
    targets = np.stack([vectors[:, 0] > 0.8, vectors[:, 1] > 1.2], axis=1).astype(np.float32)
    documents = np.repeat([f"d{number:03}" for number in range(articles)], of_each)
    languages = np.repeat(["fr" if number % 3 == 0 else "sv" for number in range(articles)], of_each)
    texts = [f"Mening nummer {number} av raden, {number * 7919 % 1013} gånger." for number in range(len(vectors))]
    kinds = np.full(len(vectors), "article")
    return LabelledPassages(LABELS, texts, targets, documents, documents, languages, documents, [(0, 1)] * len(texts), kinds), vectors


def material(articles=80, choosing=False):
    return make_material(*passages(articles), 1.0, choosing)


def quiet(_line):
    """Say nothing."""


def test_articles_are_either_chosen_from_or_scored_on_and_for_choosing_the_usual_ones_stay_unseen():
    usual, other = material(), material(choosing=True)
    used = [{int(row) for part in (one.pool, one.held_out) for rows in part for row in rows} for one in (usual, other)]
    assert len(used[0]) == len(usual.data.texts)
    held_out = {int(row) for rows in usual.held_out for row in rows}
    assert not held_out & {int(row) for rows in usual.pool for row in rows}
    assert held_out
    assert not held_out & used[1]


def test_translations_stay_on_one_side_and_hard_pairs_are_no_articles():
    data, vectors = passages(40)
    data = replace(data, groups=np.asarray([f"g{int(name[1:]) // 2}" for name in data.documents.tolist()]))
    data.kinds[:8] = HARD_PAIRS
    found = make_material(data, vectors, 1.0, False)
    sides = [{str(data.groups[rows[0]]) for rows in part} for part in (found.pool, found.held_out)]
    assert not sides[0] & sides[1]
    assert len(found.pool) + len(found.held_out) == 39


def test_all_ways_annotate_as_many_passages_and_no_article_twice():
    plan = Plan(start=5, articles=20, batch=5, repetitions=2)
    found = simulate(material(), plan, quiet)
    assert list(found.ways) == list(STRATEGIES)
    assert found.passages == (40, 80, 120, 160)
    for way in found.ways.values():
        assert way.articles == (5, 10, 15, 20)  # all articles are of one length
        assert way.macro_f1[-1].value > way.macro_f1[0].value
        assert way.macro_f1[0].low <= way.macro_f1[0].value <= way.macro_f1[0].high
    start = {way.macro_f1[0].value for way in found.ways.values()}
    assert len(start) == 1  # they begin with the same articles
    against = found.ways["uncertain"].against["random"]
    assert against.value == pytest.approx(-found.ways["random"].against["uncertain"].value)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_way_orders_all_waiting_articles_once(name):
    made = material()
    heads = fit_heads(made, np.concatenate(made.pool[:5]), made.data.targets[np.concatenate(made.pool[:5])])
    pool = Pool(made.data, made.vectors, made.pool[5:25], made.pool[:5])
    order = STRATEGIES[name](pool, probabilities_of(heads, made.vectors[pool.rows]), 40, np.random.default_rng(0))
    assert sorted(order) == list(range(20))


def test_uncertain_articles_come_first_and_languages_keep_their_shares():
    made = material()
    pool = Pool(made.data, made.vectors, made.pool[5:25], made.pool[:5])
    probabilities = np.full((len(pool.rows), 2), 0.01)
    probabilities[8 * 7 : 8 * 8] = 0.5
    random = np.random.default_rng(0)
    assert STRATEGIES["uncertain"](pool, probabilities, 40, random)[0] == 7
    order = STRATEGIES["balanced"](pool, probabilities, 40, random)
    french = [pool.languages[number] == "fr" for number in order]
    assert abs(sum(french[:10]) - sum(french) / 2) <= 1


def test_rich_articles_are_those_with_most_labels_per_passage_but_for_page_furniture():
    made = material()
    pool = Pool(made.data, made.vectors, made.pool[5:25], made.pool[:5], frozenset({"b"}))
    swedish = [number for number, language in enumerate(pool.languages) if language == "sv"]
    rich, furniture = swedish[3], swedish[2]
    probabilities = np.full((len(pool.rows), 2), 0.01)
    probabilities[8 * rich : 8 * rich + 2, 0] = probabilities[8 * furniture : 8 * furniture + 8, 1] = 0.9
    order = STRATEGIES["rich"](pool, probabilities, 40, np.random.default_rng(0))
    assert [number for number in order if number in swedish] == [rich, *(number for number in swedish if number != rich)]


def test_uncertainty_is_a_bit_at_one_half_and_nothing_without_doubt():
    found = uncertainty(np.array([0.5, 0.3, 0.7, 0.95, 0.0, 1.0]))
    assert found[0] == pytest.approx(1)
    assert found[1] == pytest.approx(found[2])
    assert found[0] > found[2] > found[3] > 0.1
    assert found[4:] == pytest.approx([0, 0], abs=1e-6)


def test_a_rare_label_counts_more_and_the_weights_are_one_on_average():
    rare, frequent = rarity_weights(np.array([3, 99]))
    assert rare == pytest.approx(5 * frequent)
    assert rare + frequent == pytest.approx(2)


def test_the_same_seed_gives_the_same_articles():
    first, second = (annotate_in_turn(material(), 40, [40, 80], "random", 3) for _ in range(2))
    assert first[1] == second[1]
    assert all((one == two).all() for one, two in zip(first[0], second[0], strict=True))


def test_a_label_that_nothing_tells_apart_is_always_or_never_given():
    data, vectors = passages(4)
    made = Material(data, vectors, 1.0, (), ())
    rows = np.arange(8)
    heads = fit_heads(made, rows, np.stack([np.ones(8), np.full(8, np.nan)], axis=1).astype(np.float32))
    assert probabilities_of(heads, vectors[:3]).tolist() == [[1.0, 0.0]] * 3


def test_judgements_of_one_label_raise_its_score_and_take_as_long_as_said():
    found = simulate_questions(material(200), Plan(start=3, articles=4, repetitions=2), "b", Pace(judgement=6, passage=10), quiet)
    assert found.minutes == tuple(number / 10 for number in JUDGEMENTS)
    assert set(found.f1) == {"judgements", "random articles", "rich articles"}
    curve = found.f1["judgements"]
    assert curve[0] == found.f1["random articles"][0]
    assert curve[-1].value > curve[0].value
    assert isinstance(found.against["random articles"], Interval)


def test_macro_f1_is_over_the_labels_that_articles_have_as_everywhere_else():
    counts = np.zeros((1, 1, 1, 2, 2, 3), dtype=np.int64)  # a way, a repetition, a size, two articles, two labels
    counts[..., 0, :] = [3, 1, 1]  # nothing was judged for the second label
    found = resample(counts, macro_f1_of)
    assert found[0, 0, 0] == pytest.approx(6 / 8)
    assert resample(counts, f1_of)[0, 0, 0].tolist() == pytest.approx([6 / 8, 0])


def test_on_a_new_desk_the_corpus_is_that_which_comes_with_newsmark(tmp_path, monkeypatch, capsys):
    """Of its labels, the desk has one."""
    make_desk(tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    assert main(["simulate", "--start", "5", "--articles", "8", "--batch", "3", "--repetitions", "2"]) == 0
    told = capsys.readouterr()
    assert "seeds/bootstrap says nothing about promise: only boilerplate can be simulated" in told.err
    assert "a simulation, and no score of a model" in told.out


def test_what_nobody_was_asked_about_can_not_be_simulated(tmp_path, capsys):
    row = {"text": "Tio procent.", "labels": ["statistic"], "judged": ["statistic"], "document": "a"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["simulate", str(tmp_path / "rows.jsonl"), "--label", "quote"]) == 1
    assert capsys.readouterr().err.endswith("rows.jsonl says nothing about quote; name labelled passages (PATH) that do\n")


def test_the_command_prints_a_table_and_answers_as_json(command, tmp_path):
    file = tmp_path / "rows.jsonl"
    data, _ = passages(60)
    with file.open("w") as stream:
        for text, target, document, language in zip(data.texts, data.targets, data.documents, data.languages, strict=True):
            words = [word for word, yes in zip(("lovar", "procent"), target, strict=True) if yes]
            labels = [label for label, yes in zip(("commitment", "statistic"), target, strict=True) if yes]
            row = {"text": f"{text} {' '.join(words)}", "labels": labels, "document": str(document), "lang": str(language)}
            stream.write(json.dumps(row) + "\n")
    short = ["simulate", file, "--start", "3", "--articles", "6", "--batch", "3", "--repetitions", "2"]
    done = command("training", *short)
    assert done.returncode == 0, done.stderr
    assert "less random" in done.stdout
    assert "a simulation, and no score of a model" in done.stdout
    answer = json.loads(command("training", *short, "--label", "statistic", "--json").stdout)
    assert set(answer["ways"]) == set(STRATEGIES)
    assert len(answer["judgements"]["f1"]["judgements"]) == len(JUDGEMENTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--start", "9", "--articles", "9"], "--articles: must be more than the 9 of --start"),
        (["--label", "quotes"], "--label: unknown label 'quotes'"),
    ],
)
def test_what_can_not_be_simulated_is_one_line(command, options, message):
    done = command("training", "simulate", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_forecast_comes_from_the_annotated_articles(command):
    done = command("training", "simulate", "seeds/bootstrap/fi.jsonl", "--forecast")
    assert done.returncode == 0, done.stderr
    assert "10 more articles are likely to bring macro F1 from" in done.stdout
    assert "that interval is wide" in done.stdout
