"""A saved transformer as other programs take it: safetensors, configuration and tokenizer for plain ``transformers``.

A model folder keeps the graphs that predict, and not the weights as they were trained. They are all in the graph of 32 bits, under their own names
or as the second factor of a product that has its layer's name; only the tables of embeddings are rounded there, to float16. What is read out is
loaded into the architecture of the encoder and must then give the graph's own probabilities, or it is not written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from ...annotation.errors import NewsmarkError
from ..encoder.loading import quieten, without_pooler
from ..encoder.packaged import encoder_source
from .reader import FLOAT, SavedTransformer

_HEAD = "head.safetensors"
_SAMPLE = ("Ministern lovar att bygga 300 skolor.", "« Nous irons », a dit le ministre.", "The rate fell to 14 percent in May.", "政府承诺在年底前完成。")
_MOST = 1e-4
"""How far a probability may be from the graph's."""


def share(folder: Path, encoder: str, labels: Sequence[str]) -> list[str]:
    """Write what plain ``transformers`` reads into a model folder, beside what is there.

    ``AutoModel`` and ``AutoTokenizer`` load the encoder and its tokenizer; ``head.safetensors`` holds ``weight`` (labels × hidden) and ``bias`` (labels):
    the logits are the mean of the token vectors times the weight, plus the bias.

    Args:
        folder: holds what ``Transformer.save`` wrote.
        encoder: what the training began with; its configuration and special tokens are read, not its weights.
        labels: names of the labels.

    Returns:
        Names of the files.

    Raises:
        NewsmarkError: the encoder is not at hand, or the graph's weights are not those of its architecture; nothing is written then.
    """
    quieten()
    weights = read_weights(folder / FLOAT)
    model, tokens = _encoder(encoder, weights, labels), _special_tokens(encoder)
    saved = SavedTransformer.load(folder)
    reference = SavedTransformer(folder, replace(saved.settings, graph=FLOAT))
    names = {"model_max_length": saved.settings.max_tokens, "model_input_names": ["input_ids", "attention_mask"], **tokens}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **names)
    head = {"weight": (weights["head.weight"] / weights["scale"]).astype(np.float32)}
    head["bias"] = (weights["head.bias"] - (weights["head.weight"].astype(np.float64) / weights["scale"]) @ weights["center"]).astype(np.float32)
    found = _probabilities(model, tokenizer, head)
    if (apart := float(np.abs(found - reference.scores(_SAMPLE)).max())) > _MOST:
        raise NewsmarkError(f"the weights that were read out of {FLOAT} give other probabilities than it does ({apart:.4f} apart)")
    model.save_pretrained(folder)
    save_file({name: np.ascontiguousarray(value) for name, value in head.items()}, folder / _HEAD)
    # not tokenizer.save_pretrained, which would write tokenizer.json anew: the model's digests are of its very bytes
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}, indent=2) + "\n", encoding="utf-8")
    return ["model.safetensors", "config.json", _HEAD, "tokenizer_config.json"]


def read_weights(graph: Path) -> dict[str, NDArray[Any]]:
    """Read the weights of the network out of its graph, by the names that they have in ``MeanPoolingHead``."""
    loaded = onnx.load(graph).graph
    tables = {tensor.name: numpy_helper.to_array(tensor) for tensor in loaded.initializer}
    weights = {name.removeprefix("model."): value for name, value in tables.items() if name.startswith("model.")}
    for node in loaded.node:
        if node.op_type == "MatMul" and node.input[1] in tables and not node.input[1].startswith("model."):
            layer = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            weights[f"{layer}.weight"] = tables[node.input[1]].T
    return weights


def _encoder(encoder: str, weights: dict[str, NDArray[Any]], labels: Sequence[str]) -> Any:
    """The encoder's architecture with these weights."""
    source = encoder_source(encoder)
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=Path(source).is_dir())
    except (OSError, ValueError) as error:
        raise NewsmarkError(f"the configuration of the encoder {encoder!r} can't be read: {str(error).strip().splitlines()[0]}") from None
    state = {name.removeprefix("encoder."): torch.tensor(value).float() for name, value in weights.items() if name.startswith("encoder.")}
    words = max((name for name in state if name.endswith(("word_embeddings.weight", "embed_tokens.weight"))), key=len, default="")
    if words:
        config.vocab_size = len(state[words])
    config.id2label, config.label2id = dict(enumerate(labels)), {name: number for number, name in enumerate(labels)}
    model = AutoModel.from_config(config, **without_pooler(config)).float().eval()
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise NewsmarkError(f"the weights in {FLOAT} are not those of the architecture of {encoder!r}") from None
    return model


def _special_tokens(encoder: str) -> dict[str, Any]:
    source = encoder_source(encoder)
    tokens: dict[str, Any] = AutoTokenizer.from_pretrained(source, local_files_only=Path(source).is_dir()).special_tokens_map
    return {name: str(token) for name, token in tokens.items() if isinstance(token, str)}


def _probabilities(model: Any, tokenizer: Any, head: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """What plain ``transformers`` computes for the sample: n × labels."""
    with torch.inference_mode():
        batch = tokenizer(list(_SAMPLE), padding=True, truncation=True, return_tensors="pt")
        hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        found = torch.sigmoid(mean @ torch.tensor(head["weight"]).T + torch.tensor(head["bias"]))
    return np.asarray(found.double().numpy())
