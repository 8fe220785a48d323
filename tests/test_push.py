"""What a push decides, without a server: batches, what is new, copies, timeouts. ``integration`` pushes to a real Label Studio."""

import itertools
import json
from collections import Counter
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsmark.annotation.annotations import Annotation, Span
from newsmark.annotation.documents import Document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio import push, renewal, tasks
from newsmark.annotation.label_studio.annotators import Annotators
from newsmark.annotation.label_studio.records import read_prediction, read_task
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestions import RuleSuggester

RULES = RuleSuggester(load_labels())


class Store:
    """Keeps rows as a server does, and plays both the project and its tasks."""

    id = 1

    def __init__(self):
        self.rows, self.imported, self.guessed, self.deleted = [], [], [], []
        self.tasks, self.title, self.connection = self, "p", SimpleNamespace(url="http://server")
        self.annotators = Annotators(SimpleNamespace())
        self.annotators.__dict__["names"] = {1: "ann@example.org", 2: "bo@example.org"}

    def import_rows(self, rows):
        self.imported.append(len(rows))
        for row in json.loads(json.dumps(rows)):
            number = len(self.rows) + 1
            for prediction in row["predictions"]:
                self.guessed.append({**prediction, "task": number})
            self.rows.append({"id": number, "data": row["data"], "annotations": [_stored(one) for one in row.get("annotations", [])]})

    def import_predictions(self, rows):
        self.imported.append(len(rows))
        self.guessed += rows

    def predictions(self):
        return list(map(read_prediction, self.guessed))

    def suggested(self):
        with_some = {one["task"] for one in self.guessed}
        return [task for task in map(read_task, self.rows) if task.id in with_some and not task.annotations]

    def find(self, field, values):
        return [task for task in map(read_task, self.rows) if getattr(task, field) in values]

    def find_whole(self, hashes):
        return self.find("sha256", hashes)

    def copies(self, hashes):
        return Counter(task.sha256 for task in self.find("sha256", hashes))

    def add_annotation(self, task, row):
        self.rows[task - 1]["annotations"].append(_stored(row))

    def delete(self, numbers):
        self.deleted += numbers


def _stored(row, number=itertools.count(1)):  # noqa: B008 - one count for all
    return {**row, "id": next(number), "completed_by": {"id": row["completed_by"]}, "updated_at": "2026-11-21T10:00:00Z"}


def articles(*names):
    return [Document(f"Priset på {name} steg med 3 %.", name, "sv") for name in names]


def annotation(document, annotator="ann@example.org", *spans):
    return Annotation(document.id, document.name, annotator, False, (), tuple(Span(f"s{start}", start, end, "statistic") for start, end in spans))


@given(lengths=st.lists(st.integers(1, 9), max_size=30))
def test_batches_hold_each_document_once_in_order_and_are_as_large_as_they_may_be(lengths):
    documents = [SimpleNamespace(text="x" * length) for length in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(push, "BATCH", 4)
        patch.setattr(push, "_BATCH_CHARACTERS", 20)
        batches = list(push._batches(documents))
    assert [one for batch in batches for one in batch] == documents
    sizes = [sum(len(one.text) for one in batch) for batch in batches]
    assert all(len(batch) <= 4 and size <= 20 for batch, size in zip(batches, sizes, strict=True))
    assert all(len(batch) == 4 or size + len(after[0].text) > 20 for batch, size, after in zip(batches, sizes, batches[1:], strict=False))


def test_a_document_that_is_larger_than_a_batch_is_sent_alone(monkeypatch):
    monkeypatch.setattr(push, "_BATCH_CHARACTERS", 3)
    documents = [SimpleNamespace(text=text) for text in ("xxxx", "a", "bc", "d")]
    assert [[one.text for one in batch] for batch in push._batches(documents)] == [["xxxx"], ["a", "bc"], ["d"]]


def test_documents_arrive_in_their_order_with_suggestions_and_annotations(monkeypatch):
    monkeypatch.setattr(push, "BATCH", 2)
    store, documents = Store(), articles("a", "b", "c", "d", "e")
    assert list(push.push_documents(store, documents, RULES, [annotation(documents[1]), annotation(documents[4], "bo@example.org", (0, 6))])) == [2, 2, 1]
    assert store.imported == [2, 2, 1]
    assert [row["data"]["name"] for row in store.rows] == ["a", "b", "c", "d", "e"]
    assert [[one["completed_by"]["id"] for one in row["annotations"]] for row in store.rows] == [[], [1], [], [], [2]]
    assert {one["model_version"] for one in store.guessed} == {RULES.version}
    assert list(push.push_documents(store, [], RULES, [])) == []


def test_a_nul_in_the_last_document_lets_nothing_be_sent():
    store, documents = Store(), [*articles("a"), Document("Hej\0", "b", "sv")]
    with pytest.raises(NewsmarkError, match=r"^b: the text holds a NUL, which Label Studio can't store on every database; remove it$"):
        list(push.push_documents(store, documents, RULES, []))
    assert store.imported == []


def test_a_plan_says_what_is_new_what_changed_and_what_is_there_twice():
    store, documents = Store(), articles("a", "b", "c")
    list(push.push_documents(store, [documents[0], *documents[:2]], RULES, []))
    other = Document("En annan text.", "b", "sv")
    plan = push.plan_push(store, [*documents, other])
    assert plan == push.Plan((documents[2], other), tuple(documents[:2]), (other,), (documents[0].id,))
    assert plan.counts == {"new": 2, "unchanged": 2, "changed": 1}
    assert str(plan) == "2 new, 2 unchanged, 1 of the new ones changed (their old tasks stay)"
    assert push.plan_push(SimpleNamespace(id=None), documents) == push.Plan(tuple(documents), (), ())


def test_annotations_are_added_where_their_annotator_has_none():
    store, documents = Store(), articles("a", "b", "c")
    list(push.push_documents(store, documents[:2], RULES, [annotation(documents[0])]))
    wanted = [
        annotation(documents[0], "ann@example.org", (0, 6)),
        annotation(documents[0], "bo@example.org", (0, 6)),
        annotation(documents[1], "bo@example.org"),
    ]
    assert push.push_annotations(store, documents, [*wanted, annotation(documents[2]), annotation(Document("x", "x", "sv"))]) == push.Added(2, ())
    assert [[(one["completed_by"]["id"], len(one["result"])) for one in row["annotations"]] for row in store.rows] == [[(1, 0), (2, 1)], [(2, 0)]]


def test_suggestions_are_renewed_where_there_are_none_of_the_version(monkeypatch):
    store, documents = Store(), articles("a", "b", "c", "d")
    list(push.push_documents(store, documents, RULES, []))
    assert renewal.stale_tasks(store, documents, RULES.version) == renewal.stale_tasks(store, [], "newer") == renewal.Stale((), ())
    assert renewal.refresh_suggestions(store, documents, RULES) == renewal.Stale((), ())
    for guess in store.guessed[1:]:
        guess["model_version"] = "older"
    monkeypatch.setattr(renewal, "BATCH", 2)
    assert renewal.stale_tasks(store, documents[:3], RULES.version) == renewal.Stale(((2, documents[1]), (3, documents[2])), ())
    store.imported.clear()
    assert len(renewal.refresh_suggestions(store, documents, RULES).tasks) == 3
    assert store.imported == [2, 1]
    assert [(one["task"], one["model_version"]) for one in store.guessed[4:]] == [(number, RULES.version) for number in (2, 3, 4)]
    assert all(one["result"] for one in store.guessed[4:])


def test_nothing_is_marked_in_a_text_that_was_changed_in_label_studio():
    store, documents = Store(), articles("a", "b")
    list(push.push_documents(store, documents, RULES, []))
    store.rows[0]["data"]["text"] = "Nu. " + documents[0].text
    added = push.push_annotations(store, documents, [annotation(one, "bo@example.org", (0, 6)) for one in documents])
    assert (added.count, [task.name for task in added.edited], store.rows[0]["annotations"]) == (1, ["a"], [])
    renewed = renewal.refresh_suggestions(store, documents, RuleSuggester(load_labels(), "newer"))
    assert ([task for task, _ in renewed.tasks], [task.name for task in renewed.edited]) == ([2], ["a"])
    assert [one["task"] for one in store.guessed if one["model_version"] == "newer"] == [2]
    list(push.push_documents(store, documents[:1], RULES, []))  # of two copies the one with the document's text is taken
    assert push.push_annotations(store, documents[:1], [annotation(documents[0])]) == push.Added(1, ())
    assert store.rows[2]["annotations"]


def test_a_version_is_shown_once_no_other_document_that_waits_would_lose_its_suggestions():
    store, (one, two, three) = Store(), articles("a", "b", "c")
    list(push.push_documents(store, [one, two], RuleSuggester(load_labels(), "older"), [annotation(two)]))
    list(push.push_documents(store, [three], RULES, []))
    store.rows.append({"id": 9, "data": {"text": "Eget."}, "annotations": []})
    store.guessed.append({"task": 9, "model_version": "theirs", "result": []})
    assert renewal.without_suggestions(store, [three], RULES.version) == ["a"]  # somebody annotated b, and newsmark did not push the other one
    assert renewal.without_suggestions(store, [three, Document("En ny text.", "a", "sv")], RULES.version) == []  # the task has a former text of it
    renewal.refresh_suggestions(store, [one], RULES)
    assert renewal.without_suggestions(store, [three], RULES.version) == []


class Slow(Store):
    """Does not answer an import in time: some of its documents are there then, and one more each time that it is asked."""

    def __init__(self, at_once, most):
        super().__init__()
        self.at_once, self.most, self.late = at_once, most, []

    def import_rows(self, rows):
        super().import_rows(rows[: self.at_once])
        self.late = rows[self.at_once : self.most]
        raise httpx.ReadTimeout("the read operation timed out")

    def copies(self, hashes):
        found = super().copies(hashes)
        if self.late:
            super().import_rows([self.late.pop(0)])
        return found


@pytest.fixture
def clock(monkeypatch):
    """Time that passes while somebody sleeps; the list of how long each slept."""
    slept = []
    monkeypatch.setattr(push, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))
    return slept


@pytest.mark.parametrize(("at_once", "asked"), [(3, 0), (2, 1), (1, 2), (0, 3)])
def test_documents_that_arrive_after_a_timeout_are_waited_for(clock, at_once, asked):
    store = Slow(at_once, 3)
    assert list(push.push_documents(store, articles("a", "b", "c"), RULES, [])) == [3]
    assert clock == [2] * asked


@pytest.mark.parametrize(("at_once", "most", "of", "stored", "waited"), [(2, 2, 3, 2, 2), (0, 2, 3, 2, 6), (0, 0, 3, 0, 60), (0, 40, 40, 29, 60)])
def test_documents_that_do_not_arrive_after_a_timeout_are_counted(clock, at_once, most, of, stored, waited):
    store = Slow(at_once, most)
    said = rf"^http://server did not answer in time and stored {stored} of {of} documents; run the command again$"
    with pytest.raises(NewsmarkError, match=said):
        list(push.push_documents(store, articles(*map(str, range(of))), RULES, []))
    assert sum(clock) == waited  # seconds


def test_of_copies_the_one_with_most_annotations_stays_and_so_does_what_only_a_copy_holds():
    store, (one, two, three) = Store(), articles("a", "b", "c")
    mine, others = annotation(one), annotation(one, "bo@example.org", (0, 6))
    rows = [(one, []), (one, [mine, others]), (one, [mine]), (one, [annotation(one, "bo@example.org", (0, 5))]), (two, []), (two, []), (two, []), (three, [])]
    for document, own in rows:
        list(push.push_documents(store, [document], RULES, own))
    store.rows[6]["drafts"] = [{"id": 1, "user": 1, "result": []}]
    push.remove_copies(store, [one.id, two.id])
    assert sorted(store.deleted) == [1, 3, 6]  # 4 has an annotation of its own, 7 a draft


def test_one_command_at_a_time_changes_a_project(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path))
    store, other = Store(), Store()
    other.title = "q"
    with push.project_lock(store):
        said = r"^another annotate command is changing http://server, project 'p'; wait for it, then run the command again$"
        with pytest.raises(NewsmarkError, match=said), push.project_lock(store):
            pass
        said = r"^another annotate backend is changing"
        with push.project_lock(other), push.project_lock(store, "backend"), pytest.raises(NewsmarkError, match=said), push.project_lock(store, "backend"):
            pass
    with push.project_lock(store):  # it is free again
        pass


@given(values=st.lists(st.text(max_size=5), max_size=40))
def test_look_ups_are_cut_so_that_their_addresses_are_not_too_long(values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "_LOOKUP", 7)
        patch.setattr(tasks, "_LOOKUP_CHARACTERS", 100)
        parts = list(tasks._parts(values))
    assert [value for part in parts for value in part] == values
    sizes = [sum(len(quote(value)) + 10 for value in part) for part in parts]
    assert all(part and len(part) <= 7 and size <= 100 for part, size in zip(parts, sizes, strict=True))
    assert all(len(part) == 7 or size + len(quote(after[0])) + 10 > 100 for part, size, after in zip(parts, sizes, parts[1:], strict=False))
