"""The configuration: default < file < flag, and an error for every key and value that is not right."""

from pathlib import Path

import pytest
from newsmark.annotation.errors import UsageError
from newsmark.annotation.yaml_files import fields_of
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.kinds import KINDS
from newsmark.models.transformer.settings import TransformerSettings
from newsmark.training.cli import main
from newsmark.training.config import all_fields, load_config

CONFIGS = Path(__file__).parent.parent / "configs"
MINIMAL = "model: baseline\ndocuments: [articles]\nannotations: annotations.jsonl\n"


def write_config(folder, text):
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "settings"), [(name, kind.load_settings()) for name, kind in KINDS.items()])
def test_shipped_configuration_loads(name, settings):
    config = load_config(CONFIGS / f"{name}.yaml", {})
    assert config.data.kind == name
    assert config.data.documents == ("seeds",)  # as seen from the project's folder
    assert isinstance(config.settings, settings)


@pytest.mark.parametrize("name", KINDS)
def test_shipped_configuration_shows_every_key_but_those_that_are_for_special_cases(name):
    config = load_config(CONFIGS / f"{name}.yaml", {})
    shown = {line.split(":")[0] for line in (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").splitlines() if line and line[0] not in "# "}
    assert shown - {"fast"} == set(config.flat()) - {"labels", "leave_out_languages", "passages", "recursive", "encoding", "text_column"}


def test_default_counts_where_file_and_flags_are_silent(tmp_path):
    config = load_config(write_config(tmp_path, MINIMAL), {})
    assert config.settings == BaselineSettings()
    assert (config.data.max_folds, config.data.bootstrap, config.data.leave_out_languages, config.data.seed) == (10, "", (), 13)
    assert Path(config.data.labels) == CONFIGS / "labels.yaml"


def test_file_beats_default_and_flag_beats_file(tmp_path):
    path = write_config(tmp_path, MINIMAL + "seed: 1\nchar_ngrams: 3\n")
    assert load_config(path, {}).data.seed == 1
    config = load_config(path, {"seed": "2"})
    assert (config.data.seed, config.settings.char_ngrams, config.settings.word_ngrams) == (2, 3, 2)


def test_fast_keys_replace_those_of_the_file_when_asked_for_and_flags_beat_both(tmp_path):
    path = write_config(tmp_path, MINIMAL + "C: 3.0\nchar_ngrams: 5\nfast:\n  char_ngrams: 2\n  C: 1.0\n")
    assert (load_config(path, {}).settings.C, load_config(path, {}).settings.char_ngrams) == (3, 5)
    fast = load_config(path, {"C": "7"}, fast=True)
    assert (fast.settings.C, fast.settings.char_ngrams) == (7, 2)


def test_shipped_transformer_has_a_fast_way():
    slow, fast = (load_config(CONFIGS / "transformer.yaml", {}, fast).settings for fast in (False, True))
    assert fast.frozen_layers > slow.frozen_layers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "fast: must map keys"),
        ("fast:\n", "fast: must map keys"),
        ("fast: 3\n", "fast: must map keys"),
        ("fast:\n  epocs: 1\n", "fast: epocs: unknown key 'epocs'"),
        ("fast:\n  seed: -1\n", "fast: seed: must be between"),
    ],
)
def test_fast_part_that_is_missing_or_wrong_is_named(tmp_path, text, reason):
    with pytest.raises(UsageError, match=rf"own\.yaml: {reason}"):
        load_config(write_config(tmp_path, MINIMAL + text), {}, fast=True)


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("documents", "a.txt,folder,b.jsonl", ("a.txt", "folder", "b.jsonl")),
        ("bootstrap", "corpus", "corpus"),
        ("bootstrap", "", ""),
        ("leave_out_languages", "sv,no", ("sv", "no")),
        ("C", "3", 3.0),
        ("max_folds", "2", 2),
        ("annotations", "2024", "2024"),
    ],
)
def test_flag_takes_the_type_of_its_key(tmp_path, key, written, value):
    found = load_config(write_config(tmp_path, MINIMAL), {key: written}).flat()[key]
    assert found == value
    assert type(found) is type(value)


def test_every_list_is_given_with_commas_or_by_repeating_the_flag(tmp_path):
    path = write_config(tmp_path, MINIMAL.replace("baseline", "transformer"))
    for written in ("sv,fr", ["sv,fr"], ["sv", "fr"], "sv, fr,"):
        config = load_config(path, {"languages": written, "leave_out_languages": written, "documents": written})
        assert (config.settings.languages, config.data.leave_out_languages, config.data.documents) == (("sv", "fr"),) * 3
    assert load_config(path, {"languages": ""}).settings.languages == ()


def test_a_folder_whose_name_holds_a_comma_is_one_folder(tmp_path):
    folder = tmp_path / "news, 2024"
    folder.mkdir()
    assert load_config(write_config(tmp_path, MINIMAL), {"documents": [str(folder), "a,b"]}).data.documents == (str(folder), "a", "b")


@pytest.mark.parametrize(
    ("before", "behind", "problem"),
    [
        (["--config", "none.yaml"], ["curve"], "none.yaml: no such configuration"),
        (["--seed", "x"], ["curve", "--config", "configs/baseline.yaml"], "--seed: must be"),
        (["--seed", "x"], ["curve", "--config", "configs/baseline.yaml", "--seed", "y"], "--seed: must be a whole number, got 'y'"),  # the nearer one counts
        (["--fresh"], ["curve"], "--config is missing"),
    ],
)
def test_options_may_stand_before_a_command(capsys, before, behind, problem):
    assert main([*before, *behind]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("before", [["--register"], ["--config", "configs/baseline.yaml"]])
def test_what_a_command_does_not_have_is_refused_before_it_as_behind_it(capsys, before):
    with pytest.raises(SystemExit) as ended:
        main([*before, "compare"])
    assert ended.value.code == 2
    assert f"unrecognized arguments: {before[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("written", ["svenska", "sv fr", "SV"])
def test_what_is_no_language_code_is_named(tmp_path, written):
    with pytest.raises(UsageError, match=r"^--leave-out-languages: must be a list of language codes, got"):
        load_config(write_config(tmp_path, MINIMAL), {"leave_out_languages": written})


def test_paths_of_the_shipped_files_are_found_from_any_folder_and_those_of_flags_begin_at_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = load_config(CONFIGS / "baseline.yaml", {"bootstrap": "corpus"}).data
    assert found.documents == (str(CONFIGS.parent / "seeds"),)
    assert Path(found.annotations).is_file()
    assert found.bootstrap == "corpus"


def test_paths_of_an_own_file_begin_at_its_folder_and_are_shown_from_the_current_one(tmp_path, monkeypatch):
    path = write_config(tmp_path, MINIMAL + "bootstrap: ''\n")
    assert load_config(path, {}).data.documents == (str(tmp_path / "articles"),)
    monkeypatch.chdir(tmp_path)
    assert (load_config(path, {}).data.documents, load_config(path, {}).data.bootstrap) == (("articles",), "")
    elsewhere = MINIMAL.replace("[articles]", f"[/articles, {tmp_path.parent}/x]")
    assert load_config(write_config(tmp_path, elsewhere), {}).data.documents == ("/articles", f"{tmp_path.parent}/x")


def test_an_encoder_is_a_folder_of_the_project_where_there_is_one_of_its_name(tmp_path):
    path = write_config(tmp_path, MINIMAL.replace("baseline", "transformer") + "encoder: own/encoder\n")
    assert load_config(path, {}).settings.encoder == "own/encoder"
    (tmp_path / "own/encoder").mkdir(parents=True)
    assert load_config(path, {}).settings.encoder == str(tmp_path / "own/encoder")


def test_a_key_that_is_given_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"own\.yaml: broken YAML: the key 'seed' is given twice"):
        load_config(write_config(tmp_path, MINIMAL + "seed: 1\nseed: 2\n"), {})


@pytest.mark.parametrize("text", ["seed: {{ seed }}\n", "? [a, b]\n: 1\n", "? {a: b}\n: 1\n"], ids=["template", "list", "mapping"])
def test_a_key_that_is_no_name_is_one_line(tmp_path, text):
    with pytest.raises(UsageError, match=r"^[^\n]*own\.yaml: broken YAML: [^\n]*found unhashable key[^\n]*$"):
        load_config(write_config(tmp_path, MINIMAL + text), {})


def test_every_key_says_what_it_does():
    assert [key for key, field in all_fields().items() if not field.description] == []


def test_flag_may_change_the_kind_of_model(tmp_path):
    config = load_config(write_config(tmp_path, MINIMAL), {"model": "transformer", "epochs": "3", "freeze_embeddings": "false"})
    assert config.settings == TransformerSettings(epochs=3, freeze_embeddings=False)


@pytest.mark.parametrize("written", ["2e-4", "0.0002", "2.0e-4"])
def test_learning_rate_may_be_written_in_any_usual_way(tmp_path, written):
    path = write_config(tmp_path, MINIMAL.replace("baseline", "transformer"))
    assert load_config(path, {"learning_rate": written}).settings.learning_rate == pytest.approx(2e-4)


def test_misspelt_key_in_the_file_is_named_with_file_and_suggestion(tmp_path):
    path = write_config(tmp_path, MINIMAL + "bootstap: corpus\n")
    with pytest.raises(UsageError, match=r"own\.yaml: bootstap: unknown key 'bootstap'; did you mean 'bootstrap'\?"):
        load_config(path, {})


def test_unknown_override_is_named_as_flag_with_suggestion(tmp_path):
    with pytest.raises(UsageError, match=r"^--max-fold: unknown key 'max_fold'; did you mean 'max_folds'\?"):
        load_config(write_config(tmp_path, MINIMAL), {"max_fold": "3"})


def test_key_of_another_kind_of_model_is_refused_in_the_file(tmp_path):
    with pytest.raises(UsageError, match=r"own\.yaml: epochs: unknown key 'epochs'.*a key of another kind of model"):
        load_config(write_config(tmp_path, MINIMAL + "epochs: 3\n"), {})


def test_key_of_another_kind_of_model_is_refused_as_flag(tmp_path):
    with pytest.raises(UsageError, match=r"--epochs: unknown key 'epochs'.*a key of another kind of model"):
        load_config(write_config(tmp_path, MINIMAL), {"epochs": "3"})


@pytest.mark.parametrize(
    ("key", "written", "reason"),
    [
        ("seed", "1.5", "must be a whole number"),
        ("seed", "true", "must be a whole number"),
        ("seed", "-1", "must be between 0 and 4294967295"),
        ("seed", "4294967296", "must be between 0 and 4294967295"),
        ("C", "much", "must be a number"),
        ("C", ".nan", "must be a finite number"),
        ("C", "null", "must be a number"),
        ("max_folds", "1", "must be 2 or more"),
        ("word_ngrams", "0", "must be 1 or more"),
        ("C", "-2.0", "must be between 1e-06 and 1000000.0"),
        ("C", "true", "must be a number"),
        ("word_ngrams", "[1, 2]", "must be a whole number"),
    ],
)
def test_bad_value_is_named_with_its_place_in_file_and_flag(tmp_path, key, written, reason):
    with pytest.raises(UsageError, match=rf"own\.yaml: {key}: {reason}"):
        load_config(write_config(tmp_path, f"{MINIMAL}{key}: {written}\n"), {})
    flag = f"--{key.replace('_', '-')}"
    with pytest.raises(UsageError, match=f"^{flag}: {reason}"):
        load_config(write_config(tmp_path, MINIMAL), {key: written})


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("documents", "articles", "must be a list of paths"),
        ("documents", "[]", "must be a list of paths"),
        ("documents", "[1]", "must be a list of paths"),
        ("annotations", "7", "must be a string"),
        ("bootstrap", "null", "must be a string"),
        ("leave_out_languages", "sv", "must be a list of language codes"),
        ("leave_out_languages", "[sv, no]", "must be a list of language codes"),
        *(
            ("rates", value, "must be a mapping of labels to shares between 0 and 1")
            for value in ("0.07", "[commitment]", "{quote: 1}", "{quote: 1.5}", "{1: 0.5}")
        ),
    ],
)
def test_bad_path_in_the_file_is_named(tmp_path, key, value, reason):
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(key)]
    with pytest.raises(UsageError, match=rf"own\.yaml: {key}: {reason}"):
        load_config(write_config(tmp_path, "\n".join([*lines, f"{key}: {value}"])), {})


def test_yes_or_no_key_takes_no_number(tmp_path):
    path = write_config(tmp_path, MINIMAL.replace("baseline", "transformer") + "freeze_embeddings: 1\n")
    with pytest.raises(UsageError, match="freeze_embeddings: must be true or false, got 1"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("key", "written", "reason"),
    [
        ("frozen_layers", "-1", "must be 0 or more"),
        ("frozen_layers", "1.5", "must be a whole number"),
        ("further_epochs", "0", "must be 1 or more"),
        ("max_tokens", "513", "must be between 8 and 512"),
    ],
)
def test_bad_value_of_the_transformer_is_named(tmp_path, key, written, reason):
    path = write_config(tmp_path, MINIMAL.replace("baseline", "transformer"))
    with pytest.raises(UsageError, match=f"^--{key.replace('_', '-')}: {reason}"):
        load_config(path, {key: written})


@pytest.mark.parametrize("key", ["documents", "annotations"])
def test_missing_key_is_named(tmp_path, key):
    text = "\n".join(line for line in MINIMAL.splitlines() if not line.startswith(key))
    with pytest.raises(UsageError, match=rf"own\.yaml: the key '{key}' is missing"):
        load_config(write_config(tmp_path, text), {})


def test_labelled_passages_make_annotated_articles_unnecessary(tmp_path):
    path = write_config(tmp_path, "model: baseline\npassages: [own.csv]\n")
    assert load_config(path, {}).data.passages == (str(tmp_path / "own.csv"),)
    found = load_config(write_config(tmp_path, MINIMAL), {"documents": "", "passages": ["a.csv", "b.xlsx"]}).data
    assert (found.documents, found.passages) == ((), ("a.csv", "b.xlsx"))
    with pytest.raises(UsageError, match="--documents: must be a list of paths, one at least, or 'passages' must name files"):
        load_config(path, {"documents": "", "passages": ""})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("baselin", "unknown model 'baselin'; did you mean 'baseline'"),
        ("forest", "unknown model 'forest'; known: baseline, transformer, static"),
        ("null", "unknown model None"),
        ("[baseline]", "unknown model"),
    ],
)
def test_unknown_kind_of_model_is_refused(tmp_path, model, reason):
    with pytest.raises(UsageError, match=rf"own\.yaml: model: {reason}"):
        load_config(write_config(tmp_path, MINIMAL.replace("baseline", model)), {})


def test_configuration_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"own\.yaml: model"):
        load_config(write_config(tmp_path, "documents: [articles]\n"), {})


@pytest.mark.parametrize(
    ("text", "reason"), [("model: [baseline\n", "broken YAML"), ("", "must map keys"), ("- model\n", "must map keys"), ("a: 'b\n", "broken YAML")]
)
def test_file_that_is_no_mapping_is_refused(tmp_path, text, reason):
    with pytest.raises(UsageError, match=rf"own\.yaml: {reason}"):
        load_config(write_config(tmp_path, text), {})


def test_broken_yaml_in_a_flag_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--seed"):
        load_config(write_config(tmp_path, MINIMAL), {"seed": "["})


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.yaml: no such file"):
        load_config(tmp_path / "nowhere.yaml", {})


def test_flat_holds_every_key_of_this_kind_and_no_other(tmp_path):
    flat = load_config(write_config(tmp_path, MINIMAL), {}).flat()
    others = {key for name, kind in KINDS.items() if name != "baseline" for key in fields_of(kind.load_settings())}
    assert set(all_fields()) - set(flat) == others
    assert (flat["model"], flat["annotations"], flat["C"]) == ("baseline", str(tmp_path / "annotations.jsonl"), 10.0)
