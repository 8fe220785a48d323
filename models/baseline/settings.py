"""The settings of the TF-IDF baseline; light, so that a command line can read them without loading scikit-learn."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...annotation.yaml_files import CHECKED


@dataclass(frozen=True, config=CHECKED)
class BaselineSettings:
    """Settings of the TF-IDF baseline."""

    word_ngrams: int = Field(2, ge=1, description="longest word n-gram")
    char_ngrams: int = Field(4, ge=1, description="longest character n-gram, within word boundaries")
    C: float = Field(10.0, ge=1e-6, le=1e6, description="inverse strength of the logistic regression's regularisation")
