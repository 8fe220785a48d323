"""All reasons that need no model, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import borders, disagreement, translations, twins
from .doubt import Reason

MODEL = "model"
"""Name of the reason that needs a training run (see ``newsmark.annotate``)."""

REASONS: Mapping[str, Reason] = {
    disagreement.NAME: disagreement.annotators_disagree,
    twins.NAME: twins.twins_differ,
    translations.NAME: translations.translations_differ,
    borders.NAME: borders.borders_are_odd,
}

LoadReason = Callable[[str | None], Reason]
"""Makes the reason of a run, by its id; None stands for the newest run with out-of-fold predictions."""
