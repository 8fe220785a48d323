"""Which articles to annotate next."""

import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.label_studio.ranks import Waiting, stale_ranks
from newsmark.annotation.labels import load_labels
from newsmark.annotation.queue import doubt_by_label, expected_labels, in_shares, label_counts, queue_articles, rarity_weights, uncertainty
from newsmark.models.prediction.suggest import ModelSuggester

SCHEME = load_labels()
MORE = "Det sade hon på måndagen efter ett möte med regeringen, där frågan om skolornas framtid hade varit uppe. Kommunerna får vänta till våren. "
TEXTS = {
    "sure": "Solen sken.\nDet var fint väder.",
    "unsure": MORE + "Ministern hoppas att fler länder ansluter sig, och vi ska bygga 100 skolor till nästa år.",
    "copy": MORE + "Ministern hoppas att fler länder ansluter sig, och vi ska bygga 101 skolor till nästa år.",
    "other": "Kommunen öppnar ett nytt bibliotek i den gamla stationen vid torget.",
}
DOCUMENTS = [Document(text, f"{name}.txt", "sv") for name, text in TEXTS.items()]


@pytest.fixture(scope="module")
def scorer():
    return ModelSuggester.load("tests/data/models/baseline-6", SCHEME)


def test_uncertainty_is_a_bit_at_the_threshold_and_falls_on_both_sides():
    assert uncertainty(0.3, 0.3) == uncertainty(0.5) == 1
    assert uncertainty(0.7) == pytest.approx(uncertainty(0.3))
    assert uncertainty(0.5) > uncertainty(0.7) > uncertainty(0.95) > 0
    assert uncertainty(0.0) == pytest.approx(uncertainty(1.0), abs=1e-6)
    assert uncertainty(1.0) < 1e-6
    assert uncertainty(0.3, 0.1) == pytest.approx(uncertainty(0.1, 0.3))


def test_a_rare_label_counts_more_and_the_weights_are_one_on_average():
    weights = rarity_weights({"commitment": 3, "quote": 99})
    assert weights["commitment"] == pytest.approx(5 * weights["quote"])
    assert sum(weights.values()) == pytest.approx(2)
    assert rarity_weights({}) == {}


def test_the_doubt_of_an_article_does_not_grow_with_its_length():
    passages = [{"a": 0.5, "b": 0.0}, {"a": 0.0, "b": 0.0}]
    once, twice = (doubt_by_label(some, {"a": 0.5, "b": 0.5}, {"a": 2, "b": 1}) for some in (passages, passages * 2))
    assert once == pytest.approx(twice)
    assert once["a"] == pytest.approx(1)
    assert doubt_by_label([], {"a": 0.5}, {"a": 1}) == {"a": 0}


def test_each_language_has_its_share_of_every_start_of_the_queue():
    rows = [(f"sv{number}", "sv", 1 - number / 10) for number in range(6)] + [("fr0", "fr", 0.0), ("fr1", "fr", 0.1)]
    order = in_shares(rows)
    assert [key for key in order if key[:2] == "sv"] == [f"sv{number}" for number in range(6)]
    assert [key for key in order if key[:2] == "fr"] == ["fr1", "fr0"]
    assert [sum(key[:2] == "fr" for key in order[:size]) for size in (4, 8)] == [1, 2]


def test_near_copies_come_last_and_say_of_what(scorer):
    queue = queue_articles(DOCUMENTS, scorer, {}, SCHEME.exclusive_names)
    assert sorted(one.document.name for one in queue) == sorted(one.name for one in DOCUMENTS)
    *first, last = queue
    assert {last.document.name, last.copy_of} == {"unsure.txt", "copy.txt"}
    assert last.reason == f"near copy of {last.copy_of}"
    assert [one.copy_of for one in first] == [""] * 3
    assert [one.value for one in first] == sorted((one.value for one in first), reverse=True)
    annotated = queue_articles(DOCUMENTS[1:2], scorer, {}, SCHEME.exclusive_names, [DOCUMENTS[2]])
    assert [one.copy_of for one in annotated] == ["copy.txt"]
    assert queue_articles([], scorer, {}, SCHEME.exclusive_names) == []


def test_the_reason_names_the_label_that_is_looked_for_and_the_language(scorer):
    queue = queue_articles(DOCUMENTS[:2], scorer, {}, SCHEME.exclusive_names)
    for one in queue:
        assert one.reason == f"about {one.expected:.0f} of {one.passages} passages with {one.label}; language sv"
        assert one.label not in SCHEME.exclusive_names
        assert 0 <= one.expected <= one.passages


def test_what_is_expected_does_not_grow_with_the_length_and_only_weighted_labels_count():
    passages = [{"a": 0.5, "b": 1.0}, {"a": 0.1, "b": 0.0}]
    assert expected_labels(passages, {"a": 2.0}) == pytest.approx({"a": 0.6}) == expected_labels(passages * 2, {"a": 2.0})
    assert expected_labels([], {"a": 1.0}) == {"a": 0}


def test_annotated_passages_are_counted_by_label():
    document = Document("De lovar mer.\nPriset steg.", "a.txt", "sv")
    annotation = Annotation(document.id, "a.txt", "anna", False, (), (Span("s", 0, 13, "commitment"),))
    assert label_counts([document], [annotation], SCHEME) == {"commitment": 1, "statistic": 0, "quote": 0, "boilerplate": 0}
    assert sum(label_counts([], [annotation], SCHEME).values()) == 0


def test_only_ranks_that_are_not_right_are_written_and_what_left_the_queue_loses_its_rank(scorer):
    queue = queue_articles(DOCUMENTS, scorer, {}, SCHEME.exclusive_names)[:2]
    tasks = [Waiting(number, one.id, {"sha256": one.id, "name": one.name}) for number, one in enumerate(DOCUMENTS)]
    written = dict(stale_ranks(tasks, queue))
    assert len(written) == 2
    assert sorted(one["rank"] for one in written.values()) == ["0001", "0002"]
    after = [Waiting(one.id, one.sha256, written.get(one.id, one.data)) for one in tasks]
    assert stale_ranks(after, queue) == []
    left = dict(stale_ranks(after, queue[:1]))
    assert list(left.values()) == [{"sha256": queue[1].document.id, "name": queue[1].document.name}]
