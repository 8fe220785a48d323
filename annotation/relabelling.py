"""Renaming a label, or merging several into one: in the labels file, which keeps its comments, and in annotations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from .annotations import Annotation, Span
from .errors import UsageError, unknown_name
from .labels import Label, LabelScheme, is_name, parse_labels


@dataclass(frozen=True)
class Relabelling:
    """Labels that become one.

    Attributes:
        names: names of the command; one is renamed, several are merged.
        new: name that all of them have afterwards; of a merge, it may be one of theirs.
    """

    names: tuple[str, ...]
    new: str

    @property
    def old(self) -> tuple[str, ...]:
        """Names that are given up."""
        return tuple(name for name in self.names if name != self.new)

    def __str__(self) -> str:
        """Say what becomes of what."""
        return f"{' and '.join(map(repr, self.old))} {'become' if len(self.old) > 1 else 'becomes'} {self.new!r}"


def rename_label(scheme: LabelScheme, old: str, new: str) -> Relabelling:
    """Plan to give a label another name.

    Raises:
        UsageError: the label is not known, or the new name is taken.
    """
    if old == new:
        raise UsageError(f"label {old!r} has this name already")
    if old in scheme.label_names and new in scheme.label_names:
        raise UsageError(f"a label {new!r} exists; annotate labels merge {old} {new} --into {new} puts the two together")
    return _known(scheme, Relabelling((old,), new))


def merge_labels(scheme: LabelScheme, names: Sequence[str], new: str) -> Relabelling:
    """Plan to put labels together under one name, which may be one of theirs.

    Raises:
        UsageError: a label is not known, a third label has the name, or they differ in what a span of them needs.
    """
    change = _known(scheme, Relabelling(tuple(dict.fromkeys(names)), new))
    if len(change.names) < 2:
        raise UsageError(f"{names[0]!r} alone can't be merged; annotate labels rename gives one label another name")
    if new in scheme.label_names and new not in names and any(name in scheme.label_names for name in names):
        raise UsageError(f"a label {new!r} exists; name it among the labels to merge, or choose another name")
    found = [label for label in scheme.labels if label.name in change.names]
    for one in found[1:]:
        if one.exclusive != found[0].exclusive:
            excludes, other = (one, found[0]) if one.exclusive else (found[0], one)
            raise UsageError(
                f"{excludes.name!r} excludes all other labels and {other.name!r} does not: together they would take labels from passages; "
                "make 'exclusive' the same in the labels file first"
            )
        if bool(one.kinds) != bool(found[0].kinds):
            has, lacks = (one, found[0]) if one.kinds else (found[0], one)
            raise UsageError(
                f"a {has.name} has a kind ({' or '.join(has.kinds)}) and a {lacks.name} has none; give {lacks.name!r} the same kinds in the labels file, "
                "run annotate push, choose the kind of each of its spans in Label Studio, and run annotate pull first"
            )
    return change


def _known(scheme: LabelScheme, change: Relabelling) -> Relabelling:
    if not is_name(change.new):
        raise UsageError(f"{change.new!r}: a name is made of a-z, 0-9, '-' and '_', and starts with a letter")
    missing = [name for name in change.old if name not in scheme.label_names]
    if missing and (change.new not in scheme.label_names or len(missing) < len(change.old)):
        raise UsageError(unknown_name("label", missing[0], scheme.label_names))
    return change  # a name that the file has no longer may be left on the server, from an annotator whose page was open


def relabelled_scheme(scheme: LabelScheme, change: Relabelling) -> LabelScheme:
    """The labels after the change: those that become one stand where the one was whose definition, colour and hotkey stay."""
    base = _base(scheme, change)
    joined = [base, *(label for label in scheme.labels if label is not base and label.name in change.names)]
    hotkeys: dict[str, str | None] = {}
    for label in joined:
        for kind, key in zip(label.kinds, label.kind_hotkeys or [None] * len(label.kinds), strict=True):
            hotkeys[kind] = hotkeys.get(kind) or key
    own = tuple(hotkeys.values()) if any(hotkeys.values()) else ()
    merged = replace(base, name=change.new, kinds=tuple(hotkeys), kind_hotkeys=own)
    labels = (merged if one is base else one for one in scheme.labels if one is base or one.name not in change.names)
    return LabelScheme(tuple(labels), scheme.topics)


def transitional_scheme(scheme: LabelScheme, change: Relabelling) -> LabelScheme:
    """The labels while the change is under way: those before it, and with them the new one; what either says can be read."""
    base, after = _base(scheme, change), relabelled_scheme(scheme, change)
    label = after.label(change.new)
    before = tuple(replace(one, kinds=label.kinds, kind_hotkeys=label.kind_hotkeys) if one.name == change.new else one for one in scheme.labels)
    lacking = [name for name in (*change.old, change.new) if name not in scheme.label_names]
    return LabelScheme((*before, *(replace(label, name=name, color=base.color, hotkey="", kind_hotkeys=()) for name in lacking)), scheme.topics)


def _base(scheme: LabelScheme, change: Relabelling) -> Label:
    return scheme.label(next(name for name in (change.new, *change.old) if name in scheme.label_names))


def relabelled_text(text: str, path: Path, change: Relabelling) -> str:
    """Change the labels file where the names are written, and nowhere else.

    Args:
        text: the file.
        path: its path, for messages.
        change: what becomes of what.

    Raises:
        UsageError: the file is written in a way that can't be changed entry by entry.
    """
    scheme = parse_labels(text, path)
    base, after = _base(scheme, change), relabelled_scheme(scheme, change)
    entries = {key.value: (key, value) for key, value in _mapping_of(yaml.compose(text, yaml.SafeLoader), "labels")}
    edits = []
    for name, (key, value) in entries.items():
        if name == base.name:
            written = change.new if yaml.safe_load(change.new) == change.new else f'"{change.new}"'
            edits.append((key.start_mark.index, key.end_mark.index, written))
            label = after.label(change.new)
            if (label.kinds, label.kind_hotkeys) != (base.kinds, base.kind_hotkeys):
                kinds = next(node for setting, node in value.value if setting.value == "kinds")
                edits.append((kinds.start_mark.index, _end(kinds).index, _written_kinds(label)))
        elif name in change.names:
            edits.append(_lines(text, key.start_mark.line, _end(value)))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    try:
        if parse_labels(text, path) == after:
            return text
    except UsageError:
        pass
    raise UsageError(f"{path}: is written in a way that can't be changed entry by entry; write each label and each of its settings on a line of its own")


def _written_kinds(label: Label) -> str:
    if not label.kind_hotkeys:
        return f"[{', '.join(label.kinds)}]"
    return f"{{{', '.join(f'{kind}: {json.dumps(key)}' for kind, key in zip(label.kinds, label.kind_hotkeys, strict=True))}}}"


def _mapping_of(node: Any, key: str) -> list[tuple[Any, Any]]:
    return next(value.value for name, value in node.value if name.value == key)


def _end(node: yaml.Node) -> yaml.Mark:
    """Where a value ends; what follows it, such as comments, belongs to the next one."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return node.end_mark


def _lines(text: str, first: int, end: yaml.Mark) -> tuple[int, int, str]:
    """The lines of an entry that goes; comments on lines of their own stay."""
    lines = text.splitlines(keepends=True)  # as YAML counts them
    last = end.line if end.column else end.line - 1
    kept = "".join(line for line in lines[first : last + 1] if re.match(r"\s*#", line))
    start = sum(map(len, lines[:first]))
    return start, start + sum(map(len, lines[first : last + 1])), kept


def relabelled_annotations(annotations: Sequence[Annotation], change: Relabelling) -> list[Annotation]:
    """Change annotations; of spans that a merge makes equal, one stays.

    Who was offered only some of the labels that become one has not judged the new label: a passage without a span may have
    another one of them. Annotations that were changed before stay as they are.

    Args:
        annotations: all of a file.
        change: what becomes of what.
    """
    used = {name for one in annotations for name in (*(span.label for span in one.spans), *(one.offered or ()))}
    if not used & {*change.old} - {change.new}:
        return list(annotations)
    usual = {span.label for one in annotations if one.offered is None for span in one.spans}
    some = usual & {*change.names} and not usual >= {*change.names}
    return [_relabelled(replace(one, offered=tuple(sorted(usual))) if some and one.offered is None else one, change) for one in annotations]


def _relabelled(one: Annotation, change: Relabelling) -> Annotation:
    spans = _folded((replace(span, label=change.new) if span.label in change.old else span for span in one.spans), change)
    offered = one.offered
    if offered is not None:
        judged = {*offered} >= {*change.names} or (change.new not in change.names and change.new in offered)
        names = (change.new if name in change.names else name for name in offered)
        offered = tuple(name for name in dict.fromkeys(names) if judged or name != change.new)
    reviewed = dict.fromkeys(replace(place, label=change.new) if place.label in change.old else place for place in one.reviewed)
    return replace(one, spans=tuple(sorted(spans, key=lambda span: (span.start, span.end, span.label))), offered=offered, reviewed=tuple(reviewed))


def _folded(spans: Iterable[Span], change: Relabelling) -> list[Span]:
    """Keep one of equal spans, of the new label: one that was not suggested, if there is one."""
    kept: dict[object, Span] = {}
    for span in spans:
        key = (span.start, span.end, span.kind) if span.label == change.new else span.id
        if key not in kept or (kept[key].accepted and not span.accepted):
            kept[key] = span
    return list(kept.values())
