"""Loading what training begins with: the encoder and its tokenizer, with the vocabulary that is wanted."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ...annotation.errors import NewsmarkError
from .packaged import DEFAULT_ENCODER, encoder_source
from .vocabulary import prune, report


def load_encoder(encoder: str, max_tokens: int = 0) -> tuple[Any, PreTrainedTokenizerBase]:
    """Load the encoder in float32 and its tokenizer.

    Args:
        encoder: its name, Hugging Face id or folder.
        max_tokens: of the longest text that it is to read; 0 where it reads none.

    Raises:
        NewsmarkError: a Hugging Face id that can't be fetched, a folder without the files of an encoder, or an encoder that reads only shorter texts.
    """
    quieten()
    source = encoder_source(encoder)
    local = Path(source).is_dir()
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=local)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        if len(tokenizer) <= len(tokenizer.all_special_tokens):
            raise ValueError("it has no vocabulary (tokenizer.json)")
        if hasattr(config, "attention_probs_dropout_prob"):
            config.attention_probs_dropout_prob = 0.0  # the fast attention kernels of a CPU have no dropout
        model = AutoModel.from_pretrained(source, config=config, local_files_only=local, dtype=torch.float32, **without_pooler(config))
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise NewsmarkError(f"encoder {encoder!r} can't be loaded: {reason}") from None
    longest = getattr(config, "max_position_embeddings", None) or max_tokens  # a tokenizer's own limit is often lower than what its encoder reads
    if max_tokens > longest:
        raise NewsmarkError(f"max_tokens {max_tokens}: encoder {encoder!r} reads at most {longest} tokens at once; choose no more than these")
    return model, tokenizer


def describe_encoder(encoder: str) -> str | None:
    """Describe the content of an encoder, and what computes with it; None for one of the Hugging Face hub, which may change under its name."""
    source = Path(encoder_source(encoder))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else torch.backends.cpu.get_cpu_capability()
    if encoder == DEFAULT_ENCODER:
        return f"{source.name} {device}"  # the folder's name holds its digest
    if not source.is_dir():
        return None
    files = sorted(path for path in source.rglob("*") if path.is_file())
    content = hashlib.sha256(b"".join(path.name.encode() + hashlib.sha256(path.read_bytes()).digest() for path in files))
    return f"{content.hexdigest()} {device}"


def with_vocabulary(
    encoder: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], languages: Sequence[str]
) -> tuple[Any, PreTrainedTokenizerBase, str]:
    """Leave out word pieces that neither the languages nor the texts need, where the tokenizer is of a kind that allows it; and say what is lost."""
    pruned = prune(tokenizer.backend_tokenizer, texts, languages) if languages and tokenizer.is_fast else None
    if pruned is None:
        return encoder, tokenizer, ""
    smaller, kept = pruned
    whole = encoder.get_input_embeddings()
    weights = whole.weight.data[torch.from_numpy(kept)]
    table = nn.Embedding(len(weights), weights.shape[1], padding_idx=whole.padding_idx)
    table.weight.data = weights
    encoder.set_input_embeddings(table)
    encoder.config.vocab_size = len(kept)
    lost = report(tokenizer.backend_tokenizer, smaller, languages)
    return encoder, PreTrainedTokenizerFast(tokenizer_object=smaller, **tokenizer.special_tokens_map), lost


def without_pooler(config: Any) -> dict[str, bool]:
    """Leave out the pooler where an architecture has one: the mean of the token vectors takes its place."""
    return {"add_pooling_layer": False} if config.model_type in {"bert", "roberta", "xlm-roberta", "camembert"} else {}


def quieten() -> None:
    """Keep ``transformers`` from logging and from drawing progress bars."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
