"""The data set of passages: what its rows hold, that it follows every change of its sources, and the test file."""

import json
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from newsmark.annotation.documents import make_document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.baseline.trainer import Baseline
from newsmark.models.model import decide
from newsmark.training.dataset import Passages, load_passages
from newsmark.training.labelled import load_corpus, load_labelled
from newsmark.training.metrics import evaluate

ROOT = Path(__file__).parent.parent
SEEDS = (str(ROOT / "seeds"),)
ANNOTATIONS = str(ROOT / "seeds" / "annotations.jsonl")
TEXT = "Regeringen ska bygga tio skolor i norr.\nMinistern sade att det brådskar.\nSolen sken hela dagen över staden.\n"
FIRST, SECOND = (0, 39), (40, 73)
FIFTH_LABEL = '  appeal:\n    definition: Calls on others to act.\n    color: "#000000"\n    hotkey: "5"\n'


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def copy(tmp_path):
    """A folder with the seeds in ``seeds`` and the labels in ``labels.yaml``, to be edited."""
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    shutil.copy(ROOT / "configs" / "labels.yaml", tmp_path / "labels.yaml")
    return tmp_path


def load_copy(folder, labels="labels.yaml"):
    return load_passages([str(folder / "seeds")], str(folder / "seeds" / "annotations.jsonl"), str(folder / labels))


def read_rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def mark(label, offsets, number=1, **kind):
    return {"id": f"s{number}", "start": offsets[0], "end": offsets[1], "label": label, **kind}


def write_article(folder, *annotators, ground_truth=()):
    """Write one article, annotated once for each list of spans (those whose number is in ``ground_truth`` adjudicated)."""
    (folder / "article.txt").write_text(TEXT, encoding="utf-8")
    row = {"document": make_document(TEXT, "", "sv").id, "name": "article.txt", "topics": ["other"], "offered": [*load_labels().label_names]}
    rows = [row | {"annotator": f"reader-{n}", "ground_truth": n in ground_truth, "spans": spans} for n, spans in enumerate(annotators)]
    return [str(folder / "article.txt")], str(write_rows(folder / "annotations.jsonl", rows))


def test_seeds_give_149_passages_in_order_of_the_documents():
    data = load_passages(SEEDS, ANNOTATIONS)
    assert len(data.texts) == len(data.targets) == len(data.offsets) == 149
    assert list(data.names) == sorted(data.names)
    assert set(data.languages) == {"fr", "sv"}
    assert (len(set(data.documents)), len(set(data.groups))) == (5, 4)


def test_offsets_point_at_the_passage_in_its_document():
    data = load_passages(SEEDS, ANNOTATIONS)
    texts = {name: (ROOT / "seeds" / name).read_bytes().decode() for name in data.names}
    assert data.texts == [texts[name][start:end] for name, (start, end) in zip(data.names, data.offsets, strict=True)]


def test_targets_say_the_same_as_labels():
    builder = Passages.of(SEEDS, ANNOTATIONS)
    builder.download_and_prepare()
    table = builder.as_dataset("train")
    assert list(table["targets"]) == [[float(number in labels) for number in range(4)] for labels in table["labels"]]
    assert np.array_equal(load_passages(SEEDS, ANNOTATIONS).targets, np.array(table["targets"]))


def test_builder_is_a_datasets_builder_whose_features_come_from_the_labels_file():
    builder, scheme = Passages.of(SEEDS, ANNOTATIONS), load_labels()
    assert isinstance(builder, datasets.GeneratorBasedBuilder)
    assert tuple(builder.info.features["labels"].feature.names) == scheme.label_names
    assert tuple(builder.info.features["topics"].feature.names) == scheme.topic_names
    assert builder.info.features["targets"].length == len(scheme.label_names)


def test_streaming_gives_the_same_rows_as_the_cache():
    builder = Passages.of(SEEDS, ANNOTATIONS)
    builder.download_and_prepare()
    streamed = list(builder.as_streaming_dataset("train"))
    assert len(streamed) == 149
    assert streamed == list(builder.as_dataset("train"))


def test_digest_is_the_same_for_the_same_content_anywhere(copy):
    assert load_copy(copy).digest == load_copy(copy).digest == load_passages(SEEDS, ANNOTATIONS).digest


def test_changed_text_and_annotations_are_seen(copy):
    before = load_copy(copy)
    text, annotations = copy / "seeds" / "005.txt", copy / "seeds" / "annotations.jsonl"
    text.write_text(TEXT, encoding="utf-8")
    row = {"document": make_document(TEXT, "", "sv").id, "name": "005", "annotator": "reader-1", "ground_truth": True, "topics": [], "spans": []}
    write_rows(annotations, [*read_rows(annotations), row])
    after = load_copy(copy)
    assert after.texts == [*before.texts, *TEXT.splitlines()]
    text.write_text(TEXT + "Slut.\n", encoding="utf-8")
    with pytest.raises(NewsmarkError, match=r"annotations\.jsonl, line 16: unknown document"):
        load_copy(copy)


def test_one_changed_label_changes_targets_and_digest(copy):
    before = load_copy(copy)
    path = copy / "seeds" / "annotations.jsonl"
    rows = read_rows(path)
    spans = next(row for row in rows if row["ground_truth"])["spans"]
    spans.remove(next(span for span in spans if span["label"] == "statistic"))
    write_rows(path, rows)
    after = load_copy(copy)
    assert (before.targets - after.targets).sum(axis=0).tolist() == [0, 1, 0, 0]
    assert after.digest != before.digest


def test_changed_labels_file_is_seen(copy):
    before = load_copy(copy)
    path = copy / "labels.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("topics:\n", FIFTH_LABEL + "topics:\n"), encoding="utf-8")
    after = load_copy(copy)
    assert after.labels == (*before.labels, "appeal")
    assert after.targets.shape == (149, 5)
    assert after.digest != before.digest


def test_fifth_label_is_one_edit_of_the_labels_file(copy):
    labels, annotations = copy / "five.yaml", copy / "seeds" / "annotations.jsonl"
    labels.write_text((copy / "labels.yaml").read_text(encoding="utf-8").replace("topics:\n", FIFTH_LABEL + "topics:\n"), encoding="utf-8")
    rows = read_rows(annotations)
    next(row for row in rows if row["ground_truth"])["spans"].append(mark("appeal", (0, 132), number=99))
    write_rows(annotations, rows)
    data = load_copy(copy, "five.yaml")
    assert data.targets.shape == (149, 5)
    assert data.targets[:, 4].tolist() == [1.0] + [0.0] * 148
    probabilities = Baseline.fit(data.texts, data.targets, BaselineSettings(), 13, print).scores(data.texts)
    assert probabilities.shape == (149, 5)
    scores = evaluate(data, probabilities, decide(probabilities, [0.5] * 5, data.labels, load_labels(labels).exclusive_names), 13)
    assert [row.label for row in scores.labels] == ["commitment", "statistic", "quote", "boilerplate", "appeal"]
    assert scores.labels[4].support == 1


def test_ground_truth_is_the_only_vote(tmp_path):
    quote, statistic = mark("quote", FIRST, kind="direct"), mark("statistic", SECOND)
    data = load_passages(*write_article(tmp_path, [quote], [quote], [statistic], ground_truth={2}))
    assert data.targets.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(("silent", "kept"), [(0, 1), (1, 1), (2, 0)])
def test_label_needs_half_of_the_annotators_where_there_is_no_ground_truth(tmp_path, silent, kept):
    data = load_passages(*write_article(tmp_path, [mark("commitment", FIRST)], *[[]] * silent))
    assert data.targets.tolist() == [[kept, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_exclusive_label_yields_to_another_where_annotators_are_split_and_stays_where_it_is_alone(tmp_path):
    both = mark("boilerplate", SECOND, number=2)
    data = load_passages(*write_article(tmp_path, [mark("boilerplate", FIRST), both], [mark("commitment", FIRST), both]))
    assert data.targets.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_document_without_annotation_is_left_out(tmp_path):
    documents, annotations = write_article(tmp_path, [mark("statistic", FIRST)])
    (tmp_path / "other.txt").write_text("Ingen har läst den här artikeln ännu.\n", encoding="utf-8")
    assert set(load_passages([*documents, str(tmp_path / "other.txt")], annotations).names) == {"article.txt"}


def test_two_articles_of_one_name_that_follow_each_other_are_no_neighbours(tmp_path):
    texts = {"first": "Det regnar i byn. Ingen går ut.", "second": "Skolan är öppen. Alla är där."}
    articles = write_rows(tmp_path / "articles.jsonl", [{"text": text, "name": "untitled", "lang": "sv"} for text in texts.values()])
    rows = [{"document": make_document(text, "", "sv").id, "annotator": "a", "ground_truth": True, "topics": [], "spans": []} for text in texts.values()]
    data = load_passages([str(articles)], str(write_rows(tmp_path / "annotations.jsonl", rows)))
    assert (list(data.names), len(set(data.documents))) == (["untitled"] * 4, 2)
    assert [(one.before, one.after) for one in data.contexts[1:3]] == [(data.texts[0], ""), ("", data.texts[3])]


def test_nothing_annotated_is_an_error(tmp_path):
    with pytest.raises(NewsmarkError, match=r"annotations\.jsonl: none of the documents is annotated"):
        load_passages(*write_article(tmp_path))


@pytest.mark.parametrize("missing", ["article.txt", "annotations.jsonl"])
def test_missing_file_is_named(tmp_path, missing):
    arguments = write_article(tmp_path, [])
    (tmp_path / missing).unlink()
    with pytest.raises(NewsmarkError, match=rf"{missing}: no such file"):
        load_passages(*arguments)


def test_error_in_the_annotations_comes_through_unwrapped(tmp_path):
    with pytest.raises(NewsmarkError, match="line 1, span 1: unknown label 'statistik'; did you mean 'statistic'"):
        load_passages(*write_article(tmp_path, [mark("statistik", FIRST)]))


def test_test_file_gives_labelled_passages(tmp_path):
    rows = [
        {"text": "Tio procent, sade hon.", "labels": ["quote", "statistic"], "lang": "sv", "page": "p1"},
        {"text": "Solen sken.", "labels": [], "document": "d1", "page": "p2"},
        {"text": "Dela", "labels": ["boilerplate"]},
    ]
    path = write_rows(tmp_path / "test.jsonl", rows)
    data = load_labelled(path, load_labels())
    assert data.targets[:, 1:].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert np.isnan(data.targets[:, 0]).all()  # no row has a commitment: nobody may have looked for one
    assert list(data.documents) == list(data.groups) == ["p1", "d1", f"{path}, line 3"]
    assert list(data.languages) == ["sv", "und", "und"]
    assert (data.texts[1], data.offsets[1]) == ("Solen sken.", (0, 11))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a"}', "line 2: field 'labels' must be a list"),
        ('{"text": "a", "labels": 5}', "line 2: field 'labels' must be a list"),
        ('{"text": "a", "labels": ["quot"]}', "line 2: field 'labels': unknown label 'quot'; did you mean 'quote'"),
        ('{"text": "a", "labels": [["quote"]]}', "line 2: field 'labels': unknown label"),
        ('{"labels": []}', "line 2: there is no 'text'"),
        ('{"text": " ", "labels": []}', "line 2: 'text' is empty"),
        ('{"text": 5, "labels": []}', "line 2: 'text' is int"),
        ('{"text": "a", "labels": []', "line 2: broken JSON"),
        ('["a"]', "line 2: expected a JSON object"),
    ],
)
def test_bad_row_of_a_test_file_is_named_by_its_line(tmp_path, line, reason):
    path = tmp_path / "test.jsonl"
    path.write_text('{"text": "a", "labels": []}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(NewsmarkError, match=rf"test\.jsonl, {reason}"):
        load_labelled(path, load_labels())


def test_empty_and_missing_test_file_are_errors(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(NewsmarkError, match=r"empty\.jsonl: the file has no rows"):
        load_labelled(tmp_path / "empty.jsonl", load_labels())
    with pytest.raises(NewsmarkError, match=r"missing\.jsonl: no such file"):
        load_labelled(tmp_path / "missing.jsonl", load_labels())


def test_a_test_file_that_judges_no_label_is_an_error_before_anything_is_trained(tmp_path):
    write_rows(tmp_path / "own.jsonl", [{"text": "Det regnar.", "labels": []}])
    with pytest.raises(NewsmarkError, match=r"own\.jsonl: no row has a label or says in 'judged' which labels were judged"):
        load_labelled(tmp_path / "own.jsonl", load_labels())
    write_rows(tmp_path / "own.jsonl", [{"text": "Det regnar.", "labels": [], "judged": ["quote"]}])
    assert load_labelled(tmp_path / "own.jsonl", load_labels()).judged.sum() == 1


def test_an_annotation_says_nothing_about_a_label_that_its_annotator_was_not_offered(tmp_path):
    documents, path = write_article(tmp_path, [mark("quote", FIRST, kind="direct")])
    rows = [row | {"offered": ["quote", "boilerplate"]} for row in read_rows(Path(path))]
    data = load_passages(documents, str(write_rows(Path(path), rows)))
    assert data.judged.tolist() == [[False, False, True, True]] * 3
    assert data.targets[:, 2].tolist() == [1, 0, 0]
    assert np.isnan(data.targets[:, :2]).all()


def test_an_annotation_without_offered_judges_the_labels_that_such_annotations_of_the_file_use(tmp_path):
    documents, path = write_article(tmp_path, [mark("quote", FIRST, kind="direct")], [mark("commitment", SECOND)], [mark("statistic", FIRST)])
    older, other, newer = read_rows(Path(path))
    rows = [without_offered(older), without_offered(other), newer]
    data = load_passages(documents, str(write_rows(Path(path), rows)))
    assert data.judged.tolist() == [[True, True, True, True]] * 3  # the newer one judges all
    data = load_passages(documents, str(write_rows(Path(path), rows[:2])))
    assert data.judged.tolist() == [[True, False, True, False]] * 3
    assert data.targets[:, [0, 2]].tolist() == [[0, 1], [1, 0], [0, 0]]  # of two who differ, one suffices


def test_half_of_those_who_were_offered_a_label_give_it(tmp_path):
    documents, path = write_article(tmp_path, [mark("statistic", FIRST)], [], [])
    rows = read_rows(Path(path))
    assert load_passages(documents, path).targets[0].tolist() == [0, 0, 0, 0]
    rows[1]["offered"] = rows[2]["offered"] = ["quote"]
    assert load_passages(documents, str(write_rows(Path(path), rows))).targets[0].tolist() == [0, 1, 0, 0]


def test_what_was_judged_changes_the_digest(tmp_path):
    documents, path = write_article(tmp_path, [mark("statistic", FIRST)])
    before = load_passages(documents, path)
    write_rows(Path(path), [row | {"offered": ["statistic"]} for row in read_rows(Path(path))])
    after = load_passages(documents, path)
    assert np.array_equal(before.truth, after.truth)
    assert before.digest != after.digest


def without_offered(row):
    return {key: value for key, value in row.items() if key != "offered"}


def test_a_labelled_passage_may_say_which_labels_were_judged(tmp_path):
    rows = [
        {"text": "Solen sken.", "labels": [], "judged": ["commitment", "quote"]},
        {"text": "Tio procent, sade hon.", "labels": ["statistic"]},
        {"text": "Dela", "labels": ["boilerplate"]},
    ]
    data = load_labelled(write_rows(tmp_path / "test.jsonl", rows), load_labels())
    assert data.judged.tolist() == [[True, False, True, False], [False, True, False, True], [False, True, False, True]]


def test_a_label_that_the_row_does_not_judge_is_an_error(tmp_path):
    path = write_rows(tmp_path / "test.jsonl", [{"text": "Solen sken.", "labels": ["quote"], "judged": ["commitment"]}])
    with pytest.raises(NewsmarkError, match=r"test\.jsonl, line 1: label 'quote' is given, but not among the row's 'judged'"):
        load_labelled(path, load_labels())
    write_rows(path, [{"text": "Solen sken.", "labels": [], "judged": 1}])
    with pytest.raises(NewsmarkError, match=r"test\.jsonl, line 1: field 'judged' must be a list of label names"):
        load_labelled(path, load_labels())


def test_the_shipped_corpus_judges_its_four_labels_and_no_other(copy):
    path = copy / "labels.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("topics:\n", FIFTH_LABEL + "topics:\n"), encoding="utf-8")
    corpus, others = load_corpus(ROOT / "seeds" / "bootstrap", load_labels(path))
    assert corpus.judged[:, :4].all()
    assert not corpus.judged[:, 4].any()
    assert others == ()


def test_labels_of_a_corpus_that_the_scheme_does_not_have_are_named_and_left_out(copy):
    path = copy / "labels.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("boilerplate:", "threat:"), encoding="utf-8")
    corpus, others = load_corpus(ROOT / "seeds" / "bootstrap", load_labels(path))
    assert corpus.labels == ("commitment", "statistic", "quote", "threat")
    assert corpus.judged.all(axis=0).tolist() == [True, True, True, False]
    assert others == ("boilerplate",)
