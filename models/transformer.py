"""The transformer: a multilingual encoder, fine-tuned with one sigmoid output a label."""

from __future__ import annotations

import copy
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments

from annotation.errors import NewsmarkError
from models.classifier import Excerpt, Report
from models.encoder import encoder_source
from models.settings import TransformerSettings

_WEIGHTS = "model.safetensors"
_SETTINGS = "settings.json"
_CHARACTERS_A_TOKEN = 12
"""Text beyond ``max_tokens`` times this is not tokenised at all: it would be cut off anyway."""
_BATCH = 32

np.finfo(np.float32), np.finfo(np.float64)  # NumPy warns where it looks at these after the next line
torch.set_flush_denormal(True)  # numbers below 1e-38, which gradients are full of after a while, make a CPU several times slower


class MeanPoolingHead(nn.Module):
    """An encoder, the mean of a passage's token vectors, dropout and a linear layer with one logit a label.

    The tokens of the neighbours stand behind the passage's: they are attended to, and left out of the mean.
    """

    encoder: Any

    def __init__(self, encoder: Any, hidden: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(hidden, labels)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, passage_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Compute logits (batch × labels), and the loss where targets are given; inputs are batch × tokens."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = passage_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        logits = self.head(self.dropout(pooled))
        if labels is None:
            return {"logits": logits}
        return {"loss": self.loss(logits, labels), "logits": logits}


class Transformer:
    """A fine-tuned encoder with its tokenizer, saved as safetensors."""

    def __init__(self, model: MeanPoolingHead, tokenizer: PreTrainedTokenizerBase, settings: TransformerSettings) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.settings = settings

    @classmethod
    def fit(
        cls,
        excerpts: Sequence[Excerpt],
        targets: NDArray[np.float32],
        settings: TransformerSettings,
        seed: int,
        report: Report,
        start: Self | None = None,
    ) -> Self:
        """Fine-tune with ``transformers.Trainer``; see ``Classifier.fit``. Reports ``loss`` after each epoch.

        The loss is binary cross-entropy, a label's positives weighted by the ratio of its negatives to its positives,
        ``max_positive_weight`` at most. The lowest ``frozen_layers`` layers and the word embeddings stay as they are.
        """
        transformers.set_seed(seed)
        if start is None:
            encoder, tokenizer = _load_encoder(settings.encoder)
            model = MeanPoolingHead(encoder, encoder.config.hidden_size, targets.shape[1])
        else:
            model, tokenizer = copy.deepcopy(start.model), start.tokenizer
        positives = targets.sum(axis=0)
        weights = np.clip((len(targets) - positives) / np.maximum(positives, 1), 1.0, settings.max_positive_weight)
        model.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weights, dtype=torch.float32, device=model.head.weight.device))
        _freeze(model.encoder, settings)
        trained = cls(model, tokenizer, settings)
        rows = [{**row, "labels": target} for row, target in zip(trained._tokenise(excerpts), targets, strict=True)]
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
                remove_unused_columns=False,
            )
            trainer = Trainer(model=model.train(), args=arguments, train_dataset=rows, data_collator=trained._collate, callbacks=[_Reporter(report)])
            trainer.remove_callback(transformers.PrinterCallback)
            trainer.train()
        model.eval()
        return trained

    def scores(self, excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        device = next(self.model.parameters()).device
        rows = self._tokenise(excerpts)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]["input_ids"]))
        result = np.empty((len(rows), self.model.head.out_features))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            inputs = {name: tensor.to(device) for name, tensor in self._collate([rows[index] for index in batch]).items()}
            with torch.inference_mode():
                logits = self.model(**inputs)["logits"]
            result[batch] = torch.sigmoid(logits).cpu().double().numpy()
        return result

    def save(self, folder: Path) -> None:
        """Write the encoder's configuration, the tokenizer, the settings and the weights as float16 safetensors."""
        self.model.encoder.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        (folder / _SETTINGS).write_text(json.dumps(asdict(self.settings)) + "\n", encoding="utf-8")
        state = {name: tensor.cpu().half().contiguous() for name, tensor in self.model.state_dict().items() if not name.startswith("loss.")}
        save_file(state, folder / _WEIGHTS, metadata={"format": "pt"})
        (folder / _WEIGHTS).chmod(0o644)  # safetensors makes it readable by its owner only

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, from local files only."""
        _quieten()
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        settings = TransformerSettings(**json.loads((folder / _SETTINGS).read_text(encoding="utf-8")))
        state = {name: tensor.float() for name, tensor in load_file(folder / _WEIGHTS).items()}
        model = MeanPoolingHead(AutoModel.from_config(config, **_pooling(config)), config.hidden_size, len(state["head.bias"]))
        model.load_state_dict(state)
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer, settings)

    def _tokenise(self, excerpts: Sequence[Excerpt]) -> list[dict[str, Any]]:
        """Token ids of each passage with its neighbours behind it, and how many of them are the passage's own."""
        longest, reach = self.settings.max_tokens, self.settings.context_tokens
        passages = self._ids([one.text[: longest * _CHARACTERS_A_TOKEN] for one in excerpts], truncation=True, max_length=longest)
        if not reach:
            return [{"input_ids": ids, "length": len(ids)} for ids in passages]
        before = self._ids([one.before[-reach * _CHARACTERS_A_TOKEN :] for one in excerpts], add_special_tokens=False)
        after = self._ids([one.after[: reach * _CHARACTERS_A_TOKEN] for one in excerpts], add_special_tokens=False)
        mark = self.tokenizer.sep_token_id if self.tokenizer.sep_token_id is not None else self.tokenizer.eos_token_id
        marks = [] if mark is None else [mark]
        rows = []
        for ids, earlier, later in zip(passages, before, after, strict=True):
            neighbours = [*marks, *earlier[-reach:], *marks, *later[:reach], *marks] if earlier or later else []
            rows.append({"input_ids": [*ids, *neighbours], "length": len(ids)})
        return rows

    def _ids(self, texts: Sequence[str], **how: Any) -> list[list[int]]:
        clean = [_without_special_tokens(text, self.tokenizer) for text in texts]
        found: list[list[int]] = self.tokenizer(clean, **how)["input_ids"] if clean else []
        return found

    def _collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad rows to one length; ``passage_mask`` is 1 on the passages' own tokens."""
        padded = self.tokenizer.pad({"input_ids": [row["input_ids"] for row in rows]}, padding_side="right", return_tensors="pt")
        positions = torch.arange(padded["input_ids"].shape[1])
        batch = {
            "input_ids": padded["input_ids"],
            "attention_mask": padded["attention_mask"],
            "passage_mask": (positions < torch.tensor([row["length"] for row in rows]).unsqueeze(1)).long(),
        }
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor(np.stack([row["labels"] for row in rows]))
        return batch


class _Reporter(TrainerCallback):
    """Passes the Trainer's epoch losses on."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:  # noqa: ARG002
        """Report the training loss that the Trainer logs after each epoch."""
        if logs and "loss" in logs:
            self.report("loss", float(logs["loss"]), round(state.epoch))


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
        model = AutoModel.from_pretrained(source, config=config, local_files_only=local, dtype=torch.float32, **_pooling(config))
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise NewsmarkError(f"encoder {encoder!r} can't be loaded: {reason}") from None
    return model, tokenizer


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


def _pooling(config: Any) -> dict[str, bool]:
    """Leave out the pooler where an architecture has one: the mean of the token vectors takes its place."""
    return {"add_pooling_layer": False} if config.model_type in {"bert", "roberta", "xlm-roberta", "camembert"} else {}


def _without_special_tokens(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Break up what looks like a special token, "</s>" say: the tokenizer would take it for the real one."""
    for token in tokenizer.all_special_tokens:
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _quieten() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
