"""Documents: the exact text of an article and what follows from it."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from .characters import is_blank
from .errors import NewsmarkError, UsageError, printable
from .files import read_jsonl, read_text, string_of, text_of

_SOURCE_WORDS = "source|sources|källa|quelle|fuente|fonte|bron|kilde|lähde|źródło|zdroj|nguồn|sumber|kaynak|источник|джерело|المصدر|出典|来源|출처"
_SOURCE_LINE = re.compile(rf"^[^\S\n]*(?:{_SOURCE_WORDS})[^\S\n]*[:：][^\S\n]*(https?://\S+)[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
_LANGUAGE_SAMPLE = 1000
_NAMED = 10
_OF_PASSAGES = ("labels", "document", "page", "start", "before", "after")
_OF_ARTICLES = ("name", "title", "url", "source", "date")
_READERS: dict[str, Callable[[Path], str]] = {".txt": read_text}
"""The formats of files that hold one article: the end of their names, and what reads their text. A folder gives the files of these formats."""


@dataclass(frozen=True)
class Document:
    """An article, whole.

    Attributes:
        text: the exact text as it was read; never normalised, so offsets (Unicode code points) stay valid.
        name: file name, or the row's name, for people; always printable.
        language: ISO 639-1 code, given or identified from the text.
    """

    text: str
    name: str
    language: str

    @cached_property
    def id(self) -> str:
        """SHA-256 of the text's UTF-8 bytes, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def source_url(self) -> str | None:
        """The URL on the last line that says "Source: …" (in one of several languages), if there is one."""
        found = _SOURCE_LINE.findall(self.text)
        return found[-1] if found else None

    @property
    def group(self) -> str:
        """What must stay on one side of a split: the source URL, which translations share, or else the id."""
        return self.source_url or self.id


def identify_language(text: str) -> str:
    """Identify the language from 1,000 characters in the middle, where a page is least likely to hold menus.

    Returns:
        ISO 639-1 code. Source: py3langid (naive Bayes over byte n-grams, 97 languages).
    """
    import py3langid  # loads a model; only needed where no language is given

    start = max((len(text) - _LANGUAGE_SAMPLE) // 2, 0)
    return str(py3langid.classify(text[start : start + _LANGUAGE_SAMPLE])[0])


def make_document(text: str, name: str, language: str | None = None) -> Document:
    """Make a document, identifying its language where none is given.

    Raises:
        NewsmarkError: the text is empty.
    """
    if is_blank(text):
        raise NewsmarkError(f"{name}: the file is empty; remove it or give it a text")
    return Document(text, name, language or identify_language(text))


def row_is_passage(row: Mapping[str, Any]) -> bool | None:
    """Whether a row of data (JSONL, Parquet) is a passage or a whole article: one rule for every command.

    A row with ``labels``, ``document``, ``page``, ``start``, ``before`` or ``after`` is a passage; else one with ``name``,
    ``title``, ``url``, ``source`` or ``date``, or with a line break in its text, is an article. A field that is null is as good as absent.

    Returns:
        True for a passage, False for an article, None where the row says neither: the command then takes its text as it is.
    """
    if any(row.get(key) is not None for key in _OF_PASSAGES):
        return True
    if any(row.get(key) is not None for key in _OF_ARTICLES) or "\n" in str(row.get("text")).strip():
        return False
    return None


def read_documents(paths: Iterable[Path]) -> Iterator[Document]:
    """Read articles from ``.txt`` files, folders of them, and JSONL files with one article per row.

    A folder gives its ``.txt`` files by name. A JSONL row needs ``text`` and may have ``name`` and ``lang``.

    Raises:
        NewsmarkError: a path or its content is not usable, a row is a passage and no article, or two documents have one text.
    """
    seen: dict[str, str] = {}
    for document in _read_each(paths):
        if document.id in seen:
            raise NewsmarkError(f"{document.name}: the same text as {seen[document.id]}; remove one of the two")
        seen[document.id] = document.name
        yield document


def _read_each(paths: Iterable[Path]) -> Iterator[Document]:
    for path in text_files(paths):
        if path.suffix.lower() == ".jsonl":
            for where, row in read_jsonl(path, printable(str(path))):
                if row_is_passage(row):
                    field = next(key for key in _OF_PASSAGES if row.get(key) is not None)
                    raise NewsmarkError(f"{where}: this row is a passage (it has {field!r}), and an article is needed; give whole articles, one per row")
                yield make_document(text_of(row, where), string_of(row, "name", where) or where, string_of(row, "lang", where))
        else:
            yield make_document(read_article(path), printable(path.name))


def read_article(path: Path) -> str:
    """Read a file that holds one article, as the end of its name says; any other file is read as plain text."""
    return _READERS.get(path.suffix.lower(), read_text)(path)


def text_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Replace each folder by its ``.txt`` files (``.TXT``, too), sorted by name.

    Hidden files, sub-folders and all other files of a folder are passed over; one line on standard error counts and names them.

    Raises:
        UsageError: one of the paths does not exist.
        NewsmarkError: a folder without ``.txt`` files.
    """
    paths, kinds = list(paths), " or ".join(_READERS)
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        entries = sorted(path.iterdir())
        files = [entry for entry in entries if entry.suffix.lower() in _READERS and not entry.name.startswith(".") and entry.is_file()]
        read = set(files)
        others = [entry.name + "/" * entry.is_dir() for entry in entries if entry not in read]
        if not files:
            found = f" (there are: {_some(others)})" if others else ""
            raise NewsmarkError(f"{path}: no {kinds} files in this folder{found}; name the files themselves if they are called otherwise")
        if others:
            _note(f"{path}: read {len(files)} {kinds} files, passed over {len(others)} other entries: {_some(others)}")
        yield from files


@cache
def _note(line: str) -> None:
    """Print a line on standard error, once in a process: a folder may be looked at more than once."""
    print(printable(line), file=sys.stderr)


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
