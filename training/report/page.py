"""The page of a report: its parts put together, written, and logged to MLflow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from ...annotation.errors import NewsmarkError
from ...annotation.files import atomic_write
from ...models.page import bdi, cells, label_tag, make_page, table
from ...models.store import translate_errors
from .collect import Findings
from .passages import MOST, article_sections, articles_of, articles_table, errors_table, shown_rows
from .scores import changes, confusion, cooccurrence, curves, label_scores, learning, overview, part_scores

_FILE = Path(__file__).with_name("report.html")


def write_report(found: Findings, path: Path) -> str:
    """Write a report as a page, which appears when it is complete, and log it as an artifact of its run.

    Returns:
        Name of the artifact.

    Raises:
        NewsmarkError: MLflow can't take the page; it is written nevertheless.
    """
    import mlflow  # takes seconds

    page = report_page(found)
    with atomic_write(path) as stream:
        stream.write(page)
    name = f"report-{found.changes.before.run_id[:8]}.html" if found.changes else "report.html"
    try:
        with translate_errors():
            mlflow.MlflowClient().log_text(found.run.run_id, page, name)
    except (NewsmarkError, OSError) as error:
        raise NewsmarkError(f"{path} is written, but not logged: {error}") from error
    return name


def report_page(found: Findings) -> str:
    """Make the page."""
    run, predictions = found.run, found.predictions
    rows = shown_rows(found)
    articles = articles_of(found, rows)
    named = f"run {escape(run.run_id)}"
    shown = f'<a href="{escape(found.url)}" rel="noopener noreferrer">{named} in MLflow</a>' if found.url else named
    left_out = (
        f" The {len(predictions.texts) - len(rows)} others are right and not in doubt, and a page holds {MOST}." if len(predictions.texts) > len(rows) else ""
    )
    compared = f'<h2 id="changes">What changed</h2>\n{changes(found, found.changes)}' if found.changes else ""
    languages, kinds = (sorted(set(values.tolist())) for values in (predictions.languages, predictions.kinds))
    return make_page(
        _FILE,
        f"Report: {escape(run.name)}",
        len(predictions.labels),
        summary=f"{len(predictions.texts)} passages of {len(set(predictions.documents.tolist()))} documents, scored by {escape(run.scored_on)}; {shown}; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        overview=overview(found),
        labels=label_scores(found),
        parts=part_scores(found),
        groups=_groups(len(set(predictions.groups.tolist()))),
        curves=curves(found),
        learning=learning(found.curve) if found.curve else "",
        confusion=confusion(found),
        both=cooccurrence(found),
        changes=compared,
        changes_link='<a href="#changes">What changed</a>' if found.changes else "",
        articles_table=articles_table(found, articles),
        errors=errors_table(found, rows),
        legend=" ".join(label_tag(label, column) for column, label in enumerate(predictions.labels)),
        how_moved=escape(found.how_moved),
        left_out=left_out,
        label_options=_options(map(str, range(len(predictions.labels))), predictions.labels),
        language_choice=_choice("language", "language", languages),
        kind_choice=_choice("kind", "kind of text", kinds),
        passages="\n".join(article_sections(found, articles)),
        settings=table(
            "settings-table", "settings", ("setting", "value"), (cells([(bdi(key), ""), (bdi(value), "")]) for key, value in sorted(run.params.items()))
        ),
    )


def _groups(count: int) -> str:
    return f"Intervals: bootstrap over {count} groups (what stands on one side of a split){'; so few say little' if count < 20 else ''}."


def _choice(name: str, shown: str, values: list[str]) -> str:
    """A list to choose from; nothing where there is no choice."""
    if len(values) < 2:
        return ""
    return f'<label>{shown} <select name="{name}"><option value="">all</option>{_options(values, values)}</select></label>'


def _options(values: Iterable[str], shown: Iterable[str]) -> str:
    return "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in zip(values, shown, strict=True))
