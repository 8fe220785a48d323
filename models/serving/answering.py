"""What is done for a request: its texts become passages, these get labels, and both become the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from ...annotation.splitting.passages import Passage
from ..context import PassageInContext
from ..model import TrainedModel
from ..prediction.predict import Prediction, TooManyPassagesError, predict_articles, predict_passages
from ..prediction.schema import Input

LabelledPassages = list[tuple[Passage, Prediction]]

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def label_inputs(
    model: TrainedModel, inputs: Sequence[Input], threshold: float | None, split: bool, most: int | None = None, spans: bool = False
) -> list[LabelledPassages]:
    """Label the passages of the inputs.

    Args:
        model: a trained model.
        inputs: n of them; articles, or single passages where ``split`` is false.
        threshold: a label is given from this score on; by default the model's own.
        split: cut each text into passages.
        most: passages that the inputs may have together; by default any number.
        spans: find the spans of the labels, too.

    Returns:
        The passages of each input in reading order.

    Raises:
        TooManyPassagesError: there are more passages; nothing was classified.
        OutOfTimeError: the deadline of the context passed.
    """
    if split:
        if most is not None and sum(map(_count_lines, inputs)) > most:  # no passage crosses a line: splitting, which takes longer, can be spared
            raise TooManyPassagesError(f"the texts have more than {most} passages")
        return predict_articles(model, [(one.text, one.lang) for one in inputs], threshold, most, spans)
    if most is not None and len(inputs) > most:
        raise TooManyPassagesError(f"there are more than {most} passages")
    passages = [Passage(0, len(one.text), one.text) for one in inputs]
    contexts = [PassageInContext(one.text, one.before or "", one.after or "", one.furniture) for one in inputs]
    return [[pair] for pair in zip(passages, predict_passages(model, contexts, threshold, spans), strict=True)]


def _count_lines(one: Input) -> int:
    """Count the lines of a text that are not blank."""
    return sum(1 for line in one.text.split("\n") if line.strip())


def as_json(answers: Iterable[LabelledPassages], version: str) -> bytes:
    """Write an answer (see ``LabelAnswer``) passage by passage, so that other threads get their turn in between."""

    def write() -> Iterator[str]:
        for number, passages in enumerate(answers):
            yield ',{"passages":[' if number else '{"predictions":[{"passages":['
            for place, (passage, prediction) in enumerate(passages):
                yield ("," if place else "") + _ENCODE({**vars(passage), **prediction.as_dict()})
            yield f'],"model_version":{_ENCODE(version)}}}'
        yield "]}"

    return "".join(write()).encode()
