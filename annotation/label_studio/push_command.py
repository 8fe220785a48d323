"""``annotate push``: options, what is printed, and the order of the steps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations
from ..commandline import common_options, json_option, print_json, probability, whole_number
from ..desk_options import add_documents
from ..documents import Document, read_documents
from ..errors import PartlyDoneError, UsageError
from ..labels import LabelScheme, load_labels
from ..reading.options import PATHS_HELP, options_of, reading_options
from .options import add_project_options, few, open_project

if TYPE_CHECKING:
    from ..suggestions import LoadSuggester, Suggester
    from .project import Project
    from .push import Plan


def add_push(commands: Any, load_suggester: LoadSuggester | None) -> None:
    """Add push to the parser's commands (see ``add_commands``)."""
    push = commands.add_parser(
        "push", parents=[common_options(), json_option(), reading_options()], help="push documents to Label Studio, each once, with suggestions"
    )
    add_documents(push, PATHS_HELP)
    push.add_argument("--dry-run", action="store_true", help="only print which documents are new, unchanged or changed, and whose suggestions would be renewed")
    source = push.add_mutually_exclusive_group()
    source.add_argument(
        "--model",
        metavar="MODEL",
        help="suggest what a trained model gives: folder, run id or MLflow URI; 'newest' for the newest that has no other labels than the labels file "
        "(default: simple rules)",
    )
    source.add_argument("--suggestions", type=Path, metavar="FILE", help="suggest what predict wrote for these documents (.jsonl)")
    push.add_argument("--min-score", type=probability, default=0.0, metavar="SCORE", help="suggest only what has this score or more, 0 to 1 (default: all)")
    push.add_argument("--annotations", type=Path, metavar="FILE", help="push existing annotations too, under their annotators; one that is there stays")
    push.add_argument("--overlap", type=whole_number("annotators", 1, 1000), metavar="N", help="number of annotators per document")
    add_project_options(push)
    push.set_defaults(run=_push(load_suggester))


def _push(load_suggester: LoadSuggester | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        from .push import plan_push, project_lock
        from .renewal import stale_tasks

        scheme = load_labels(arguments.labels)
        documents = list(read_documents(arguments.paths, replace(options_of(arguments), furniture=arguments.model is not None)))
        project = open_project(arguments)
        with project.connection.clear_errors(), project_lock(project):
            plan = plan_push(project, documents)
            suggester = _suggester(arguments, documents, scheme, load_suggester)
            if arguments.dry_run:
                renewed = bool(plan.unchanged) and project.suggestion_version != suggester.version
                stale = [document for _, document in stale_tasks(project, plan.unchanged, suggester.version).tasks] if renewed else []
                _print_plan(plan, stale, suggester.version, arguments.json)
            else:
                _push_planned(arguments, project, plan, documents, scheme, suggester)

    return run


def _print_plan(plan: Plan, stale: Sequence[Document], version: str, as_json: bool) -> None:
    changed = {one.id for one in plan.changed}
    new = [one for one in plan.new if one.id not in changed]
    states = (("new", new), ("unchanged", plan.unchanged), ("changed", plan.changed))
    if as_json:
        rows = [{"state": state, "document": one.id, "name": one.name} for state, some in states for one in some]
        renewed = [{"document": one.id, "name": one.name} for one in stale]
        print_json({"dry_run": True, **plan.counts, "documents": rows, "suggestions_renewed": renewed, "suggestions_version": version})
    else:
        for state, some in states:
            for document in some:
                print(f"{state}\t{document.name}")
        for document in stale:
            print(f"suggestions\t{document.name}")
    print(f"would push: {plan}; would renew the suggestions of {len(stale)} with those of {version}", file=sys.stderr)


def _push_planned(
    arguments: argparse.Namespace, project: Project, plan: Plan, documents: Sequence[Document], scheme: LabelScheme, suggester: Suggester
) -> None:
    from tqdm import tqdm

    from .push import Added, plan_push, push_annotations, push_documents, remove_copies
    from .reading import EDITED
    from .renewal import Stale, refresh_suggestions, without_suggestions

    annotations = read_annotations(arguments.annotations, documents, scheme, pass_over_others=True) if arguments.annotations else []
    project.ensure(scheme, arguments.overlap)
    count_before = project.tasks.count
    with tqdm(total=len(plan.new), unit="document", disable=None, file=sys.stderr) as bar:
        for count in push_documents(project, plan.new, suggester, annotations):
            bar.update(count)
    as_planned = project.tasks.count == count_before + len(plan.new)  # else an import that had timed out has arrived, too
    remove_copies(project, plan.copied if as_planned else plan_push(project, documents).copied)
    added = push_annotations(project, plan.unchanged, annotations) if annotations else Added(0, ())
    renewed, others, shown = Stale((), ()), [], project.suggestion_version
    if shown != suggester.version:
        renewed = refresh_suggestions(project, plan.unchanged, suggester)
        others = without_suggestions(project, documents, suggester.version) if shown else []
        if not others:
            project.show_suggestions(suggester.version)
    if arguments.json:
        counts = {**plan.counts, "annotations_added": added.count, "suggestions_renewed": len(renewed.tasks), "suggestions_version": suggester.version}
        print_json({"dry_run": False, "url": project.url, **counts, "suggestions_shown": project.suggestion_version})
    also = f"; {added.count} annotations added to the unchanged ones" if annotations else ""
    print(f"pushed to {project.url}: {plan}{also}; suggestions renewed in {len(renewed.tasks)}", file=sys.stderr)
    if others:
        print(
            f"not shown yet: the suggestions of {suggester.version}; annotators see those of {shown} as long as {few(others, 'other document')} that nobody "
            "has annotated only have these: push them in the same way, too, or run annotate turn",
            file=sys.stderr,
        )
    if edited := {task.id: task.name for task in (*added.edited, *renewed.edited)}:
        for task, name in edited.items():
            print(f"passed over: task {task} ({name}): {EDITED}", file=sys.stderr)
        raise PartlyDoneError(f"{few(list(edited.values()), 'task')} with another text passed over (see above)")


def _suggester(arguments: argparse.Namespace, documents: Sequence[Document], scheme: LabelScheme, load_suggester: LoadSuggester | None) -> Suggester:
    from ..suggestions import SureSuggester

    suggester = _any_suggester(arguments, documents, scheme, load_suggester)
    return SureSuggester(suggester, arguments.min_score) if arguments.min_score else suggester


def _any_suggester(arguments: argparse.Namespace, documents: Sequence[Document], scheme: LabelScheme, load_suggester: LoadSuggester | None) -> Suggester:
    from ..suggestion_files import read_suggestions
    from ..suggestions import RuleSuggester

    if arguments.model:
        if load_suggester is None:
            raise UsageError("--model needs newsmark.models; run the command annotate, or give --suggestions FILE")
        return load_suggester(arguments.model, scheme)
    if arguments.suggestions is None:
        return RuleSuggester(scheme)
    suggester = read_suggestions(arguments.suggestions, documents, scheme)
    if suggester.others:
        print(f"{arguments.suggestions}: {few(suggester.others, 'other document')} passed over", file=sys.stderr)
    if without := [one.name for one in documents if one.id not in suggester.spans]:
        print(f"{arguments.suggestions}: no rows for {few(without, 'document')}; nothing is suggested there", file=sys.stderr)
    return suggester
