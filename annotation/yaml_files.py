"""Reading YAML into frozen classes: each field carries its type, bounds and description, and every mistake is worded from these."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from .errors import NewsmarkError, UsageError, unknown_name
from .files import read_text

CHECKED = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
"""How a class that is read from YAML is declared: ``@pydantic.dataclasses.dataclass(frozen=True, config=CHECKED)``."""

T = TypeVar("T")


def _language(code: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", code):
        raise ValueError("an ISO 639-1 code such as 'sv'")
    return code


Language = Annotated[str, AfterValidator(_language)]
"""Type of a field that holds the code of a language."""


@dataclass(frozen=True)
class RelativePath:
    """Marks a field whose relative paths begin at the file's project (see ``newsmark.training.config``).

    Attributes:
        may_be_name: it is a path only where the project has something of that name.
    """

    may_be_name: bool = False


_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a string (in quotation marks if it looks like a number)",
    "bool_type": "true or false",
}
_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


class _Loader(yaml.SafeLoader):
    """Takes 1e-4 for a number, which YAML 1.1 reads as a string, and refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                continue  # a list or a mapping, which can't be a key; the next line says so
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML.

    Raises:
        UsageError: the text is no YAML, or a mapping in it has a key twice.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: broken YAML: {' '.join(str(error).split())}") from None


def read_mapping(path: Path, example: str) -> dict[Any, Any]:
    """Read a YAML file that maps keys to values.

    Args:
        path: the file.
        example: one of the keys, for the message.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    try:
        text = read_text(path)
    except NewsmarkError as error:
        raise UsageError(str(error)) from None
    return parse_mapping(text, str(path), example)


def parse_mapping(text: str, where: str, example: str) -> dict[Any, Any]:
    """Parse YAML that maps keys to values (see ``read_mapping``)."""
    content = parse_yaml(text, where)
    if not isinstance(content, dict):
        raise UsageError(f"{where}: must map keys such as {example!r} to values")
    return content


def fields_of(cls: type[Any]) -> dict[str, FieldInfo]:
    """Fields of a class that is read from YAML, by the key that stands for each in the file."""
    found: dict[str, FieldInfo] = {field.alias or name: field for name, field in cls.__pydantic_fields__.items()}
    return found


def is_list(field: FieldInfo) -> bool:
    """Whether a field holds several values."""
    return getattr(field.annotation, "__origin__", None) is tuple


def build(cls: type[T], values: Mapping[Any, Any], place: Callable[[str], str], whole: str, **beside: Any) -> T:
    """Make a frozen object from what a file or the command line gives.

    Args:
        cls: its class, declared with ``CHECKED``; lists of the file become tuples.
        values: value by key.
        place: where the value of a key was given, ``own.yaml: seed`` say.
        whole: where all of it was given, for a key that is missing or unknown.
        beside: fields that are not in the mapping itself, the name that it stands under, say.

    Raises:
        UsageError: the first mistake, with its place and what would be right.
    """
    known = {key: field for key, field in fields_of(cls).items() if key not in beside}
    for key in values:
        if key not in known:
            raise UsageError(f"{whole}: {unknown_name('key', key, known)}")
    try:
        return cls(**beside, **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        if first["type"] in {"missing", "missing_argument"}:
            raise UsageError(f"{whole}: the key {key!r} is missing") from None
        raise UsageError(f"{place(key)}: must be {_right(known[key], first)}, got {values[key]!r}") from None


def _right(field: FieldInfo, error: Any) -> str:
    """Say what a field takes."""
    if is_list(field):
        return f"a list of {field.title or 'names'}" + (", one at least" if error["type"] == "too_short" else "")
    if error["type"] in _BOUNDS:
        return _bounds(field)
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return _TYPES.get(error["type"], str(error["msg"]))


def _bounds(field: FieldInfo) -> str:
    """Say between what a number must be."""
    bounds = {name: getattr(one, name) for one in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(one, name)}
    least, most = bounds.get("ge"), bounds.get("le")
    if least is not None and most is not None:
        return f"between {least} and {most}"
    if least is not None:
        return f"{least} or more"
    return f"greater than {bounds['gt']}" if "gt" in bounds else f"at most {most}"
