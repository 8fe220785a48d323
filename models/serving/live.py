"""The suggester that answers at present: a model that is followed where its alias moves, or the rules."""

from __future__ import annotations

import asyncio
import logging

from ...annotation.errors import NewsmarkError, UsageError
from ...annotation.labels import LabelScheme
from ...annotation.suggestions import RuleSuggester, Suggester, SureSuggester
from ..model import TrainedModel
from ..prediction.suggest import ModelSuggester
from .following import FollowedModel, in_thread
from .limits import Limits

logger = logging.getLogger("newsmark.serving")

_LOOK_SECONDS = 3
"""How often to look for a first model."""


class LiveSuggester:
    """What suggests at present: a model that is followed where its alias moves, or the rules as long as there is none.

    Args:
        name: of the model: a folder, a run id or an MLflow URI; None for the champion, else the newest model.
        scheme: labels and topics.
        least: score from which on a span is suggested.

    Attributes:
        present: the suggester.
        lacking: why there is no model; None where there is one.

    Raises:
        NewsmarkError: there is no model of the name that was given, or the model gives labels that the scheme does not have.
    """

    def __init__(self, name: str | None, scheme: LabelScheme, least: float = 0.0) -> None:
        self._least = least
        self.present = self._sure(RuleSuggester(scheme))
        self.lacking: str | None = None
        self._name, self._scheme = name, scheme
        self._followed: FollowedModel | None = None
        try:
            self._find()
        except UsageError:
            raise
        except NewsmarkError as error:
            if name is not None or self._followed is not None:
                raise
            self.lacking = str(error)

    async def follow(self) -> None:
        """Look again and again for another model, without end."""
        while self._followed is None:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await in_thread(self._find)
            except Exception as error:  # noqa: BLE001 - the rules go on
                if str(error) != self.lacking:
                    logger.warning("no model can be used; the rules suggest", extra={"reason": " ".join(str(error).split())})
                self.lacking = str(error)
        await self._followed.follow()

    def _find(self) -> None:
        self._followed = FollowedModel(self._name, Limits().passages, lambda model: self._take(model) if self._followed else None)
        self._take(self._followed.batcher.model)

    def _take(self, model: TrainedModel) -> None:
        assert self._followed is not None
        self.present = self._sure(ModelSuggester.of(model, self._scheme, self._followed.source))
        self.lacking = None

    def _sure(self, suggester: Suggester) -> Suggester:
        return SureSuggester(suggester, self._least) if self._least else suggester
