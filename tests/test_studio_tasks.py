"""What travels to and from Label Studio, without a server: the interface, tasks, results and suggestions."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from label_studio_sdk.label_interface import LabelInterface
from newsmark.annotation.annotations import Span, read_annotations
from newsmark.annotation.documents import Document, read_documents
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio.interface import (
    SPAN,
    TOPICS,
    instructions_html,
    interface_xml,
    kind_control,
    labels_in,
    mark_name,
    needs_former,
    offered_in,
    read_mark,
)
from newsmark.annotation.label_studio.reading import read_annotation
from newsmark.annotation.label_studio.records import read_task
from newsmark.annotation.label_studio.writing import prediction_row, task_data, to_results
from newsmark.annotation.labels import Label, LabelScheme, load_labels
from newsmark.annotation.suggestions import RULES_VERSION, RuleSuggester, SuggestedPassage, suggest_labels
from test_formats import annotated_texts

SEEDS = Path(__file__).parent.parent / "seeds"
SCHEME = load_labels()
DOCUMENTS = list(read_documents([SEEDS]))
XML = interface_xml(SCHEME)
DOCUMENT = Document("Ett.\r\n  😀 »Två« sade hon.\u00a0\nTre %", "a.txt", "sv")


def back(document, results, scheme=SCHEME, **fields):
    """Read the one annotation of a task as Label Studio exports it; all of it can be read."""
    annotation = {"id": 1, "result": results, "ground_truth": False, "was_cancelled": False, "updated_at": "2026-11-21T10:00:00Z", **fields}
    task = read_task({"id": 7, "data": task_data(document), "annotations": [annotation]})
    return read_annotation(task, task.annotations[0], "reader-1", scheme).whole()


def quote(start, end, span_id="s1", **changes):
    return Span(span_id, start, end, "quote", "direct", **changes)


def marked(document, suggestion):
    return [(span.label, document.text[span.start : span.end]) for span in suggestion.spans]


def test_the_interface_is_valid_and_holds_all_of_the_labels_file():
    interface = LabelInterface(XML)
    interface.validate()
    root = ET.fromstring(XML)
    labels = [(one.get("value"), one.get("background"), one.get("hotkey"), one.get("hint")) for one in root.iter("Label")]
    marks = [(label, mark_name(label.name, kind), hotkey) for label in SCHEME.labels for kind, hotkey in label.marks.items()]
    assert labels == [(mark, label.color, hotkey, label.definition) for label, mark, hotkey in marks]
    assert [(mark, key) for mark, _, key, _ in labels][2:4] == [("quote:direct", "3"), ("quote:indirect", "d")]
    (topics,) = root.iter("Choices")
    assert [(one.get("value"), one.get("hotkey"), one.get("hint")) for one in topics] == [(one.name, one.hotkey, one.definition) for one in SCHEME.topics]


def test_two_labels_may_have_kinds():
    more = replace(SCHEME, labels=(*SCHEME.labels, Label("stance", "For or against.", "#000000", "9", ("for", "against"))))
    LabelInterface(interface_xml(more)).validate()  # refuses two controls of one name
    spans = (quote(0, 3, "s1"), Span("s2", 4, 6, "stance", "against"))
    document = Document("Aaa bb", "a.txt", "en")
    assert back(document, to_results(document, spans), more).spans == spans


def test_the_interface_escapes_what_a_definition_holds():
    strange = LabelScheme((Label("quote", 'Says "a < b" & more.', "#000000", "1"),), SCHEME.topics)
    xml = interface_xml(strange)
    LabelInterface(xml).validate()
    assert next(ET.fromstring(xml).iter("Label")).get("hint") == 'Says "a < b" & more.'
    assert "a &lt; b" in instructions_html(strange)


def test_the_names_in_an_interface_are_read_back():
    offered = offered_in(XML)
    assert {value for control, value in offered if control == SPAN} == {"commitment", "statistic", "quote:direct", "quote:indirect", "boilerplate"}
    assert {value for control, value in offered if control == TOPICS} == set(SCHEME.topic_names)
    assert {control for control, _ in offered} == {SPAN, TOPICS}
    assert labels_in(XML) == SCHEME.label_names
    assert offered_in("<View><Text name='text' value='$text'/></View>") == frozenset()


def test_the_instructions_define_every_label_and_topic():
    html = instructions_html(SCHEME)
    for label in SCHEME.labels:
        assert f"<b>{label.name}</b>: {label.definition}" in html
    for topic in SCHEME.topics:
        assert f"<b>{topic.name}</b> (key {topic.hotkey}): {topic.definition}" in html


def test_the_instructions_name_the_hotkey_of_every_label_and_kind():
    html = instructions_html(SCHEME)
    assert "Mark it with statistic (key 2)." in html
    assert "Mark it with quote:direct (key 3) or quote:indirect (key d)." in html
    listed = replace(SCHEME, labels=(replace(SCHEME.label("quote"), kind_hotkeys=()),))
    assert "Mark it with quote:direct (key 3) or quote:indirect." in instructions_html(listed)


def test_the_instructions_name_the_codebook():
    assert "annotation/CODEBOOK.md" in instructions_html(SCHEME)
    assert Path("annotation/CODEBOOK.md").is_file()


def test_every_seed_annotation_survives_the_way_there_and_back():
    documents = {document.id: document for document in DOCUMENTS}
    annotations = read_annotations(SEEDS / "annotations.jsonl", DOCUMENTS, SCHEME)
    assert len(annotations) > len(DOCUMENTS)
    for one in annotations:
        results = to_results(documents[one.document_id], one.spans, one.topics, one.note)
        again = back(documents[one.document_id], results, ground_truth=one.ground_truth, was_cancelled=one.skipped)
        assert replace(again, annotator=one.annotator, updated_at=None) == replace(one, updated_at=None)


@given(one=annotated_texts())
def test_spans_of_any_text_survive_the_way_there_and_back(one):
    document, spans = one.document, one.annotation.spans
    results = json.loads(json.dumps(to_results(document, spans)))  # as a server answers
    assert [result["value"]["text"] for result in results] == [document.text[span.start : span.end] for span in spans]
    assert back(document, results).spans == spans


def test_topics_note_and_accepted_spans_survive_and_topics_take_the_order_of_the_file():
    spans = (quote(8, 14, accepted=True), Span("s2", 27, 32, "statistic"))
    results = to_results(DOCUMENT, spans, ["other", "cybercrime"], "An\nodd “one”")
    annotation = back(DOCUMENT, results, ground_truth=True)
    assert annotation.topics == ("cybercrime", "other")
    assert annotation.note == "An\nodd “one”"
    assert annotation.spans == spans
    assert annotation.ground_truth
    assert annotation.updated_at == "2026-11-21T10:00:00Z"


def test_white_space_is_trimmed_and_a_span_of_nothing_else_left_out():
    text = DOCUMENT.text
    assert text[4:16] == "\r\n  😀 »Två« "
    annotation = back(DOCUMENT, to_results(DOCUMENT, [quote(4, 16), quote(4, 8, "s2"), quote(15, text.index("Tre"), "s3")]))
    assert [text[span.start : span.end] for span in annotation.spans] == ["😀 »Två«", "sade hon."]


def test_the_repeated_text_of_a_result_is_not_trusted():
    results = to_results(DOCUMENT, [quote(10, 15)])
    for result in results:
        result["value"]["text"] = "\\n something else"
    assert back(DOCUMENT, results).spans == (quote(10, 15),)


def test_a_skipped_document_has_no_spans():
    annotation = back(DOCUMENT, to_results(DOCUMENT, [quote(0, 4)], ["other"]), was_cancelled=True)
    assert (annotation.skipped, annotation.spans, annotation.topics) == (True, (), ())


def test_two_spans_of_one_id_are_refused():
    with pytest.raises(NewsmarkError, match=r"^a\.txt: two spans have the id 's1'; Label Studio would lose one$"):
        to_results(DOCUMENT, [quote(0, 4), quote(8, 14)])


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 0), (5, 4), (0, len(DOCUMENT.text) + 1)])
def test_a_span_outside_the_text_is_not_sent(start, end):
    with pytest.raises(NewsmarkError, match=r"^a\.txt: span 's1' at .* is outside the text of \d+ characters$"):
        to_results(DOCUMENT, [quote(start, end)])


@pytest.mark.parametrize(
    ("control", "value", "problem"),
    [
        ("span", {"labels": ["rumour"]}, "label 'rumour' is not in the labels file"),
        ("span", {"end": 1000}, "a quote span at 0–1000 is outside the text"),
        ("span", {"start": -2}, "a quote span at -2–4 is outside the text"),
        ("topics", {"choices": ["weather"]}, "topic 'weather' is not in the labels file"),
        ("span", {"labels": ["quote:reported"]}, "the quote “Ett.” has no kind; choose direct or indirect"),
        ("span", {"labels": ["quote"]}, "the quote “Ett.” has no kind; choose direct or indirect"),
    ],
)
def test_what_does_not_fit_the_labels_file_or_the_text_is_refused(control, value, problem):
    results = to_results(DOCUMENT, [quote(0, 4)], ["other"])
    changed = [{**one, "value": one["value"] | value} if one["from_name"].startswith(control) else one for one in results]
    assert changed != results
    with pytest.raises(NewsmarkError, match=rf"^task 7 \(a\.txt\), reader-1: {problem}"):
        back(DOCUMENT, changed)


def test_every_prediction_of_the_seeds_is_valid():
    interface = LabelInterface(XML)
    for document in DOCUMENTS:
        suggestion = RuleSuggester(SCHEME).suggest(document)
        assert suggestion.spans
        assert interface.validate_task({"data": task_data(document)})
        assert interface.validate_prediction(prediction_row(document, suggestion), return_errors=True) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Près de 100 pays ont signé.", [("statistic", "Près de 100 pays")]),
        ("Priset steg med 3,5 % till 1 200 kronor.", [("statistic", "3,5 %"), ("statistic", "1 200 kronor")]),
        ("It cost 12,000.50 dollars in 2024.", [("statistic", "12,000.50 dollars")]),
        ("Il a dit : « nous allons tous y travailler ».", [("quote", "Il a dit : « nous allons tous y travailler ».")]),
        ("Detta kallas ”öppet”.", []),
        ("Comment (0)\nSource : https://example.org/a", [("boilerplate", "Comment (0)"), ("boilerplate", "Source : https://example.org/a")]),
        ("Nothing to see on 8 October.", []),
    ],
)
def test_the_rules_find_quantities_quotations_and_furniture(text, expected):
    document = Document(text, "a.txt", "fr")
    suggestion = RuleSuggester(SCHEME).suggest(document)
    assert marked(document, suggestion) == expected
    assert suggestion.version == RULES_VERSION
    assert set(suggestion.scores) == {span.id for span in suggestion.spans}


def test_rules_fall_silent_for_a_label_that_was_removed():
    scheme = replace(SCHEME, labels=tuple(label for label in SCHEME.labels if label.name != "statistic"))
    document = Document("100 pays.\nComment (0)", "a.txt", "fr")
    assert marked(document, RuleSuggester(scheme).suggest(document)) == [("boilerplate", "Comment (0)")]


def test_a_models_labels_become_spans_with_a_kind_where_one_is_needed():
    document = Document("Hon lovar mer.\n”Vi ska göra det i morgon bitti”, sade hon.", "a.txt", "sv")
    passages = [SuggestedPassage(0, 14, {"quote": 0.61}), SuggestedPassage(15, len(document.text), {"quote": 0.61})]
    suggestion = suggest_labels(document, "baseline-1", passages, SCHEME)
    assert [(span.id, span.kind, suggestion.scores[span.id]) for span in suggestion.spans] == [("p1", "indirect", 0.61), ("p2", "direct", 0.61)]
    assert [document.text[span.start : span.end] for span in suggestion.spans] == document.text.split("\n")


def test_what_an_article_says_about_itself_is_in_the_data_of_its_task():
    said = {"title": "Rubrik", "url": "https://example.org/a"}
    document = Document("Det regnade.", "a.html", "sv", said)
    assert task_data(document) == {**said, "text": document.text, "sha256": document.id, "name": "a.html", "lang": "sv"}


def test_labels_and_their_kinds_stay_in_view_beside_each_other_and_the_article_is_named():
    root = ET.fromstring(XML)
    (bar,) = root.findall("View")
    assert "position: sticky" in bar.get("style")
    assert [(one.tag, one.get("name")) for one in bar] == [("Labels", SPAN)]
    assert root.find("Header").get("value") == "$name"


def _as_before(results):
    """Results as they were once: the kind in a control of its own."""
    for one in results:
        label, kind = read_mark(one["value"]["labels"][0])
        yield {**one, "value": {**one["value"], "labels": [label]}}
        yield {**one, "from_name": kind_control(label), "type": "choices", "value": {**one["value"], "choices": [kind]}}


def test_annotations_of_the_former_interface_are_read_and_can_be_changed():
    former = list(_as_before(to_results(DOCUMENT, [quote(0, 4), quote(8, 14, "s2")])))
    assert back(DOCUMENT, former).spans == (quote(0, 4), quote(8, 14, "s2"))
    xml = interface_xml(SCHEME, former=True)
    LabelInterface(xml).validate()
    assert offered_in(xml) - offered_in(XML) == {(SPAN, "quote"), ("kind-quote", "direct"), ("kind-quote", "indirect")}
    assert labels_in(xml) == SCHEME.label_names
    assert (needs_former(xml, SCHEME), needs_former(XML, SCHEME)) == (True, False)
    (bar,) = ET.fromstring(xml).findall("View")
    assert [(one.tag, one.get("name"), one.get("required")) for one in bar] == [("Labels", SPAN, None), ("Choices", "kind-quote", None)]


def test_a_label_that_gets_kinds_keeps_what_was_marked_without_one():
    before = replace(SCHEME, labels=tuple(replace(label, kinds=(), kind_hotkeys=()) for label in SCHEME.labels))
    assert needs_former(interface_xml(before), SCHEME)
    assert not needs_former(interface_xml(before), before)


def test_the_instructions_say_how_to_work_and_show_examples():
    label = replace(SCHEME.labels[0], examples=("Vi lovar <mer>.",))
    html = instructions_html(replace(SCHEME, labels=(label,)))
    assert "<ul><li>– Vi lovar &lt;mer&gt;.</li></ul>" in html
    assert html.count("<ol") == 1
