"""The kinds of file that newsmark reads. A new kind is one module and one record in ``KINDS``."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from ..errors import NewsmarkError
from ..folders import install_command
from .messages import note
from .sources import Entry, ReadingOptions, Source


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        endings: of the names of such files.
        reader: what reads them: module and function.
        articles: whether each file is one article; else it holds several articles, or rows.
        requires: module that reading them needs, and the package that it is in; None for none beyond what newsmark itself needs.
        zipped: whether such a file is a ZIP archive inside.
    """

    endings: tuple[str, ...]
    reader: str
    articles: bool = True
    requires: tuple[str, str] | None = None
    zipped: bool = False


KINDS = (
    Kind((".txt", ".text", ".md", ".markdown"), "text.read_text_file"),
    Kind((".html", ".htm", ".xhtml"), "html.read_html_file", requires=("trafilatura", "trafilatura")),
    Kind((".docx",), "word.read_docx_file", requires=("docx", "python-docx"), zipped=True),
    Kind((".odt",), "word.read_odt_file", requires=("lxml", "lxml"), zipped=True),
    Kind((".pdf",), "pdf.read_pdf_file", requires=("pypdf", "pypdf")),
    Kind((".eml",), "mail.read_mail_file", requires=("lxml", "lxml")),
    Kind((".epub",), "books.read_epub_file", requires=("lxml", "lxml"), zipped=True, articles=False),
    Kind((".rss", ".atom", ".xml"), "feeds.read_feed_file", requires=("feedparser", "feedparser"), articles=False),
    Kind((".csv", ".tsv"), "tables.read_csv_file", articles=False),
    Kind((".xlsx",), "tables.read_xlsx_file", articles=False, requires=("openpyxl", "openpyxl"), zipped=True),
    Kind((".json",), "json_rows.read_json_file", articles=False),
    Kind((".jsonl", ".ndjson"), "json_rows.read_jsonl_file", articles=False),
    Kind((".parquet",), "parquet.read_parquet_file", articles=False, requires=("pyarrow", "pyarrow")),
    Kind((".arrow",), "arrow.read_arrow_file", articles=False, requires=("pyarrow", "pyarrow")),
    Kind((".warc",), "warc.read_warc_file", articles=False, requires=("warcio", "warcio")),
)
_BY_ENDING = {ending: kind for kind in KINDS for ending in kind.endings}
ARCHIVES = (".zip", ".gz")

_LARGEST_UNZIPPED = 1_000_000_000
_BEGINNINGS = {b"%PDF-": ".pdf", b"PAR1": ".parquet", b"WARC/": ".warc", b"\x1f\x8b": ".gz"}
_PARTS = {"word/document.xml": ".docx", "xl/workbook.xml": ".xlsx", "META-INF/container.xml": ".epub", "content.xml": ".odt"}


def kind_of(ending: str) -> Kind | None:
    """The kind of the files whose names end so; None where it is not known."""
    return _BY_ENDING.get(ending)


def known_endings() -> str:
    """All endings, for messages."""
    return ", ".join([*_BY_ENDING, *ARCHIVES])


def ending_of_content(head: bytes, raw: Callable[[], bytes]) -> str | None:
    """What a file is by its first bytes, where these leave no doubt; None for text.

    Args:
        head: its first bytes.
        raw: reads all of it, to look into a ZIP archive.
    """
    if found := next((ending for begin, ending in _BEGINNINGS.items() if head.startswith(begin)), None):
        return found
    if head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(raw())) as archive:
                return next((ending for name, ending in _PARTS.items() if name in archive.namelist()), ".zip")
        except zipfile.BadZipFile:
            return ".zip"
    return None


def ending_of_text(head: bytes) -> str:
    """What a text without a file's name is, by its first bytes."""
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    if begin.startswith((b"<!doctype html", b"<html", b"<!-- saved from")):
        return ".html"
    if begin.startswith((b"<?xml", b"<rss", b"<feed")):
        return ".xml"
    if begin.startswith(b"{"):
        return ".jsonl"
    return ".json" if begin.startswith(b"[") and begin[1:].lstrip(b" \t\r\n").startswith(b"{") else ".txt"


def read_source(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read a file by its kind.

    Raises:
        NewsmarkError: it is damaged, a library is missing, or its content can't be used.
    """
    kind = kind_of(source.ending)
    if kind is None:
        raise NewsmarkError(f"{source.name}: this kind of file is not known; known are {known_endings()}")
    if kind.requires and importlib.util.find_spec(kind.requires[0]) is None:
        raise NewsmarkError(f"{source.name}: reading {source.ending} files needs {kind.requires[1]}; {install_command('files')}")
    module, function = kind.reader.split(".")
    try:
        if kind.zipped:
            _check_zip(source)
        entries: Iterator[Entry] = getattr(import_module(f".{module}", __package__), function)(source, options)
        first = next(entries, None)
        if first is None:
            note(f"{source.name}: no row of it was read")
            return
        yield first
        yield from entries
    except (NewsmarkError, ModuleNotFoundError):
        raise
    except Exception as error:  # whatever a library raises for damaged files
        said = (str(error).splitlines() or [""])[0]
        raise NewsmarkError(f"{source.name}: damaged, or no {source.ending} file ({said or type(error).__name__}); repair it or leave it out") from error


def _check_zip(source: Source) -> None:
    """Refuse what would unpack to more than memory holds."""
    with zipfile.ZipFile(io.BytesIO(source.read())) as archive:
        if (size := sum(member.file_size for member in archive.infolist())) > _LARGEST_UNZIPPED:
            raise NewsmarkError(f"{source.name}: unpacks to {size / 1e9:.1f} GB, which no such file needs; it is damaged, or made to do harm")
