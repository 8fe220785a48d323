"""A turn of the loop: what annotators did is pulled, a model is trained on it, the gate decides, and what is not annotated yet gets new suggestions and ranks.

Every step leaves a state from which the next turn continues: the annotation file is replaced at once, a run that was killed is no finished run, its
finished folds are used again, one alias moves at a time, and neither suggestions of the champion's version nor ranks that are right are written twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..annotation.annotations import Annotation, read_annotations, state_of, write_annotations
from ..annotation.documents import Document, read_documents
from ..annotation.errors import NewsmarkError
from ..annotation.label_studio.options import few
from ..annotation.label_studio.project import Project
from ..annotation.label_studio.pull import Pulled, pull_annotations
from ..annotation.label_studio.ranks import QUEUE, push_ranks, stale_ranks, waiting_tasks
from ..annotation.label_studio.reading import EDITED
from ..annotation.label_studio.renewal import refresh_suggestions, stale_tasks, without_suggestions
from ..annotation.label_studio.turn_command import TurnInput, TurnOutcome
from ..annotation.labels import LabelScheme
from ..annotation.queue import queue_articles
from ..models.prediction.suggest import ModelSuggester
from ..models.store import CHAMPION, registered_name, translate_errors, version_of
from .config import Config, keys_of, load_config
from .experiment import run_experiment
from .material import digests_of
from .processes import open_store
from .registry import DEFAULT_GATE, Gate, load_gate, promote
from .stages import Stages

_TASKS = "tasks.txt"


def take_turn(given: TurnInput, report: Callable[[str], None]) -> TurnOutcome:
    """Take a turn.

    Args:
        given: what it works on.
        report: takes lines about what is being done.

    Raises:
        NewsmarkError: a step failed; what was done before it stays, and the next turn continues from there.
    """
    gate = load_gate(given.gate or DEFAULT_GATE)
    paths = {"documents": [str(path) for path in given.documents], "annotations": str(given.annotations), "labels": str(given.labels)}
    config = load_config(given.config, paths | {key: str(value) for key, value in keys_of(given.reading).items()})
    documents = list(read_documents(given.documents, replace(given.reading, furniture=True)))
    since = state_of(given.annotations)
    local = read_annotations(given.annotations, None, given.scheme) if since else []
    pulled = pull_annotations(given.project, local, given.scheme, everything=False)
    report(f"{given.annotations}: {pulled.new} new, {pulled.changed} changed, {len(pulled.annotations)} in all")
    open_store()
    if given.dry_run:
        unchanged = not (pulled.new or pulled.changed) and given.annotations.exists()
        found = _run_of(config, given.scheme) if unchanged else None
        champion = _champion(given)
        return _outcome(pulled, run_id=found, renewed=_renew(given, documents, champion, report), reordered=_reorder(given, documents, report))
    if pulled.new or pulled.changed or not given.annotations.exists():
        write_annotations(given.annotations, pulled.annotations, since)
    read_annotations(given.annotations, documents, given.scheme)  # before training: what does not fit the documents is one clear line
    run_id, trained = _run_of(config, given.scheme), False
    if run_id is None:
        run_id, trained = _train(config, report), True
        _log_tasks(run_id, pulled.annotations)
    version, promoted, refused, table = _promote(run_id, gate)
    report(f"version {version} of {registered_name()}: {'champion' if promoted or not refused else 'the gate refuses it'}")
    champion = _champion(given)
    done = {"renewed": _renew(given, documents, champion, report), "reordered": _reorder(given, documents, report)}
    return _outcome(pulled, run_id=run_id, trained=trained, version=version, promoted=promoted, refused=refused, table=table, **done)


def _outcome(pulled: Pulled, **found: Any) -> TurnOutcome:
    with translate_errors():
        champion = version_of(CHAMPION)
    empty: dict[str, Any] = {"run_id": None, "trained": False, "version": None, "promoted": False, "refused": (), "table": ""}
    return TurnOutcome(pulled.new, pulled.changed, pulled.left_out, **(empty | found), champion=str(champion.version) if champion else None)


def _run_of(config: Config, scheme: LabelScheme) -> str | None:
    """Find a finished run of this configuration on the same passages: annotated ones, labelled ones, and the cold-start corpus."""
    asked = {key: str(value) for key, value in config.flat().items()} | digests_of(config, scheme)
    with translate_errors():
        import mlflow

        if mlflow.get_experiment_by_name(registered_name()) is None:
            return None
        finished = f"attributes.status = 'FINISHED' and tags.kind = '{config.data.kind}' and tags.scored_on = 'cross-validation'"
        for run in mlflow.search_runs(filter_string=finished, output_format="list", experiment_names=[registered_name()]):  # newest first
            if {key: run.data.params.get(key) for key in asked} == asked:
                return str(run.info.run_id)
    return None


def _train(config: Config, report: Callable[[str], None]) -> str:
    stages = Stages(resume=os.environ.get("NEWSMARK_STAGES_GB") != "0")
    result = run_experiment(config, report=report, stages=stages)
    if result is None:
        raise NewsmarkError("this process only helps another one to train; take turns in one process")
    return result.run_id


def _log_tasks(run_id: str, annotations: tuple[Annotation, ...]) -> None:
    """Link the run to the tasks that it learned from."""
    import mlflow

    urls = sorted({one.task_url for one in annotations if one.task_url and not one.skipped})
    with translate_errors():
        mlflow.MlflowClient().log_text(run_id, "".join(f"{url}\n" for url in urls), _TASKS)


def _promote(run_id: str, gate: Gate) -> tuple[str, bool, tuple[str, ...], str]:
    """The run's version, whether it became champion, the rows that refused it, and the gate's table."""
    with translate_errors():
        champion = version_of(CHAMPION)
    if champion is not None and champion.run_id == run_id:
        return str(champion.version), False, (), ""
    outcome = promote(run_id, gate)
    return outcome.version, outcome.promoted, tuple(row.name for row in outcome.rows if not row.holds), outcome.table


def _champion(given: TurnInput) -> ModelSuggester | None:
    """The champion, as a suggester; None where there is none, or no project."""
    with translate_errors():
        champion = version_of(CHAMPION)
    return None if champion is None or given.project.id is None else ModelSuggester.load(f"models:/{registered_name()}@{CHAMPION}", given.scheme)


def _renew(given: TurnInput, documents: list[Document], suggester: ModelSuggester | None, report: Callable[[str], None]) -> tuple[str, ...]:
    """Give documents that nobody has annotated the champion's suggestions; returns their names."""
    project: Project = given.project
    if suggester is None:
        return ()
    waiting = {task.sha256 for task in project.tasks.export(only_annotated=False) if task.pushed and not task.annotations}
    found = stale_tasks(project, [one for one in documents if one.id in waiting], suggester.version)
    stale = [document for _, document in found.tasks]
    for task in found.edited:
        report(f"no suggestions for task {task.id} ({task.name}): {EDITED}")
    if not given.dry_run:
        refresh_suggestions(project, stale, suggester)
        project.show_suggestions(suggester.version)
        report(f"suggestions of {suggester.version} in {len(stale)} documents that nobody has annotated")
        if others := without_suggestions(project, documents, suggester.version):
            report(f"no suggestions are shown in {few(others, 'document')}: they are in the project, and were not given to this command")
    return tuple(one.name for one in stale)


def _reorder(given: TurnInput, documents: list[Document], report: Callable[[str], None]) -> int:
    """Order what nobody has annotated (see ``queue_articles``); returns how many tasks have a new rank."""
    if given.project.id is None:
        return 0
    tasks = waiting_tasks(given.project)
    there = {one.sha256 for one in tasks}
    waiting, others = [[one for one in documents if (one.id in there) is side] for side in (True, False)]
    queue = queue_articles(waiting, others)[:QUEUE]
    stale = stale_ranks(tasks, queue)
    if not given.dry_run:
        push_ranks(given.project, stale)
        report(f"{len(queue)} documents in the queue, {len(stale)} tasks with a new rank")
    return len(stale)
