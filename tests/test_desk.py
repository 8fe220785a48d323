"""The desk: ``annotate init``, the project file and what the commands take from it."""

import json
from pathlib import Path

import pytest
import yaml
from newsmark.annotation import cli
from newsmark.annotation.desk import current_desk
from newsmark.annotation.labels import load_labels
from newsmark.models import store
from newsmark.models.sqlite_store import suits
from newsmark.models.store import registered_name, sqlite_file
from newsmark.training.cli import main as train
from newsmark.training.config import load_config
from newsmark.training.dataset import load_passages

import newsmark

CONFIGS = Path(newsmark.__file__).parent / "configs"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Folder of a new desk, which is the current folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert cli.main(["init", str(tmp_path / "Klimat 2030")]) == 0
    monkeypatch.chdir(tmp_path / "Klimat 2030")
    return tmp_path / "Klimat 2030"


def change(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def defaults_of(*command):
    return vars(cli._parser().parse_args(command))


def test_init_writes_a_desk_whose_files_are_right(desk):
    names = sorted(path.name for path in desk.iterdir())
    assert names == [".gitignore", "CODEBOOK.md", "articles", "configs", "labels.yaml", "newsmark.yaml"]
    assert load_labels(desk / "labels.yaml").label_names == newsmark.load_labels().label_names == ("promise", "boilerplate")
    codebook = (desk / "CODEBOOK.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in codebook for name in (*newsmark.load_labels().label_names, *newsmark.load_labels().topic_names))
    assert current_desk().project == "Klimat 2030"
    assert registered_name() == "klimat-2030"


@pytest.mark.parametrize("kind", ["baseline", "transformer"])
def test_the_configurations_of_a_desk_are_newsmarks_own_with_the_desks_data(desk, kind):
    given = yaml.safe_load((desk / "configs" / f"{kind}.yaml").read_text(encoding="utf-8"))
    own = yaml.safe_load((CONFIGS / f"{kind}.yaml").read_text(encoding="utf-8"))
    del own["documents"], own["annotations"]
    assert given == own | {"bootstrap": str(CONFIGS.parent / "seeds" / "bootstrap")}
    data = load_config(Path(f"configs/{kind}.yaml"), {}).data
    assert (data.documents, data.annotations, data.labels) == (("articles",), "annotations.jsonl", "labels.yaml")


def test_labelled_passages_are_trained_on_alone_until_there_are_annotations(desk):
    passages = {"passages": "sentences.csv"}
    assert load_config(Path("configs/baseline.yaml"), passages).data.documents == ()
    (desk / "annotations.jsonl").touch()
    assert load_config(Path("configs/baseline.yaml"), passages).data.documents == ("articles",)


def test_a_configuration_belongs_to_the_desk_that_it_is_in(desk, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = load_config(desk / "configs" / "baseline.yaml", {"documents": "x.txt"}).data
    assert (data.documents, data.labels) == (("x.txt",), "Klimat 2030/labels.yaml")


@pytest.mark.parametrize("name", ["newsmark.yaml", "labels.yaml", "CODEBOOK.md", "articles", "configs"])
def test_init_replaces_nothing_and_writes_nothing_then(tmp_path, capsys, name):
    (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").write_text("ours")
    assert cli.main(["init", str(tmp_path)]) == 2
    assert f"{tmp_path}: holds {name} already, and nothing is replaced" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {name, "notes.txt"}


def test_init_in_a_folder_with_other_files_leaves_them(tmp_path):
    (tmp_path / ".gitignore").write_text("mine\n")
    assert cli.main(["init", str(tmp_path)]) == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert cli.main(["init", str(tmp_path / ".gitignore")]) == 2


def test_the_commands_take_from_the_project_file_what_no_option_gives_also_below_its_folder(desk, monkeypatch):
    change(desk / "newsmark.yaml", "documents: [articles]", "documents: [articles, more.jsonl]")
    push = defaults_of("push")
    assert (push["project"], push["labels"], push["data"]) == ("Klimat 2030", Path("labels.yaml"), desk / "label-studio")
    assert push["paths"] == [Path("articles"), Path("more.jsonl")]
    assert push["annotations"] is None  # which pushes annotations that are made already
    assert defaults_of("push", "one.txt", "--project", "Other")["project"] == "Other"
    for command in (("check",), ("agreement",), ("pull",), ("adjudicate",), ("export", "--format", "brat", "--output", "out")):
        assert defaults_of(*command)["annotations"] == Path("annotations.jsonl")
    assert sqlite_file() == desk / "mlruns" / "mlflow.db"
    monkeypatch.chdir(desk / "articles")
    assert defaults_of("check")["annotations"] == desk / "annotations.jsonl"
    assert sqlite_file() == desk / "mlruns" / "mlflow.db"


def test_all_commands_read_the_documents_of_a_desk_in_the_way_that_its_project_file_names(desk, capsys):
    change(desk / "newsmark.yaml", "recursive: false", "recursive: true\ntext_column: body\nencoding: cp1252")
    (desk / "articles" / "more").mkdir()
    (desk / "articles" / "more" / "one.txt").write_text("Staten bygger två skolor – och ett bad.", encoding="cp1252")
    (desk / "more.csv").write_text("body,note\nKommunen lovar tio bostäder.,b\n", encoding="utf-8")
    change(desk / "newsmark.yaml", "documents: [articles]", "documents: [articles, more.csv]")
    documents = newsmark.read_documents([desk / "articles", desk / "more.csv"])
    assert [one.text for one in documents] == ["Staten bygger två skolor – och ett bad.", "Kommunen lovar tio bostäder."]
    span = newsmark.Span("a", 0, len(documents[0].text), "promise")
    annotations = [newsmark.Annotation(one.id, one.name, "Kim", True, (), (span,) if one == documents[0] else ()) for one in documents]
    newsmark.write_annotations(desk / "annotations.jsonl", annotations)
    capsys.readouterr()
    assert cli.main(["check"]) == 0
    assert "2 documents" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["export", "--format", "passages-csv", "--output", str(desk / "out.csv")]) == 0
    config = load_config(Path("configs/baseline.yaml"), {})
    assert config.flat().items() >= {"recursive": True, "encoding": "cp1252", "text_column": "body"}.items()
    found = load_passages(config.data.documents, config.data.annotations, config.data.labels, config.data.reading)
    assert found.texts == [one.text for one in documents]
    assert not load_config(Path("configs/baseline.yaml"), {"recursive": "false"}).data.recursive
    assert cli.main(["check", "--no-recursive"]) == 1  # an annotation of a document that is not read


def test_help_shows_what_the_project_file_gives(desk, capsys):  # noqa: ARG001
    for command in (["push", "--help"], ["pull", "--help"]):
        with pytest.raises(SystemExit):
            cli.main(command)
    shown = " ".join(capsys.readouterr().out.split())
    assert all(part in shown for part in ("(default: Klimat 2030)", "(default: labels.yaml)", "(default: annotations.jsonl)", "(default: articles)"))


def test_without_a_project_file_everything_is_as_it_was():
    check = defaults_of("check")
    assert (check["paths"], check["annotations"], check["labels"]) == ([Path("seeds")], Path("seeds/annotations.jsonl"), Path("configs/labels.yaml"))
    assert (defaults_of("status")["project"], registered_name()) == ("newsmark", "newsmark")
    with pytest.raises(SystemExit):
        defaults_of("push")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("data:", "dta:", "unknown key 'dta'; did you mean 'data'?"),
        ("documents: [articles]", "documents: articles", "documents: must be a list of paths, got 'articles'"),
        ("documents: [articles]", "documents: []", "documents: must be a list of paths, one at least, got []"),
        ('project: "Klimat 2030"', "project: 2030", "project: must be a string (in quotation marks if it looks like a number), got 2030"),
        ('project: "Klimat 2030"', "project: ab", "project: must be a title of 3 to 37 characters, got 'ab'"),
        ('"klimat-2030"', '"a/b"', "registered_model: must be a name made of letters a to z, digits, '.', '-' and '_', got 'a/b'"),
        ("annotations: annotations.jsonl", 'annotations: ""', "annotations: must be a path, got ''"),
        ("labels: labels.yaml", "labels: label.yaml", "labels: there is no file"),
        ("documents: [articles]", "documents: [articles", "broken YAML"),
        ("recursive: false", "recursive: 1", "recursive: must be true or false, got 1"),
        ("recursive: false", "encoding: klingon", "encoding: must be the name of an encoding, such as utf-8"),
    ],
)
@pytest.mark.parametrize(("main", "command"), [(cli.main, ["check"]), (train, ["compare"])], ids=["annotate", "train"])
def test_a_mistake_in_the_project_file_is_one_line_that_names_it(desk, capsys, old, new, message, main, command):
    change(desk / "newsmark.yaml", old, new)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith(("annotate: error: ", "train: error: "))
    assert f"{desk / 'newsmark.yaml'}: {message}" in error
    assert error.count("\n") == 1


def test_what_the_project_file_names_and_is_not_there_is_named(desk, capsys):
    (desk / "articles").rmdir()
    assert cli.main(["check"]) == 2
    assert "articles: no such file or folder" in capsys.readouterr().err


def test_the_newest_model_may_have_the_labels_of_the_desk_and_any_without_one(desk, monkeypatch, tmp_path):
    change(desk / "labels.yaml", "promise:", "menace:")
    assert store._own_labels() == {"menace", "boilerplate"}
    monkeypatch.chdir(tmp_path)
    assert store._own_labels() is None


@pytest.mark.parametrize(
    ("written", "labels", "suited"),
    [("a, b", {"a", "b"}, True), ("a", {"a", "b"}, True), ("a, c", {"a", "b"}, False), (None, {"a"}, True), ("a", None, True)],
)
def test_a_model_suits_labels_that_hold_all_of_its_own(written, labels, suited):
    assert suits(written, None if labels is None else frozenset(labels)) is suited


def test_imported_texts_are_to_be_named_in_the_project_file(desk, capsys):
    row = {"text": "We will open two schools.", "label": [[0, 25, "promise"]]}
    (desk / "export.jsonl").write_text(json.dumps(row) + "\n")
    assert cli.main(["import", "export.jsonl", "--format", "doccano"]) == 0
    assert "add documents.jsonl to 'documents' in newsmark.yaml" in capsys.readouterr().err
    change(desk / "newsmark.yaml", "documents: [articles]", "documents: [documents.jsonl]")
    assert cli.main(["check"]) == 0
