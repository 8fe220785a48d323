"""newsmark: from news articles in any language to annotated, classified passages.

This module is the public Python interface. What ``__all__`` names is stable: it changes only with an entry in CHANGELOG.md. Everything in
the packages ``newsmark.annotation``, ``newsmark.models`` and ``newsmark.training`` is internal and may change with any version.

Importing this module loads none of the libraries; each function imports what it needs. It is one file, so that the whole interface can be read in
one place.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from newsmark.annotation.annotations import Annotation, Span
    from newsmark.annotation.documents import Document
    from newsmark.annotation.doubts.doubt import Reason
    from newsmark.annotation.errors import NewsmarkError
    from newsmark.annotation.label_studio.backend_command import BackendOptions
    from newsmark.annotation.label_studio.project import Project
    from newsmark.annotation.label_studio.turn_command import TurnInput, TurnOutcome
    from newsmark.annotation.labels import Label, LabelScheme, Topic
    from newsmark.annotation.splitting.passages import Passage
    from newsmark.annotation.suggestions import Scorer
    from newsmark.models.model import TrainedModel
    from newsmark.models.prediction.predict import Prediction
    from newsmark.models.topics import TopicPrediction
    from newsmark.training.metrics import Evaluation

__version__ = "0.2.0"

__all__ = [
    "Annotation",
    "Document",
    "Evaluation",
    "Label",
    "LabelScheme",
    "LabelledPassage",
    "LabelledSpan",
    "Model",
    "NewsmarkError",
    "Passage",
    "Prediction",
    "Span",
    "Topic",
    "TopicPrediction",
    "TrainingResult",
    "__version__",
    "load",
    "load_labels",
    "read_annotations",
    "read_documents",
    "serve",
    "split",
    "train",
    "write_annotations",
]

_here = Path(__file__).resolve().parent
_installed = _here / "newsmark"
# The names of the packages, "models" say, are too common to be installed under: they are newsmark.models and so on, found in the folder
# newsmark where a wheel was installed, and beside this file in a checkout.
__path__ = [str(_installed if _installed.is_dir() else _here)]

_TYPES = {
    "Annotation": "annotation.annotations",
    "Document": "annotation.documents",
    "Label": "annotation.labels",
    "LabelScheme": "annotation.labels",
    "NewsmarkError": "annotation.errors",
    "Passage": "annotation.splitting.passages",
    "Prediction": "models.prediction.predict",
    "Evaluation": "training.metrics",
    "Span": "annotation.annotations",
    "Topic": "annotation.labels",
    "TopicPrediction": "models.topics",
}
"""Where the public types are defined, relative to this package."""


def __getattr__(name: str) -> Any:
    """Import a public type when it is first used."""
    if name not in _TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_TYPES[name]}"), name)


def read_documents(
    paths: str | Path | Iterable[str | Path], *, recursive: bool | None = None, encoding: str | None = None, text_column: str | None = None
) -> list[Document]:
    """Read articles.

    Args:
        paths: files of articles (text, HTML, Word, PDF …), folders of them, files with one article per row, archives; the manual of ``annotation`` lists them.
        recursive: read the sub-folders of folders, too; None for what the project file says, else no.
        encoding: of text files that are not UTF-8; None for what the project file says, else to find it out.
        text_column: column or field that holds the text; None for what the project file says, else ``text``, or the only column of long texts.

    Returns:
        The documents in reading order; the texts of text files and rows are exactly what is stored.

    Raises:
        NewsmarkError: a path or its content can't be used; the message says which, where and what to do.
    """
    from newsmark.annotation.desk import current_desk
    from newsmark.annotation.documents import read_documents as read

    some = [paths] if isinstance(paths, str | Path) else paths
    given: dict[str, Any] = {"recursive": recursive, "encoding": encoding, "text_column": text_column}
    options = replace(current_desk().reading, furniture=True, **{name: value for name, value in given.items() if value is not None})
    return list(read(map(Path, some), options))


def split(text: str, lang: str | None = None) -> list[Passage]:
    """Split a text into its passages: one sentence of running text, or one line of page furniture.

    Args:
        text: the text of an article.
        lang: its language (ISO 639-1); identified from the text where it is None.

    Returns:
        The passages in reading order, with offsets in Unicode code points: ``text[passage.start:passage.end] == passage.text``.
    """
    from newsmark.annotation.documents import identify_language
    from newsmark.annotation.language_codes import language_code
    from newsmark.annotation.splitting.passages import split_passages

    return split_passages(text, language_code(lang) or identify_language(text))


def load_labels(path: str | Path | None = None) -> LabelScheme:
    """Read the labels and topics.

    Args:
        path: a file like ``configs/labels.yaml``; None for the one that the project file names, else for that one itself.

    Raises:
        NewsmarkError: the file is missing or not as it must be.
    """
    from newsmark.annotation.desk import current_desk
    from newsmark.annotation.labels import load_labels as read

    return read(current_desk().labels if path is None else Path(path))


def read_annotations(path: str | Path, documents: Iterable[Document] | None = None, labels: LabelScheme | None = None) -> list[Annotation]:
    """Read an annotation file (JSONL, one row per document and annotator) and check it.

    Args:
        path: the file.
        documents: the documents that it may name, to check the offsets against; None checks the rows alone.
        labels: labels and topics; None for those of ``load_labels()``.

    Raises:
        NewsmarkError: a row is not as it must be; the message names the file and the line.
    """
    from newsmark.annotation.annotations import read_annotations as read

    return read(Path(path), documents, labels or load_labels())


def write_annotations(path: str | Path, annotations: Iterable[Annotation]) -> None:
    """Write an annotation file, whole or not at all."""
    from newsmark.annotation.annotations import write_annotations as write

    write(Path(path), annotations)


@dataclass(frozen=True)
class LabelledPassage:
    """A passage of an article, with what a model predicts for it.

    Attributes:
        start: offset of its first character, in Unicode code points.
        end: offset after its last character.
        text: its exact characters.
        labels: names of the labels that the model gives it.
        scores: probability of each label, by name.
        review: whether it needs review: the probability that one of its labels is wrong is over 20 %.
        truncated: whether it is longer than what the model reads of it.
    """

    start: int
    end: int
    text: str
    labels: list[str]
    scores: dict[str, float]
    review: bool
    truncated: bool


@dataclass(frozen=True)
class LabelledSpan:
    """A span of an article that a model labels: what an annotator would mark.

    Attributes:
        start: offset of its first character, in Unicode code points.
        end: offset after its last character.
        text: its exact characters.
        label: name of its label.
        score: probability that its passage has the label.
        kind: one of the label's kinds; None where it has none, or the model does not know them.
    """

    start: int
    end: int
    text: str
    label: str
    score: float
    kind: str | None


class Model:
    """A trained model; ``load`` and ``train`` make it."""

    def __init__(self, trained: TrainedModel) -> None:
        self._trained = trained

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels that it knows."""
        return self._trained.labels

    @property
    def version(self) -> str:
        """Its kind and the beginning of its digest; empty before it is stored."""
        return self._trained.version

    @overload
    def predict(self, articles: str | Document, *, lang: str | None = None, threshold: float | None = None) -> list[LabelledPassage]: ...

    @overload
    def predict(self, articles: list[str] | Sequence[Document], *, lang: str | None = None, threshold: float | None = None) -> list[list[LabelledPassage]]: ...

    def predict(
        self, articles: str | Document | list[str] | Sequence[Document], *, lang: str | None = None, threshold: float | None = None
    ) -> list[LabelledPassage] | list[list[LabelledPassage]]:
        """Split articles into passages and label these.

        Args:
            articles: a text, a document, or several of them.
            lang: language of the texts (ISO 639-1); identified from each text where it is None. A document knows its own.
            threshold: a label is given from this probability on; None stands for the model's own threshold of each label.

        Returns:
            The passages of the article in reading order; for several articles, such a list per article.
        """
        from newsmark.annotation.documents import Document
        from newsmark.models.prediction.predict import predict_articles

        several = [articles] if isinstance(articles, str | Document) else articles
        texts = [(article, lang) if isinstance(article, str) else article for article in several]
        pairs = predict_articles(self._trained, texts, _checked(threshold))
        answers = [[LabelledPassage(**vars(passage), **found.as_dict()) for passage, found in one] for one in pairs]
        return answers if several is articles else answers[0]

    @overload
    def predict_spans(self, articles: str | Document, *, lang: str | None = None, threshold: float | None = None) -> list[LabelledSpan]: ...

    @overload
    def predict_spans(
        self, articles: list[str] | Sequence[Document], *, lang: str | None = None, threshold: float | None = None
    ) -> list[list[LabelledSpan]]: ...

    def predict_spans(
        self, articles: str | Document | list[str] | Sequence[Document], *, lang: str | None = None, threshold: float | None = None
    ) -> list[LabelledSpan] | list[list[LabelledSpan]]:
        """Find the spans of articles that an annotator would mark: those that ``annotate push --model`` suggests.

        Args:
            articles: as ``predict`` takes them.
            lang: language of the texts.
            threshold: a label is given from this probability on.

        Returns:
            The spans of the article, passage by passage; for several articles, such a list per article.
        """
        from newsmark.annotation.documents import Document
        from newsmark.models.prediction.predict import predict_articles, spans_in_article

        several = [articles] if isinstance(articles, str | Document) else articles
        given = [(article, lang) if isinstance(article, str) else article for article in several]
        texts = [article if isinstance(article, str) else article.text for article in several]
        found = map(spans_in_article, predict_articles(self._trained, given, _checked(threshold), spans=True))
        answers = [[LabelledSpan(text=text[span.start : span.end], **vars(span)) for span in spans] for text, spans in zip(texts, found, strict=True)]
        return answers if several is articles else answers[0]

    @overload
    def topics(self, articles: str | Document, *, lang: str | None = None, threshold: float | None = None) -> TopicPrediction: ...

    @overload
    def topics(self, articles: list[str] | Sequence[Document], *, lang: str | None = None, threshold: float | None = None) -> list[TopicPrediction]: ...

    def topics(
        self, articles: str | Document | list[str] | Sequence[Document], *, lang: str | None = None, threshold: float | None = None
    ) -> TopicPrediction | list[TopicPrediction]:
        """Give whole articles topics.

        Args:
            articles: a text, a document, or several of them.
            lang: language of the texts (ISO 639-1); identified from each text where it is None. A document knows its own.
            threshold: a topic is given from this score on; None stands for 0.5, and for those topics only that were found to save annotators work.

        Returns:
            The topics of the article, with ``topics`` and ``scores``; both are empty where the model knows none. For several articles, a list of these.
        """
        from newsmark.annotation.documents import Document
        from newsmark.models.prediction.predict import predict_articles, topics_of_article

        several = [articles] if isinstance(articles, str | Document) else articles
        texts = [(article, lang) if isinstance(article, str) else article for article in several]
        answers = [topics_of_article(self._trained, one, _checked(threshold)) for one in predict_articles(self._trained, texts)]
        return answers if several is articles else answers[0]

    def predict_passages(self, passages: Sequence[str], *, context: bool = True, threshold: float | None = None) -> list[Prediction]:
        """Label texts that are passages already.

        Args:
            passages: n passages.
            context: whether they follow each other in one document: the model then also reads the passages before and after each.
            threshold: a label is given from this probability on; None stands for the model's own threshold of each label.

        Returns:
            n predictions, each with ``labels``, ``scores``, ``review`` and ``truncated``.
        """
        from newsmark.annotation.errors import NewsmarkError
        from newsmark.models.context import PassageInContext, in_reading_order
        from newsmark.models.prediction.predict import predict_passages

        if isinstance(passages, str):
            raise NewsmarkError("passages: must be a list of texts, got one text; give [text], or the whole article to predict")
        contexts = in_reading_order(passages) if context else [PassageInContext(text) for text in passages]
        return predict_passages(self._trained, contexts, _checked(threshold))


def load(model: str | Path | None = None) -> Model:
    """Load a trained model.

    Args:
        model: a model folder, a run id or an MLflow URI (``models:/newsmark@champion``); None stands for the model that ``predict`` takes.

    Raises:
        NewsmarkError: there is no such model, or its files are damaged.
    """
    from newsmark.models.saved import load_model
    from newsmark.models.store import find_folder

    return Model(load_model(find_folder(None if model is None else str(model))))


def serve(model: str | Path | None = None, *, port: int = 0) -> AbstractContextManager[str]:
    """Serve a model over HTTP on this machine, in a process of its own, for as long as a ``with`` block runs; ``predict serve`` serves for longer.

    ``with newsmark.serve() as url:`` gives the server's URL. POST texts to ``URL/invocations``; the manual of ``models`` says what it answers.
    Limits and token are those of ``predict serve``.

    Args:
        model: a model folder, a run id or an MLflow URI; None stands for the model that ``predict serve`` takes.
        port: to listen on, on 127.0.0.1; 0 takes a free one.

    Raises:
        NewsmarkError: when the block begins: there is no such model, or the port is in use.
    """
    from newsmark.models.serving.process import serving

    return serving(None if model is None else str(model), port)


@dataclass(frozen=True)
class TrainingResult:
    """What a training run leaves.

    Attributes:
        run_id: its MLflow run, which the commands take (``train promote RUN``).
        model: the model, trained on all annotated passages.
        evaluation: its scores, out of fold or on the test file: per label, macro and micro F1, with intervals.
        table: the same as text.
    """

    run_id: str
    model: Model
    evaluation: Evaluation
    table: str


def train(config: str | Path, *, test: str | Path | None = None, fast: bool = False, **keys: Any) -> TrainingResult:
    """Train and evaluate a model, and log it to MLflow.

    Args:
        config: a configuration such as ``configs/baseline.yaml``.
        test: a file of labelled passages to evaluate on instead of cross-validation.
        fast: whether to train a cheaper model, with the keys under ``fast`` in the configuration.
        **keys: keys of the configuration, which replace the file's values: ``seed=7``, ``languages=["sv", "fr"]``.

    Raises:
        NewsmarkError: the configuration, the data or the MLflow store can't be used, or the data leaks from training to evaluation.
    """
    from newsmark.annotation.errors import NewsmarkError
    from newsmark.training.config import load_config
    from newsmark.training.experiment import run_experiment

    result = run_experiment(load_config(Path(config), {key: _as_flag(key, value) for key, value in keys.items()}, fast), Path(test) if test else None)
    if result is None:
        raise NewsmarkError("this process only helps another one to train; in several processes use the command train")
    return TrainingResult(result.run_id, Model(result.model), result.evaluation, result.table)


def _as_flag(key: str, value: object) -> str | list[str]:
    """The value of a key as a flag would give it."""
    from newsmark.annotation.errors import NewsmarkError

    if isinstance(value, str | int | float | Path):
        return str(value)
    if isinstance(value, Mapping):
        return json.dumps(dict(value), default=float)
    if isinstance(value, Iterable):
        return [str(one) for one in value]
    raise NewsmarkError(f"{key}: {value!r} is no value of a configuration; leave the key out to keep the file's")


def _checked(threshold: float | None) -> float | None:
    """A threshold that is a probability.

    Raises:
        NewsmarkError: it is none.
    """
    from newsmark.annotation.errors import NewsmarkError

    if threshold is not None and not (isinstance(threshold, int | float) and 0 <= threshold <= 1):
        raise NewsmarkError(f"threshold: must be a number from 0 to 1, got {threshold!r}")
    return threshold


def annotate(argv: list[str] | None = None) -> int:
    """Run the command ``annotate`` with trained models at hand (``annotate push --model``, ``annotate backend``); internal, as the other commands are.

    Args:
        argv: arguments; by default those of the process.

    Returns:
        The exit code.
    """
    from newsmark.annotation.cli import main

    return main(argv, _load_suggester, _serve_backend, _take_turn, _reason_of_run)


def _load_suggester(name: str | None, scheme: LabelScheme) -> Scorer:
    from newsmark.models.prediction.suggest import ModelSuggester  # loads no model library before it is needed

    return ModelSuggester.load(name, scheme)


def _serve_backend(project: Project, scheme: LabelScheme, options: BackendOptions) -> None:
    from newsmark.models.serving.backend import serve_backend

    serve_backend(project, scheme, options)


def _take_turn(given: TurnInput, report: Callable[[str], None]) -> TurnOutcome:
    from newsmark.training.turn import take_turn

    return take_turn(given, report)


def _reason_of_run(run_id: str | None) -> Reason:
    from newsmark.training.suspects import reason_of_run

    return reason_of_run(run_id)
