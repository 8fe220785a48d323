"""Learning where spans begin and end and of which kind they are, from spans that annotators marked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from ..annotation.annotations import Annotation, annotations_by_document, read_annotations
from ..annotation.documents import Document, read_documents
from ..annotation.labels import LabelScheme
from ..annotation.suggestions import kind_by_rule
from ..models.borders import Borders, VectorBorders, features, word_places, word_vectors
from ..models.classifier import EmbedsTokens
from ..models.span_kinds import KindModel, kind_features
from ..models.spans import SpanFinder
from .config import Config
from .marked import MarkedPassage, marked_in, read_marked

DOCUMENTS = 12
"""Documents with a label from which on there is something to learn from. From as many articles of the desk on, these alone say what is best: its annotators
may mark otherwise than the corpus."""

_LEAST = 30  # passages of a label to learn from
_PARTS = 4  # one of this number of parts, of whole documents, says what is better
_SEEN = 3  # how often a feature must occur
_SMALL = 0.05  # weights below it are left out
_STRONG = 1.0  # C of the logistic regressions
_STRONG_OF_VECTORS = 10.0  # the same, of those on vectors of words
_FLAT = 1e-6  # added to the spread of each number of the vectors
_PLAIN = 0.95  # F1 of whole passages, or of the rule, from which on there is nothing to learn
_SEVERAL = 0.1  # part of a label's passages with several spans


@dataclass(frozen=True)
class Marked:
    """Articles with what annotators marked, and what learns from it.

    Attributes:
        documents: all articles.
        right: what was marked, by the id of the document: the ground truth, or what the only annotator marked.
        learner: learns from these and from the corpus.
    """

    documents: list[Document]
    right: dict[str, Annotation]
    learner: SpanLearner


def load_marked(config: Config, scheme: LabelScheme) -> Marked:
    """Read the articles and the corpus that a configuration names; nothing is learned from languages that it leaves out.

    Raises:
        NewsmarkError: a file can't be used.
    """
    documents = list(read_documents(map(Path, config.data.documents), config.data.reading)) if config.data.documents else []
    annotations = annotations_by_document(read_annotations(Path(config.data.annotations), documents, scheme)) if documents else {}
    right = {name: one for name, some in annotations.items() if (one := _right(some)) is not None}
    marked = [*read_marked(config.data.bootstrap, scheme), *marked_in(documents, right, scheme)]
    return Marked(documents, right, SpanLearner([one for one in marked if one.language not in config.data.leave_out_languages], scheme))


def _right(annotations: list[Annotation]) -> Annotation | None:
    own = [one for one in annotations if not one.skipped]
    own = [one for one in own if one.ground_truth] or own
    return own[0] if len(own) == 1 else None


class SpanLearner:
    """Learns from marked passages, of all documents or of some; what each passage is described by is computed once.

    Args:
        marked: passages with their spans.
        scheme: labels with their kinds.

    Attributes:
        marked: the passages of each label.
    """

    def __init__(self, marked: Sequence[MarkedPassage], scheme: LabelScheme) -> None:
        self._kinds = {label.name: label.kinds for label in scheme.labels if label.kinds}
        self.marked: dict[str, list[MarkedPassage]] = {}
        for one in marked:
            self.marked.setdefault(one.label, []).append(one)
        self._words = {label: _WordTable(some) for label, some in self.marked.items() if len(some) >= _LEAST}
        self._vectors: dict[str, _VectorTable] = {}
        self._reader: object = None

    def learn(self, without: Collection[str] = (), classifier: object = None) -> SpanFinder:
        """Learn, and take for each label what is best on a part of the documents that was not learned from: whole passages, a rule, or what is learned.

        Args:
            without: documents to leave out.
            classifier: if it makes vectors of tokens, borders may be learned from these, too. Those of the last one are kept.
        """
        if classifier is not self._reader:
            self._reader, self._vectors = classifier, {}
        borders: dict[str, Borders | VectorBorders] = {}
        kinds: dict[str, KindModel] = {}
        for label, some in self.marked.items():
            rows = [row for row, one in enumerate(some) if one.document not in without]
            own = [row for row in rows if some[row].own]
            count, enough = len({some[row].document for row in rows}), len({some[row].document for row in own}) >= DOCUMENTS
            judges = {row for row in (own if enough else rows) if _part_of(some[row].document) == 0}
            sources = [source for source in ([rows, own] if enough and len(own) < len(rows) else [rows]) if set(source) - judges]
            if len(rows) >= _LEAST and count >= DOCUMENTS and judges and sources:
                chosen = self._best_borders(label, sources, judges)
                borders |= {label: chosen} if chosen else {}
                learned = self._best_kinds(label, sources, judges) if label in self._kinds else None
                kinds |= {label: learned} if learned else {}
        return SpanFinder(self._kinds, borders, kinds)

    def _best_borders(self, label: str, sources: list[list[int]], judges: set[int]) -> Borders | VectorBorders | None:
        """What has most borders right: None for whole passages, the rule, or what is learned, which then learns from the judges, too."""
        test = [self.marked[label][row] for row in sorted(judges)]
        scores = [exact_f1(test, lambda text: [(0, len(text))]), exact_f1(test, Borders().find)]
        learned = [(table, source) for table in self._tables(label) for source in sources] if max(scores) < _PLAIN else []
        for table, source in learned:
            one = table.fit([row for row in source if row not in judges])
            scores.append(exact_f1(test, one.find) if one else 0.0)
        best = int(np.argmax(scores))  # the first, and so the simplest, of equal ones
        if best < len(scores) - len(learned):
            return Borders() if best else None
        table, source = learned[best - (len(scores) - len(learned))]
        last = table.fit(source)
        return last and last.borders

    def _tables(self, label: str) -> Iterator[_WordTable | _VectorTable]:
        """What describes the words of a label's passages."""
        yield self._words[label]
        if isinstance(self._reader, EmbedsTokens):
            if label not in self._vectors:
                self._vectors[label] = _VectorTable(self.marked[label], self._reader)
            yield self._vectors[label]

    def _best_kinds(self, label: str, sources: list[list[int]], judges: set[int]) -> KindModel | None:
        """What is right most often: None for the rule, or what is learned."""
        some = self.marked[label]
        asked = [(some[row], place, kind) for row in sorted(judges) for place, kind in zip(some[row].spans, some[row].kinds, strict=True)]
        right = [sum(kind_by_rule(label, self._kinds[label], one.context.text[slice(*place)]) == kind for one, place, kind in asked)]
        for source in sources:
            model = _fit_kinds([some[row] for row in source if row not in judges])
            right.append(sum(model.find(one.context) == kind for one, _, kind in asked) if model else 0)
        best = int(np.argmax(right))
        return _fit_kinds([some[row] for row in sources[best - 1]]) if best else None


def exact_f1(marked: Iterable[MarkedPassage], find: Callable[[str], list[tuple[int, int]]]) -> float:
    """F1 of spans of which both borders are right."""
    right = found = wanted = 0
    for one in marked:
        made = set(find(one.context.text))
        right, found, wanted = right + len(made & {*one.spans}), found + len(made), wanted + len({*one.spans})
    return 2 * right / (found + wanted) if found + wanted else 0.0


class _Learned(NamedTuple):
    """Borders that were learned, and what finds the spans of one of the marked passages with them."""

    borders: Borders | VectorBorders
    find: Callable[[str], list[tuple[int, int]]]


class _WordTable:
    """The words of some marked passages of one label, described by features, and which of them spans begin with, go over and end with."""

    def __init__(self, marked: Sequence[MarkedPassage]) -> None:
        every = [features(one.context.text) for one in marked]
        counts = Counter(name for words in every for word in words for name in word)
        self._names = sorted(name for name, count in counts.items() if count >= _SEEN)
        self._matrix = _matrix((word for words in every for word in words), self._names)
        ends = np.cumsum([0, *map(len, every)])
        self._ranges = [np.arange(start, end) for start, end in pairwise(ends)]
        self._roles = np.concatenate([_roles(one) for one in marked])
        self._marked = marked

    def fit(self, rows: Sequence[int]) -> _Learned | None:
        """Fit the three regressions to the passages with these indices; None where a role is always or never taken."""
        words = np.concatenate([self._ranges[row] for row in rows])
        found = []
        for role in self._roles[words].T:
            if role.all() or not role.any():
                return None
            found.append(_weights(_regression(self._matrix[words], role), self._names))
        borders = Borders(tuple(found), _have_several(self._marked, rows))
        return _Learned(borders, borders.find)


class _VectorTable:
    """The same words, described by the vectors that a classifier makes of their tokens."""

    def __init__(self, marked: Sequence[MarkedPassage], classifier: EmbedsTokens) -> None:
        self._marked = marked
        texts = list(dict.fromkeys(one.context.text for one in marked))
        self._vectors = {text: word_vectors(text, tokens) for text, tokens in zip(texts, classifier.token_vectors(texts), strict=True)}

    def fit(self, rows: Sequence[int]) -> _Learned | None:
        """Fit the three regressions to the passages with these indices; None where a role is always or never taken."""
        words = np.concatenate([self._vectors[self._marked[row].context.text] for row in rows])
        center, scale = words.mean(axis=0), (words.std(axis=0) + _FLAT) * words.shape[1] ** 0.5
        words, found = (words - center) / scale, []
        for role in np.concatenate([_roles(self._marked[row]) for row in rows]).T:
            if role.all() or not role.any():
                return None
            with threadpool_limits(1):  # on a busy machine, threads that wait for each other take twenty times as long
                model = LogisticRegression(C=_STRONG_OF_VECTORS).fit(words, role)
            weights = model.coef_[0] / scale
            found.append(tuple(np.append(weights, model.intercept_[0] - weights @ center).round(4).tolist()))
        borders = VectorBorders(tuple(found), _have_several(self._marked, rows))
        return _Learned(borders, lambda text: borders.find(text, self._vectors[text]))


def _have_several(marked: Sequence[MarkedPassage], rows: Sequence[int]) -> bool:
    """Whether a passage may have several spans of a label, by those of these passages."""
    return bool(np.mean([len(marked[row].spans) > 1 for row in rows]) >= _SEVERAL)


def _roles(one: MarkedPassage) -> NDArray[np.bool_]:
    """Words × (begins a span, is in one, ends one)."""
    places = word_places(one.context.text)
    found = np.zeros((len(places), 3), dtype=bool)
    for start, end in one.spans:
        inside = [row for row, (first, last) in enumerate(places) if first < end and last > start]
        if inside:
            found[inside[0], 0] = found[inside[-1], 2] = True
            found[inside, 1] = True
    return found


def _fit_kinds(marked: Sequence[MarkedPassage]) -> KindModel | None:
    """Fit a regression for each kind; None where there is only one."""
    examples = [(kind_features(one.context), kind) for one in marked for kind in one.kinds if kind is not None]
    names = sorted({name for known, _ in examples for name in known})
    matrix, kinds = _matrix((known for known, _ in examples), names), np.array([kind for _, kind in examples])
    if len(set(kinds.tolist())) < 2:
        return None
    return KindModel({kind: _weights(_regression(matrix, kinds == kind), names) for kind in sorted(set(kinds.tolist()))})


def _matrix(described: Iterable[Mapping[str, float]], names: Sequence[str]) -> csr_matrix:
    columns = {name: column for column, name in enumerate(names)}
    values: list[float] = []
    indices: list[int] = []
    ends = [0]
    for one in described:
        known = [(columns[name], value) for name, value in one.items() if name in columns]
        indices += [column for column, _ in known]
        values += [value for _, value in known]
        ends.append(len(indices))
    shape = (len(ends) - 1, len(names))
    return csr_matrix((np.array(values), np.array(indices, dtype=np.int32), np.array(ends, dtype=np.int32)), shape=shape)


def _regression(matrix: csr_matrix, wanted: NDArray[np.bool_]) -> Any:
    return LogisticRegression(C=_STRONG, solver="liblinear", random_state=0).fit(matrix, wanted)


def _weights(model: Any, names: Sequence[str]) -> dict[str, float]:
    found = {name: round(float(weight), 3) for name, weight in zip(names, model.coef_[0], strict=True) if abs(weight) >= _SMALL}
    return {"": round(float(model.intercept_[0]), 3)} | found


def is_held_out(document: str) -> bool:
    """Whether a measurement on the corpus is of this document, and so must not learn from it: one in four; the same everywhere."""
    return _part_of(f"held out {document}") == 0


def _part_of(document: str) -> int:
    """The part of a document; the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(document.encode()).digest()[:8]) % _PARTS
