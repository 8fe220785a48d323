"""What a training run trains on: loading it, checking it for leaks, and logging what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..annotation.agreement import shared_documents
from ..annotation.annotations import read_annotations
from ..annotation.documents import read_documents
from ..annotation.errors import NewsmarkError
from ..annotation.labels import LabelScheme, load_labels
from ..models.sqlite_store import LABELS_TAG
from .config import Config
from .dataset import LabelledPassages, joined, load_passages
from .labelled import load_corpus, load_to_train
from .leaks import check_leaks, with_twins_together
from .marked import FOLDER
from .progress import Report
from .recorder import Recorder
from .tracking import git_commit

FEW = 30
"""Passages with a label below which its scores mean little."""

_NAMED = 5  # documents that are named at most


@dataclass(frozen=True)
class Material:
    """What a run trains on: passages of annotated articles and of labelled files, and the cold-start corpus where there is one."""

    data: LabelledPassages
    bootstrap: LabelledPassages | None


def log_inputs(log: Recorder, config: Config, material: Material, scored_on: str) -> None:
    """Log the flattened configuration, the git commit, the digests of the data, and what the run is scored on."""
    data, digest = material.data, material.data.digest
    found = {"data_passages": len(data.texts), "data_languages": ", ".join(sorted(set(data.languages)))}
    log.log_params(config.flat() | found | _digests(config, material))
    log.set_tags({"git_commit": git_commit(), "scored_on": scored_on, LABELS_TAG: ", ".join(data.labels)})
    log.log_passages(pd.DataFrame({"text": data.texts, "document": data.documents, "name": data.names, "lang": data.languages}), digest)


def load_material(config: Config, scheme: LabelScheme, test: LabelledPassages | None, report: Report) -> Material:
    """Load what to train on.

    Args:
        config: names it.
        scheme: labels and topics.
        test: a test file's passages, which must not be in there.
        report: called with what was found.

    Raises:
        NewsmarkError: the input is not usable, or a passage stands on both sides.
    """
    data = _load_judged(config, scheme, report)
    check_leaks(data, None, scheme.exclusive_names)
    if test:
        check_leaks(data, test, scheme.exclusive_names)
    what = "groups" if config.data.passages else "articles"
    report(f"{len(data.texts)} passages of {len(set(data.documents))} documents in {len(set(data.groups))} {what}, digest {data.digest[:12]}")
    bootstrap = _load_bootstrap(config.data.bootstrap, scheme, report) if config.data.bootstrap else None
    _report_progress([data, bootstrap] if bootstrap else [data], report)
    if bootstrap is None:
        return Material(data, None)
    for other in (data, test):
        if other:
            check_leaks(bootstrap, other, scheme.exclusive_names)
    report(f"{len(bootstrap.texts)} passages of the cold-start corpus {config.data.bootstrap}, digest {bootstrap.digest[:12]}: for training only")
    return Material(data, bootstrap)


def digests_of(config: Config, scheme: LabelScheme) -> dict[str, str]:
    """Digests of what a configuration trains on now, as ``log_inputs`` logs them."""

    def report(_line: str) -> None:
        """Nothing is trained yet, so nothing is said."""

    bootstrap = _load_bootstrap(config.data.bootstrap, scheme, report) if config.data.bootstrap else None
    return _digests(config, Material(_load_judged(config, scheme, report), bootstrap))


def _digests(config: Config, material: Material) -> dict[str, str]:
    """Digests of the passages of both parts, and of all else that a training reads: borders, kinds, topics, weights, definitions."""
    content = hashlib.sha256()
    for one in _read_beside(config):
        content.update(one + b"\n")
    bootstrap = material.bootstrap.digest if material.bootstrap else ""
    return {"data_digest": material.data.digest, "bootstrap_digest": bootstrap, "files_digest": content.hexdigest()}


def _read_beside(config: Config) -> Iterator[bytes]:
    """What annotators marked, without what nothing is learned from (ids, remarks, dates), and the digest of each file of labels and labelled passages."""
    scheme = load_labels(Path(config.data.labels))
    annotations = read_annotations(Path(config.data.annotations), None, scheme) if config.data.documents else []
    for one in sorted(annotations, key=lambda one: (one.document_id, one.annotator)):
        spans = [(span.start, span.end, span.label, span.kind) for span in one.spans]
        yield json.dumps([one.document_id, one.annotator, one.ground_truth, one.skipped, one.topics, one.offered, spans]).encode()
    for path in map(Path, (config.data.labels, *config.data.passages, *([config.data.bootstrap] if config.data.bootstrap else []))):
        files = sorted([*path.glob("*.jsonl"), *path.glob(f"{FOLDER}/*.jsonl")]) if path.is_dir() else [path]
        for file in files:
            yield hashlib.sha256(file.read_bytes()).digest()


def _load_judged(config: Config, scheme: LabelScheme, report: Report) -> LabelledPassages:
    """Load what is trained on and scored: the passages of annotated articles and of labelled files."""
    parts = []
    if config.data.documents:
        articles = load_passages(config.data.documents, config.data.annotations, config.data.labels, config.data.reading)
        if not articles.judged.any():
            raise NewsmarkError(f"{config.data.annotations}: no annotation has a span or says in 'offered' which labels were judged; nothing to train on")
        _report_documents(articles, config, scheme, report)
        parts.append(articles)
    if not config.data.passages:
        return parts[0]
    rows, alone = load_to_train(config.data.passages, scheme)
    report(f"{len(rows.texts)} labelled passages of {', '.join(config.data.passages)}; {alone.sum()} of them name no document and stand alone")
    groups = {str(key): group for one in parts for key, group in zip([*one.names, *one.documents], [*one.groups] * 2, strict=True)}
    parts.append(replace(rows, groups=np.asarray([groups.get(group, group) for group in rows.groups.tolist()])))  # of one article, annotated and as rows
    data = joined(*parts)
    return with_twins_together(data, np.concatenate([np.zeros(len(data.texts) - len(alone), dtype=bool), alone]), scheme.exclusive_names)


def _report_documents(data: LabelledPassages, config: Config, scheme: LabelScheme, report: Report) -> None:
    """Say how many documents are not trained on, because nobody has annotated them, and in how many the annotators differ."""
    known = set(data.documents.tolist())
    documents = list(read_documents(map(Path, config.data.documents), config.data.reading))
    shared = shared_documents(documents, read_annotations(Path(config.data.annotations), documents, scheme), scheme)
    if disputed := sum(one.disputed and not one.decided for one in shared):
        report(
            f"in {disputed} of {len(documents)} documents annotators differ, and there is no ground truth: a passage gets the labels that at least half of "
            "those gave it who were offered them (of two, one suffices); annotate adjudicate decides"
        )
    left_out = [one.name for one in documents if one.id not in known]
    if left_out:
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        report(
            f"{len(left_out)} of {len(documents)} documents have no annotation, or only skipped ones, and are left out: {', '.join(left_out[:_NAMED])}{more}"
        )


def _load_bootstrap(path: str, scheme: LabelScheme, report: Report) -> LabelledPassages | None:
    """Load the cold-start corpus, and say which labels it can't help with; None where it judges none of the scheme's."""
    bootstrap, others = load_corpus(Path(path), scheme)
    shared = [name for name, known in zip(bootstrap.labels, bootstrap.judged.sum(axis=0), strict=True) if known]
    if not shared:
        report(f"the cold-start corpus {path} has none of the labels {', '.join(scheme.label_names)}: trained without it")
        return None
    if others:
        report(f"the cold-start corpus {path} has labels that the labels file does not have, and they are left out: {', '.join(others)}")
    if missing := [name for name in scheme.label_names if name not in shared]:
        report(f"the cold-start corpus {path} says nothing about {', '.join(missing)}: learned without it")
    return bootstrap


def _report_progress(parts: Sequence[LabelledPassages], report: Report) -> None:
    """Say of each label with few passages how far along it is."""
    for column, label in enumerate(parts[0].labels):
        positives, judged = (sum(int(one[:, column].sum()) for one in some) for some in ([part.truth for part in parts], [part.judged for part in parts]))
        if positives < FEW:
            report(f"{label} is new: {positives} of {judged} passages judged for it have it; scores mean little below {FEW}")
