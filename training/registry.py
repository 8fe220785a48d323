"""The model registry: versions of ``newsmark``, the gate before ``champion``, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass
from tabulate import tabulate

from ..annotation.errors import NewsmarkError
from ..annotation.folders import CONFIGS
from ..annotation.yaml_files import CHECKED, build, read_mapping
from ..models.bundle import MODEL_SIZE
from ..models.saved import load_model
from ..models.store import CHAMPION, find_folder, registered_name, translate_errors, uri_of_run, version_of
from .aliases import Aliases, changing_registry, read_aliases, set_aliases
from .comparison import compare, language_differences, on_newer_data
from .effort import EDITS
from .model_card import model_card
from .topics import NO_TOPIC_EDITS, TOPIC_EDITS
from .tracking import LoggedPredictions, LoggedRun, find_runs, load_predictions

DEFAULT_GATE = CONFIGS / "promotion.yaml"
_GATE_TABLE = "promotion.txt"


@checked_dataclass(frozen=True, config=CHECKED)
class Gate:
    """What a model must hold to become champion; losses are in F1, against the present champion."""

    margin: float = Field(ge=0, description="the 95 % interval of the difference in macro F1 may not reach a loss larger than this")
    label_loss: float = Field(ge=0, description="no label may lose more")
    language_loss: float = Field(ge=0, description="no language may lose more macro F1")
    calibration_error: float = Field(ge=0, description="expected calibration error at most")
    megabytes: float = Field(ge=0, description="size of the model's files at most")
    more_edits: float = Field(0.0, ge=0, description="edits per article, of spans and topics, from suggestions to what annotators marked may not rise by more")


@dataclass(frozen=True)
class Row:
    """One demand of the gate: what is measured, its value, what is asked, whether it holds."""

    name: str
    value: str
    asked: str
    holds: bool


@dataclass(frozen=True)
class Promotion:
    """What came of asking for a promotion.

    Attributes:
        version: of the registered model.
        rows: the gate's table.
        promoted: whether it is champion now.
        reason: why it was forced, where a row did not hold.
    """

    version: str
    rows: tuple[Row, ...]
    promoted: bool
    reason: str | None

    @property
    def table(self) -> str:
        """The rows as text."""
        return tabulate([[row.name, row.value, row.asked, "yes" if row.holds else "NO"] for row in self.rows], headers=["gate", "measured", "asked", "holds"])


def load_gate(path: Path) -> Gate:
    """Read the gate's limits from a YAML file.

    Raises:
        UsageError: a key is missing or unknown, or a value is not a number of 0 or more.
    """
    return build(Gate, read_mapping(path, "margin"), lambda key: f"{path}: {key}", str(path))


def register(run_id: str) -> str:
    """Make a version of the registered model from a run's model, with its model card as description.

    Returns:
        The version; the one that the run has already, where it has one.

    Raises:
        NewsmarkError: there is no such run, it has no model, or the registry can't be written.
    """
    with translate_errors(), changing_registry():
        return _register(run_id)


def promote(run_id: str, gate: Gate, forced_because: str | None = None) -> Promotion:
    """Make a run's model the champion, if it passes the gate or is forced; the former champion becomes ``previous``.

    The gate's table is logged with the run, and its outcome with the version.

    Args:
        run_id: whose model.
        gate: limits.
        forced_because: promote even if a row does not hold; the reason is kept with the version.

    Raises:
        NewsmarkError: there is no such run or model, or the registry can't be written.
    """
    import mlflow

    with translate_errors(), changing_registry():
        version = _register(run_id)
        client = mlflow.MlflowClient()
        champion, before = version_of(CHAMPION), read_aliases()
        if before.champion == version:
            raise NewsmarkError(f"version {version} is the champion already")
        rows = tuple(_check(run_id, champion.run_id if champion else None, gate))
        failed = [row.name for row in rows if not row.holds]
        outcome = Promotion(version, rows, not failed or forced_because is not None, forced_because if failed else None)
        against = f"champion version {champion.version}" if champion else "no champion yet"
        logged = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, version {version} against {against}\n\n{outcome.table}\n"
        client.log_text(run_id, logged, _GATE_TABLE)
        client.set_model_version_tag(registered_name(), version, "gate", "passed" if not failed else f"failed: {', '.join(failed)}")
        if outcome.reason:
            client.set_model_version_tag(registered_name(), version, "forced_because", outcome.reason)
        elif "forced_because" in client.get_model_version(registered_name(), version).tags:  # another time
            client.delete_model_version_tag(registered_name(), version, "forced_because")
        if outcome.promoted:
            set_aliases(before, Aliases(version, before.champion or before.previous))
        return outcome


def rollback(since: float) -> tuple[str, str]:
    """Swap the champion and the one before it.

    Args:
        since: when the command began (seconds since the epoch); where another one has moved the champion after that, nothing is changed.

    Returns:
        The new champion's version and the one that it replaces.

    Raises:
        NewsmarkError: there is no former champion, or another command was faster.
    """
    with translate_errors(), changing_registry():
        before = read_aliases()
        if before.champion is None or before.previous is None or before.champion == before.previous:
            raise NewsmarkError("there is no former champion to go back to; train promote makes champions")
        set_aliases(before, Aliases(before.previous, before.champion), since)
        return before.previous, before.champion


def _register(run_id: str) -> str:
    import mlflow  # takes seconds

    (run,) = find_runs([run_id])
    client = mlflow.MlflowClient()
    known = _versions_of(run_id)
    if known and known[0].description:
        return str(known[0].version)
    uri = uri_of_run(run_id)
    card = model_card(run)
    client.log_text(run_id, card, "model_card.md")
    if not known:
        with redirect_stderr(StringIO()):  # it prints what the caller will say
            made = mlflow.register_model(uri, registered_name(), tags={"kind": run.kind, "data_digest": run.data_digest})
        known = _versions_of(run_id)
        if str(made.version) != str(known[0].version):  # another machine registered it at the same time: both keep the first
            client.delete_model_version(registered_name(), str(made.version))
    client.update_model_version(registered_name(), known[0].version, description=card)
    return str(known[0].version)


def _versions_of(run_id: str) -> list[Any]:
    """Versions that were made from a run's model, the first one first."""
    import mlflow

    found = mlflow.MlflowClient().search_model_versions(f"name = '{registered_name()}' and run_id = '{run_id}'")
    return sorted(found, key=lambda one: int(one.version))


def _check(run_id: str, champion_id: str | None, gate: Gate) -> Iterator[Row]:
    (run,) = find_runs([run_id])
    if champion_id is not None:
        yield from _against(run, champion_id, gate)
    for name, value, most, digits in (
        ("calibration error", run.metrics["calibration_error"], gate.calibration_error, 3),
        ("megabytes", run.metrics[MODEL_SIZE], gate.megabytes, 0),
    ):
        yield Row(name, f"{value:.{digits}f}", f"at most {most:g}", value <= most)


def _against(run: LoggedRun, champion_id: str, gate: Gate) -> Iterator[Row]:
    try:
        (champion,) = find_runs([champion_id])
        before, now = load_predictions(champion), load_predictions(run)
    except NewsmarkError as error:
        yield Row("predictions", " ".join(str(error).split()), "the champion's", holds=False)
        return
    what, asked, seed = _scored(run, now), _scored(champion, before), int(champion.params["seed"])
    try:
        if now.out_of_fold and before.out_of_fold and run.data_digest != champion.data_digest and before.labels == now.labels:
            count = len(now.texts)
            before, now, predicted = on_newer_data(before, now, load_model(find_folder(champion_id)))
            said = f"newer; {predicted} of {count} passages were not among the champion's, and it predicted them now"
            if left_out := count - len(now.texts):
                said += f"; {left_out} are nearly the same as one of its, and are left out"
            yield Row("data and folds", said, "the champion's, or newer", holds=True)
        else:
            yield Row("data and folds", "the same" if what == asked else f"{what}, not {asked}", "the champion's, or newer", what == asked)
        found = compare(before, now, seed)
    except NewsmarkError as error:
        yield Row("passages", " ".join(str(error).split()), "the champion's", holds=False)
        return
    macro = found.differences.macro_f1
    yield Row("macro F1", f"{macro.value:+.3f}", "no loss", macro.value >= 0)
    yield Row("macro F1, interval", f"{macro.low:+.3f} to {macro.high:+.3f}", f"no loss over {gate.margin:g}", macro.low >= -gate.margin)
    for label, interval in zip(found.labels, found.differences.labels, strict=True):
        yield Row(label, f"{interval.value:+.3f}", f"no loss over {gate.label_loss:g}", interval.value >= -gate.label_loss)
    if EDITS in run.metrics and EDITS in champion.metrics:
        more, most = edits_of(run, champion) - edits_of(champion, run), f"at most {gate.more_edits:g} more"
        if what == asked:
            yield Row("edits per article", f"{more:+.1f}", most, more <= gate.more_edits)
        else:
            yield Row("edits per article", "not comparable: the annotations changed", most, holds=True)
    for language, difference in language_differences(before, now, seed).items():
        yield Row(f"language {language}", f"{difference:+.3f}", f"no loss over {gate.language_loss:g}", difference >= -gate.language_loss)


def edits_of(run: LoggedRun, other: LoggedRun) -> float:
    """Edits per article, of spans and of topics; a run that measured no topics suggests none, and what that costs the other one says."""
    return run.metrics[EDITS] + run.metrics.get(TOPIC_EDITS, other.metrics.get(NO_TOPIC_EDITS, 0.0))


def _scored(run: LoggedRun, predictions: LoggedPredictions) -> str:
    """Say what a run was scored on: a test file, whatever it was trained on, or a cross-validation.

    Whether two test files are the same, their passages say (see ``compare``). A cross-validation follows from the data and the number of its folds (see
    ``make_folds``).
    """
    if not predictions.out_of_fold:
        return "a test file"
    return f"{run.scored_on} in {min(int(run.params['max_folds']), len(set(predictions.groups)))} folds of {run.data_digest[:12]}"
