"""The ``train`` command: train a classifier, score it honestly, log it to MLflow.

It is one file, so that all commands and their options are seen together; each of them only calls what does the work.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotation.commandline import Commands, common_options, json_option, open_closed_streams, print_json, run_command, whole_number
from ..annotation.desk import annotated_sources, current_desk
from ..annotation.desk_options import add_labels
from ..annotation.errors import NewsmarkError, UsageError
from ..annotation.labels import load_labels
from ..annotation.yaml_files import fields_of, is_list
from .config import Config, all_fields, flag_of, load_config, parts
from .simulate_command import add_simulate

if TYPE_CHECKING:
    from .stages import Stages

_METAVARS: dict[Any, str] = {int: "N", float: "NUMBER", bool: "true|false"}


def main(argv: list[str] | None = None) -> int:
    """Run ``train``; returns the exit code."""
    open_closed_streams()
    argv = sys.argv[1:] if argv is None else argv
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped job leaves its run KILLED, as after Ctrl-C

    def run() -> None:
        arguments = _parser(argv).parse_args(argv)  # its defaults may be those of a project file with a mistake in it
        arguments.run(arguments)

    return run_command("train", "--debug" in argv, run)


def _parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    shared = [common_options(), json_option()]
    parser = argparse.ArgumentParser(
        prog="train",
        parents=shared,
        description="Train a classifier of passages. Prints cross-validated scores with intervals and logs the run, its predictions and the model to MLflow.",
    )
    parser.set_defaults(run=_train)
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND", action=Commands)
    commands.argv = argv
    compare = commands.add_parser("compare", parents=shared, help="print the scores of runs side by side, and how far each differs from the first")
    compare.add_argument("runs", nargs="*", metavar="RUN", help="run ids (default: the newest run of each kind of model)")
    compare.set_defaults(run=_compare)
    corpus = commands.add_parser("corpus", parents=shared, help="print measured facts of labelled passages: counts, variety, near duplicates, lengths")
    corpus.add_argument("path", type=Path, metavar="PATH", help="labelled passages: a file of rows (JSONL, a table, Parquet), or a folder of JSONL files")
    corpus.add_argument("--relabelled", type=Path, metavar="FILE", help="a second, independent labelling of some of these passages, to compare")
    corpus.add_argument("--seeds", metavar="FOLDER", help="annotated articles that must not be in there (default: the desk's, else seeds)")
    add_labels(corpus, "labels_file")
    corpus.set_defaults(run=_corpus)
    curve = commands.add_parser("curve", parents=shared, help="print the score against the number of annotated articles trained on")
    _add_configuration(curve)
    curve.set_defaults(run=_curve)
    add_simulate(commands, shared)
    suspects = commands.add_parser("suspects", parents=shared, help="list annotations that look wrong by a run's out-of-fold predictions")
    suspects.add_argument("run_id", metavar="RUN", help="run id")
    suspects.add_argument("--annotations", type=Path, metavar="FILE", help="where the tasks' pages in Label Studio are (default: what the run was trained on)")
    suspects.add_argument("--limit", type=whole_number("rows", 1, 1000000), default=50, metavar="N", help="rows to print at most (default: %(default)s)")
    suspects.set_defaults(run=_suspects)
    report = commands.add_parser("report", parents=shared, help="write a page about a run: scores, curves, every passage with what moved its score")
    report.add_argument("run_id", metavar="RUN", help="run id")
    report.add_argument("before_id", nargs="?", metavar="RUN", help="a run from before: what changed since, label by label and passage by passage")
    report.add_argument("--output", type=Path, metavar="FILE", help="the page (default: report-RUN.html in the current folder, with the first 8 digits)")
    report.add_argument("--annotations", type=Path, metavar="FILE", help="where the tasks' pages in Label Studio are (default: what the run was trained on)")
    report.set_defaults(run=_report)
    promote = commands.add_parser(
        "promote",
        parents=shared,
        help="make a run's model the champion, if it passes the gate; the champion before it becomes 'previous'",
    )
    promote.add_argument("run_id", metavar="RUN", help="run id")
    promote.add_argument("--gate", type=Path, metavar="FILE", help="limits (default: configs/promotion.yaml)")
    promote.add_argument("--force", metavar="REASON", help="promote even if the gate refuses; the reason is kept with the version")
    promote.set_defaults(run=_promote)
    rollback = commands.add_parser("rollback", parents=shared, help="make the former champion the champion again")
    rollback.set_defaults(run=_rollback)
    export = commands.add_parser(
        "export", parents=shared, help="write a run's model, its card and checksums into a folder for a colleague or the Hugging Face Hub"
    )
    export.add_argument("run_id", metavar="RUN", help="run id")
    export.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder; predict --model takes it, too")
    export.add_argument(
        "--license", metavar="NAME", help="under which you hand the model on, as the Hub names it: mit, apache-2.0, other … (default: the card leaves it open)"
    )
    export.set_defaults(run=_export)
    again = commands.add_parser("relog", parents=shared, help="log a run that was kept because MLflow could not take it")
    again.add_argument("folder", type=Path, metavar="FOLDER", help="where it was kept")
    again.set_defaults(run=_relog)
    _add_configuration(parser)
    registered = f"make a version of the registered model {current_desk().model!r} (train promote makes it champion)"
    parser.add_argument("--register", action="store_true", help=registered)
    parser.add_argument("--test", type=Path, metavar="FILE", help="score on this file of labelled passages (JSONL, a table, Parquet) instead of out of fold")
    return parser


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="configs/baseline.yaml, configs/transformer.yaml or your own")
    parser.add_argument("--fast", action="store_true", help="train a cheaper model, with the keys under 'fast' in the configuration")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted training: its finished folds are taken as they are")
    parser.add_argument("--fresh", action="store_true", help="train every stage again, and keep none for later (see NEWSMARK_STAGES_GB)")
    shown: set[str] = set()
    for kind, part in parts().items():
        title = f"keys of the {kind}" if kind else "keys of the configuration"
        group = parser.add_argument_group(title, "" if kind else "each beats the file's value; a list is given with commas, or by repeating the flag")
        for key, field in fields_of(part).items():
            if key in shown:  # of a kind before, too
                continue
            shown.add(key)
            metavar = field.title.upper().replace(" ", "_") if field.title else _METAVARS.get(field.annotation, "NAME")
            group.add_argument(
                flag_of(key),
                dest=f"key_{key}",
                action="append" if is_list(field) else "store",
                metavar=metavar,
                help=f"{field.description}{_defaults(key)}".replace("%", "%%"),
            )


def _defaults(key: str) -> str:
    """What a key is where it is not given, in brackets: by kind of model where they differ; nothing where it must be given or is empty."""
    fields = {kind: own[key] for kind, part in parts().items() if key in (own := fields_of(part))}
    if key == "labels" or any(field.is_required() or field.default_factory or field.default in {"", ()} for field in fields.values()):
        return ""
    written = {kind: _written(field.default) for kind, field in fields.items()}
    first = next(iter(written.values()))
    others = "".join(f"; {kind}: {value}" for kind, value in written.items() if value != first)
    return f" (default: {first}{others})"


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _configuration(arguments: argparse.Namespace) -> Config:
    if arguments.config is None:
        raise UsageError("--config is missing: name configs/baseline.yaml, configs/transformer.yaml or your own")
    if not arguments.config.is_file():
        raise UsageError(f"{arguments.config}: no such configuration; configs/baseline.yaml is one, in the clone and in each folder that annotate init makes")
    overrides = {name: value for name in all_fields() if (value := getattr(arguments, f"key_{name}")) is not None}
    return load_config(arguments.config, overrides, arguments.fast)


def _stages(arguments: argparse.Namespace) -> Stages:
    from .stages import Stages  # keeps --help fast

    return Stages(used=not arguments.fresh, resume=arguments.resume)


def _train(arguments: argparse.Namespace) -> None:
    config = _configuration(arguments)
    if arguments.test and not arguments.test.is_file():
        raise UsageError(f"{arguments.test}: {'a folder, and a file is needed' if arguments.test.is_dir() else 'no such test file'}")
    from .experiment import run_experiment  # keeps --help fast

    result = run_experiment(config, arguments.test, stages=_stages(arguments))
    if result is None:  # the main process reports
        return
    where = f"on {arguments.test}" if arguments.test else "cross-validated"
    if not arguments.json:
        print(f"{config.data.kind}, {where}\n\n{result.table}\n")
    print(f"run {result.run_id}, model {result.model_uri}", file=sys.stderr)
    version = None
    if arguments.register:
        from ..models.store import registered_name
        from .registry import register

        version = register(result.run_id)
        print(f"registered as {registered_name()} version {version}; to make it champion: train promote {result.run_id}", file=sys.stderr)
    if arguments.json:
        ids = {"run_id": result.run_id, "model_uri": result.model_uri, "model_version": result.model_version, "registered_version": version}
        print_json({**ids, "kind": config.data.kind, "scored_on": where, "scores": result.evaluation.flat(), "majority": result.majority.flat()})


def _compare(arguments: argparse.Namespace) -> None:
    from .comparison import compare  # keeps --help fast
    from .processes import open_store
    from .tables import comparison_table, paired_table
    from .tracking import find_runs, load_predictions

    open_store()
    runs = find_runs(arguments.runs)
    first, *others = runs
    paired, differences, refused = [], [], []
    for other in others:
        try:
            comparison = compare(load_predictions(first), load_predictions(other), int(first.params["seed"]))
            paired.append(paired_table(first, other, comparison))
            differences.append({"first": first.run_id, "other": other.run_id, **comparison.flat()})
        except NewsmarkError as error:
            refused.append(f"{other.name} and {first.name} can't be compared passage by passage: {error}")
    if arguments.json:
        print_json({"runs": [vars(run) for run in runs], "differences": differences, "not_compared": refused})
        return
    whole = "\n".join(f"{run.name}: run {run.run_id}" for run in runs)
    print("\n\n".join([comparison_table(runs, same_passages=not refused), whole, *paired, *refused]))


def _report(arguments: argparse.Namespace) -> None:
    from ..models.page import check_path  # keeps --help fast
    from .processes import open_store
    from .report.collect import collect
    from .report.page import write_report

    path = arguments.output or Path(f"report-{arguments.run_id[:8]}.html")
    check_path(path, "--output")
    open_store()
    found = collect(arguments.run_id, arguments.before_id, arguments.annotations)
    artifact = write_report(found, path)
    if arguments.json:
        print_json({"run_id": arguments.run_id, "path": str(path), "artifact": artifact, "passages": len(found.predictions.texts)})
    else:
        print(f"{path}: {len(found.predictions.texts)} passages; logged to the run as {artifact}")


def _relog(arguments: argparse.Namespace) -> None:
    from .processes import open_store  # keeps --help fast
    from .recorder import relog

    open_store()
    run_id = relog(arguments.folder)
    if arguments.json:
        print_json({"run_id": run_id})
    else:
        print(f"logged as run {run_id}")


def _export(arguments: argparse.Namespace) -> None:
    from .export import export  # keeps --help fast
    from .processes import open_store

    open_store()
    done = export(arguments.run_id, arguments.folder, arguments.license)
    if done.left_out:
        print(done.left_out, file=sys.stderr)
    if arguments.json:
        print_json({"folder": done.folder, "model_version": done.version, "files": done.files, "left_out": done.left_out})
    else:
        print(f"{done.folder}: {done.version}, {', '.join(done.files)}")


def _promote(arguments: argparse.Namespace) -> None:
    from ..models.store import CHAMPION, registered_name  # keeps --help fast
    from .processes import open_store
    from .registry import DEFAULT_GATE, load_gate, promote

    if arguments.force is not None and not arguments.force.strip():
        raise UsageError("--force: give a reason, which is kept with the version")
    gate = load_gate(arguments.gate or DEFAULT_GATE)
    open_store()
    outcome = promote(arguments.run_id, gate, arguments.force)
    failed = ", ".join(row.name for row in outcome.rows if not row.holds)
    if arguments.json:
        rows = [vars(row) for row in outcome.rows]
        print_json({"version": outcome.version, "promoted": outcome.promoted, "gate": rows, "forced_because": outcome.reason})
    else:
        print(outcome.table + "\n")
    if not outcome.promoted:
        raise NewsmarkError(f"version {outcome.version} does not pass the gate: {failed}; train a better one, or give --force a reason")
    if not arguments.json:
        because = f", forced past: {failed}" if outcome.reason else ""
        print(f"models:/{registered_name()}@{CHAMPION} is version {outcome.version} now{because}")


def _rollback(arguments: argparse.Namespace) -> None:
    began = time.time()
    from ..models.store import CHAMPION, registered_name  # keeps --help fast
    from .processes import open_store
    from .registry import rollback

    open_store()
    version, former = rollback(began)
    if arguments.json:
        print_json({"champion": version, "previous": former})
    else:
        print(f"models:/{registered_name()}@{CHAMPION} is version {version} again, in place of version {former}")


def _corpus(arguments: argparse.Namespace) -> None:
    from .corpus import compare_labellings, measure_corpus  # keeps --help fast
    from .corpus_tables import corpus_report, relabelling_table
    from .dataset import load_passages
    from .labelled import load_labelled
    from .leaks import check_leaks

    scheme = load_labels(arguments.labels_file)
    data = load_labelled(arguments.path, scheme, scheme.label_names)  # a second labelling may not have a label that the first one has
    relabelled = compare_labellings(data, load_labelled(arguments.relabelled, scheme, scheme.label_names)) if arguments.relabelled else None
    documents, annotations = annotated_sources(arguments.seeds)
    seeds = load_passages(documents, annotations, str(arguments.labels_file), current_desk().reading)
    facts = measure_corpus(data, seeds, scheme.exclusive_names)
    if not arguments.json:
        print(corpus_report(facts, data, seeds))
    check_leaks(data, seeds, scheme.exclusive_names)
    if arguments.json:
        print_json({**asdict(facts), "relabelling": relabelled and asdict(relabelled)})
        return
    print("no near duplicate or translation between these passages and the seeds")
    if relabelled:
        print(f"\n{relabelling_table(relabelled)}")


def _curve(arguments: argparse.Namespace) -> None:
    config = _configuration(arguments)
    from .curve import learning_curve  # keeps --help fast

    curve = learning_curve(config, stages=_stages(arguments))
    if curve is None:  # the main process reports
        return
    if arguments.json:
        print_json({"run_id": curve.run_id, "kind": config.data.kind, "scores": {size: one.flat() for size, one in curve.evaluations.items()}})
    else:
        print(f"{config.data.kind}, learning curve\n\n{curve.table}")


def _suspects(arguments: argparse.Namespace) -> None:
    from .processes import open_store  # keeps --help fast
    from .suspects import find_suspects, out_of_fold_predictions, task_urls
    from .tables import suspects_table
    from .tracking import find_runs

    open_store()
    run = find_runs([arguments.run_id])[0]
    predictions = out_of_fold_predictions(run)
    annotations = arguments.annotations or Path(run.params.get("annotations", ""))
    urls = task_urls(annotations) if arguments.annotations or annotations.is_file() else {}
    found = find_suspects(predictions)
    if arguments.json:
        rows = [{**vars(one), **predictions.passage(one.row), "task_url": urls.get(str(predictions.documents[one.row]))} for one in found[: arguments.limit]]
        print_json({"run_id": run.run_id, "passages": len(predictions.texts), "suspicious": len(found), "suspects": rows})
    else:
        print(suspects_table(found, predictions, urls, arguments.limit))
