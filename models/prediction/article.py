"""``predict --article``: articles without their furniture."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...annotation.errors import NewsmarkError

if TYPE_CHECKING:
    from .local import Added
    from .rows import Row

FURNITURE = "boilerplate"
"""The label of what stands around an article."""


class ArticlePrinter:
    """Prints the passages that are not labelled as furniture, with the lines of the article; a blank line divides two articles."""

    def __init__(self) -> None:
        self._document: object = None
        self._begun = self._breaks = False

    def __call__(self, rows: Iterable[tuple[Row, Added]]) -> None:
        """Print rows, perhaps only the next ones of an article.

        Raises:
            NewsmarkError: the model does not know the label.
        """
        for row, added in rows:
            if FURNITURE not in added["scores"]:
                raise NewsmarkError(f"--article leaves out what is labelled {FURNITURE!r}, and this model has no such label; name another model")
            self._breaks = self._breaks or row.begins_line
            if FURNITURE in added["labels"]:
                continue
            if self._begun:
                sys.stdout.write("\n\n" if row.document != self._document else "\n" if self._breaks else " ")
            sys.stdout.write(row.text)
            self._document, self._begun, self._breaks = row.document, True, False

    def close(self) -> None:
        """End the last line."""
        sys.stdout.write("\n" if self._begun else "")
