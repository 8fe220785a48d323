"""The ``annotate`` command: documents, passages and annotations."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

from .annotations import Annotation, read_annotations
from .commandline import common_options, json_option, open_closed_streams, print_json, run_command
from .desk_options import add_annotations, add_documents, add_labels
from .documents import Document, read_documents
from .doubts.reasons import LoadReason
from .errors import NewsmarkError
from .formats.commands import add_commands as add_format_commands
from .label_studio.backend_command import ServeBackend
from .label_studio.commands import add_commands
from .label_studio.doubt_command import add_doubt
from .label_studio.turn_command import TakeTurn, add_turn
from .labels import LabelScheme, load_labels
from .reading.options import PATHS_HELP, options_of, reading_options
from .splitting.passages import split_passages
from .suggestions import LoadSuggester

_NEXT_STEPS = """next:
  cd {folder}   # the commands find newsmark.yaml there, and in folders below
  edit labels.yaml and CODEBOOK.md, put articles into articles/
  annotate serve   # starts a Label Studio; run the other commands in another terminal
  annotate push
  annotate pull    # when you have annotated there
  train --config configs/baseline.yaml
  predict FILE"""


def main(
    argv: list[str] | None = None,
    load_suggester: LoadSuggester | None = None,
    serve_backend: ServeBackend | None = None,
    take_turn: TakeTurn | None = None,
    load_reason: LoadReason | None = None,
) -> int:
    """Run ``annotate``.

    Args:
        argv: arguments; by default those of the process.
        load_suggester: loads the model of ``annotate push --model`` (see ``newsmark.annotate``); None where no models are at hand.
        serve_backend: suggests live for ``annotate backend``; likewise.
        take_turn: trains and promotes for ``annotate turn``; likewise.
        load_reason: lets the model of a run doubt labels for ``annotate doubt``; likewise.

    Returns:
        The exit code.
    """
    open_closed_streams()
    argv = sys.argv[1:] if argv is None else argv

    def run() -> None:
        arguments = _parser(load_suggester, serve_backend, take_turn, load_reason).parse_args(argv)  # a project file with a mistake in it is found here
        arguments.run(arguments)

    return run_command("annotate", "--debug" in argv, run)


def _parser(
    load_suggester: LoadSuggester | None = None,
    serve_backend: ServeBackend | None = None,
    take_turn: TakeTurn | None = None,
    load_reason: LoadReason | None = None,
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="annotate",
        parents=[common_options()],
        description="Split articles into passages, annotate them in Label Studio, measure how far annotators agree.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    init = commands.add_parser("init", parents=[common_options(), json_option()], help="make the folder of a new desk, with labels and models of its own")
    init.add_argument("folder", type=Path, metavar="FOLDER", help="the folder; none of the new files may be there already")
    init.set_defaults(run=_init)

    split = commands.add_parser("split", parents=[common_options(), reading_options()], help="print the passages of articles, one JSON row per passage")
    add_documents(split, PATHS_HELP)
    split.set_defaults(run=_split)

    for name, run, text in (
        ("check", _check, "check annotations against their documents and count them"),
        ("agreement", _agreement, "measure how far annotators agree, per label and on topics, and list what is in dispute"),
    ):
        command = commands.add_parser(name, parents=[common_options(), json_option(), reading_options()], help=text)
        add_documents(command, "the documents", [Path("seeds")])
        add_annotations(command, "the annotations to read", "seeds/annotations.jsonl")
        add_labels(command)
        command.set_defaults(run=run)
    add_commands(commands, load_suggester, serve_backend)
    add_doubt(commands, load_reason)
    add_turn(commands, take_turn)
    add_format_commands(commands)
    return parser


def _init(arguments: argparse.Namespace) -> None:
    from .new_desk import make_desk

    made = make_desk(arguments.folder)
    if arguments.json:
        print_json({"folder": str(arguments.folder), "files": made})
    print(f"{arguments.folder}: {', '.join(made)}\n{_NEXT_STEPS.format(folder=shlex.quote(str(arguments.folder)))}", file=sys.stderr)


def _split(arguments: argparse.Namespace) -> None:
    for document in read_documents(arguments.paths, options_of(arguments)):
        for passage in split_passages(document.text, document.language):
            row = {"document": document.id, "name": document.name, "lang": document.language, **vars(passage)}
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _read(arguments: argparse.Namespace, pass_over_others: bool = False) -> tuple[list[Document], list[Annotation], LabelScheme]:
    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths, options_of(arguments)))
    return documents, read_annotations(arguments.annotations, documents, scheme, pass_over_others), scheme


def _check(arguments: argparse.Namespace) -> None:
    from .reports import check_answer, check_text

    documents, annotations, scheme = _read(arguments)
    answer = check_answer(documents, annotations, scheme)
    if arguments.json:
        print_json(answer)
    else:
        print(check_text(answer, scheme))


def _agreement(arguments: argparse.Namespace) -> None:
    from .reports import agreement_answer, agreement_text

    documents, annotations, scheme = _read(arguments, pass_over_others=True)
    answer = agreement_answer(documents, annotations, scheme)
    if not answer["pairs"]:
        raise NewsmarkError(f"{arguments.annotations}: no document has two annotators; agreement needs two")
    if arguments.json:
        print_json(answer)
    else:
        print(agreement_text(answer))
