"""Feeds (RSS, Atom, RDF): each entry is an article, its title the first line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from time import strftime
from typing import Any
from xml.sax import SAXException

from ..errors import NewsmarkError
from .html import html_text
from .messages import note
from .sources import Entry, ReadingOptions, Source

_SITEMAP = re.compile(rb"<(?:\w+:)?(?:urlset|sitemapindex)[\s>]")


def read_feed_file(source: Source, _: ReadingOptions) -> Iterator[Entry]:
    """Read the entries of a feed, with what each holds of its article: all of it, or a summary.

    Raises:
        NewsmarkError: the file is no feed, a feed without entries, or a sitemap, which holds no text.
    """
    import feedparser

    raw = source.read()
    if _SITEMAP.search(raw[:10_000]):
        count = raw.count(b"<loc>")
        what = "addresses of other sitemaps" if b"<sitemapindex" in raw[:10_000] else "addresses"
        raise NewsmarkError(f"{source.name}: a sitemap: it holds {count} {what} and no text; save the pages (a browser or wget does), then give their folder")
    feed: Any = feedparser.parse(raw, sanitize_html=False)
    if not feed.entries:
        broken = feed.get("bozo_exception")
        why = f" ({(str(broken).splitlines() or [''])[0]})" if broken else ""
        raise NewsmarkError(f"{source.name}: no feed with entries{why}; of .xml files, newsmark reads feeds (RSS, Atom)")
    if isinstance(broken := feed.get("bozo_exception"), SAXException):
        note(f"{source.name}: a damaged feed ({(str(broken).splitlines() or [''])[0]}): what stands there after the damage may be missing")
    for number, one in enumerate(feed.entries, start=1):
        where = f"{source.name}, entry {number}"
        title = html_text(one.get("title", ""))
        content = max([html_text(part.get("value", "")) for part in one.get("content", [])] + [html_text(one.get("summary", ""))], key=len)
        date = one.get("published_parsed") or one.get("updated_parsed")
        said = {
            "title": " ".join(title.split()),
            "url": one.get("link", ""),
            "author": one.get("author", ""),
            "date": strftime("%Y-%m-%dT%H:%M:%SZ", date) if date and date.tm_year > 0 else "",  # feedparser makes a date of 0000-00-00, too
            "source": feed.feed.get("title", ""),
        }
        text = "\n".join(part for part in (title, content) if part)
        name = " ".join(title.split()) or where
        yield Entry(where, {"text": text, "name": name} | {key: value for key, value in said.items() if value})
