"""Web archives (.warc): each page that was answered is an article, with its address and date."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import NewsmarkError
from ..files import MAX_TEXT_BYTES, too_large
from .html import read_page
from .messages import note, some
from .sources import Entry, ReadingOptions, Source

_PAGES = ("text/html", "application/xhtml+xml")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def read_warc_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read the pages of an archive in its order; the date is the page's own, or else the day when it was fetched.

    Other records, error pages, pages without visible text and repetitions are passed over, and one line on standard error counts them.

    Raises:
        NewsmarkError: the file is damaged, or holds no page.
    """
    from warcio.archiveiterator import ArchiveIterator

    pages: set[str] = set()
    others: Counter[str] = Counter()
    with source.open() as stream:
        for number, record in enumerate(_whole(ArchiveIterator(stream), source.name), start=1):
            other = _other(record)
            if other is not None:
                others[other] += 1
                continue
            entry = None
            try:
                entry = _page(record, f"{source.name}, record {number}", options)
            except NewsmarkError as error:
                options.refuse(error)
            if entry is None or entry.row["text"] in pages:
                others["page without visible text" if entry is None else "page that was there before"] += 1
                continue
            pages.add(entry.row["text"])
            yield entry
        stream.read(1)  # raises where compressed data end too early, which the library takes for the end
    passed = some([f"{count} × {what}" for what, count in others.most_common()])
    if not pages:
        raise NewsmarkError(f"{source.name}: no HTML page in this web archive{f' ({passed})' if passed else ''}; is it damaged, or no .warc file?")
    if others:
        note(f"{source.name}: read {len(pages)} page{'s' * (len(pages) > 1)}, passed over {others.total()} other records: {passed}")


def _whole(records: Iterable[Any], name: str) -> Iterator[Any]:
    """The records, each with all its bytes: the library takes a file that is cut short for one that ends there."""
    for number, record in enumerate(records, start=1):
        content = record.raw_stream.read(MAX_TEXT_BYTES + 1)
        while record.raw_stream.read(1 << 20):
            pass  # more than a page may have
        if record.raw_stream.limit:
            raise NewsmarkError(f"{name}, record {number}: damaged: {record.raw_stream.limit} bytes are missing; repair the file, or leave it out")
        record.raw_stream = io.BytesIO(content)
        yield record


def _other(record: Any) -> str | None:
    """What a record is that holds no page; None for a page."""
    from warcio.bufferedreaders import BufferedReader

    if record.rec_type != "response" or record.http_headers is None:
        return str(record.rec_type)
    status = record.http_headers.get_statuscode()
    if not str(status).startswith("2"):
        return f"answer {status}"
    kind = (record.http_headers.get_header("Content-Type") or "").partition(";")[0].strip().lower()
    packed = (record.http_headers.get_header("Content-Encoding") or "identity").strip().lower()
    if kind in _PAGES and packed not in {"identity", *BufferedReader.get_supported_decompressors()}:
        return f"page packed as {packed}{', which needs the package brotli' * (packed == 'br')}"
    return None if kind in _PAGES else kind or "answer without a type"


def _page(record: Any, where: str, options: ReadingOptions) -> Entry | None:
    raw = record.content_stream().read(MAX_TEXT_BYTES + 1)
    if len(raw) > MAX_TEXT_BYTES:
        raise NewsmarkError(too_large(where, len(raw)))
    declared = _CHARSET.search(record.http_headers.get_header("Content-Type") or "")
    text, said, furniture = read_page(raw, where, options, declared[1] if declared else None)
    if not text:
        return None
    address = record.rec_headers.get_header("WARC-Target-URI")
    said |= {"url": address or said["url"], "date": said["date"] or record.rec_headers.get_header("WARC-Date")}
    return Entry(where, {"text": text, "name": address or where} | {name: value for name, value in said.items() if value}, furniture=furniture)
