"""Pages of HTML that ask nothing of anybody: what the reports of ``predict`` and of ``train`` share.

``page.html`` holds the frame: the look, and what sorts a table and saves it as CSV. Each report has a file of its own with its style, its
body and its script, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from ..annotation.errors import UsageError

Heads = Sequence[str | tuple[str, str]]
"""Headings of a table, those of numbers with a class of their own (see ``numbers``)."""

_FRAME = Path(__file__).with_suffix(".html")
_COLORS = ("#2e7d32", "#1565c0", "#ef6c00", "#8e24aa", "#c62828", "#00838f", "#6d4c41", "#9e9d24")


def check_path(path: Path, option: str) -> None:
    """Refuse a path that can be no page's.

    Raises:
        UsageError: it has no ending of a page, or its folder is not there.
    """
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"{option} {path}: the report is a page; give it a name with .html")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: no such folder; make it first")


def make_page(own: Path, title: str, labels: int, /, **parts: str) -> str:
    """Make a page.

    Args:
        own: the report's own file, ``<style>…</style>…<script>…</script>``; ``$title`` and ``$name`` of each part stand for what is put there.
        title: of the page, as HTML.
        labels: number of labels, which have a colour each (class ``l0`` and so on; ``--l0`` is the colour itself).
        parts: HTML by name.
    """
    content = own.read_text(encoding="utf-8")
    found = re.fullmatch(r"<style>\n(.*?)</style>\n(.*)<script>\n(.*?)</script>\n", content, re.DOTALL)
    if found is None:
        raise ValueError(f"{own}: not a style, a body and a script")
    style, body, script = found.groups()
    colors = "\n".join(map(_color, range(labels)))
    body = Template(body).substitute(title=title, **parts)
    return Template(_FRAME.read_text(encoding="utf-8")).substitute(title=title, style=style + colors, body=body, script=script)


def _color(number: int) -> str:
    color = f":root {{ --l{number}: {_COLORS[number % len(_COLORS)]}; }}"
    return f"{color} .l{number} {{ background: color-mix(in srgb, var(--l{number}) var(--mark), transparent); }}"


def bdi(text: str) -> str:
    """A text that somebody else wrote: escaped, and its direction kept to itself."""
    return f"<bdi>{escape(text)}</bdi>"


def label_tag(text: str, column: int) -> str:
    """The name of a label in its colour."""
    return f'<span class="label l{column}">{escape(text)}</span>'


def cells(row: Iterable[str | int | tuple[str, str]]) -> str:
    """A row of a table: numbers, as such or written; or HTML with the class of its cell."""
    parts = ((one, "number") if not isinstance(one, tuple) else one for one in row)
    return "<tr>" + "".join(f'<td class="{kind}">{html}</td>' if kind else f"<td>{html}</td>" for html, kind in parts) + "</tr>"


def numbers(*heads: str) -> Heads:
    """Headings of columns that hold numbers."""
    return [(head, "number") for head in heads]


def table(name: str, titled_by: str, heads: Heads, rows: Iterable[str]) -> str:
    """A table that can be sorted by its headings; ``<button data-csv="NAME" hidden>`` saves what it shows.

    Args:
        name: its id.
        titled_by: id of the heading above it.
        heads: headings.
        rows: ``<tr>…</tr>``; a cell of the class "number" is sorted as a number.
    """
    named = ((one, "") if isinstance(one, str) else one for one in heads)
    head = "".join(f'<th scope="col"{kind and f" class={kind}"}>{escape(one)}</th>' for one, kind in named)
    return (
        f'<div class="table" tabindex="0" role="region" aria-labelledby="{titled_by}">\n<table id="{name}" class="sortable">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>\n</div>"
    )
