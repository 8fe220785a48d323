"""The ``train`` command: train a classifier, score it honestly, log it to MLflow."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from annotation.errors import UsageError, debug_option, run_command
from training.config import all_fields, load_config


def main(argv: list[str] | None = None) -> int:
    """Run ``train``; returns the exit code."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped job leaves its run KILLED, as after Ctrl-C
    return run_command("train", "debug" in arguments, lambda: arguments.run(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train",
        parents=[debug_option()],
        description="Train a classifier of passages. Prints cross-validated scores with intervals and logs the run, its predictions and the model to MLflow.",
    )
    parser.set_defaults(run=_train)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    compare = commands.add_parser("compare", parents=[debug_option()], help="print the scores of runs side by side")
    compare.add_argument("runs", nargs="*", metavar="RUN", help="run ids (default: the newest run of each kind of model)")
    compare.set_defaults(run=_compare)
    parser.add_argument("--config", type=Path, metavar="FILE", help="configs/baseline.yaml, configs/transformer.yaml or your own")
    parser.add_argument("--test", type=Path, metavar="FILE", help="score on this file only (JSONL rows with 'text' and 'labels') instead of cross-validating")
    keys = parser.add_argument_group("keys of the configuration", "each beats the file's value; documents are separated by commas")
    for name in all_fields():
        keys.add_argument(f"--{name.replace('_', '-')}", dest=f"key_{name}", metavar="VALUE")
    return parser


def _train(arguments: argparse.Namespace) -> None:
    if arguments.config is None:
        raise UsageError("--config is missing: name configs/baseline.yaml, configs/transformer.yaml or your own")
    overrides = {name: value for name in all_fields() if (value := getattr(arguments, f"key_{name}")) is not None}
    if not arguments.config.is_file():
        raise UsageError(f"{arguments.config}: no such configuration; try configs/baseline.yaml")
    if arguments.test and not arguments.test.is_file():
        raise UsageError(f"{arguments.test}: no such test file")
    config = load_config(arguments.config, overrides)
    from training.experiment import run_experiment  # keeps --help fast

    result = run_experiment(config, arguments.test)
    where = f"on {arguments.test}" if arguments.test else "cross-validated"
    print(f"{config.data.model}, {where}\n\n{result.table}\n")
    print(f"run {result.run_id}, model {result.model_uri}", file=sys.stderr)


def _compare(arguments: argparse.Namespace) -> None:
    from models.store import connect  # keeps --help fast
    from training.report import comparison_table
    from training.tracking import find_runs

    print(comparison_table(find_runs(connect(), arguments.runs)))
