"""The commands of ``annotate`` that talk to Label Studio."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations, state_of, write_annotations
from ..commandline import common_options, json_option, print_json
from ..desk import to_be_named
from ..desk_options import add_annotations, add_documents
from ..documents import read_documents
from ..errors import PartlyDoneError
from ..labels import load_labels
from ..passage_labels import odd_spans
from ..reading.options import options_of, reading_options
from .ask_command import add_ask
from .backend_command import ServeBackend, add_backend
from .labels_command import add_labels_command
from .next_command import add_next
from .options import add_data_option, add_project_options, few, open_project
from .push_command import add_push

ADOPTED = "adopted.jsonl"
"""File, beside the annotations, with the texts of tasks that ``annotate pull --adopt`` took."""

if TYPE_CHECKING:
    from ..suggestions import LoadSuggester
    from .adoption import Adopted
    from .reading import LeftOut
    from .records import Task
    from .status import SuggestionUse


def add_commands(commands: Any, load_suggester: LoadSuggester | None, serve_backend: ServeBackend | None = None) -> None:
    """Add serve, push, backend, pull, adjudicate, status, next, ask, answers and labels to the parser's commands.

    Args:
        commands: the parser's sub-commands.
        load_suggester: loads the model of ``push --model`` and ``ask``; None where no models are at hand.
        serve_backend: suggests live; likewise.
    """
    serve = commands.add_parser("serve", parents=[common_options()], help="install and start a Label Studio on this machine")
    serve.add_argument("--port", type=int, default=8080, help="default: %(default)s")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines reach it (default: %(default)s)")
    add_data_option(serve)
    serve.set_defaults(run=_serve)

    add_push(commands, load_suggester)
    add_backend(commands, serve_backend)

    pull = commands.add_parser("pull", parents=[common_options(), json_option()], help="pull annotations from Label Studio into a file")
    add_annotations(pull, "made or brought up to date")
    pull.add_argument("--all", action="store_true", help="pull everything instead of what changed, and report also what was lost with a whole task")
    pull.add_argument("--strict", action="store_true", help="write nothing where a part of an annotation can't be read")
    pull.add_argument(
        "--adopt", action="store_true", help="take tasks that newsmark did not push, too: their texts are written to adopted.jsonl beside the annotations"
    )
    add_project_options(pull)
    pull.set_defaults(run=_pull)

    adjudicate = commands.add_parser(
        "adjudicate",
        parents=[common_options(), json_option(), reading_options()],
        help="build the ground truth: agreed documents pass, disputes go to Label Studio",
    )
    add_documents(adjudicate, "the documents", [Path("seeds")])
    add_annotations(adjudicate, "read, and rewritten with the ground truths")
    add_project_options(adjudicate)
    adjudicate.set_defaults(run=_adjudicate)

    status = commands.add_parser("status", parents=[common_options(), json_option()], help="documents, annotators and labels on the server, and what is left")
    add_project_options(status)
    status.set_defaults(run=_status)

    add_next(commands)
    add_ask(commands, load_suggester)
    add_labels_command(commands)


def _serve(arguments: argparse.Namespace) -> None:
    from .server import serve

    serve(arguments.data, arguments.port, arguments.host)


def _pull(arguments: argparse.Namespace) -> None:
    from .adoption import adopt_tasks
    from .pull import pull_annotations

    scheme = load_labels(arguments.labels)
    since = state_of(arguments.annotations)
    local = read_annotations(arguments.annotations, None, scheme) if since else []
    project = open_project(arguments)
    texts = arguments.annotations.with_name(ADOPTED)
    with project.connection.clear_errors():
        adopted = adopt_tasks(project, texts) if arguments.adopt else []
        _report_adopted(adopted, texts)  # it is done, even if nothing can be pulled
        pulled = pull_annotations(project, local, scheme, arguments.all, arguments.strict)
    write_annotations(arguments.annotations, pulled.annotations, since)
    for one in pulled.missing:
        print(f"kept: {one.annotator}'s annotation of {one.name} is no longer on the server", file=sys.stderr)
    for one in pulled.annotations:
        for first, second, reason in odd_spans(one.spans, scheme) if one.task_url else ():
            where = f"{max(first.start, second.start)}–{min(first.end, second.end)}"
            print(f"odd: {one.name}, {one.annotator}, {where}: {reason} ({one.task_url})", file=sys.stderr)
    for one in pulled.repeated:
        print(f"{one.name}: a further annotation by the same annotator is kept, under the name {one.annotator!r}", file=sys.stderr)
    if arguments.json:
        kept = [{"document": one.document_id, "name": one.name, "annotator": one.annotator, "task_url": one.task_url} for one in pulled.missing]
        counts = {"new": pulled.new, "changed": pulled.changed, "repeated": len(pulled.repeated), "annotations": len(pulled.annotations)}
        taken = [{"task": one.task.id, "document": one.document.id, "name": one.document.name} for one in adopted]
        print_json({"file": str(arguments.annotations), "url": project.url, **counts, "adopted": taken, "kept": kept, **_odd(pulled.left_out, pulled.foreign)})
    print(f"{arguments.annotations}: {pulled.new} new, {pulled.changed} changed, {len(pulled.annotations)} in all", file=sys.stderr)
    report_odd(pulled.left_out, pulled.foreign)


def _report_adopted(adopted: Sequence[Adopted], texts: Path) -> None:
    if adopted:
        what = f"{few([one.document.name for one in adopted], 'task')} that newsmark did not push"
        print(f"adopted: {what}; the texts are in {texts}{to_be_named(texts)}", file=sys.stderr)
    if starred := [one.document.name for one in adopted if any(stored.ground_truth for stored in one.task.annotations)]:
        print(
            f"{few(starred, 'adopted task')} with a ground truth: Label Studio marks what others import so; unmark it there if nobody confirmed it",
            file=sys.stderr,
        )


def report_odd(left_out: Sequence[LeftOut], foreign: Sequence[Task]) -> None:
    """Print what was not understood, one line each.

    Raises:
        PartlyDoneError: something was left out.
    """
    from .adoption import can_be_adopted

    for one in left_out:
        print(f"left out: {one}", file=sys.stderr)
    adoptable = [str(task.id) for task in foreign if can_be_adopted(task)]
    odd = [task for task in foreign if task.odd_sha256 is not None]
    others = [str(task.id) for task in foreign if task.odd_sha256 is None and not can_be_adopted(task)]
    if adoptable:
        print(f"passed over: {few(adoptable, 'task')} that newsmark did not push; annotate pull --adopt takes them", file=sys.stderr)
    for task in odd:
        print(
            f"passed over: task {task.id} ({task.name}), whose 'sha256' is {task.odd_sha256} and no text's hash: if newsmark pushed it, put the hash back; "
            "else remove the field from the task's data, and annotate pull --adopt takes it",
            file=sys.stderr,
        )
    if others:
        print(f"passed over: {few(others, 'task')} that newsmark did not push and can't adopt: their field 'text' holds no usable text", file=sys.stderr)
    if left_out:
        count = f"{len(left_out)} part{'s' if len(left_out) > 1 else ''} of annotations could not be read"
        raise PartlyDoneError(f"{count} (see above); correct them in Label Studio or in the labels file, then run annotate pull --all")


def _odd(left_out: Iterable[LeftOut], foreign: Iterable[Task]) -> dict[str, Any]:
    rows = [{"task": one.task, "name": one.name, "annotator": one.annotator, "reason": one.reason} for one in left_out]
    return {"left_out": rows, "foreign_tasks": [task.id for task in foreign]}


def _adjudicate(arguments: argparse.Namespace) -> None:
    from ..reports import dispute_answer
    from .adjudication import push_disputes, read_decisions, settle, star_truths, undecided, with_decisions
    from .project import Project
    from .push import project_lock

    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths, options_of(arguments)))
    annotating = open_project(arguments)
    project = Project(annotating.connection, f"{arguments.project} adjudication")
    with project.connection.clear_errors(), project_lock(project):
        since = state_of(arguments.annotations)
        annotations = read_annotations(arguments.annotations, None, scheme)
        decisions = read_decisions(project, scheme)
        merged = with_decisions(documents, annotations, decisions.truths)
        agreements, disputes = settle(documents, merged, scheme)
        merged += agreements
        push_disputes(project, disputes, documents, scheme)
        starred = star_truths(annotating, documents, merged)
        url = project.url if project.id else None
        untouched = [project.task_url(task.id) for task in decisions.untouched]
        # marking an answer as ground truth there changes its time, and that is no reason to rewrite the file
        if changed := [replace(one, updated_at=None) for one in merged] != [replace(one, updated_at=None) for one in annotations]:
            write_annotations(arguments.annotations, merged, since)
    open_ones = undecided(documents, merged)
    truth_count = len(documents) - sum(open_ones.values())
    if arguments.json:
        counts = {"documents": len(documents), "ground_truths": truth_count, "one_annotator": open_ones[1], "no_annotator": open_ones[0], "starred": starred}
        answer = {"file": str(arguments.annotations), "rewritten": changed, **counts, "url": url, "untouched": untouched}
        print_json({**answer, "disputes": [dispute_answer(one) for one in disputes], **_odd(decisions.left_out, ())})
    said = f"{truth_count} of {len(documents)} documents have a ground truth, {len(disputes)} are in dispute"
    said += f", {open_ones[1]} have one annotator, {open_ones[0]} have none"
    left = f"; decide what is in dispute at {url}, then run the command again" if disputes else ""
    print(f"{arguments.annotations} {'rewritten' if changed else 'unchanged'}: {said}{left}", file=sys.stderr)
    if starred:
        print(f"{annotating.url}: stars of ground truths brought up to date in {starred} task{'s' * (starred != 1)}", file=sys.stderr)
    for task, where in zip(decisions.untouched, untouched, strict=True):
        reason = "submitted as it was shown, which decides nothing; mark what is right, or tick that nothing in dispute is right, and press Update"
        print(f"not decided: {task.name} was {reason}: {where}", file=sys.stderr)
    report_odd(decisions.left_out, ())
    if decisions.untouched:
        raise PartlyDoneError(f"{few([task.name for task in decisions.untouched], 'task')} submitted untouched (see above)")


def _status(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from ..edits import Edits
    from .status import read_status

    scheme = load_labels(arguments.labels)
    project = open_project(arguments)
    with project.connection.clear_errors():
        status = read_status(project, scheme)
    if arguments.json:
        rows: list[Any] = [{**vars(one), "spans": {label: one.spans[label] for label in scheme.label_names}} for one in status.tasks]
        totals = {"overlap": status.overlap, "untouched": status.untouched, "left": status.left}
        used = [
            {"version": one.version, "annotations": one.annotations, **vars(one.edits), "minutes": one.minutes, "topics": _of_topics(one)}
            for one in status.used
        ]
        print_json({"url": project.url, **totals, "tasks": rows, "suggestions": used, **_odd(status.left_out, status.foreign)})
    else:
        rows = [[one.task, one.name, ", ".join(one.annotators) or "–", *(one.spans[label] for label in scheme.label_names), one.left] for one in status.tasks]
        print(tabulate(rows, headers=["task", "document", "annotators", *(f"{label} spans" for label in scheme.label_names), "left"]))
        summary = f"{len(rows)} documents, {status.untouched} without any annotation; left at {status.overlap} per document: {status.left} annotations"
        if status.used:
            done = [[one.version, one.annotations, *astuple(one.edits), f"{one.minutes:.1f}"] for one in status.used]
            print("\n" + tabulate(done, headers=["suggestions of", "annotations", *(field.name for field in fields(Edits)), "minutes (median)"]))
            for one in status.used:
                if one.topics.accepted or one.topics.deleted:
                    print(f"topics of {one.version}: " + ", ".join(f"{count} {name}" for name, count in _of_topics(one).items()))
        print(f"\n{summary}; {project.url}")
    report_odd(status.left_out, status.foreign)


def _of_topics(used: SuggestionUse) -> dict[str, int]:
    """What annotators did with suggested topics, by name."""
    return {name: getattr(used.topics, name) for name in ("accepted", "deleted", "added")}
