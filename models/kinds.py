"""The kinds of classifier: the one place that names them.

A kind is a folder with three modules: ``settings.py`` (light, so that a command line can read it), ``trainer.py`` and ``reader.py``, which
reads what the trainer saved and is all that predicting needs. A new kind is such a folder and one record here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .classifier import Classifier, Contributions, Finish, SavedClassifier

_EVERYWHERE = ("mlflow", "numpy", "pydantic", "PyYAML", "py3langid", "safetensors")


@dataclass(frozen=True)
class Kind:
    """One kind of classifier.

    Attributes:
        name: what a configuration's ``model`` and a saved model's card call it.
        settings: ``module:class`` of its settings, a frozen dataclass; relative to ``models``.
        trainer: ``module:class`` of the ``Classifier``.
        reader: ``module:class`` of the ``SavedClassifier``.
        format: number of the format that the trainer saves and the reader reads.
        requirements: packages that a logged model needs.
        finish: ``module:function`` that makes a trained classifier ready to be saved (see ``classifier.Finish``); None where there is
            nothing left to do.
        share: ``module:function`` that writes what plain libraries read beside the files of a saved model: ``share(folder, encoder, labels)`` gives their
            names; None where the model's own files are all.
        stage: module that keeps a trained classifier between two fits: ``keep(classifier, folder)`` and ``restore(folder, settings)``. None where
            training is so fast that none need be kept.
        contributions: ``module:function`` that divides a text's scores among its characters (see ``classifier.Contributions``); None where they
            are no sum.
        vectors: ``module:function`` that turns texts into vectors without training, and says with which C a logistic regression learns from
            them: a quick stand-in for the kind where hundreds are trained (``train simulate``). None where there is none.
    """

    name: str
    settings: str
    trainer: str
    reader: str
    format: int
    requirements: tuple[str, ...]
    finish: str | None = None
    share: str | None = None
    stage: str | None = None
    contributions: str | None = None
    vectors: str | None = None

    def load_settings(self) -> type[Any]:
        """Load the class of its settings; light, but for pydantic, which predicting has no need of."""
        found: type[Any] = _load(self.settings)
        return found

    def load_trainer(self) -> type[Classifier]:
        """Load the class that trains; this imports its library."""
        found: type[Classifier] = _load(self.trainer)
        return found

    def load_reader(self) -> type[SavedClassifier]:
        """Load the class that reads a saved model; this imports its library."""
        found: type[SavedClassifier] = _load(self.reader)
        return found

    def load_finish(self) -> Finish | None:
        """Load the function that finishes a trained classifier; None where there is none."""
        found: Finish | None = _load(self.finish) if self.finish else None
        return found

    def load_contributions(self) -> Contributions | None:
        """Load the function that divides logarithmic odds among characters; None where there is none."""
        found: Contributions | None = _load(self.contributions) if self.contributions else None
        return found

    def load_share(self) -> Callable[[Path, str, Sequence[str]], list[str]] | None:
        """Load the function that writes what plain libraries read; None where there is none."""
        found: Callable[[Path, str, Sequence[str]], list[str]] | None = _load(self.share) if self.share else None
        return found

    def load_vectors(self) -> Callable[[Sequence[str]], tuple[Any, float]] | None:
        """Load the function that turns texts into vectors; None where there is none."""
        found: Callable[[Sequence[str]], tuple[Any, float]] | None = _load(self.vectors) if self.vectors else None
        return found

    def load_stage(self) -> Any | None:
        """Load the module that keeps a trained classifier; None where there is none."""
        return importlib.import_module(f".{self.stage}", __package__) if self.stage else None


def _load(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), name)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="baseline",
            settings="baseline.settings:BaselineSettings",
            trainer="baseline.trainer:Baseline",
            reader="baseline.reader:SavedBaseline",
            format=6,
            requirements=(*_EVERYWHERE, "scipy"),
            contributions="baseline.contributions:contributions",
            vectors="baseline.vectors:vectors_of",
        ),
        Kind(
            name="transformer",
            settings="transformer.settings:TransformerSettings",
            trainer="transformer.trainer:Transformer",
            reader="transformer.reader:SavedTransformer",
            format=5,
            requirements=(*_EVERYWHERE, "onnxruntime", "tokenizers"),
            finish="transformer.finish:finish",
            share="transformer.sharing:share",
            stage="transformer.stage",
            vectors="transformer.vectors:vectors_of",
        ),
        Kind(
            name="static",
            settings="static.settings:StaticSettings",
            trainer="static.trainer:Static",
            reader="static.reader:SavedStatic",
            format=1,
            requirements=(*_EVERYWHERE, "tokenizers"),
        ),
    )
}
