"""The configuration of a training run: a YAML file, overridden by flags, read into frozen dataclasses."""

from __future__ import annotations

import contextlib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from ..annotation.errors import UsageError, unknown_name
from ..annotation.files import read_text
from ..annotation.labels import DEFAULT_LABELS
from ..models.kinds import KINDS


@dataclass(frozen=True)
class DataConfig:
    """What is trained on, and how it is judged.

    Attributes:
        model: kind of classifier, ``baseline`` or ``transformer``.
        documents: .txt files, folders of them, or .jsonl files with one article a row.
        annotations: annotation file of these documents.
        bootstrap: cold-start corpus, labelled passages (.jsonl) or a folder of them: trained on before the annotated
            passages, never scored; "" for none.
        leave_out_languages: languages that are scored, but not trained on.
        labels: labels file; by default the project's own.
        max_folds: leave one group out, or with more groups than this, so many folds of whole groups.
        seed: fixes everything random.
    """

    model: str
    documents: tuple[str, ...]
    annotations: str
    bootstrap: str = ""
    leave_out_languages: tuple[str, ...] = ()
    labels: str = str(DEFAULT_LABELS)
    max_folds: int = 10
    seed: int = 13


@dataclass(frozen=True)
class Config:
    """A whole configuration: the data's part and the settings of the kind of classifier."""

    data: DataConfig
    settings: Any

    def flat(self) -> dict[str, Any]:
        """All keys and values as in the YAML file."""
        return {**asdict(self.data), **asdict(self.settings)}


_PARTS: tuple[type[Any], ...] = (DataConfig, *(kind.settings for kind in KINDS.values()))


def all_fields() -> dict[str, Field[Any]]:
    """Every key that a configuration of some kind may have, for the command line's flags."""
    return {field.name: field for part in _PARTS for field in fields(part)}


def load_config(path: Path, overrides: Mapping[str, str], fast: bool = False) -> Config:
    """Read a configuration; a flag beats the file, the file beats the default.

    Args:
        path: YAML file.
        overrides: keys given as flags, with their values as written.
        fast: let the keys under the file's ``fast`` replace the others of the file.

    Raises:
        UsageError: the file, a key or a value is not right; the message says which and what would be.
    """
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: broken YAML: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: must map keys such as 'model' to values")
    cheaper = content.pop("fast", {})
    if not isinstance(cheaper, dict) or (fast and not cheaper):
        raise UsageError(f"{path}: fast: must map keys to the values that --fast puts in their place")
    given = {key: (value, f"{path}: {key}") for key, value in content.items()}
    given |= {key: (value, f"{path}: fast: {key}") for key, value in cheaper.items() if fast}
    given |= {key: (_parse_flag(key, text), f"--{key.replace('_', '-')}") for key, text in overrides.items()}
    kind, where = given.get("model", (None, f"{path}: model"))
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{where}: {unknown_name('model', kind, KINDS)}")
    settings = KINDS[kind].settings
    known = {field.name: field for part in (DataConfig, settings) for field in fields(part)}
    for key, (_, where) in given.items():
        if key not in known:
            other = " (a key of another kind of model)" if key in all_fields() else ""
            raise UsageError(f"{where}: {unknown_name('key', key, known)}{other}")
    for name, field in known.items():
        if name not in given and field.default is MISSING:
            raise UsageError(f"{path}: key {name!r} is missing")
    values = {key: _checked(value, known[key], where) for key, (value, where) in given.items()}
    return Config(_build(DataConfig, values), _build(settings, values))


def _build(part: type, values: Mapping[str, Any]) -> Any:
    return part(**{field.name: values[field.name] for field in fields(part) if field.name in values})


def _parse_flag(key: str, text: str) -> Any:
    if key in {"documents", "leave_out_languages"}:
        return text.split(",")
    field = all_fields().get(key)
    if field is None or _type(field) is str:
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text  # refused below, by its type


def _type(field: Field[Any]) -> Any:
    owner = next(part for part in _PARTS if field in fields(part))
    return typing.get_type_hints(owner)[field.name]


_LONGEST = 512  # tokens that the usual encoders read at most
_POSITIVE = {"word_ngrams", "char_ngrams", "C", "epochs", "further_epochs", "batch_size", "learning_rate", "max_tokens"}


def _checked(value: Any, field: Field[Any], where: str) -> Any:
    wanted = _type(field)
    if isinstance(wanted, types.GenericAlias):
        items = "paths" if field.name == "documents" else "language codes"
        if not isinstance(value, list) or (not value and items == "paths") or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{where}: must be a list of {items}, got {value!r}")
        return tuple(value)
    if wanted is float and isinstance(value, str):  # YAML 1.1 takes 2e-4, without a point, for a string
        with contextlib.suppress(ValueError):
            value = float(value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise UsageError(f"{where}: must be of type {wanted.__name__}, got {value!r}")
    if field.name in _POSITIVE and not 0 < value < math.inf:
        raise UsageError(f"{where}: must be a finite number greater than 0, got {value!r}")
    if field.name == "max_tokens" and not 8 <= value <= _LONGEST:
        raise UsageError(f"{where}: must lie between 8 and {_LONGEST}, got {value!r}")
    if field.name == "frozen_layers" and value < 0:
        raise UsageError(f"{where}: must be 0 or more, got {value!r}")
    if field.name == "max_folds" and value < 2:
        raise UsageError(f"{where}: must be 2 or more, got {value!r}")
    if field.name == "seed" and not 0 <= value < 2**32:
        raise UsageError(f"{where}: must lie between 0 and 4294967295, got {value!r}")
    return value
