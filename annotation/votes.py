"""What the annotations of a document say together: the labels of each passage, as training takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .annotations import Annotation
from .labels import LabelScheme
from .passage_labels import labels_of_passages
from .splitting.passages import Passage


@dataclass(frozen=True)
class Votes:
    """The outcome for n passages.

    Attributes:
        labels: of each passage, in the order of the labels file.
        judged: labels that somebody was offered; nothing is known about the others.
    """

    labels: tuple[tuple[str, ...], ...]
    judged: tuple[str, ...]


def counting(annotations: Iterable[Annotation]) -> list[Annotation]:
    """The annotations of a document that count: the ground truth, where there is one, else all that were not skipped."""
    own = [one for one in annotations if not one.skipped]
    return [one for one in own if one.ground_truth] or own


def count_votes(passages: Sequence[Passage], annotations: Sequence[Annotation], scheme: LabelScheme) -> Votes:
    """Give each passage the labels that at least half of those give it who were offered them; of two, one suffices.

    Args:
        passages: of the document.
        annotations: those that count (see ``counting``), with what they were offered (see ``with_offered``).
        scheme: labels and topics.
    """
    given = [labels_of_passages(passages, one.spans, scheme) for one in annotations]
    judging = {name: [number for number, one in enumerate(annotations) if name in (one.offered or ())] for name in scheme.label_names}
    judged = tuple(name for name, who in judging.items() if who)
    rows = []
    for index in range(len(passages)):
        labels = tuple(name for name in judged if 2 * sum(name in given[number][index] for number in judging[name]) >= len(judging[name]))
        rows.append(tuple(name for name in labels if name not in scheme.exclusive_names) if len(labels) > 1 else labels)
    return Votes(tuple(rows), judged)
