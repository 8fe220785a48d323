"""``annotate ask`` and ``annotate answers``: options, what is printed, and the order of the steps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations
from ..commandline import common_options, json_option, print_json, whole_number
from ..desk_options import add_annotations, add_documents
from ..documents import Document, read_documents
from ..errors import PartlyDoneError, UsageError, unknown_name
from ..labels import LabelScheme, load_labels
from ..reading.options import PATHS_HELP, options_of, reading_options
from .options import add_project_options, few, open_project

if TYPE_CHECKING:
    from ..questions import Candidates
    from ..suggestions import LoadSuggester
    from .project import Project


def add_ask(commands: Any, load_suggester: LoadSuggester | None) -> None:
    """Add ask and answers to the parser's commands (see ``add_commands``)."""
    ask = commands.add_parser(
        "ask", parents=[common_options(), json_option(), reading_options()], help="ask about single passages in doubt, of articles that nobody annotated yet"
    )
    add_documents(ask, PATHS_HELP)
    ask.add_argument("--label", required=True, metavar="LABEL", help="the label that the passages may have")
    ask.add_argument("--number", type=whole_number("questions", 1, 100_000), default=100, metavar="N", help="most questions to add (default: %(default)s)")
    source = ask.add_mutually_exclusive_group()
    source.add_argument(
        "--model",
        metavar="MODEL",
        help="model that is in doubt: folder, run id or MLflow URI; 'newest' for the newest that has no other labels than the labels file "
        "(default: the champion, else the newest)",
    )
    source.add_argument("--rows", type=Path, metavar="FILE", help="take the probabilities from what predict wrote for these articles (.jsonl)")
    ask.add_argument("--overlap", type=whole_number("annotators", 1, 1000), metavar="N", help="number of annotators per question")
    add_annotations(ask, "articles that have annotations there, or in Label Studio, are not asked about")
    add_project_options(ask)
    ask.set_defaults(run=_ask(load_suggester))

    answers = commands.add_parser(
        "answers", parents=[common_options(), json_option()], help="write the answers to annotate ask as labelled passages, for train --passages"
    )
    answers.add_argument("file", type=Path, metavar="FILE", help="file to write or to bring up to date (.jsonl)")
    add_project_options(answers)
    answers.set_defaults(run=_answers)


def _project_of_questions(arguments: argparse.Namespace) -> Project:
    return open_project(arguments, f"{arguments.project} questions")


def _ask(load_suggester: LoadSuggester | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        from ..questions import choose_questions
        from ..splitting.passages import split_passages
        from .push import project_lock
        from .questions import push_questions, read_asked

        scheme = load_labels(arguments.labels)
        if arguments.label not in scheme.label_names:
            raise UsageError(f"--label: {unknown_name('label', arguments.label, scheme.label_names)}")
        documents = list(read_documents(arguments.paths, replace(options_of(arguments), furniture=arguments.rows is None)))
        annotating, project = open_project(arguments), _project_of_questions(arguments)
        with project.connection.clear_errors(), project_lock(project):
            annotated = _annotated(arguments, annotating, scheme)
            left = [one for one in documents if one.id not in annotated]
            candidates = _candidates(arguments, left, scheme, load_suggester)
            asked = read_asked(project)
            known = [one.text for one in asked if one.label == arguments.label]
            known += [passage.text for one in documents if one.id in annotated for passage in split_passages(one.text, one.language)]
            questions = choose_questions(candidates, arguments.number, {one.id for one in asked}, known)
            if questions:
                push_questions(project, questions, scheme, arguments.overlap)
            url = project.url if project.id else None
        if arguments.json:
            counts = {"asked": len(questions), "asked_before": len(asked), "articles": len(left), "annotated_articles": len(documents) - len(left)}
            print_json({"url": url, "label": arguments.label, "threshold": candidates.threshold, **counts})
        where = f" at {url}; when they are answered, run annotate answers FILE" if questions else ""
        print(f"{len(questions)} new questions about {arguments.label!r}{where}", file=sys.stderr)
        if len(questions) < arguments.number:
            print(f"no further passage of {len(left)} articles without annotations is in doubt, new and no near copy", file=sys.stderr)

    return run


def _annotated(arguments: argparse.Namespace, project: Project, scheme: LabelScheme) -> set[str]:
    """Ids of the documents that somebody annotated, in the file or on the server."""
    local = read_annotations(arguments.annotations, None, scheme) if arguments.annotations.exists() else []
    there = project.tasks.export(only_annotated=True) if project.id else []
    found = {one.document_id for one in local if not one.skipped}
    return found | {task.sha256 for task in there if task.sha256 and not all(one.skipped for one in task.annotations)}


def _candidates(arguments: argparse.Namespace, documents: Sequence[Document], scheme: LabelScheme, load_suggester: LoadSuggester | None) -> Candidates:
    from ..questions import read_scores, score_documents

    if arguments.rows:
        found = read_scores(arguments.rows, documents, arguments.label, scheme)
        there = {one.question.document for one in found.rows}
        if without := [one.name for one in documents if one.id not in there]:
            print(f"{arguments.rows}: no rows for {few(without, 'document')}; nothing is asked there", file=sys.stderr)
        return found
    if load_suggester is None:
        raise UsageError("annotate ask needs newsmark.models; run the command annotate, or give --rows FILE")
    return score_documents(documents, arguments.label, load_suggester(arguments.model, scheme))


def _answers(arguments: argparse.Namespace) -> None:
    from .questions import merge_answers, read_answers

    scheme = load_labels(arguments.labels)
    project = _project_of_questions(arguments)
    with project.connection.clear_errors():
        answers = read_answers(project, scheme)
    new, changed, total = merge_answers(arguments.file, answers)
    if arguments.json:
        counts = {"new": new, "changed": changed, "rows": total, "unsure": answers.unsure, "disputed": answers.disputed, "open": answers.open}
        print_json({"file": str(arguments.file), "url": project.url, **counts})
    left = f"not written: {answers.disputed} on which annotators differ, {answers.unsure} that nobody could answer; {answers.open} questions are open"
    print(f"{arguments.file}: {new} new, {changed} changed, {total} in all; {left}", file=sys.stderr)
    for one in answers.left_out:
        print(f"left out: {one}", file=sys.stderr)
    if answers.left_out:
        raise PartlyDoneError(f"{len(answers.left_out)} answers left out (see above); put the label back into the labels file, or delete these tasks")
