"""Topics of articles: learned where enough articles are annotated, else compared by their definitions; and what that is worth to annotators.

Everything that is measured is of articles that were not learned from: groups of articles are left out, one after another. The vectors are
those of the model that is saved, which has seen the labels of these articles' passages, but never a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from ..annotation.annotations import annotations_by_document, read_annotations
from ..annotation.documents import Document, read_documents
from ..annotation.labels import LabelScheme, Topic
from ..models.classifier import Embeds
from ..models.topics import TOPIC_THRESHOLD, TopicModel, article_vector, text_vectors, unit
from .config import Config
from .dataset import HARD_PAIRS, LabelledPassages, topics_of
from .metrics import f1_of, macro_f1_of, outcomes

TOPIC_EDITS = "topic_edits_per_article"
"""Name of the metric: the mean number of topics to tick and to take away, from a model's suggestions to what annotators gave."""

NO_TOPIC_EDITS = f"{TOPIC_EDITS}_without"
"""The same from no suggestions."""

FEWEST_ARTICLES = 5
"""Groups of articles with a topic, and as many without, from which on it is learned: that five answers in a row are right by chance happens
once in 32 times."""

_NEARNESS = 2.33
"""Standard deviations above the mean nearness of the cold-start corpus's articles to a definition: about one in a hundred is nearer."""

_C = 10.0
"""Inverse strength of the regularisation, chosen on the kinds of text of the cold-start corpus (see ``tests/benchmarks/topics.py``)."""

_CHANCE = 0.05
"""A way of giving topics is of use where the probability that guessing gives as many right ones is below this."""

Line = tuple[NDArray[np.float64], float]
"""Weights and intercept."""


@dataclass(frozen=True)
class TopicScores:
    """How well topics were given to articles.

    Attributes:
        micro_f1: over all topics and articles.
        macro_f1: mean over the topics that an article has.
    """

    micro_f1: float
    macro_f1: float


@dataclass(frozen=True)
class LearnedTopics:
    """The topics of a model, and what was measured.

    Attributes:
        model: what is saved; None where no topic can be learned or compared.
        articles: annotated with topics.
        groups: of these articles, translations together.
        definitions: scores by the topics' definitions; None where the model makes no vectors, or there is no cold-start corpus.
        learned: scores of a topic model that learned from the other articles, even where these are fewer than ``FEWEST_ARTICLES``.
        commonest: scores of giving each article the topics that most of the others have.
        edits: topics to add and to take away per article from what the model suggests to what annotators gave.
        without: topics to add per article where none are suggested.
    """

    model: TopicModel | None
    articles: int
    groups: int
    definitions: TopicScores | None
    learned: TopicScores
    commonest: TopicScores
    edits: float
    without: float

    @property
    def line(self) -> str:
        """Describe it for people."""
        rows = {"by their definitions": self.definitions, "learned": self.learned, "the commonest ones": self.commonest}
        scores = "; ".join(f"{what} {one.micro_f1:.2f} and {one.macro_f1:.2f}" for what, one in rows.items() if one)
        proof = f" {self.articles} articles prove little." if self.groups < 4 * FEWEST_ARTICLES else ""
        return f"Topics of {self.articles} articles, micro and macro F1: {scores}. {self._use}{proof}"

    @property
    def _use(self) -> str:
        if self.model is None:
            return f"None is suggested: one is learned from {FEWEST_ARTICLES} articles with it and {FEWEST_ARTICLES} without it on, translations counting once."
        ways = zip(self.model.names, self.model.learned, self.model.given, strict=True)
        names = [f"{name} ({'learned' if learned else 'by definition'})" for name, learned, given in ways if given]
        if not names:
            return "None is suggested: that would not save annotators work."
        return f"Suggested: {', '.join(names)}; {self.edits:.1f} edits per article, {self.without:.1f} without suggestions."

    def flat(self) -> dict[str, float]:
        """The metrics as MLflow logs them."""
        rows = {"definitions": self.definitions, "learned": self.learned, "commonest": self.commonest}
        scores = {f"topics_{what}_{name}": value for what, one in rows.items() if one for name, value in vars(one).items()}
        return {**scores, TOPIC_EDITS: self.edits, NO_TOPIC_EDITS: self.without}


def learn_topics(
    config: Config, scheme: LabelScheme, classifier: object, data: LabelledPassages, decisions: NDArray[np.bool_], corpus: LabelledPassages | None
) -> LearnedTopics | None:
    """Learn topics from annotated articles, and measure them on articles left out.

    Args:
        config: names the documents and their annotations.
        scheme: labels and topics.
        classifier: makes vectors of passages (see ``models.topics.article_vector``).
        data: n passages of the articles.
        decisions: n × labels, out of fold; what has a label that excludes all others is not read.
        corpus: passages of the cold-start corpus, to compare nearness to definitions with; None where there is none.

    Returns:
        The topics; None where no article was given a topic, as on a desk that uses none.
    """
    articles = _annotated(config, scheme, data)
    if not articles:
        return None
    exclusive = [column for column, name in enumerate(data.labels) if name in scheme.exclusive_names]
    vectors = _vectors(classifier, data, decisions[:, exclusive], [document.id for document, _ in articles])
    targets = np.array([[name in topics for name in scheme.topic_names] for _, topics in articles])
    groups = np.array([document.group for document, _ in articles])
    folds = _folds(groups, config.data.max_folds)
    by_definition = _definition_lines(classifier, scheme.topics, corpus, exclusive)
    near = np.stack([_reaches(line, vectors) for line in by_definition], axis=1) if by_definition else None
    learned = _out_of_fold(folds, targets, lambda train, test, truth: _reaches(_line(vectors[train], truth), vectors[test]))
    commonest = _out_of_fold(folds, targets, lambda _, test, truth: np.full(len(test), 2 * truth.sum() > len(truth)))
    taught = [len(set(groups[truth])) >= FEWEST_ARTICLES <= len(set(groups[~truth])) for truth in targets.T]
    lines = [_line(vectors, targets[:, column]) if taught[column] else by_definition[column] if by_definition else None for column in range(len(scheme.topics))]
    known = [column for column, line in enumerate(lines) if line is not None]
    decided = np.stack([learned[:, column] if taught[column] or near is None else near[:, column] for column in known], axis=1) if known else targets[:, :0]
    given = _useful(decided, targets[:, known], [taught[column] for column in known])
    wrong = int((decided & ~targets[:, known])[:, given].sum())
    right = int((decided & targets[:, known])[:, given].sum())
    model = None
    if kept := [line for line in lines if line is not None]:
        weights, intercepts = zip(*kept, strict=True)
        names = tuple(scheme.topic_names[column] for column in known)
        model = TopicModel(names, tuple(taught[column] for column in known), tuple(given), np.stack(weights), np.array(intercepts))
    count = len(articles)
    return LearnedTopics(
        model,
        count,
        len(set(groups)),
        None if near is None else _scores(near, targets),
        _scores(learned, targets),
        _scores(commonest, targets),
        (int(targets.sum()) - right + wrong) / count,
        int(targets.sum()) / count,
    )


def _annotated(config: Config, scheme: LabelScheme, data: LabelledPassages) -> list[tuple[Document, tuple[str, ...]]]:
    """The articles that were given topics, with these; those of languages that are left out are no example.

    Every article has a topic, if only "none of the others": where an annotator gave none, topics were not asked for.
    """
    if not config.data.documents:
        return []
    documents = list(read_documents(map(Path, config.data.documents), config.data.reading))
    annotations = annotations_by_document(read_annotations(Path(config.data.annotations), documents, scheme))
    known = set(data.documents.tolist())
    pairs = [(document, topics_of(annotations.get(document.id, []), scheme)) for document in documents]
    return [(one, topics) for one, topics in pairs if topics and one.id in known and one.language not in config.data.leave_out_languages]


def _vectors(classifier: object, data: LabelledPassages, furniture: NDArray[np.bool_], documents: Sequence[str]) -> NDArray[np.float64]:
    """Vectors of documents (n × size), from their passages that have none of the labels that exclude all others (passages × such labels)."""
    outside = np.asarray(furniture.any(axis=1))
    rows: dict[str, list[int]] = {}
    for row, document in enumerate(data.documents.tolist()):
        rows.setdefault(document, []).append(row)
    inside = [[row for row in rows[one] if not outside[row]] or rows[one] for one in documents]
    return np.stack([article_vector(classifier, [data.texts[row] for row in some]) for some in inside])


def _folds(groups: NDArray[np.str_], most: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Indices to learn from and to judge, group by group; no fold where there is one group only."""
    count = len(set(groups))
    if count < 2:
        return []
    splitter = LeaveOneGroupOut() if count <= most else GroupKFold(most)
    return list(splitter.split(groups, groups=groups))


def _out_of_fold(
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    targets: NDArray[np.bool_],
    decide: Callable[[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]], NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    """Decide on each topic of each article (n × topics) by what the other articles teach."""
    decided = np.zeros_like(targets)
    for train, test in folds:
        for column in range(targets.shape[1]):
            decided[test, column] = decide(train, test, targets[train, column])
    return decided


def _line(vectors: NDArray[np.float64], truth: NDArray[np.bool_]) -> Line:
    """Learn a topic; where all articles have it, or none has, there is nothing to tell apart, and that is the answer."""
    if truth.all() or not truth.any():
        return np.zeros(vectors.shape[1]), np.inf if truth.all() else -np.inf
    regression = LogisticRegression(C=_C, max_iter=1000).fit(vectors, truth)
    return regression.coef_[0], float(regression.intercept_[0])


def _definition_lines(classifier: object, topics: Sequence[Topic], corpus: LabelledPassages | None, exclusive: Sequence[int]) -> list[Line]:
    """Compare articles with the definitions of topics; no lines where that can't be done.

    What definitions have in common is taken away from them: it is the tone of a definition. How near an article must be follows from the corpus's
    articles, so that no annotated one is needed.
    """
    if not isinstance(classifier, Embeds) or corpus is None or len(topics) < 2:
        return []
    texts = text_vectors(classifier, [topic.definition for topic in topics])
    definitions = unit(texts - texts.mean(axis=0))
    whole = corpus.subset(np.flatnonzero(corpus.kinds != HARD_PAIRS))
    documents = list(dict.fromkeys(whole.documents.tolist()))
    if len(documents) < 2:
        return []
    nearness = _vectors(classifier, whole, whole.truth[:, exclusive], documents) @ definitions.T
    means, deviations = nearness.mean(axis=0), nearness.std(axis=0)
    return [(definition / deviation, float(-mean / deviation - _NEARNESS)) for definition, mean, deviation in zip(definitions, means, deviations, strict=True)]


def _reaches(line: Line, vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each article's score of a topic reaches the threshold: where the line is not below 0."""
    assert TOPIC_THRESHOLD == 0.5
    weights, intercept = line
    return np.asarray(vectors @ weights + intercept >= 0)


def _useful(decided: NDArray[np.bool_], targets: NDArray[np.bool_], learned: Sequence[bool]) -> list[bool]:
    """Which topics are worth suggesting.

    A right one saves an action, a wrong one costs one. So those of a way (learned, by definition) are suggested where more are right than wrong, and
    that is hardly chance (a sign test); but none that itself costs more than it saves.
    """
    right, wrong = (decided & targets).sum(axis=0), (decided & ~targets).sum(axis=0)
    way = np.asarray(learned, dtype=bool)
    proven = {one: _hardly_chance(int(right[way == one].sum()), int(wrong[way == one].sum())) for one in (True, False)}
    return [proven[taught] and own >= 0 for taught, own in zip(learned, (right - wrong).tolist(), strict=True)]


def _hardly_chance(right: int, wrong: int) -> bool:
    """Whether guessing would rarely give as many right ones."""
    return right + wrong > 0 and float(binomtest(right, right + wrong, alternative="greater").pvalue) < _CHANCE


def _scores(decided: NDArray[np.bool_], targets: NDArray[np.bool_]) -> TopicScores:
    counts = outcomes(targets, decided).sum(axis=0)
    return TopicScores(float(f1_of(counts.sum(axis=0))), float(macro_f1_of(counts)))
