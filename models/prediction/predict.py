"""From texts to labelled passages: what the command line and the served model both do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from ...annotation.documents import Document, identify_language
from ...annotation.errors import NewsmarkError
from ...annotation.splitting.passages import Passage, split_passages
from ..context import PassageInContext, in_reading_order
from ..model import REVIEW_RISK, TrainedModel, risk
from .deadline import check_deadline


@dataclass(frozen=True)
class Prediction:
    """What a model says of one passage.

    Attributes:
        labels: names of the labels given.
        scores: probability of each label by name, rounded to 6 digits.
        review: whether it needs review: the probability that a label is wrong is greater than ``REVIEW_RISK``.
        truncated: whether the passage is longer than what the model reads of it.
    """

    labels: list[str]
    scores: dict[str, float]
    review: bool
    truncated: bool = False


def predict_passages(model: TrainedModel, contexts: Sequence[PassageInContext], threshold: float | None = None) -> list[Prediction]:
    """Classify texts that are passages already.

    Args:
        model: a trained model.
        contexts: n passages, with their neighbours where these are known.
        threshold: a label is given from this score on; by default the model's own.

    Returns:
        n predictions, in order.
    """
    scores = model.scores(contexts)
    decisions = model.decide(scores, threshold)
    risks = risk(scores, decisions)
    truncated = model.truncates([one.text for one in contexts])
    rows = zip(scores.round(6).tolist(), decisions.tolist(), (risks > REVIEW_RISK).tolist(), truncated, strict=True)
    return [Prediction(list(compress(model.labels, given)), dict(zip(model.labels, row, strict=True)), *marks) for row, given, *marks in rows]


class TooManyPassagesError(NewsmarkError):
    """Articles have more passages than the caller asked for at most."""


def predict_articles(
    model: TrainedModel, articles: Sequence[Document | tuple[str, str | None]], threshold: float | None = None, most: int | None = None
) -> list[list[tuple[Passage, Prediction]]]:
    """Split articles into passages and classify all of these together.

    Args:
        model: a trained model.
        articles: n documents, or texts with their languages (ISO 639-1; identified from the text where None).
        threshold: a label is given from this score on; by default the model's own.
        most: passages that the articles may have together; by default any number.

    Returns:
        The passages of each article in reading order, each with its prediction.

    Raises:
        TooManyPassagesError: there are more passages than ``most``; nothing was classified.
        OutOfTimeError: the deadline of the context passed.
    """
    split, contexts, count = [], [], 0
    for article in articles:
        check_deadline()
        text, language = article if isinstance(article, tuple) else (article.text, article.language)
        split.append(split_passages(text, language or identify_language(text)))
        known = article.furniture_at(passage.start for passage in split[-1]) if isinstance(article, Document) else None
        contexts += in_reading_order([passage.text for passage in split[-1]], furniture=known)
        count += len(split[-1])
        if most is not None and count > most:
            raise TooManyPassagesError(f"the texts have more than {most} passages")
    predictions = iter(predict_passages(model, contexts, threshold))
    return [[(passage, next(predictions)) for passage in passages] for passages in split]
