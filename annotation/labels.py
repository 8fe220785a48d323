"""The labels and topics, read from ``configs/labels.yaml``: the one place that names them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import NewsmarkError, unknown_name
from .files import read_text

DEFAULT_LABELS = Path(__file__).resolve().parent.parent / "configs" / "labels.yaml"


@dataclass(frozen=True)
class Topic:
    """A topic of a whole document."""

    name: str
    definition: str
    color: str
    hotkey: str


@dataclass(frozen=True)
class Label:
    """A label of a span or passage.

    Attributes:
        kinds: a span of this label has exactly one of these; empty where the label has no kinds.
        exclusive: a passage with this label has no other.
    """

    name: str
    definition: str
    color: str
    hotkey: str
    kinds: tuple[str, ...] = ()
    exclusive: bool = False


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


def load_labels(path: Path = DEFAULT_LABELS) -> LabelScheme:
    """Read the labels file.

    Args:
        path: a YAML file laid out as ``configs/labels.yaml``.

    Returns:
        The labels and topics.

    Raises:
        NewsmarkError: the file is missing or not as it must be; the message names the file and the key.
    """
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise NewsmarkError(f"{path}: broken YAML: {error}") from None
    if not isinstance(content, dict) or set(content) != {"labels", "topics"}:
        raise NewsmarkError(f"{path}: needs exactly the keys 'labels' and 'topics'")
    labels = tuple(_entry(Label, path, "labels", item) for item in _items(content, "labels", path))
    topics = tuple(_entry(Topic, path, "topics", item) for item in _items(content, "topics", path))
    hotkeys = [entry.hotkey for entry in (*labels, *topics)]
    twice = next((key for key in hotkeys if hotkeys.count(key) > 1), None)
    if twice is not None:
        raise NewsmarkError(f"{path}: hotkey {twice!r} is given twice; each label and topic needs its own")
    return LabelScheme(labels, topics)


def _items(content: dict[str, Any], key: str, path: Path) -> list[tuple[str, dict[str, Any]]]:
    section = content[key]
    if not isinstance(section, dict) or not section:
        raise NewsmarkError(f"{path}: {key}: must map at least one name to its settings")
    return list(section.items())


def _entry(cls: type, path: Path, section: str, item: tuple[str, dict[str, Any]]) -> Any:
    name, settings = item
    where = f"{path}: {section}.{name}"
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise NewsmarkError(f"{where}: a name is made of a-z, 0-9, '-' and '_', and starts with a letter")
    if not isinstance(settings, dict):
        raise NewsmarkError(f"{where}: must map settings such as 'definition' to their values")
    required = ("definition", "color", "hotkey")
    known = (*required, "kinds", "exclusive") if cls is Label else required
    for key in settings:
        if key not in known:
            raise NewsmarkError(f"{where}: {unknown_name('key', key, known)}")
    for key in required:
        if not isinstance(settings.get(key), str):
            raise NewsmarkError(f"{where}.{key}: must be a string (in quotation marks if it looks like a number)")
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", settings["color"]):
        raise NewsmarkError(f"{where}.color: must be of the form '#rrggbb', got {settings['color']!r}")
    values = dict(settings)
    if cls is Label:
        kinds = values.get("kinds", [])
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            raise NewsmarkError(f"{where}.kinds: must be a list of names")
        if not isinstance(values.get("exclusive", False), bool):
            raise NewsmarkError(f"{where}.exclusive: must be true or false")
        values["kinds"] = tuple(kinds)
    return cls(name=name, **values)
