"""From what another tool's file says to newsmark's documents and annotations: what fits is taken, and the rest is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..annotations import Annotation, Span
from ..characters import is_blank
from ..documents import Document, make_document
from ..errors import printable
from ..files import MAX_TEXT_BYTES, too_large
from ..labels import LabelScheme
from .exchange import CODE_POINTS, Entry, Mark, Offsets, trimmed


@dataclass(frozen=True)
class Choices:
    """What the user chose for an import.

    Attributes:
        annotator: name of the annotator where the file names none.
        mapping: newsmark's name for each foreign name; an empty one leaves the foreign name out.
        unit: what the file's offsets count.
        ground_truth: the user's word that the annotations, or those that the file marks so, are the adjudicated version.
    """

    annotator: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    unit: str = CODE_POINTS
    ground_truth: bool = False


@dataclass
class Imported:
    """What an import gives; filled by ``import_entries``.

    Attributes:
        documents: the texts, each once, by id.
        annotations: one per document and annotator.
        left_out: what could not be taken, one line each.
        unknown: how often each foreign name occurs that is neither a label nor a topic.
        decided: the annotator of each document's ground truth.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    annotations: dict[tuple[str, str], Annotation] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    decided: dict[str, str] = field(default_factory=dict)


def import_entries(entries: Iterable[Entry], scheme: LabelScheme, choices: Choices) -> Imported:
    """Make documents and annotations of entries.

    Offsets become code points and are checked against the text: inside it, and where the file repeats the marked words, that they
    are these words (white space aside). Spans are trimmed of white space.

    The annotators count as offered the labels that the entries use or list, and those that the user's mapping names; they judged no others.

    Args:
        entries: what the readers give.
        scheme: labels and topics.
        choices: the user's choices.
    """
    imported = Imported()
    listed = dict.fromkeys(choices.mapping)
    for entry in entries:
        listed |= dict.fromkeys(entry.offered)
        if is_blank(entry.text) or "\0" in entry.text:
            imported.left_out.append(f"{entry.where}: the text {'holds a NUL' if chr(0) in entry.text else 'is empty'}")
            continue
        if len(entry.text) > MAX_TEXT_BYTES:
            imported.left_out.append(too_large(entry.where, len(entry.text)))
            continue
        document = make_document(entry.text, printable(entry.name or entry.where.rpartition("/")[2]), entry.language, entry.metadata)
        document = imported.documents.setdefault(document.id, document)
        problems = list(entry.problems)
        annotation = _annotation(entry, document, scheme, choices, problems, imported.unknown) if entry.is_annotated else None
        if annotation:
            _add(annotation, entry.where, imported)
        imported.left_out += [f"{entry.where}: {problem}" for problem in problems]
    offered = {(_resolve(name, scheme, choices.mapping) or "").partition(":")[0] for name in listed}
    offered |= {span.label for one in imported.annotations.values() for span in one.spans}
    judged = tuple(name for name in scheme.label_names if name in offered)
    imported.annotations = {key: replace(one, offered=judged) for key, one in imported.annotations.items()}
    return imported


def _annotation(entry: Entry, document: Document, scheme: LabelScheme, choices: Choices, problems: list[str], unknown: Counter[str]) -> Annotation | None:
    """Read an entry's annotation; None where parts of it had to be left out and nothing is left: that would say that no passage has a label."""
    offsets, before = Offsets(entry.text, choices.unit), unknown.total() + len(problems)
    spans: list[Span] = []
    topics: set[str] = set()
    for mark in entry.marks:
        name = _resolve(mark.label, scheme, choices.mapping)
        if name is None or name in scheme.topic_names:
            unknown[mark.label] += 1
            continue
        placed = _place(mark, entry.text, offsets) if name else None
        if isinstance(placed, str):
            problems.append(placed)
        elif placed and name:
            spans.append(_span(*placed, name, mark.id))
    for category in entry.categories:
        name = _resolve(category, scheme, choices.mapping)
        if name is None:
            unknown[category] += 1
        elif name in scheme.topic_names:
            topics.add(name)
        elif name:
            spans.append(_span(*trimmed(entry.text, 0, len(entry.text)), name, None))
    if unknown.total() + len(problems) > before and not (spans or topics or entry.note):
        return None
    return Annotation(
        document.id,
        document.name,
        printable(entry.annotator or choices.annotator),
        choices.ground_truth and entry.ground_truth is not False and not entry.skipped,
        tuple(sorted(topics, key=scheme.topic_names.index)),
        () if entry.skipped else _with_ids(spans),
        skipped=entry.skipped,
        note=entry.note,
    )


def is_known(name: str, scheme: LabelScheme) -> bool:
    """Whether a name is a topic, or a label, with one of its kinds where it has kinds."""
    label, _, kind = name.partition(":")
    if label in scheme.label_names and scheme.label(label).kinds:
        return kind in scheme.label(label).kinds
    return name in (*scheme.label_names, *scheme.topic_names)


def _resolve(name: str, scheme: LabelScheme, mapping: Mapping[str, str]) -> str | None:
    """Newsmark's name for a foreign one: mapped whole or but for its kind, or as it is; "" for one to leave out, None for one that is not known."""
    if name in mapping:
        return mapping[name]
    label, _, kind = name.partition(":")
    mapped = mapping.get(label, label)
    if mapped == "":
        return ""
    return next((one for one in (f"{mapped}:{kind}" if kind else mapped, mapped) if is_known(one, scheme)), None)


def _span(start: int, end: int, name: str, span_id: str | None) -> Span:
    label, _, kind = name.partition(":")
    return Span(span_id or "", start, end, label, kind or None)


def _place(mark: Mark, text: str, offsets: Offsets) -> tuple[int, int] | str:
    """Find a mark's code points, or say why it does not fit."""
    start, end = offsets.to_code_points(mark.start), offsets.to_code_points(mark.end)
    what = f"the {mark.label} span at {mark.start}–{mark.end}"
    if start is None or end is None or start > end:
        return f"{what} is not in the text of {len(text)} characters"
    if mark.words is not None and _bare(mark.words) != _bare(text[start:end]):
        found, said = " ".join(text[start:end].split())[:40], " ".join(mark.words.split())[:40]
        return f"{what}: the text there is “{found}”, and the file says “{said}”; --offsets names what the file's offsets count"
    start, end = trimmed(text, start, end)
    return (start, end) if start < end else f"{what} holds only white space"


def _bare(words: str) -> str:
    """Words without white space, which tools collapse, trim, or write as a backslash and an n."""
    return "".join(words.replace("\\n", " ").replace("\\r", " ").replace("\\t", " ").split())


def _with_ids(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Put spans in order, each once and with an id of its own."""
    taken: set[str] = set()
    seen: set[tuple[int, int, str, str | None]] = set()
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end, one.label)):
        if (key := (span.start, span.end, span.label, span.kind)) in seen:
            continue
        seen.add(key)
        own, number = span.id, len(found)
        while not own or own in taken:
            number += 1
            own = f"s{number}"
        taken.add(own)
        found.append(replace(span, id=own))
    return tuple(found)


def _add(annotation: Annotation, where: str, imported: Imported) -> None:
    """Add an annotation; a second one by the same annotator is kept as "NAME (2)", unless it says the same."""
    number, own = 1, annotation
    while (key := (own.document_id, own.annotator)) in imported.annotations:
        if replace(imported.annotations[key], annotator="", ground_truth=False) == replace(own, annotator="", ground_truth=False):
            return
        number += 1
        own = replace(annotation, annotator=f"{annotation.annotator} ({number})")
    if own.ground_truth and (other := imported.decided.setdefault(own.document_id, own.annotator)) != own.annotator:
        imported.left_out.append(f"{where}: not the ground truth of {own.name}, because that of {other} is; a document has one ground truth")
        own = replace(own, ground_truth=False)
    imported.annotations[own.document_id, own.annotator] = own
