"""The options with which commands read files."""

from __future__ import annotations

import argparse

from ..desk import current_desk
from .sources import ENCODINGS, ReadingOptions, is_encoding

PATHS_HELP = (
    "articles (.txt, .md, .html, .docx, .odt, .pdf, .epub, .eml), folders of them, files of rows (.csv, .tsv, .xlsx, .json, .jsonl, .parquet), "
    "feeds, .zip, .gz; - is standard input"
)
"""What the files are that every command reads."""


def encoding_name(text: str) -> str:
    """The type of the option ``--encoding``."""
    if not is_encoding(text):
        raise argparse.ArgumentTypeError(f"unknown encoding {text!r}; examples: {ENCODINGS}")
    return text


def reading_options() -> argparse.ArgumentParser:
    """Make the parent parser that gives a command the options for reading files; their defaults are the project file's."""
    own = current_desk().reading
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("reading files")
    group.add_argument("--recursive", action=argparse.BooleanOptionalAction, default=own.recursive, help="read the sub-folders of folders, too")
    otherwise = own.encoding or "found out, and printed"
    group.add_argument(
        "--encoding", type=encoding_name, default=own.encoding, metavar="NAME", help=f"encoding of text files that are not UTF-8 (default: {otherwise})"
    )
    otherwise = (own.text_column or "text, or the only column of long texts").replace("%", "%%")
    group.add_argument("--text-column", default=own.text_column, metavar="NAME", help=f"column or field that holds the text (default: {otherwise})")
    return parent


def options_of(arguments: argparse.Namespace) -> ReadingOptions:
    """Take the options of ``reading_options`` from a command's arguments."""
    return ReadingOptions(arguments.recursive, arguments.encoding, arguments.text_column)
