"""Questions about single passages: which are asked, what annotators see, and what their answers come to."""

import json
from dataclasses import replace
from itertools import count
from xml.etree import ElementTree as ET

import pytest
from label_studio_sdk.label_interface import LabelInterface
from newsmark.annotation.documents import Document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio.questions import NO, UNSURE, WEIGHT, YES, Answers, answers_of, merge_answers, question_row, questions_xml
from newsmark.annotation.labels import load_labels
from newsmark.annotation.questions import Candidate, Candidates, Question, choose_questions, read_scores, score_documents
from newsmark.annotation.suggestions import SuggestedPassage
from newsmark.models.prediction.suggest import ModelSuggester

import newsmark

SCHEME = load_labels()
DOCUMENT = Document("De lovar mer.\nPriset steg.\nHon <gick> hem.", "a.txt", "sv")
OFFSETS = [(0, 13), (14, 26), (27, 42)]
NUMBERS = count()


def candidate(probability, text=None, language="sv", kind=""):
    number = next(NUMBERS)
    text = text or f"Mening {number}."
    return Candidate(Question(f"d{number}", "a.txt", f"d{number}", language, kind, 0, len(text), "commitment", text), probability)


def choose(number, *rows, threshold=0.5, **before):
    return choose_questions(Candidates(rows, threshold), number, **before)


def chosen_of(rows, questions):
    return [next(one.probability for one in rows if one.question == question) for question in questions]


def test_the_most_uncertain_come_first_by_turns_above_and_below_the_threshold():
    rows = [candidate(one) for one in (0.9, 0.29, 0.31, 0.1, 0.35, 0.28, 0.02, 0.99)]
    assert chosen_of(rows, choose(8, *rows, threshold=0.3)) == [0.31, 0.29, 0.35, 0.28, 0.1]  # 0.02, 0.9 and 0.99 are in no doubt


def test_languages_and_kinds_of_text_take_turns():
    rows = [*(candidate(0.5 + one / 100) for one in range(5)), candidate(0.8, language="fr"), candidate(0.2, language="fr"), candidate(0.7, kind="sports")]
    found = [(one.language, one.kind) for one in choose(6, *rows)]
    assert sorted(found[:3]) == [("fr", ""), ("sv", ""), ("sv", "sports")]
    assert found.count(("fr", "")) == 2
    assert len(found) == 6


def test_what_was_asked_and_near_copies_of_what_is_known_are_left_out():
    text = "Regeringen i Sverige lovade på måndagen att bygga 120 nya skolor i norra delen av landet före 203{}."
    twins, other, asked = [candidate(0.6, text.format(one)) for one in (0, 1)], candidate(0.9), candidate(0.5)
    assert choose(9, *twins, other, asked, asked={asked.question.id}) == [min(twins, key=lambda one: one.question.id).question, other.question]
    assert choose(9, *twins, other, known=[text.format(5).upper()]) == [other.question]
    assert choose(9, other, known=[other.question.text]) == []
    assert choose(0, other) == []


def test_a_question_is_another_one_with_another_label_or_place():
    first = Question("d", "a.txt", "d", "sv", "", 0, 13, "commitment", "De lovar mer.")
    others = [
        Question("d", "a.txt", "d", "sv", "", 0, 13, "quote", "De lovar mer."),
        Question("d", "a.txt", "d", "sv", "", 1, 14, "commitment", "De lovar mer."),
    ]
    assert len({one.id for one in (first, *others)}) == 3
    assert first.id == Question("d", "b.txt", "e", "fr", "sports", 0, 13, "commitment", "De lovar mer.", "Förr.").id


class Scorer:
    version, labels = "baseline-1", ("commitment", "quote")

    def threshold(self, label):
        return {"commitment": 0.3, "quote": 0.6}[label]

    def suggest(self, document):
        raise NotImplementedError

    def scores(self, _):
        return [SuggestedPassage(*pair, {"commitment": 0.4, "quote": 0.1}) for pair in OFFSETS]


def test_a_model_scores_passages_with_their_neighbours():
    found = score_documents([DOCUMENT], "commitment", Scorer())
    assert found.threshold == 0.3
    assert [(one.question.before, one.question.text, one.question.after, one.probability) for one in found.rows] == [
        ("", "De lovar mer.", "Priset steg.", 0.4),
        ("De lovar mer.", "Priset steg.", "Hon <gick> hem.", 0.4),
        ("Priset steg.", "Hon <gick> hem.", "", 0.4),
    ]
    with pytest.raises(NewsmarkError, match="the model baseline-1 does not know the label 'statistic', but commitment, quote"):
        score_documents([DOCUMENT], "statistic", Scorer())


def test_a_trained_model_says_what_it_predicts_and_from_which_probability_on():
    text = "Près de 100 pays ont signé.\n« Nous allons y travailler cette année », dit-elle.\nComment (0)"
    found = score_documents([Document(text, "a.txt", "fr")], "quote", ModelSuggester.load("tests/data/models/baseline-6", SCHEME))
    predicted = newsmark.load("tests/data/models/baseline-6").predict(text, lang="fr")
    assert [one.probability for one in found.rows] == pytest.approx([one.scores["quote"] for one in predicted], abs=1e-6)
    assert [one.probability >= found.threshold for one in found.rows] == ["quote" in one.labels for one in predicted]


def write_rows(path, *scores):
    same = {"document": DOCUMENT.id, "name": "a.txt", "model_version": "m", "kind": "sports"}
    rows = [
        {**same, "start": start, "end": end, "scores": {"commitment": score}, "labels": ["commitment"] if isinstance(score, float) and score > 0.35 else []}
        for (start, end), score in zip(OFFSETS, scores, strict=False)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"document": "another"}]), encoding="utf-8")
    return path


def test_the_rows_of_predict_say_what_is_in_doubt(tmp_path):
    found = read_scores(write_rows(tmp_path / "rows.jsonl", 0.2, 0.4, 0.6), [DOCUMENT], "commitment", SCHEME)
    assert found.threshold == 0.4
    assert [(one.question.text, one.question.before, one.question.kind, one.probability) for one in found.rows][1] == (
        "Priset steg.",
        "De lovar mer.",
        "sports",
        0.4,
    )
    with pytest.raises(NewsmarkError, match=r"rows\.jsonl, line 1: the score of 'quote' is None"):
        read_scores(tmp_path / "rows.jsonl", [DOCUMENT], "quote", SCHEME)


def test_the_interface_is_valid_and_takes_one_key_per_answer():
    LabelInterface(questions_xml()).validate()
    choices = [(one.get("value"), one.get("hotkey")) for one in ET.fromstring(questions_xml()).iter("Choice")]
    assert choices == [(YES, "1"), (NO, "2"), (UNSURE, "3")]


def question(number=1, label="commitment"):
    start, end = OFFSETS[number]
    texts = ["", *(DOCUMENT.text[one:two] for one, two in OFFSETS), ""]
    return Question(DOCUMENT.id, "a.txt", "https://example.org/a", "sv", "", start, end, label, texts[number + 1], texts[number], texts[number + 2])


def test_an_annotator_sees_the_passage_between_its_neighbours_and_the_definition():
    data = question_row(question(), SCHEME.label("commitment"))["data"]
    assert data["shown"].index("De lovar mer.") < data["shown"].index("Priset steg.") < data["shown"].index("Hon &lt;gick&gt; hem.")
    assert (data["question"], data["definition"]) == ("Does this passage have the label “commitment”?", SCHEME.label("commitment").definition)
    assert (data["sha256"], data["text"]) == (question().id, "Priset steg.")


def task(asked, *answers, **changed):
    """A task as the server exports it: each answer is an annotator with a choice; None skips it."""
    annotations = [
        {
            "id": number,
            "completed_by": user,
            "was_cancelled": choice is None,
            "updated_at": f"2026-11-28T10:00:{number:02}Z",
            "result": [{"id": "a", "from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}] if choice else [],
        }
        for number, (user, choice) in enumerate(answers, start=1)
    ]
    return {"id": 7, "annotations": annotations, "data": question_row(asked, SCHEME.label("commitment"))["data"] | changed}


def read(*tasks):
    return answers_of(tasks, SCHEME, lambda user: f"reader-{user.id}")


def test_an_answer_becomes_a_passage_that_was_judged_for_the_label_alone():
    found = read(task(question(0), (1, YES), (2, YES)), task(question(1), (2, YES), (2, NO)), task(question(2), (1, UNSURE), (3, YES)))
    rows = list(found.rows.values())
    assert [(row["text"], row["labels"], row["annotators"]) for row in rows] == [
        ("De lovar mer.", ["commitment"], ["reader-1", "reader-2"]),
        ("Priset steg.", [], ["reader-2"]),  # the annotator changed the answer
        ("Hon <gick> hem.", ["commitment"], ["reader-3"]),
    ]
    assert {(*row["judged"], row["weight"], row["lang"], row["document"]) for row in rows} == {("commitment", WEIGHT, "sv", "https://example.org/a")}
    assert [(row.get("before"), row.get("after")) for row in rows] == [(None, "Priset steg."), ("De lovar mer.", "Hon <gick> hem."), ("Priset steg.", None)]


def test_what_decides_nothing_is_counted():
    found = read(task(question(0), (1, YES), (2, NO)), task(question(1), (1, UNSURE)), task(question(2), (1, None)))
    assert (found.disputed, found.unsure, found.open) == (1, 1, 1)
    assert list(found.rows.values()) == [None, None]


def test_tasks_that_were_changed_or_are_no_questions_are_passed_over_and_a_label_that_is_gone_is_named():
    assert not read(task(question(), (1, YES), start=3), task(question(), (1, YES), text="Priset sjönk kraftigt."), {"id": 1, "data": {"text": "Hej"}}).rows
    gone = question(label="stance")
    (left,) = read(task(gone, (1, YES), label="stance", sha256=gone.id)).left_out
    assert str(left) == "task 7 (a.txt), reader-1: the label 'stance' is not in the labels file"


def test_answers_are_merged_into_a_file_and_nothing_is_lost(tmp_path):
    path = tmp_path / "answers.jsonl"
    own = {"text": "Själv skriven.", "labels": [], "judged": ["quote"]}
    path.write_text(json.dumps(own) + "\n", encoding="utf-8")
    first = read(task(question(0), (1, YES)), task(question(1), (1, NO)))
    assert merge_answers(path, first) == (2, 0, 3)
    written = path.stat()
    assert merge_answers(path, first) == (0, 0, 3)
    assert path.stat().st_ino == written.st_ino
    second = read(task(question(0), (1, YES), (2, NO)), task(question(2), (1, YES)))  # one is in dispute by now, the task of another was deleted
    assert merge_answers(path, second) == (1, 1, 3)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == own
    assert [row["text"] for row in rows[1:]] == ["Priset steg.", "Hon <gick> hem."]


def test_what_somebody_changed_in_the_file_for_training_stays(tmp_path):
    path = tmp_path / "answers.jsonl"
    answers = read(task(question(0), (1, YES)))
    merge_answers(path, answers)
    changed = path.read_text(encoding="utf-8").replace('"weight": 3', '"weight": 5').replace("https://example.org/a", "a and its translation")
    path.write_text(changed, encoding="utf-8")
    assert merge_answers(path, answers) == (0, 0, 1)
    assert path.read_text(encoding="utf-8") == changed
    merge_answers(path, read(task(question(0), (1, NO))))
    (row,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (row["labels"], row["weight"], row["document"]) == ([], 5, "a and its translation")


def test_rows_of_one_document_do_not_follow_each_other(tmp_path):
    path = tmp_path / "answers.jsonl"
    merge_answers(
        path, Answers({f"{name}{number}": {"id": f"{name}{number}", "document": name, "annotators": []} for name in "ab" for number in (1, 2)}, 0, 0, 0)
    )
    assert [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()] == ["a1", "b1", "a2", "b2"]


def test_answers_about_a_renamed_label_replace_those_under_its_old_name(tmp_path):
    path, old = tmp_path / "answers.jsonl", question(1, "commitment")
    merge_answers(path, read(task(old, (1, YES))))
    (before,) = map(json.loads, path.read_text().splitlines())
    path.write_text(json.dumps({**before, "weight": 9}) + "\n")
    new = replace(old, label="quote")
    renamed = task(new, (1, YES))
    renamed["data"]["former_sha256"] = [old.id]
    assert merge_answers(path, read(renamed)) == (0, 1, 1)
    (after,) = map(json.loads, path.read_text().splitlines())
    assert after == {**before, "weight": 9, "labels": ["quote"], "judged": ["quote"], "id": new.id}
