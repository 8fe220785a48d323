"""What ``annotate check`` and ``annotate agreement`` answer: as one object for scripts, and laid out for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .agreement import PairAgreement, krippendorff_alpha, measure_agreement, shared_documents, topic_alpha
from .annotations import Annotation, Span, annotations_by_document, with_offered
from .disputes import Dispute, Mark, compare_annotations
from .documents import Document
from .labels import LabelScheme
from .passage_labels import labels_of_passages, odd_spans
from .splitting.passages import split_passages

Answer = dict[str, Any]


def check_answer(documents: Sequence[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> Answer:
    """Count the labels of each annotation's passages.

    Returns:
        ``documents`` (a number), ``annotations`` (an object for each, by name of document; null counts a label that the annotator was not
        offered), the documents ``without_annotation``, and the number of ``undecided`` documents: of several annotators, without a ground truth.
    """
    index = annotations_by_document(with_offered(annotations, scheme))
    rows: list[Answer] = []
    for document in sorted((one for one in documents if one.id in index), key=lambda one: one.name):
        passages = split_passages(document.text, document.language)
        for one in sorted(index[document.id], key=lambda one: (one.ground_truth, one.annotator)):
            labels = labels_of_passages(passages, one.spans, scheme)
            counts = Counter(name for names in labels for name in names)
            rows.append(
                {
                    "document": document.id,
                    "name": document.name,
                    "lang": document.language,
                    "annotator": one.annotator,
                    "ground_truth": one.ground_truth,
                    "skipped": one.skipped,
                    "passages": len(labels),
                    "labels": {name: counts[name] if name in (one.offered or ()) else None for name in scheme.label_names},
                    "none": sum(not names for names in labels),
                    "topics": list(one.topics),
                    "odd": [_odd(document, first, second, reason, one.task_url) for first, second, reason in odd_spans(one.spans, scheme)],
                }
            )
    missing = [{"document": document.id, "name": document.name} for document in documents if document.id not in index]
    own = [[one for one in index.get(document.id, []) if not one.skipped] for document in documents]
    undecided = sum(len(some) > 1 and not any(one.ground_truth for one in some) for some in own)
    return {"documents": len(documents), "annotations": rows, "without_annotation": missing, "undecided": undecided}


def _odd(document: Document, first: Span, second: Span, reason: str, url: str | None) -> Answer:
    start, end = max(first.start, second.start), min(first.end, second.end)
    return {"start": start, "end": end, "text": document.text[start:end], "reason": reason, "task_url": url}


def check_text(answer: Answer, scheme: LabelScheme) -> str:
    """Lay out what ``check_answer`` counted."""
    from tabulate import tabulate  # keeps --help fast

    rows = []
    for one in answer["annotations"]:
        state = " (ground truth)" if one["ground_truth"] else " (skipped)" if one["skipped"] else ""
        rows.append(
            [
                one["name"],
                one["lang"],
                one["annotator"] + state,
                one["passages"],
                *("–" if count is None else count for count in one["labels"].values()),
                one["none"],
                ", ".join(one["topics"]),
            ]
        )
    table = tabulate(rows, headers=["document", "lang", "annotator", "passages", *scheme.label_names, "none", "topics"])
    missing = ", ".join(one["name"] for one in answer["without_annotation"])
    lines = [f"{_count(answer['documents'], 'document')}, {_count(len(rows), 'annotation')}" + (f"; without any: {missing}" if missing else "")]
    if answer["undecided"]:
        lines.append(
            f"{_count(answer['undecided'], 'document')} of several annotators without a ground truth: a passage gets the labels that at least half "
            "of those gave it who were offered them (of two annotators who differ, one suffices); annotate adjudicate decides"
        )
    if any(None in one["labels"].values() for one in answer["annotations"]):
        lines.append("–: the annotator was not offered the label, so nothing is said about it")
    for one in answer["annotations"]:
        for odd in one["odd"]:
            where = f"{one['name']}, {one['annotator']}, {odd['start']}–{odd['end']} “{' '.join(odd['text'].split())[:40]}”"
            lines.append(f"odd: {where}: {odd['reason']}" + (f" ({odd['task_url']})" if odd["task_url"] else ""))
    return "\n".join([f"{table}\n", *lines])


def agreement_answer(documents: Sequence[Document], annotations: Sequence[Annotation], scheme: LabelScheme) -> Answer:
    """Measure agreement and collect what is in dispute.

    Returns:
        ``pairs`` (each two annotators' scores, per label and on topics), ``alpha`` by label, ``topic_alpha``, ``decided`` (the number of
        shared documents that have a ground truth), and the ``disputes`` of the others, the document with the most first.
    """
    shared = shared_documents(documents, annotations, scheme)
    disputes = sorted((one for one in compare_annotations(shared, scheme) if one.size), key=lambda one: -one.size)
    return {
        "pairs": [_pair(names, one) for names, one in measure_agreement(shared, scheme).items()],
        "alpha": krippendorff_alpha(shared, scheme),
        "topic_alpha": topic_alpha(shared, scheme),
        "decided": sum(one.decided for one in shared),
        "disputes": [dispute_answer(one) for one in disputes],
    }


def dispute_answer(dispute: Dispute) -> Answer:
    """What is in dispute in one document: passages, spans and topics, and who says what."""
    document = dispute.shared.document
    urls = [one.task_url for one in dispute.shared.annotations.values() if one.task_url]
    passages = [{**vars(one.passage), "marks": {name: sorted(map(_mark_name, marks)) for name, marks in one.marks.items()}} for one in dispute.passages]
    spans = [
        {
            "start": one.span.start,
            "end": one.span.end,
            "text": document.text[one.span.start : one.span.end],
            "label": one.span.label,
            "kind": one.span.kind,
            "marked_by": list(one.marked_by),
            "not_by": list(one.not_by),
        }
        for one in dispute.spans
    ]
    topics = {name: list(some) for name, some in dispute.topics.items()}
    return {"document": document.id, "name": document.name, "task_url": urls[-1] if urls else None, "topics": topics, "passages": passages, "spans": spans}


def agreement_text(answer: Answer) -> str:
    """Lay out what ``agreement_answer`` measured."""
    from tabulate import tabulate  # keeps --help fast

    lines = []
    for pair in answer["pairs"]:
        first, second = pair["annotators"]
        rows = [[label, *(None if math.isnan(value) else value for value in scores.values())] for label, scores in pair["labels"].items()]
        headers = ["label", first, second, "passage kappa", "passage F1", "span F1 exact", "span F1 overlap"]
        lines += [f"{first} and {second}", tabulate(rows, headers=headers, floatfmt=".2f", missingval="–")]
        lines.append(f"topics: F1 {_number(pair['topic_f1'])}, kappa {_number(pair['topic_kappa'])} over the pairs of document and topic\n")
    lines.append("Krippendorff's alpha over passages, all annotators: " + ", ".join(f"{label} {_number(alpha)}" for label, alpha in answer["alpha"].items()))
    lines.append(f"… and over the pairs of document and topic: {_number(answer['topic_alpha'])}")
    return "\n".join([*lines, *_dispute_lines(answer["disputes"], answer["decided"])])


def _pair(names: tuple[str, str], agreement: PairAgreement) -> Answer:
    labels = {one.label: {key: value for key, value in vars(one).items() if key != "label"} for one in agreement.labels}
    return {"annotators": list(names), "labels": labels, "topic_f1": agreement.topic_f1, "topic_kappa": agreement.topic_kappa}


def _dispute_lines(disputes: Sequence[Answer], decided: int) -> list[str]:
    passages, spans = (sum(len(one[what]) for one in disputes) for what in ("passages", "spans"))
    topics = sum(bool(one["topics"]) for one in disputes)
    lines = [f"\nin dispute: {_count(passages, 'passage')}, {_count(spans, 'span')}, the topics of {_count(topics, 'document')}"]
    if decided:
        lines[0] += f"; left out: {_count(decided, 'document')} with a ground truth"
    for one in disputes:
        lines.append(f"\n{one['name']}: {_count(len(one['passages']), 'passage')}, {_count(len(one['spans']), 'span')} {one['task_url'] or ''}".rstrip())
        if one["topics"]:
            lines.append(f"  topics {_given(one['topics'])}")
        lines += [f"  passage {passage['start']}–{passage['end']} {_given(passage['marks'])} | {passage['text'][:80]}" for passage in one["passages"]]
        for span in one["spans"]:
            who, words = f"by {', '.join(span['marked_by'])}, not by {', '.join(span['not_by'])}", " ".join(span["text"].split())
            lines.append(f"  span {span['start']}–{span['end']} {_mark_name((span['label'], span['kind']))} {who} | {words[:80]}")
    return lines


def _mark_name(mark: Mark) -> str:
    label, kind = mark
    return f"{label} ({kind})" if kind else label


def _given(names: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{annotator}: {', '.join(sorted(some)) or 'none'}" for annotator, some in names.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
