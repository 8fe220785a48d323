"""Write the help pages of all commands, as their parsers print them: ``python tests/help_pages.py`` (``make commands``)."""

import argparse
import os
import sys
from pathlib import Path

import newsmark.annotation.cli
import newsmark.models.cli
import newsmark.training.cli

PROJECT = Path(__file__).resolve().parent.parent
FOLDERS = {"annotate": "annotation", "predict": "models", "train": "training"}
_WIDTH = 120


def parsers_of(parser, name):
    """A parser and all those of its sub-commands, by the command's name."""
    found = {name: parser}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                found |= parsers_of(inner, f"{name} {word}")
    return found


def all_parsers():
    """The parser of every command, by the command's name."""
    found = {}
    for name, module in (("annotate", newsmark.annotation.cli), ("train", newsmark.training.cli)):
        found |= parsers_of(module._parser(), name)
    return found | newsmark.models.cli.parsers()


def pages():
    """The text of each page, by its path."""
    before, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), str(_WIDTH)
    try:
        found = {}
        for command, folder in FOLDERS.items():
            parts = [f"# The help pages of {command}\n\nWhat `--help` prints; the [manual](README.md) explains it. `make commands` writes this page.\n"]
            parts += [f"## {name}\n\n```text\n{parser.format_help()}```\n" for name, parser in all_parsers().items() if name.split()[0] == command]
            found[PROJECT / folder / "COMMANDS.md"] = "\n".join(parts)
        return found
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(PROJECT), file=sys.stderr)
