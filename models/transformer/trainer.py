"""The transformer: a multilingual encoder, fine-tuned with one sigmoid output a label."""

from __future__ import annotations

import copy
import logging
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast, Trainer, TrainerCallback, TrainingArguments

from ...annotation.errors import NewsmarkError
from ..classifier import ReportMetric
from ..transformer.settings import TransformerSettings
from .encoder import encoder_source
from .reader import FLOAT, INT8, GraphSettings, without_special_tokens, write_settings
from .vocabulary import prune, report

_CHARACTERS_A_TOKEN = 12
"""Text beyond ``max_tokens`` times this is not tokenised at all: it would be cut off anyway."""
_BATCH, _BATCH_OF_A_GPU = 32, 256
_PROBE_C = 0.01  # inverse strength of the probe's regularisation
_LEAST_SCALE = 1e-6
_SAMPLE = 200  # passages that show the exporter how large the activations get

np.finfo(np.float32), np.finfo(np.float64)  # NumPy warns where it looks at these after the next line
torch.set_flush_denormal(True)  # numbers below 1e-38, which gradients are full of after a while, make a CPU several times slower


class MeanPoolingHead(nn.Module):
    """An encoder, the standardised mean of a passage's token vectors, dropout and a linear layer with one logit a label."""

    encoder: Any
    center: torch.Tensor
    scale: torch.Tensor

    def __init__(self, encoder: Any, hidden: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("center", torch.zeros(hidden))
        self.register_buffer("scale", torch.ones(hidden))
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(hidden, labels)

    def pool(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Mean of each passage's token vectors (batch × hidden), less the center, over the scale; inputs are batch × tokens."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if attention_mask is None:
            mean = hidden.mean(dim=1)
        else:
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        pooled: torch.Tensor = (mean - self.center) / self.scale
        return pooled

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Compute logits (batch × labels), and the loss where targets are given; inputs are batch × tokens."""
        logits = self.head(self.dropout(self.pool(input_ids, attention_mask)))
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.binary_cross_entropy_with_logits(logits, labels), "logits": logits}


class Transformer:
    """A fine-tuned encoder with its tokenizer, saved as ONNX graphs."""

    def __init__(self, model: MeanPoolingHead, tokenizer: PreTrainedTokenizerBase, settings: TransformerSettings, vocabulary: str = "") -> None:
        self.vocabulary = vocabulary  # what its vocabulary lost
        self.sample: list[list[int]] = []  # token ids of some of the passages it was trained on
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.settings = settings

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        targets: NDArray[np.float32],
        settings: TransformerSettings,
        seed: int,
        report: ReportMetric,
        start: Self | None = None,
    ) -> Self:
        """Fine-tune with ``transformers.Trainer``; see ``Classifier.fit``. Reports ``loss`` after each epoch.

        The linear layer begins as a logistic regression on the encoder's own vectors (linear probing, then fine-tuning:
        Kumar et al. 2022, https://arxiv.org/abs/2202.10054); begun at random, it never learns a rare label. The lowest
        ``frozen_layers`` layers and the word embeddings stay as they are. Where several processes train (``accelerate launch``,
        ``torchrun``), each computes a part of every batch. A GPU that can computes in bfloat16.

        Raises:
            NewsmarkError: the encoder can't be loaded or has no such layers, or the processes can't share a batch.
        """
        processes = int(os.environ.get("WORLD_SIZE", "1"))  # of accelerate launch or torchrun
        if settings.batch_size % processes:
            raise NewsmarkError(f"batch_size {settings.batch_size}: {processes} processes can't share it evenly; choose a multiple of {processes}")
        transformers.set_seed(seed)
        if start is None:
            encoder, tokenizer, lost = _with_vocabulary(*_load_encoder(settings.encoder), texts, settings.languages)
            model = MeanPoolingHead(encoder, encoder.config.hidden_size, targets.shape[1])
        else:
            model, tokenizer, lost = copy.deepcopy(start.model), start.tokenizer, start.vocabulary
        _freeze(model.encoder, settings)
        trained = cls(model, tokenizer, settings, lost)
        tokens = trained._tokenise(texts)
        trained.sample = tokens[:: -(-len(tokens) // _SAMPLE)] if start is None else start.sample
        if start is None:
            trained._probe(tokens, targets)
        rows = [{"input_ids": ids, "labels": target} for ids, target in zip(tokens, targets, strict=True)]
        epochs = settings.epochs if start is None else settings.further_epochs
        steps = -(-len(rows) // settings.batch_size) * epochs
        with tempfile.TemporaryDirectory() as unused:
            arguments = TrainingArguments(
                output_dir=unused,
                num_train_epochs=epochs,
                per_device_train_batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                warmup_steps=steps // 10,
                weight_decay=0.01,
                optim="adamw_torch_fused",
                train_sampling_strategy="group_by_length",
                seed=seed,
                save_strategy="no",
                logging_strategy="epoch",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
                accelerator_config={"split_batches": True},
                bf16=_has_bfloat16(),
                remove_unused_columns=False,
            )
            trainer = Trainer(model=model.train(), args=arguments, train_dataset=rows, data_collator=trained._collate, callbacks=[_Reporter(report)])
            trainer.remove_callback(transformers.PrinterCallback)
            trainer.train()
        model.eval()
        return trained

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        return self._in_batches(self._tokenise(texts), self.model.head.out_features, lambda **inputs: torch.sigmoid(self.model(**inputs)["logits"]))

    def _in_batches(self, tokens: Sequence[list[int]], width: int, compute: Callable[..., torch.Tensor]) -> NDArray[np.float64]:
        """Compute something of each passage (n × width), in batches of passages of about the same length."""
        device = next(self.model.parameters()).device
        size = _BATCH if device.type == "cpu" else _BATCH_OF_A_GPU
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        result = np.empty((len(tokens), width))
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            inputs = {name: tensor.to(device) for name, tensor in self._collate([{"input_ids": tokens[index]} for index in batch]).items()}
            with torch.inference_mode():
                result[batch] = compute(**inputs).cpu().double().numpy()
        return result

    def _probe(self, tokens: Sequence[list[int]], targets: NDArray[np.float32]) -> None:
        """Standardise the encoder's vectors over these passages, and begin the linear layer as a logistic regression on them."""
        from sklearn.linear_model import LogisticRegression  # a served model has no need of it

        vectors = self._in_batches(tokens, len(self.model.center), self.model.pool)
        center, scale = vectors.mean(axis=0), vectors.std(axis=0) + _LEAST_SCALE
        weights, biases = self.model.head.weight.data, self.model.head.bias.data
        for column, truth in enumerate(targets.T > 0):
            if truth.all() or not truth.any():  # nothing to tell apart: the base rate, kept from infinity
                weights[column], biases[column] = 0.0, math.log((truth.sum() + 1) / ((~truth).sum() + 1))
                continue
            probe = LogisticRegression(C=_PROBE_C, max_iter=1000).fit((vectors - center) / scale, truth)
            weights[column], biases[column] = torch.tensor(probe.coef_[0]), float(probe.intercept_[0])
        self.model.center.copy_(torch.tensor(center))
        self.model.scale.copy_(torch.tensor(scale))

    def save(self, folder: Path) -> None:
        """Write the tokenizer, the settings, and the model as ONNX graphs of 8 and of 32 bits, which ``models.onnx`` reads.

        The word embeddings of the larger graph are float16, as they come; the smaller one holds 8 bits a weight, with a scale a row.

        Raises:
            NewsmarkError: the encoder has no tokenizer.json, or can't be written as a graph.
        """
        import onnx

        from .quantization import quantize  # takes a moment to load

        if not self.tokenizer.is_fast:
            raise NewsmarkError(f"encoder {self.settings.encoder!r}: its tokenizer can't be saved as tokenizer.json; take an encoder with a fast tokenizer")
        with tempfile.TemporaryDirectory() as temporary:
            whole = Path(temporary) / "whole.onnx"
            self.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
            example = (torch.tensor([[5, 6, 7], [5, 6, 7]]),)
            network = _Probabilities(self.model).cpu().eval()
            with warnings.catch_warnings(), torch.inference_mode():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    network,
                    example,
                    str(whole),
                    input_names=["input_ids"],
                    output_names=["probabilities"],
                    dynamic_axes={"input_ids": {0: "passages", 1: "tokens"}, "probabilities": {0: "passages"}},
                    opset_version=17,
                    dynamo=False,
                )
            quantize(whole, folder / INT8, self.sample)
            graph = onnx.load(whole)
            _halve_embeddings(graph)
            onnx.save(graph, folder / FLOAT)
        write_settings(GraphSettings(self.settings.max_tokens), folder)
        if self.vocabulary:
            (folder / "vocabulary.txt").write_text(self.vocabulary, encoding="utf-8")

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each passage."""
        longest = self.settings.max_tokens
        clean = [without_special_tokens(text[: longest * _CHARACTERS_A_TOKEN], self.tokenizer.all_special_tokens) for text in texts]
        found: list[list[int]] = self.tokenizer(clean, truncation=True, max_length=longest)["input_ids"] if clean else []
        return found

    def _collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad rows to one length."""
        padded = self.tokenizer.pad({"input_ids": [row["input_ids"] for row in rows]}, padding_side="right", return_tensors="pt")
        batch = {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"]}
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor(np.stack([row["labels"] for row in rows]))
        return batch


class _Probabilities(nn.Module):
    """The network that is written as a graph: of passages of one length, so that there is no padding to mask.

    The mean and the linear layer are products of one passage's matrices. As the usual operators, ONNX Runtime would round them otherwise
    for one passage than for several.
    """

    def __init__(self, model: MeanPoolingHead) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Probabilities (batch × labels); the input is batch × tokens."""
        hidden = self.model.encoder(input_ids=input_ids).last_hidden_state
        ones = torch.ones_like(hidden[:, :, :1]).transpose(1, 2)
        mean = torch.matmul(ones, hidden).squeeze(1) / hidden.shape[1]
        pooled = (mean - self.model.center) / self.model.scale
        logits = torch.matmul(self.model.head.weight, pooled.unsqueeze(2)).squeeze(2) + self.model.head.bias
        return torch.sigmoid(logits)


def _halve_embeddings(model: Any) -> None:
    """Keep the tables that a graph looks rows up in as float16."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    tables = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in tables:
            table = tables[node.input[0]]
            if table.data_type == TensorProto.FLOAT:
                table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table).astype(np.float16), table.name))
            found = node.output[0]
            node.output[0] = f"{found}_half"
            nodes.append(helper.make_node("Cast", [node.output[0]], [found], to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)


class _Reporter(TrainerCallback):
    """Passes the Trainer's epoch losses on."""

    def __init__(self, report: ReportMetric) -> None:
        self.report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:  # noqa: ARG002
        """Report the training loss that the Trainer logs after each epoch."""
        if logs and "loss" in logs:
            self.report("loss", float(logs["loss"]), round(state.epoch))


def _has_bfloat16() -> bool:
    """Whether there is a GPU that computes in bfloat16; a CPU can, but is many times slower so."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _load_encoder(encoder: str) -> tuple[Any, PreTrainedTokenizerBase]:
    """Load the encoder in float32 and its tokenizer.

    Raises:
        NewsmarkError: a Hugging Face id that can't be fetched, or a folder without the files of an encoder.
    """
    _quieten()
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
    return model, tokenizer


def _with_vocabulary(
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


def _freeze(encoder: Any, settings: TransformerSettings) -> None:
    """Leave the word embeddings and the lowest layers as they are.

    Raises:
        NewsmarkError: the encoder has no such layers.
    """
    if settings.freeze_embeddings:
        encoder.get_input_embeddings().requires_grad_(False)
    if not settings.frozen_layers:
        return
    layers = getattr(getattr(encoder, "encoder", encoder), "layer", None) or getattr(encoder, "layers", None)
    if layers is None or len(layers) < settings.frozen_layers:
        raise NewsmarkError(f"frozen_layers {settings.frozen_layers}: the encoder has {len(layers or ())} layers that can be told apart; choose fewer, or 0")
    for part in (encoder.get_input_embeddings(), getattr(encoder, "embeddings", None), *layers[: settings.frozen_layers]):
        if part is not None:
            part.requires_grad_(False)


def without_pooler(config: Any) -> dict[str, bool]:
    """Leave out the pooler where an architecture has one: the mean of the token vectors takes its place."""
    return {"add_pooling_layer": False} if config.model_type in {"bert", "roberta", "xlm-roberta", "camembert"} else {}


def _quieten() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
