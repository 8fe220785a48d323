"""A trained model's labels as suggestions for annotators."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...annotation.documents import Document
from ...annotation.errors import NewsmarkError
from ...annotation.labels import LabelScheme
from ...annotation.suggestions import SuggestedPassage, Suggestion, suggest_spans
from ..model import TrainedModel
from ..saved import load_model
from ..store import connect, find_folder, translate_errors, uri_of_run
from .predict import predict_articles, spans_in_article, topics_of_article


@dataclass(frozen=True)
class ModelSuggester:
    """Suggests the labels that a trained model gives (a ``Scorer``).

    Attributes:
        model: the model.
        scheme: labels and topics.
    """

    model: TrainedModel
    scheme: LabelScheme

    @classmethod
    def load(cls, name: str | None, scheme: LabelScheme) -> ModelSuggester:
        """Load a model for the labels of a scheme.

        Args:
            name: folder, run id or MLflow URI; "newest" for the newest model of a finished training run that has no other labels than these;
                None for the model that ``predict`` takes.
            scheme: labels and topics.

        Raises:
            NewsmarkError: there is no such model, or it gives labels that the scheme does not have.
        """
        if name == "newest":
            connect()
            with translate_errors():
                name = uri_of_run(None, frozenset(scheme.label_names))
        found = find_folder(name)
        return cls.of(load_model(found), scheme, name or str(found))

    @classmethod
    def of(cls, model: TrainedModel, scheme: LabelScheme, name: str) -> ModelSuggester:
        """Take a loaded model for the labels of a scheme.

        Args:
            model: the model.
            scheme: labels and topics.
            name: of the model, for the message.

        Raises:
            NewsmarkError: it gives labels that the scheme does not have.
        """
        unknown = set(model.labels) - set(scheme.label_names)
        if unknown:
            raise NewsmarkError(
                f"model {name}: its labels {', '.join(sorted(unknown))} are not in the labels file; name the one that it was trained with (--labels, or in "
                "newsmark.yaml), or train a model with this one"
            )
        return cls(model, scheme)

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.model.version

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the model knows."""
        return self.model.labels

    def threshold(self, label: str) -> float:
        """Probability from which on the model gives a label."""
        return self.model.calibrations[self.labels.index(label)].threshold

    def scores(self, document: Document) -> list[SuggestedPassage]:
        """Probability of each label for each passage of a document."""
        [labels] = predict_articles(self.model, [document])
        return [SuggestedPassage(passage.start, passage.end, one.scores) for passage, one in labels]

    def suggest(self, document: Document) -> Suggestion:
        """Suggest the spans of the labels given, and topics."""
        [labelled] = predict_articles(self.model, [document], spans=True)
        topics = topics_of_article(self.model, labelled)
        known = tuple(name for name in topics.topics if name in self.scheme.topic_names)
        spans = suggest_spans(document, self.version, spans_in_article(labelled), self.scheme)
        return replace(spans, topics=known, topic_scores=topics.scores)
