"""``annotate doubt``: its options and what is printed; the model's reason is given by who composes the command, because models are not known here."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations
from ..commandline import common_options, json_option, print_json, whole_number
from ..desk_options import add_annotations, add_documents
from ..documents import read_documents
from ..doubts.reasons import MODEL, REASONS, LoadReason
from ..errors import NewsmarkError, UsageError
from ..labels import load_labels
from ..reading.options import options_of, reading_options
from .options import add_project_options, open_project

if TYPE_CHECKING:
    from ..doubts.doubt import AnnotatedDocument, Doubt, Doubts, Reason
    from .writing import Row


def add_doubt(commands: Any, load_reason: LoadReason | None) -> None:
    """Add doubt to the parser's commands (see ``add_commands``)."""
    names = (MODEL, *REASONS)
    doubt = commands.add_parser(
        "doubt", parents=[common_options(), json_option(), reading_options()], help="list labels that may be wrong, with the reasons, and send them to review"
    )
    add_documents(doubt, "the documents", [Path("seeds")])
    add_annotations(doubt, "the annotations to doubt", "seeds/annotations.jsonl")
    doubt.add_argument(
        "--reason", dest="names", action="append", choices=names, metavar="NAME", help=f"look at this reason only; may be repeated: {', '.join(names)}"
    )
    doubt.add_argument(
        "--run", dest="run_id", metavar="RUN", help="run whose out-of-fold predictions are the reason of the model (default: the newest that has some)"
    )
    doubt.add_argument("--limit", type=whole_number("labels", 1, 1_000_000), default=50, metavar="N", help="labels to list at most (default: %(default)s)")
    doubt.add_argument("--push", action="store_true", help="make their documents tasks to decide in Label Studio; annotate adjudicate reads the answers")
    add_project_options(doubt)
    doubt.set_defaults(run=_doubt(load_reason))


def _doubt(load_reason: LoadReason | None) -> Callable[[argparse.Namespace], None]:
    def run(arguments: argparse.Namespace) -> None:
        from ..doubts.doubt import annotated_documents, find_doubts
        from .reviews import review_rows

        if arguments.run_id and arguments.names and MODEL not in arguments.names:
            raise UsageError(f"--run names the run of the reason {MODEL!r}, which --reason leaves out; give --reason {MODEL}, too, or leave out --run")
        scheme = load_labels(arguments.labels)
        documents = list(read_documents(arguments.paths, options_of(arguments)))
        annotations = read_annotations(arguments.annotations, documents, scheme, pass_over_others=True)
        annotated = annotated_documents(documents, annotations, scheme)
        if not annotated:
            raise NewsmarkError(f"{arguments.annotations}: none of the documents is annotated, so there is nothing to doubt")
        reasons = _reasons(arguments, load_reason)
        doubts = find_doubts(annotated, scheme, reasons)
        shown = doubts.rows[: arguments.limit]
        urls = {one.document.id: one.task_url for one in annotated}
        doubted = {one.document for one in doubts.rows} if len(reasons) > len(REASONS) else set(urls)  # what was not looked at may be in doubt still
        pushed = _push(arguments, review_rows(annotated, annotations, shown, scheme), annotated, doubted) if arguments.push else None
        if arguments.json:
            counts = {"documents": len(annotated), "doubtful": len(doubts.rows), "reasons": _counts(doubts), "decided": doubts.decided}
            print_json({**counts, "doubts": [{**vars(one), "task_url": urls[one.document]} for one in shown], "pushed": pushed})
        else:
            print("\n".join([*(_lines(one, urls[one.document]) for one in shown), _summary(doubts, len(shown), len(annotated))]))

    return run


def _push(arguments: argparse.Namespace, rows: Mapping[str, Row], documents: Sequence[AnnotatedDocument], doubted: Iterable[str]) -> dict[str, Any]:
    """Push tasks to decide, and say in one line what was done."""
    from .push import project_lock
    from .reviews import push_reviews

    project = open_project(arguments, f"{arguments.project} adjudication")
    with project.connection.clear_errors(), project_lock(project):
        done = push_reviews(project, rows, documents, load_labels(arguments.labels), doubted)
        url = project.url if project.id else None
    said = f"{done.new} new tasks to decide, {done.unchanged} there already" + f", {done.over} removed" * bool(done.over)
    waiting = f", {done.waiting} begun or not read yet (annotate adjudicate reads them)" if done.waiting else ""
    print(f"{said}{waiting}" + (f"; {url}" if url else ""), file=sys.stderr)
    return {**vars(done), "url": url}


def _reasons(arguments: argparse.Namespace, load_reason: LoadReason | None) -> list[Reason]:
    """The reasons that were asked for; that of the model is left out where there is no run, unless it was named."""
    names = arguments.names or [MODEL, *REASONS]
    reasons = [REASONS[name] for name in dict.fromkeys(names) if name != MODEL]
    if MODEL not in names:
        return reasons
    try:
        if load_reason is None:
            raise UsageError("it needs newsmark.training; run the command annotate")
        return [load_reason(arguments.run_id), *reasons]
    except (NewsmarkError, ModuleNotFoundError) as error:
        if arguments.names or arguments.run_id:
            raise
        print(f"without the reason {MODEL!r}: {error}", file=sys.stderr)
        return reasons


def _counts(doubts: Doubts) -> Counter[str]:
    return Counter(name for one in doubts.rows for name in one.reasons)


def _lines(doubt: Doubt, url: str | None) -> str:
    from ..doubts.doubt import shortened

    where = f"{doubt.name} {doubt.start}–{doubt.end} “{shortened(doubt.text, 80)}”" + (f" ({url})" if url else "")
    said = f"{doubt.strength:.2f} {doubt.label}, {'given' if doubt.given else 'not given'}: {where}"
    return "\n".join([said, *(f"     {name}: {words}" for name, words in doubt.reasons.items())])


def _summary(doubts: Doubts, shown: int, documents: int) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in _counts(doubts).items())
    more = f"; the first {shown} are listed" if shown < len(doubts.rows) else ""
    decided = f"; left out: {doubts.decided} that a reviewer has decided on" if doubts.decided else ""
    return f"{len(doubts.rows)} doubtful labels in {documents} annotated documents{': ' * bool(counted)}{counted}{more}{decided}"
