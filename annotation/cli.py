"""The ``annotate`` command: documents, passages and annotations."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from .annotations import Annotation, labels_of_passages, read_annotations
from .commandline import common_options, run_command
from .documents import Document, read_documents
from .errors import NewsmarkError
from .label_studio.commands import add_commands
from .labels import DEFAULT_LABELS, LabelScheme, load_labels
from .splitting.passages import split_passages


def main(argv: list[str] | None = None) -> int:
    """Run ``annotate``; returns the exit code."""
    arguments = _parser().parse_args(argv)
    return run_command("annotate", "debug" in arguments, lambda: arguments.run(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="annotate", parents=[common_options()], description="Split articles into passages, check annotations, measure how far annotators agree."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    split = commands.add_parser("split", parents=[common_options()], help="print the passages of articles, one JSON row each")
    split.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=".txt files, folders of them, or .jsonl files with 'text'")
    split.set_defaults(run=_split)

    for name, run, text in (
        ("check", _check, "check annotations against their documents and count them"),
        ("agreement", _agreement, "how far annotators agree, per label and on topics, and what is in dispute"),
    ):
        command = commands.add_parser(name, parents=[common_options()], help=text)
        command.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=[Path("seeds")], help="the documents (default: seeds)")
        command.add_argument("--annotations", type=Path, default=Path("seeds/annotations.jsonl"), metavar="FILE", help="default: %(default)s")
        command.add_argument("--labels", type=Path, default=DEFAULT_LABELS, metavar="FILE", help="labels and topics (default: configs/labels.yaml)")
        command.set_defaults(run=run)
    add_commands(commands)
    return parser


def _split(arguments: argparse.Namespace) -> None:
    for document in read_documents(arguments.paths):
        for passage in split_passages(document.text, document.language):
            row = {"document": document.name, "lang": document.language, **vars(passage)}
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _read(arguments: argparse.Namespace, pass_over_others: bool = False) -> tuple[list[Document], list[Annotation], LabelScheme]:
    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths))
    return documents, read_annotations(arguments.annotations, documents, scheme, pass_over_others), scheme


def _check(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate  # keeps --help fast

    documents, annotations, scheme = _read(arguments)
    by_id = {document.id: document for document in documents}
    rows = []
    for annotation in sorted(annotations, key=lambda one: (one.name, one.ground_truth, one.annotator)):
        document = by_id[annotation.document_id]
        labels = labels_of_passages(split_passages(document.text, document.language), annotation.spans, scheme)
        counts = Counter(name for names in labels for name in names)
        unlabelled = sum(not names for names in labels)
        annotator = annotation.annotator + (" (ground truth)" if annotation.ground_truth else "")
        rows.append(
            [document.name, document.language, annotator, len(labels), *(counts[name] for name in scheme.label_names), unlabelled, ", ".join(annotation.topics)]
        )
    print(tabulate(rows, headers=["document", "lang", "annotator", "passages", *scheme.label_names, "none", "topics"]))
    judged = {annotation.document_id for annotation in annotations}
    missing = [document.name for document in documents if document.id not in judged]
    print(f"\n{len(documents)} documents, {len(annotations)} annotations" + (f"; without any: {', '.join(missing)}" if missing else ""))


def _agreement(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate  # keeps --help fast

    from .agreement import krippendorff_alpha, measure_agreement, topic_alpha, topic_f1, topic_kappa

    documents, annotations, scheme = _read(arguments, pass_over_others=True)
    pairs = measure_agreement(documents, annotations, scheme)
    if not pairs:
        raise NewsmarkError(f"{arguments.annotations}: no document has two annotators; agreement needs two")
    for (first, second), agreements in pairs.items():
        print(f"{first} and {second}")
        rows = [[value if not (isinstance(value, float) and math.isnan(value)) else "–" for value in vars(one).values()] for one in agreements]
        headers = ["label", first, second, "passage kappa", "passage F1", "span F1 exact", "span F1 overlap"]
        print(tabulate(rows, headers=headers, floatfmt=".2f"))
        topics = f"F1 {_number(topic_f1(annotations, first, second))}, kappa {_number(topic_kappa(annotations, first, second, scheme))}"
        print(f"topics: {topics} over the pairs of document and topic\n")
    alphas = krippendorff_alpha(documents, annotations, scheme)
    print("Krippendorff's alpha over passages, all annotators: " + ", ".join(f"{label} {_number(alpha)}" for label, alpha in alphas.items()))
    print(f"… and over the pairs of document and topic: {_number(topic_alpha(documents, annotations, scheme))}")
    _print_disputes(documents, annotations, scheme)


def _print_disputes(documents: list[Document], annotations: list[Annotation], scheme: LabelScheme) -> None:
    """Print what annotators disagree on, the document with the most first, each with a link to its task."""
    from .agreement import disputed_spans, disputed_topics, passage_votes

    passages = [one for one in passage_votes(documents, annotations, scheme) if one.disputed]
    spans, topics = disputed_spans(documents, annotations), disputed_topics(documents, annotations)
    counts = Counter([*(one.document.id for one in passages), *(one.document.id for one in spans), *topics])
    by_id = {document.id: document for document in documents}
    links = {one.document_id: one.task_url for one in annotations if one.task_url and not one.ground_truth}
    print(f"\nin dispute: {len(passages)} passages, {len(spans)} spans, the topics of {len(topics)} documents")
    for document_id, _ in counts.most_common():
        document = by_id[document_id]
        mine, marked = [one for one in passages if one.document == document], [one for one in spans if one.document == document]
        print(f"\n{document.name}: {len(mine)} passages, {len(marked)} spans {links.get(document_id, '')}".rstrip())
        if document_id in topics:
            print(f"  topics {_given(topics[document_id])}")
        for one in mine:
            print(f"  passage {one.passage.start}–{one.passage.end} {_given(one.labels)} | {one.passage.text[:80]}")
        for vote in marked:
            kind = f" ({vote.span.kind})" if vote.span.kind else ""
            where, words = f"{vote.span.start}–{vote.span.end}", " ".join(document.text[vote.span.start : vote.span.end].split())
            print(f"  span {where} {vote.span.label}{kind} by {', '.join(vote.marked_by)}, not by {', '.join(vote.not_by)} | {words[:80]}")


def _given(names: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{annotator}: {', '.join(sorted(some)) or 'none'}" for annotator, some in names.items())


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
