"""The transformer: a multilingual encoder, fine-tuned with one sigmoid output per label."""

from __future__ import annotations

import copy
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments

from ...annotation.errors import NewsmarkError
from ..classifier import ReportMetric, TokenVectors
from ..encoder.loading import load_encoder, with_vocabulary
from .network import MeanPoolingHead, Probabilities, divide, freeze, halve_embeddings, lower_half
from .reader import FLOAT, INT8, PROBABILITIES, TOKENS, VECTORS, GraphSettings, without_special_tokens, write_settings
from .settings import TransformerSettings

_BATCH, _BATCH_OF_A_GPU = 32, 256
PROBE_C = 0.01
"""Inverse strength of the regularisation of a logistic regression on standardised vectors of the encoder."""

_CHARACTERS_PER_TOKEN = 12  # text beyond the longest input times this is not tokenised: training cuts it off anyway
_LEAST_SCALE = 1e-6
_MOST_KEPT = 2_000_000_000  # bytes of vectors of frozen layers that are kept while the layers above them are trained
_SAMPLE = 200  # passages that show the exporter how large the activations get

np.finfo(np.float32), np.finfo(np.float64)  # NumPy warns where it looks at these after the next line
torch.set_flush_denormal(True)  # numbers below 1e-38, which gradients are full of after a while, make a CPU several times slower


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
        weights: NDArray[np.float32] | None = None,
    ) -> Self:
        """Fine-tune with ``transformers.Trainer``; see ``Classifier.fit``. Reports ``loss`` after each epoch.

        The linear layer begins as a logistic regression on the encoder's own vectors (linear probing, then fine-tuning:
        Kumar et al. 2022, https://arxiv.org/abs/2202.10054); begun at random, it never learns a rare label. The lowest
        ``frozen_layers`` layers and the word embeddings stay as they are; what they say of each passage is computed once, without dropout, and kept.
        Where several processes train (``accelerate launch``, ``torchrun``), each computes a part of every batch. A GPU that can computes in bfloat16.

        Raises:
            NewsmarkError: the encoder can't be loaded or reads only shorter texts, its layers can't be told apart, or the processes can't share a batch.
        """
        processes = int(os.environ.get("WORLD_SIZE", "1"))  # of accelerate launch or torchrun
        if settings.batch_size % processes:
            raise NewsmarkError(f"batch_size {settings.batch_size}: {processes} processes can't share it evenly; choose a multiple of {processes}")
        transformers.set_seed(seed)
        if start is None:
            encoder, tokenizer, lost = with_vocabulary(*load_encoder(settings.encoder, settings.max_tokens), texts, settings.languages)
            model = MeanPoolingHead(encoder, encoder.config.hidden_size, targets.shape[1])
        else:
            model, tokenizer, lost = copy.deepcopy(start.model), start.tokenizer, start.vocabulary
        frozen = freeze(model.encoder, settings)
        trained = cls(model, tokenizer, settings, lost)
        tokens = trained._tokenise(texts)
        trained.sample = tokens[:: -(-len(tokens) // _SAMPLE)] if start is None else start.sample
        counts = np.ones(len(texts), dtype=np.float32) if weights is None else weights
        rows: list[dict[str, Any]] = [{"input_ids": ids} for ids in tokens]
        whole = model.encoder
        parts = divide(whole, frozen) if processes == 1 and not torch.cuda.is_available() else None
        if parts and 2 * model.encoder.config.hidden_size * sum(map(len, tokens)) <= _MOST_KEPT:
            trained._keep_vectors(rows, parts[0])
            model.encoder = parts[1]
        trained._probe(rows, targets, counts, standardise=start is None)
        rows = [{**row, "labels": target, "weights": count} for row, target, count in zip(rows, targets, counts, strict=True)]
        epochs = settings.epochs if start is None else settings.further_epochs
        steps = -(-len(rows) // settings.batch_size) * epochs
        with tempfile.TemporaryDirectory() as unused:
            arguments = TrainingArguments(
                output_dir=unused,
                num_train_epochs=epochs,
                per_device_train_batch_size=settings.batch_size,
                learning_rate=settings.learning_rate if start is None else settings.further_learning_rate,
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
        model.encoder = whole
        model.eval()
        return trained

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        return self._in_batches(self._rows(texts), self.model.head.out_features, lambda **inputs: torch.sigmoid(self.model(**inputs)["logits"]))

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Vectors of the tokens of each text, as half of the encoder's layers leave them; see ``classifier.EmbedsTokens``. What is too long is cut off."""
        if not texts:
            return []
        read = self.tokenizer([self._clean(text) for text in texts], truncation=True, max_length=self.settings.max_tokens, return_offsets_mapping=True)
        places = [np.array(one, dtype=np.intp).reshape(-1, 2) for one in read["offset_mapping"]]
        inside = [np.flatnonzero(one[:, 1] > one[:, 0]) for one in places]  # special tokens have no characters
        found: list[TokenVectors | None] = [None] * len(texts)
        with torch.inference_mode():
            for batch, inputs in self._batches([{"input_ids": ids} for ids in read["input_ids"]]):
                vectors = lower_half(self.model.encoder, **inputs).cpu().numpy()
                for index, one in zip(batch, vectors, strict=True):
                    found[index] = TokenVectors(places[index][inside[index]], one[inside[index]])
        return [one for one in found if one is not None]

    @classmethod
    def untrained(cls, settings: TransformerSettings) -> Self:
        """The encoder as it is before any training, with a linear layer that says nothing.

        Raises:
            NewsmarkError: the encoder can't be loaded.
        """
        encoder, tokenizer = load_encoder(settings.encoder, settings.max_tokens)
        return cls(MeanPoolingHead(encoder, encoder.config.hidden_size, 1), tokenizer, settings)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of n texts, standardised over these texts: n × hidden."""
        vectors = self._in_batches(self._rows(texts), len(self.model.center), self.model.pool)
        return np.asarray((vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + _LEAST_SCALE), dtype=np.float32)

    def _in_batches(self, rows: Sequence[dict[str, Any]], width: int, compute: Callable[..., torch.Tensor]) -> NDArray[np.float64]:
        """Compute something of each passage (n × width), in batches of passages of about the same length."""
        result = np.empty((len(rows), width))
        with torch.inference_mode():
            for batch, inputs in self._batches(rows):
                result[batch] = compute(**inputs).cpu().double().numpy()
        return result

    def _batches(self, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Numbers and inputs of the passages of each batch, which have about the same length."""
        device = next(self.model.parameters()).device
        size = _BATCH if device.type == "cpu" else _BATCH_OF_A_GPU
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]["input_ids"]))
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            yield batch, {name: tensor.to(device) for name, tensor in self._collate([rows[index] for index in batch]).items()}

    def _keep_vectors(self, rows: Sequence[dict[str, Any]], lower: Any) -> None:
        """Add what the lower part of the encoder says of each passage to its row, in half precision: tokens × hidden."""
        with torch.inference_mode():
            for batch, inputs in self._batches(rows):
                vectors = lower(**inputs).last_hidden_state.half().cpu().numpy()
                for index, found in zip(batch, vectors, strict=True):
                    rows[index]["inputs_embeds"] = found[: len(rows[index]["input_ids"])].copy()

    def _probe(self, rows: Sequence[dict[str, Any]], targets: NDArray[np.float32], counts: NDArray[np.float32], standardise: bool) -> None:
        """Begin the linear layer as a logistic regression on the encoder's vectors.

        Args:
            rows: n passages.
            targets: n × labels; NaN where not judged.
            counts: n; how much each passage counts.
            standardise: standardise the vectors over these passages, and begin all labels; otherwise only those that nothing was learned of yet.
        """
        from sklearn.linear_model import LogisticRegression  # a served model has no need of it

        weights, biases = self.model.head.weight.data, self.model.head.bias.data
        new = [column for column in range(len(weights)) if standardise or not weights[column].any()]
        if not new:
            return
        vectors = self._in_batches(rows, len(self.model.center), self.model.pool)
        if standardise:
            center, scale = vectors.mean(axis=0), vectors.std(axis=0) + _LEAST_SCALE
            vectors = (vectors - center) / scale
        for column in new:
            judged = ~np.isnan(targets[:, column])
            truth, counted = targets[judged, column] > 0, counts[judged]
            if truth.all() or not truth.any():  # nothing to tell apart: the base rate, kept from infinity
                weights[column], biases[column] = 0.0, math.log((counted[truth].sum() + 1) / (counted[~truth].sum() + 1))
                continue
            probe = LogisticRegression(C=PROBE_C, max_iter=1000).fit(vectors[judged], truth, sample_weight=counted)
            weights[column], biases[column] = torch.tensor(probe.coef_[0]), float(probe.intercept_[0])
        if standardise:
            self.model.center.copy_(torch.tensor(center))
            self.model.scale.copy_(torch.tensor(scale))

    def save(self, folder: Path) -> None:
        """Write the tokenizer, the settings, and the model as ONNX graphs of 8 and of 32 bits, which ``reader`` reads.

        The word embeddings of the larger graph are float16; the smaller one holds 8 bits per weight, with a scale per row.

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
            example, each_token = (torch.tensor([[5, 6, 7], [5, 6, 7]]),), {0: "passages", 1: "tokens"}
            network = Probabilities(self.model).cpu().eval()
            with warnings.catch_warnings(), torch.inference_mode():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    network,
                    example,
                    str(whole),
                    input_names=["input_ids"],
                    output_names=[PROBABILITIES, VECTORS, TOKENS],
                    dynamic_axes={"input_ids": each_token, PROBABILITIES: {0: "passages"}, VECTORS: {0: "passages"}, TOKENS: each_token},
                    opset_version=17,
                    dynamo=False,
                )
            quantize(whole, folder / INT8, self.sample)
            graph = onnx.load(whole)
            halve_embeddings(graph)
            onnx.save(graph, folder / FLOAT)
        write_settings(GraphSettings(self.settings.max_tokens), folder)
        if self.vocabulary:
            (folder / "vocabulary.txt").write_text(self.vocabulary, encoding="utf-8")

    def _rows(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        return [{"input_ids": ids} for ids in self._tokenise(texts)]

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each passage."""
        clean = [self._clean(text) for text in texts]
        found: list[list[int]] = self.tokenizer(clean, truncation=True, max_length=self.settings.max_tokens)["input_ids"] if clean else []
        return found

    def _clean(self, text: str) -> str:
        return without_special_tokens(text[: self.settings.max_tokens * _CHARACTERS_PER_TOKEN], self.tokenizer.all_special_tokens)

    def _collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad rows to one length."""
        padded = self.tokenizer.pad({"input_ids": [row["input_ids"] for row in rows]}, padding_side="right", return_tensors="pt")
        batch = {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"]}
        if "inputs_embeds" in rows[0]:
            vectors = [torch.from_numpy(row["inputs_embeds"]).float() for row in rows]
            del batch["input_ids"]
            batch["inputs_embeds"] = torch.nn.utils.rnn.pad_sequence(vectors, batch_first=True)
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor(np.stack([row["labels"] for row in rows]))
            batch["weights"] = torch.tensor(np.stack([row["weights"] for row in rows]))
        return batch


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
