"""The settings of the transformer; light, so that a command line can read them without loading a library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TransformerSettings:
    """Settings of the fine-tuned transformer.

    Attributes:
        encoder: ``multilingual-e5-small`` (packaged, offline), a Hugging Face id, or a folder in that format.
        epochs: passes over the training passages; where there is a cold-start corpus, over that.
        further_epochs: passes over the annotated passages after it.
        batch_size: passages a step.
        learning_rate: peak rate of AdamW, after warm-up over a tenth of the steps, before linear decay to zero.
        languages: those whose common words the vocabulary keeps (ISO 639-1); of others more words fall into pieces. None keeps it whole.
        max_tokens: a passage's tokens beyond this number are cut off.
        freeze_embeddings: leave the word embeddings as they are; faster, and nothing is lost on little data.
        frozen_layers: so many of the encoder's lowest layers stay as they are, too; faster still.
    """

    encoder: str = "multilingual-e5-small"
    languages: tuple[str, ...] = ()
    epochs: int = 2
    further_epochs: int = 2
    batch_size: int = 16
    learning_rate: float = 1e-4
    max_tokens: int = 192
    freeze_embeddings: bool = True
    frozen_layers: int = 0
