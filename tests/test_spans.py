"""Where spans begin and end and of which kind they are: rules, what is learned, and what of both is taken."""

import itertools
import json
import random

import numpy as np
import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import Label, LabelScheme, load_labels
from newsmark.models.borders import _EACH, Borders, VectorBorders, _best_stretch, _best_stretches, features, word_places, word_vectors
from newsmark.models.classifier import TokenVectors
from newsmark.models.context import PassageInContext
from newsmark.models.spans import SpanFinder
from newsmark.models.transformer.settings import TransformerSettings
from newsmark.models.transformer.trainer import Transformer
from newsmark.training.config import Config, DataConfig
from newsmark.training.effort import SpanCounts
from newsmark.training.marked import MarkedPassage, marked_in, read_marked
from newsmark.training.spans import SpanLearner, exact_f1, is_held_out, load_marked

SCHEME = load_labels()
CORPUS = "seeds/bootstrap"


def whole(text):
    return [(0, len(text))]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Vi lovar mer. ", "Vi lovar mer"),
        ("我们承诺。", "我们承诺"),
        ("Vi lovar: mer", "Vi lovar: mer"),
        ("…", "…"),
        ("हम वादा करते हैं।", "हम वादा करते हैं"),
    ],
)
def test_without_a_model_of_its_borders_a_span_has_no_final_punctuation(text, kept):
    assert [text[start:end] for start, end in Borders().find(text)] == [kept]


def test_words_numbers_and_marks_are_one_each_and_characters_of_scripts_without_spaces():
    text = "Près de 1 200,5 % (l'an)。東京で3人"
    assert [text[start:end] for start, end in word_places(text)] == [
        "Près", "de", "1 200,5", "%", "(", "l", "'", "an", ")", "。", "東", "京", "で", "3", "人",
    ]  # fmt: skip
    assert len(features(text)) == 15


def test_a_text_without_words_and_a_very_long_one_have_a_span():
    learned = Borders(({"": -1.0}, {"": -1.0}, {"": -1.0}), True)
    assert learned.find(" _ ") == [(0, 3)]
    long = "ord 12 " * 20_000
    assert learned.find(long) == [(0, len(long))]


def test_the_stretches_found_have_the_greatest_sum():
    drawn = random.Random(3)
    for _ in range(200):
        begin, inside, end = ([drawn.uniform(-2, 2) for _ in range(5)] for _ in range(3))

        def worth(stretches, begin=begin, inside=inside, end=end):
            return sum(begin[first] + sum(inside[first : last + 1]) + end[last] - _EACH for first, last in stretches)

        single = [(first, last) for first in range(5) for last in range(first, 5)]
        assert worth(_best_stretch(begin, inside, end)) == pytest.approx(max(worth([one]) for one in single))
        sets = [some for count in range(1, 6) for some in itertools.combinations(single, count) if all(a[1] < b[0] for a, b in itertools.pairwise(some))]
        assert worth(_best_stretches(begin, inside, end)) == pytest.approx(max(map(worth, sets)))


@pytest.fixture(scope="module")
def marked():
    return read_marked(CORPUS, SCHEME)


@pytest.fixture(scope="module")
def held_out(marked):
    """What was learned from three quarters of the marked documents of the corpus, and the passages of the others."""
    documents = {one.document for one in marked if is_held_out(one.document)}
    return SpanLearner(marked, SCHEME).learn(without=documents), [one for one in marked if one.document in documents]


@pytest.mark.training
def test_on_documents_that_were_not_learned_from_learned_borders_and_kinds_are_right_more_often_than_rules(held_out):
    finder, passages = held_out
    for label, least in (("statistic", 0.4), ("commitment", 0.5)):
        some = [one for one in passages if one.label == label]
        assert exact_f1(some, finder.borders[label].find) > max(least, exact_f1(some, Borders().find), exact_f1(some, whole))
    quotes = [one for one in passages if one.label == "quote"]
    kinds = [finder.find(one.context, {"quote": 0.9})[0].kind == one.kinds[0] for one in quotes]
    ruled = [SpanFinder(finder.kinds).find(one.context, {"quote": 0.9})[0].kind == one.kinds[0] for one in quotes]
    assert sum(kinds) > 0.8 * len(kinds) > sum(ruled)


@pytest.mark.training
def test_from_an_encoders_vectors_statistics_are_learned_better_than_from_words(marked, held_out, tmp_path):
    statistics = [one for one in marked if one.label == "statistic"]
    encoder = Transformer.untrained(TransformerSettings())
    finder = SpanLearner(statistics, SCHEME).learn({one.document for one in statistics if is_held_out(one.document)}, encoder)
    assert isinstance(finder.borders["statistic"], VectorBorders)
    some = [one for one in statistics if is_held_out(one.document)]
    places = {}
    for kind, used in (("words", held_out[0]), ("vectors", finder)):
        found = used.find_all([one.context for one in some], [{"statistic": 0.9}] * len(some), encoder)
        places[kind] = {one.context.text: [(span.start, span.end) for span in spans] for one, spans in zip(some, found, strict=True)}
    assert exact_f1(some, places["vectors"].get) > exact_f1(some, places["words"].get) + 0.1
    finder.save(tmp_path)
    read = SpanFinder.load(tmp_path, ["spans.json"])
    assert read == finder
    assert [(span.start, span.end) for span in read.find(some[0].context, {"statistic": 0.9})] == [(0, len(some[0].context.text))]  # without the vectors
    assert next(read.find_all([PassageInContext("  ")], [{"statistic": 0.9, "quote": 0.5}], encoder))[0].end == 2


def test_the_vector_of_a_word_is_the_mean_of_its_tokens():
    text = "Nu: 12 bussar."
    places = np.array([(0, 2), (2, 3), (4, 5), (5, 6), (6, 10), (10, 13), (13, 14)])  # a token may begin with the space before it
    vectors = np.array([[1, 0], [2, 0], [4, 0], [6, 0], [1, 8], [3, 0], [9, 9]], dtype=np.float32)
    assert word_vectors(text, TokenVectors(places, vectors)).tolist() == [[1, 0], [2, 0], [5, 0], [2, 4], [9, 9]]
    assert word_vectors(text, TokenVectors(places[:2], vectors[:2])).tolist() == [[1, 0], [2, 0], [0, 0], [0, 0], [0, 0]]  # the rest was not read
    assert word_vectors("", TokenVectors(places[:0], vectors[:0])).shape == (0, 2)


@pytest.mark.training
def test_a_quote_is_the_whole_passage_and_a_passage_may_have_several_statistics(held_out):
    finder, _ = held_out
    assert "quote" not in finder.borders
    text = "Kommunen köpte 12 bussar för 40 miljoner kronor."
    spans = finder.find(PassageInContext(text), {"statistic": 0.9, "quote": 0.6})
    assert [(text[one.start : one.end], one.label, one.score) for one in spans] == [
        ("12 bussar", "statistic", 0.9), ("40 miljoner kronor", "statistic", 0.9), (text, "quote", 0.6),
    ]  # fmt: skip


@pytest.mark.training
def test_what_was_learned_comes_back_from_its_file(held_out, tmp_path):
    finder, passages = held_out
    finder.save(tmp_path)
    assert SpanFinder.load(tmp_path, ["spans.json"]) == finder
    assert len((tmp_path / "spans.json").read_bytes()) < 1_000_000
    asked, read = dict.fromkeys(SCHEME.label_names, 0.5), SpanFinder.load(tmp_path, ["spans.json"])
    assert [read.find(one.context, asked) for one in passages[:20]] == [finder.find(one.context, asked) for one in passages[:20]]


def test_a_model_whose_file_knows_kinds_alone_gives_whole_passages(tmp_path):
    (tmp_path / "spans.json").write_text('{"kinds": {"quote": ["direct", "indirect"]}}', encoding="utf-8")
    [one, two] = SpanFinder.load(tmp_path, ["spans.json"]).find(PassageInContext("Hon tror det."), {"quote": 0.9, "commitment": 0.5})
    assert (one.start, one.end, one.kind, two.end, two.kind) == (0, 13, "indirect", 13, None)
    assert SpanFinder.load(tmp_path, []) == SpanFinder()


def test_a_row_of_the_corpus_that_is_not_as_it_must_be_is_named(tmp_path):
    (tmp_path / "spans").mkdir()
    path = tmp_path / "spans" / "a.jsonl"
    row = {"document": "a", "text": "Vi lovar.", "spans": [{"label": "commitment", "start": 0, "end": 8}]}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert [(one.label, one.spans) for one in read_marked(str(tmp_path), SCHEME)] == [("commitment", ((0, 8),))]
    for wrong in ({"spans": [{"label": "commitment", "start": 0, "end": 80}]}, {"spans": [{"start": 0}]}, {"text": None}, {"spans": 5}):
        path.write_text(json.dumps(row) + "\n" + json.dumps(row | wrong) + "\n", encoding="utf-8")
        with pytest.raises(NewsmarkError, match=r"a\.jsonl, line 2: no passage with 'document', 'text' and 'spans'"):
            read_marked(str(tmp_path), SCHEME)
    assert read_marked("", SCHEME) == read_marked(str(tmp_path / "none"), SCHEME) == []


def test_the_spans_of_an_article_are_cut_at_the_borders_of_its_passages():
    document = Document("De lovar mer. Det kostar 5 kr.\nSlut.", "a.txt", "sv")
    spans = (Span("1", 3, 30, "commitment"), Span("2", 25, 29, "statistic"), Span("3", 0, 13, "quote", "direct"))
    annotation = Annotation(document.id, "a.txt", "ann", True, (), spans)
    found = marked_in([document, Document("Annat.", "b.txt", "sv")], {document.id: annotation}, SCHEME)
    assert [(one.context.text, one.label, one.spans, one.kinds) for one in found] == [
        ("De lovar mer.", "quote", ((0, 13),), ("direct",)),
        ("De lovar mer.", "commitment", ((3, 13),), (None,)),
        ("Det kostar 5 kr.", "commitment", ((0, 16),), (None,)),
        ("Det kostar 5 kr.", "statistic", ((11, 15),), (None,)),
    ]
    assert all(one.own for one in found)


def test_nothing_is_learned_of_the_spans_of_languages_that_are_left_out():
    def learned_from(*left_out):
        data = DataConfig("baseline", ("seeds",), "seeds/annotations.jsonl", bootstrap=CORPUS, leave_out_languages=left_out)
        some = load_marked(Config(data, None), SCHEME)
        return some, {(one.own, one.language) for own in some.learner.marked.values() for one in own}

    every, languages = learned_from()
    assert {(True, "fr"), (True, "sv"), (False, "fr"), (False, "sv")} <= languages
    others, known = learned_from("fr")
    assert known == {(own, language) for own, language in languages if language != "fr"}
    assert others.right == every.right  # they are scored all the same


def own(label, template, span, count=60):
    """Passages of a desk's own articles, two in each, of which the words at {} differ."""
    for number in range(count):
        text = template.format(f"{number} kr")
        start = text.index(span.format(f"{number} kr"))
        yield MarkedPassage(PassageInContext(text), f"d{number // 2}", label, ((start, start + len(span.format(f"{number} kr"))),), (None,), "sv", True)


@pytest.mark.training
def test_a_label_of_a_desk_is_learned_from_its_own_articles():
    scheme = LabelScheme((Label("price", "what it costs", "#000000", "p"),), ())
    finder = SpanLearner(list(own("price", "Biljetten till festen kostar {} i år.", "{}")), scheme).learn()
    text = "Biljetten till festen kostar 75 kr i år."
    assert [text[one.start : one.end] for one in finder.find(PassageInContext(text), {"price": 0.9})] == ["75 kr"]


@pytest.mark.training
def test_annotators_who_mark_whole_sentences_get_whole_sentences_whatever_the_corpus_says(marked):
    desk = list(own("commitment", "Kommunen lovar {} till skolan.", "Kommunen lovar {} till skolan."))
    assert "commitment" not in SpanLearner([*marked, *desk], SCHEME).learn().borders
    assert "commitment" in SpanLearner(marked, SCHEME).learn().borders


def test_a_label_with_few_marked_passages_gets_whole_passages():
    scheme = LabelScheme((Label("price", "what it costs", "#000000", "p"),), ())
    finder = SpanLearner(list(own("price", "Det kostar {} i år.", "{}", count=20)), scheme).learn()
    assert finder == SpanFinder()


def test_spans_are_compared_by_label_and_borders_and_by_characters():
    found = [Span("1", 0, 10, "quote", "direct"), Span("2", 0, 4, "statistic")]
    counts = SpanCounts.of(found, [Span("1", 0, 10, "quote", "indirect"), Span("2", 2, 6, "statistic")])
    assert counts.exact_f1 == 0.5
    assert counts.overlap_f1 == pytest.approx(2 * 12 / 28)
    assert (counts + counts).exact_f1 == 0.5
    assert SpanCounts().exact_f1 == 0.0
