"""Formats of other tools: the manual's table holds in both directions, and no text or border is lost on the way."""

from dataclasses import replace
from pathlib import Path

import pytest
from datasets import load_from_disk
from huggingface_hub import DatasetCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.formats.exchange import Annotated
from newsmark.annotation.formats.exporting import choose
from newsmark.annotation.formats.importing import Choices, import_entries
from newsmark.annotation.formats.kinds import ASPECTS, FORMATS, files_of, table
from newsmark.annotation.formats.tokens import tokenize
from newsmark.annotation.labels import load_labels
from newsmark.annotation.passage_labels import labels_of_passages
from newsmark.annotation.splitting.passages import split_passages

SCHEME = load_labels()
MANUAL = Path("annotation/README.md")
TEXT = "Près de 100 pays 🇸🇪 ont signé.\r\n« Nous allons y travailler », dit-elle.\n\n  \u200fقال الوزير شيئا.\tCafe\u0301 👩‍👩‍👧 ok. \nSlut"
SAID = {"title": "Près de 100 pays", "url": "https://example.org/1", "author": "Eva Ek", "date": "2026-11-28", "source": "Bladet"}
DOCUMENT = Document(TEXT, "artikel 1.txt", "fr", SAID)


def span(words, label, kind=None, number=1):
    start = TEXT.index(words)
    return Span(f"x{number}", start, start + len(words), label, kind)


SPANS = (
    span("Près de 100 pays", "statistic", number=1),
    span("pays 🇸🇪 ont signé.\r\n« Nous", "commitment", number=2),
    span("« Nous allons y travailler », dit-elle.", "quote", "indirect", number=3),
    span("Cafe\u0301 👩‍👩‍👧", "statistic", number=4),
)
FIRST = Annotation(DOCUMENT.id, DOCUMENT.name, "ann", True, ("cybercrime", "other"), SPANS, note="osäker\nfråga")
SECOND = Annotation(DOCUMENT.id, DOCUMENT.name, "bo", False, (), SPANS[:1])
PASSED = Annotation(DOCUMENT.id, DOCUMENT.name, "cy", False, (), (), skipped=True)


def there_and_back(chosen, folder, annotated):
    """Write and read again; returns what came back, and what was reported."""
    path = folder / ("out" if chosen.folder else f"out{chosen.endings[0]}")
    lost = chosen.write(path, annotated)
    entries = [entry for file in files_of(chosen, path) for entry in chosen.read(file, None)]
    imported = import_entries(entries, SCHEME, Choices("imported", unit=chosen.unit))
    return imported, [*lost, *imported.left_out, *imported.unknown]


def plain(spans):
    return sorted((one.start, one.end, one.label, one.kind) for one in spans)


def kept(chosen, folder):
    """The aspects that come back from a file with all of them."""
    annotations = [FIRST, SECOND, PASSED]
    annotated, _ = choose([DOCUMENT], annotations, chosen.several, chosen.skips)
    imported, _ = there_and_back(chosen, folder, annotated)
    back = list(imported.annotations.values())
    first = back[0]
    whole = [document.text for document in imported.documents.values()] == [TEXT]
    found = {
        "text": whole,
        "borders": plain(SPANS)[:1] == plain(first.spans)[:1] and (plain(SPANS[3:])[0] in plain(first.spans)),
        "overlaps": any(a.end > b.start for a, b in zip(first.spans, first.spans[1:], strict=False)),
        "kinds": any(one.kind == "indirect" for one in first.spans),
        "topics": first.topics == FIRST.topics,
        "notes": first.note == FIRST.note,
        "annotator": first.annotator == "ann",
        "metadata": [document.metadata for document in imported.documents.values()] == [SAID],
        "several": len([one for one in back if not one.skipped]) == 2,
        "skipped": any(one.skipped for one in back),
    }
    assert set(found) == set(ASPECTS)
    return {aspect for aspect, held in found.items() if held}


@pytest.mark.parametrize("chosen", FORMATS, ids=lambda one: one.name)
def test_a_format_keeps_what_its_record_says_and_nothing_more(chosen, tmp_path):
    if chosen.name == "spacy":
        pytest.importorskip("spacy")
    assert kept(chosen, tmp_path) == set(chosen.keeps)


def test_the_manual_has_the_table_of_the_formats():
    assert table() in MANUAL.read_text(encoding="utf-8")


def test_each_file_of_a_format_has_its_record():
    not_formats = {"__init__", "commands", "data_card", "exchange", "exporting", "importing", "kinds", "rows", "tokens"}
    modules = {path.stem for path in Path("annotation/formats").glob("*.py")} - not_formats
    assert modules == {one.read.__module__.rpartition(".")[2] for one in FORMATS}


LETTERS = st.sampled_from(["a", "é", "e\u0301", "ß", "Ж", "你", "。", "🇸🇪", "👩‍👩‍👧", "𝒳", "م", "\u200f", "ا", " ", "  ", "\n", "\r\n", "\t", "\u2028",
                           "«", "[1]", "_", "|", "\\", "\\n", "*", ";", "#", "-", "->", "1", ",", '"', "\u200d", "\ufeff", "\x0b", "\x85"])  # fmt: skip


@st.composite
def annotated_texts(draw):
    """A text with one to four spans that may overlap, each with a visible character at both ends."""
    text = "x" + "".join(draw(st.lists(LETTERS, max_size=30))) + "y"
    document = Document(text, "n", "fr")
    places = [number for number, character in enumerate(text) if not character.isspace()]
    spans = {}
    for number in range(draw(st.integers(1, 4))):
        start, last = sorted((draw(st.sampled_from(places)), draw(st.sampled_from(places))))
        label = draw(st.sampled_from(["statistic", "quote", "commitment"]))
        spans[start, last + 1, label] = Span(f"s{number}", start, last + 1, label, "direct" if label == "quote" else None)
    ordered = tuple(spans[key] for key in sorted(spans))
    return Annotated(document, Annotation(document.id, "n", "ann", False, (), ordered))


def in_bio(one):
    """What BIO holds of spans: of two that overlap the longer one, and each cut at line breaks, without white space at the ends."""
    kept = []
    for span in sorted(one.annotation.spans, key=lambda span: span.start - span.end):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    pieces = []
    for span in kept:
        start = span.start
        for piece in one.document.text[span.start : span.end].split("\n"):
            bare = piece.strip()
            first = start + piece.find(bare)
            pieces += [(first, first + len(bare), span.label, span.kind)] * bool(bare)
            start += len(piece) + 1
    return sorted(pieces)


@pytest.mark.parametrize("chosen", [one for one in FORMATS if one.name != "huggingface"], ids=lambda one: one.name)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(one=annotated_texts())
def test_texts_and_borders_come_back_whatever_the_text_holds(chosen, tmp_path_factory, one):
    if chosen.name == "spacy":
        pytest.importorskip("spacy")
    imported, reported = there_and_back(chosen, tmp_path_factory.mktemp("file"), [one])
    if "text" in chosen.keeps:
        assert [document.text for document in imported.documents.values()] == [one.document.text]
    (back,) = imported.annotations.values()
    if {"borders", "overlaps"} <= set(chosen.keeps):
        assert plain(back.spans) == plain(one.annotation.spans)
        assert reported == []
    elif chosen.name == "conll":
        assert plain(back.spans) == in_bio(one)
        assert bool(reported) == (in_bio(one) != plain(one.annotation.spans))
    else:
        passages = split_passages(one.document.text, "fr")
        assert labels_of_passages(passages, back.spans, SCHEME) == labels_of_passages(passages, one.annotation.spans, SCHEME)


def test_hugging_face_data_sets_keep_odd_texts(tmp_path):
    chosen = next(one for one in FORMATS if one.name == "huggingface")
    imported, reported = there_and_back(chosen, tmp_path, [Annotated(DOCUMENT, FIRST)])
    (back,) = imported.annotations.values()
    assert plain(back.spans) == plain(SPANS)
    assert reported == []


def test_a_hugging_face_data_set_has_a_card_of_what_it_holds(tmp_path):
    chosen = next(one for one in FORMATS if one.name == "huggingface")
    chosen.write(tmp_path / "data", [Annotated(DOCUMENT, FIRST), Annotated(DOCUMENT, PASSED)])
    card = DatasetCard.load(tmp_path / "data" / "README.md")
    assert card.data.language == [DOCUMENT.language]
    assert card.data.size_categories == ["n<1K"]
    assert card.data.license is None
    assert f"2 annotations of 1 documents in {DOCUMENT.language} by 2 annotators" in card.text
    assert "1 as passed over" in card.text
    counts = {cells[1].strip(): int(cells[2]) for line in card.text.splitlines() if len(cells := line.split("|")) == 4 and cells[2].strip().isdecimal()}
    assert sum(counts.values()) == len(SPANS)
    assert len(load_from_disk(tmp_path / "data")) == 2


@given(text=st.text())
def test_tokens_leave_only_white_space_between_them(text):
    last = 0
    for start, end in [*tokenize(text), (len(text), len(text))]:
        assert not text[last:start].strip()
        last = end


def test_ground_truth_is_the_users_word(tmp_path):
    chosen = next(one for one in FORMATS if one.name == "doccano")
    chosen.write(tmp_path / "a.jsonl", [Annotated(DOCUMENT, replace(FIRST, ground_truth=False))])
    for word in (False, True):
        imported = import_entries(chosen.read(tmp_path / "a.jsonl", None), SCHEME, Choices("imported", ground_truth=word))
        assert [one.ground_truth for one in imported.annotations.values()] == [word]


def test_of_label_studios_annotations_those_with_a_star_are_the_ground_truth_on_the_users_word(tmp_path):
    chosen = next(one for one in FORMATS if one.name == "label-studio")
    chosen.write(tmp_path / "a.json", [Annotated(DOCUMENT, SECOND), Annotated(DOCUMENT, FIRST)])
    for word in (False, True):
        imported = import_entries(chosen.read(tmp_path / "a.json", None), SCHEME, Choices("imported", ground_truth=word))
        assert {one.annotator: one.ground_truth for one in imported.annotations.values()} == {"bo": False, "ann": word}
