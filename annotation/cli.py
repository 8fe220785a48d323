"""The ``annotate`` command: documents, passages and annotations."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .annotations import Annotation, read_annotations
from .commandline import common_options, json_option, open_closed_streams, print_json, run_command
from .documents import Document, read_documents
from .errors import NewsmarkError
from .formats.commands import add_commands as add_format_commands
from .label_studio.commands import add_commands
from .labels import DEFAULT_LABELS, LabelScheme, load_labels
from .reading.options import PATHS_HELP, options_of, reading_options
from .splitting.passages import split_passages
from .suggestions import LoadSuggester


def main(argv: list[str] | None = None, load_suggester: LoadSuggester | None = None) -> int:
    """Run ``annotate``.

    Args:
        argv: arguments; by default those of the process.
        load_suggester: loads the model of ``annotate push --model`` (see ``newsmark.annotate``); None where no models are at hand.

    Returns:
        The exit code.
    """
    open_closed_streams()
    arguments = _parser(load_suggester).parse_args(argv)
    return run_command("annotate", "debug" in arguments, lambda: arguments.run(arguments))


def _parser(load_suggester: LoadSuggester | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="annotate",
        parents=[common_options()],
        description="Split articles into passages, annotate them in Label Studio, measure how far annotators agree.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    split = commands.add_parser("split", parents=[common_options(), reading_options()], help="print the passages of articles, one JSON row per passage")
    split.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=PATHS_HELP)
    split.set_defaults(run=_split)

    for name, run, text in (
        ("check", _check, "check annotations against their documents and count them"),
        ("agreement", _agreement, "measure how far annotators agree, per label and on topics, and list what is in dispute"),
    ):
        command = commands.add_parser(name, parents=[common_options(), json_option(), reading_options()], help=text)
        command.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=[Path("seeds")], help="the documents (default: seeds)")
        command.add_argument(
            "--annotations", type=Path, default=Path("seeds/annotations.jsonl"), metavar="FILE", help="the annotations to read (default: %(default)s)"
        )
        command.add_argument("--labels", type=Path, default=DEFAULT_LABELS, metavar="FILE", help="labels and topics (default: configs/labels.yaml)")
        command.set_defaults(run=run)
    add_commands(commands, load_suggester)
    add_format_commands(commands)
    return parser


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
