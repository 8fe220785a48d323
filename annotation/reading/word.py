"""Documents of word processors: .docx and .odt. Each paragraph, heading, item of a list and row of a table is a line."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from ..errors import NewsmarkError
from .lines import CELL, join_lines
from .sources import Entry, ReadingOptions, Source, article, day_of

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DELETED = ("del", "moveFrom")
_FRAMES = ("ins", "moveTo", "sdt", "smartTag", "customXml", "fldSimple", "dir", "bdo")
"""Elements around text that are no text of their own."""
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_SPACE = {f"{_TEXT}s": " ", f"{_TEXT}tab": " ", f"{_TEXT}line-break": "\n"}
_UNSEEN = {f"{_TEXT}tracked-changes", f"{_OFFICE}annotation"}


def read_docx_file(source: Source, _: ReadingOptions) -> Iterator[Entry]:
    """Read the body of a Word document with its changes as if they were accepted, without headers, footers and comments."""
    import docx

    document = docx.Document(io.BytesIO(source.read()))
    _accept_changes(document.element.body)
    said = document.core_properties
    author = "" if said.author == "python-docx" else said.author
    text = join_lines(_blocks(document))
    yield article(source, _seen(text, source), {"title": said.title, "author": author, "date": day_of(lambda: said.created)})


def _accept_changes(body: Any) -> None:
    """Leave what was deleted, and put what was inserted, or is in a content control or a field, where its frame was."""
    for frame in list(body.iter(*(f"{_WORD}{name}" for name in (*_DELETED, *_FRAMES)))):
        content = frame.find(f"{_WORD}sdtContent") if frame.tag == f"{_WORD}sdt" else frame
        empty = content is None or frame.tag in {f"{_WORD}{name}" for name in _DELETED} or frame.find(f"{_WORD}sdtPr/{_WORD}showingPlcHdr") is not None
        for child in [] if empty else list(content):
            frame.addprevious(child)
        frame.getparent().remove(frame)


def _blocks(container: Any) -> Iterator[str]:
    from docx.table import Table

    for block in container.iter_inner_content():
        if not isinstance(block, Table):
            yield from block.text.split("\n")
            continue
        for row in block.rows:
            cells = list(dict.fromkeys(row.cells))  # a merged cell stands there once for each that it was
            parts = [list(_blocks(cell)) for cell in cells]
            if all(len(part) <= 1 for part in parts):
                yield CELL.join(" ".join(part) for part in parts)
            else:  # the table lays out a page
                for part in parts:
                    yield from part


def read_odt_file(source: Source, _: ReadingOptions) -> Iterator[Entry]:
    """Read the body of an OpenDocument text, without comments and deleted passages."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    with zipfile.ZipFile(io.BytesIO(source.read())) as packed:
        body = etree.fromstring(packed.read("content.xml"), parser).find(f".//{_OFFICE}text")
        meta = etree.fromstring(packed.read("meta.xml"), parser) if "meta.xml" in packed.namelist() else None
    said = {} if meta is None else {name: meta.findtext(f".//{_DUBLIN}{tag}") for name, tag in (("title", "title"), ("author", "creator"), ("date", "date"))}
    yield article(source, _seen("" if body is None else join_lines(_paragraphs(body)), source), said)


def _paragraphs(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag in _UNSEEN:
            continue
        if child.tag in {f"{_TEXT}p", f"{_TEXT}h"}:
            yield from "".join(_pieces(child)).split("\n")
        elif child.tag == f"{_TABLE}table-row":
            yield CELL.join(" ".join(_paragraphs(cell)) for cell in child)
        else:
            yield from _paragraphs(child)


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag in _SPACE:
            yield _SPACE[child.tag]
        elif child.tag == f"{_TEXT}note":
            pass
        elif child.tag not in _UNSEEN:
            yield from _pieces(child)
        yield child.tail or ""


def _seen(text: str, source: Source) -> str:
    if not text:
        raise NewsmarkError(f"{source.name}: there is no text in this document; remove it or give it one")
    return text
