"""``annotate turn``: its options; what trains and promotes is given by who composes the command, because models are not known here."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..commandline import common_options, json_option, one_line, print_json, whole_number
from ..desk_options import add_annotations, add_documents
from ..errors import NewsmarkError, UsageError
from ..labels import LabelScheme, load_labels
from ..reading.options import options_of, reading_options
from ..reading.sources import ReadingOptions
from .options import add_project_options, open_project

if TYPE_CHECKING:
    from .project import Project
    from .reading import LeftOut


@dataclass(frozen=True)
class TurnInput:
    """What a turn works on.

    Attributes:
        project: in Label Studio.
        scheme: labels and topics.
        documents: files of articles and folders of them.
        reading: how these files are read.
        annotations: annotation file, which the turn brings up to date.
        labels: labels file.
        config: training configuration.
        gate: limits; None for the usual ones.
        dry_run: change nothing.
    """

    project: Project
    scheme: LabelScheme
    documents: tuple[Path, ...]
    reading: ReadingOptions
    annotations: Path
    labels: Path
    config: Path
    gate: Path | None
    dry_run: bool


@dataclass(frozen=True)
class TurnOutcome:
    """What a turn did, or would do.

    Attributes:
        new: annotations that are new.
        changed: annotations that replaced an older version.
        left_out: what could not be read of annotations.
        run_id: run of the model of these annotations; None where a dry run finds that it has to be trained.
        trained: whether the turn trained it; otherwise it was there already.
        version: registered version of it; None in a dry run.
        promoted: whether it became champion.
        refused: rows of the gate that did not hold.
        table: the gate's table; empty where the model is champion already, or nothing was asked.
        champion: version of the champion's model, after the turn; None where there is none.
        renewed: documents without annotations that got its suggestions.
        reordered: number of tasks without annotations that got a new rank in the queue.
    """

    new: int
    changed: int
    left_out: tuple[LeftOut, ...]
    run_id: str | None
    trained: bool
    version: str | None
    promoted: bool
    refused: tuple[str, ...]
    table: str
    champion: str | None
    renewed: tuple[str, ...]
    reordered: int


TakeTurn = Callable[[TurnInput, Callable[[str], None]], TurnOutcome]
"""Takes a turn, and reports what it is doing."""


def add_turn(commands: Any, take_turn: TakeTurn | None) -> None:
    """Add turn to the parser's commands (see ``add_commands``)."""
    turn = commands.add_parser(
        "turn",
        parents=[common_options(), json_option(), reading_options()],
        help="pull, train, ask the gate, promote, renew suggestions, reorder the queue: the way from new annotations to better suggestions",
    )
    add_documents(turn, "the documents", [Path("seeds")])
    add_annotations(turn, "brought up to date, and trained on")
    turn.add_argument("--config", type=Path, required=True, metavar="FILE", help="training configuration, for example configs/baseline.yaml")
    turn.add_argument("--gate", type=Path, metavar="FILE", help="limits (default: configs/promotion.yaml)")
    turn.add_argument("--dry-run", action="store_true", help="only print what would be done")
    turn.add_argument("--every", type=whole_number("minutes", 1, 100_000), metavar="MINUTES", help="take a turn again and again, with a pause of this length")
    turn.add_argument(
        "--notify", metavar="COMMAND|URL", help="after a promotion or a failure, run this command with the answer as JSON on its input, or post it to this URL"
    )
    add_project_options(turn)
    turn.set_defaults(run=_turn(take_turn))


def _turn(take_turn: TakeTurn | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        if take_turn is None:
            raise UsageError("annotate turn needs newsmark.training; run the command annotate")
        if arguments.every and arguments.dry_run:
            raise UsageError("--every repeats turns, and --dry-run takes none: leave out one of the two")
        while True:
            try:
                _take_one(arguments, take_turn)
            except (NewsmarkError, OSError) as error:
                if arguments.every is None or isinstance(error, BrokenPipeError):  # nobody reads the answers any more
                    raise
                print(f"annotate: error: {one_line(error)}", file=sys.stderr)
            if arguments.every is None:
                return
            print(f"the next turn begins in {arguments.every} min", file=sys.stderr)
            time.sleep(60 * arguments.every)

    return run


def _take_one(arguments: argparse.Namespace, take_turn: TakeTurn) -> None:
    from .commands import report_odd
    from .notification import notify
    from .push import project_lock

    scheme, project = load_labels(arguments.labels), open_project(arguments)
    paths, reading = tuple(arguments.paths), options_of(arguments)
    given = TurnInput(project, scheme, paths, reading, arguments.annotations, arguments.labels, arguments.config, arguments.gate, arguments.dry_run)
    try:
        with project.connection.clear_errors(), project_lock(project, "turn"):
            outcome = take_turn(given, lambda line: print(line, file=sys.stderr, flush=True))
    except (NewsmarkError, OSError) as error:
        if arguments.notify:
            notify(arguments.notify, {"project": project.title, "error": one_line(error)})
        raise
    answer = {**vars(outcome), "left_out": list(map(str, outcome.left_out)), "dry_run": arguments.dry_run, "url": project.url if project.id else None}
    if arguments.json:
        print_json(answer)
    elif outcome.table:
        print(outcome.table)
    print(_summary(outcome, arguments.dry_run), file=sys.stderr)
    if arguments.notify and outcome.promoted:
        notify(arguments.notify, {"project": project.title, **answer})
    report_odd(outcome.left_out, ())


def _summary(outcome: TurnOutcome, dry_run: bool) -> str:
    pulled = f"{outcome.new} new and {outcome.changed} changed annotations"
    if dry_run:
        model = f"the model of run {outcome.run_id} is of these annotations already" if outcome.run_id else "a model would be trained and asked at the gate"
        return f"dry run: {pulled}; {model}; {len(outcome.renewed)} documents would get suggestions of the present champion, {outcome.reordered} a new rank"
    made = f"run {outcome.run_id} {'trained' if outcome.trained else 'is of these annotations already'}"
    if outcome.promoted:
        decided = f"version {outcome.version} is champion now"
    elif outcome.refused:
        decided = f"version {outcome.version} does not pass the gate: {', '.join(outcome.refused)}"
    else:
        decided = f"version {outcome.version} is the champion already"
    return f"{pulled}; {made}; {decided}; suggestions renewed in {len(outcome.renewed)} documents, {outcome.reordered} with a new rank"
