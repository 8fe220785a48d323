"""The model as MLflow serves it (a model from code): articles or passages in, labelled passages out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pydantic
from mlflow.exceptions import MlflowException

from ...annotation.splitting.passages import Passage
from ..context import PassageInContext
from ..model import TrainedModel
from ..prediction.predict import Prediction, predict_articles, predict_passages
from ..saved import load_model


class Article(pydantic.BaseModel):
    """One input.

    Attributes:
        text: an article, or a single passage where the parameter ``split`` is false.
        lang: its language (ISO 639-1); identified from the text where it is not given.
        before: the passage before a single passage, where known.
        after: the passage after it.
    """

    text: str
    lang: str | None = None
    before: str | None = None
    after: str | None = None


class LabelledPassage(pydantic.BaseModel):
    """A passage of an input: offsets in code points, label names, the probability of every label by name, whether a person should look."""

    start: int
    end: int
    text: str
    labels: list[str]
    scores: dict[str, float]
    review: bool


class Answer(pydantic.BaseModel):
    """The passages of one input, in reading order, and the version of the model that labelled them."""

    passages: list[LabelledPassage]
    model_version: str


class ServedModel(mlflow.pyfunc.PythonModel):
    """Labels the passages of each input.

    Parameters of a request: ``threshold`` (a label is given from this score on; -1, the default, stands for the model's
    own) and ``split`` (true, the default: cut each text into passages; false: each text is one passage).
    """

    model: TrainedModel

    def load_context(self, context: Any) -> None:
        """Load the model folder that was logged as the artifact ``model``."""
        self.model = load_model(Path(context.artifacts["model"]))

    def predict(self, model_input: list[Article], params: dict[str, Any] | None = None) -> list[Answer]:
        """Label passages.

        Returns:
            One answer an input, as a dictionary.

        Raises:
            MlflowException: a threshold outside 0 to 1 (answered with status 400).
        """
        given = {"threshold": -1.0, "split": True, **(params or {})}
        threshold = None if given["threshold"] == -1.0 else given["threshold"]
        if threshold is not None and not 0 <= threshold <= 1:
            raise MlflowException.invalid_parameter_value("threshold must lie between 0 and 1")
        if given["split"]:
            return [self._answer(pairs) for pairs in predict_articles(self.model, [(one.text, one.lang) for one in model_input], threshold)]
        passages = [Passage(0, len(one.text), one.text) for one in model_input]
        contexts = [PassageInContext(one.text, one.before or "", one.after or "") for one in model_input]
        return [self._answer([pair]) for pair in zip(passages, predict_passages(self.model, contexts, threshold), strict=True)]

    def _answer(self, pairs: list[tuple[Passage, Prediction]]) -> Answer:
        passages = [LabelledPassage(**vars(passage), **vars(prediction)) for passage, prediction in pairs]
        answer = Answer(passages=passages, model_version=self.model.version)
        return answer.model_dump()  # type: ignore[return-value]  # MLflow reads the schema off the type, and its Spark UDF takes no objects
