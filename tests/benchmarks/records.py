"""Benchmark of records: who, what, by when and how much, on commitments that a reader marked: ``make bench``.

Each passage is known to hold a commitment; its span is the whole passage, or what borders that are learned from other documents find. Quotes are known,
too, and their kind is found by rule. Articles count as written on 2026-03-16.
"""

import importlib.util
import sys
from collections import Counter
from datetime import date, datetime
from itertools import combinations
from pathlib import Path

from newsmark.annotation.commandline import run_command
from newsmark.annotation.files import read_jsonl
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestions import kind_by_rule
from newsmark.models.borders import word_places
from newsmark.models.records.linking import Evidence, find_cases
from newsmark.models.records.record import find_parts
from newsmark.training.config import load_config
from newsmark.training.spans import load_marked
from tabulate import tabulate

SAMPLE = Path("tests/data/records/passages.jsonl")
TRANSLATIONS = SAMPLE.with_name("translations.jsonl")
HALVES = ("development", "test", "seeds")
TODAY = date(2026, 3, 16)
FIELDS = ("who", "what", "when", "when_iso", "quantity", "voice")


def values_of(parts):
    """What is compared, by field: a text, or None. Of the two voices, "direct" is the one that is looked for."""
    return {**parts, "quantity": "; ".join(parts["quantity"]) or None, "voice": "direct" if parts["voice"] == "direct" else None}


def words_of(text):
    return Counter(text[start:end].casefold() for start, end in word_places(text)) if text else Counter()


def f1(right, found, wanted):
    return f"{2 * right / (found + wanted):.2f}" if found + wanted else "–"


def find(row, span):
    quoted = "quote" in row["labels"] and kind_by_rule("quote", ("direct", "indirect"), row["text"]) == "direct"
    return values_of(find_parts(row["text"], span, row["lang"], quoted, TODAY).as_dict())


def measure(rows, span_of):
    """A row of the table for each field: number, precision, recall, F1 of whole values, F1 of words."""
    found = [(find(row, span_of(row)), values_of(row)) for row in rows]
    lines = []
    for field in FIELDS:
        pairs = [(one[field], wanted[field]) for one, wanted in found]
        given, wanted = sum(one is not None for one, _ in pairs), sum(one is not None for _, one in pairs)
        right = sum(one is not None and one == two for one, two in pairs)
        words = [(words_of(one), words_of(two)) for one, two in pairs]
        common = sum((one & two).total() for one, two in words)
        partial = f1(common, sum(one.total() for one, _ in words), sum(two.total() for _, two in words))
        lines.append([field, wanted, f"{right / max(given, 1):.2f}", f"{right / max(wanted, 1):.2f}", f1(right, given, wanted), partial])
    return lines


def print_table(title, rows, span_of):
    print(f"{title}: {len(rows)} commitments")
    heads = ["field", "there", "precision", "recall", "F1 exact", "F1 of words"]
    print(tabulate(measure(rows, span_of), heads, tablefmt="github", disable_numparse=True), end="\n\n")


def print_dateparser(rows):
    """Print how often the first date that dateparser finds in a passage is the one wanted, as far as that is precise; lengths are left out."""
    from dateparser.search import search_dates

    settings = {"RELATIVE_BASE": datetime(TODAY.year, TODAY.month, TODAY.day), "PREFER_DATES_FROM": "future"}
    given = wanted = right = 0
    for row in rows:
        if row["lang"] in {"ar", "zh", "ja"} or (row["when_iso"] or "").startswith("P"):
            continue
        found = search_dates(row["text"], languages=["nb" if row["lang"] == "no" else row["lang"]], settings=settings)
        given, wanted = given + bool(found), wanted + bool(row["when_iso"])
        right += bool(found and row["when_iso"] and found[0][1].date().isoformat().startswith(row["when_iso"].split("/")[0]))
    print(f"dateparser: {right} of {given} dates are right, {wanted} are there")


def print_linking(rows, vectors_of):
    """Print how many pairs of the same commitment are found among all of the sample, its translations, and how many pairs that are none."""
    translations = [row for _, row in read_jsonl(TRANSLATIONS)]
    evidence = [Evidence(row["text"], row["document"]) for row in (*rows, *translations)]
    place = {row["text"]: number for number, row in enumerate(rows)}
    wanted = {(place[row["of"]["text"]], len(rows) + number): row["half"] for number, row in enumerate(translations)}
    french, swedish = ([number for number, row in enumerate(rows) if row["document"].startswith(name)] for name in ("000_", "001_"))
    wanted |= dict.fromkeys(zip(french, swedish, strict=True), "seeds")
    for name, vectors in (("names and numbers", None), ("with vectors", vectors_of([one.text for one in evidence]) if vectors_of else None)):
        if name == "with vectors" and vectors is None:
            continue
        cases = find_cases(evidence, vectors)
        found = {pair for pair in combinations(range(len(cases)), 2) if cases[pair[0]] == cases[pair[1]]}
        parts = ", ".join(f"{half} {len(found & pairs)} of {len(pairs)}" for half in HALVES if (pairs := {one for one, of in wanted.items() if of == half}))
        print(f"linking, {name}: F1 {f1(len(found & wanted.keys()), len(found), len(wanted))}, {len(found)} pairs found; {parts}")


def main():
    """Print the tables."""
    rows = [row for _, row in read_jsonl(SAMPLE)]
    halves = {half: [row for row in rows if row["half"] == half] for half in ("development", "test")}
    for half, some in halves.items():
        print_table(f"{half}, whole passages as spans", some, lambda row: (0, len(row["text"])))
    encode = None
    if "--vectors" in sys.argv:
        from newsmark.models.transformer.vectors import vectors_of

        encode = lambda texts: vectors_of(texts)[0]  # noqa: E731
    print_linking(rows, encode)
    if importlib.util.find_spec("dateparser"):
        print_dateparser(rows)
    marked = load_marked(load_config(Path("configs/baseline.yaml"), {}), load_labels())
    borders = marked.learner.learn(without={row["document"] for row in rows}).borders["commitment"]
    for half, some in halves.items():
        print_table(f"{half}, learned spans", some, lambda row: borders.find(row["text"])[0])
    for language in ("sv", "fr", "en", "de", "es"):
        print_table(f"test, {language}, whole passages", [row for row in halves["test"] if row["lang"] == language], lambda row: (0, len(row["text"])))


if __name__ == "__main__":
    sys.exit(run_command("records", "--debug" in sys.argv, main))
