"""Doubts: how reasons come together, what is decided and not doubted again, and the command."""

import json

import pytest
from newsmark.annotation.annotations import Annotation, Reviewed, Span, read_annotations, write_annotations
from newsmark.annotation.cli import main
from newsmark.annotation.documents import Document
from newsmark.annotation.doubts.doubt import annotated_documents, contradicted, find_doubts
from newsmark.annotation.doubts.reasons import MODEL, REASONS
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.annotation.relabelling import Relabelling, relabelled_annotations

SCHEME = load_labels()
DOCUMENT = Document("Priset steg med 4 procent. De lovar nya skolor.", "a.txt", "sv")
FIRST, SECOND = (0, 26), (27, 47)


def annotation(*spans, annotator="ann", truth=False, document=DOCUMENT, **more):
    marked = tuple(Span(f"s{number}", start, end, label) for number, (start, end, label) in enumerate(spans))
    return Annotation(document.id, document.name, annotator, truth, (), marked, offered=SCHEME.label_names, **more)


def found(reasons, *annotations, documents=(DOCUMENT,)):
    return find_doubts(annotated_documents(documents, annotations, SCHEME), SCHEME, reasons)


def reason(name, index, label, strength):
    return lambda documents, _: [one.doubt(index, label, (name, f"{name} says so"), strength) for one in documents]


def test_reasons_against_one_label_are_one_doubt_and_the_strongest_comes_first():
    own = annotation((*FIRST, "statistic"))
    reasons = [reason("one", 0, "statistic", 0.5), reason("other", 0, "statistic", 0.6), reason("one", 1, "commitment", 0.7), reason("one", 0, "quote", 0.1)]
    rows = found(reasons, own).rows
    assert [(one.label, one.given, one.start, one.end, one.text) for one in rows] == [
        ("statistic", True, *FIRST, "Priset steg med 4 procent."),
        ("commitment", False, *SECOND, "De lovar nya skolor."),
        ("quote", False, *FIRST, "Priset steg med 4 procent."),
    ]
    assert [one.strength for one in rows] == pytest.approx([0.8, 0.7, 0.1])
    assert rows[0].reasons == {"one": "one says so", "other": "other says so"}


def test_of_one_reason_the_strongest_case_counts():
    weak, strong = reason("one", 0, "quote", 0.2), reason("one", 0, "quote", 0.4)
    for order in ([weak, strong], [strong, weak]):
        assert [one.strength for one in found(order, annotation()).rows] == [0.4]


def test_what_a_reviewer_has_decided_on_is_not_doubted_again():
    doubts = [reason("one", 0, "statistic", 0.5), reason("one", 0, "quote", 0.4), reason("one", 1, "statistic", 0.3)]
    left = found(doubts, annotation(truth=True, reviewed=(Reviewed(*FIRST, "statistic"),)))
    assert [(one.label, one.start) for one in left.rows] == [("quote", 0), ("statistic", 27)]
    assert left.decided == 1


def test_the_ground_truth_counts_and_skipped_annotations_do_not():
    votes = [annotation((*FIRST, "statistic")), annotation(annotator="bo", truth=True), annotation(annotator="cy", skipped=True)]
    (one,) = annotated_documents([DOCUMENT], votes, SCHEME)
    assert [own.annotator for own in one.annotations] == ["bo"]
    assert not one.has(0, "statistic")
    assert annotated_documents([DOCUMENT], votes[2:], SCHEME) == []


@pytest.mark.parametrize(
    ("given", "others", "strength"),
    [
        (True, [(False, 1.0)], 0.5),
        (True, [(False, 0.6)], 0.375),
        (True, [(True, 1.0)], None),
        (True, [], None),
        (False, [(True, 1.0), (True, 1.0), (False, 1.0)], 0.5),
        (False, [(True, 1.0), (False, 1.0)], None),
        (False, [(True, 1.0)] * 9, 0.9),
    ],
)
def test_a_label_is_contradicted_by_those_that_are_more(given, others, strength):
    assert contradicted(given, others) == (strength if strength is None else pytest.approx(strength))


def test_what_was_reviewed_is_stored_with_the_annotation_and_follows_a_new_name_of_its_label(tmp_path):
    own = annotation((*FIRST, "statistic"), truth=True, reviewed=(Reviewed(*FIRST, "statistic"), Reviewed(*SECOND, "quote")))
    file = tmp_path / "annotations.jsonl"
    write_annotations(file, [own, annotation(annotator="bo")])
    assert read_annotations(file, [DOCUMENT], SCHEME) == [own, annotation(annotator="bo")]
    assert "reviewed" not in file.read_text(encoding="utf-8").splitlines()[1]
    (renamed,) = relabelled_annotations([own], Relabelling(("statistic",), "figure"))
    assert renamed.reviewed == (Reviewed(*FIRST, "figure"), Reviewed(*SECOND, "quote"))


@pytest.mark.parametrize("reviewed", [7, ["x"], [{"start": 0, "label": "quote"}]])
def test_a_file_whose_reviewed_labels_cannot_be_read_is_refused(tmp_path, reviewed):
    file = tmp_path / "annotations.jsonl"
    write_annotations(file, [annotation()])
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"reviewed": reviewed}) + "\n", encoding="utf-8")
    with pytest.raises(NewsmarkError, match=r"line 1: (.*'reviewed'|field 'end' is missing)"):
        read_annotations(file, [DOCUMENT], SCHEME)


@pytest.fixture
def files(tmp_path):
    """Two annotators who disagree on one sentence; one of them cut a word."""
    articles, annotations = tmp_path / "a.jsonl", tmp_path / "annotations.jsonl"
    articles.write_text(json.dumps({"text": DOCUMENT.text, "name": DOCUMENT.name, "lang": "sv"}) + "\n", encoding="utf-8")
    write_annotations(
        annotations, [annotation((*FIRST, "statistic"), (27, 45, "commitment"), task_url="http://studio/7"), annotation((*FIRST, "statistic"), annotator="bo")]
    )
    return articles, annotations


def run(files, *options, load_reason=None):
    return main(["doubt", str(files[0]), "--annotations", str(files[1]), *options], load_reason=load_reason)


def test_doubts_are_listed_with_reason_passage_label_and_link(files, capsys):
    assert run(files) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "0.90 commitment, given: a.txt 27–45 “De lovar nya skolo” (http://studio/7)",
        "     borders: ann: ends one letter before the sentence does",
        "0.50 commitment, given: a.txt 27–47 “De lovar nya skolor.” (http://studio/7)",
        "     annotators: marked by ann, not by bo",
        "2 doubtful labels in 1 annotated documents: borders 1, annotators 1",
    ]
    assert err == "without the reason 'model': it needs newsmark.training; run the command annotate\n"


def test_reasons_are_chosen_by_name_and_the_answer_is_json_for_scripts(files, capsys):
    assert run(files, "--reason", "annotators", "--reason", "twin", "--limit", "1", "--json") == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert err == ""
    assert {key: answer[key] for key in ("documents", "doubtful", "reasons", "decided")} == {
        "documents": 1,
        "doubtful": 1,
        "reasons": {"annotators": 1},
        "decided": 0,
    }
    (row,) = answer["doubts"]
    assert (row["document"], row["label"], row["given"], row["task_url"]) == (DOCUMENT.id, "commitment", True, "http://studio/7")
    assert row["reasons"] == {"annotators": "marked by ann, not by bo"}


def test_the_list_is_cut_at_the_limit_and_counts_all(files, capsys):
    run(files, "--limit", "1")
    assert capsys.readouterr().out.endswith("2 doubtful labels in 1 annotated documents: borders 1, annotators 1; the first 1 are listed\n")


def test_the_model_is_a_reason_like_the_others_and_gets_the_run(files, capsys):
    asked = []

    def load(run_id):
        asked.append(run_id)
        return reason(MODEL, 1, "quote", 0.95)

    assert run(files, load_reason=load) == run(files, "--run", "r1", "--reason", MODEL, "--json", load_reason=load) == 0
    out, _ = capsys.readouterr()
    assert asked == [None, "r1"]
    assert out.startswith("0.95 quote, not given: a.txt 27–47")
    assert json.loads(out.splitlines()[-1])["reasons"] == {MODEL: 1}


def test_without_a_run_the_model_is_left_out_with_one_line_unless_it_was_asked_for(files, capsys):
    def load(_):
        raise NewsmarkError("no finished run yet; run: train")

    assert run(files, load_reason=load) == 0
    assert capsys.readouterr().err == "without the reason 'model': no finished run yet; run: train\n"
    for asked in (("--reason", MODEL), ("--run", "r1")):
        assert run(files, *asked, load_reason=load) == 1
        out, err = capsys.readouterr()
        assert (out, err) == ("", "annotate: error: no finished run yet; run: train\n")


def test_a_run_beside_reasons_without_the_model_is_wrong_usage(files, capsys):
    assert run(files, "--reason", "twin", "--run", "r1") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_documents_that_nobody_annotated_are_refused(files, capsys):
    files[1].write_text("", encoding="utf-8")
    assert run(files) == 1
    assert "none of the documents is annotated" in capsys.readouterr().err


def test_the_seeds_ground_truth_gives_no_reason_to_doubt_it(capsys):
    chosen = [word for name in REASONS for word in ("--reason", name)]
    assert main(["doubt", *chosen]) == 0
    assert capsys.readouterr().out == "0 doubtful labels in 5 annotated documents\n"
