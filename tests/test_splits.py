"""Splits by group, and the check that nothing stands copied or translated on both sides of one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.training.dataset import LabelledPassages, load_passages
from newsmark.training.leaks import check_leaks
from newsmark.training.splits import make_folds, set_aside

SEEDS = Path(__file__).parent.parent / "seeds"
EXCLUSIVE = frozenset({"boilerplate"})
LONG = "Regeringen i Sverige lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 2030."
COPY = "Regeringen i Sverige lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 2031!"
OTHERS = [
    "Forskare vid universitetet i Lund har hittat en okänd art av skalbaggar under barken på gamla ekar.",
    "Efter en lång torka faller nu äntligen regnet över de bördiga slätterna kring floden Po i Italien.",
]


@pytest.fixture(scope="module")
def seeds():
    return load_passages([str(SEEDS)], str(SEEDS / "annotations.jsonl"))


def passages(*rows):
    """Passages from rows of text, group, and optionally language and whether it is boilerplate; a document a group."""
    whole = [row + ("", "", "sv", False)[len(row) :] for row in rows]
    texts, groups, languages, furniture = zip(*whole, strict=True)
    targets = np.array([[0, yes] for yes in furniture], dtype=np.float32)
    names = np.array([f"{group}.txt" for group in groups])
    offsets, kinds = [(0, len(text)) for text in texts], np.array(["article"] * len(rows))
    return LabelledPassages(("quote", "boilerplate"), list(texts), targets, names, names, np.array(languages), np.array(groups), offsets, kinds)


def in_groups(count, each=3):
    return passages(*[(f"Text {group} {number}", f"g{group}") for group in range(count) for number in range(each)])


def test_each_seed_group_is_held_out_once_and_translations_stay_together(seeds):
    folds = make_folds(seeds, 10)
    assert sorted(index for fold in folds for index in fold.test) == list(range(149))
    assert {fold.name for fold in folds} == {
        "000_d97304283369a603.txt, 001_de0bcf51e6ff2360.txt",
        "002_bf581d19c5184088.txt",
        "003_351322b492e975e1.txt",
        "004_01df7fd14f7a8f34.txt",
    }


@pytest.mark.parametrize(("groups", "max_folds", "folds"), [(2, 2, 2), (4, 10, 4), (10, 10, 10), (11, 10, 10), (30, 4, 4)])
def test_whole_groups_are_never_split(groups, max_folds, folds):
    data = in_groups(groups)
    made = make_folds(data, max_folds)
    assert len(made) == folds
    for fold in made:
        assert not set(data.groups[fold.train]) & set(data.groups[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(data.texts)))
    assert sorted(index for fold in made for index in fold.test) == list(range(len(data.texts)))


def test_fold_is_named_by_its_documents_or_by_its_number():
    assert [fold.name for fold in make_folds(in_groups(3), 3)] == ["g0.txt", "g1.txt", "g2.txt"]
    assert [fold.name for fold in make_folds(in_groups(3), 2)] == ["fold 1", "fold 2"]


def test_one_group_can_not_be_cross_validated():
    with pytest.raises(NewsmarkError, match="two groups or more"):
        make_folds(in_groups(1), 10)


@pytest.mark.parametrize(("groups", "parts", "held"), [(8, 8, 1), (17, 8, 2), (16, 8, 2), (7, 8, 0), (4, 2, 2)])
def test_whole_groups_are_held_out(groups, parts, held):
    data = in_groups(groups)
    part = set_aside(data, parts, 13)
    assert not set(data.groups[part.train]) & set(data.groups[part.test])
    assert sorted([*part.train, *part.test]) == list(range(len(data.texts)))
    assert len(set(data.groups[part.test])) == held


def test_held_out_groups_depend_on_the_seed_and_not_on_the_order():
    data = in_groups(40)
    turned = data.subset(np.arange(len(data.texts))[::-1])

    def held(passages, seed):
        return set(passages.groups[set_aside(passages, 8, seed).test])

    assert held(data, 13) == held(data, 13) == held(turned, 13)
    assert len({frozenset(held(data, seed)) for seed in range(5)}) > 1


def test_seeds_do_not_leak(seeds):
    assert check_leaks(seeds, None, EXCLUSIVE) is None


def test_translated_seeds_leak_when_their_groups_differ(seeds):
    apart = replace(seeds, groups=np.where(seeds.names == "001_de0bcf51e6ff2360.txt", "another", seeds.groups))
    with pytest.raises(NewsmarkError, match=r"^leak: .*a translation of .*") as caught:
        check_leaks(apart, None, EXCLUSIVE)
    assert "000_d97304283369a603.txt" in str(caught.value)
    assert "001_de0bcf51e6ff2360.txt" in str(caught.value)


def test_translated_seed_leaks_as_test_set(seeds):
    swedish, french = (np.flatnonzero(seeds.names == name) for name in ("001_de0bcf51e6ff2360.txt", "000_d97304283369a603.txt"))
    data, test = seeds.subset(swedish), seeds.subset(french)
    with pytest.raises(NewsmarkError, match="a translation of"):
        check_leaks(data, test, EXCLUSIVE)


def test_near_duplicate_in_another_group_is_named_with_both_documents():
    data = passages((OTHERS[0], "g1"), (LONG, "g1"), (OTHERS[1], "g2"), (COPY, "g2"))
    with pytest.raises(NewsmarkError, match="a near duplicate of") as caught:
        check_leaks(data, None, EXCLUSIVE)
    for part in ("g1.txt", "g2.txt", LONG[:59], COPY[:59]):
        assert part in str(caught.value)


@pytest.mark.parametrize("language", ["und", "no"])
def test_a_copy_is_found_whatever_language_it_is_said_to_be_in(language):
    with pytest.raises(NewsmarkError, match="a near duplicate of"):
        check_leaks(passages((LONG, "g1")), passages((COPY, "g2", language)), EXCLUSIVE)


def test_near_duplicate_in_the_test_set_is_named_whatever_its_group():
    data, test = passages((OTHERS[0], "g1"), (LONG, "g1")), passages((OTHERS[1], "g1"), (COPY, "g1"))
    with pytest.raises(NewsmarkError, match=r"a near duplicate of .* \(g1\.txt\)"):
        check_leaks(data, test, EXCLUSIVE)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param((LONG, "g1"), (COPY, "g1"), id="same group"),
        pytest.param((LONG, "g1"), (OTHERS[0], "g2"), id="unlike"),
        pytest.param((LONG, "g1", "sv", True), (COPY, "g2", "sv", True), id="boilerplate"),
        pytest.param((LONG, "g1", "sv", True), (COPY, "g2", "sv", False), id="boilerplate on one side"),
        pytest.param(("Kommentera artikeln (0) nu", "g1"), ("Kommentera artikeln (0) nu", "g2"), id="short"),
    ],
)
def test_what_repeats_by_nature_is_no_leak(one, two):
    assert check_leaks(passages(one, (OTHERS[1], "g1"), two), None, EXCLUSIVE) is None


@pytest.mark.parametrize("texts", [("Kort", "Också kort"), ("– " * 30, "… " * 30)])
def test_nothing_to_compare_is_no_leak(texts):
    data = passages((texts[0], "g1"), (texts[1], "g2"))
    assert check_leaks(data, None, EXCLUSIVE) is None
    assert check_leaks(data, passages((LONG, "g3")), EXCLUSIVE) is None
    assert check_leaks(passages((LONG, "g3")), data, EXCLUSIVE) is None


def test_translated_passage_with_the_same_names_and_numbers_is_found():
    swedish = "På torsdagen mötte Anna Lindqvist och Karl Berg 240 elever i Umeå och 75 i Luleå."
    french = "Jeudi, Anna Lindqvist et Karl Berg ont rencontré 240 élèves à Umeå et 75 à Luleå."
    with pytest.raises(NewsmarkError, match="a translation of"):
        check_leaks(passages((swedish, "g1"), (french, "g2", "fr")), None, EXCLUSIVE)
    assert check_leaks(passages((swedish, "g1"), (french, "g1", "fr")), None, EXCLUSIVE) is None
    unrelated = "Vendredi, Paul Moreau a visité 12 musées à Lyon avec Claire Petit et 30 amis."
    assert check_leaks(passages((swedish, "g1"), (unrelated, "g2", "fr")), None, EXCLUSIVE) is None


NAMES = [("Lindqvist", "Umeå"), ("Berg", "Luleå"), ("Ahmadi", "Kiruna"), ("Nilsson", "Boden"), ("Moreau", "Lyon")]


@pytest.mark.parametrize("names", [("one", "two"), ("untitled", "untitled")], ids=["own names", "one name"])
def test_translated_article_is_found_where_no_passage_has_enough_names(names):
    swedish = [(f"På morgonen kom lärarinnan {person} med tåget ända från {place}.", "g1") for person, place in NAMES]
    french = [(f"Le matin, l'institutrice {person} est arrivée en train depuis {place}.", "g2", "fr") for person, place in NAMES]
    data = replace(passages(*swedish, *french), documents=np.repeat(names, len(NAMES)))
    with pytest.raises(NewsmarkError, match="a translation of"):
        check_leaks(data, None, EXCLUSIVE)
