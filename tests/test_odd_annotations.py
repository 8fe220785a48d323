"""Annotations that other programs, older versions and edits by hand leave in Label Studio: what can be read is read, and the rest is named."""

import copy
import json
import tempfile
from argparse import Namespace
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from newsmark.annotation.annotations import read_annotations, state_of, write_annotations
from newsmark.annotation.documents import Document
from newsmark.annotation.edits import Edits
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio import commands
from newsmark.annotation.label_studio.adjudication import read_decisions, with_decisions
from newsmark.annotation.label_studio.adoption import adopt_tasks
from newsmark.annotation.label_studio.annotators import Annotators
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.pull import pull_annotations
from newsmark.annotation.label_studio.records import read_prediction, read_task
from newsmark.annotation.label_studio.relabelling import with_times_of
from newsmark.annotation.label_studio.status import read_status
from newsmark.annotation.label_studio.writing import task_data
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.relabelling import Relabelling

SCHEME = load_labels()
DOCUMENT = Document("Priset steg 3 % i går.\n”Vi bygger nu”, sade hon.", "a.txt", "sv")
TEXT = DOCUMENT.text
USERS = {1: "ann@example.org", 2: "bo@example.org"}
QUOTED, PRICE = (23, 48), (12, 15)
assert (TEXT[slice(*QUOTED)], TEXT[slice(*PRICE)]) == ("”Vi bygger nu”, sade hon.", "3 %")


class Server:
    """A project that holds these exported tasks; nothing is asked of any server."""

    url = "http://server/projects/1"
    offered_labels = SCHEME.label_names
    overlap = 2

    def __init__(self, *tasks):
        self.rows = list(tasks)
        self.tasks = self
        self.annotators = Annotators(SimpleNamespace())
        self.annotators.__dict__["names"] = USERS

    def task_url(self, task):
        return f"{self.url}/data?task={task}"

    def export(self, only_annotated):
        tasks = map(read_task, json.loads(json.dumps(self.rows)))
        return [task for task in tasks if task.annotations or not only_annotated]

    def predictions(self):
        odd = [region(), topics("cybercrime", "drug-control"), None, {"value": None}, {"from_name": "span", "value": {"start": "x"}}]
        return [read_prediction({"task": 7, "model_version": None, "created_at": at, "result": odd}) for at in ("2026-01-01T00:00:00Z", None, "yesterday")]

    def updated_since(self, _moment):
        return self.export(only_annotated=True)

    def find_whole(self, hashes):
        return [task for task in self.export(only_annotated=False) if task.sha256 in hashes]


def region(start=PRICE[0], end=PRICE[1], label="statistic", number="r1", **more):
    return {"id": number, "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": start, "end": end, "labels": [label]}, **more}


def changed(result, **value):
    return {**result, "value": {**result["value"], **value}}


def without(row, key):
    return {name: value for name, value in row.items() if name != key}


def kind(choices, number="r1", span=QUOTED):
    value = {"start": span[0], "end": span[1], "choices": choices}
    return {"id": number, "from_name": "kind-quote", "to_name": "text", "type": "choices", "value": value}


def topics(*names):
    return {"id": "topics", "from_name": "topics", "to_name": "text", "type": "choices", "value": {"choices": list(names)}}


def annotation(*results, number=1, user=1, **fields):
    whole = {"id": number, "completed_by": user, "result": list(results), "was_cancelled": False, "ground_truth": False}
    return {**whole, "updated_at": f"2026-11-21T10:00:0{number}.5Z", **fields}


def task(*annotations, number=7, document=DOCUMENT, **data):
    return {"id": number, "data": task_data(document) | data, "annotations": list(annotations)}


GOOD = region(0, 6, "boilerplate", "good")


def pull(server, local=(), **options):
    return pull_annotations(server, local, SCHEME, everything=True, **options)


def spans_of(pulled):
    return {one.annotator: sorted((TEXT[span.start : span.end], span.label, span.kind) for span in one.spans) for one in pulled.annotations}


@pytest.fixture
def readable(tmp_path):
    """Checks that what a pull brings can be written, and read by every command."""

    def check(pulled):
        write_annotations(tmp_path / "own.jsonl", pulled.annotations)
        assert read_annotations(tmp_path / "own.jsonl", [DOCUMENT], SCHEME) == list(pulled.annotations)

    return check


PRICES, WORDS = ("3 %", "statistic", None), ("Priset", "boilerplate", None)
QUOTE = ("”Vi bygger nu”, sade hon.", "quote", "direct")


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([changed(region(), labels=["statistic", "boilerplate"])], [("3 %", "boilerplate", None), PRICES]),
        ([changed(region(*QUOTED), labels=["statistic", "quote"]), kind(["direct"])], [QUOTE, (QUOTE[0], "statistic", None)]),
        ([without(region(), "id")], [PRICES]),
        ([without(region(*QUOTED, "quote"), "id"), without(kind(["direct"]), "id")], [QUOTE]),
        ([{**region(), "id": 12}], [PRICES]),
        ([region("12", "15")], [PRICES]),
        ([region(12.0, 15.0)], [PRICES]),
        ([changed(region("/div[1]/text()[1]", "/div[1]/text()[1]"), startOffset=2, endOffset=5, globalOffsets={"start": 12, "end": 15})], [PRICES]),
        ([{**region(), "type": "hypertextlabels", "value": {"start": 12, "end": 15, "hypertextlabels": ["statistic"]}}], [PRICES]),
        ([region(), region()], [PRICES]),
        ([region(), region(0, 6, "boilerplate")], [PRICES, WORDS]),
        ([region(*QUOTED, "quote"), kind(["direct"]), region(0, 6, "quote"), kind(["indirect"], span=(0, 6))], [("Priset", "quote", "indirect"), QUOTE]),
        ([region(11, 16)], [PRICES]),
        ([region(11, 12), region(number="r2")], [PRICES]),
        ([changed(region(), labels="statistic")], [PRICES]),
    ],
    ids=[
        "two-labels", "two-labels-and-a-kind", "no-id", "no-id-and-a-kind", "id-is-a-number", "offsets-are-digits", "offsets-are-decimals", "global-offsets",
        "hypertext-labels", "doubled", "one-id-for-two-spans", "one-id-for-two-quotes", "white-space", "nothing-but-white-space", "label-is-a-string",
    ],
)  # fmt: skip
def test_what_can_be_read_is_read(results, expected, readable):
    pulled = pull(Server(task(annotation(*results))))
    assert spans_of(pulled) == {"ann@example.org": sorted(expected)}
    assert pulled.left_out == ()
    assert len({span.id for span in pulled.annotations[0].spans}) == len(expected)
    readable(pulled)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (changed(region(), labels=[]), "the region at 12–15 has no label"),
        ({**region(), "value": {"start": 12, "end": 15}}, "the region at 12–15 has no label"),
        ({**region(), "value": None}, "the region at None–None has no label"),
        (region(None, 15), "a statistic span at None–15 has no offsets that count characters"),
        (region("/div[1]/p[2]", "/div[1]/p[2]"), "a statistic span at /div[1]/p[2]–/div[1]/p[2] has no offsets that count characters"),
        (region(True, 15), "a statistic span at True–15 has no offsets that count characters"),
        (region(12, 1000), "a statistic span at 12–1000 is outside the text of 48 characters"),
        (region(-3, 15), "a statistic span at -3–15 is outside the text"),
        (region(15, 12), "a statistic span at 15–12 ends before it begins"),
        (region(*QUOTED, "quote"), "the quote “”Vi bygger nu”, sade hon.” has no kind; choose direct or indirect in Label Studio"),
        (region(label="rumour"), "label 'rumour' is not in the labels file; add it there, or change the annotation"),
        (changed(region(), labels=[None, {}]), "label '{}' is not in the labels file"),
        (topics("weather"), "topic 'weather' is not in the labels file; add it there, or change the annotation"),
        ({**region(), "from_name": "label"}, "1 result of 'label', which newsmark's interface does not have"),
        ({"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right"}, "1 result without a control, which newsmark's interface does not have"),
        ("r1", "1 result without a control, which newsmark's interface does not have"),
        (kind(["direct"], "other"), "the choice direct of 'kind-quote' belongs to no region"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_pulled(odd, reason, readable):
    good = task(annotation(region(), number=2), number=8, document=DOCUMENT)
    server = Server(task(annotation(GOOD, odd), annotation(region(), number=2, user=2)))
    pulled = pull(server)
    assert spans_of(pulled) == {"ann@example.org": [WORDS], "bo@example.org": [PRICES]}
    assert [str(one).startswith(f"task 7 (a.txt), ann@example.org: {reason}") for one in pulled.left_out] == [True], pulled.left_out
    readable(pulled)
    with pytest.raises(NewsmarkError, match=r"^task 7 \(a\.txt\), ann@example\.org: "):
        pull(server, strict=True)
    alone = pull(Server(task(annotation(odd))))
    assert (alone.annotations, len(alone.left_out)) == ((), 1)  # no row, which would say that no passage has a label
    assert pull(Server(good)).left_out == ()


@pytest.mark.parametrize("choices", [[], None, ["reported"]])
def test_a_kind_without_a_choice_is_no_kind(choices):
    pulled = pull(Server(task(annotation(GOOD, region(*QUOTED, "quote"), kind(choices)))))
    assert spans_of(pulled) == {"ann@example.org": [WORDS]}
    assert "has no kind" in str(pulled.left_out[0])


@pytest.mark.parametrize("fields", [{"result": None}, {"result": {}}, {"result": "[]"}])
def test_an_annotation_without_a_list_of_results_is_named(fields):
    pulled = pull(Server(task(annotation(**fields), annotation(GOOD, number=2, user=2))))
    assert [str(one) for one in pulled.left_out] == ["task 7 (a.txt), ann@example.org: its results are missing"]
    assert spans_of(pulled) == {"bo@example.org": [WORDS]}


@pytest.mark.parametrize(
    "user",
    [{"id": 1, "email": "ann@example.org"}, {"id": 1}, {"id": "1", "first_name": "Ann"}, {"email": "ann@example.org"}, "ann@example.org", "1", 1],
)
def test_the_annotator_is_known_however_the_export_names_him(user):
    pulled = pull(Server(task(annotation(region(), user=user), annotation(GOOD, number=2, user={"id": 2, "email": "bo@example.org"}))))
    assert spans_of(pulled) == {"ann@example.org": [PRICES], "bo@example.org": [WORDS]}


def test_two_annotations_by_one_annotator_are_both_kept_and_the_first_keeps_the_name(readable):
    server = Server(task(annotation(GOOD, number=5), annotation(region(), number=3)))
    pulled = pull(server)
    assert spans_of(pulled) == {"ann@example.org": [PRICES], "ann@example.org (2)": [WORDS]}
    readable(pulled)
    again = pull(server, pulled.annotations)
    assert (again.new, again.changed, again.missing) == (0, 0, ())
    assert [one.left for one in read_status(server, SCHEME).tasks] == [1]  # the other annotator's


def test_names_that_were_given_to_second_annotations_are_never_given_twice(monkeypatch):
    monkeypatch.setitem(USERS, 3, "ann@example.org (2)")  # pushed from a file that an earlier pull wrote
    pulled = pull(Server(task(annotation(GOOD), annotation(region(), number=2), annotation(number=3, user=3))))
    assert [(one.annotator, len(one.spans)) for one in pulled.annotations] == [
        ("ann@example.org", 1), ("ann@example.org (2)", 1), ("ann@example.org (2) (2)", 0),
    ]  # fmt: skip


def test_annotations_of_two_copies_of_a_document_are_all_kept(readable):
    first, copy = task(annotation(GOOD)), task(annotation(region(), number=2), number=8)
    pulled = pull(Server(first, copy))
    assert spans_of(pulled) == {"ann@example.org": [WORDS], "ann@example.org (2)": [PRICES]}
    readable(pulled)
    server = Server(first, copy)
    server.updated_since = lambda _moment: [read_task(copy)]  # an incremental pull sees one of them
    again = pull_annotations(server, pulled.annotations, SCHEME, everything=False)
    assert (again.new, again.changed, spans_of(again)) == (0, 0, spans_of(pulled))


def test_a_skip_that_was_taken_back_is_no_annotation():
    skip, real = annotation(number=1, was_cancelled=True), annotation(GOOD, number=2)
    assert spans_of(pull(Server(task(skip, real)))) == {"ann@example.org": [WORDS]}
    (kept,) = pull(Server(task(skip, annotation(number=2, was_cancelled=True)))).annotations
    assert (kept.annotator, kept.skipped) == ("ann@example.org", True)


@pytest.mark.parametrize("user", [None, 3, {"id": 3}])
def test_a_deleted_user_is_not_one_more_annotator(user, readable):
    before = pull(Server(task(annotation(region()), annotation(GOOD, number=2, user=2))))
    for fields in ({}, {"updated_at": "2026-12-01T10:00:00Z"}):  # recognised by its time, or by what it says
        pulled = pull(Server(task(annotation(region(), user=user, **fields), annotation(GOOD, number=2, user=2))), before.annotations)
        assert spans_of(pulled) == spans_of(before)
        assert (pulled.new, pulled.changed, pulled.missing) == (0, 0, ())
    unknown = pull(Server(task(annotation(region(), user=user), annotation(GOOD, number=2, user=user))))
    assert sorted(map(len, spans_of(unknown).values())) == [1, 1]  # nothing is lost where they were never pulled before
    readable(unknown)


def test_a_text_that_was_edited_in_label_studio_gives_nothing():
    server = Server(task(annotation(GOOD), text="Nu. " + TEXT))
    pulled = pull(server)
    assert pulled.annotations == ()
    assert "ann@example.org: the text in Label Studio is not the one that was pushed" in str(pulled.left_out[0])
    before = pull(Server(task(annotation(GOOD)))).annotations
    kept = pull(server, before)
    assert (kept.annotations, kept.missing) == (before, ())
    (status,) = read_status(server, SCHEME).tasks
    assert status.annotators == ("ann@example.org (not readable)",)
    assert "nobody yet" in str(read_status(Server(task(text="Nu.")), SCHEME).left_out[0])


def test_topics_given_twice_count_once(readable):
    pulled = pull(Server(task(annotation(topics("other", "cybercrime", "other"), topics("other")))))
    assert pulled.annotations[0].topics == ("cybercrime", "other")
    readable(pulled)


@pytest.mark.parametrize(
    ("text", "note"), [("Unsure\nhere", "Unsure\nhere"), (["Unsure", "here"], "Unsure\nhere"), ([], None), (None, None), ("half \ud83d of it", "half ? of it")]
)
def test_a_note_is_one_text(text, note, readable):
    pulled = pull(Server(task(annotation(GOOD, {"id": "note", "from_name": "note", "to_name": "text", "type": "textarea", "value": {"text": text}}))))
    assert pulled.annotations[0].note == note
    readable(pulled)


@pytest.mark.parametrize("moment", [None, "yesterday", 12, "2026-11-21"])
def test_a_time_that_cannot_be_read_stops_nothing(moment, readable):
    pulled = pull(Server(task(annotation(GOOD, updated_at=moment))))
    assert spans_of(pulled) == {"ann@example.org": [WORDS]}
    readable(pulled)
    again = pull_annotations(Server(task(annotation(GOOD))), pulled.annotations, SCHEME, everything=False)
    assert (again.new, again.changed) == (0, 0)


def test_tasks_that_newsmark_did_not_push_are_counted():
    foreign = {"id": 9, "data": {"text": "Eget."}, "annotations": [annotation(region(0, 4))]}
    empty = {"id": 10, "data": None, "annotations": None}
    server = Server(task(annotation(GOOD)), foreign, empty)
    pulled = pull(server)
    assert ([one.id for one in pulled.foreign], len(pulled.annotations)) == ([9], 1)
    assert [one.id for one in read_status(server, SCHEME).foreign] == [9, 10]


def test_of_two_marks_as_ground_truth_one_is_taken(readable):
    both = Server(task(annotation(GOOD, ground_truth=True), annotation(region(), number=2, user=2, ground_truth=True)))
    pulled = pull(both)
    assert {one.annotator: one.ground_truth for one in pulled.annotations} == {"ann@example.org": True, "bo@example.org": False}
    assert "bo@example.org: marked as ground truth, and so is that of ann@example.org" in str(pulled.left_out[0])
    readable(pulled)
    local = pull(Server(task(annotation(GOOD), annotation(region(), number=2, user=2, ground_truth=True)))).annotations
    assert {one.annotator: one.ground_truth for one in pull(both, local).annotations} == {"ann@example.org": False, "bo@example.org": True}
    moved = pull(Server(task(annotation(GOOD, ground_truth=True), annotation(region(), number=2, user=2))), local)
    assert ({one.annotator for one in moved.annotations if one.ground_truth}, moved.left_out) == ({"ann@example.org"}, ())
    with pytest.raises(NewsmarkError, match="unmark one of them"):
        pull(both, strict=True)


WHOLE = [
    task(
        annotation(GOOD, region(), region(*QUOTED, "quote", "r2"), kind(["direct"], "r2"), topics("other"), ground_truth=True),
        annotation(region(), number=2, user={"id": 2, "email": "bo@example.org"}),
    ),
    task(annotation(region(), number=3), number=8),
]
ANYTHING = some.recursive(
    some.sampled_from(["r1", "r2", "span", "topics", "note", 12, ["other", "other"], ["statistic", "boilerplate"], {"id": 1}])
    | some.none()
    | some.booleans()
    | some.integers(-5, 60)
    | some.floats(allow_subnormal=False)  # PyTorch, where it is loaded, makes the processor take them for 0
    | some.text(some.characters(), max_size=4),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.sampled_from(["id", "start", "value", "labels"]), inner, max_size=2),
    max_leaves=4,
)


def places(value, path=()):
    """Paths of all values inside JSON, but for the tasks themselves and their ids."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        if len(path) > 0 and (*path, key)[1:] != ("id",):
            yield (*path, key)
        yield from places(one, (*path, key))


@settings(deadline=None, max_examples=300)
@given(changes=some.lists(some.tuples(some.sampled_from(sorted(places(WHOLE), key=str)), ANYTHING), min_size=1, max_size=3))
def test_whatever_the_json_holds_the_rest_is_pulled_into_a_file_that_can_be_read(changes):
    tasks = copy.deepcopy(WHOLE)
    for (*path, last), value in changes:
        inner = tasks
        for key in path:
            inner = inner[key] if isinstance(inner, list | dict) and key in (inner if isinstance(inner, dict) else range(len(inner))) else {}
        if isinstance(inner, dict) or (isinstance(inner, list) and isinstance(last, int) and last < len(inner)):
            inner[last] = value
    server = Server(*tasks)
    pulled = pull(server)
    read_status(server, SCHEME)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.jsonl"
        write_annotations(path, pulled.annotations)
        again = pull(server, read_annotations(path, [DOCUMENT], SCHEME))
    assert (again.new, again.changed, again.missing) == (0, 0, ())


def test_a_pull_records_what_the_annotators_were_offered_and_leaves_what_was_recorded_before():
    server = Server(task(annotation(region())))
    server.offered_labels = ("statistic", "quote")
    (before,) = pull(server).annotations
    assert before.offered == ("statistic", "quote")
    server.offered_labels = SCHEME.label_names  # labels were added, and nobody looked again
    assert pull(server, [before]).annotations == (before,)
    server.rows = [task(annotation(region(), updated_at="2026-11-22T10:00:00Z"))]  # submitted again
    again = pull(server, [before])
    assert (again.changed, again.annotations[0].offered) == (1, SCHEME.label_names)


def test_a_star_does_not_make_an_annotator_judge_a_label_that_came_later():
    server = Server(task(annotation(region())))
    server.offered_labels = ("statistic",)
    (before,) = pull(server).annotations
    server.offered_labels = SCHEME.label_names
    server.rows = [task(annotation(region(), updated_at="2026-11-22T10:00:00Z", ground_truth=True))]
    (after,) = pull(server, [before]).annotations
    assert (after.ground_truth, after.offered) == (True, ("statistic",))


def test_a_decision_judges_what_its_interface_offered_and_no_label_that_came_later():
    decided = Server(task(annotation(region(), ground_truth=True)))
    decided.id, decided.url, decided.offered_labels = 2, "http://server/projects/2", ("statistic", "quote")
    (truth,) = read_decisions(decided, SCHEME).truths
    assert (truth.annotator, truth.offered) == ("ann@example.org (adjudicating)", ("statistic", "quote"))
    (kept,) = with_decisions([DOCUMENT], [], [truth])
    decided.offered_labels = SCHEME.label_names  # labels were added, and nobody looked again
    (kept,) = with_decisions([DOCUMENT], [kept], read_decisions(decided, SCHEME).truths)
    assert kept == truth

    older = replace(truth, offered=None)  # of a file that does not say it
    assert with_decisions([DOCUMENT], [older], [truth]) == [older]

    starred = Server(task(annotation(region(), ground_truth=True, user=3, updated_at="2026-11-22T10:00:00Z")))  # in the annotators' project
    starred.annotators.__dict__["names"] = {3: truth.annotator}
    pulled = pull(starred, [kept])
    assert (pulled.changed, pulled.annotations) == (0, (truth,))

    decided.rows = [task(annotation(region(), region(*QUOTED, "quote", "r2"), kind(["direct"], "r2"), ground_truth=True))]
    (changed_truth,) = with_decisions([DOCUMENT], [kept], read_decisions(decided, SCHEME).truths)
    assert (len(changed_truth.spans), changed_truth.offered) == (2, SCHEME.label_names)


@pytest.mark.parametrize("text", [None, "", " \u200b", "Nu.\0", "Nu \ud83d.", 7, ["Nu."]])
def test_a_task_of_others_without_a_usable_text_is_not_said_to_be_adopted_by_the_next_command(text, tmp_path, capsys):
    odd = {"id": 8, "data": {"text": text}, "annotations": [annotation()]}
    hashed = {"id": 7, "data": {"text": "Nu.", "sha256": 12}, "annotations": [annotation(number=3)]}
    server = Server(odd, hashed, {"id": 9, "data": {"text": "Nu."}, "annotations": [annotation(number=2)]})
    commands.report_odd((), pull(server).foreign)
    assert capsys.readouterr().err.splitlines() == [
        "passed over: 1 task (9) that newsmark did not push; annotate pull --adopt takes them",
        "passed over: task 7 (task 7), whose 'sha256' is 12 and no text's hash: if newsmark pushed it, put the hash back; else remove the field "
        "from the task's data, and annotate pull --adopt takes it",
        "passed over: 1 task (8) that newsmark did not push and can't adopt: their field 'text' holds no usable text",
    ]
    server.update_data = lambda *_: None
    assert [one.task.id for one in adopt_tasks(server, tmp_path / "adopted.jsonl")] == [9]


def test_an_address_that_can_be_none_is_one_line():
    with pytest.raises(NewsmarkError, match=r"^the server's URL can't be one \(Invalid IPv6 URL\); correct LABEL_STUDIO_URL$"):
        Connection("http://[::1", "token")


def test_what_is_adopted_is_reported_though_nothing_is_pulled_and_what_the_file_says_of_earlier_texts_is_kept(tmp_path, monkeypatch, capsys):
    said = {"title": "Nu", "url": "https://example.org/9", "date": "2026-11-28"}
    server = Server({"id": 9, "data": {"text": "Nu.", "lang": "sv", "desk": "A", **said}}, task(annotation(region(end=1000))))
    server.update_data = lambda *_: None
    server.connection = SimpleNamespace(clear_errors=nullcontext)
    monkeypatch.setattr(commands, "open_project", lambda _: server)
    earlier = {"url": "https://example.org/1", "name": "task 3", "lang": "sv", "text": "Förr."}
    (tmp_path / "adopted.jsonl").write_text(json.dumps(earlier) + "\n", encoding="utf-8")
    with pytest.raises(NewsmarkError, match="is outside the text"):
        commands._pull(Namespace(labels=DEFAULT_LABELS, annotations=tmp_path / "own.jsonl", adopt=True, strict=True, all=False, json=False))
    assert capsys.readouterr().err == f"adopted: 1 task (task 9) that newsmark did not push; the texts are in {tmp_path / 'adopted.jsonl'}\n"
    rows = [json.loads(line) for line in (tmp_path / "adopted.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(rows, key=lambda row: row["name"]) == [earlier, {**said, "name": "task 9", "lang": "sv", "text": "Nu."}]


def test_suggestions_are_compared_with_what_was_made_of_them_in_the_interface():
    made = {"created_at": "2026-11-21T10:00:00Z", "lead_time": 90.5}
    by_hand = annotation(region(end=PRICE[1] - 1), topics("cybercrime", "online-fraud", "other"), **made)
    imported = annotation(region(), number=2, user=2, created_at=made["created_at"])
    (used,) = read_status(Server(task(by_hand, imported)), SCHEME).used
    assert (used.version, used.annotations, used.edits, round(used.minutes, 2)) == ("None", 1, Edits(moved=1), 1.51)
    assert used.topics == Edits(accepted=1, deleted=1, added=2)
    early = annotation(region(), **made | {"created_at": "2025-11-21T10:00:00Z"})
    assert not read_status(Server(task(early)), SCHEME).used  # made before there were suggestions


def test_of_two_annotations_of_one_annotator_the_one_that_is_gone_is_kept(readable):
    first, second = annotation(GOOD, updated_at="2026-11-30T10:00:00Z"), annotation(region(), number=2, updated_at="2026-11-30T10:05:00Z")
    before = pull(Server(task(first, second)))
    assert list(spans_of(before)) == ["ann@example.org", "ann@example.org (2)"]
    after = pull(Server(task(second)), before.annotations)
    assert (spans_of(after), after.new, after.changed) == (spans_of(before), 0, 0)
    assert [one.annotator for one in after.missing] == ["ann@example.org"]
    third = annotation(region(0, 6), number=3, updated_at="2026-11-30T11:00:00Z")
    more = pull(Server(task(second, third)), after.annotations)
    assert {name: spans for name, spans in spans_of(more).items() if name in spans_of(before)} == spans_of(before)
    assert (more.new, more.changed, sorted(spans_of(more))[-1]) == (1, 0, "ann@example.org (3)")
    edited = annotation(region(0, 6), number=2, updated_at="2026-11-30T11:00:00Z")
    changed_one = pull(Server(task(first, edited)), before.annotations)
    assert (changed_one.new, changed_one.changed, sorted(spans_of(changed_one))) == (0, 1, sorted(spans_of(before)))
    readable(more)


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [(6, 7, "all that is marked is white space"), (5, 5, "all that is marked is white space"), (9, 3, "a statistic span at 9–3 ends before it begins")],
)
def test_a_region_of_nothing_is_named_and_judges_nothing(start, end, reason):
    pulled = pull(Server(task(annotation(region(start, end)))))
    assert pulled.annotations == ()
    assert reason in str(pulled.left_out[0])


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00", "9999-12-31T23:00:00-05:00", "2099-01-01T00:00:00Z"])
def test_a_time_that_can_not_be_hides_nothing(moment):
    (one,) = pull(Server(task(annotation(GOOD)))).annotations
    server = Server(task(annotation(GOOD), annotation(region(), number=2, user=2)))
    again = pull_annotations(server, [replace(one, updated_at=moment)], SCHEME, everything=False)
    assert sorted(spans_of(again)) == ["ann@example.org", "bo@example.org"]


def test_a_pull_asks_only_for_what_changed_since_an_hour_before_the_last_one():
    server, asked = Server(task(annotation(GOOD))), []
    before = pull(server)
    server.updated_since = lambda moment: asked.append(moment) or []
    pull_annotations(server, before.annotations, SCHEME, everything=False)
    assert asked == ["2026-11-21T09:00:01.500000Z"]


def test_a_renamed_label_is_no_work_of_an_annotator_and_hides_none():
    server = Server(task(annotation(GOOD)))
    local = [replace(one, offered=("boilerplate", "quote")) for one in pull(server).annotations]  # the other labels came later
    server.rows = [task(annotation(GOOD, updated_at="2026-11-30T10:00:00Z"))]
    (one,) = with_times_of(server, SCHEME, Relabelling(("page",), "boilerplate"), local)
    assert (one.updated_at, one.relabelled_at) == (local[0].updated_at, "2026-11-30T10:00:00Z")
    server.updated_since = lambda moment: server.export(only_annotated=True) if moment == "2026-11-21T09:00:01.500000Z" else []  # as before the change
    server.rows += [task(annotation(region(), number=2, updated_at="2026-11-30T08:00:00Z"), number=8, document=Document(TEXT, "b.txt", "sv"))]
    again = pull_annotations(server, [one], SCHEME, everything=False)
    assert (again.new, again.changed, again.annotations[0]) == (1, 0, one)
    server.rows[0]["annotations"][0]["updated_at"] = "2026-11-30T11:00:00Z"  # now somebody has pressed Update
    server.updated_since = lambda _: server.export(only_annotated=True)
    (submitted, _) = pull_annotations(server, again.annotations, SCHEME, everything=False).annotations
    assert (submitted.updated_at, submitted.relabelled_at, submitted.offered) == ("2026-11-30T11:00:00Z", None, SCHEME.label_names)


def test_a_full_pull_compares_each_annotation_with_those_of_its_document():
    class Counted(str):
        """A name that counts how often it is compared."""

        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other):
            Counted.compared += 1
            return str.__eq__(self, other)

    documents = [Document(f"{TEXT} {number}", f"{number}.txt", "sv") for number in range(200)]
    server = Server(*(task(annotation(GOOD), number=number, document=one) for number, one in enumerate(documents)))
    local = [replace(one, document_id=Counted(one.document_id)) for one in pull(server).annotations]
    assert len(pull(server, local).annotations) == 200
    assert Counted.compared < 20 * 200


def test_two_projects_of_one_title_are_named():
    listed = SimpleNamespace(list=lambda **_: [SimpleNamespace(id=number, title=title) for number, title in ((9, "desk"), (4, "desk"), (5, "other"))])
    connection = SimpleNamespace(url="http://server", sdk=SimpleNamespace(projects=listed))
    with pytest.raises(NewsmarkError, match=r"2 projects are called 'desk' \(ids 9, 4\); rename all but one in Label Studio"):
        _ = Project(connection, "desk").id
    assert Project(connection, "other").id == 5
    assert Project(connection, "none").id is None


def test_what_another_program_wrote_meanwhile_is_not_written_over(tmp_path):
    path = tmp_path / "own.jsonl"
    since = state_of(path)
    write_annotations(path, [], since)
    with pytest.raises(NewsmarkError, match=r"own\.jsonl: another program wrote this file meanwhile"):
        write_annotations(path, [], since)
    write_annotations(path, [], state_of(path))
    write_annotations(path, [])
