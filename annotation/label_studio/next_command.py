"""``annotate next``: its options and what is printed."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations
from ..commandline import common_options, json_option, print_json, whole_number
from ..desk_options import add_annotations, add_documents
from ..documents import read_documents
from ..labels import load_labels
from ..reading.options import PATHS_HELP, options_of, reading_options
from .options import add_project_options, open_project
from .ranks import QUEUE, push_ranks, stale_ranks, waiting_tasks

if TYPE_CHECKING:
    from ..queue import Queued


def add_next(commands: Any) -> None:
    """Add next to the parser's commands (see ``add_commands``)."""
    following = commands.add_parser(
        "next",
        parents=[common_options(), json_option(), reading_options()],
        help="order the articles that nobody has annotated: by chance, languages in their shares, near copies last",
    )
    add_documents(following, PATHS_HELP)
    following.add_argument(
        "--number", type=whole_number("articles", 1, 9999), default=QUEUE, metavar="N", help="articles in the queue at most (default: %(default)s)"
    )
    following.add_argument(
        "--push",
        action="store_true",
        help="give the tasks in Label Studio their ranks, and make the tab 'Next', which is sorted by them; without it, nothing is asked of Label Studio",
    )
    add_annotations(following, "articles that have annotations there are left out; with --push, those with annotations in Label Studio, too")
    add_project_options(following)
    following.set_defaults(run=_next)


def _next(arguments: argparse.Namespace) -> None:
    from ..queue import queue_articles

    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths, replace(options_of(arguments), furniture=True)))
    local = read_annotations(arguments.annotations, None, scheme) if arguments.annotations.exists() else []
    done = {one.document_id for one in local}
    ranked, url = 0, None
    if not arguments.push:
        queue = queue_articles([one for one in documents if one.id not in done], [one for one in documents if one.id in done])
    else:
        from .push import project_lock

        project = open_project(arguments)
        with project.connection.clear_errors(), project_lock(project):
            project.required_id()
            tasks = waiting_tasks(project)
            there = {one.sha256 for one in tasks}
            queue = queue_articles([one for one in documents if one.id in there - done], [one for one in documents if one.id not in there])
            stale = stale_ranks(tasks, queue[: arguments.number])
            push_ranks(project, stale)
            ranked, url = len(stale), project.url
    shown = queue[: arguments.number]
    if arguments.json:
        rows = [{"rank": number, **_row(one)} for number, one in enumerate(shown, start=1)]
        print_json({"articles": len(documents), "waiting": len(queue), "changed": ranked, "url": url, "queue": rows})
    else:
        for number, one in enumerate(shown, start=1):
            print(f"{number}\t{one.document.name}\t{one.reason}")
    more = f"; {ranked} tasks have a new rank, see the tab Next at {url}" if url else ""
    print(f"{len(queue)} of {len(documents)} articles wait, {len(shown)} of them in the queue{more}", file=sys.stderr)


def _row(one: Queued) -> dict[str, Any]:
    found = {"document": one.document.id, "name": one.document.name, "lang": one.document.language}
    return {**found, "copy_of": one.copy_of or None, "reason": one.reason}
