"""From texts to labelled passages: what the command line and the served model both do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

from ...annotation.documents import Document, identify_language
from ...annotation.errors import NewsmarkError
from ...annotation.language_codes import language_code
from ...annotation.splitting.passages import Passage, split_passages
from ...annotation.suggestions import SuggestedSpan, moved
from ..context import PassageInContext, in_reading_order
from ..model import REVIEW_RISK, TrainedModel, risk
from ..topics import TopicPrediction
from .deadline import check_deadline


@dataclass(frozen=True)
class Prediction:
    """What a model says of one passage.

    Attributes:
        labels: names of the labels given.
        scores: probability of each label by name, rounded to 6 digits.
        review: whether it needs review: the probability that a label is wrong is greater than ``REVIEW_RISK``.
        truncated: whether the passage is longer than what the model reads of it.
        spans: of the labels given, with offsets in the passage; None where they were not asked for.
    """

    labels: list[str]
    scores: dict[str, float]
    review: bool
    truncated: bool = False
    spans: tuple[SuggestedSpan, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it; without ``spans`` where they were not asked for."""
        values = dict(vars(self))
        if self.spans is None:
            del values["spans"]
        else:
            values["spans"] = [dict(vars(span)) for span in self.spans]
        return values


def predict_passages(model: TrainedModel, contexts: Sequence[PassageInContext], threshold: float | None = None, spans: bool = False) -> list[Prediction]:
    """Classify texts that are passages already.

    Args:
        model: a trained model.
        contexts: n passages, with their neighbours where these are known.
        threshold: a label is given from this score on; by default the model's own.
        spans: find the spans of the labels, too.

    Returns:
        n predictions, in order.
    """
    scores = model.scores(contexts)
    decisions = model.decide(scores, threshold)
    risks = risk(scores, decisions)
    truncated = model.truncates([one.text for one in contexts])
    rows = zip(scores.round(6).tolist(), decisions.tolist(), (risks > REVIEW_RISK).tolist(), truncated, strict=True)
    found = [Prediction(list(compress(model.labels, given)), dict(zip(model.labels, row, strict=True)), *marks) for row, given, *marks in rows]
    return list(_with_spans(model, contexts, found)) if spans else found


class TooManyPassagesError(NewsmarkError):
    """Articles have more passages than the caller asked for at most."""


def predict_articles(
    model: TrainedModel,
    articles: Sequence[Document | tuple[str, str | None]],
    threshold: float | None = None,
    most: int | None = None,
    spans: bool = False,
) -> list[list[tuple[Passage, Prediction]]]:
    """Split articles into passages and classify all of these together.

    Args:
        model: a trained model.
        articles: n documents, or texts with their languages (ISO 639-1; identified from the text where None).
        threshold: a label is given from this score on; by default the model's own.
        most: passages that the articles may have together; by default any number.
        spans: find the spans of the labels, too.

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
        split.append(split_passages(text, language_code(language) or identify_language(text)))
        known = article.furniture_at(passage.start for passage in split[-1]) if isinstance(article, Document) else None
        contexts += in_reading_order([passage.text for passage in split[-1]], furniture=known)
        count += len(split[-1])
        if most is not None and count > most:
            raise TooManyPassagesError(f"the texts have more than {most} passages")
    predictions = iter(predict_passages(model, contexts, threshold, spans))
    return [[(passage, next(predictions)) for passage in passages] for passages in split]


def spans_in_article(passages: Iterable[tuple[Passage, Prediction]]) -> list[SuggestedSpan]:
    """Collect the spans of an article's passages, with offsets in the article, in reading order."""
    return [moved(span, passage.start) for passage, prediction in passages for span in prediction.spans or ()]


def _with_spans(model: TrainedModel, contexts: Sequence[PassageInContext], found: Sequence[Prediction]) -> Iterator[Prediction]:
    given = [{label: one.scores[label] for label in one.labels} for one in found]
    for one, spans in zip(found, model.spans.find_all(contexts, given, model.classifier), strict=True):
        check_deadline()
        yield replace(one, spans=tuple(spans))


def topics_of_article(model: TrainedModel, labelled: Sequence[tuple[Passage, Prediction]], threshold: float | None = None) -> TopicPrediction:
    """Decide on the topics of an article that ``predict_articles`` labelled (see ``TrainedModel.predict_topics``)."""
    return model.predict_topics([passage.text for passage, _ in labelled], [one.labels for _, one in labelled], threshold)
