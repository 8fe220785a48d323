"""What a training run says of what it trains on: documents that are left out, labels that the corpus does not have, and new labels."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from newsmark.annotation.annotations import Annotation, Span, write_annotations
from newsmark.annotation.documents import make_document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.training.config import Config, DataConfig
from newsmark.training.material import digests_of, load_material

TEXT = "Regeringen ska bygga tio skolor i norr.\nMinistern hotar med nya avgifter.\n"
SCHEME = """labels:
{labels}
topics:
  other: {{definition: Anything., color: "#000001", hotkey: "0"}}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path / "cache"))


def load(folder, labels, corpus, marked):
    """Load one article beside another that nobody annotated, with one span of the label ``marked``, or with nothing judged; return what is said, too."""
    rows = (f'  {name}: {{definition: A label., color: "#000000", hotkey: "{number}"}}' for number, name in enumerate(labels, start=1))
    (folder / "labels.yaml").write_text(SCHEME.format(labels="\n".join(rows)), encoding="utf-8")
    (folder / "article.txt").write_text(TEXT, encoding="utf-8")
    (folder / "other.txt").write_text("Ingen har läst den här artikeln ännu.\n", encoding="utf-8")
    span = {"id": "s", "start": 40, "end": 73, "label": marked}
    annotation = {"document": make_document(TEXT, "", "sv").id, "annotator": "a", "ground_truth": False, "topics": [], "spans": []}
    annotation |= {"spans": [span], "offered": [*labels]} if marked else {}
    (folder / "annotations.jsonl").write_text(json.dumps(annotation) + "\n", encoding="utf-8")
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus), encoding="utf-8")
    documents = tuple(str(folder / name) for name in ("article.txt", "other.txt"))
    data = DataConfig("baseline", documents, str(folder / "annotations.jsonl"), bootstrap=str(folder / "corpus.jsonl"), labels=str(folder / "labels.yaml"))
    said = []
    material = load_material(Config(data, BaselineSettings()), load_labels(folder / "labels.yaml"), None, said.append)
    return material, said


def corpus(label, count=40):
    return [{"text": f"Rad {number} av en text som ingen annan har.", "labels": [label] if number % 2 else []} for number in range(count)]


def test_a_corpus_without_any_of_the_labels_is_left_out_and_that_is_one_line(tmp_path):
    material, said = load(tmp_path, ("threat", "appeal"), corpus("boilerplate"), "threat")
    assert material.bootstrap is None
    assert [line for line in said if "corpus" in line] == [
        f"the cold-start corpus {tmp_path / 'corpus.jsonl'} has none of the labels threat, appeal: trained without it"
    ]


def test_a_corpus_with_some_of_the_labels_teaches_those(tmp_path):
    material, said = load(tmp_path, ("threat", "appeal"), [*corpus("appeal", 80), {"text": "Dela artikeln", "labels": ["boilerplate"]}], "threat")
    assert material.bootstrap.judged.sum(axis=0).tolist() == [0, 81]
    where = f"the cold-start corpus {Path(tmp_path) / 'corpus.jsonl'}"
    assert f"{where} has labels that the labels file does not have, and they are left out: boilerplate" in said
    assert f"{where} says nothing about threat: learned without it" in said


def test_documents_that_nobody_annotated_are_counted_and_named(tmp_path):
    _, said = load(tmp_path, ("threat",), corpus("threat"), "threat")
    assert "1 of 2 documents have no annotation, or only skipped ones, and are left out: other.txt" in said


def test_documents_whose_annotators_differ_are_counted_and_what_is_done_is_said(tmp_path):
    document = make_document(TEXT, "", "sv")
    rows = [Annotation(document.id, "", name, False, ("other",), (), offered=("quote",)) for name in ("a", "b")]
    rows[0] = replace(rows[0], spans=(Span("s", 40, 73, "quote", "direct"),))
    (tmp_path / "article.txt").write_text(TEXT, encoding="utf-8")
    write_annotations(tmp_path / "annotations.jsonl", rows)
    said = []
    data = DataConfig("baseline", (str(tmp_path / "article.txt"),), str(tmp_path / "annotations.jsonl"))
    material = load_material(Config(data, BaselineSettings()), load_labels(), None, said.append)
    assert material.data.truth.sum() == 1
    assert [line for line in said if line.startswith("in 1 of 1 documents annotators differ") and "of two, one suffices" in line]


def test_a_label_with_few_passages_is_new_and_one_with_many_is_not(tmp_path):
    _, said = load(tmp_path, ("threat", "appeal"), corpus("appeal", 80), "threat")
    assert "threat is new: 1 of 2 passages judged for it have it; scores mean little below 30" in said
    assert not any(line.startswith("appeal") for line in said)


def test_annotations_that_judge_no_label_are_an_error(tmp_path):
    with pytest.raises(NewsmarkError, match=r"annotations\.jsonl: no annotation has a span or says in 'offered' which labels were judged"):
        load(tmp_path, ("threat",), corpus("threat"), None)


def test_the_digests_change_with_labelled_passages_and_with_the_corpus(tmp_path):
    material, _ = load(tmp_path, ("threat", "appeal"), corpus("appeal"), "threat")
    scheme, rows, where = load_labels(tmp_path / "labels.yaml"), tmp_path / "rows.jsonl", tmp_path / "corpus.jsonl"
    files = {"bootstrap": str(where), "labels": str(tmp_path / "labels.yaml")}

    def found(*passages):
        data = DataConfig("baseline", (str(tmp_path / "article.txt"),), str(tmp_path / "annotations.jsonl"), passages=passages, **files)
        return digests_of(Config(data, BaselineSettings()), scheme)

    first = found()
    assert {**first, "files_digest": ""} == {"data_digest": material.data.digest, "bootstrap_digest": material.bootstrap.digest, "files_digest": ""}
    rows.write_text('{"text": "Vi ber er om hjälp.", "labels": ["appeal"]}\n')
    second = found(str(rows))
    assert second["data_digest"] != first["data_digest"]
    where.write_text(json.dumps(corpus("appeal")[1]) + "\n")
    third = found(str(rows))
    assert (third["data_digest"], third["bootstrap_digest"] != first["bootstrap_digest"]) == (second["data_digest"], True)


def test_a_digest_changes_with_all_else_that_a_training_reads_and_with_nothing_that_it_does_not_read(tmp_path):
    corpus_folder, rows, labels = tmp_path / "corpus", tmp_path / "rows.jsonl", tmp_path / "labels.yaml"
    load(tmp_path, ("threat", "appeal"), corpus("appeal"), "threat")
    marked, annotations = corpus_folder / "spans" / "a.jsonl", tmp_path / "annotations.jsonl"
    marked.parent.mkdir(parents=True)
    (tmp_path / "corpus.jsonl").rename(corpus_folder / "a.jsonl")
    marked.write_text('{"document": "d", "text": "Hjälp oss nu.", "spans": [{"start": 0, "end": 13, "label": "appeal"}]}\n')
    rows.write_text('{"text": "Vi ber er om hjälp.", "labels": ["appeal"]}\n')
    (annotation,) = map(json.loads, annotations.read_text().splitlines())

    def digests():
        data = DataConfig(
            "baseline", (str(tmp_path / "article.txt"),), str(annotations), passages=(str(rows),), bootstrap=str(corpus_folder), labels=str(labels)
        )
        return digests_of(Config(data, BaselineSettings()), load_labels(labels))

    def annotate(**changed):
        annotations.write_text(json.dumps(annotation | changed) + "\n")

    first = digests()
    (span,) = annotation["spans"]
    changes = {
        "a border": lambda: annotate(spans=[span | {"end": span["end"] - 1}]),
        "a marked span of the corpus": lambda: marked.write_text(marked.read_text().replace("13", "12")),
        "a weight": lambda: rows.write_text(rows.read_text().replace("}", ', "weight": 3}')),
        "a label's definition": lambda: labels.write_text(labels.read_text() + "# read again\n"),
    }
    seen = {first["files_digest"]}
    for what, change in changes.items():
        change()
        now = digests()
        assert {**now, "files_digest": ""} == {**first, "files_digest": ""}, what  # no passage has another label
        assert now["files_digest"] not in seen, what
        seen.add(now["files_digest"])
    annotate(spans=[span | {"end": span["end"] - 1, "id": "other"}], note="Klart.")
    assert digests()["files_digest"] == now["files_digest"]
