"""The public Python interface: what newsmark.py exports, used as the README uses it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import newsmark

SEEDS = Path("seeds")
ARTICLE = "Ministern lovar sänkta utsläpp till 2030. Hon talade i går.\nDela artikeln"
HEAVY = {
    "numpy",
    "scipy",
    "sklearn",
    "torch",
    "transformers",
    "onnxruntime",
    "mlflow",
    "pandas",
    "yaml",
    "pydantic",
    "py3langid",
    "label_studio_sdk",
}
SHADOWS = ("models", "annotation", "training", "configs")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Folder of a baseline that was trained on a few passages of the cold-start corpus."""
    from newsmark.models.baseline.settings import BaselineSettings
    from newsmark.models.baseline.trainer import Baseline
    from newsmark.models.calibration import Calibration
    from newsmark.models.model import TrainedModel
    from newsmark.models.saved import save_model
    from newsmark.training.labelled import load_labelled

    scheme = newsmark.load_labels()
    data = load_labelled(Path("seeds/bootstrap/sv.jsonl"), scheme)
    classifier = Baseline.fit(list(data.texts[:400]), data.targets[:400], BaselineSettings(), 1, lambda *_: None)
    folder = tmp_path_factory.mktemp("saved") / "model"
    calibrations = tuple(Calibration() for _ in data.labels)
    save_model(TrainedModel("baseline", data.labels, scheme.exclusive_names, calibrations, classifier), folder)
    return folder


def run_python(code, folder):
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_every_public_name_can_be_imported():
    assert sorted(newsmark.__all__) == newsmark.__all__
    for name in newsmark.__all__:
        assert getattr(newsmark, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        newsmark.nothing  # noqa: B018


def test_importing_it_loads_no_library(tmp_path):
    done = run_python("import sys, newsmark; print('\\n'.join(sys.modules))", tmp_path)
    loaded = set(done.stdout.split())
    assert "newsmark" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("newsmark.")}


def test_documents_are_read_from_a_folder_a_file_and_several(tmp_path):
    rows = tmp_path / "articles.jsonl"
    rows.write_text(json.dumps({"text": ARTICLE, "name": "one", "lang": "sv"}) + "\n", encoding="utf-8")
    assert len(newsmark.read_documents("seeds")) == 5
    (document,) = newsmark.read_documents(rows)
    assert (document.text, document.name, document.language) == (ARTICLE, "one", "sv")
    assert len(newsmark.read_documents([SEEDS, rows])) == 6


def test_a_text_is_split_into_passages_whose_offsets_give_them_back():
    passages = newsmark.split(ARTICLE, lang="sv")
    assert [passage.text for passage in passages] == ["Ministern lovar sänkta utsläpp till 2030.", "Hon talade i går.", "Dela artikeln"]
    assert all(ARTICLE[passage.start : passage.end] == passage.text for passage in passages)
    assert newsmark.split(ARTICLE) == passages  # the language is identified


def test_labels_come_from_the_project_or_from_a_file(tmp_path):
    assert {"commitment", "statistic", "quote", "boilerplate"} <= set(newsmark.load_labels().label_names)
    own = tmp_path / "labels.yaml"
    entry = '{definition: "d", color: "#000000", hotkey: "%s"}'
    own.write_text(f"labels:\n  rumour: {entry % 'a'}\ntopics:\n  sport: {entry % 'b'}\n", encoding="utf-8")
    assert newsmark.load_labels(own).label_names == ("rumour",)


def test_annotations_are_written_as_they_were_read(tmp_path):
    documents = newsmark.read_documents("seeds")
    annotations = newsmark.read_annotations("seeds/annotations.jsonl", documents)
    newsmark.write_annotations(tmp_path / "annotations.jsonl", annotations)
    assert newsmark.read_annotations(tmp_path / "annotations.jsonl") == annotations


def test_errors_of_the_interface_are_of_one_class(tmp_path):
    for wrong in (
        lambda: newsmark.read_documents(tmp_path / "missing.txt"),
        lambda: newsmark.load_labels(tmp_path / "missing.yaml"),
        lambda: newsmark.load(tmp_path / "missing"),
        lambda: newsmark.train("configs/baseline.yaml", sede=7),
        lambda: newsmark.load_labels(tmp_path),
        lambda: newsmark.load(""),
        lambda: newsmark.train("configs/baseline.yaml", seed="seven"),
        lambda: newsmark.train("configs/baseline.yaml", seed=None),
        lambda: newsmark.train("configs/baseline.yaml", rates={"commitment": 7}),
    ):
        with pytest.raises(newsmark.NewsmarkError):
            wrong()


def test_a_model_labels_a_text_several_texts_and_documents(model_folder):
    model = newsmark.load(model_folder)
    assert model.labels == newsmark.load_labels().label_names
    assert model.version.startswith("baseline-")
    passages = model.predict(ARTICLE, lang="sv")
    assert [ARTICLE[one.start : one.end] for one in passages] == [one.text for one in passages] == [one.text for one in newsmark.split(ARTICLE, "sv")]
    assert all(set(one.scores) == set(model.labels) and set(one.labels) <= set(model.labels) for one in passages)
    assert model.predict([ARTICLE, "Hon talade i går."], lang="sv")[0] == passages
    documents = newsmark.read_documents("seeds")
    answers = model.predict(documents)
    assert [len(answer) for answer in answers] == [len(newsmark.split(one.text, one.language)) for one in documents]
    assert model.predict(documents[0]) == answers[0]
    assert model.predict([]) == []


def test_a_model_finds_the_spans_of_a_text_several_texts_and_documents(model_folder):
    model = newsmark.load(model_folder)
    passages, spans = model.predict(ARTICLE, lang="sv", threshold=0.3), model.predict_spans(ARTICLE, lang="sv", threshold=0.3)
    assert spans
    assert all(ARTICLE[span.start : span.end] == span.text for span in spans)
    assert [(span.label, span.score) for span in spans] == [(label, one.scores[label]) for one in passages for label in one.labels]
    documents = newsmark.read_documents("seeds")
    assert model.predict_spans([ARTICLE, ARTICLE], lang="sv", threshold=0.3) == [spans, spans]
    assert len(model.predict_spans(documents)) == 5


def test_passages_are_labelled_one_for_one_with_or_without_their_neighbours(model_folder):
    model = newsmark.load(model_folder)
    texts = [passage.text for passage in newsmark.split(ARTICLE, "sv")]
    in_context = model.predict_passages(texts)
    assert [one.scores for one in in_context] == [one.scores for one in model.predict(ARTICLE, lang="sv")]
    alone = model.predict_passages(texts, context=False)
    assert alone == [model.predict_passages([text])[0] for text in texts]
    assert all(one.labels for one in model.predict_passages(texts, threshold=0.0))


@pytest.mark.parametrize("threshold", [50, -1, float("nan"), "0.5"])
def test_a_threshold_is_a_probability(model_folder, threshold):
    model = newsmark.load(model_folder)
    for ask in (model.predict, model.predict_spans, model.topics, lambda text, threshold: model.predict_passages([text], threshold=threshold)):
        with pytest.raises(newsmark.NewsmarkError, match="threshold: must be a number from 0 to 1"):
            ask("Solen sken.", threshold=threshold)


def test_a_text_is_no_list_of_passages(model_folder):
    with pytest.raises(newsmark.NewsmarkError, match="passages: must be a list of texts"):
        newsmark.load(model_folder).predict_passages("Solen sken.")


def test_a_passage_of_which_the_model_reads_only_the_beginning_says_so(model_folder):
    class ReadsFive:
        """The baseline, as if it read five characters."""

        def __init__(self, classifier):
            self.scores = classifier.scores

        def truncates(self, texts):
            return [len(text) > 5 for text in texts]

    whole = newsmark.load(model_folder)
    assert not any(one.truncated for one in whole.predict(ARTICLE, lang="sv"))
    shortened = newsmark.Model(replace(whole._trained, classifier=ReadsFive(whole._trained.classifier)))
    assert [one.truncated for one in shortened.predict("Hej.\n" + ARTICLE, lang="sv")] == [False, True, True, True]


@pytest.mark.training
def test_training_returns_the_run_its_model_and_its_evaluation(monkeypatch, store):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    result = newsmark.train("configs/baseline.yaml", bootstrap="", seed=7, max_folds=2, rates={})
    assert 0 < result.evaluation.macro_f1.value < 1
    assert "macro" in result.table
    assert newsmark.load(result.run_id).predict(ARTICLE, lang="sv") == result.model.predict(ARTICLE, lang="sv")


@pytest.mark.training
def test_the_python_of_the_readme_and_of_the_models_manual_runs(store, tmp_path):
    """Without the cold-start corpus, which would take a minute more; each document of the first block is a seed."""
    (block,) = re.findall(r"```python\n(import newsmark\n.*?)```", Path("README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in block.splitlines() if line]) == 6
    (other,) = re.findall(r"```python\n(import newsmark\n.*?)```", Path("models/README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "seed=7" in block
    assert '"articles"' in other
    script = tmp_path / "script.py"
    script.write_text(block.replace("seed=7", 'seed=7, bootstrap=""') + other.replace('"articles"', '"seeds"'), encoding="utf-8")
    done = subprocess.run([sys.executable, script], env=store, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.match(r"0 \d+ \[", done.stdout)
    assert "'commitment':" in done.stdout


def test_modules_of_the_same_names_beside_a_script_do_no_harm(tmp_path, model_folder):
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n", encoding="utf-8")
    (tmp_path / "script.py").write_text(
        f"""
import newsmark

(article,) = newsmark.read_documents("article.txt")
annotations = newsmark.read_annotations("annotations.jsonl", [article], newsmark.load_labels())
newsmark.write_annotations("copy.jsonl", annotations)
model = newsmark.load({str(model_folder)!r})
print(len(newsmark.split(article.text)), len(model.predict(article)), newsmark.Evaluation.__name__)
try:
    newsmark.train("missing.yaml")
except newsmark.NewsmarkError as error:
    print(error)
""",
        encoding="utf-8",
    )
    (tmp_path / "article.txt").write_text(ARTICLE, encoding="utf-8")
    (tmp_path / "annotations.jsonl").touch()
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "3 3 Evaluation"
    assert "missing.yaml" in done.stdout.splitlines()[1]
    for entry, arguments, code in (
        ("from newsmark import annotate as main", ["split", "article.txt"], 0),
        ("from newsmark.models.cli import main", ["--model", str(model_folder), "article.txt"], 0),
        ("from newsmark.training.cli import main", ["--config", "missing.yaml"], 2),
    ):
        done = run_python(f"import sys; {entry}; sys.exit(main({arguments!r}))", tmp_path)
        assert (done.returncode, len(done.stdout.splitlines())) == (code, 0 if code else 3), done.stderr
