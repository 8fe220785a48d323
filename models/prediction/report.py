"""``predict --report``: one page of HTML, without outside requests, with the articles in colour, a table of what was found, and one of the commitments."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.errors import NewsmarkError
from ...annotation.files import atomic_write
from ..page import Heads, bdi, cells, check_path, label_tag, make_page, numbers, table
from .article import FURNITURE
from .records import Records

if TYPE_CHECKING:
    from ..records.record import Record
    from .local import Added
    from .rows import Row

_TEMPLATE = Path(__file__).with_suffix(".html")
_MOST = 20_000  # passages that a browser still shows well
_HEADS: Heads = ("article", "label", *numbers("probability"), "text", *numbers("begins", "ends"))
_RECORD_HEADS: Heads = (
    *numbers("case"), "who", "what", "by when", "date", "quantity", "voice", "article", "of", *numbers("probability", "begins", "ends")
)  # fmt: skip
_METADATA = ("title", "author", "date", "source", "url")


@dataclass
class _Article:
    """An article, or rows that belong to none, with its passages as they came."""

    name: str
    metadata: dict[str, str]
    number: int
    passages: list[tuple[Row, Added, dict[str, Any]]] = field(default_factory=list)


class Report:
    """Collects labelled rows, and writes them as a page.

    Args:
        path: of the page.
        spans: whether spans are in colour; else the whole passages are. Rows have spans in either case: records are made of them.

    Attributes:
        records: the commitments.

    Raises:
        UsageError: the path has no ending of a page, or its folder is not there.
    """

    def __init__(self, path: Path, spans: bool = False) -> None:
        check_path(path, "--report")
        self._path, self._spans = path, spans
        self.records = Records()
        self._anchors: dict[tuple[str, str, int, int], str] = {}
        self._articles: dict[Any, _Article] = {}
        self._labels: list[str] = []
        self._version, self._count = "", 0

    def __call__(self, rows: Iterable[tuple[Row, Added]]) -> None:
        """Take rows.

        Raises:
            NewsmarkError: there are more passages than a browser can show.
        """
        for row, added in rows:
            self._count += 1
            if self._count > _MOST:
                raise NewsmarkError(f"--report {self._path}: a page holds {_MOST} passages at most; give fewer articles, or write an --output")
            fields = json.loads(row.fields + "}")
            key = row.document if row.document is not None else repr(fields.get("name"))  # a row's own name may be a list
            article = self._articles.get(key)
            if article is None:
                name = str(fields.get("name") or fields.get("document") or fields.get("page") or "rows without an article")
                metadata = {about: str(fields[about]) for about in _METADATA if isinstance(fields.get(about), str | int) and fields[about] != ""}
                article = self._articles[key] = _Article(name, metadata, len(self._articles) + 1)
            anchor = f"p{article.number}-{len(article.passages)}"
            article.passages.append((row, added, fields))
            for one in self.records.add(row, added) if "spans" in added else ():
                self._anchors.setdefault((one.document, one.name, one.start, one.end), anchor)
            self._labels = self._labels or list(added["scores"])
            self._version = str(added["model_version"])

    def close(self) -> None:
        """Write the page; it appears when it is complete."""
        shown = [label for label in self._labels if label != FURNITURE]
        articles, rows = [], []
        counts: Counter[str] = Counter()
        for number, article in enumerate(self._articles.values(), start=1):
            articles.append(self._article(number, article))
            for place, (row, added, fields) in enumerate(article.passages):
                for one in self._found(row, added, fields):
                    counts[one["label"]] += 1
                    if one["label"] in shown:
                        rows.append(_table_row(f"p{number}-{place}", article.name, self._labels.index(one["label"]), one, added["review"]))
        legend = " ".join(f"{label_tag(label, self._labels.index(label))} {counts[label]}" for label in shown)
        furniture = f"; {counts[FURNITURE]} passages of page furniture are grey" if counts[FURNITURE] else ""
        page = make_page(
            _TEMPLATE,
            f"{len(self._articles)} article{'s' * (len(self._articles) != 1)}, labelled by newsmark",
            len(self._labels),
            summary=f"{self._count} passages, model {escape(self._version)}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC{furniture}. "
            "The probabilities are the model's; what is underlined needs review.",
            legend=legend,
            boxes="\n".join(f'<label><input type="checkbox" name="label" value="{escape(label)}" checked> {escape(label)}</label>' for label in shown),
            table=table("rows", "found", _HEADS, rows),
            records=self._records(),
            articles="\n".join(articles),
        )
        with atomic_write(self._path) as stream:
            stream.write(page)

    def _records(self) -> str:
        """The commitments as a table; nothing where there are none."""
        found = self.records.all()
        if not found:
            return ""
        rows = [_record_row(self._anchors[one.document, one.name, one.start, one.end], one) for one in found]
        several = len(found) - len({one.case for one in found})
        said = f"{len(found)} commitments; {several or 'none'} of them {'is' if several == 1 else 'are'} the same as an earlier one in another article. "
        return (
            f'<h2 id="commitments">Commitments</h2>\n<p class="quiet">{said}Rules read who, what and when out of the text, and are often wrong in part: '
            'follow the link to the passage. Nothing says whether a commitment was kept.</p>\n<p><button type="button" data-csv="records" hidden>'
            f"Save commitments as CSV</button></p>\n{table('records', 'commitments', _RECORD_HEADS, rows)}"
        )

    def _found(self, row: Row, added: Added, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """What the table shows of a passage: its spans, or else the passage once for each label."""
        if self._spans:
            found: list[dict[str, Any]] = added["spans"]
            return found
        start, end = _place(row, fields)
        return [{"start": start, "end": end, "text": row.text, "label": label, "score": added["scores"][label]} for label in added["labels"]]

    def _article(self, number: int, article: _Article) -> str:
        about = " · ".join(bdi(value) for value in article.metadata.values())
        lines: list[list[str]] = []
        for place, (row, added, _) in enumerate(article.passages):
            if row.begins_line or not lines:
                lines.append([])
            lines[-1].append(self._passage(f"p{number}-{place}", row, added))
        text = "\n".join(f'<p class="line" dir="auto">{" ".join(parts)}</p>' for parts in lines)
        header = f'<header><h3 id="a{number}">{bdi(article.name)}</h3><p class="quiet">{about}</p></header>'
        return f'<article aria-labelledby="a{number}">{header}\n{text}\n</article>'

    def _passage(self, name: str, row: Row, added: Added) -> str:
        labels = added["labels"]
        if not labels:
            return f"<bdi>{escape(row.text)}</bdi>"
        said = escape(", ".join(f"{label} {added['scores'][label]:.2f}" for label in labels))
        if FURNITURE in labels:
            return f'<span class="furniture" title="{said}"><bdi>{escape(row.text)}</bdi></span>'
        review = " review" if added["review"] else ""
        if self._spans:
            return f'<span id="{name}" title="{said}"><bdi>{self._in_colour(row, added["spans"], review)}</bdi></span>'
        tags = "".join(map(self._tag, labels))
        return f'<mark id="{name}" class="l{self._labels.index(labels[0])}{review}" title="{said}"><bdi>{escape(row.text)}</bdi>{tags}</mark>'

    def _in_colour(self, row: Row, spans: list[dict[str, Any]], review: str) -> str:
        """The text of a passage with its spans marked; where spans overlap, the colour is the shortest one's."""
        borders = sorted({row.start, row.start + len(row.text), *(one["start"] for one in spans), *(one["end"] for one in spans)})
        parts = []
        for start, end in pairwise(borders):
            text = escape(row.text[start - row.start : end - row.start])
            inside = [one for one in spans if one["start"] <= start and end <= one["end"]]
            tags = "".join(self._tag(" ".join(filter(None, (one["label"], one["kind"]))), one["label"]) for one in inside if one["end"] == end)
            if inside:
                color = self._labels.index(min(inside, key=lambda one: one["end"] - one["start"])["label"])
                text = f'<mark class="l{color}{review}">{text}{tags}</mark>'
            parts.append(text)
        return "".join(parts)

    def _tag(self, text: str, label: str | None = None) -> str:
        return f' <sup class="label l{self._labels.index(label or text)}">{escape(text)}</sup>'


def _place(row: Row, fields: dict[str, Any]) -> tuple[Any, Any]:
    """Offsets of a passage in its article; of a row that is a passage, those that it names itself, if any."""
    if row.document is None or isinstance(row.document, tuple):
        return fields.get("input_start", fields.get("start")), fields.get("input_end", fields.get("end"))
    start = fields.get("start", row.start)
    return start, start + len(row.text)


def _record_row(anchor: str, one: Record) -> str:
    """A commitment as a row of the table."""
    parts = one.parts
    texts = (bdi(text or "") for text in (parts.when, parts.when_iso, "; ".join(parts.quantity), parts.voice, one.name, one.date))
    act = f'<a href="#{anchor}">{bdi(parts.what)}</a>'
    written = [(text, " ") for text in texts]
    return cells([str(one.case), (bdi(parts.who or ""), " "), (act, "text"), *written, f"{one.score:.2f}", str(one.start), str(one.end)])


def _table_row(name: str, article: str, column: int, one: dict[str, Any], review: bool) -> str:
    offsets = "".join(f'<td class="number">{int(one[key])}</td>' if isinstance(one[key], int) else "<td></td>" for key in ("start", "end"))
    return (
        f'<tr data-label="{escape(one["label"])}" data-review="{int(bool(review))}"><td><bdi>{escape(article)}</bdi></td>'
        f'<td><span class="label l{column}">{escape(one["label"])}</span></td><td class="number">{one["score"]:.2f}</td>'
        f'<td class="text" dir="auto"><a href="#{name}"><bdi>{escape(one["text"])}</bdi></a></td>{offsets}</tr>'
    )
