"""The commands of ``annotate`` that talk to Label Studio."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations, write_annotations
from ..commandline import common_options, json_option, print_json, whole_number
from ..documents import Document, read_documents
from ..errors import PartlyDoneError, UsageError
from ..folders import project_folder
from ..labels import DEFAULT_LABELS, LabelScheme, load_labels

if TYPE_CHECKING:
    from ..suggestions import LoadSuggester, Suggester
    from .project import Project
    from .push import Plan
    from .reading import LeftOut
    from .records import Task


def add_commands(commands: Any, load_suggester: LoadSuggester | None) -> None:
    """Add serve, push, pull, adjudicate and status to the parser's commands.

    Args:
        commands: the parser's sub-commands.
        load_suggester: loads the model of ``push --model``; None where no models are at hand.
    """
    serve = commands.add_parser("serve", parents=[common_options()], help="install and start a Label Studio on this machine")
    serve.add_argument("--port", type=int, default=8080, help="default: %(default)s")
    _add_data(serve)
    serve.set_defaults(run=_serve)

    push = commands.add_parser("push", parents=[common_options(), json_option()], help="push documents to Label Studio, each once, with suggestions")
    push.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=".txt files, folders of them, or .jsonl files with 'text'")
    push.add_argument("--dry-run", action="store_true", help="only print which documents are new, unchanged or changed")
    source = push.add_mutually_exclusive_group()
    source.add_argument(
        "--model", metavar="MODEL", help="suggest what a trained model gives: folder, run id or MLflow URI; 'newest' for the newest (default: simple rules)"
    )
    source.add_argument("--suggestions", type=Path, metavar="FILE", help="suggest what predict wrote for these documents (.jsonl)")
    push.add_argument("--annotations", type=Path, metavar="FILE", help="push existing annotations too, under their annotators; one that is there stays")
    push.add_argument("--overlap", type=whole_number("annotators", 1, 1000), metavar="N", help="number of annotators per document")
    _add_common(push)
    push.set_defaults(run=_push(load_suggester))

    pull = commands.add_parser("pull", parents=[common_options(), json_option()], help="pull annotations from Label Studio into a file")
    pull.add_argument("--annotations", type=Path, default=Path("annotations.jsonl"), metavar="FILE", help="made or brought up to date (default: %(default)s)")
    pull.add_argument("--all", action="store_true", help="pull everything instead of what changed, and report also what was lost with a whole task")
    pull.add_argument("--strict", action="store_true", help="write nothing where a part of an annotation can't be read")
    _add_common(pull)
    pull.set_defaults(run=_pull)

    adjudicate = commands.add_parser(
        "adjudicate", parents=[common_options()], help="build the ground truth: agreed documents pass, disputes go to Label Studio"
    )
    adjudicate.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=[Path("seeds")], help="the documents (default: seeds)")
    adjudicate.add_argument("--annotations", type=Path, default=Path("annotations.jsonl"), metavar="FILE", help="default: %(default)s")
    _add_common(adjudicate)
    adjudicate.set_defaults(run=_adjudicate)

    status = commands.add_parser("status", parents=[common_options(), json_option()], help="documents, annotators and labels on the server, and what is left")
    _add_common(status)
    status.set_defaults(run=_status)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the server's data (default: label-studio/ in the project's folder)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", default="newsmark", metavar="TITLE", help="project in Label Studio (default: %(default)s)")
    parser.add_argument("--labels", type=Path, default=DEFAULT_LABELS, metavar="FILE", help="labels and topics (default: configs/labels.yaml)")
    _add_data(parser)


def _data(arguments: argparse.Namespace) -> Path:
    return arguments.data or project_folder() / "label-studio"


def _project(arguments: argparse.Namespace, title: str | None = None) -> Project:
    from .connection import Connection  # keeps --help fast
    from .project import Project

    return Project(Connection.from_environment(_data(arguments)), title or arguments.project)


def _serve(arguments: argparse.Namespace) -> None:
    from .server import serve

    serve(_data(arguments), arguments.port)


def _push(load_suggester: LoadSuggester | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        from .push import plan_push, push_lock

        scheme = load_labels(arguments.labels)
        documents = list(read_documents(arguments.paths))
        project = _project(arguments)
        with project.connection.clear_errors(), push_lock(project):
            plan = plan_push(project, documents)
            if arguments.dry_run:
                _print_plan(plan, arguments.json)
            else:
                _push_planned(arguments, project, plan, documents, scheme, _suggester(arguments, documents, scheme, load_suggester))

    return run


def _print_plan(plan: Plan, as_json: bool) -> None:
    states = (("new", plan.new), ("unchanged", plan.unchanged), ("changed", plan.changed))
    if as_json:
        rows = [{"state": state, "document": one.id, "name": one.name} for state, some in states for one in some]
        print_json({"dry_run": True, **plan.counts, "documents": rows})
    else:
        for state, some in states:
            for document in some:
                print(f"{state}\t{document.name}")
    print(f"would push: {plan}", file=sys.stderr)


def _push_planned(
    arguments: argparse.Namespace, project: Project, plan: Plan, documents: Sequence[Document], scheme: LabelScheme, suggester: Suggester
) -> None:
    from tqdm import tqdm

    from .push import plan_push, push_annotations, push_documents, refresh_suggestions, remove_copies

    annotations = read_annotations(arguments.annotations, documents, scheme, pass_over_others=True) if arguments.annotations else []
    project.ensure(scheme, arguments.overlap)
    count_before = project.tasks.count
    with tqdm(total=len(plan.new), unit="document", disable=None, file=sys.stderr) as bar:
        for count in push_documents(project, plan.new, suggester, annotations):
            bar.update(count)
    as_planned = project.tasks.count == count_before + len(plan.new)  # else an import that had timed out has arrived, too
    remove_copies(project, plan.copied if as_planned else plan_push(project, documents).copied)
    added = push_annotations(project, plan.unchanged, annotations) if annotations else 0
    renewed = 0
    if project.suggestion_version != suggester.version:
        renewed = refresh_suggestions(project, plan.unchanged, suggester)
        if len(documents) >= project.tasks.count:
            project.suggestion_version = suggester.version
    if arguments.json:
        counts = {**plan.counts, "annotations_added": added, "suggestions_renewed": renewed, "suggestions_version": suggester.version}
        print_json({"dry_run": False, "url": project.url, **counts})
    also = f"; {added} annotations added to the unchanged ones" if annotations else ""
    print(f"pushed to {project.url}: {plan}{also}; suggestions renewed in {renewed}", file=sys.stderr)


def _suggester(arguments: argparse.Namespace, documents: Sequence[Document], scheme: LabelScheme, load_suggester: LoadSuggester | None) -> Suggester:
    from ..suggestions import RuleSuggester, read_suggestions

    if arguments.model:
        if load_suggester is None:
            raise UsageError("--model needs newsmark.models; run the command annotate, or give --suggestions FILE")
        return load_suggester(arguments.model, scheme)
    if arguments.suggestions is None:
        return RuleSuggester(scheme)
    suggester = read_suggestions(arguments.suggestions, documents, scheme)
    if suggester.others:
        print(f"{arguments.suggestions}: {_few(suggester.others, 'other document')} passed over", file=sys.stderr)
    if without := [one.name for one in documents if one.id not in suggester.passages]:
        print(f"{arguments.suggestions}: no rows for {_few(without, 'document')}; nothing is suggested there", file=sys.stderr)
    return suggester


def _pull(arguments: argparse.Namespace) -> None:
    from .pull import pull_annotations

    scheme = load_labels(arguments.labels)
    local = read_annotations(arguments.annotations, None, scheme) if arguments.annotations.exists() else []
    project = _project(arguments)
    with project.connection.clear_errors():
        pulled = pull_annotations(project, local, scheme, arguments.all, arguments.strict)
    write_annotations(arguments.annotations, pulled.annotations)
    for one in pulled.missing:
        print(f"kept: {one.annotator}'s annotation of {one.name} is no longer on the server", file=sys.stderr)
    if arguments.json:
        kept = [{"document": one.document_id, "name": one.name, "annotator": one.annotator, "task_url": one.task_url} for one in pulled.missing]
        counts = {"new": pulled.new, "changed": pulled.changed, "annotations": len(pulled.annotations)}
        print_json({"file": str(arguments.annotations), "url": project.url, **counts, "kept": kept, **_odd(pulled.left_out, pulled.foreign)})
    print(f"{arguments.annotations}: {pulled.new} new, {pulled.changed} changed, {len(pulled.annotations)} in all", file=sys.stderr)
    _report(pulled.left_out, pulled.foreign)


def _report(left_out: Sequence[LeftOut], foreign: Sequence[Task]) -> None:
    """Print what was not understood, one line each.

    Raises:
        PartlyDoneError: something was left out.
    """
    for one in left_out:
        print(f"left out: {one}", file=sys.stderr)
    if foreign:
        print(f"passed over: {_few([str(task.id) for task in foreign], 'task')} that newsmark did not push", file=sys.stderr)
    if left_out:
        count = f"{len(left_out)} part{'s' if len(left_out) > 1 else ''} of annotations could not be read"
        raise PartlyDoneError(f"{count} (see above); mend them in Label Studio or in the labels file, then run annotate pull --all")


def _odd(left_out: Iterable[LeftOut], foreign: Iterable[Task]) -> dict[str, Any]:
    rows = [{"task": one.task, "name": one.name, "annotator": one.annotator, "reason": one.reason} for one in left_out]
    return {"left_out": rows, "foreign_tasks": [task.id for task in foreign]}


def _few(names: Sequence[str], what: str) -> str:
    """Count things and name the first ten."""
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({shown})"


def _adjudicate(arguments: argparse.Namespace) -> None:
    from .adjudication import AGREED, decided, push_disputes, settle
    from .push import push_lock

    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths))
    known = {document.id for document in documents}
    annotations = read_annotations(arguments.annotations, None, scheme)
    project = _project(arguments, f"{arguments.project} adjudication")
    with project.connection.clear_errors(), push_lock(project):
        truths = list(decided(project, scheme)) if project.id else []
        answered = {one.document_id for one in truths}
        renewed = {(one.document_id, one.annotator) for one in truths}
        kept = [one for one in annotations if one.annotator != AGREED and (one.document_id, one.annotator) not in renewed]
        others = [replace(one, ground_truth=False) if one.document_id in answered else one for one in kept]
        agreements, disputes = settle(documents, [*others, *truths], scheme)
        if disputes:
            project.ensure(scheme, None)
            push_disputes(project, disputes)
    write_annotations(arguments.annotations, [*others, *truths, *agreements])
    left = f"; decide the rest at {project.url}, then run the command again" if disputes else ""
    truth_count = sum(one.ground_truth and one.document_id in known for one in [*others, *truths, *agreements])
    print(f"{arguments.annotations}: {truth_count} of {len(documents)} documents have a ground truth, {len(disputes)} are in dispute{left}", file=sys.stderr)


def _status(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from .status import read_status

    scheme = load_labels(arguments.labels)
    project = _project(arguments)
    with project.connection.clear_errors():
        status = read_status(project, scheme)
    if arguments.json:
        rows: list[Any] = [{**vars(one), "spans": {label: one.spans[label] for label in scheme.label_names}} for one in status.tasks]
        totals = {"overlap": status.overlap, "untouched": status.untouched, "left": status.left}
        print_json({"url": project.url, **totals, "tasks": rows, **_odd(status.left_out, status.foreign)})
    else:
        rows = [[one.task, one.name, ", ".join(one.annotators) or "–", *(one.spans[label] for label in scheme.label_names), one.left] for one in status.tasks]
        print(tabulate(rows, headers=["task", "document", "annotators", *(f"{label} spans" for label in scheme.label_names), "left"]))
        summary = f"{len(rows)} documents, {status.untouched} without any annotation; left at {status.overlap} per document: {status.left} annotations"
        print(f"\n{summary}; {project.url}")
    _report(status.left_out, status.foreign)
