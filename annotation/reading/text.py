"""Plain text, and Markdown as it is written."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import NewsmarkError
from ..files import MAX_TEXT_BYTES, too_large
from .encodings import decode_text
from .sources import Entry, ReadingOptions, Source, article


def read_text_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read one article, exactly as it is written."""
    yield article(source, decode_text(read_article_bytes(source), source.name, options.encoding))


def read_article_bytes(source: Source) -> bytes:
    """Read a file that holds the text of one article.

    Raises:
        NewsmarkError: it is larger than an article may be.
    """
    if source.path and (size := source.path.stat().st_size) > MAX_TEXT_BYTES:
        raise NewsmarkError(too_large(source.name, size))
    with source.open() as stream:
        return stream.read(MAX_TEXT_BYTES + 1)
