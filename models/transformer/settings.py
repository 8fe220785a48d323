"""The settings of the transformer; light, so that a command line can read them without loading torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...annotation.yaml_files import CHECKED, Language, RelativePath


@dataclass(frozen=True, config=CHECKED)
class TransformerSettings:
    """Settings of the fine-tuned transformer."""

    encoder: Annotated[str, RelativePath(may_be_name=True)] = Field(
        "multilingual-e5-small", description="multilingual-e5-small (packaged, works offline), a Hugging Face id, or a folder in that format"
    )
    languages: tuple[Language, ...] = Field(
        (), title="language codes", description="languages whose common words the vocabulary keeps (ISO 639-1); none keeps all words of the encoder"
    )
    epochs: int = Field(2, ge=1, description="passes over the training passages; where there is a cold-start corpus, over that")
    further_epochs: int = Field(2, ge=1, description="passes over the annotated passages after the cold-start corpus")
    batch_size: int = Field(16, ge=1, description="passages per training step")
    learning_rate: float = Field(2e-4, gt=0, description="peak rate of AdamW, after warm-up over a tenth of the steps, before linear decay to zero")
    further_learning_rate: float = Field(
        5e-5, gt=0, description="the same for the passes over the annotated passages after the cold-start corpus; a high rate forgets what that taught"
    )
    max_tokens: int = Field(192, ge=8, le=512, description="tokens that are read at once; training cuts the rest off, predicting reads it in windows")
    freeze_embeddings: bool = Field(True, description="leave the word embeddings as they are; faster, and nothing is lost on little data")
    frozen_layers: int = Field(0, ge=0, description="number of the encoder's lowest layers that stay as they are, too; of an encoder with fewer, two thirds")
