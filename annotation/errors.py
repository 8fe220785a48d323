"""The one exception that users see, and how a command line turns it into one line."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import sys
from collections.abc import Callable, Iterable


class NewsmarkError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do."""


class UsageError(NewsmarkError):
    """The command, an option or a configuration key is wrong (exit code 2)."""


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is not known and which one was probably meant.

    Returns:
        A phrase such as ``unknown label 'quot'; did you mean 'quote'?``.
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return f"unknown {what} {name!r}; {hint}"


def debug_option() -> argparse.ArgumentParser:
    """Make the parent parser that gives every command ``--debug``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error")
    return parent


def run_command(prog: str, debug: bool, run: Callable[[], None]) -> int:
    """Run a command and turn what goes wrong into one line on stderr and an exit code.

    Args:
        prog: name of the command, for the line.
        debug: let exceptions through, for their traceback.
        run: does the work.

    Returns:
        0 for success, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale says: the texts are in every language
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
        print(f"{prog}: error: {_one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _one_line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; in newsmark's folder run: pip install -c constraints.txt '.[annotate,train,transformer,serve]'"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return " ".join(str(error).split())
