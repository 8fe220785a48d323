"""The passages of a report: each with its text in its article, what is right, what was predicted, and what moved that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
import regex
from numpy.typing import NDArray

from ...models.page import bdi, cells, label_tag, numbers, table
from ..explanation import Moved
from .collect import Findings

MOST = 10_000
"""Passages that a browser still shows well; of more, those that are right and not in doubt are left out."""

_MARKED = 8  # words that are marked in a text at most: those that move a score most
_WEAK = 0.3  # and by at least this share of what the strongest one does
_STRENGTHS = 3
_NAMED = 5  # words that are named on either side
_SHORT = 200  # characters of a text in a table
_LONG = 3000  # characters from which on a passage scrolls by itself


def shown_rows(found: Findings) -> NDArray[np.intp]:
    """Indices of the passages that the page has room for."""
    count = len(found.predictions.texts)
    if count <= MOST:
        return np.arange(count)
    notable = (found.missed | found.wrongly | found.doubtful | found.suspicious).any(axis=1)
    return np.sort(np.argsort(~notable, kind="stable")[:MOST])


def articles_of(found: Findings, rows: NDArray[np.intp]) -> list[tuple[str, list[int]]]:
    """Names of the articles with their passages; passages that stand alone come last, together."""
    articles: dict[str, list[int]] = {}
    for row in rows.tolist():
        articles.setdefault(str(found.predictions.documents[row]), []).append(row)
    several = [(str(found.predictions.names[own[0]]), own) for own in articles.values() if len(own) > 1]
    single = [row for own in articles.values() if len(own) == 1 for row in own]
    return several + ([("Single passages", single)] if single else [])


def articles_table(found: Findings, articles: Sequence[tuple[str, list[int]]]) -> str:
    """Lay out the articles, with the number of their passages that have an error."""
    wrong = np.asarray((found.missed | found.wrongly).any(axis=1))
    rows = []
    for number, (name, own) in enumerate(articles):
        languages = ", ".join(sorted(set(found.predictions.languages[own].tolist())))
        errors = int(wrong[own].sum())
        rows.append(cells([(f'<a href="#a{number}">{bdi(name)}</a>', "name"), (escape(languages), ""), len(own), errors, f"{errors / len(own):.0%}"]))
    return table("articles-table", "articles", ("article", "language", *numbers("passages", "with an error", "share")), rows)


def errors_table(found: Findings, rows: NDArray[np.intp]) -> str:
    """Lay out every error, label by label."""
    lines = []
    for row in rows.tolist():
        for column, label in enumerate(found.predictions.labels):
            kind = "missed" if found.missed[row, column] else "wrongly given" if found.wrongly[row, column] else ""
            if not kind:
                continue
            probability = f"{found.predictions.probabilities[row, column]:.2f}"
            name = bdi(str(found.predictions.names[row]))
            lines.append(cells([(passage_link(found, row), "text"), (label_tag(label, column), ""), (kind, "outcome"), probability, (name, "name")]))
    return table("errors-table", "errors", ("text", "label", "error", *numbers("probability"), "article"), lines)


def passage_link(found: Findings, row: int) -> str:
    """A link to a passage, with the beginning of its text."""
    text = str(found.predictions.texts[row])
    return f'<a href="#p{row}">{bdi(text if len(text) <= _SHORT else text[: _SHORT - 1] + "…")}</a>'


def article_sections(found: Findings, articles: Sequence[tuple[str, list[int]]]) -> Iterator[str]:
    """Write the articles, each with its passages in reading order."""
    for number, (name, own) in enumerate(articles):
        url = found.tasks.get(str(found.predictions.documents[own[0]]), "")
        task = f' · <a href="{escape(url)}" rel="noopener noreferrer">its task in Label Studio</a>' if url.startswith(("http://", "https://")) else ""
        wrong = int((found.missed | found.wrongly)[own].any(axis=1).sum())
        yield (
            f'<article aria-labelledby="a{number}"><header><h3 id="a{number}">{bdi(name)}</h3>'
            f'<p class="quiet">{len(own)} passages, {wrong} with an error{task}</p></header>'
        )
        yield from (_passage(found, row) for row in own)
        yield "</article>"


def _passage(found: Findings, row: int) -> str:
    predictions = found.predictions
    text, moved = str(predictions.texts[row]), found.moved.get(row)
    errors = found.missed[row] | found.wrongly[row]
    # the labels that matter here, the most important first
    focus = np.flatnonzero(errors | predictions.truth[row] | predictions.decisions[row]).tolist()
    focus.sort(key=lambda column: (not errors[column], -abs(predictions.decisions[row, column] - predictions.probabilities[row, column])))
    marks = {"missed": found.missed, "wrongly": found.wrongly, "doubt": found.doubtful, "suspect": found.suspicious}
    data = {name: _columns(mask[row]) for name, mask in marks.items()} | {"has": _columns(predictions.truth[row] | predictions.decisions[row])}
    data |= {"lang": escape(str(predictions.languages[row])), "kind": escape(str(predictions.kinds[row]))}
    attributes = "".join(f' data-{name}="{value}"' for name, value in data.items() if value)
    shown = _highlighted(text, moved, focus[0]) if moved and focus else escape(text)
    words = '<p class="words long" dir="auto" tabindex="0" role="region" aria-label="long passage">' if len(text) > _LONG else '<p class="words" dir="auto">'
    return (
        f'<div class="passage{" wrong" * bool(errors.any())}" id="p{row}"{attributes}>{words}<bdi>{shown}</bdi></p>'
        f"<details><summary>{_verdict(found, row, focus)}</summary>{_reasons(found, row, text, moved, focus)}</details></div>"
    )


def _columns(mask: NDArray[np.bool_]) -> str:
    return " ".join(map(str, np.flatnonzero(mask).tolist()))


def _verdict(found: Findings, row: int, focus: Sequence[int]) -> str:
    said = []
    for column in focus:
        name = found.predictions.labels[column]
        if found.missed[row, column]:
            said.append(f'<span class="error">missed</span> {label_tag(name, column)}')
        elif found.wrongly[row, column]:
            said.append(f'<span class="error">wrongly</span> {label_tag(name, column)}')
        else:
            known = "" if found.predictions.judged[row, column] else ", not judged"
            said.append(f"{label_tag(name, column)}{known}")
    flags = (("doubtful", found.doubtful), ("annotation looks wrong", found.suspicious))
    quiet = "".join(f' <span class="quiet">· {name}</span>' for name, mask in flags if mask[row].any())
    return f'<span class="tags">{" ".join(said) or "<span class=quiet>no label</span>"}{quiet}</span>'


def _reasons(found: Findings, row: int, text: str, moved: Moved | None, focus: Sequence[int]) -> str:
    predictions = found.predictions
    lines = []
    for column, name in enumerate(predictions.labels):
        truth = ("annotated" if predictions.truth[row, column] else "not annotated") if predictions.judged[row, column] else "not judged"
        given = "predicted" if predictions.decisions[row, column] else "not predicted"
        why = _words(text, moved, column) if moved and column in focus else ""
        lines.append(f"<li>{label_tag(name, column)} <b>{predictions.probabilities[row, column]:.2f}</b> {truth}, {given}{why}</li>")
    return f"<ul>{''.join(lines)}</ul>"


def _words(text: str, moved: Moved, column: int) -> str:
    odds = moved.odds[:, column]
    order = np.argsort(-np.abs(odds), kind="stable")
    parts = []
    for what, sign in (("raised by", 1), ("lowered by", -1)):
        strongest = [index for index in order.tolist() if sign * odds[index] >= 0.005][:_NAMED]
        if strongest:
            words = ", ".join(f"{bdi(_bare(text[slice(*moved.pieces[index])]))}&nbsp;{odds[index]:+.2f}" for index in strongest)
            parts.append(f"<br>{what} {words}")
    return "".join(parts)


def _bare(word: str) -> str:
    """A word without the punctuation around it, where there is more."""
    return regex.sub(r"^\p{P}+|\p{P}+$", "", word) or word


def _highlighted(text: str, moved: Moved, column: int) -> str:
    """The text as HTML, with the words marked that moved the score of a label most."""
    odds = moved.odds[:, column]
    strongest = float(np.abs(odds).max())
    if not strongest > 0:
        return escape(text)
    shares = odds / strongest
    marked = np.sort(np.argsort(-np.abs(shares), kind="stable")[:_MARKED])
    parts, done = [], 0
    for index in marked[np.abs(shares[marked]) >= _WEAK].tolist():
        (start, end), share = moved.pieces[index], float(shares[index])
        kind = f"{'up' if share > 0 else 'down'}{min(int(abs(share) * _STRENGTHS) + 1, _STRENGTHS)}"
        parts += [escape(text[done:start]), f'<mark class="{kind}">{escape(text[start:end])}</mark>']
        done = end
    return "".join([*parts, escape(text[done:])])
