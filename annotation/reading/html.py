"""HTML pages, with their furniture: each visible block in reading order is a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import NewsmarkError
from .encodings import decode_text
from .furniture import furniture_odds
from .lines import CELL, show_line
from .sources import Entry, ReadingOptions, Source, article
from .text import read_article_bytes

_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset figcaption figure footer form frame frameset h1 "
        "h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option p pre search section summary table tbody tfoot thead tr ul",
    )
)
_HIDDEN = frozenset(
    re.findall(
        r"\w+",
        "applet audio canvas datalist embed head iframe input link math meta noembed noframes noscript object param progress script select source style svg "
        "template textarea title track video wbr",
    )
)
_CELLS = frozenset(("td", "th"))
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_CHARSET = re.compile(rb"""<(?:meta[^>]*|\?xml[^>]*?(?=encoding))(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_SAVED_FROM = re.compile(r"<!--\s*saved from url=\(\d+\)(\S+)")
_LINK = "\x02"
"""Marks the end of a link; what a page itself holds of such controls is removed."""
_CONTROLS = {ord(one): None for one in (_LINK, CELL, "\ufeff", "\0")}


def read_html_file(source: Source, options: ReadingOptions) -> Iterator[Entry]:
    """Read a page as a browser saves it.

    Its text has a line for each visible block: paragraphs, headings, items of lists and menus, rows of tables (a tab between cells).
    Title, URL, author, date and source are what the page's head says. Where the options ask for it, each line has the odds that it is furniture.

    Raises:
        NewsmarkError: nothing is visible on the page.
    """
    text, said, furniture = read_page(read_article_bytes(source), source.name, options)
    if not text:
        raise NewsmarkError(f"{source.name}: nothing is visible on this page; save it from the browser when it is shown")
    yield article(source, text, said)._replace(furniture=furniture)


class Page(NamedTuple):
    """What a page shows and says.

    Attributes:
        text: its visible lines; empty where nothing is visible.
        said: what its head says about the article.
        furniture: the odds that each line is furniture (see ``Document``), where the options ask for them.
    """

    text: str
    said: dict[str, str | None]
    furniture: tuple[float, ...] = ()


def read_page(raw: bytes, where: str, options: ReadingOptions, charset: str | None = None) -> Page:
    """Read a page.

    Args:
        raw: its bytes.
        where: its place, for messages.
        options: names the encoding, if the user did.
        charset: the encoding that the server named; None for that which the page names.
    """
    declared = _CHARSET.search(raw[:4096])
    page = decode_text(raw, where, options.encoding, charset or (declared[1].decode("ascii") if declared else None))
    root = parse(page)
    lines = [] if root is None else visible_lines(root)
    said = head_of(root, page) if lines else {}
    return Page("\n".join(line.text for line in lines), said, furniture_odds(lines, page, said["title"] or "") if lines and options.furniture else ())


def html_text(page: str) -> str:
    """The visible text of a page or a piece of one."""
    root = parse(page)
    return "" if root is None else "\n".join(line.text for line in visible_lines(root))


def parse(page: str) -> Any:
    """Parse HTML as forgivingly as browsers do; None where there is nothing."""
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        return html.document_fromstring(page.translate(_CONTROLS).encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # no element at all
        return None


class Line(NamedTuple):
    """A visible line of a page.

    Attributes:
        text: as a browser shows it; a tab between the cells of a table's row.
        block: the innermost block or cell that its first words are in.
        linked: characters of it that are in links, white space left out.
    """

    text: str
    block: Any
    linked: int


def visible_lines(root: Any) -> list[Line]:
    """The visible lines below an element, in reading order."""
    return [line for line in (Line(show_line(text.replace(_LINK, "")), block, linked) for text, block, linked in _lines(root)) if line.text]


def _lines(root: Any) -> Iterator[Line]:
    from lxml import etree

    line, block, linked, links = "", root, 0, 0
    around = [root]  # the blocks and cells that are open, the innermost one last
    for event, element in (walk := etree.iterwalk(root, events=("start", "end"))):
        tag = element.tag
        breaks = tag in _BLOCKS or tag == "br"
        if breaks:
            yield Line(line, block, linked)
            line, linked = "", 0
        if event == "start":
            if tag in _BLOCKS or tag in _CELLS:
                around.append(element)
            links += tag == "a"
            if _is_hidden(element):
                walk.skip_subtree()
                continue
            if tag in _CELLS and line.strip():
                line += CELL
            elif tag == "a" and line.endswith(_LINK):
                line += " "  # links that follow each other are shown with space between them
            text = element.text or ""
            if tag == "pre":
                *whole, text = text.split("\n")
                yield from (Line(one, element, 0) for one in whole)
        else:
            if tag in _BLOCKS or tag in _CELLS:
                around.pop()
            links -= tag == "a"
            if tag == "a":
                line += _LINK
            text = (element.tail or "") if element is not root else ""
        if text:
            block = block if line.strip() else around[-1]
            line += text
            linked += len("".join(text.split())) if links else 0
    yield Line(line, block, linked)


def _is_hidden(element: Any) -> bool:
    if element.tag in _HIDDEN or "hidden" in element.attrib:
        return True
    return bool(_UNSEEN.search(element.get("style", ""))) or (element.tag == "dialog" and "open" not in element.attrib)


def head_of(root: Any, page: str) -> dict[str, str | None]:
    """What a page's head says about the article: title, URL, author, date and source, each None or empty where it says nothing."""
    metas: dict[str, str] = {}
    for meta in root.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        metas.setdefault(name.lower(), " ".join(meta.get("content", "").split()))
    title = next((" ".join(one.text_content().split()) for one in root.iter("title")), "")
    canonical = next((one.get("href", "") for one in root.iter("link") if "canonical" in one.get("rel", "").lower().split()), "")
    saved = _SAVED_FROM.search(page[:2000])

    def first(*names: str) -> str:
        return next((metas[name] for name in names if metas.get(name)), "")

    url = next((one for one in (canonical, first("og:url"), saved[1] if saved else "") if one.startswith(("http://", "https://"))), "")
    return {
        "title": first("og:title") or title,
        "url": url,
        "author": first("author", "article:author", "dc.creator"),
        "date": first("article:published_time", "datepublished", "date", "dc.date", "pubdate"),
        "source": first("og:site_name"),
    }
