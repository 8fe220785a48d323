"""The settings of the static model; light, so that a command line can read them without loading torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...annotation.yaml_files import CHECKED, RelativePath


@dataclass(frozen=True, config=CHECKED)
class StaticSettings:
    """Settings of the static model."""

    encoder: Annotated[str, RelativePath(may_be_name=True)] = Field(
        "multilingual-e5-small", description="multilingual-e5-small (packaged, works offline), a Hugging Face id, or a folder in that format"
    )
    pieces: int = Field(120_000, ge=0, description="the encoder's commonest word pieces that are kept, beside those of the training passages")
    filters: int = Field(64, ge=1, le=1024, description="number of patterns of three pieces that are learned")
    epochs: int = Field(10, ge=1, description="passes over the training passages; where there is a cold-start corpus, over that")
    further_epochs: int = Field(4, ge=1, description="passes over the annotated passages after the cold-start corpus")
    batch_size: int = Field(64, ge=1, description="passages per training step")
    learning_rate: float = Field(2e-3, gt=0, description="peak rate of Adam, after warm-up over a tenth of the steps, before linear decay to zero")
