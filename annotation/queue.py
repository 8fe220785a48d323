"""Which articles to annotate next: any of them, each language in its share, near copies last.

No model is asked: no way of choosing by what a model says was shown to be better than random articles (``train simulate``, training/RESULTS.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from .documents import Document
from .near_copies import NearCopies

Key = TypeVar("Key", int, str)

_ONE_IN = 8
"""One in this number of an article's shingles is compared: some 600 of 5,000, which measure a similarity to .02."""


@dataclass(frozen=True)
class Queued:
    """An article with its place in the queue.

    Attributes:
        document: the article.
        copy_of: name of an article of the queue, or of one that is annotated, that it is a near copy of; "" where there is none.
    """

    document: Document
    copy_of: str = ""

    @property
    def reason(self) -> str:
        """Why it is where it is, in words."""
        return f"near copy of {self.copy_of}" if self.copy_of else f"by chance; language {self.document.language}"


def in_shares(articles: Iterable[tuple[Key, str]]) -> list[Key]:
    """Give each language its share: every start of the queue has as much of a language as the whole, as far as that goes.

    Args:
        articles: id and language of each; those of a language keep their order.
    """
    by_language: dict[str, list[Key]] = defaultdict(list)
    for key, language in articles:
        by_language[language].append(key)
    places = [((number + 0.5) / len(some), key) for some in by_language.values() for number, key in enumerate(some)]
    return [key for _, key in sorted(places)]


def queue_articles(documents: Iterable[Document], annotated: Iterable[Document] = ()) -> list[Queued]:
    """Order the articles that nobody has annotated: by their ids, which are digests of the texts and so as good as chance, but the same every time.

    Args:
        documents: the articles.
        annotated: articles that were annotated; near copies of these come last, too.

    Returns:
        All articles; near copies of others at the end.
    """
    names = {one.text: one.name for one in annotated}
    copies, known = NearCopies(names, _ONE_IN), list(names.values())
    first: dict[str, Document] = {}
    last = []
    for document in sorted(documents, key=lambda one: one.id):
        near = copies.find(document.text)
        if near:
            last.append(Queued(document, known[max(near, key=lambda pair: pair[1])[0]]))
        else:
            copies.add(document.text)
            known.append(document.name)
            first[document.id] = document
    return [Queued(first[key]) for key in in_shares((one.id, one.language) for one in first.values())] + last
