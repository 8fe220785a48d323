"""Which articles to annotate next: those in which a model expects most labels per passage, each language in its share, near copies last.

Chosen by ``train simulate`` (training/RESULTS.md): it had the highest mean of all ways on the articles that were for choosing. The gain over random
articles is small and not proven; so what counts most are the shares and the near copies.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .annotations import Annotation, labels_of_passages
from .documents import Document
from .labels import LabelScheme
from .near_copies import NearCopies
from .questions import distance
from .splitting.passages import split_passages
from .suggestions import Scorer

_ONE_IN = 8
"""One in this number of an article's shingles is compared: some 600 of 5,000, which measure a similarity to .02."""


@dataclass(frozen=True)
class Queued:
    """An article with its place in the queue.

    Attributes:
        document: the article.
        value: expected labels per passage, weighted by how rare each is.
        label: the label that adds most to it.
        passages: number of passages.
        expected: number of passages that are expected to have that label.
        copy_of: name of an article before it, or of an annotated one, that it is a near copy of; "" where there is none.
    """

    document: Document
    value: float
    label: str
    passages: int
    expected: float
    copy_of: str = ""

    @property
    def reason(self) -> str:
        """Why it is where it is, in words."""
        if self.copy_of:
            return f"near copy of {self.copy_of}"
        return f"about {self.expected:.0f} of {self.passages} passages with {self.label}; language {self.document.language}"


def uncertainty(probability: float, threshold: float = 0.5) -> float:
    """Entropy of the answer in bits, counted so that it is 1 at the threshold and 0 where there is no doubt."""
    ratio = math.exp(-distance(probability, threshold))
    yes, no = 1 / (1 + ratio), ratio / (1 + ratio)
    return -(yes * math.log2(yes) + no * math.log2(no))


def rarity_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """Weights of labels, 1 on average: a label that fewer annotated passages have counts more, by the root of their number.

    Args:
        counts: number of annotated passages that have each label.
    """
    raw = {label: 1 / math.sqrt(count + 1) for label, count in counts.items()}
    mean = sum(raw.values()) / len(raw) if raw else 1.0
    return {label: value / mean for label, value in raw.items()}


def label_counts(documents: Iterable[Document], annotations: Iterable[Annotation], scheme: LabelScheme) -> dict[str, int]:
    """Count the annotated passages with each label, once per annotator."""
    by_id = {one.id: one for one in documents}
    counts = dict.fromkeys(scheme.label_names, 0)
    for one in annotations:
        if one.document_id in by_id:
            document = by_id[one.document_id]
            for labels in labels_of_passages(split_passages(document.text, document.language), one.spans, scheme):
                for label in labels:
                    counts[label] += 1
    return counts


def doubt_by_label(passages: Sequence[Mapping[str, float]], thresholds: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """Weighted uncertainty of each label, the mean over an article's passages.

    Args:
        passages: probability of each label for each passage.
        thresholds: probability from which on the model gives each label.
        weights: of the labels (see ``rarity_weights``).
    """
    size = max(len(passages), 1)
    return {label: weights[label] * sum(uncertainty(one[label], thresholds[label]) for one in passages) / size for label in thresholds}


def in_shares(articles: Iterable[tuple[str, str, float]]) -> list[str]:
    """Order articles by value, each language in its share: every start of the queue has as much of a language as the whole, as far as that goes.

    Args:
        articles: id, language and value of each.
    """
    by_language: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for key, language, value in articles:
        by_language[language].append((-value, key))
    places = [((number + 0.5) / len(some), *one) for some in by_language.values() for number, one in enumerate(sorted(some))]
    return [key for _, _, key in sorted(places)]


def expected_labels(passages: Sequence[Mapping[str, float]], weights: Mapping[str, float]) -> dict[str, float]:
    """Weighted number of passages expected to have each label, per passage of an article.

    Args:
        passages: probability of each label for each passage.
        weights: of the labels that count (see ``rarity_weights``).
    """
    size = max(len(passages), 1)
    return {label: weight * sum(one[label] for one in passages) / size for label, weight in weights.items()}


def queue_articles(
    documents: Sequence[Document], scorer: Scorer, counts: Mapping[str, int], exclusive: Container[str], annotated: Iterable[Document] = ()
) -> list[Queued]:
    """Order the articles that nobody has annotated.

    Args:
        documents: the articles.
        scorer: a model.
        counts: number of annotated passages that have each label; a label that is not there has none.
        exclusive: labels of page furniture, which is plentiful and not looked for.
        annotated: articles that were annotated; near copies of these come last, too.

    Returns:
        All articles; near copies of earlier ones at the end.
    """
    wanted = [label for label in scorer.labels if label not in exclusive] or scorer.labels
    weights = rarity_weights({label: counts.get(label, 0) for label in wanted})
    found = {one.id: _scored(one, scorer, weights) for one in documents}
    order = in_shares((key, one.document.language, one.value) for key, one in found.items())
    known = list({one.text: one.name for one in annotated}.items())
    copies = NearCopies((text for text, _ in known), _ONE_IN)
    names = [name for _, name in known]
    first, last = [], []
    for key in order:
        queued = found[key]
        near = copies.find(queued.document.text)
        if near:
            last.append(Queued(**{**vars(queued), "copy_of": names[max(near, key=lambda pair: pair[1])[0]]}))
        else:
            copies.add(queued.document.text)
            names.append(queued.document.name)
            first.append(queued)
    return first + last


def _scored(document: Document, scorer: Scorer, weights: Mapping[str, float]) -> Queued:
    passages = [one.labels for one in scorer.scores(document)]
    values = expected_labels(passages, weights)
    label = max(values, key=lambda name: values[name])
    return Queued(document, sum(values.values()), label, len(passages), values[label] * len(passages) / weights[label])
