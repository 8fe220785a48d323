"""The options with which commands read files."""

from __future__ import annotations

import argparse
import codecs

from .sources import ReadingOptions

PATHS_HELP = (
    "articles (.txt, .md, .html, .docx, .odt, .pdf, .epub, .eml), folders of them, files of rows (.csv, .tsv, .xlsx, .json, .jsonl, .parquet), "
    "feeds, .zip, .gz; - is standard input"
)
"""What the files are that every command reads."""


def encoding_name(text: str) -> str:
    """The type of the option ``--encoding``."""
    try:
        codecs.lookup(text)
        "".encode(text)  # some codecs are no encodings of text
    except (LookupError, TypeError):
        raise argparse.ArgumentTypeError(f"unknown encoding {text!r}; examples: utf-8, utf-16, latin-1, cp1252, shift_jis, big5") from None
    return text


def reading_options() -> argparse.ArgumentParser:
    """Make the parent parser that gives a command the options for reading files."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("reading files")
    group.add_argument("--recursive", action="store_true", help="read the sub-folders of folders, too")
    group.add_argument("--encoding", type=encoding_name, metavar="NAME", help="encoding of text files that are not UTF-8 (default: found out, and printed)")
    group.add_argument("--text-column", metavar="NAME", help="column or field that holds the text (default: text, or the only column of long texts)")
    return parent


def options_of(arguments: argparse.Namespace) -> ReadingOptions:
    """Take the options of ``reading_options`` from a command's arguments."""
    return ReadingOptions(arguments.recursive, arguments.encoding, arguments.text_column)
