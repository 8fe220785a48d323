"""The configuration of a training run: a YAML file, overridden by flags, read into frozen dataclasses."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic.fields import FieldInfo

from ..annotation.desk import current_desk
from ..annotation.errors import UsageError, unknown_name
from ..annotation.folders import shown
from ..annotation.labels import DEFAULT_LABELS
from ..annotation.project_file import Encoding
from ..annotation.reading.sources import ReadingOptions
from ..annotation.yaml_files import CHECKED, Language, RelativePath, build, fields_of, is_list, parse_yaml, read_mapping
from ..models.kinds import KINDS


def _shares(value: Any) -> Any:
    if not isinstance(value, dict) or not all(isinstance(name, str) and type(share) is float and 0 < share < 1 for name, share in value.items()):
        raise ValueError("a mapping of labels to shares between 0 and 1, such as {commitment: 0.07}")
    return value


@checked_dataclass(frozen=True, config=CHECKED)
class DataConfig:
    """What is trained on, and how it is judged."""

    kind: str = Field(alias="model", title="kind", description=f"kind of classifier: {', '.join(KINDS)}")
    documents: Annotated[tuple[str, ...], RelativePath()] = Field(
        (), title="paths", description="files of articles, folders of them, or files with one article per row; '' for none, where there are passages"
    )
    annotations: Annotated[str, RelativePath()] = Field("", title="file", description="annotation file of these documents")
    recursive: bool = Field(False, description="read the sub-folders of folders of documents, too")
    encoding: Encoding = Field("", description="encoding of documents that are not UTF-8; '' to find it out")
    text_column: str = Field("", description="column or field that holds the text of documents; '' for text, or the only column of long texts")
    passages: Annotated[tuple[str, ...], RelativePath()] = Field(
        (), title="paths", description="labelled passages, which are trained on and scored as annotated articles are: .csv, .tsv, .xlsx, .jsonl or .parquet"
    )
    bootstrap: Annotated[str, RelativePath()] = Field(
        "",
        title="path",
        description="cold-start corpus, labelled passages (.jsonl) or a folder of them: trained on before the annotated passages, never scored; '' for none",
    )
    leave_out_languages: tuple[Language, ...] = Field((), title="language codes", description="languages that are scored, but not trained on")
    labels: Annotated[str, RelativePath()] = Field(str(DEFAULT_LABELS), title="file", description="labels file; by default the project's own")
    max_folds: int = Field(10, ge=2, description="leave one group out; with more groups than this, make this number of folds of whole groups")
    seed: int = Field(13, ge=0, le=2**32 - 1, description="fixes everything random")
    rates: Annotated[dict[str, float], BeforeValidator(_shares)] = Field(
        default_factory=dict,
        title="mapping",
        description="share of usual passages that has a label of which the corpus holds more on purpose; calibration counts the corpus's passages so",
    )

    @property
    def reading(self) -> ReadingOptions:
        """How the files of documents are read."""
        return ReadingOptions(self.recursive, self.encoding or None, self.text_column or None)


@dataclass(frozen=True)
class Config:
    """A whole configuration: the data's part and the settings of the kind of classifier."""

    data: DataConfig
    settings: Any

    def flat(self) -> dict[str, Any]:
        """All keys and values as in the YAML file."""
        return {key: getattr(part, name) for part in (self.data, self.settings) for name, key in _keys(type(part)).items()}


def _keys(cls: type[Any]) -> dict[str, str]:
    """The key of each attribute."""
    return dict(zip(cls.__pydantic_fields__, fields_of(cls), strict=True))


def parts() -> dict[str, type[Any]]:
    """What a configuration is made of: the data's part, and the settings of each kind of model by its name."""
    return {"": DataConfig, **{name: kind.load_settings() for name, kind in KINDS.items()}}


def all_fields() -> dict[str, FieldInfo]:
    """Every key that a configuration of some kind may have, with its type, bounds and description: what the command line's flags are made of."""
    return {key: field for part in parts().values() for key, field in fields_of(part).items()}


def flag_of(key: str) -> str:
    """The flag that gives a key."""
    return f"--{key.replace('_', '-')}"


def load_config(path: Path, overrides: Mapping[str, str | Sequence[str]], fast: bool = False) -> Config:
    """Read a configuration; a flag beats the file, the file beats the default.

    Relative paths of the file begin at its project: the folder that holds ``configs``, where the file is in a folder of that name, else the
    file's own folder. Those of flags begin at the current folder. Documents, annotations and labels that neither names are those of the project
    file: of the configuration's own desk, else of the current one.

    Args:
        path: YAML file.
        overrides: keys given as flags, with their values as written; of a list, one value with commas or several values.
        fast: let the keys under the file's ``fast`` replace the others of the file.

    Raises:
        UsageError: the file, a key or a value is not right; the message says which and what would be.
    """
    content = read_mapping(path, "model")
    cheaper = content.pop("fast", {})
    if not isinstance(cheaper, dict) or (fast and not cheaper):
        raise UsageError(f"{path}: fast: must map keys to the values that --fast puts in their place")
    fields = all_fields()
    given = _of_desk(path, {*content, *overrides}) | {
        str(key): (_of_file(value, fields.get(str(key)), path), f"{path}: {key}") for key, value in content.items()
    }
    if fast:
        given |= {str(key): (_of_file(value, fields.get(str(key)), path), f"{path}: fast: {key}") for key, value in cheaper.items()}
    for key, value in overrides.items():
        where = flag_of(key)
        given[key] = (_of_flag(value, fields.get(key), where), where)
    kind, where = given.get("model", (None, f"{path}: model"))
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{where}: {unknown_name('model', kind, KINDS)}")
    settings = KINDS[kind].load_settings()
    own = {**fields_of(DataConfig), **fields_of(settings)}
    for key, (_, where) in given.items():
        if key not in own:
            other = " (a key of another kind of model)" if key in fields else ""
            raise UsageError(f"{where}: {unknown_name('key', key, own)}{other}")

    def make(part: type[Any]) -> Any:
        values = {key: given[key][0] for key in fields_of(part) if key in given}
        return build(part, values, lambda key: given[key][1], str(path))

    data = make(DataConfig)
    if not data.documents and not data.passages:
        where = f"{given['documents'][1]}: must be a list of paths, one at least," if "documents" in given else f"{path}: the key 'documents' is missing;"
        raise UsageError(f"{where} or 'passages' must name files of labelled passages")
    if data.documents and not data.annotations:
        raise UsageError(f"{path}: the key 'annotations' is missing; it names the annotation file of the documents")
    return Config(data, make(settings))


def _of_desk(path: Path, others: Container[str]) -> dict[str, tuple[Any, str]]:
    """What the project file gives: each key's value, and where it is written.

    Args:
        path: of the configuration.
        others: keys that are given otherwise; with passages, articles that nobody has annotated yet are not asked for.
    """
    own, current = current_desk(path.absolute().parent), current_desk()
    desk = own if own.file else current
    if desk.annotations is None:
        return {}
    values: dict[str, Any] = {"labels": _shown(desk.labels), **keys_of(desk.reading)}
    if "passages" not in others or desk.annotations.exists():
        values |= {"documents": list(map(_shown, desk.documents)), "annotations": _shown(desk.annotations)}
    return {key: (value, f"{desk.file}: {key}") for key, value in values.items()}


def keys_of(reading: ReadingOptions) -> dict[str, Any]:
    """The keys of a configuration that say how documents are read."""
    return {"recursive": reading.recursive, "encoding": reading.encoding or "", "text_column": reading.text_column or ""}


def _shown(path: Path) -> str:
    return str(shown(Path(os.path.normpath(path))))


def _of_flag(value: str | Sequence[str], field: FieldInfo | None, where: str) -> Any:
    """Read what a flag gives: a list's values are separated by commas, where they are not together the name of a path."""
    written = [value] if isinstance(value, str) else list(value)
    if field is not None and is_list(field):
        whole = _path_mark(field) is not None
        parts = [[one] if whole and Path(one).exists() else one.split(",") for one in written]
        return [name.strip() for some in parts for name in some if name.strip()]
    return written[-1] if field is None or field.annotation is str else parse_yaml(written[-1], where)


def _of_file(value: Any, field: FieldInfo | None, path: Path) -> Any:
    """Read what the file gives: its relative paths begin at its project, and are shown from the current folder where they are in it."""
    mark = _path_mark(field)
    if mark is None:
        return value
    if isinstance(value, list):
        return [_of_file(one, field, path) for one in value]
    if not isinstance(value, str) or not value or Path(value).is_absolute():
        return value
    folder = path.absolute().parent
    place = Path(os.path.normpath((folder.parent if folder.name == "configs" else folder) / value))
    if mark.may_be_name and not place.exists():
        return value
    return str(shown(place))


def _path_mark(field: FieldInfo | None) -> RelativePath | None:
    return next((one for one in field.metadata if isinstance(one, RelativePath)), None) if field is not None else None
