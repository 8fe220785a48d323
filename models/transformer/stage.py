"""A trained transformer as training keeps it between two fits: its weights, tokenizer and what else a further fit begins with."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_model, save_model
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from ..encoder.loading import without_pooler
from .network import MeanPoolingHead
from .settings import TransformerSettings
from .trainer import Transformer

_WEIGHTS, _FACTS = "model.safetensors", "facts.json"


def keep(classifier: Transformer, folder: Path) -> None:
    """Write a trained classifier into an empty folder, in such a way that ``restore`` gives the same one to the last digit."""
    save_model(classifier.model, str(folder / _WEIGHTS))
    classifier.model.encoder.config.save_pretrained(folder / "encoder")
    classifier.tokenizer.save_pretrained(folder / "tokenizer")
    words = classifier.model.encoder.get_input_embeddings()
    facts = {
        "labels": classifier.model.head.out_features,
        "words": words.num_embeddings,
        "padding": words.padding_idx,
        "vocabulary": classifier.vocabulary,
        "sample": classifier.sample,
    }
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")


def restore(folder: Path, settings: TransformerSettings) -> Transformer:
    """Read what ``keep`` wrote; runs nothing that it holds, and needs no network."""
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    config = AutoConfig.from_pretrained(folder / "encoder", local_files_only=True)
    encoder = AutoModel.from_config(config, **without_pooler(config))
    encoder.set_input_embeddings(nn.Embedding(facts["words"], encoder.get_input_embeddings().embedding_dim, padding_idx=facts["padding"]))
    model = MeanPoolingHead(encoder, config.hidden_size, facts["labels"])
    load_model(model, str(folder / _WEIGHTS))
    classifier = Transformer(model, AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True), settings, facts["vocabulary"])
    classifier.sample = facts["sample"]
    return classifier
