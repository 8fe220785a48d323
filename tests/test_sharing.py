"""A saved transformer as plain ``transformers`` reads it: the weights of its graph, its tokenizer, and its head."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.saved import load_model
from newsmark.models.transformer.sharing import share
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

KEPT = Path("tests/data/models/transformer-5")
TEXTS = ["Ministern lovar bygga skolor .", "antalet steg", "solen sken över staden och en lång dag igår " * 9, "?"]


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(KEPT, tmp_path / "model")
    return tmp_path / "model"


def test_plain_transformers_gives_the_probabilities_of_the_graph(folder, encoder):
    import torch

    names = share(folder, encoder, ["a", "b", "c"])
    assert sorted(names) == sorted({path.name for path in folder.iterdir()} - {path.name for path in KEPT.iterdir()})
    tokenizer, model, head = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval(), load_file(folder / "head.safetensors")
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
    batch = tokenizer(TEXTS, padding=True, truncation=True, stride=tokenizer.model_max_length // 4, return_overflowing_tokens=True, return_tensors="pt")
    of = batch.pop("overflow_to_sample_mapping").numpy()
    assert of.tolist() == [0, 1, 2, 2, 2, 2, 3]  # a long text is read in windows
    with torch.inference_mode():
        hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
    found = torch.sigmoid((hidden * mask).sum(1) / mask.sum(1) @ head["weight"].T + head["bias"])
    assert json.loads((folder / "settings.json").read_text())["graph"] == "model.onnx"
    highest = [found.numpy()[of == text].max(axis=0) for text in range(len(TEXTS))]
    assert np.allclose(highest, load_model(KEPT).classifier.scores(TEXTS), atol=1e-5)
    assert load_model(folder).version == load_model(KEPT).version  # its own files are as they were


def test_an_encoder_of_another_architecture_is_refused_and_nothing_is_written(folder, tmp_path, encoder):
    other = tmp_path / "other"
    shutil.copytree(encoder, other)
    sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64}
    BertModel(BertConfig(vocab_size=26, num_hidden_layers=3, **sizes)).save_pretrained(other)
    with pytest.raises(NewsmarkError, match="are not those of the architecture of"):
        share(folder, str(other), ["a", "b", "c"])
    assert sorted(folder.iterdir()) == sorted(folder / path.name for path in KEPT.iterdir())


def test_weights_that_give_other_probabilities_than_the_graph_are_not_written(folder, tmp_path, encoder):
    other = tmp_path / "other"
    shutil.copytree(encoder, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))  # the same weights would fit
    with pytest.raises(NewsmarkError, match=r"give other probabilities than it does \(0\.\d+ apart\)"):
        share(folder, str(other), ["a", "b", "c"])
    assert sorted(folder.iterdir()) == sorted(folder / path.name for path in KEPT.iterdir())


def test_an_encoder_that_is_gone_is_named(folder, tmp_path):
    with pytest.raises(NewsmarkError, match=r"encoder '.*gone': no such folder"):
        share(folder, str(tmp_path / "gone"), ["a", "b", "c"])
