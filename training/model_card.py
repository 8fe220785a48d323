"""The model card: what a version of the registered model is, in words and its own numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from string import Template

from ..annotation.folders import CONFIGS
from ..models.bundle import MODEL_SIZE
from ..models.store import translate_errors
from .tracking import LoggedRun, load_predictions

_CARD = CONFIGS / "model_card.md"


@translate_errors()
def model_card(run: LoggedRun) -> str:
    """Fill the model card's template with a run's own numbers (Mitchell et al. 2019, "Model cards for model reporting").

    Raises:
        NewsmarkError: the store can't be read.
    """
    import mlflow

    logged = mlflow.get_run(run.run_id)
    bootstrap = run.params.get("bootstrap_digest")
    return Template(_CARD.read_text(encoding="utf-8")).substitute(
        kind=run.kind,
        labels=", ".join(load_predictions(run).labels),
        run_id=run.run_id,
        date=f"{datetime.fromtimestamp(logged.info.start_time / 1000, UTC):%Y-%m-%d}",
        commit=logged.data.tags.get("git_commit", "unknown")[:12],
        passages=run.params.get("data_passages", "?"),
        languages=run.params.get("data_languages", "?"),
        data_digest=run.data_digest[:12],
        bootstrap=f", after a cold-start corpus written for training (digest `{bootstrap[:12]}`)" if bootstrap else "",
        scored_on=run.scored_on,
        scores=mlflow.artifacts.load_text(f"runs:/{run.run_id}/scores.txt").strip(),
        megabytes=f"{run.metrics[MODEL_SIZE]:.0f}",
        calibration_error=f"{run.metrics['calibration_error']:.3f}",
    )
