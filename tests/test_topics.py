"""Topics of articles: learned, compared by their definitions, measured, saved, suggested and predicted."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from newsmark.annotation.annotations import Annotation, write_annotations
from newsmark.annotation.documents import Document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio.writing import prediction_row
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.suggestions import SureSuggester
from newsmark.models import cli
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.baseline.trainer import Baseline
from newsmark.models.calibration import Calibration
from newsmark.models.model import TrainedModel
from newsmark.models.prediction.suggest import ModelSuggester
from newsmark.models.saved import load_model, save_model
from newsmark.models.topics import TopicModel, article_vector, unit, word_vectors
from newsmark.training.config import load_config
from newsmark.training.dataset import HARD_PAIRS, LabelledPassages, load_passages
from newsmark.training.registry import edits_of
from newsmark.training.topics import NO_TOPIC_EDITS, TOPIC_EDITS, TopicScores, _scores, learn_topics
from newsmark.training.tracking import LoggedRun

import newsmark

SCHEME = load_labels()
SEA = ["trawler", "harbour", "herring", "nets", "quay", "tide", "sailors", "cod", "boats", "coast"]
WOOD = ["forest", "timber", "birch", "sawmill", "loggers", "roots", "spruce", "moss", "axes", "bark"]
TOPICS = {"cybercrime": SEA, "drug-control": WOOD}
"""Two topics of the labels file, which here are about words that nothing else is about."""


_WORDS = ["council", "town", "met", "talked", "budget", "taxes", "party", "rained", "long", "nobody", "school", "bus", "road", "music", "win"]
_DRAWN = random.Random(13)
OTHERS = [" ".join(_DRAWN.choices(_WORDS, k=9)) for _ in range(90)]
"""Texts about other things."""


class WithVectors:
    """A classifier whose vectors are those of words."""

    def vectors(self, texts):
        return word_vectors(texts)


def article(words, number):
    """A text of two lines; that of another number has other neighbours, and some words in common."""
    some = [words[(number + step) % len(words)] for step in range(8)]
    return f"The {some[0]} and the {some[1]} of {some[2]} were seen near the {some[3]}.\nNo {some[4]}, {some[5]}, {some[6]} or {some[7]} was left."


def desk(folder, *articles, labels=DEFAULT_LABELS, **keys):
    """Write articles with their topics; returns a configuration, their passages, and that no passage is furniture."""
    (folder / "articles").mkdir()
    annotations = []
    for number, (text, _) in enumerate(articles):
        (folder / "articles" / f"{number:02}.txt").write_text(text, encoding="utf-8")
    documents = {one.name: one for one in newsmark.read_documents(folder / "articles")}
    for number, (_, topics) in enumerate(articles):
        one = documents[f"{number:02}.txt"]
        annotations.append(Annotation(one.id, one.name, "anna", ground_truth=False, topics=topics, spans=()))
    write_annotations(folder / "annotations.jsonl", annotations)
    written = {"documents": [str(folder / "articles")], "annotations": str(folder / "annotations.jsonl"), "labels": str(labels), "bootstrap": "", **keys}
    data = load_passages(written["documents"], written["annotations"], str(labels))
    return load_config(Path("configs/baseline.yaml"), written, fast=False), data, np.zeros(data.targets.shape, dtype=bool)


def two_topics(count):
    return [(article(words, number), (topic,)) for topic, words in TOPICS.items() for number in range(count)]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    config, data, none = desk(tmp_path_factory.mktemp("desk"), *two_topics(6))
    return learn_topics(config, SCHEME, object(), data, none, None)


@pytest.fixture
def model(learned):
    """A model that knows the two topics, and calls each passage with "menu" boilerplate."""
    texts = ["menu", "menu home", "the boats", "a forest"]
    targets = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    baseline = Baseline.fit(texts, targets, BaselineSettings(), 13, lambda *_: None)
    return TrainedModel("baseline", SCHEME.label_names, SCHEME.exclusive_names, (Calibration(),) * 4, baseline, topics=learned.model)


def test_forms_of_a_word_are_nearer_than_other_words():
    harbour, harbours, forest = unit(word_vectors(["the harbour", "the harbours", "the forest"]))
    assert harbour @ harbours > harbour @ forest + 0.2
    assert not word_vectors(["", "!?"]).any()


def test_topics_with_enough_articles_are_learned_and_given_to_articles_that_were_left_out(learned):
    assert (learned.model.names, learned.model.learned, learned.model.given) == (tuple(TOPICS), (True, True), (True, True))
    assert (learned.learned.micro_f1, learned.learned.macro_f1, learned.edits, learned.without) == (1, 1, 0, 1)
    assert learned.commonest.micro_f1 < 0.5
    assert learned.line == (
        "Topics of 12 articles, micro and macro F1: learned 1.00 and 1.00; the commonest ones 0.00 and 0.00. Suggested: cybercrime (learned), "
        "drug-control (learned); 0.0 edits per article, 1.0 without suggestions. 12 articles prove little."
    )
    assert learned.flat()["topic_edits_per_article"] == 0


@pytest.mark.parametrize("more", [0, 1])
def test_the_scores_of_one_topic_are_those_of_having_it(more):
    """And no mean of having it and not having it; topics that no article has count for nothing."""
    decided, targets = (np.array([[one] + [False] * more for one in column]) for column in ([True, True, False, False], [True, True, True, False]))
    assert _scores(decided, targets) == TopicScores(pytest.approx(0.8), pytest.approx(0.8))


def test_four_articles_with_a_topic_are_too_few_to_learn_it(tmp_path):
    config, data, none = desk(tmp_path, *two_topics(4))
    found = learn_topics(config, SCHEME, object(), data, none, None)
    assert found.model is None
    assert found.learned.micro_f1 == 1  # what learning would give is measured all the same
    assert (found.edits, found.without) == (1, 1)
    assert "None is suggested: one is learned from 5 articles with it and 5 without it on, translations counting once. 8 articles" in found.line


def test_translations_count_as_one_article(tmp_path):
    same = "\nSource: https://example.org/one"
    some = [(text + same * (topics == ("cybercrime",)), topics) for text, topics in two_topics(6)]
    config, data, none = desk(tmp_path, *some)
    found = learn_topics(config, SCHEME, object(), data, none, None)
    assert (found.groups, found.model) == (7, None)
    assert found.learned.micro_f1 < 1  # nothing is learned of a topic from its own translation


def test_a_topic_that_says_nothing_about_the_words_is_not_suggested(tmp_path):
    some = [(article(SEA, number), ("cybercrime" if number % 2 else "drug-control",)) for number in range(10)]
    config, data, none = desk(tmp_path, *some)
    found = learn_topics(config, SCHEME, object(), data, none, None)
    assert found.model.names == ("cybercrime", "drug-control")
    assert (found.model.given, found.edits) == ((False, False), found.without)


def test_a_desk_without_topics_gets_nothing_and_no_line(tmp_path):
    config, data, none = desk(tmp_path, *((text, ()) for text, _ in two_topics(6)))
    assert learn_topics(config, SCHEME, object(), data, none, None) is None


def test_an_article_without_topics_was_not_asked_for_them_and_is_no_example(tmp_path):
    config, data, none = desk(tmp_path, *two_topics(6), (article(SEA, 7), ()))
    assert learn_topics(config, SCHEME, object(), data, none, None).articles == 12


def test_languages_that_are_left_out_teach_no_topic(tmp_path):
    config, data, none = desk(tmp_path, *two_topics(6), leave_out_languages=["en"])
    assert {*data.languages} == {"en"}
    assert learn_topics(config, SCHEME, object(), data, none, None) is None


def test_furniture_says_nothing_of_the_topic(tmp_path, learned):
    menu = "\n" + "\n".join(f"{word} menu" for word in WOOD)
    some = [(text + menu * (topics == ("cybercrime",)), topics) for text, topics in two_topics(6)]
    config, data, none = desk(tmp_path, *some)
    furniture = none.copy()
    furniture[:, SCHEME.label_names.index("boilerplate")] = [text.endswith("menu") for text in data.texts]
    with_menus, without = (learn_topics(config, SCHEME, object(), data, one, None) for one in (none, furniture))
    assert np.allclose(without.model.weights, learned.model.weights, atol=1e-3)
    assert not np.allclose(with_menus.model.weights, learned.model.weights, atol=1e-3)


def corpus(*texts):
    """A cold-start corpus of articles with one passage each."""
    count, names = len(texts), np.array([f"d{number}" for number in range(len(texts))])
    kinds = np.array([HARD_PAIRS if "pair" in text else "article" for text in texts])
    languages = np.full(count, "en")
    return LabelledPassages(SCHEME.label_names, list(texts), np.zeros((count, 4), np.float32), names, names, languages, names, [(0, 1)] * count, kinds)


@pytest.fixture
def own_labels(tmp_path):
    """A labels file with two topics that are defined by the words that their articles are about."""
    content = yaml.safe_load(DEFAULT_LABELS.read_text(encoding="utf-8"))
    entry = content["topics"]["cybercrime"]
    content["topics"] = {"sea": entry | {"definition": " ".join(SEA)}, "wood": entry | {"definition": " ".join(WOOD), "hotkey": "w"}}
    (tmp_path / "labels.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path / "labels.yaml"


def test_topics_with_few_articles_are_compared_by_their_definitions(tmp_path, own_labels):
    scheme = load_labels(own_labels)
    some = [(article(words, number), (topic,)) for topic, words in (("sea", SEA), ("wood", WOOD)) for number in range(3)]
    some.append(("Nobody came to the party on Monday.\nIt rained all day long.", ("sea", "wood")))
    config, data, none = desk(tmp_path, *some, labels=own_labels)
    found = learn_topics(config, scheme, WithVectors(), data, none, corpus(*OTHERS))
    assert (found.model.names, found.model.learned, found.model.given) == (("sea", "wood"), (False, False), (True, True))
    assert 0 < found.definitions.micro_f1 < 1  # what no definition is near to is not found
    assert found.model.predict(article_vector(WithVectors(), [article(SEA, 5)])).topics == ["sea"]
    assert found.model.predict(article_vector(WithVectors(), ["The council met and talked about its budget."])).topics == []
    assert (found.edits, found.without) == (2 / 7, 8 / 7)
    assert "Suggested: sea (by definition), wood (by definition); 0.3 edits per article, 1.1 without suggestions." in found.line


def test_a_few_right_answers_may_be_chance_and_suggest_nothing(tmp_path, own_labels):
    some = [(article(words, number), (topic,)) for topic, words in (("sea", SEA), ("wood", WOOD)) for number in range(2)]
    config, data, none = desk(tmp_path, *some, labels=own_labels)
    found = learn_topics(config, load_labels(own_labels), WithVectors(), data, none, corpus(*OTHERS))
    assert found.definitions.micro_f1 == 1
    assert (found.model.given, found.edits) == ((False, False), found.without)


def test_definitions_are_not_compared_without_vectors_or_without_other_articles(tmp_path, own_labels):
    scheme = load_labels(own_labels)
    config, data, none = desk(tmp_path, (article(SEA, 0), ("sea",)), (article(WOOD, 0), ("wood",)), labels=own_labels)
    for classifier, others in ((object(), corpus("One.", "Two.")), (WithVectors(), None), (WithVectors(), corpus("One.", "a pair"))):
        found = learn_topics(config, scheme, classifier, data, none, others)
        assert (found.model, found.definitions) == (None, None)


def test_definitions_that_cost_more_than_they_save_are_only_scored(tmp_path, own_labels):
    scheme = load_labels(own_labels)
    config, data, none = desk(tmp_path, (article(SEA, 0), ("wood",)), (article(WOOD, 0), ("sea",)), labels=own_labels)
    found = learn_topics(config, scheme, WithVectors(), data, none, corpus(*OTHERS))
    assert (found.model.given, found.edits, found.without) == ((False, False), 1, 1)
    forest = article_vector(WithVectors(), [article(WOOD, 0)])
    assert found.model.predict(forest).topics == []
    assert found.model.predict(forest, threshold=0.5).topics == ["wood"]
    assert "None is suggested: that would not save annotators work." in found.line


def test_a_saved_model_gives_the_topics_that_it_gave_before(model, tmp_path):
    texts, labels = [article(SEA, 3)], [[]]
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.predict_topics(texts, labels) == model.predict_topics(texts, labels)
    assert loaded.predict_topics(texts, labels).topics == ["cybercrime"]
    save_model(replace(model, topics=replace(model.topics, given=(False, False))), tmp_path / "other")
    assert load_model(tmp_path / "other").version != loaded.version
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}


def test_a_model_without_topics_gives_none_and_saves_no_files_of_them(model, tmp_path):
    save_model(replace(model, topics=None), tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert (loaded.topics, loaded.predict_topics(["boats"], [[]]).scores) == (None, {})
    assert not list((tmp_path / "model").glob("topics*"))


def test_topics_that_do_not_fit_their_weights_are_damage(model, tmp_path):
    save_model(model, tmp_path / "model")
    facts = tmp_path / "model" / "topics.json"
    content = json.loads(facts.read_text(encoding="utf-8"))
    facts.write_text(json.dumps({"topics": content["topics"][:1]}), encoding="utf-8")
    card = tmp_path / "model" / "newsmark.json"
    fields = json.loads(card.read_text(encoding="utf-8"))
    fields["files"]["topics.json"] = facts.stat().st_size
    del fields["digests"]
    card.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(NewsmarkError, match="the model's files are damaged"):
        load_model(tmp_path / "model")


def test_what_stands_around_an_article_is_not_read_unless_there_is_nothing_else(model):
    menu = " ".join(WOOD)
    inside = model.predict_topics([article(SEA, 3), *[menu] * 9], [[], *[["boilerplate"]] * 9])
    assert inside == model.predict_topics([article(SEA, 3)], [[]])
    assert model.predict_topics([menu], [["boilerplate"]]).topics == ["drug-control"]
    assert all(map(math.isfinite, model.predict_topics([], []).scores.values()))


def test_a_long_article_is_read_in_passages_all_over_it():
    texts = [f"passage {number}" for number in range(1000)]
    assert np.allclose(article_vector(None, texts), unit(word_vectors(texts[::16]).mean(axis=0)))


def test_suggestions_carry_topics_that_the_labels_file_has_and_that_are_sure_enough(model):
    document = Document(article(SEA, 3), "a.txt", "en")
    suggester = ModelSuggester(model, SCHEME)
    made = suggester.suggest(document)
    assert made.topics == ("cybercrime",)
    [result] = [one for one in prediction_row(document, made)["result"] if one["from_name"] == "topics"]
    assert result["value"] == {"choices": ["cybercrime"]}
    score = made.topic_scores["cybercrime"]
    assert SureSuggester(suggester, score - 0.01).suggest(document).topics == ("cybercrime",)
    assert SureSuggester(suggester, score + 0.01).suggest(document).topics == ()
    others = replace(SCHEME, topics=tuple(topic for topic in SCHEME.topics if topic.name != "cybercrime"))
    assert ModelSuggester(model, others).suggest(document).topics == ()


@pytest.fixture
def predict(model, tmp_path, capsys):
    """Run ``predict --topics`` on two articles; returns the exit code and what was printed."""
    save_model(model, tmp_path / "model")
    (tmp_path / "in").mkdir()
    for name, words in (("a", SEA), ("b", WOOD)):
        (tmp_path / "in" / f"{name}.txt").write_text(article(words, 3), encoding="utf-8")

    def run(*arguments, paths=(tmp_path / "in",)):
        code = cli.main(["--topics", "--model", str(tmp_path / "model"), *map(str, arguments), *map(str, paths)])
        return code, *capsys.readouterr()

    return run


def test_predict_gives_a_row_per_article(predict):
    code, out, err = predict()
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, [row["topics"] for row in rows]) == (0, [["cybercrime"], ["drug-control"]])
    assert [Path(row["name"]).name for row in rows] == ["a.txt", "b.txt"]
    assert rows[0].keys() == {"document", "name", "topics", "scores", "model_version"}
    assert rows[0]["scores"]["cybercrime"] > 0.5 > rows[0]["scores"]["drug-control"]
    assert err.startswith("model: baseline-")
    code, out, _ = predict("--format", "table", "--threshold", "0")
    assert (code, [len(line.split()) for line in out.splitlines()]) == (0, [5, 5])


@pytest.mark.parametrize("ending", ["jsonl", "csv", "xlsx", "parquet"])
def test_predict_writes_topics_to_files(predict, tmp_path, ending):
    output = tmp_path / "new" / f"topics.{ending}"
    code, out, _ = predict("--output", output, "--json")
    assert (code, json.loads(out)["rows"]) == (0, 2)
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    if ending == "csv":
        lines = output.read_text(encoding="utf-8-sig").splitlines()
        assert lines[0] == "document,name,topics,score_cybercrime,score_drug-control,model_version"
        assert ",cybercrime," in lines[1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--article"], "--topics gives rows of articles, and --article is for passages: leave out one of the two"),
        (
            ["--workers", "2", "--engine", "ray"],
            "--topics finds the topics in this process, and by no server or other process: leave out --workers and --engine",
        ),
        (["--spans"], "and --spans is for passages"),
        (["--output", "topics.txt"], "name a .jsonl"),
    ],
)
def test_options_that_are_for_passages_are_refused(predict, options, problem):
    code, out, err = predict(*options)
    assert (code, out) == (2, "")
    assert problem in err


def test_a_passage_is_refused_or_skipped(predict, tmp_path):
    rows = [{"text": "A passage.", "document": "d"}, {"text": article(SEA, 1), "name": "whole"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code, out, err = predict(paths=[tmp_path / "rows.jsonl"])
    assert (code, out) == (1, "")
    assert "rows.jsonl, line 1: this row is a passage, and topics are of whole articles" in err
    code, out, _ = predict("--on-error", "skip", paths=[tmp_path / "rows.jsonl"])
    assert (code, json.loads(out)["name"]) == (3, "whole")


def test_a_model_that_knows_no_topics_says_so(predict, model, tmp_path):
    save_model(replace(model, topics=None), tmp_path / "none")
    code, out, err = predict("--model", tmp_path / "none")
    assert (code, out) == (1, "")
    assert "knows no topics" in err
    save_model(replace(model, topics=replace(model.topics, given=(False, False))), tmp_path / "scored")
    code, out, err = predict("--model", tmp_path / "scored")
    assert (code, [json.loads(line)["topics"] for line in out.splitlines()]) == (0, [[], []])
    assert "no topic is given: in training none was found to save annotators work" in err


def test_the_python_interface_gives_topics_of_texts_and_documents(model):
    own = newsmark.Model(model)
    assert own.topics(article(SEA, 3)).topics == ["cybercrime"]
    documents = [Document(article(words, 3), "a.txt", "en") for words in (SEA, WOOD)]
    assert [one.topics for one in own.topics(documents)] == [["cybercrime"], ["drug-control"]]
    assert own.topics(documents, threshold=1.0) == [replace(one, topics=[]) for one in own.topics(documents)]
    assert isinstance(own.topics("Boats.", lang="en"), newsmark.TopicPrediction)


def test_the_seeds_topics_are_measured_and_none_is_suggested_by_the_baseline():
    config = load_config(Path("configs/baseline.yaml"), {"bootstrap": ""}, fast=False)
    data = load_passages(config.data.documents, config.data.annotations)
    found = learn_topics(config, SCHEME, object(), data, np.zeros(data.targets.shape, dtype=bool), None)
    assert (found.articles, found.groups, found.model, found.without, found.edits) == (5, 4, None, 3.6, 3.6)


def test_a_topic_model_reads_what_it_wrote(tmp_path):
    weights = np.array([[1.0, -2.0], [0.5, 0.0]])
    TopicModel(("a", "b"), (True, False), (False, True), weights, np.array([0.25, -1.0])).save(tmp_path)
    read = TopicModel.load(tmp_path)
    assert (read.names, read.learned, read.given) == (("a", "b"), (True, False), (False, True))
    assert np.array_equal(read.scores(np.eye(2)), read.scores(np.eye(2)[::-1])[::-1])
    assert read.predict(np.array([2.0, 0.0])).topics == ["b"]  # "a" reaches the threshold, too, and is only scored


def test_the_gate_counts_edits_of_topics_and_a_run_without_topics_as_one_that_suggests_none():
    def run(**metrics):
        return LoggedRun("r", "baseline", "d", "cross-validation", {"edits_per_article": 10.0, **metrics}, {})

    saving, useless, older = run(**{TOPIC_EDITS: 1.0, NO_TOPIC_EDITS: 3.0}), run(**{TOPIC_EDITS: 3.0, NO_TOPIC_EDITS: 3.0}), run()
    assert [edits_of(one, saving) for one in (saving, useless, older)] == [11, 13, 13]
    assert edits_of(older, older) == 10
