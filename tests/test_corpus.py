"""Measured facts of labelled passages, on corpora small enough to count by hand."""

import json
import math
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.training.cli import main
from newsmark.training.corpus import (
    combinations,
    compare_labellings,
    compare_lengths,
    count_by,
    duplicate_rates,
    measure_variety,
    nearest,
    tokens,
)
from newsmark.training.labelled import load_labelled

SEEDS = Path(__file__).parent.parent / "seeds"
EXCLUSIVE = frozenset({"boilerplate"})
LONG = "Regeringen i Sverige lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 2030."
COPY = LONG.replace("2030.", "2031!")
OTHER = "Forskare vid universitetet i Lund har hittat en okänd art av skalbaggar under barken på gamla ekar."
SEED = "Ministern hoppas att fler länder ansluter sig."


@pytest.fixture
def write(tmp_path):
    """Writes rows of text, labels, and optionally document, kind and language; answers the file."""

    def file(*rows, name="corpus.jsonl"):
        whole = [row + ("", "", "d1", "sports", "sv")[len(row) :] for row in rows]
        keys = ("text", "labels", "document", "kind", "lang")
        lines = [json.dumps(dict(zip(keys, (row[0], row[1].split(), *row[2:]), strict=True))) for row in whole]
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
        return tmp_path / name

    return file


@pytest.fixture
def corpus(write):
    """The same, read."""
    return lambda *rows: load_labelled(write(*rows), load_labels(), load_labels().label_names)


def test_passages_documents_pairs_and_labels_are_counted_by_language(corpus):
    data = corpus(
        ("Ett", "quote", "d1"),
        ("Två", "quote statistic", "d2"),
        ("Tre", "", "d3", "pairs"),
        ("Dela", "boilerplate", "d2"),
        ("Un", "commitment", "d4", "blog", "fr"),
    )
    assert [astuple(one) for one in count_by(data, data.languages)] == [
        ("sv", 2, 4, 1, (0, 1, 2, 1), 1, 1),
        ("fr", 1, 1, 0, (1, 0, 0, 0), 0, 0),
        ("all", 3, 5, 1, (1, 1, 2, 1), 1, 1),
    ]
    assert [(one.name, one.documents, one.passages) for one in count_by(data, data.kinds)] == [("sports", 2, 3), ("pairs", 0, 1), ("blog", 1, 1), ("all", 3, 5)]


def test_each_combination_of_labels_is_counted(corpus):
    data = corpus(("a", "quote"), ("b", "statistic quote"), ("c", "quote"), ("d", ""), ("e", "quote statistic"), ("f", "quote"))
    assert combinations(data) == [("quote", 3), ("statistic + quote", 2), ("none", 1)]


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("L'homme a dit: Oui, 12 %", ["l", "homme", "a", "dit", "oui", "12"]),
        ("東京のビール。2025年", ["東", "京", "の", "ビ", "ー", "ル", "2025", "年"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("— …", []),
    ],
)
def test_a_token_is_a_word_or_a_character_where_no_spaces_are_written(text, split):
    assert tokens(text) == split


def test_variety_is_of_running_text_by_language(corpus):
    data = corpus(
        ("a b c a", ""),
        ("A B C d", "quote"),
        ("x y", ""),
        ("furniture here now", "boilerplate"),
        ("paired text here", "", "d2", "pairs"),
        ("un", "", "d3", "blog", "fr"),
    )
    swedish, french = measure_variety(data, EXCLUSIVE, window=4)
    assert astuple(swedish)[:4] == ("sv", 3, 10, 6)
    assert swedish.ratio == 0.6
    windows = ["abca", "bcaa", "caab", "aabc", "abcd", "bcdx", "cdxy"]
    assert swedish.moving_ratio == pytest.approx(np.mean([len(set(one)) / 4 for one in windows]))
    assert swedish.openings == 0.5
    assert (french.tokens, french.ratio) == (1, 1)
    assert math.isnan(french.moving_ratio)
    assert math.isnan(french.openings)


def test_moving_ratio_does_not_fall_with_size_as_the_plain_one_does(corpus):
    words = " ".join(f"w{number % 50}" for number in range(200))
    small, large = (measure_variety(corpus(*[(words, "")] * times), EXCLUSIVE, window=100)[0] for times in (1, 5))
    assert small.moving_ratio == large.moving_ratio == 0.5
    assert (small.ratio, large.ratio) == (0.25, 0.05)


def test_near_duplicates_are_counted_with_and_without_what_repeats_by_nature(corpus):
    data = corpus(
        (LONG, "commitment", "d1"),
        (COPY, "commitment", "d2"),
        (OTHER, "", "d1"),
        (OTHER + " Igen", "", "d3", "pairs"),
        ("Kommentera (0)", "", "d1"),
        ("Kommentera (0)", "", "d2"),
        ("Läs mer om hur du blir prenumerant hos oss", "boilerplate", "d1"),
        ("Läs mer om hur du blir prenumerant hos oss", "boilerplate", "d2"),
        ("Jeudi, le ministre a rencontré les élèves de la ville.", "", "d4", "blog", "fr"),
    )
    rates = duplicate_rates(data, EXCLUSIVE)
    assert [(one.passages, one.alike) for one in rates[:3]] == [(9, 8), (5, 4), (4, 2)]
    assert [astuple(one) for one in rates[3:]] == [("… sv", 3, 2), ("… fr", 1, 0)]


def test_nearest_passage_of_another_corpus_is_found(corpus):
    data = corpus((OTHER, ""), (LONG, ""))
    similarity, mine, others = nearest(data, corpus((SEED * 2, ""), (COPY, "")), EXCLUSIVE)
    assert (mine, others) == (1, 1)
    assert 0.6 < similarity < 1
    assert nearest(data, corpus(("Wszystkie dzieci poszły dzisiaj do szkoły pieszo.", "")), EXCLUSIVE) is None


def test_lengths_are_compared_by_label(corpus):
    data = corpus(*[("x" * length, "quote") for length in (10, 20, 30, 40, 50)], ("x" * 7, ""), ("x" * 900, "quote", "d2", "blog", "fr"))
    seeds = corpus(*[("x" * length, "quote") for length in (30, 40, 50, 60, 70)])
    by_group = {one.group: one for one in compare_lengths(data, seeds)}
    assert list(by_group) == ["all", "commitment", "statistic", "quote", "boilerplate", "none"]
    quote = by_group["quote"]
    assert quote.counts == (6, 5)
    assert quote.percentiles[1] == (32, 40, 50, 60, 68)
    assert quote.distance == pytest.approx(1 / 3)  # at 20: 2 of 6 here, none of 5 there
    assert quote.same_languages == pytest.approx(2 / 5)
    none = by_group["none"]
    assert none.counts == (1, 0)
    assert none.percentiles[0] == (7,) * 5
    assert math.isnan(none.distance)


def test_second_labelling_is_matched_by_document_and_text(corpus):
    rows = [("Svara", "boilerplate", "d1"), ("Svara", "", "d1"), ("Tio", "statistic", "d1"), ("Tio", "quote", "d2"), ("Ja", "quote", "d2"), ("Nej", "", "d2")]
    data = corpus(*rows)
    second = corpus(("Nej", "quote", "d2"), ("Tio", "quote", "d2"), ("Svara", "boilerplate", "d1"), ("Svara", "", "d1"))
    relabelled = compare_labellings(data, second)
    assert (relabelled.passages, relabelled.differing) == (4, 1)
    assert relabelled.labels["quote"] == (1, 2, pytest.approx(0.5), pytest.approx(2 / 3))
    assert relabelled.labels["boilerplate"] == (1, 1, 1, 1)
    counts, figures = relabelled.labels["commitment"][:2], relabelled.labels["commitment"][2:]
    assert counts == (0, 0)
    assert all(map(math.isnan, figures))


@pytest.mark.parametrize(
    ("row", "reason"), [(("Svara", "", "d2"), r"“Svara” \(d2\) is not in the corpus;"), (("Svara", "", "d1"), "not in the corpus so often")]
)
def test_relabelled_passage_that_is_not_in_the_corpus_is_named(corpus, row, reason):
    data, second = corpus(("Svara", "", "d1")), corpus(("Svara", "", "d1"), row)
    with pytest.raises(NewsmarkError, match=reason):
        compare_labellings(data, second)


def _corpus(*arguments):
    return main(["corpus", *map(str, arguments), "--seeds", str(SEEDS)])


def test_json_may_stand_before_the_command(write, capsys):
    assert main(["--json", "corpus", str(write((LONG, "commitment"))), "--seeds", str(SEEDS)]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_command_prints_every_figure(write, capsys):
    path = write((LONG, "commitment"), (COPY, "commitment"), (OTHER, ""), ("Dela", "boilerplate"))
    second = write((OTHER, "quote"), (LONG, "commitment"), name="second.jsonl")
    assert _corpus(path, "--relabelled", second) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for line in (
        "sv 1 4 0 2 0 0 1 1 0",
        "sports 1 4 0 2 0 0 1 1 0",
        "commitment 2",
        "all passages 4 2 50.0 %",
        "no near duplicate or translation between these passages and the seeds",
        "quote 0 1 0.00 0.00",
        "commitment 1 1 1.00 1.00",
        "1 of 2 passages labelled twice differ",
    ):
        assert line.split() in lines


def test_command_refuses_a_passage_of_the_seeds(write, capsys):
    seed = max((SEEDS / "002_bf581d19c5184088.txt").read_text(encoding="utf-8").splitlines(), key=len)
    assert _corpus(write((seed, ""))) == 1
    output = capsys.readouterr()
    assert output.err.startswith("train: error: leak: “")
    assert output.err.count("\n") == 1
    assert "nearest passage of the seeds: " in output.out


@pytest.mark.parametrize(("name", "code", "reason"), [("missing.jsonl", 2, "no such file"), (".", 1, "no .jsonl file in this folder has rows")])
def test_command_says_in_one_line_what_is_wrong(tmp_path, capsys, name, code, reason):
    assert _corpus(tmp_path / name) == code
    error = capsys.readouterr().err
    assert error.startswith("train: error: ")
    assert reason in error
    assert error.count("\n") == 1
