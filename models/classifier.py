"""What every kind of classifier can do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .context import PassageInContext

if TYPE_CHECKING:
    from .calibration import Calibration

ReportMetric = Callable[[str, float, int], None]
"""Called while training with the name of a metric, its value and the step (epoch)."""

CORES: int = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1
"""Processor cores that this process may use."""


class SavedClassifier(Protocol):
    """A multi-label classifier of passages that can be used, saved and loaded."""

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage: n × labels, each in 0..1, rows independent of each other."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder; only safetensors, ONNX and JSON."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the model's files, without network and without running anything they contain."""
        ...


@runtime_checkable
class ReadsBeginnings(Protocol):
    """A classifier that reads only the beginning of a long text."""

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is longer than what is read of it."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A classifier that also makes vectors of texts; near ones mean nearly the same, in whatever languages."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Vectors of n texts: n × size, rows independent of each other."""
        ...


class TokenVectors(NamedTuple):
    """What an encoder says of each token of a text.

    Attributes:
        places: offsets of the tokens in the text, in order: tokens × 2.
        vectors: tokens × size.
    """

    places: NDArray[np.intp]
    vectors: NDArray[np.float32]


@runtime_checkable
class EmbedsTokens(Protocol):
    """A classifier that also makes vectors of a text's tokens, from which the borders of spans can be learned."""

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Vectors of the tokens of n texts, of each text independent of the others."""
        ...


class Classifier(Protocol):
    """A multi-label classifier of passages that can be trained; one implementation per kind."""

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        targets: NDArray[np.float32],
        settings: Any,
        seed: int,
        report: ReportMetric,
        start: Self | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> Self:
        """Train on passages.

        Args:
            texts: n passages.
            targets: n × labels, 1 where the passage has the label, 0 where not, NaN where not judged: nothing is learned there.
            settings: the settings of this kind.
            seed: fixes everything random.
            report: called with each loss on the way.
            start: a classifier fitted on other passages, to go on from; it stays as it is.
            weights: how much each passage counts beside the others (n, above 0); None where all count 1.
        """
        ...

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage: n × labels, each in 0..1, rows independent of each other."""
        ...

    def save(self, folder: Path) -> None:
        """Write what the reader of its kind reads into an existing folder."""
        ...


class Contributions(Protocol):
    """Says what each character of a text adds to the logarithmic odds of each label, where these are a sum."""

    def __call__(self, classifier: Any, texts: Sequence[str]) -> list[NDArray[np.float64]]:
        """Divide the logarithmic odds of texts.

        Args:
            classifier: that was read from a model folder of this kind.
            texts: n texts.

        Returns:
            For each text an array, characters × labels; its sum is the logarithmic odds less a constant.
        """
        ...


class JudgedPassages(Protocol):
    """n passages with labels that are known, where they were judged."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names, in the order of the target columns."""
        ...

    @property
    def targets(self) -> NDArray[np.float32]:
        """N × labels, 1 where the passage has the label, 0 where not, NaN where not judged."""
        ...

    @property
    def languages(self) -> NDArray[np.str_]:
        """ISO 639-1 code of each passage."""
        ...

    @property
    def contexts(self) -> list[PassageInContext]:
        """The passages with their neighbours."""
        ...


@dataclass(frozen=True)
class Finished:
    """A trained classifier that is ready to be saved.

    Attributes:
        classifier: what is saved and predicts.
        report: what was compared and chosen, as text for people; its first line names the choice.
    """

    classifier: SavedClassifier
    report: str


class Finish(Protocol):
    """Makes a trained classifier ready to be saved, where a kind needs that."""

    def __call__(
        self,
        classifier: Any,
        folder: Path,
        judged: JudgedPassages,
        learn_calibrations: Callable[[NDArray[np.float64]], Sequence[Calibration]],
        exclusive: frozenset[str],
    ) -> Finished:
        """Finish a classifier.

        Args:
            classifier: the trained classifier of this kind.
            folder: an empty folder for its files, which has to stay for as long as the result is used.
            judged: passages that it was not trained on.
            learn_calibrations: makes calibrations from the odds of these passages (n × 3 × labels).
            exclusive: labels that exclude all others.
        """
        ...
