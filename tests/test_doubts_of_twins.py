"""Near copies and translations with other labels."""

from pathlib import Path

import pytest
from newsmark.annotation.alignment import align
from newsmark.annotation.annotations import Annotation, Span, read_annotations
from newsmark.annotation.documents import Document, read_documents
from newsmark.annotation.doubts.doubt import annotated_documents
from newsmark.annotation.doubts.translations import translations_differ
from newsmark.annotation.doubts.twins import twins_differ
from newsmark.annotation.labels import load_labels

SEEDS = Path(__file__).parent.parent / "seeds"
SCHEME = load_labels()
SENTENCE = "Regeringen lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 203{}."
SOURCE = "\nSource: https://example.org/summit"
ENGLISH = (
    "The ministers of 12 countries met in Hanoi on Monday to discuss fraud.\nIt was raining in the city, and the streets were full of water and people.\n"
    "Yes, of course.\nMrs Tran of Vietnam said that her country would send 40 officers to the centre in Bangkok." + SOURCE
)
FRENCH = (
    "Les ministres de 12 pays se sont réunis lundi à Hanoi pour parler de la fraude.\nIl pleuvait sur la ville, et les rues étaient pleines d'eau et de "
    "monde.\nOui, bien sûr.\nMme Tran, du Vietnam, a dit que son pays enverrait 40 policiers au centre de Bangkok." + SOURCE
)


def documents_of(*texts):
    return [Document(text, f"{number}.txt", language) for number, (text, language) in enumerate(texts)]


def annotated(documents, marked, offered=SCHEME.label_names):
    """Annotate documents: ``marked`` has the label of lines, by document and line."""
    annotations = []
    for number, document in enumerate(documents):
        spans, start = [], 0
        for line, text in enumerate(document.text.split("\n")):
            label = marked.get((number, line))
            spans += [Span(f"s{line}", start, start + len(text), label)] if label else []
            start += len(text) + 1
        annotations.append(Annotation(document.id, document.name, "ann", False, (), tuple(spans), offered=offered))
    return annotated_documents(documents, annotations, SCHEME)


def of(reason, documents):
    return [(one.name, one.label, one.given, pytest.approx(one.strength, abs=0.005)) for one in reason(documents, SCHEME)]


def test_two_equal_passages_with_different_labels_are_both_doubted():
    documents = annotated(documents_of((SENTENCE.format(0), "sv"), ("Det regnar.\n" + SENTENCE.format(0).upper(), "sv")), {(0, 0): "commitment"})
    assert of(twins_differ, documents) == [("0.txt", "commitment", True, 0.5), ("1.txt", "commitment", False, 0.5)]
    words = [one.reasons["twin"] for one in twins_differ(documents, SCHEME)]
    assert words[0].startswith("the same text in 1.txt does not have it: “REGERINGEN LOVADE")
    assert words[1].startswith("the same text in 0.txt has it: “Regeringen lovade")


def test_near_copies_are_compared_and_the_many_contradict_the_one():
    documents = annotated(documents_of(*((SENTENCE.format(number), "sv") for number in range(4))), {(0, 0): "commitment"})
    ((name, label, given, strength),) = of(twins_differ, documents)
    assert (name, label, given) == ("0.txt", "commitment", True)
    assert 0.7 < strength.expected < 0.75
    (words,) = [one.reasons["twin"] for one in twins_differ(documents, SCHEME)]
    assert words.startswith("a near copy (")
    assert ", and so do 2 more: “" in words


def test_what_is_alike_in_labels_or_not_alike_in_words_is_not_doubted():
    same = {(0, 0): "commitment", (1, 0): "commitment"}
    assert of(twins_differ, annotated(documents_of((SENTENCE.format(0), "sv"), (SENTENCE.format(1), "sv")), same)) == []
    assert of(twins_differ, annotated(documents_of((SENTENCE.format(0), "sv"), ("Kommunen bygger inga skolor i år.", "sv")), {(0, 0): "commitment"})) == []


def test_a_label_that_was_not_judged_contradicts_nothing():
    documents = documents_of((SENTENCE.format(0), "sv"), (SENTENCE.format(1), "sv"))
    first, _ = annotated(documents, {(0, 0): "commitment"})
    _, second = annotated(documents, {}, offered=("quote",))
    assert of(twins_differ, [first, second]) == []


def test_a_passage_is_compared_with_its_translation():
    documents = annotated(documents_of((ENGLISH, "en"), (FRENCH, "fr")), {(0, 0): "statistic", (1, 0): "statistic", (0, 3): "commitment", (0, 2): "quote"})
    rows = list(translations_differ(documents, SCHEME))
    assert [(one.name, one.label, one.given) for one in rows] == [("0.txt", "commitment", True), ("1.txt", "commitment", False)]  # line 2 is too short to tell
    assert rows[1].reasons["translation"].startswith("its translation in 0.txt has it: “Mrs Tran of Vietnam said")
    assert [one.strength for one in rows] == [0.5, 0.5]  # all names and numbers are the same


def test_a_passage_without_names_and_numbers_is_a_translation_by_its_place_alone():
    documents = annotated(documents_of((ENGLISH, "en"), (FRENCH, "fr")), {(0, 1): "quote"})
    assert of(translations_differ, documents) == [("0.txt", "quote", True, 1 / 3), ("1.txt", "quote", False, 1 / 3)]


def test_documents_of_other_sources_and_of_one_language_are_no_translations():
    other = FRENCH.replace("summit", "other")
    assert of(translations_differ, annotated(documents_of((ENGLISH, "en"), (other, "fr")), {(0, 3): "commitment"})) == []
    assert of(translations_differ, annotated(documents_of((ENGLISH, "en"), (FRENCH, "en")), {(0, 3): "commitment"})) == []


def test_numbers_that_differ_speak_against_a_translation_and_names_only_make_it_weaker():
    documents = annotated(documents_of((ENGLISH, "en"), (FRENCH.replace("Vietnam", "Viêt-nam"), "fr")), {(0, 3): "commitment"})
    assert of(translations_differ, documents) == [("0.txt", "commitment", True, 0.444), ("1.txt", "commitment", False, 0.444)]
    other = FRENCH.replace("40", "17")
    assert of(translations_differ, annotated(documents_of((ENGLISH, "en"), (other, "fr")), {(0, 3): "commitment"})) == []


def test_errors_planted_in_one_of_two_translated_seeds_are_found_by_the_other():
    documents = list(read_documents([SEEDS]))
    truths = [one for one in read_annotations(SEEDS / "annotations.jsonl", documents, SCHEME) if one.ground_truth]
    assert list(translations_differ(annotated_documents(documents, truths, SCHEME), SCHEME)) == []
    first, missed, wrong = truths[0], 0, 0
    for left_out in first.spans:
        spans = tuple(span for span in first.spans if span is not left_out)
        changed = [Annotation(first.document_id, first.name, "x", True, (), spans, offered=SCHEME.label_names), *truths[1:]]
        found = [one for one in translations_differ(annotated_documents(documents, changed, SCHEME), SCHEME) if one.document == first.document_id]
        missed += not any((one.label, one.given) == (left_out.label, False) for one in found)
        wrong += sum((one.label, one.given) != (left_out.label, False) for one in found)
    assert (len(first.spans), missed, wrong) == (15, 2, 0)  # missed: a short line, and a sentence that is two in the translation


SENTENCES = ("A short one.", "This sentence is of some length, and it says this and that about the weather.", "The last one is about half as long as it.")


def test_passages_are_aligned_past_one_that_only_one_side_has():
    shorter, longer = SENTENCES * 10, [*SENTENCES, "x" * 150, *SENTENCES * 9]
    pairs = [(number, number + (number > 2)) for number in range(30)]
    assert align(shorter, longer) == pairs
    assert align(longer, shorter) == [(other, one) for one, other in pairs]


@pytest.mark.parametrize("times", [2, 3])
def test_passages_are_aligned_with_those_of_a_language_that_takes_more_room(times):
    longer = [sentence * times for sentence in SENTENCES * 3]
    assert align(SENTENCES * 3, longer) == align(longer, SENTENCES * 3) == [(number, number) for number in range(9)]
    assert align(SENTENCES * 3, [*longer[:4], *longer[5:]]) == [(number, number - (number > 4)) for number in range(9) if number != 4]


def test_a_sentence_that_the_other_side_has_in_two_is_aligned_with_neither():
    halves = [SENTENCES[0], "This sentence is of some length,", "and it says this and that about the weather.", SENTENCES[2]]
    assert align(SENTENCES, halves) == [(0, 0), (2, 3)]


def test_texts_without_passages_have_nothing_to_align():
    assert align([], SENTENCES) == align(SENTENCES, []) == []
    assert align(["a"], ["b"]) == [(0, 0)]


def test_long_texts_are_aligned_in_a_band():
    texts = ["x" * (20 + (7 * number) % 90) for number in range(1500)]
    assert align(texts, texts) == [(number, number) for number in range(1500)]
