"""``annotate next``: its options and what is printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..annotations import read_annotations
from ..commandline import common_options, json_option, print_json, whole_number
from ..desk_options import add_annotations, add_documents
from ..documents import read_documents
from ..errors import UsageError
from ..labels import load_labels
from ..reading.options import PATHS_HELP, options_of, reading_options
from ..suggestions import LoadSuggester
from .options import add_project_options, open_project
from .ranks import QUEUE, push_ranks, stale_ranks, waiting_tasks


def add_next(commands: Any, load_suggester: LoadSuggester | None) -> None:
    """Add next to the parser's commands (see ``add_commands``)."""
    following = commands.add_parser(
        "next",
        parents=[common_options(), json_option(), reading_options()],
        help="order the articles that nobody has annotated by what a model would learn from",
    )
    add_documents(following, PATHS_HELP)
    following.add_argument(
        "--number", type=whole_number("articles", 1, 9999), default=QUEUE, metavar="N", help="articles in the queue at most (default: %(default)s)"
    )
    following.add_argument(
        "--model", metavar="MODEL", help="model that looks for labels: folder, run id or MLflow URI; 'newest' (default: the champion, else the newest)"
    )
    following.add_argument("--push", action="store_true", help="give the tasks in Label Studio their ranks, and make the tab 'Next', which is sorted by them")
    add_annotations(following, "articles that have annotations there are left out; with --push, those with annotations in Label Studio, too")
    add_project_options(following)
    following.set_defaults(run=_next(load_suggester))


def _next(load_suggester: LoadSuggester | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        from ..queue import label_counts, queue_articles

        if load_suggester is None:
            raise UsageError("annotate next needs newsmark.models; run the command annotate")
        scheme = load_labels(arguments.labels)
        documents = list(read_documents(arguments.paths, replace(options_of(arguments), furniture=True)))
        local = read_annotations(arguments.annotations, None, scheme) if arguments.annotations.exists() else []
        done = {one.document_id for one in local}
        project = open_project(arguments) if arguments.push else None
        if project is not None:
            project.required_id()
        scorer = load_suggester(arguments.model, scheme)
        ranked, url = 0, None
        if project is None:
            waiting = [one for one in documents if one.id not in done]
            queue = queue_articles(
                waiting, scorer, label_counts(documents, local, scheme), scheme.exclusive_names, [one for one in documents if one.id in done]
            )
        else:
            from .push import project_lock

            with project.connection.clear_errors(), project_lock(project):
                tasks = waiting_tasks(project)
                there = {one.sha256 for one in tasks}
                waiting = [one for one in documents if one.id in there - done]
                others = [one for one in documents if one.id not in there]
                queue = queue_articles(waiting, scorer, label_counts(documents, local, scheme), scheme.exclusive_names, others)
                stale = stale_ranks(tasks, queue[: arguments.number])
                push_ranks(project, stale)
                ranked, url = len(stale), project.url
        shown = queue[: arguments.number]
        if arguments.json:
            rows = [{"rank": number, "document": one.document.id, "name": one.document.name, **_numbers(one)} for number, one in enumerate(shown, start=1)]
            counts = {"articles": len(documents), "waiting": len(queue), "changed": ranked}
            print_json({"model_version": scorer.version, **counts, "url": url, "queue": rows})
        else:
            for number, one in enumerate(shown, start=1):
                print(f"{number}\t{one.document.name}\t{one.reason}")
        more = f"; {ranked} tasks have a new rank, see the tab Next at {url}" if url else ""
        print(f"{len(queue)} of {len(documents)} articles wait, {len(shown)} of them in the queue, by {scorer.version}{more}", file=sys.stderr)

    return run


def _numbers(one: Any) -> dict[str, Any]:
    kept = {"lang": one.document.language, "value": round(one.value, 4), "label": one.label, "passages": one.passages, "expected": round(one.expected, 2)}
    return {**kept, "copy_of": one.copy_of or None, "reason": one.reason}
