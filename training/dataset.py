"""The data set: passages with multi-label targets, built from documents and their annotations.

Whether a passage has a label is yes (1), no (0) or not judged (NaN): nobody was asked.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray

from ..annotation.annotations import Annotation, annotations_by_document, read_annotations, with_offered
from ..annotation.documents import Document, read_documents
from ..annotation.errors import NewsmarkError, UsageError
from ..annotation.folders import cache_folder
from ..annotation.labels import DEFAULT_LABELS, LabelScheme, load_labels
from ..annotation.reading.finding import find_files
from ..annotation.reading.sources import DEFAULTS, ReadingOptions
from ..annotation.splitting.fingerprint import code_digest, fingerprint
from ..annotation.splitting.passages import split_passages
from ..annotation.votes import count_votes, counting
from ..models.context import PassageInContext, in_reading_order

UNKNOWN_LANGUAGE = "und"
"""Language of a labelled passage that names none (ISO 639-2)."""

UNKNOWN_KIND = "article"
"""Kind of text of a passage that names none, as of all annotated documents."""

_MAKE_ROWS = ("annotations", "documents", "files", "labels", "votes")  # modules of annotation/ that make the rows, beside the splitting

HARD_PAIRS = "pairs"
"""Kind of "document" whose passages stand alone: two by two they differ in what decides a label."""


@dataclass
class PassagesConfig(datasets.BuilderConfig):
    """Where the passages come from.

    Attributes:
        documents: files of articles, folders of them, or files of rows.
        annotations: annotation file of these documents.
        labels: labels file.
        reading: how the documents are read.
        fingerprint: hash of all that the rows depend on, so that the cache never answers for other content.
    """

    documents: tuple[str, ...] = ()
    annotations: str = ""
    labels: str = str(DEFAULT_LABELS)
    reading: ReadingOptions = DEFAULTS
    fingerprint: str = ""


class Passages(datasets.GeneratorBasedBuilder):
    """Builds one row per passage, for every document that has an annotation.

    Use it cached, ``Passages.of(…).download_and_prepare()`` then ``as_dataset("train")``, or streaming,
    ``as_streaming_dataset("train")``.
    """

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = PassagesConfig

    @classmethod
    def of(cls, documents: Sequence[str], annotations: str, labels: str = str(DEFAULT_LABELS), reading: ReadingOptions = DEFAULTS) -> Passages:
        """Make the builder for documents and their annotations; its cache is newsmark's own."""
        fingerprint = _fingerprint(documents, annotations, labels, reading)
        return cls(
            cache_dir=str(cache_folder() / "datasets"),
            config_name=fingerprint[:16],
            documents=tuple(documents),
            annotations=annotations,
            labels=labels,
            reading=reading,
            fingerprint=fingerprint,
        )

    def _info(self) -> datasets.DatasetInfo:
        scheme = load_labels(Path(self.config.labels))
        return datasets.DatasetInfo(
            description="Passages of news articles with their labels.",
            features=datasets.Features(
                text=datasets.Value("string"),
                document=datasets.Value("string"),
                name=datasets.Value("string"),
                start=datasets.Value("int64"),
                end=datasets.Value("int64"),
                lang=datasets.Value("string"),
                group=datasets.Value("string"),
                topics=datasets.List(datasets.ClassLabel(names=list(scheme.topic_names))),
                labels=datasets.List(datasets.ClassLabel(names=list(scheme.label_names))),
                targets=datasets.List(datasets.Value("float32"), length=len(scheme.label_names)),
            ),
        )

    def _split_generators(self, _manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator(name="train")]

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        scheme = load_labels(Path(self.config.labels))
        documents = list(read_documents(map(Path, self.config.documents), self.config.reading))
        annotations = annotations_by_document(with_offered(read_annotations(Path(self.config.annotations), documents, scheme), scheme))
        rows = (row for document in documents for row in _rows(document, annotations.get(document.id, []), scheme))
        yield from enumerate(rows)


@dataclass(frozen=True)
class LabelledPassages:
    """Passages in memory, ready for training and scoring: n of each.

    Attributes:
        labels: label names, in the order of the target columns.
        texts: the passages.
        targets: n × labels, 1 where the passage has the label, 0 where it has not, NaN where that was not judged.
        documents: id of each passage's document; of labelled passages, what their rows call it.
        names: the documents' names, for people.
        languages: ISO 639-1 code.
        groups: what must stay on one side of a split.
        offsets: start and end in the document.
        kinds: kind of text, "sports" say.
        weights: how much each passage counts in training beside the others; None where all count the same.
        neighbours: what stands before and after each passage, where its row says so ("" where it does not); None where no row does.
    """

    labels: tuple[str, ...]
    texts: list[str]
    targets: NDArray[np.float32]
    documents: NDArray[np.str_]
    names: NDArray[np.str_]
    languages: NDArray[np.str_]
    groups: NDArray[np.str_]
    offsets: list[tuple[int, int]]
    kinds: NDArray[np.str_]
    weights: NDArray[np.float32] | None = None
    neighbours: list[tuple[str, str]] | None = None

    def subset(self, rows: NDArray[np.intp]) -> LabelledPassages:
        """Take the passages with these indices."""
        return LabelledPassages(
            self.labels,
            [self.texts[index] for index in rows],
            self.targets[rows],
            self.documents[rows],
            self.names[rows],
            self.languages[rows],
            self.groups[rows],
            [self.offsets[index] for index in rows],
            self.kinds[rows],
            None if self.weights is None else self.weights[rows],
            None if self.neighbours is None else [self.neighbours[index] for index in rows],
        )

    @property
    def truth(self) -> NDArray[np.bool_]:
        """N × labels, whether the passage is known to have the label."""
        return self.targets > 0

    @property
    def judged(self) -> NDArray[np.bool_]:
        """N × labels, whether it is known if the passage has the label."""
        return ~np.isnan(self.targets)

    @property
    def contexts(self) -> list[PassageInContext]:
        """The passages with their neighbours: those that their rows say, else those among these passages; hard pairs stand alone."""
        alone = self.kinds == HARD_PAIRS
        found = in_reading_order(self.texts, [index if alone[index] else document for index, document in enumerate(self.documents)])
        said = self.neighbours or [("", "")] * len(found)
        return [one._replace(before=before or one.before, after=after or one.after) for one, (before, after) in zip(found, said, strict=True)]

    @property
    def digest(self) -> str:
        """SHA-256 over every passage, in order, with all its columns; a document is its name here, as in the runs of former versions."""
        content = hashlib.sha256(json.dumps(self.labels).encode())
        judged = self.judged
        targets = self.truth.astype(int) if judged.all() else np.where(judged, self.truth.astype(int), None)  # type: ignore[call-overload]
        for columns in zip(self.texts, targets.tolist(), self.names, self.languages, self.groups, self.offsets, strict=True):
            content.update(json.dumps(columns).encode() + b"\n")
        if self.neighbours is not None:
            content.update(json.dumps(self.neighbours).encode())
        return content.hexdigest()


def load_passages(documents: Sequence[str], annotations: str, labels: str = str(DEFAULT_LABELS), reading: ReadingOptions = DEFAULTS) -> LabelledPassages:
    """Build (or take from the cache) the passages of all annotated documents.

    Raises:
        NewsmarkError: the input is not usable, or no document is annotated.
    """
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    builder = Passages.of(documents, annotations, labels, reading)
    try:
        builder.download_and_prepare()
    except datasets.exceptions.DatasetGenerationError as error:
        if isinstance(error.__cause__, NewsmarkError):
            raise error.__cause__ from None
        raise
    if not builder.info.splits["train"].num_examples:
        raise NewsmarkError(f"{annotations}: none of the documents is annotated; nothing to train on")
    table = builder.as_dataset("train")
    return LabelledPassages(
        load_labels(Path(labels)).label_names,
        list(table["text"]),
        np.asarray(table["targets"], dtype=np.float32),
        np.asarray(table["document"]),
        np.asarray(table["name"]),
        np.asarray(table["lang"]),
        np.asarray(table["group"]),
        list(zip(table["start"], table["end"], strict=True)),
        np.full(len(table), UNKNOWN_KIND),
    )


def joined(*parts: LabelledPassages) -> LabelledPassages:
    """All passages of several parts, which have the same labels, in their order."""
    arrays = {name: np.concatenate([getattr(one, name) for one in parts]) for name in ("targets", "documents", "names", "languages", "groups", "kinds")}
    if any(one.weights is not None for one in parts):
        arrays["weights"] = np.concatenate([np.ones(len(one.texts), np.float32) if one.weights is None else one.weights for one in parts])
    neighbours = None
    if any(one.neighbours is not None for one in parts):
        neighbours = [pair for one in parts for pair in one.neighbours or [("", "")] * len(one.texts)]
    texts, offsets = [text for one in parts for text in one.texts], [pair for one in parts for pair in one.offsets]
    return replace(parts[0], texts=texts, offsets=offsets, neighbours=neighbours, **arrays)


def targets_of(labels: Iterable[str], judged: Iterable[str], scheme: LabelScheme) -> list[float]:
    """Make a row of targets: 1 for the labels, 0 for the others that were judged, NaN for the rest."""
    return [float(name in labels) if name in judged else math.nan for name in scheme.label_names]


def topics_of(annotations: Sequence[Annotation], scheme: LabelScheme) -> tuple[str, ...]:
    """The topics of a document: of its ground truth, else those that half of its annotators give, of two one."""
    own = [one for one in annotations if not one.skipped]
    own = [one for one in own if one.ground_truth] or own
    return tuple(name for name in scheme.topic_names if own and 2 * sum(name in one.topics for one in own) >= len(own))


def _fingerprint(documents: Sequence[str], annotations: str, labels: str, reading: ReadingOptions) -> str:
    annotation = Path(__file__).parent.parent / "annotation"
    code = [Path(__file__), *(annotation / f"{module}.py" for module in _MAKE_ROWS), *sorted((annotation / "reading").glob("*.py"))]
    content = hashlib.sha256(f"{code_digest(code)} {fingerprint()} {importlib.metadata.version('py3langid')} {reading}\n".encode())
    for path in [*find_files(map(Path, documents), reading), Path(annotations), Path(labels)]:
        try:
            content.update(f"{path.name}:{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        except FileNotFoundError:
            raise UsageError(f"{path}: no such file or folder") from None
    return content.hexdigest()


def _rows(document: Document, annotations: Sequence[Annotation], scheme: LabelScheme) -> Iterator[dict[str, Any]]:
    own = counting(annotations)
    if not own:
        return
    passages = split_passages(document.text, document.language)
    votes = count_votes(passages, own, scheme)
    topics = topics_of(own, scheme)
    for passage, labels in zip(passages, votes.labels, strict=True):
        yield {
            **vars(passage),
            "document": document.id,
            "name": document.name,
            "lang": document.language,
            "group": document.group,
            "topics": topics,
            "labels": list(labels),
            "targets": targets_of(labels, votes.judged, scheme),
        }
