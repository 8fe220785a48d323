"""The commands of ``annotate`` that talk to Label Studio."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import read_annotations, write_annotations
from ..commandline import common_options, whole_number
from ..documents import read_documents
from ..errors import NewsmarkError
from ..folders import project_folder
from ..labels import DEFAULT_LABELS, LabelScheme, load_labels

if TYPE_CHECKING:
    from ..splitting.passages import Passage
    from ..suggestions import Suggest
    from .client import Studio


def add_commands(commands: Any) -> None:
    """Add serve, push, pull and status to the parser's commands."""
    serve = commands.add_parser("serve", parents=[common_options()], help="install and start a Label Studio on this machine")
    serve.add_argument("--port", type=int, default=8080, help="default: %(default)s")
    _add_data(serve)
    serve.set_defaults(run=_serve)

    push = commands.add_parser("push", parents=[common_options()], help="push documents to Label Studio, each once, with suggestions")
    push.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=".txt files, folders of them, or .jsonl files with 'text'")
    push.add_argument("--dry-run", action="store_true", help="only say which documents are new, unchanged or changed")
    push.add_argument(
        "--model", metavar="MODEL", help="suggest what a trained model gives: folder, run id or MLflow URI; 'newest' for the newest (default: simple rules)"
    )
    push.add_argument("--annotations", type=Path, metavar="FILE", help="push existing annotations too, under their annotators; one that is there stays")
    push.add_argument("--overlap", type=whole_number("annotators", 1, 1000), metavar="N", help="annotators a document")
    _add_common(push)
    push.set_defaults(run=_push)

    pull = commands.add_parser("pull", parents=[common_options()], help="pull annotations from Label Studio into a file")
    pull.add_argument("--annotations", type=Path, default=Path("annotations.jsonl"), metavar="FILE", help="made or brought up to date (default: %(default)s)")
    pull.add_argument("--all", action="store_true", help="pull everything instead of what changed, and report also what was lost with a whole task")
    _add_common(pull)
    pull.set_defaults(run=_pull)

    adjudicate = commands.add_parser(
        "adjudicate", parents=[common_options()], help="build the ground truth: agreed documents pass, disputes go to Label Studio"
    )
    adjudicate.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=[Path("seeds")], help="the documents (default: seeds)")
    adjudicate.add_argument("--annotations", type=Path, default=Path("annotations.jsonl"), metavar="FILE", help="default: %(default)s")
    _add_common(adjudicate)
    adjudicate.set_defaults(run=_adjudicate)

    status = commands.add_parser("status", parents=[common_options()], help="documents, annotators and labels on the server, and what is left")
    _add_common(status)
    status.set_defaults(run=_status)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the server's data (default: label-studio/ in the project's folder)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", default="newsmark", metavar="TITLE", help="project in Label Studio (default: %(default)s)")
    parser.add_argument("--labels", type=Path, default=DEFAULT_LABELS, metavar="FILE", help="labels and topics (default: configs/labels.yaml)")
    _add_data(parser)


def _data(arguments: argparse.Namespace) -> Path:
    return arguments.data or project_folder() / "label-studio"


def _studio(arguments: argparse.Namespace) -> Studio:
    from .client import Studio  # keeps --help fast

    return Studio.from_environment(arguments.project, _data(arguments))


def _serve(arguments: argparse.Namespace) -> None:
    from .server import serve

    serve(_data(arguments), arguments.port)


def _push(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from .push import plan_push, push_annotations, push_documents, push_lock, refresh_suggestions, remove_copies

    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths))
    annotations = read_annotations(arguments.annotations, documents, scheme, pass_over_others=True) if arguments.annotations else []
    studio = _studio(arguments)
    with studio.told(), push_lock(studio):
        plan = plan_push(studio, documents)
        said = f"{len(plan.new)} new, {len(plan.unchanged)} unchanged, {len(plan.changed)} of the new ones changed (their old tasks stay)"
        if arguments.dry_run:
            for state, some in (("new", plan.new), ("unchanged", plan.unchanged), ("changed", plan.changed)):
                for document in some:
                    print(f"{state}\t{document.name}")
            print(f"would push: {said}", file=sys.stderr)
            return
        version, suggest = _suggest(arguments.model, scheme)
        studio.ensure_project(scheme, arguments.overlap)
        count_before = studio.task_count
        with tqdm(total=len(plan.new), unit="document", disable=None, file=sys.stderr) as bar:
            for count in push_documents(studio, plan.new, suggest, annotations):
                bar.update(count)
        as_planned = studio.task_count == count_before + len(plan.new)  # else an import that had timed out has arrived, too
        remove_copies(studio, plan.copied if as_planned else plan_push(studio, documents).copied)
        added = f"; {push_annotations(studio, plan.unchanged, annotations)} annotations added to the unchanged ones" if annotations else ""
        refreshed = 0
        if studio.suggestion_version != version:
            refreshed = refresh_suggestions(studio, plan.unchanged, version, suggest)
            if len(documents) >= studio.task_count:
                studio.suggestion_version = version
        print(f"pushed to {studio.project_url}: {said}{added}; suggestions renewed in {refreshed}", file=sys.stderr)


def _suggest(model_name: str | None, scheme: LabelScheme) -> tuple[str, Suggest]:
    from ..suggestions import RULES_VERSION, suggest_by_model, suggest_by_rules

    if model_name is None:
        return RULES_VERSION, lambda document: suggest_by_rules(document, scheme)
    from ...models.context import in_reading_order
    from ...models.prediction.predict import predict_passages
    from ...models.saved import load_model
    from ...models.store import find_folder

    model = load_model(find_folder(None if model_name == "newest" else model_name))
    unknown = set(model.labels) - set(scheme.label_names)
    if unknown:
        raise NewsmarkError(f"model {model_name}: its labels {', '.join(sorted(unknown))} are not in the labels file; train it again")

    def classify(passages: list[Passage]) -> list[dict[str, float]]:
        predictions = predict_passages(model, in_reading_order([passage.text for passage in passages]))
        return [{label: one.scores[label] for label in one.labels} for one in predictions]

    return model.version, lambda document: suggest_by_model(document, model.version, classify, scheme)


def _pull(arguments: argparse.Namespace) -> None:
    from .pull import pull_annotations

    scheme = load_labels(arguments.labels)
    local = read_annotations(arguments.annotations, None, scheme) if arguments.annotations.exists() else []
    studio = _studio(arguments)
    with studio.told():
        pulled = pull_annotations(studio, local, scheme, arguments.all)
    write_annotations(arguments.annotations, pulled.annotations)
    for one in pulled.missing:
        print(f"kept: {one.annotator}'s annotation of {one.name} is no longer on the server", file=sys.stderr)
    print(f"{arguments.annotations}: {pulled.new} new, {pulled.changed} changed, {len(pulled.annotations)} in all", file=sys.stderr)


def _adjudicate(arguments: argparse.Namespace) -> None:
    from .adjudication import AGREED, decided, push_disputes, settle
    from .client import Studio
    from .push import push_lock

    scheme = load_labels(arguments.labels)
    documents = list(read_documents(arguments.paths))
    known = {document.id for document in documents}
    annotations = read_annotations(arguments.annotations, None, scheme)
    studio = Studio.from_environment(f"{arguments.project} adjudication", _data(arguments))
    with studio.told(), push_lock(studio):
        truths = list(decided(studio, scheme)) if studio.project_id else []
        answered = {one.document_id for one in truths}
        renewed = {(one.document_id, one.annotator) for one in truths}
        kept = [one for one in annotations if one.annotator != AGREED and (one.document_id, one.annotator) not in renewed]
        others = [replace(one, ground_truth=False) if one.document_id in answered else one for one in kept]
        agreements, disputes = settle(documents, [*others, *truths], scheme)
        if disputes:
            studio.ensure_project(scheme, None)
            push_disputes(studio, disputes)
    write_annotations(arguments.annotations, [*others, *truths, *agreements])
    left = f"; decide the rest at {studio.project_url}, then run the command again" if disputes else ""
    truth_count = sum(one.ground_truth and one.document_id in known for one in [*others, *truths, *agreements])
    print(f"{arguments.annotations}: {truth_count} of {len(documents)} documents have a ground truth, {len(disputes)} are in dispute{left}", file=sys.stderr)


def _status(arguments: argparse.Namespace) -> None:
    from tabulate import tabulate

    from .tasks import from_annotation

    scheme = load_labels(arguments.labels)
    studio = _studio(arguments)
    rows = []
    with studio.told():
        overlap = studio.overlap
        for task in studio.export(only_annotated=False):
            annotations = [from_annotation(task, one, studio.annotator_name(one), scheme) for one in task["annotations"]]
            counts = Counter(span.label for one in annotations for span in one.spans)
            annotators = ", ".join(one.annotator + (" (skipped)" if one.skipped else "") + (" (truth)" if one.ground_truth else "") for one in annotations)
            left = max(0, overlap - len({one.annotator for one in annotations if not one.skipped}))  # Label Studio asks others for a skipped one
            rows.append([task["id"], task["data"].get("name"), annotators or "–", *(counts[label] for label in scheme.label_names), left])
    print(tabulate(rows, headers=["task", "document", "annotators", *(f"{label} spans" for label in scheme.label_names), "left"]))
    untouched, missing = sum(row[2] == "–" for row in rows), sum(row[-1] for row in rows)
    print(f"\n{len(rows)} documents, {untouched} without any annotation; left at {overlap} a document: {missing} annotations; {studio.project_url}")
