"""The model as MLflow serves it (a model from code): articles or passages in, labelled passages out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException

from ..model import TrainedModel
from ..prediction.schema import Input, LabelledText
from ..saved import load_model
from .answering import label_inputs


class LoggedModel(mlflow.pyfunc.PythonModel):
    """Labels the passages of each input.

    Parameters of a request: ``threshold`` (a label is given from this score on; -1, the default, stands for the model's
    own) and ``split`` (true, the default: cut each text into passages; false: each text is one passage).
    """

    model: TrainedModel

    def load_context(self, context: Any) -> None:
        """Load the model folder that was logged as the artifact ``model``."""
        self.model = load_model(Path(context.artifacts["model"]))

    def predict(self, model_input: list[Input], params: dict[str, Any] | None = None) -> list[LabelledText]:
        """Label passages.

        Returns:
            One answer per input, as a dictionary.

        Raises:
            MlflowException: a threshold outside 0 to 1 (answered with status 400).
        """
        given = {"threshold": -1.0, "split": True, **(params or {})}
        threshold = None if given["threshold"] == -1.0 else given["threshold"]
        if threshold is not None and not 0 <= threshold <= 1:
            raise MlflowException.invalid_parameter_value("threshold must be between 0 and 1")
        # MLflow reads the schema off the type, and its Spark UDF takes no objects
        return [
            {"passages": [{**vars(passage), **prediction.as_dict()} for passage, prediction in passages], "model_version": self.model.version}  # type: ignore[misc]
            for passages in label_inputs(self.model, model_input, threshold, given["split"])
        ]
