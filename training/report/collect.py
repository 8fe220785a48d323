"""What a report shows of a run, gathered from what the run has logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...annotation.errors import NewsmarkError
from ...models.addresses import without_password
from ...models.model import REVIEW_RISK, risks_of
from ...models.saved import load_model
from ...models.store import find_folder, translate_errors
from ..comparison import Comparison, compare, in_common
from ..explanation import LONGEST, Moved, explain, is_exact
from ..metrics import Evaluation, Interval, evaluate
from ..suspects import find_suspects, task_urls
from ..tracking import LoggedPredictions, LoggedRun, find_runs, load_predictions


@dataclass(frozen=True)
class Flip:
    """A decision that differs between two runs.

    Attributes:
        row: index of the passage.
        column: of the label.
        before: probability that the former run gave it.
        better: whether it is right now, and was not.
    """

    row: int
    column: int
    before: float
    better: bool


@dataclass(frozen=True)
class Changes:
    """What differs from another run, the one before.

    Attributes:
        before: that run.
        comparison: on the passages that both have; None where they can't be compared.
        why_not: why they can't.
        flips: the decisions that differ on these passages.
    """

    before: LoggedRun
    comparison: Comparison | None
    why_not: str = ""
    flips: tuple[Flip, ...] = ()


@dataclass(frozen=True)
class LoggedCurve:
    """A learning curve: its run, and macro F1 by the number of annotated articles trained on."""

    run_id: str
    points: tuple[tuple[int, Interval], ...]


@dataclass(frozen=True)
class Findings:
    """All that a report shows of a run, on n passages.

    Attributes:
        run: the run.
        url: its page in MLflow; empty where no server shows it.
        predictions: what it predicted, and what is right.
        evaluation: its scores.
        doubtful: n × labels, where the probability that the decision is wrong is greater than ``REVIEW_RISK``.
        suspicious: n × labels, where the annotation looks wrong.
        moved: what moved the scores, by index of passage.
        how_moved: how that was found, or why it was not.
        tasks: pages in Label Studio by id of document.
        changes: what differs from another run; None where no other was named.
        curve: the newest learning curve of the same kind of model on the same articles; None where there is none.
    """

    run: LoggedRun
    url: str
    predictions: LoggedPredictions
    evaluation: Evaluation
    doubtful: NDArray[np.bool_]
    suspicious: NDArray[np.bool_]
    moved: Mapping[int, Moved]
    how_moved: str
    tasks: Mapping[str, str]
    changes: Changes | None = None
    curve: LoggedCurve | None = None

    @property
    def missed(self) -> NDArray[np.bool_]:
        """N × labels, false negatives."""
        return self.predictions.truth & ~self.predictions.decisions

    @property
    def wrongly(self) -> NDArray[np.bool_]:
        """N × labels, false positives."""
        return self.predictions.decisions & ~self.predictions.truth & self.predictions.judged


def collect(run_id: str, before_id: str | None = None, annotations: Path | None = None) -> Findings:
    """Gather what a report shows; the store must be open.

    Args:
        run_id: the run.
        before_id: a run to compare it with.
        annotations: where the tasks' pages in Label Studio are; by default what the run was trained on, where that is there.

    Raises:
        NewsmarkError: there is no such finished run, it has no predictions, or the annotations can't be read.
    """
    run = find_runs([run_id])[0]
    predictions = load_predictions(run)
    seed = int(run.params["seed"])
    risks = risks_of(predictions.probabilities, predictions.decisions)
    suspicious = np.zeros_like(predictions.truth)
    for one in find_suspects(predictions) if predictions.out_of_fold else []:
        suspicious[one.row, predictions.labels.index(one.label)] = True
    path = annotations or Path(run.params.get("annotations", ""))
    moved, how = _explained(run, predictions, risks)
    return Findings(
        run,
        _page_of(run),
        predictions,
        evaluate(predictions.labelled, predictions.probabilities, predictions.decisions, seed),
        (risks > REVIEW_RISK) & predictions.judged,
        suspicious,
        moved,
        how,
        task_urls(path) if annotations or path.is_file() else {},
        _changes(find_runs([before_id])[0], predictions, seed) if before_id else None,
        _curve(run),
    )


@translate_errors()
def _page_of(run: LoggedRun) -> str:
    import mlflow  # takes seconds

    server = without_password(mlflow.get_tracking_uri()).rstrip("/")
    if not server.startswith(("http://", "https://")):
        return ""
    return f"{server}/#/experiments/{mlflow.get_run(run.run_id).info.experiment_id}/runs/{run.run_id}"


@translate_errors()
def _curve(run: LoggedRun) -> LoggedCurve | None:
    import mlflow

    client = mlflow.MlflowClient()
    same = f"params.model = '{run.kind}' and params.data_digest = '{run.data_digest}'"
    found = mlflow.search_runs(filter_string=f"attributes.status = 'FINISHED' and tags.scored_on = 'learning curve' and {same}", output_format="list")
    if not found:
        return None
    run_id = found[0].info.run_id
    value, low, high = ({one.step: one.value for one in client.get_metric_history(run_id, f"macro_f1{end}")} for end in ("", "_low", "_high"))
    return LoggedCurve(run_id, tuple((size, Interval(value[size], low[size], high[size])) for size in sorted(value)))


def _explained(run: LoggedRun, predictions: LoggedPredictions, risks: NDArray[np.float64]) -> tuple[dict[int, Moved], str]:
    """What moved the scores, by index of passage, and how that was found."""
    try:
        model = load_model(find_folder(run.run_id))
    except NewsmarkError as error:
        return {}, f"What moved the scores is left out, because the run's model is not at hand: {error}."
    wrong = ((predictions.decisions != predictions.truth) & predictions.judged).any(axis=1)
    exact = is_exact(run.kind)
    wanted = wrong | predictions.truth.any(axis=1) | predictions.decisions.any(axis=1) if exact else wrong
    rows = np.flatnonzero(wanted)
    rows = rows[np.argsort(-risks[rows].max(axis=1), kind="stable")]
    found = dict(zip(rows.tolist(), explain(model, predictions.texts[rows].tolist()), strict=True))
    moved = {row: one for row, one in found.items() if one is not None}
    which = "the weights of its n-grams" if exact else "how much the score falls when a word is left out"
    trained_on = (
        " It was trained on these articles, too: what it says of them may differ from the scores, which are of models that were not."
        if predictions.out_of_fold
        else ""
    )
    left_out = f" {len(found) - len(moved)} passages are left out: they are longer than {LONGEST} characters, or come after the most uncertain ones."
    return (
        moved,
        f"What moved a score: {which}, in logarithmic odds, in the logged model; what the passages beside add is not shown.{trained_on}"
        + left_out * (len(moved) < len(found)),
    )


def _changes(before: LoggedRun, now: LoggedPredictions, seed: int) -> Changes:
    try:
        former = load_predictions(before)
        rows, shared_former, shared = in_common(former, now)
        comparison = compare(shared_former, shared, seed)
    except NewsmarkError as error:
        return Changes(before, None, str(error))
    differs = (shared_former.decisions != shared.decisions) & shared.judged
    right = shared.decisions == shared.truth
    flips = [
        Flip(int(rows[row]), int(column), float(shared_former.probabilities[row, column]), bool(right[row, column]))
        for row, column in zip(*np.nonzero(differs), strict=True)
    ]
    return Changes(before, comparison, flips=tuple(flips))
