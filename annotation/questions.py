"""Questions about single passages: which passages are in doubt, and which of them to ask about next."""

from __future__ import annotations

import json
import math
from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import cycle
from pathlib import Path

from .documents import Document
from .errors import NewsmarkError
from .files import read_jsonl, string_of
from .labels import LabelScheme
from .near_copies import NearCopies
from .suggestion_files import labelled_passage
from .suggestions import Scorer

_DOUBT = 20.0
"""A passage is in doubt where its odds are less than this many times above or below those of the threshold: from 5 to 95 % where the threshold is 50 %."""


@dataclass(frozen=True)
class Question:
    """Whether a passage has a label.

    Attributes:
        document: id of the passage's document.
        name: of the document.
        group: what the document shares with its translations (see ``Document.group``).
        language: of the document.
        kind: kind of text; "" where it is not known.
        start: offset of the passage's first character in the document.
        end: offset after its last.
        label: which label.
        text: the passage.
        before: the passage before it; "" where there is none.
        after: the passage after it, likewise.
    """

    document: str
    name: str
    group: str
    language: str
    kind: str
    start: int
    end: int
    label: str
    text: str
    before: str = ""
    after: str = ""

    @cached_property
    def id(self) -> str:
        """SHA-256 of document, offsets and label, hexadecimal; nothing is asked twice."""
        return sha256(json.dumps([self.document, self.start, self.end, self.label]).encode()).hexdigest()


@dataclass(frozen=True)
class Candidate:
    """A question that may be asked.

    Attributes:
        question: the question.
        probability: that the answer is yes, as a model says.
    """

    question: Question
    probability: float


@dataclass(frozen=True)
class Candidates:
    """All passages of some documents that could be asked about.

    Attributes:
        rows: the passages.
        threshold: probability from which on the model gives the label.
    """

    rows: tuple[Candidate, ...]
    threshold: float


def score_documents(documents: Iterable[Document], label: str, scorer: Scorer) -> Candidates:
    """Let a model say how probable a label is for each passage of documents.

    Raises:
        NewsmarkError: the model does not know the label.
    """
    if label not in scorer.labels:
        raise NewsmarkError(f"the model {scorer.version} does not know the label {label!r}, but {', '.join(scorer.labels)}; train a model with it first")
    rows: list[Candidate] = []
    for document in documents:
        rows += _candidates(document, label, [(one.start, one.end, one.labels[label], "") for one in scorer.scores(document)])
    return Candidates(tuple(rows), scorer.threshold(label))


def read_scores(path: Path, documents: Iterable[Document], label: str, scheme: LabelScheme) -> Candidates:
    """Take how probable a label is from the rows that ``predict`` writes for articles; the threshold is the least probability with which it was given.

    Args:
        path: the file (JSONL); rows of other documents are passed over. A field ``kind`` says the kind of text.
        documents: the documents that may be asked about.
        label: the label.
        scheme: labels and topics.

    Raises:
        NewsmarkError: a row is not as it must be; the message names file and line.
    """
    by_id = {document.id: document for document in documents}
    found: dict[str, list[tuple[int, int, float, str]]] = defaultdict(list)
    given = []
    for where, row in read_jsonl(path):
        document = by_id.get(string_of(row, "document", where) or "")
        if document is None:
            continue
        passage = labelled_passage(row, document, scheme, where)
        score = row["scores"].get(label)
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise NewsmarkError(f"{where}: the score of {label!r} is {score!r}; it must be a number from 0 to 1")
        found[document.id].append((passage.start, passage.end, float(score), string_of(row, "kind", where) or ""))
        given += [float(score)] if label in passage.labels else []
    rows = [one for key, passages in found.items() for one in _candidates(by_id[key], label, sorted(passages))]
    return Candidates(tuple(rows), min(given, default=0.5))


def _candidates(document: Document, label: str, passages: Sequence[tuple[int, int, float, str]]) -> Iterator[Candidate]:
    texts = ["", *(document.text[start:end] for start, end, *_ in passages), ""]
    for number, (start, end, probability, kind) in enumerate(passages):
        before, text, after = texts[number : number + 3]
        question = Question(document.id, document.name, document.group, document.language, kind, start, end, label, text, before, after)
        yield Candidate(question, probability)


def choose_questions(candidates: Candidates, number: int, asked: Container[str] = (), known: Iterable[str] = ()) -> list[Question]:
    """Choose the questions whose answers are least certain: by turns of each language and kind of text, and by turns above and below the threshold.

    Args:
        candidates: the passages.
        number: how many questions to choose at most.
        asked: ids of the questions that were asked before.
        known: passages that were asked about or annotated before; near copies of these and of each other are left out.

    Returns:
        The questions, about the most uncertain first; fewer than ``number`` where no more passages are in doubt.
    """
    copies = NearCopies(known)
    fresh = [one for one in candidates.rows if one.question.id not in asked and in_doubt(one.probability, candidates.threshold)]
    doubtful = sorted(fresh, key=lambda one: (distance(one.probability, candidates.threshold), one.question.id))
    queues: Mapping[tuple[str, str], tuple[deque[Question], deque[Question]]] = defaultdict(lambda: (deque(), deque()))
    for one in doubtful:
        queues[one.question.language, one.question.kind][one.probability < candidates.threshold].append(one.question)
    chosen: list[Question] = []
    for side in cycle((0, 1)):
        if len(chosen) >= number or not any(map(any, queues.values())):
            return chosen[:number]
        for both in queues.values():
            for queue in (both[side], both[1 - side]):
                question = next((one for one in _taken(queue) if copies.add(one.text)), None)
                if question:
                    chosen.append(question)
                    break
    raise AssertionError("cycle has no end")


def _taken(queue: deque[Question]) -> Iterator[Question]:
    while queue:
        yield queue.popleft()


def distance(probability: float, threshold: float) -> float:
    """How far a probability is from the threshold, as logarithmic odds: 0 where the model is most uncertain."""
    return abs(_log_odds(probability) - _log_odds(threshold))


def in_doubt(probability: float, threshold: float) -> bool:
    """Whether the model is uncertain whether a passage has a label."""
    return distance(probability, threshold) < math.log(_DOUBT)


def _log_odds(probability: float) -> float:
    kept = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(kept / (1 - kept))
