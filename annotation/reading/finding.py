"""From the paths that a command is given to the files that are read: folders, archives, standard input."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from ..errors import NewsmarkError, UsageError, printable
from .arrow import data_set_files
from .kinds import ARCHIVES, ending_of_content, ending_of_text, kind_of, known_endings, read_source
from .messages import note, some
from .sources import DEFAULTS, Entry, ReadingOptions, Source

STDIN = Path("-")
"""Stands for standard input among the paths."""

_HEAD = 1024
_ABOUT = re.compile(r"(?:readme|license|licence|changelog|contributing)(?:\.\w+)?", re.IGNORECASE)
"""Files about a folder, which are none of its articles."""
_BESIDE = re.compile(rf"{_ABOUT.pattern}|annotations\.jsonl", re.IGNORECASE)
"""Files that belong beside articles, and that nobody misses among them."""


def read_entries(paths: Iterable[Path], options: ReadingOptions = DEFAULTS) -> Iterator[Entry]:
    """Read all articles and rows of files, folders and archives.

    Raises:
        UsageError: one of the paths does not exist.
        NewsmarkError: a file can't be used, or a folder holds no articles.
    """
    for source in find_sources(paths, options):
        yield from read_source(source, options)


def find_sources(paths: Iterable[Path], options: ReadingOptions = DEFAULTS) -> Iterator[Source]:
    """Find the files to read; the path "-" is standard input.

    An archive stays open until its last file was asked for: read each file before the next one.

    A folder gives its files of one article each, by name. Hidden files, sub-folders (without ``recursive``), files of rows and what is not known are passed
    over, and one line on standard error counts and names them, but for ``annotations.jsonl``, files such as ``README.md``, and sub-folders without
    articles. A folder that is a Hugging Face data set gives its files of rows. An archive gives all that is known in it.

    Raises:
        UsageError: one of the paths does not exist.
        NewsmarkError: the kind of a named file is not known, or a folder or an archive holds nothing to read.
    """
    paths = list(paths)
    _check_exist(path for path in paths if path != STDIN)
    for given in paths:
        if given == STDIN:
            yield from _stdin()
            continue
        for path in find_files([given], options):
            try:
                yield from _opened(_source(path))
            except NewsmarkError as error:
                options.refuse(error)


def find_files(paths: Iterable[Path], options: ReadingOptions = DEFAULTS) -> Iterator[Path]:
    """Replace each folder by its files of one article each, or by those of the data set that it is; archives are not opened (see ``find_sources``)."""
    paths = list(paths)
    _check_exist(paths)
    for path in paths:
        yield from (data_set_files(path) or _in_folder(path, options)) if path.is_dir() else [path]


def _check_exist(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")


def _stdin() -> Iterator[Source]:
    """Standard input, whose kind its first bytes say; rows of JSON are read as they arrive."""
    stream = cast("io.BufferedReader", sys.stdin.buffer)
    head = stream.peek(_HEAD)
    name = "standard input"
    ending = ".txt"
    if not (head and ending_of_content(head, lambda: b"")):
        ending = ending_of_text(head)
        if ending == ".jsonl":
            yield Source(name, name, ending, lambda: stream)
            return
    raw = stream.read()
    yield from _opened(Source(name, name, ending, lambda: io.BytesIO(raw)))


def _source(path: Path) -> Source:
    name, short, ending = printable(str(path)), printable(path.name), path.suffix.lower()
    if path.is_file():
        return Source(name, short, ending, lambda: path.open("rb"), path)
    raw = path.read_bytes()  # a pipe gives what it holds only once
    return Source(name, short, ending, lambda: io.BytesIO(raw))


def _opened(source: Source) -> Iterator[Source]:
    """The source itself, or what is inside where it is packed; its content decides where that leaves no doubt."""
    head = _head(source)
    kind = kind_of(source.ending)
    packed = source.ending == ".zip" or (kind is not None and kind.zipped)
    found = source.ending if packed and head.startswith(b"PK") else ending_of_content(head, source.read)
    if found is None and not source.ending:
        found = ending_of_text(head)
    ending = found or source.ending
    if ending == ".gz":
        inner = PurePosixPath(source.short.removesuffix(".gz"))
        yield from _opened(Source(source.name, inner.name, inner.suffix.lower(), lambda: cast("BinaryIO", gzip.GzipFile(fileobj=source.open()))))
    elif ending == ".zip":
        yield from _in_archive(source)
    elif kind_of(ending) is None:
        raise NewsmarkError(f"{source.name}: this kind of file is not known; known are {known_endings()}")
    else:
        yield source if ending == source.ending else replace(source, ending=ending)


def _head(source: Source) -> bytes:
    try:
        with source.open() as stream:
            return stream.read(_HEAD)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:  # RuntimeError: it has a password
        if isinstance(error, OSError) and error.filename:  # the file itself can't be opened
            raise
        raise NewsmarkError(f"{source.name}: can't be unpacked ({error}); repair it or leave it out") from None


def _in_folder(folder: Path, options: ReadingOptions) -> list[Path]:
    found, others = _look(folder, options.recursive, "", frozenset({folder.resolve()}))
    if not found:
        there = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
        what = f" (there are: {some(there)})" if there else ""
        raise NewsmarkError(f"{folder}: no files with an article each in this folder{what}; name files of rows and archives themselves")
    if others:
        note(f"{folder}: read {len(found)} file{'s' * (len(found) > 1)}, passed over {len(others)} other entries: {some(others)}")
    return found


def _look(folder: Path, recursive: bool, prefix: str, around: frozenset[Path]) -> tuple[list[Path], list[str]]:
    """The files of a folder that hold an article each, and the names of all other entries that somebody may miss.

    A link to one of the folders around it is passed over: what it holds is read already.
    """
    found: list[Path] = []
    others: list[str] = []
    entries = sorted(folder.iterdir())
    pages = [entry.stem for entry in entries if entry.suffix.lower() in {".html", ".htm"}]
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir():
            own = entry.resolve()
            of_page = any(entry.name.startswith((f"{page}_", f"{page}-", f"{page}.")) for page in pages)  # what a browser stores beside a page
            if own in around:
                others.append(f"{name}/")
            elif recursive and not of_page and not entry.name.startswith("."):
                more, more_others = _look(entry, recursive, f"{name}/", around | {own})
                found, others = found + more, others + more_others
            elif of_page or any(_holds_article(one.name) for one in entry.rglob("*")):
                others.append(f"{name}/")
        elif _holds_article(entry.name) and entry.is_file():
            found.append(entry)
        elif not _BESIDE.fullmatch(entry.name):
            others.append(name)
    return found, others


def _holds_article(name: str) -> bool:
    path = PurePosixPath(name.lower().removesuffix(".gz"))
    kind = kind_of(path.suffix)
    return kind is not None and kind.articles and not name.startswith(".") and not _ABOUT.fullmatch(name)


def _in_archive(source: Source) -> Iterator[Source]:
    try:
        archive = zipfile.ZipFile(source.path or io.BytesIO(source.read()))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise NewsmarkError(f"{source.name}: damaged, or no .zip file ({error}); repair it or leave it out") from None
    with archive:
        count, others = 0, []
        for member in archive.infolist():
            path = PurePosixPath(printable(member.filename))
            ending = path.suffix.lower()
            hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts) or bool(_ABOUT.fullmatch(path.name))
            inner = PurePosixPath(path.name.removesuffix(".gz")).suffix.lower()
            if member.is_dir():
                continue
            if hidden or (kind_of(inner) is None and ending not in ARCHIVES):
                others.append(str(path))
                continue
            count += 1
            yield from _opened(Source(f"{source.name}/{path}", path.name, ending, _opener(archive, member)))
    if not count:
        what = f" (there are: {some(others)})" if others else ""
        raise NewsmarkError(f"{source.name}: nothing in this archive can be read{what}; known are {known_endings()}")
    if others:
        note(f"{source.name}: read {count} file{'s' * (count > 1)}, passed over {len(others)} other entries: {some(others)}")


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: cast("BinaryIO", archive.open(member))
