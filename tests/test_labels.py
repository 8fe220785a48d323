"""The labels file: what it names, and an error for every way to get it wrong."""

import re

import pytest
import yaml
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels


def changed(**changes):
    """A small labels file, as YAML, with some settings of its label ``quote`` replaced (None: taken out)."""
    quote = {"definition": "Words of a source.", "color": "#ef6c00", "hotkey": "1", "kinds": ["direct"], **changes}
    topic = {"definition": "Anything.", "color": "#455a64", "hotkey": "u"}
    return yaml.safe_dump({"labels": {"quote": {key: value for key, value in quote.items() if value is not None}}, "topics": {"other": topic}})


def load(folder, text):
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return load_labels(path)


def test_the_labels_are_the_four_of_the_codebook_in_order():
    assert load_labels().label_names == ("commitment", "statistic", "quote", "boilerplate")


def test_the_topics_are_those_of_the_codebook():
    assert load_labels().topic_names == (
        "cybercrime",
        "online-fraud",
        "multilateral-diplomacy",
        "law-enforcement-cooperation",
        "drug-control",
        "digital-governance",
        "other",
    )


def test_only_a_quote_has_kinds_and_only_boilerplate_is_exclusive():
    scheme = load_labels()
    assert {label.name: label.kinds for label in scheme.labels if label.kinds} == {"quote": ("direct", "indirect")}
    assert scheme.exclusive_names == {"boilerplate"}
    assert scheme.label("boilerplate").exclusive


def test_every_label_and_topic_can_be_told_apart_in_the_interface():
    entries = [*load_labels().labels, *load_labels().topics]
    assert len({entry.color for entry in entries}) == len(entries)
    assert len({entry.hotkey for entry in entries}) == len(entries)
    assert all(entry.definition.endswith(".") for entry in entries)


def test_a_label_of_another_name_is_a_key_error():
    with pytest.raises(KeyError):
        load_labels().label("quot")


def test_an_own_labels_file_is_read(tmp_path):
    scheme = load(tmp_path, changed(exclusive=True, kinds=["direct", "thought"]))
    assert scheme.label_names == ("quote",)
    assert scheme.label("quote").kinds == ("direct", "thought")
    assert scheme.exclusive_names == {"quote"}


def test_kinds_may_have_hotkeys_and_the_first_of_a_list_has_that_of_its_label(tmp_path):
    listed = load(tmp_path, changed(kinds=["direct", "indirect"])).label("quote")
    assert listed.marks == {"direct": "1", "indirect": None}
    mapped = load(tmp_path, changed(kinds={"direct": None, "indirect": "2"})).label("quote")
    assert (mapped.kinds, mapped.marks) == (("direct", "indirect"), {"direct": "1", "indirect": "2"})
    assert load(tmp_path, changed(kinds={"direct": "1", "indirect": "2"})).label("quote").marks == mapped.marks
    assert load(tmp_path, changed(kinds=None)).label("quote").marks == {None: "1"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (changed(defintion="x"), "labels.quote: unknown key 'defintion'; did you mean 'definition'?"),
        (changed(colour="#000000"), "labels.quote: unknown key 'colour'; did you mean 'color'?"),
        (changed().replace("hotkey: u", "hotkey: u\n    kinds: [a]"), "topics.other: unknown key 'kinds'"),
        (changed(definition=None), "labels.quote: the key 'definition' is missing"),
        (changed(hotkey=1), "labels.quote.hotkey: must be a string"),
        (changed(color="red"), "labels.quote.color: must be of the form '#rrggbb', got 'red'"),
        (changed(color="#12345g"), "labels.quote.color: must be of the form"),
        (changed(color="#1234567"), "labels.quote.color: must be of the form"),
        (changed(hotkey="u"), "hotkey 'u' is given twice"),
        (changed(kinds="direct"), "labels.quote.kinds: must be a list"),
        (changed(kinds=[1]), "labels.quote.kinds: must be a list"),
        (changed(kinds={"direct": "1", "indirect": "1"}), "hotkey '1' is given twice; each label, kind and topic needs its own"),
        (changed(kinds={"direct": None, "indirect": "u"}), "hotkey 'u' is given twice"),
        (changed(kinds={"direct": 3}), "labels.quote.kinds: must be a list of names, or map each name to its hotkey in quotation marks, got {'direct': 3}"),
        (changed(kinds={1: "3"}), "labels.quote.kinds: must be a list"),
        (changed(kind_hotkeys=["3"]), "labels.quote: unknown key 'kind_hotkeys'"),
        (changed(exclusive="yes"), "labels.quote.exclusive: must be true or false"),
        (changed().replace("quote:", "Quote Mark:"), "labels.Quote Mark: a name is made of"),
        (changed().replace("quote:", "5:"), "labels.5: a name is made of"),
        ("labels: {quote: words}\ntopics: {other: {}}", "labels.quote: must map settings"),
        ("labels: {}\ntopics: {other: {}}", "labels: must map at least one name"),
        ("labels: [quote]\ntopics: {other: {}}", "labels: must map at least one name"),
        ("labels: {}\n", "needs exactly the keys 'labels' and 'topics'"),
        (changed() + "colours: {}\n", "needs exactly the keys 'labels' and 'topics'"),
        ("", "must map keys such as 'labels' to values"),
        ("- labels\n- topics", "must map keys such as 'labels' to values"),
        (changed(name="cite"), "labels.quote: unknown key 'name'"),
        ("labels: {a: 1, a: 2}\ntopics: {}", "broken YAML: the key 'a' is given twice"),
        ("labels: [quote", "broken YAML"),
        ("labels:\n\t- quote", "broken YAML"),
    ],
    ids=lambda value: value[:40],
)
def test_a_wrong_labels_file_is_refused_with_the_file_and_the_key(tmp_path, text, problem):
    with pytest.raises(NewsmarkError, match=re.escape(f"own.yaml: {problem}")):
        load(tmp_path, text)


def test_a_missing_labels_file_is_named(tmp_path):
    with pytest.raises(NewsmarkError, match=r"absent\.yaml: no such file"):
        load_labels(tmp_path / "absent.yaml")
