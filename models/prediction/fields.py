"""The names of the fields that labelled rows get, and what becomes of the input's own fields with these names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ADDED = ("labels", "scores", "review", "truncated", "model_version")
"""What labelling adds. A field of the input that is called so comes back as ``input_labels`` and so on."""

OF_SPAN = ("start", "end", "text", "label", "kind", "score", "model_version")
"""What a row has with ``--spans``, after the fields of the input; a field of a row of the input that is called so comes back as ``input_start`` and so on."""

OF_ARTICLE = ("document", "name", "start", "end", "text")
"""What a passage of an article gets; the article's own ``name`` stays."""


def free_name(name: str, present: Iterable[str], taken: Sequence[str]) -> str:
    """The name that a field or column of the input comes back under: its own, or ``input_…`` where that one is taken.

    Args:
        name: its own.
        present: all names of the input.
        taken: names of new fields.
    """
    if name not in taken:
        return name
    known = set(present)
    while name in known or name in taken:
        name = f"input_{name}"
    return name
