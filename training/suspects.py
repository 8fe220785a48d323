"""Annotations that look wrong: where a model that never saw a passage is confident of the contrary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.doubts.doubt import AnnotatedDocument, Doubt, Reason
from ..annotation.doubts.reasons import MODEL
from ..annotation.errors import NewsmarkError
from ..annotation.files import read_jsonl, string_of
from ..annotation.labels import LabelScheme
from ..models.store import sqlite_file
from .tracking import NO_RUN, LoggedPredictions, LoggedRun, find_runs, load_predictions, newest_out_of_fold

_ROUNDING = 1e-9  # a mean of equal numbers may differ from them by so much


@dataclass(frozen=True)
class Suspect:
    """A label of a passage that may be wrong.

    Attributes:
        row: index of the passage.
        label: name of the label.
        given: whether the passage has it in the annotations; the contrary is suspected.
        probability: of the label, as predicted.
        margin: probability of the suspected side less that of the given one, -1 to 1.
    """

    row: int
    label: str
    given: bool
    probability: float
    margin: float


def find_suspects(predictions: LoggedPredictions) -> list[Suspect]:
    """Find the labels that confident learning doubts, the largest margin first.

    A side (has the label, has it not) is confidently predicted where its probability is at least the mean of those that
    the passages annotated so get. Suspect is a passage whose given side is not confidently predicted while the other is.
    Source: Northcutt, Jiang and Chuang 2021 (doi.org/10.1613/jair.1.12125), label by label, ranked by their margin.

    Args:
        predictions: out of fold; a model that was trained on the passage would agree with its annotation.
    """
    suspects = []
    for column, label in enumerate(predictions.labels):
        given, probabilities = predictions.truth[:, column], predictions.probabilities[:, column]
        rows = np.flatnonzero(predictions.judged[:, column])
        for row in rows[_doubted(given[rows], probabilities[rows])]:
            yes, has = float(probabilities[row]), bool(given[row])
            suspects.append(Suspect(int(row), label, has, yes, 1 - 2 * yes if has else 2 * yes - 1))
    return sorted(suspects, key=lambda one: -one.margin)


def _doubted(given: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    if given.all() or not given.any():  # nothing to learn the other side from
        return np.zeros(0, dtype=np.intp)
    has = probabilities >= probabilities[given].mean() - _ROUNDING
    has_not = 1 - probabilities >= (1 - probabilities[~given]).mean() - _ROUNDING
    return np.flatnonzero(np.where(given, has_not & ~has, has & ~has_not))


def out_of_fold_predictions(run: LoggedRun) -> LoggedPredictions:
    """Read what models that were not trained on a passage predicted for it.

    Raises:
        NewsmarkError: the run has no such predictions.
    """
    predictions = load_predictions(run)
    if not predictions.out_of_fold:
        raise NewsmarkError(f"{run.run_id}: scored on other passages ({run.scored_on}), so it has no out-of-fold predictions; train again without --test")
    return predictions


def reason_of_run(run_id: str | None) -> Reason:
    """Make the reason of ``annotate doubt`` that the model of a run is confident of the contrary.

    Args:
        run_id: its id; None for the newest run with out-of-fold predictions.

    Raises:
        NewsmarkError: there is no such run, or it has no out-of-fold predictions.
    """
    from .processes import open_store

    database = sqlite_file()
    if database and not database.is_file():  # looking for runs makes no store
        raise NewsmarkError(NO_RUN)
    open_store()
    run = newest_out_of_fold() if run_id is None else find_runs([run_id])[0]
    predictions = out_of_fold_predictions(run)
    return lambda documents, scheme: doubts_of_model(documents, scheme, predictions, run.name)


def doubts_of_model(documents: Sequence[AnnotatedDocument], scheme: LabelScheme, predictions: LoggedPredictions, name: str) -> Iterator[Doubt]:
    """Doubt the suspects, as strongly as the model is sure of the contrary; passages that are split or labelled otherwise by now are passed over.

    Args:
        documents: the annotated documents.
        scheme: labels and topics.
        predictions: out of fold.
        name: of the run, for people.
    """
    by_id = {one.document.id: one for one in documents}
    for suspect in find_suspects(predictions):
        one = by_id.get(str(predictions.documents[suspect.row]))
        index = one.index_of.get(predictions.offsets[suspect.row]) if one else None
        if one is None or index is None or suspect.label not in scheme.label_names or one.has(index, suspect.label) != suspect.given:
            continue
        sure = 1 - suspect.probability if suspect.given else suspect.probability
        words = f"{name}, trained without the article, gives it a probability of {suspect.probability:.2f}"
        yield one.doubt(index, suspect.label, (MODEL, words), sure)


def task_urls(annotations: Path) -> dict[str, str]:
    """Read the page of each document's task in Label Studio from an annotation file; that of the ground truth where there is one.

    Returns:
        URLs by id of document.

    Raises:
        NewsmarkError: the file is missing, or is no JSONL.
    """
    urls: dict[str, str] = {}
    for where, row in read_jsonl(annotations):
        document, url = string_of(row, "document", where), string_of(row, "task_url", where)
        if document and url and (row.get("ground_truth") is True or document not in urls):
            urls[document] = url
    return urls
