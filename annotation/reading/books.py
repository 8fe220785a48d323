"""E-books (.epub): each chapter is an article."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from ..errors import NewsmarkError
from .html import read_page
from .sources import Entry, ReadingOptions, Source

_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_PACKAGE = "{http://www.idpf.org/2007/opf}"
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"


def read_epub_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read the chapters of a book in reading order, each as a page; those without text are passed over.

    Raises:
        NewsmarkError: none of them has a text, or one is damaged or in an encoding that can't be found out.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    with zipfile.ZipFile(io.BytesIO(source.read())) as packed:
        container = etree.fromstring(packed.read("META-INF/container.xml"), parser)
        path = container.find(f".//{_CONTAINER}rootfile").get("full-path")
        package = etree.fromstring(packed.read(path), parser)
        files = {item.get("id"): item.get("href") for item in package.iter(f"{_PACKAGE}item")}
        tags = (("source", "title"), ("author", "creator"), ("date", "date"))
        said = {name: package.findtext(f".//{_DUBLIN}{tag}") for name, tag in tags}
        count = 0
        for chapter in package.iter(f"{_PACKAGE}itemref"):
            member = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(files[chapter.get("idref")])))
            text = read_page(packed.read(member), f"{source.name}/{member}", replace(options, furniture=False)).text
            if text:
                count += 1
                row = {"text": text, "name": f"{source.short}, chapter {count}"} | {name: value for name, value in said.items() if value}
                yield Entry(f"{source.name}/{member}", row)
    if not count:
        raise NewsmarkError(f"{source.name}: no chapter of this book holds a text")
