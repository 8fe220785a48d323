"""A request to label texts and its answer: the one definition that the server and the logged model share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Input(BaseModel):
    """A text to label: an article, or a single passage where the parameter ``split`` is false."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    lang: str | None = Field(default=None, description="ISO 639-1 code; identified from the text where it is not given", max_length=35)
    before: str | None = Field(default=None, description="the passage before, where the text is a single passage")
    after: str | None = Field(default=None, description="the passage after, where the text is a single passage")
    furniture: float | None = Field(
        default=None,
        ge=-100,
        le=100,
        allow_inf_nan=False,
        description="logarithmic odds that it is furniture, as far as the page says that it is from; for single passages",
    )


class Params(BaseModel):
    """How to label."""

    model_config = ConfigDict(extra="forbid", strict=True)

    threshold: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False, description="give a label from this score on; by default each label's own")
    split: bool = Field(default=True, description="cut each text into passages; false: each text is one passage")
    spans: bool = Field(default=False, description="say where in each passage the span of each label begins and ends")


class LabelRequest(BaseModel):
    """Texts to label, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: list[Input] = Field(min_length=1)
    params: Params = Field(default_factory=lambda: Params.model_validate({}))


class LabelledPassage(BaseModel):
    """A passage: its offsets in the text (code points), labels, probability of every label, whether it needs review, whether it is longer than what is read."""

    start: int
    end: int
    text: str
    labels: list[str]
    scores: dict[str, float]
    review: bool
    truncated: bool


class LabelledText(BaseModel):
    """The passages of one text in reading order, and the version of the model."""

    passages: list[LabelledPassage]
    model_version: str


class LabelledSpan(BaseModel):
    """A span: its offsets in the passage (code points), its label with its probability, and its kind where the label has kinds."""

    start: int
    end: int
    label: str
    score: float
    kind: str | None


class ServedPassage(LabelledPassage):
    """A passage, with its spans where they were asked for."""

    spans: list[LabelledSpan] | None = Field(default=None, description="only where the request asks for them")


class ServedText(LabelledText):
    """The passages of one text in reading order, and the version of the model."""

    passages: list[ServedPassage]  # type: ignore[assignment]  # narrower, and only read


class LabelAnswer(BaseModel):
    """One entry per text, in the order of the request."""

    predictions: list[ServedText]


class Refusal(BaseModel):
    """Why a request was not answered, in one sentence."""

    error: str
