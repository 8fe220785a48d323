"""What a training run trains on: loading it, checking it for leaks, and logging what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..annotation.labels import LabelScheme
from .config import Config
from .dataset import LabelledPassages, load_labelled, load_passages
from .leaks import check_leaks
from .progress import Report
from .recorder import Recorder
from .tracking import git_commit


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
    check_leaks(data, None, scheme.exclusive_names)
    if test:
        check_leaks(data, test, scheme.exclusive_names)
    report(f"{len(data.texts)} passages of {len(set(data.documents))} documents in {len(set(data.groups))} articles, digest {data.digest[:12]}")
    if not config.data.bootstrap:
        return Material(data, None)
    bootstrap = load_labelled(Path(config.data.bootstrap), scheme)
    for other in (data, test):
        if other:
            check_leaks(bootstrap, other, scheme.exclusive_names)
    report(f"{len(bootstrap.texts)} passages of the cold-start corpus {config.data.bootstrap}, digest {bootstrap.digest[:12]}: for training only")
    return Material(data, bootstrap)
