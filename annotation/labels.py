"""The labels and topics, read from ``configs/labels.yaml``: the one place that names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from .errors import UsageError
from .folders import CONFIGS
from .yaml_files import CHECKED, build, parse_mapping, read_mapping

DEFAULT_LABELS = CONFIGS / "labels.yaml"


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError("of the form '#rrggbb'")
    return text


Color = Annotated[str, AfterValidator(_color)]


@checked_dataclass(frozen=True, config=CHECKED)
class Topic:
    """A topic of a whole document."""

    name: str
    definition: str
    color: Color
    hotkey: str


@checked_dataclass(frozen=True, config=CHECKED)
class Label:
    """A label of a span or passage.

    Attributes:
        hotkey: of a label with kinds, it marks with the first one, unless that has a hotkey of its own.
        kinds: a span of this label has exactly one of these; empty where the label has no kinds.
        kind_hotkeys: of each kind; empty where the file gives none. In the file, ``kinds`` maps them to these.
        exclusive: a passage with this label has no other.
        examples: texts that have the label, for the annotators' instructions.
    """

    name: str
    definition: str
    color: Color
    hotkey: str
    kinds: tuple[str, ...] = Field((), title="names")
    exclusive: bool = False
    examples: tuple[str, ...] = Field(default=(), title="texts")
    kind_hotkeys: tuple[str | None, ...] = ()

    @property
    def marks(self) -> dict[str | None, str | None]:
        """What a span of the label can be, with the hotkey of each: its kinds, or None where it has none."""
        if not self.kinds:
            return {None: self.hotkey}
        own = dict(zip(self.kinds, self.kind_hotkeys or [None] * len(self.kinds), strict=True))
        return {kind: own[kind] or (self.hotkey if kind == self.kinds[0] else None) for kind in self.kinds}


@dataclass(frozen=True)
class LabelScheme:
    """All labels and topics, in the order of the file."""

    labels: tuple[Label, ...]
    topics: tuple[Topic, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels; their order is the order of every target vector."""
        return tuple(label.name for label in self.labels)

    @property
    def topic_names(self) -> tuple[str, ...]:
        """Names of the topics."""
        return tuple(topic.name for topic in self.topics)

    @property
    def exclusive_names(self) -> frozenset[str]:
        """Names of the labels that exclude all others."""
        return frozenset(label.name for label in self.labels if label.exclusive)

    def label(self, name: str) -> Label:
        """Find a label by name.

        Raises:
            KeyError: there is none of that name.
        """
        return {label.name: label for label in self.labels}[name]


T = TypeVar("T", Label, Topic)


def load_labels(path: Path = DEFAULT_LABELS) -> LabelScheme:
    """Read the labels file.

    Args:
        path: a YAML file laid out as ``configs/labels.yaml``.

    Returns:
        The labels and topics.

    Raises:
        UsageError: the file is missing or not as it must be; the message names the file and the key.
    """
    return _scheme(read_mapping(path, "labels"), path)


def parse_labels(text: str, where: Path) -> LabelScheme:
    """Read the text of a labels file (see ``load_labels``)."""
    return _scheme(parse_mapping(text, str(where), "labels"), where)


def _scheme(content: dict[Any, Any], path: Path) -> LabelScheme:
    if set(content) != {"labels", "topics"}:
        raise UsageError(f"{path}: needs exactly the keys 'labels' and 'topics'")
    labels, topics = _entries(Label, content["labels"], f"{path}: labels"), _entries(Topic, content["topics"], f"{path}: topics")
    hotkeys = [key for label in labels for key in label.marks.values() if key] + [topic.hotkey for topic in topics]
    hotkeys += [label.hotkey for label in labels if label.hotkey not in label.marks.values()]
    twice = next((key for key in hotkeys if hotkeys.count(key) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: hotkey {twice!r} is given twice; each label, kind and topic needs its own")
    return LabelScheme(labels, topics)


def is_name(text: str) -> bool:
    """Whether a label or topic can have this name."""
    return re.fullmatch(r"[a-z][a-z0-9_-]*", text) is not None


def _entries(cls: type[T], section: object, where: str) -> tuple[T, ...]:
    if not isinstance(section, Mapping) or not section:
        raise UsageError(f"{where}: must map at least one name to its settings")
    return tuple(_entry(cls, name, settings, f"{where}.{name}") for name, settings in section.items())


def _entry(cls: type[T], name: object, settings: Any, where: str) -> T:
    if not isinstance(name, str) or not is_name(name):
        raise UsageError(f"{where}: a name is made of a-z, 0-9, '-' and '_', and starts with a letter")
    if not isinstance(settings, dict):
        raise UsageError(f"{where}: must map settings such as 'definition' to their values")
    beside: dict[str, Any] = {"name": name}
    if cls is Label:
        kinds = settings.get("kinds")
        hotkeys = tuple(kinds.values()) if isinstance(kinds, dict) else ()
        if not all(key is None or (isinstance(key, str) and key) for key in hotkeys):
            raise UsageError(f"{where}.kinds: must be a list of names, or map each name to its hotkey in quotation marks, got {kinds!r}")
        settings, beside["kind_hotkeys"] = {**settings, **({"kinds": list(kinds)} if isinstance(kinds, dict) else {})}, hotkeys
    return build(cls, settings, lambda key: f"{where}.{key}", where, **beside)
