"""``annotate labels``: renaming a label, merging several, in the labels file, the annotations and the Label Studio project together."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotations import Annotation, read_annotations, state_of, write_annotations
from ..commandline import common_options, json_option, print_json
from ..desk import current_desk
from ..desk_options import default_of
from ..errors import NewsmarkError, UsageError, unknown_name
from ..files import atomic_write, read_text
from ..folders import shown
from ..labels import LabelScheme, load_labels
from ..relabelling import (
    Relabelling,
    merge_labels,
    relabelled_annotations,
    relabelled_scheme,
    relabelled_text,
    rename_label,
    transitional_scheme,
)
from .options import add_project_options, open_project

if TYPE_CHECKING:
    from .project import Project
    from .relabelling import OnServer


def add_labels_command(commands: Any) -> None:
    """Add labels with its sub-commands to the parser's commands."""
    labels = commands.add_parser("labels", parents=[common_options()], help="rename labels or merge them, in files and in Label Studio together")
    actions = labels.add_subparsers(title="commands", required=True, metavar="COMMAND")
    rename = actions.add_parser("rename", parents=[common_options(), json_option()], help="give a label another name")
    rename.add_argument("old", metavar="OLD", help="its name")
    rename.add_argument("new", metavar="NEW", help="its new name")
    _add_options(rename, lambda arguments, scheme: rename_label(scheme, arguments.old, arguments.new))
    merge = actions.add_parser("merge", parents=[common_options(), json_option()], help="put labels together under one name")
    merge.add_argument("names", nargs="+", metavar="LABEL", help="labels to put together")
    merge.add_argument("--into", required=True, metavar="NAME", help="the label that they become: one of them, or a new name")
    _add_options(merge, lambda arguments, scheme: merge_labels(scheme, arguments.names, arguments.into))
    split = actions.add_parser("split", parents=[common_options()], help="print how to split a label by hand")
    split.add_argument("name", metavar="LABEL", help="the label")
    split.set_defaults(run=_split)


def _add_options(parser: argparse.ArgumentParser, plan: Callable[[argparse.Namespace, LabelScheme], Relabelling]) -> None:
    usual = shown(current_desk().annotations or Path("annotations.jsonl"))
    text = f"annotation files to rewrite {default_of(usual)}"
    parser.add_argument("--annotations", type=Path, nargs="+", default=[usual] if usual.exists() else [], metavar="FILE", help=text)
    parser.add_argument("--dry-run", action="store_true", help="only print what would change")
    parser.add_argument("--offline", action="store_true", help="change the files only; the same command without it changes the server later")
    add_project_options(parser)
    parser.set_defaults(run=lambda arguments: _change(arguments, plan))


def _split(arguments: argparse.Namespace) -> None:
    name = arguments.name
    raise UsageError(
        f"which spans of {name!r} belong to which label is for a person to decide. By hand: run annotate pull; add the second label to the labels file "
        f"(annotate labels rename gives {name!r} a better name first); run annotate push; in Label Studio, give the spans of {name!r} that belong to the "
        "second label that label, and press Update in every document, also where nothing changes: then both count as judged; run annotate pull"
    )


def _change(arguments: argparse.Namespace, plan: Callable[[argparse.Namespace, LabelScheme], Relabelling]) -> None:
    scheme = load_labels(arguments.labels)
    change = plan(arguments, scheme)
    after, between = relabelled_scheme(scheme, change), transitional_scheme(scheme, change)
    text = read_text(arguments.labels)
    new_text = relabelled_text(text, arguments.labels, change)
    with _projects(arguments) as (projects, asking):
        since = {path: state_of(path) for path in arguments.annotations}
        before = {path: read_annotations(path, None, between) for path in arguments.annotations}
        changed = {path: relabelled_annotations(annotations, change) for path, annotations in before.items()}
        on_server = [_found(project, change) for project in projects]
        asked = _asked(asking, change)
        if text == new_text and before == changed and not any(on_server) and not any(asked.values()):
            hint = f"{change.new!r} is there, and no annotation has the old name any more"
            raise UsageError(f"{unknown_name('label', change.old[0], scheme.label_names)} ({hint})")
        answer = {
            "old": change.old,
            "new": change.new,
            "dry_run": arguments.dry_run,
            "labels_file": str(arguments.labels),
            "labels_file_changes": text != new_text,
        }
        answer["annotations"] = {str(path): _file_counts(before[path], changed[path], change) for path in arguments.annotations}
        answer["projects"] = {one.project.url: {"interface": one.interface, **one.counts} for one in on_server}
        answer["questions"] = asked
        if not arguments.dry_run:
            for number, one in enumerate(on_server):
                _change_server(one, scheme, change, adjudicating=number > 0)
            if asking and any(asked.values()):
                _rename_questions(asking, change, after)
            for path, annotations in changed.items():
                if annotations != before[path] or any(on_server):  # the file may have been changed offline before
                    annotations = _with_times(annotations, projects[:1], after, change)
                if annotations != before[path]:
                    write_annotations(path, annotations, since[path])
            if text != new_text:  # last: as long as the file has the old name, the same command continues what was interrupted
                with atomic_write(arguments.labels) as stream:
                    stream.write(new_text)
    _report(arguments, change, answer)


@contextmanager
def _projects(arguments: argparse.Namespace) -> Iterator[tuple[list[Project], Project | None]]:
    """The annotators' project and that of adjudications, those that exist, and that of questions, if it does; locked."""
    if arguments.offline:
        yield [], None
        return
    from .project import MAX_TITLE, Project
    from .push import project_lock

    try:
        annotating = open_project(arguments)
    except UsageError:
        raise
    except NewsmarkError as error:
        raise NewsmarkError(f"{error}; --offline changes the files only") from None
    titles = [f"{arguments.project} {name}" for name in ("adjudication", "questions")]
    projects = [annotating, *(Project(annotating.connection, title) for title in titles if len(title) <= MAX_TITLE)]  # else there is none
    with annotating.connection.clear_errors(), ExitStack() as stack:
        for one in projects:
            stack.enter_context(project_lock(one))
        if annotating.id is None:
            print(f"{annotating.connection.url} has no project {arguments.project!r}; only files are changed", file=sys.stderr)
        there = [one for one in projects if one.id is not None]
        yield [one for one in there if one.title != titles[1]], next((one for one in there if one.title == titles[1]), None)


def _found(project: Project, change: Relabelling) -> OnServer:
    from .relabelling import old_names_in, refuse_drafts

    found = old_names_in(project, change)
    refuse_drafts(found)
    return found


def _asked(project: Project | None, change: Relabelling) -> dict[str, int]:
    """Number of questions to rename, by the address of their project; whether a passage has one of several labels was not asked, so merging leaves them."""
    if project is None or len(change.names) > 1:
        return {}
    from .questions import asked_under

    return {project.url: len(asked_under(project, change.names[0]))}


def _rename_questions(project: Project, change: Relabelling, after: LabelScheme) -> None:
    from .questions import rename_questions

    rename_questions(project, change.names[0], after.label(change.new))


def _change_server(found: OnServer, scheme: LabelScheme, change: Relabelling, adjudicating: bool) -> None:
    from tqdm import tqdm

    from .relabelling import relabel_project

    if found:
        for _ in tqdm(relabel_project(found.project, scheme, change, adjudicating), total=len(found.parts), unit="result", disable=None, file=sys.stderr):
            pass


def _with_times(annotations: list[Annotation], projects: Sequence[Project], after: LabelScheme, change: Relabelling) -> list[Annotation]:
    from .relabelling import with_times_of

    for project in projects:
        annotations = with_times_of(project, after, change, annotations)
    return annotations


def _file_counts(before: Sequence[Annotation], after: Sequence[Annotation], change: Relabelling) -> dict[str, int]:
    spans = [Counter(span.label for one in annotations for span in one.spans) for annotations in (before, after)]
    renamed = sum(spans[0][name] for name in change.old)
    folded = spans[0].total() - spans[1].total()
    rows = sum(one != other for one, other in zip(before, after, strict=True))
    unjudged = sum(bool({*(one.offered or ())} & {*change.names}) and change.new not in (other.offered or ()) for one, other in zip(before, after, strict=True))
    return {"annotations": rows, "spans": renamed, "folded": folded, "not_judged": unjudged}


def _report(arguments: argparse.Namespace, change: Relabelling, answer: Mapping[str, Any]) -> None:
    lines = [f"{arguments.labels}: {change}"] * answer["labels_file_changes"]
    for path, counts in answer["annotations"].items():
        if not counts["annotations"]:
            continue
        line = f"{path}: {counts['spans']} span{'s' * (counts['spans'] != 1)} in {counts['annotations']} annotation{'s' * (counts['annotations'] != 1)}"
        line += f"; {counts['folded']} of them became equal to another one and are kept once" if counts["folded"] else ""
        lines.append(
            line + (f"; {counts['not_judged']} annotations were offered only some of the labels, and did not judge it" if counts["not_judged"] else "")
        )
    for url, counts in answer["projects"].items():
        if not any(counts.values()):
            continue
        parts = ", ".join(f"{counts[kind]} {kind}{'s' * (counts[kind] != 1)}" for kind in ("annotation", "draft", "prediction"))
        lines.append(f"{url}: {'the interface, ' * counts['interface']}{parts}")
    lines += [f"{url}: {count} question{'s' * (count != 1)}" for url, count in answer["questions"].items() if count]
    if arguments.json:
        print_json(dict(answer))
    for line in lines:
        print(f"would change {line}" if arguments.dry_run else f"changed {line}", file=sys.stderr)
    names = " and ".join(map(repr, change.old))
    print(f"not changed: models that were trained before, the labelled corpus, files of labelled passages and the codebook know {names} only", file=sys.stderr)
