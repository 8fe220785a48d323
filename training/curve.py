"""The learning curve: what more annotated articles buy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..annotation.labels import load_labels
from .config import Config
from .cross_validation import Fitter
from .figures import curve_figure
from .material import load_material, log_inputs
from .metrics import Evaluation, evaluate
from .processes import open_store
from .progress import Report, is_main_process, print_progress
from .recorder import Recorder
from .splits import make_folds
from .stages import Stages
from .tables import curve_table


@dataclass(frozen=True)
class Curve:
    """The run, its evaluations out of fold by the number of annotated articles trained on, and the same as text."""

    run_id: str
    evaluations: dict[int, Evaluation]
    table: str


def learning_curve(config: Config, report: Report = print_progress, stages: Stages | None = None) -> Curve | None:
    """Cross-validate with ever more annotated articles to train on, and log the curve to MLflow.

    In each fold as many articles as the size says are drawn from those that are not held out: 1, 2, 4, …, all; and none at
    all where there is a cold-start corpus to train on. Every size is scored on the same passages.

    Args:
        config: what to train, on what.
        report: called with lines that say what is going on.
        stages: kept stages of training, which are used again; by default as the environment says.

    Returns:
        The curve; None in a process that only helped another one to train (see ``is_main_process``).

    Raises:
        NewsmarkError: as in ``run_experiment``.
    """
    scheme = load_labels(Path(config.data.labels))
    material = load_material(config, scheme, None, report)
    data = material.data
    folds = make_folds(data, config.data.max_folds)
    largest = min(len(set(data.groups[fold.train])) for fold in folds)
    sizes = sorted({2**power for power in range(largest.bit_length()) if 2**power < largest} | {largest} | ({0} if material.bootstrap else set()))
    if is_main_process():
        open_store()
    log = Recorder(logs=is_main_process())
    fitter = Fitter(log, config, len(sizes) * len(folds), material.bootstrap is not None, report, stages or Stages())
    found = {}
    with log.run(f"learning curve of the {config.data.kind}") as run:
        log_inputs(log, config, material, "learning curve")
        start = fitter.begin(material.bootstrap)
        for size in sizes:
            fitter.say(f"{size} annotated articles to train on")
            judged = fitter.cross_validate(data, folds, start, scheme.exclusive_names, size)
            found[size] = evaluate(data, judged.probabilities, judged.decisions, config.data.seed)
            log.log_metrics(found[size].flat(), step=size)
        fitter.bar.close()
        if not is_main_process():
            return None
        table = curve_table(found, len(set(data.groups)))
        log.log_text(table + "\n", "learning_curve.txt")
        log.log_figure(curve_figure(found), "learning_curve.png")
    fitter.forget_folds()
    return Curve(log.run_id(run), found, table)
