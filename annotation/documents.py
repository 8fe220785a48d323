"""Documents: the exact text of an article and what follows from it."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .characters import is_blank
from .errors import NewsmarkError
from .files import MAX_TEXT_BYTES, string_of, text_of, too_large
from .language_codes import read_language
from .reading.finding import read_entries
from .reading.sources import DEFAULTS, METADATA, Entry, ReadingOptions

_SOURCE_WORDS = "source|sources|källa|quelle|fuente|fonte|bron|kilde|lähde|źródło|zdroj|nguồn|sumber|kaynak|источник|джерело|المصدر|出典|来源|출처"
_SOURCE_LINE = re.compile(rf"^[^\S\n]*(?:{_SOURCE_WORDS})[^\S\n]*[:：][^\S\n]*(https?://\S+)[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
_LANGUAGE_SAMPLE = 1000
_OF_PASSAGES = ("labels", "document", "page", "start", "before", "after")
_OF_ARTICLES = ("name", "title", "url", "source", "date")


@dataclass(frozen=True)
class Document:
    """An article, whole.

    Attributes:
        text: the exact text as it was read; never normalised, so offsets (Unicode code points) stay valid.
        name: file name, or the row's name, for people; always printable.
        language: ISO 639-1 code, or one of three letters where the language has none; given or identified from the text.
        metadata: what the article says about itself, as far as it does: title, URL, author, date, source.
        furniture: of a page (HTML), for each line of the text: the logarithmic odds that it is furniture, as far as tags, links and an extractor
            say; empty for other documents, and where this was not asked for (``ReadingOptions``).
    """

    text: str
    name: str
    language: str
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    furniture: tuple[float, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the text's UTF-8 bytes, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def source_url(self) -> str | None:
        """The URL on the last line that says "Source: …" (in one of several languages), if there is one."""
        found = _SOURCE_LINE.findall(self.text)
        return found[-1] if found else None

    def furniture_at(self, offsets: Iterable[int]) -> list[float | None]:
        """What ``furniture`` says of the lines that some offsets are in; None where nothing is known."""
        return [self.furniture[bisect_right(self._line_starts, offset) - 1] if self.furniture else None for offset in offsets]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    @property
    def group(self) -> str:
        """What must stay on one side of a split: the source URL, which translations share, else the article's own URL, else the id."""
        return self.source_url or self.metadata.get("url") or self.id


def identify_language(text: str) -> str:
    """Identify the language from 1,000 characters in the middle, where a page is least likely to hold menus.

    Returns:
        ISO 639-1 code. Source: py3langid (naive Bayes over byte n-grams, 97 languages).
    """
    from .languages import load_identifier  # loads a model; only needed where no language is given

    start = max((len(text) - _LANGUAGE_SAMPLE) // 2, 0)
    return str(load_identifier().classify(text[start : start + _LANGUAGE_SAMPLE])[0])


def make_document(text: str, name: str, language: str | None = None, metadata: Mapping[str, str] | None = None) -> Document:
    """Make a document, identifying its language where none is given, or what is given is no language (see ``read_language``).

    Raises:
        NewsmarkError: the text is empty.
    """
    if is_blank(text):
        raise NewsmarkError(f"{name}: the file is empty; remove it or give it a text")
    return Document(text, name, read_language(language) or identify_language(text), metadata or {})


def row_is_passage(row: Mapping[str, Any]) -> bool | None:
    """Whether a row of data is a passage or a whole article: one rule for every command.

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


def read_documents(paths: Iterable[Path], options: ReadingOptions = DEFAULTS) -> Iterator[Document]:
    """Read articles from files of all known kinds (see ``reading/kinds.py``), folders of them, and archives.

    A row of a file of rows needs ``text`` and may have ``name``, ``lang`` and what ``METADATA`` lists.

    Args:
        paths: files and folders.
        options: how they are read.

    Raises:
        NewsmarkError: a path or its content is not usable, a row is a passage and no article, or two documents have one text.
    """
    seen: dict[str, str] = {}
    for entry in read_entries(paths, options):
        if not entry.short and row_is_passage(entry.row):
            said = next(key for key in _OF_PASSAGES if entry.row.get(key) is not None)
            raise NewsmarkError(f"{entry.where}: this row is a passage (it has {said!r}), and an article is needed; give whole articles, one per row")
        document = document_of(entry)
        if document.id in seen:
            raise NewsmarkError(f"{entry.where}: the same text as {seen[document.id]}; remove one of the two")
        seen[document.id] = entry.where
        yield document


def document_of(entry: Entry, with_path: bool = False) -> Document:
    """Make the document of an entry that is an article.

    Args:
        entry: of a file.
        with_path: a file's article is called by the whole name that the file was given by, else by the file's own name.

    Raises:
        NewsmarkError: its text is missing, blank, or larger than an article may be.
    """
    where, row = entry.where, entry.row
    text = row["text"] if entry.short else text_of(row, where)
    if len(text) > MAX_TEXT_BYTES:
        raise NewsmarkError(too_large(where, len(text)))
    name = row.get("name")
    own = str(name) if isinstance(name, str | int | float) and str(name) else ""
    said = {key: str(row[key]) for key in METADATA if isinstance(row.get(key), str | int | float) and row[key] != ""}
    document = make_document(text, own or (not with_path and entry.short) or where, string_of(row, "lang", where), said)
    return replace(document, furniture=entry.furniture) if entry.furniture else document
