"""What the command lines share: common options, types of values, exit codes, and how an error becomes one line."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .errors import NewsmarkError, PartlyDoneError, UsageError, printable
from .folders import install_command


def common_options() -> argparse.ArgumentParser:
    """Make the parent parser that gives every command ``--debug`` and ``--version``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error")
    parent.add_argument("--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="print newsmark's version and exit")
    return parent


def json_option() -> argparse.ArgumentParser:
    """Make the parent parser that gives a command ``--json``: its answer as one JSON object on standard output, for scripts."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="print the answer as one JSON object, for scripts")
    return parent


class Commands(argparse._SubParsersAction):  # type: ignore[type-arg]  # noqa: SLF001 - it has no public name, and takes no type when it runs
    """The commands of a command: options that stand before the name of one count as if they stood behind it.

    Attributes:
        argv: all arguments; empty where the parser only shows its help.
    """

    argv: Sequence[str] = ()

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None) -> None:
        """Hand the arguments to the named command."""
        name, *behind = values
        before = self.argv[: max(len(self.argv) - len(values), 0)]
        super().__call__(parser, namespace, [name, *before, *behind], option_string)


def print_json(answer: dict[str, Any]) -> None:
    """Print a command's answer as one line of JSON; numbers that are not finite become null."""
    print(json.dumps(_finite(answer), ensure_ascii=False, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def whole_number(what: str, least: int, most: int) -> Callable[[str], int]:
    """Make the type of an option that takes a whole number.

    Args:
        what: what is counted, for the message.
        least: smallest number allowed.
        most: largest number allowed.
    """

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a number of {what} from {least} to {most}, got {text!r}")
        return int(text)

    return parse


def probability(text: str) -> float:
    """Type of an option that takes a number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, got {text!r}")
    return value


def open_closed_streams() -> None:
    """Open the standard streams that were closed (``>&-``, as some schedulers do) on nothing; every ``main`` begins with this.

    Their numbers are taken as well, so that no file that is opened later gets what a library writes to standard output.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def run_command(prog: str, debug: bool, run: Callable[[], None]) -> int:
    """Run a command and turn what goes wrong into one line on stderr and an exit code.

    Args:
        prog: name of the command, for the line.
        debug: let exceptions through, for their traceback.
        run: does the work.

    Returns:
        0 for success, 1 for a failure, 2 for wrong usage, 3 where all was done but for what was reported, 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # whatever the locale says: the texts are in every language
    try:
        run()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has enough: no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
    except (NewsmarkError, OSError, ModuleNotFoundError) as error:
        if debug:
            raise
        print(f"{prog}: error: {one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 3 if isinstance(error, PartlyDoneError) else 1
    return 0


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .. import __version__

        print(f"newsmark {__version__}")
        parser.exit()


def one_line(error: Exception) -> str:
    """Say in one line what an exception says."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; {install_command('annotate,files,train,transformer,serve')}"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return printable(f"{where}{error.strerror}")
    return printable(" ".join(str(error).split()))
