"""The settings of the TF-IDF baseline; light, so that a command line can read them without loading a library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaselineSettings:
    """Settings of the TF-IDF baseline.

    Attributes:
        word_ngrams: longest word n-gram.
        char_ngrams: longest character n-gram, within word boundaries.
        C: inverse strength of the logistic regression's regularisation.
    """

    word_ngrams: int = 2
    char_ngrams: int = 4
    C: float = 10.0
