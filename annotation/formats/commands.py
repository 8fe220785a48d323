"""The commands ``annotate import`` and ``annotate export``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..annotations import read_annotations, write_annotations
from ..commandline import common_options, json_option, print_json
from ..desk import to_be_named
from ..desk_options import add_annotations, add_documents, add_labels
from ..documents import Document, read_documents
from ..errors import NewsmarkError, PartlyDoneError, UsageError, unknown_name
from ..files import atomic_write
from ..labels import LabelScheme, load_labels
from ..reading.options import options_of, reading_options
from .exchange import UNITS, Annotated
from .exporting import choose
from .importing import Choices, Imported, import_entries, is_known
from .kinds import FORMATS, Format, files_of, format_named


def add_commands(commands: Any) -> None:
    """Add import and export to the parser's commands."""
    reading = commands.add_parser("import", parents=[common_options(), json_option()], help="read the annotations of another tool")
    reading.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files of the format, or folders of them")
    _add_format(reading)
    reading.add_argument("--documents", type=Path, default=Path("documents.jsonl"), metavar="FILE", help="write the texts here (default: %(default)s)")
    add_annotations(reading, "write the annotations here")
    reading.add_argument(
        "--map", action="append", default=[], metavar="NAME=LABEL", help="take NAME for this label, kind (LABEL:KIND) or topic; 'NAME=' leaves it out"
    )
    reading.add_argument("--annotator", metavar="NAME", help='the annotator where the file names none (default: "imported (TOOL)")')
    reading.add_argument("--text-field", metavar="NAME", help="the field or column with the text, where it has an unusual name")
    reading.add_argument("--offsets", choices=UNITS, help="what the file's offsets count (default: what the format says)")
    reading.add_argument("--ground-truth", action="store_true", help="on your word, the annotations are the ground truth")
    reading.add_argument("--strict", action="store_true", help="write nothing where a part can't be taken")
    reading.set_defaults(run=_import)

    writing = commands.add_parser("export", parents=[common_options(), json_option(), reading_options()], help="write annotations for another tool")
    add_documents(writing, "the documents", [Path("seeds")])
    _add_format(writing)
    writing.add_argument("--output", type=Path, required=True, metavar="PATH", help="the file to write; for brat and webanno, a folder")
    add_annotations(writing, "the annotations to read")
    writing.add_argument(
        "--annotator", metavar="NAME", help="write this annotator's annotations alone (default: all, or the ground truth where a format holds one)"
    )
    writing.set_defaults(run=_export)


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", required=True, choices=[one.name for one in FORMATS], help="the tool's format")
    add_labels(parser)


def _import(arguments: argparse.Namespace) -> None:
    scheme, chosen = load_labels(arguments.labels), format_named(arguments.format)
    for path in (arguments.documents, arguments.annotations):
        if path.exists():
            raise UsageError(f"{path} exists; name another file with --documents and --annotations, or remove it")
    if arguments.documents.resolve() == arguments.annotations.resolve():
        raise UsageError(f"{arguments.documents}: both the documents and the annotations; name two files with --documents and --annotations")
    mapping = _mapping(arguments.map, scheme)
    annotator = arguments.annotator or f"imported ({chosen.title})"
    choices = Choices(annotator, mapping, arguments.offsets or chosen.unit, arguments.ground_truth)
    entries = (entry for path in arguments.paths for file in files_of(chosen, path) for entry in chosen.read(file, arguments.text_field))
    imported = import_entries(entries, scheme, choices)
    reports = [f"left out: {one}" for one in imported.left_out]
    for name, count in sorted(imported.unknown.items()):
        reports.append(f"left out: {name!r}, {count} times: {_why_unknown(name, scheme)}; --map {name}=LABEL maps it, --map {name}= leaves it out")
    if not imported.documents:
        raise NewsmarkError(f"{arguments.paths[0]}: no text found{f' ({imported.left_out[0]})' if imported.left_out else ''}")
    for line in reports:
        print(line, file=sys.stderr)
    if arguments.strict and reports:
        raise NewsmarkError(f"{len(reports)} things can't be taken (see above), and with --strict nothing is written")
    _write_documents(arguments.documents, imported.documents.values())
    try:
        write_annotations(arguments.annotations, imported.annotations.values())
    except OSError:
        arguments.documents.unlink()  # both or none
        raise
    if arguments.json:
        print_json(_import_answer(arguments, imported))
    counts = f"{len(imported.documents)} documents, {len(imported.annotations)} annotations"
    spans = f"{sum(len(one.spans) for one in imported.annotations.values())} spans"
    print(f"{arguments.documents} and {arguments.annotations}: {counts}, {spans}{to_be_named(arguments.documents)}", file=sys.stderr)
    if reports:
        raise PartlyDoneError(f"{len(reports)} things were left out (see above)")


def _mapping(given: Iterable[str], scheme: LabelScheme) -> dict[str, str]:
    """Read ``--map NAME=LABEL``; the last "=" separates.

    Raises:
        UsageError: one has no "=", or its label or topic is not known.
    """
    mapping = {}
    for one in given:
        name, equals, label = one.rpartition("=")
        if not equals or not name:
            raise UsageError(f"--map {one}: write NAME=LABEL")
        if label and not is_known(label, scheme):
            raise UsageError(f"--map {one}: {_why_unknown(label, scheme)}")
        mapping[name] = label
    return mapping


def _why_unknown(name: str, scheme: LabelScheme) -> str:
    label = name.partition(":")[0]
    if label in scheme.label_names and (kinds := scheme.label(label).kinds):
        return f"a {label} has a kind: {' or '.join(f'{label}:{kind}' for kind in kinds)}"
    return unknown_name("label or topic", name, (*scheme.label_names, *scheme.topic_names))


def _write_documents(path: Path, documents: Iterable[Document]) -> None:
    with atomic_write(path) as stream:
        for one in documents:
            stream.write(json.dumps({**one.metadata, "name": one.name, "lang": one.language, "text": one.text}, ensure_ascii=False) + "\n")


def _import_answer(arguments: argparse.Namespace, imported: Imported) -> dict[str, Any]:
    counts = {"documents": len(imported.documents), "annotations": len(imported.annotations)}
    files = {"documents_file": str(arguments.documents), "annotations_file": str(arguments.annotations)}
    return {**files, **counts, "unknown": dict(imported.unknown), "left_out": imported.left_out}


def _export(arguments: argparse.Namespace) -> None:
    scheme, chosen = load_labels(arguments.labels), format_named(arguments.format)
    if arguments.output.exists():
        raise UsageError(f"{arguments.output} exists; name another with --output, or remove it")
    documents = list(read_documents(arguments.paths, options_of(arguments)))
    annotations = read_annotations(arguments.annotations, documents, scheme, pass_over_others=True)
    annotated, left_out = choose(documents, annotations, chosen.several, chosen.skips, arguments.annotator)
    if not annotated:
        raise NewsmarkError(f"{arguments.annotations}: nothing to export{f' ({left_out[0]})' if left_out else ''}")
    left_out += _write_whole(chosen, arguments.output, annotated)
    _report_export(arguments, chosen, len({one.document.id for one in annotated}), len(annotated), left_out)


def _write_whole(chosen: Format, output: Path, annotated: list[Annotated]) -> list[str]:
    """Write a file or folder that appears under its name only when it is complete; returns what the format left out."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name[:50]}.") as folder:
            left_out = chosen.write(Path(folder) / output.name, annotated)
            (Path(folder) / output.name).rename(output)
    except OSError as error:
        raise NewsmarkError(f"{output}: can't be written ({error.strerror or error}); nothing was") from None
    return left_out


def _report_export(arguments: argparse.Namespace, chosen: Format, documents: int, annotations: int, left_out: list[str]) -> None:
    for line in left_out:
        print(f"lost: {line}", file=sys.stderr)
    if arguments.json:
        print_json({"file": str(arguments.output), "format": chosen.name, "documents": documents, "annotations": annotations, "left_out": left_out})
    print(f"{arguments.output}: {documents} documents, {annotations} annotations, for {chosen.title}", file=sys.stderr)
    if left_out:
        raise PartlyDoneError(f"{len(left_out)} things were lost (see above)")
