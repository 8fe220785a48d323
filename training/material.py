"""What a training run trains on: loading it, checking it for leaks, and logging what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..annotation.documents import read_documents
from ..annotation.errors import NewsmarkError
from ..annotation.labels import LabelScheme
from .config import Config
from .dataset import LabelledPassages, load_passages
from .labelled import load_corpus
from .leaks import check_leaks
from .progress import Report
from .recorder import Recorder
from .tracking import git_commit

FEW = 30
"""Passages with a label below which its scores mean little."""

_NAMED = 5  # documents that are named at most


@dataclass(frozen=True)
class Material:
    """What a run trains on: annotated passages, and the cold-start corpus where there is one."""

    data: LabelledPassages
    bootstrap: LabelledPassages | None


def log_inputs(log: Recorder, config: Config, material: Material, scored_on: str) -> None:
    """Log the flattened configuration, the git commit, the digests of the data, and what the run is scored on."""
    data, digest = material.data, material.data.digest
    found = {"passages": len(data.texts), "languages": ", ".join(sorted(set(data.languages)))}
    log.log_params(config.flat() | found | {"data_digest": digest, "bootstrap_digest": material.bootstrap.digest if material.bootstrap else ""})
    log.set_tags({"git_commit": git_commit(), "scored_on": scored_on})
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
    data = load_passages(config.data.documents, config.data.annotations, config.data.labels)
    if not data.judged.any():
        raise NewsmarkError(f"{config.data.annotations}: no annotation has a span or says in 'offered' which labels were judged; nothing to train on")
    _report_left_out(data, config, report)
    check_leaks(data, None, scheme.exclusive_names)
    if test:
        check_leaks(data, test, scheme.exclusive_names)
    report(f"{len(data.texts)} passages of {len(set(data.documents))} documents in {len(set(data.groups))} articles, digest {data.digest[:12]}")
    bootstrap = _load_bootstrap(config.data.bootstrap, scheme, report) if config.data.bootstrap else None
    _report_progress([data, bootstrap] if bootstrap else [data], report)
    if bootstrap is None:
        return Material(data, None)
    for other in (data, test):
        if other:
            check_leaks(bootstrap, other, scheme.exclusive_names)
    report(f"{len(bootstrap.texts)} passages of the cold-start corpus {config.data.bootstrap}, digest {bootstrap.digest[:12]}: for training only")
    return Material(data, bootstrap)


def _report_left_out(data: LabelledPassages, config: Config, report: Report) -> None:
    """Say how many documents are not trained on, because nobody has annotated them."""
    known = set(data.documents.tolist())
    documents = list(read_documents(Path(path) for path in config.data.documents))
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
        report(f"the cold-start corpus {path} says nothing about {', '.join(missing)}: learned from the annotated articles alone")
    return bootstrap


def _report_progress(parts: Sequence[LabelledPassages], report: Report) -> None:
    """Say of each label with few passages how far along it is."""
    for column, label in enumerate(parts[0].labels):
        positives, judged = (sum(int(one[:, column].sum()) for one in some) for some in ([part.truth for part in parts], [part.judged for part in parts]))
        if positives < FEW:
            report(f"{label} is new: {positives} of {judged} passages judged for it have it; scores mean little below {FEW}")
