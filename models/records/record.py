"""A commitment as a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from .clauses import find_clause
from .linking import Evidence, find_cases
from .periods import Period, find_period
from .quantities import find_quantities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL = "commitment"
"""The label of what becomes a record."""

_LONGEST = 3_000
"""Characters of a passage whose parts are looked for; a longer one is no sentence."""


@dataclass(frozen=True)
class Parts:
    """What a passage says of a commitment in it; None or empty where it does not say it clearly.

    Attributes:
        who: the actor's words, as they stand.
        what: the act.
        when: the words for a date or period.
        when_iso: the same as ISO 8601 writes it: a day, month, year, two of these with "/", or a length ("P3Y").
        quantity: how much: each number with what it counts.
        voice: "direct" in the actor's own words, "reported" where somebody else tells it.
    """

    who: str | None
    what: str
    when: str | None
    when_iso: str | None
    quantity: tuple[str, ...]
    voice: str

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return asdict(self) | {"quantity": list(self.quantity)}


@dataclass(frozen=True)
class Record:
    """A commitment in an article.

    Attributes:
        parts: who, what, by when, how much.
        document: id of the article; "" where there is none.
        name: of the article.
        date: of the article: ISO 8601 where it can be read, else as it is written; None where it has none.
        lang: ISO 639-1 code.
        start: offset of the commitment in the article (code points).
        end: offset after it.
        score: probability that its passage holds a commitment.
        review: whether the passage needs review.
        text: the passage: the evidence.
        model_version: of the model that found it.
        case: number of what it is evidence of: commitments that are the same in several articles have one; 0 before they are compared.
    """

    parts: Parts
    document: str
    name: str
    date: str | None
    lang: str
    start: int
    end: int
    score: float
    review: bool
    text: str
    model_version: str
    case: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it: the case and the parts first."""
        values = dict(vars(self))
        return {"case": values.pop("case"), **values.pop("parts").as_dict(), **values}


def linked(records: Sequence[Record], embed: Callable[[Sequence[str]], NDArray[np.float64]] | None) -> list[Record]:
    """Number the cases of records, and order them by case, and in a case by the articles' dates; those without a date come last.

    Args:
        records: in the order of their articles.
        embed: makes vectors of texts (see ``classifier.Embeds``), where the model does.
    """
    evidence = [Evidence(one.text, one.document or one.name or f"row {number}") for number, one in enumerate(records)]
    cases = find_cases(evidence, embed([one.text for one in records]) if embed is not None and len(records) > 1 else None)
    numbered = [replace(one, case=case) for one, case in zip(records, cases, strict=True)]
    return sorted(numbered, key=lambda one: (one.case, one.date or "~"))


def find_parts(text: str, span: tuple[int, int], language: str, quoted: bool, today: date | None = None) -> Parts:
    """Find the parts of a commitment.

    Args:
        text: the passage that it is in.
        span: its offsets in the passage.
        language: ISO 639-1 code; "" where it is not known.
        quoted: whether it is in a direct quotation.
        today: date of the article, against which "next year" is resolved.
    """
    if len(text) > _LONGEST:
        return Parts(None, text[slice(*span)], None, None, (), "direct" if quoted else "reported")
    clause = find_clause(text, span, language, quoted)
    period = _period(text, clause.what, language, today)
    quantities = find_quantities(text, *clause.what, language, (period.start, period.end) if period is not None else None)
    return Parts(
        text[slice(*clause.who)] if clause.who is not None else None,
        text[slice(*clause.what)],
        text[period.start : period.end] if period is not None else None,
        period.iso if period is not None else None,
        tuple(text[start:end] for start, end in quantities),
        "direct" if clause.own else "reported",
    )


def _period(text: str, what: tuple[int, int], language: str, today: date | None) -> Period | None:
    """The period in the act; else one in the words around it, which must not be over."""
    if (found := find_period(text, *what, language, today)) is not None:
        return found
    for start, end in ((0, what[0]), (what[1], len(text))):
        found = find_period(text, start, end, language, today)
        if found is not None and not (today is not None and (found.iso or "9")[:4] < f"{today.year}" and (found.iso or "P")[0].isdigit()):
            return found
    return None
