"""spaCy: DocBin (``.spacy``) and JSON, that of ``Doc.to_json`` or training examples of a text with its entities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import NewsmarkError
from ..files import atomic_write
from .exchange import Annotated, Entry, Mark, full_label, trimmed
from .rows import listed, mapping, marks_of, metadata_of, read_json, read_rows, string, text_field, unread
from .tokens import tokenize

GROUP = "sc"
"""Name of the span group that spaCy's span categorizer reads."""


def read_docbin(path: Path, _: str | None) -> Iterator[Entry]:
    """Read the documents of a DocBin: span groups, entities, and categories of .5 or more."""
    spacy = _spacy()
    from spacy.tokens import DocBin

    try:
        docs = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 (msgpack and zlib raise errors of several kinds)
        raise NewsmarkError(f"{path}: no DocBin of spaCy ({type(error).__name__}: {error})") from None
    for number, doc in enumerate(docs, start=1):
        spans = [*(span for group in doc.spans.values() for span in group), *doc.ents]
        own = doc.user_data.get("newsmark") or {}
        marks = tuple(Mark(span.start_char, span.end_char, span.label_, span.text) for span in spans if span.label_)
        yield _entry(f"{path}, document {number}", doc.text, own, marks, doc.cats)


def write_docbin(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write a DocBin; tokens are cut at the borders of spans, so that none moves."""
    spacy = _spacy()
    from spacy.tokens import Doc, DocBin, SpanGroup

    vocab, docs, lost = spacy.blank("xx").vocab, DocBin(store_user_data=True), list[str]()
    for one in annotated:
        text, spans = one.document.text, one.annotation.spans
        words, spaces = _words(text, {border for span in spans for border in (span.start, span.end)})
        doc = Doc(vocab, words=words, spaces=spaces, user_data={"newsmark": _own(one)})
        marked = [doc.char_span(*trimmed(text, span.start, span.end), label=full_label(span)) for span in spans]
        doc.spans[GROUP] = SpanGroup(doc, name=GROUP, spans=[span for span in marked if span is not None])
        lost += [f"{one.document.name}: a span of white space alone" for span in marked if span is None]
        doc.cats = dict.fromkeys(one.annotation.topics, 1.0)
        docs.add(doc)
    path.parent.mkdir(parents=True, exist_ok=True)
    docs.to_disk(path)
    return lost


def read_json_docs(path: Path, chosen: str | None) -> Iterator[Entry]:
    """Read what ``Doc.to_json`` gives (a list, JSONL or one), or a list of ``[text, {"entities": [[start, end, label], …]}]``."""
    content = read_json(path, lines_allowed=True) if path.suffix.lower() == ".json" else None
    if isinstance(content, list) and any(isinstance(one, list) for one in content):
        for number, one in enumerate(content, start=1):
            where, problems = f"{path}, entry {number}", list[str]()
            if not (isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and isinstance(one[1], dict)):
                raise NewsmarkError(f'{where}: expected a text and {{"entities": …}}')
            yield _entry(where, one[0], {}, marks_of(one[1].get("entities"), problems), one[1].get("cats"), problems)
        return
    for where, row in read_rows(path):
        if "paragraphs" in row:
            raise NewsmarkError(f"{where}: this is the training format of spaCy 2; convert it with: python -m spacy convert FILE . and read the .spacy file")
        problems = []
        groups = {**mapping(row.get("spans")), "": [*listed(row.get("spans")), *listed(row.get("ents")), *listed(row.get("entities"))]}
        marks = marks_of([one for group in groups.values() for one in listed(group)], problems)
        problems += unread(row, ("spans", "ents", "entities", "tokens", "sents"))
        own = row.get("newsmark") or {}
        yield _entry(where, text_field(row, chosen, where), own, marks, row.get("cats"), problems)


def write_json_docs(path: Path, annotated: Sequence[Annotated]) -> list[str]:
    """Write a JSON list of what ``Doc.from_json`` reads."""
    rows = []
    for one in annotated:
        text, spans = one.document.text, one.annotation.spans
        words, spaces = _words(text, {border for span in spans for border in (span.start, span.end)})
        tokens, start = list[dict[str, int]](), 0
        for number, (word, space) in enumerate(zip(words, spaces, strict=True)):
            tokens.append({"id": number, "start": start, "end": start + len(word)})
            start += len(word) + space
        group = [{"start": span.start, "end": span.end, "label": full_label(span), "kb_id": ""} for span in spans]
        cats = dict.fromkeys(one.annotation.topics, 1.0)
        rows.append({"text": text, "tokens": tokens, "spans": {GROUP: group}, "cats": cats, "newsmark": _own(one)})
    with atomic_write(path) as stream:
        json.dump(rows, stream, ensure_ascii=False)
    return []


def _entry(where: str, text: str, own: Any, marks: Sequence[Mark], cats: Any, problems: Sequence[str] = ()) -> Entry:
    categories = tuple(name for name, value in mapping(cats).items() if isinstance(value, int | float) and value >= 0.5)
    own = mapping(own)
    name, language, annotator = (string(own.get(key)) for key in ("name", "lang", "annotator"))
    return Entry(where, text, name, language, annotator, tuple(marks), categories, problems=tuple(problems), metadata=metadata_of(own))


def _own(one: Annotated) -> dict[str, str]:
    return {**one.document.metadata, "name": one.document.name, "lang": one.document.language, "annotator": one.annotation.annotator}


def _words(text: str, borders: set[int]) -> tuple[list[str], list[bool]]:
    """Cut a text into spaCy's words, each with or without a space after it; other white space is a word of its own."""
    words: list[str] = []
    spaces: list[bool] = []

    def white(start: int, end: int) -> None:
        if start < end and words and not spaces[-1] and text[start] == " ":
            spaces[-1] = True
            start += 1
        if start < end:
            words.append(text[start:end])
            spaces.append(False)

    last = 0
    for start, end in tokenize(text, borders):
        white(last, start)
        words.append(text[start:end])
        spaces.append(False)
        last = end
    white(last, len(text))
    return words, spaces


def _spacy() -> Any:
    try:
        import spacy
    except ModuleNotFoundError:
        raise NewsmarkError("spacy is not installed; run: pip install spacy; or use the format spacy-json, which needs none") from None
    return spacy
