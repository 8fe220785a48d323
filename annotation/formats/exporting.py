"""Which annotations are written to another tool's file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..annotations import Annotation, annotations_by_document
from ..documents import Document
from .exchange import Annotated


def choose(
    documents: Iterable[Document],
    annotations: Sequence[Annotation],
    several: bool,
    skips: bool,
    annotator: str | None = None,
) -> tuple[list[Annotated], list[str]]:
    """Choose the annotations of each document.

    Args:
        documents: the documents, in the order to write them.
        annotations: annotations of them.
        several: the format holds more than one annotation of a document; otherwise the ground truth is chosen, or the only annotation.
        skips: the format says that a document was passed over; otherwise such an annotation, which has no spans, would say that nothing has a label.
        annotator: choose this annotator's alone.

    Returns:
        What to write, and a line for each document that is left out.
    """
    chosen: list[Annotated] = []
    left_out = []
    index = annotations_by_document(annotations)
    for document in documents:
        own = [one for one in index.get(document.id, []) if annotator in {None, one.annotator} and (skips or not one.skipped)]
        if not several:
            own = [one for one in own if one.ground_truth] or own
        if not own:
            left_out.append(f"{document.name}: no annotation{f' by {annotator}' if annotator else ''}")
        elif len(own) > 1 and not several:
            names = ", ".join(one.annotator for one in own)
            left_out.append(f"{document.name}: annotated by {names}, none is the ground truth, and the format holds one annotation; choose with --annotator")
        else:
            chosen += [Annotated(document, one) for one in own]
    return chosen, left_out
