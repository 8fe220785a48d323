"""Renaming and merging labels, in the labels file and in annotations."""

from dataclasses import replace

import pytest
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.errors import UsageError
from newsmark.annotation.label_studio.relabelling import relabelled_results
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels, parse_labels
from newsmark.annotation.relabelling import merge_labels, relabelled_annotations, relabelled_scheme, relabelled_text, rename_label, transitional_scheme

FILE = """\
# Labels of the desk.
labels:
  threat: # of harm
    definition: Threatens somebody.   # see the codebook
    color: "#111111"
    hotkey: "1"
    kinds: [open, veiled]
  # asked for by the foreign desk
  warning:
    definition: >-
      Warns
      somebody.
    # to be discussed
    color: "#222222"
    hotkey: "2"
    kinds:
      - official
      - open
  figure: {definition: Gives a number., color: "#333333", hotkey: "3"}
  advert:
    definition: Sells.
    color: "#444444"
    hotkey: "4"
    exclusive: true

topics:
  other: {definition: Anything., color: "#555555", hotkey: "q"}
"""
SCHEME = parse_labels(FILE, DEFAULT_LABELS)
RENAME = rename_label(SCHEME, "figure", "number")
MERGE = merge_labels(SCHEME, ["threat", "warning"], "warning")


def _annotation(*spans, offered=None, document="d"):
    return Annotation(document, "a.txt", "Åsa", ground_truth=False, topics=(), spans=spans, offered=offered)


def test_a_renamed_label_changes_its_key_alone():
    after = relabelled_text(FILE, DEFAULT_LABELS, RENAME)
    assert after == FILE.replace("  figure:", "  number:")
    assert parse_labels(after, DEFAULT_LABELS) == relabelled_scheme(SCHEME, RENAME)


def test_the_shipped_file_keeps_its_comments():
    text = DEFAULT_LABELS.read_text(encoding="utf-8")
    after = relabelled_text(text, DEFAULT_LABELS, rename_label(load_labels(), "quote", "speech"))
    assert [line for line in after.splitlines() if line not in text.splitlines()] == ["  speech:"]


def test_merged_kinds_keep_their_hotkeys():
    text = FILE.replace("kinds: [open, veiled]", 'kinds: {open: "1", veiled: "5"}').replace("- official\n      - open", 'official: "2"\n      bold: "7"')
    after = relabelled_text(text, DEFAULT_LABELS, merge_labels(parse_labels(text, DEFAULT_LABELS), ["threat", "warning"], "warning"))
    label = parse_labels(after, DEFAULT_LABELS).label("warning")
    assert label.marks == {"official": "2", "bold": "7", "open": "1", "veiled": "5"}


def test_results_with_the_kind_in_the_name_are_renamed_and_of_equal_ones_one_stays():
    rows = [
        {"id": str(number), "from_name": "span", "value": {"start": 0, "end": 4, "labels": [mark]}}
        for number, mark in enumerate(("threat:open", "warning:open", "threat:veiled"))
    ]
    renamed = relabelled_results(rows, MERGE)
    assert [(one["id"], one["value"]["labels"]) for one in renamed] == [("0", ["warning:open"]), ("2", ["warning:veiled"])]


def test_a_name_that_yaml_reads_otherwise_is_quoted():
    assert '  "yes":' in relabelled_text(FILE, DEFAULT_LABELS, rename_label(SCHEME, "figure", "yes"))


def test_merged_labels_are_one_entry_with_the_kinds_of_both_and_comments_stay():
    after = relabelled_text(FILE, DEFAULT_LABELS, MERGE)
    assert parse_labels(after, DEFAULT_LABELS).label_names == ("warning", "figure", "advert")
    assert parse_labels(after, DEFAULT_LABELS).label("warning").kinds == ("official", "open", "veiled")
    assert all(comment in after for comment in ("# Labels of the desk.", "# asked for by the foreign desk", "# to be discussed"))
    third = relabelled_text(FILE, DEFAULT_LABELS, merge_labels(SCHEME, ["threat", "warning"], "danger"))
    assert "  danger: # of harm\n    definition: Threatens somebody.   # see the codebook\n" in third
    assert "    # to be discussed\n  figure:" in third


def test_a_file_that_lines_do_not_separate_is_refused():
    text = 'labels: {a: {definition: A., color: "#111111", hotkey: "1"}, b: {definition: B., color: "#222222", hotkey: "2"}}\n' + FILE[FILE.index("topics:") :]
    with pytest.raises(UsageError, match="can't be changed entry by entry"):
        relabelled_text(text, DEFAULT_LABELS, merge_labels(parse_labels(text, DEFAULT_LABELS), ["a", "b"], "a"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda: rename_label(SCHEME, "figures", "number"), "unknown label 'figures'; did you mean 'figure'?"),
        (lambda: rename_label(SCHEME, "figure", "threat"), "a label 'threat' exists; annotate labels merge figure threat --into threat"),
        (lambda: rename_label(SCHEME, "figure", "figure"), "label 'figure' has this name already"),
        (lambda: merge_labels(SCHEME, ["figure", "threta"], "number"), "unknown label 'threta'; did you mean 'threat'?"),
        (lambda: merge_labels(SCHEME, ["threat", "warning"], "figure"), "a label 'figure' exists; name it among the labels to merge"),
        (lambda: merge_labels(SCHEME, ["figure", "figure"], "number"), "'figure' alone can't be merged"),
        (lambda: merge_labels(SCHEME, ["figure", "advert"], "figure"), "'advert' excludes all other labels and 'figure' does not"),
        (lambda: merge_labels(SCHEME, ["figure", "threat"], "figure"), "a threat has a kind (open or veiled) and a figure has none"),
    ],
    ids=["unknown", "exists", "same", "unknown of a merge", "third label", "one", "exclusive", "kinds"],
)
def test_what_can_not_be_done_says_what_to_do(plan, message):
    with pytest.raises(UsageError) as refused:
        plan()
    assert message in str(refused.value)


def test_spans_and_what_was_offered_get_the_new_name_and_nothing_else_changes():
    before = [_annotation(Span("s1", 0, 5, "figure"), Span("s2", 2, 9, "advert"), offered=("figure", "advert")), _annotation(Span("s1", 1, 2, "figure"))]
    after = relabelled_annotations(before, RENAME)
    assert after == [
        replace(before[0], spans=(Span("s1", 0, 5, "number"), Span("s2", 2, 9, "advert")), offered=("number", "advert")),
        replace(before[1], spans=(Span("s1", 1, 2, "number"),)),
    ]
    assert relabelled_annotations(after, RENAME) == after


def test_of_spans_that_become_equal_one_stays_and_kinds_tell_them_apart():
    spans = (Span("s1", 0, 5, "threat", "open", accepted=True), Span("s2", 0, 5, "warning", "open"), Span("s3", 0, 5, "warning", "official"))
    (after,) = relabelled_annotations([_annotation(*spans)], MERGE)
    assert after.spans == (Span("s2", 0, 5, "warning", "open"), Span("s3", 0, 5, "warning", "official"))


def test_regions_in_label_studio_change_as_spans_do():
    def region(name, label, kind, **more):
        common = {"id": name, "to_name": "text", "value": {"start": 0, "end": 5}}
        return [
            {**common, "from_name": "span", "value": {**common["value"], "labels": label}, **more},
            {**common, "from_name": f"kind-{label[0]}", "value": {**common["value"], "choices": [kind]}, **more},
        ]

    results = [
        *region("a", ["threat"], "open", origin="prediction"),
        *region("b", ["warning"], "open"),
        *region("c", ["threat"], "veiled"),
        {"id": "topics"},
        "odd",
    ]
    expected = [*region("b", ["warning"], "open"), *region("c", ["warning"], "veiled"), {"id": "topics"}, "odd"]
    assert relabelled_results(results, MERGE) == expected
    assert relabelled_results(expected, MERGE) is expected
    (both,) = relabelled_results([{"from_name": "span", "value": {"labels": ["threat", "warning", "figure"]}}], MERGE)
    assert both["value"]["labels"] == ["warning", "figure"]
    assert relabelled_results(None, MERGE) is None


def test_who_was_offered_only_one_of_the_merged_labels_did_not_judge_the_merged_one():
    names = [("threat", "figure"), ("warning", "figure"), ("figure", "warning", "threat"), ("figure",)]
    after = relabelled_annotations([_annotation(offered=one) for one in names], MERGE)
    assert [one.offered for one in after] == [("figure",), ("figure",), ("figure", "warning"), ("figure",)]
    assert relabelled_annotations(after, MERGE) == after  # a second run, after a kill, knows that the file is done
    older = [_annotation(Span("s", 0, 5, "threat", "open")), _annotation(Span("s", 0, 5, "warning", "open"), offered=("threat", "warning"))]
    assert [one.offered for one in relabelled_annotations(older, MERGE)] == [(), ("warning",)]
    third = merge_labels(SCHEME, ["threat", "warning"], "danger")
    assert [one.offered for one in relabelled_annotations([_annotation(offered=one) for one in names], third)][2:] == [("figure", "danger"), ("figure",)]


def test_while_the_change_is_under_way_both_names_are_known():
    assert transitional_scheme(SCHEME, RENAME).label_names == ("threat", "warning", "figure", "advert", "number")
    assert transitional_scheme(relabelled_scheme(SCHEME, RENAME), RENAME).label_names == ("threat", "warning", "number", "advert", "figure")
    assert transitional_scheme(SCHEME, MERGE).label("warning").kinds == ("official", "open", "veiled")
