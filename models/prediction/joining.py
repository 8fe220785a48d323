"""The columns of a labelled Parquet file: those of the input as they are, and the new ones after them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .fields import free_name


class Joined:
    """Makes the batches of a labelled Parquet file.

    A column of the input whose name is taken comes back as ``input_…``. Where rows are articles, an empty ``document``, ``name`` or ``start`` of theirs is
    filled, and their ``text`` is the passage's.

    Args:
        schema: of the input.
        lines: what was found for all rows (see ``parquet.write_joined``).

    Attributes:
        schema: of the labelled file.
    """

    def __init__(self, schema: Any, lines: Iterable[dict[str, Any]]) -> None:
        import pyarrow

        labels: dict[str, None] = {}
        articles = False
        for line in lines:
            labels |= dict.fromkeys(line["scores"])
            articles = articles or "end" in line
        string, number = pyarrow.string(), pyarrow.int64()
        self._new = {
            **({"document": string, "name": string, "start": number, "end": number} if articles else {}),
            "labels": pyarrow.list_(string),
            "scores": pyarrow.struct([(name, pyarrow.float64()) for name in labels]),
            "review": pyarrow.bool_(),
            "truncated": pyarrow.bool_(),
            "model_version": string,
        }
        kinds = dict(zip(schema.names, schema.types, strict=True))
        self._filled = {name for name in ("document", "name", "start") if name in self._new and name in kinds and _alike(kinds[name], self._new[name])}
        self._articles = articles
        taken = [name for name in self._new if name not in self._filled]
        names = [free_name(name, schema.names, taken) for name in schema.names]
        fields = [schema.field(place).with_name(name) for place, name in enumerate(names)]
        fields = [field.with_nullable(True) if field.name in self._filled else field for field in fields]
        added = [pyarrow.field(name, self._new[name]) for name in taken]
        self.schema = pyarrow.schema([*fields, *added], metadata=schema.metadata)

    def batch(self, batch: Any, found: list[dict[str, Any]]) -> Any:
        """Make one batch.

        Args:
            batch: of the input.
            found: what was found for its rows, or for some of them; ``row`` is the row's place in the batch.
        """
        import pyarrow

        rows = [line["row"] for line in found]
        if rows != list(range(len(batch))):
            batch = batch.take(pyarrow.array(rows))
        columns = list(batch.columns)
        filled = set()
        for place, name in enumerate(batch.schema.names):
            if name in filled:  # a second column of this name
                continue
            if name in self._filled or (name == "text" and self._articles):
                filled.add(name)
                columns[place] = _filled(columns[place], [line.get(name) for line in found], prefer=name == "text")
        for name, kind in self._new.items():
            if name not in self._filled:
                columns.append(pyarrow.array([line.get(name) for line in found], kind))
        return pyarrow.RecordBatch.from_arrays(columns, schema=self.schema)


def _alike(kind: Any, new: Any) -> bool:
    """Whether a column of the input can take values of a new one."""
    import pyarrow

    texts = (pyarrow.types.is_string, pyarrow.types.is_large_string)
    return any(check(kind) for check in texts) if pyarrow.types.is_string(new) else pyarrow.types.is_integer(kind)


def _filled(column: Any, values: list[Any], prefer: bool) -> Any:
    """A column with values in its empty places, or, where these are preferred, wherever there is one."""
    import pyarrow

    if all(value is None for value in values):
        return column
    old = column.to_pylist()
    both = [(value, one) if prefer else (one, value) for one, value in zip(old, values, strict=True)]
    return pyarrow.array([second if first is None else first for first, second in both], pyarrow.string() if prefer else column.type).cast(column.type)
