"""The data card of an exported data set, in the layout of the Hugging Face Hub: facts as front matter, then counts and fields as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from string import Template

from ..folders import CONFIGS
from .exchange import Annotated, full_label

_TEMPLATE = CONFIGS / "data_card.md"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The Hub's classes of size, by the number of rows below which each is."""


def data_card(annotated: Sequence[Annotated]) -> str:
    """Describe annotations that are handed on (Gebru et al. 2021, "Datasheets for datasets"), from what they hold; what they don't say is left to fill in."""
    from huggingface_hub import DatasetCardData

    documents = {one.document.id: one.document for one in annotated}
    languages = sorted({one.language for one in documents.values()})
    spans = Counter(full_label(span) for one in annotated for span in one.annotation.spans)
    size = next((name for most, name in _SIZES if len(annotated) < most), "n>1M")
    facts = DatasetCardData(
        language=languages,
        task_categories=["token-classification", "text-classification"],
        size_categories=[size],
        multilinguality=["multilingual" if len(languages) > 1 else "monolingual"],
        tags=["newsmark", "news"],
    )
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        facts=str(facts.to_yaml()).strip(),
        documents=len(documents),
        annotations=len(annotated),
        annotators=len({one.annotation.annotator for one in annotated}),
        skipped=sum(one.annotation.skipped for one in annotated),
        truths=sum(one.annotation.ground_truth for one in annotated),
        languages=", ".join(languages),
        labels="\n".join(f"| {name} | {count} |" for name, count in spans.most_common()),
    )
