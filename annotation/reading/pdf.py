"""PDF: the text of its pages, with the lines joined that the width of a column broke."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

from ..errors import NewsmarkError
from .lines import join_lines, unwrap
from .sources import Entry, ReadingOptions, Source, article, day_of


def read_pdf_file(source: Source, _: ReadingOptions) -> Iterator[Entry]:
    """Read the text of a PDF.

    Raises:
        NewsmarkError: it has a password, or holds no text, as a scanned page does.
    """
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of what it mends
    reader = pypdf.PdfReader(io.BytesIO(source.read()))
    if reader.is_encrypted and not reader.decrypt(""):
        raise NewsmarkError(f"{source.name}: this PDF needs a password; save a copy without one")
    pages = (join_lines(unwrap(page.extract_text().replace("\0", "").split("\n"))) for page in reader.pages)
    text = "\n".join(page for page in pages if page).encode("utf-8", "replace").decode()
    if not text:
        raise NewsmarkError(f"{source.name}: there is no text in this PDF, perhaps only pictures of it; let a program recognise the text first (OCR)")
    said = reader.metadata
    yield article(source, text, {"title": said.title, "author": said.author, "date": day_of(lambda: said.creation_date)} if said else {})
