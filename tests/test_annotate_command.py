"""The ``annotate`` command: what it prints, how it fails, and that the commands' help is light."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from newsmark.annotation.cli import main
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio import turn_command

SEEDS = Path(__file__).parent.parent / "seeds"
ANNOTATIONS = SEEDS / "annotations.jsonl"
HEAVY = ("numpy", "sklearn", "torch", "mlflow", "datasets", "transformers")


def write(folder, name, content):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_split_prints_one_json_row_per_passage(tmp_path, capsys):
    text = "M. Giang est là.  Il parle.\nComment (0)"
    assert main(["split", str(write(tmp_path, "a.txt", text))]) == 0
    document = {"document": hashlib.sha256(text.encode()).hexdigest(), "name": "a.txt", "lang": "fr"}
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {**document, "start": 0, "end": 16, "text": "M. Giang est là."},
        {**document, "start": 18, "end": 27, "text": "Il parle."},
        {**document, "start": 28, "end": 39, "text": "Comment (0)"},
    ]


def test_split_reads_several_paths_of_every_sort(tmp_path, capsys):
    rows = write(tmp_path, "rows.jsonl", json.dumps({"text": "Hon kom.", "name": "row", "lang": "sv"}))
    assert main(["split", str(SEEDS), str(rows)]) == 0
    names = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert len(set(names)) == 6
    assert names[-1] == "row"


def test_check_counts_the_labels_of_each_annotation(capsys):
    assert main(["check", str(SEEDS), "--annotations", str(ANNOTATIONS)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["document", "lang", "annotator", "passages", "commitment", "statistic", "quote", "boilerplate", "none", "topics"]
    swedish = next(line for line in lines if line.startswith("001") and "(ground truth)" in line)
    assert swedish.split()[1:11] == ["sv", "adjudicator", "(ground", "truth)", "20", "2", "1", "11", "2", "6"]
    assert lines[-1] == "5 documents, 15 annotations"


def test_check_names_the_documents_without_annotation(tmp_path, capsys):
    extra = write(tmp_path, "extra.txt", "Le ministre a parlé.")
    assert main(["check", str(SEEDS), str(extra), "--annotations", str(ANNOTATIONS)]) == 0
    assert capsys.readouterr().out.endswith("6 documents, 15 annotations; without any: extra.txt\n")


def test_agreement_prints_a_row_per_label_and_the_topics(capsys):
    assert main(["agreement", str(SEEDS), "--annotations", str(ANNOTATIONS)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "reader-1 and reader-2"
    assert [line.split()[0] for line in lines[3:7]] == ["commitment", "statistic", "quote", "boilerplate"]
    assert lines[3].split()[1:] == ["8", "10", "0.88", "0.89", "0.56", "0.89"]
    assert lines[7].startswith("topics: F1 1.00")


def test_agreement_shows_a_dash_for_a_label_that_neither_uses(tmp_path, capsys):
    rows = [json.loads(line) for line in ANNOTATIONS.read_text(encoding="utf-8").splitlines()]
    chosen = [row | {"spans": []} for row in rows if row["name"].startswith("001") and not row["ground_truth"]]
    annotations = write(tmp_path, "annotations.jsonl", "\n".join(map(json.dumps, chosen)))
    assert main(["agreement", str(SEEDS), "--annotations", str(annotations)]) == 0
    assert capsys.readouterr().out.splitlines()[3].split() == ["commitment", "0", "0", "–", "–", "–", "–"]


def test_agreement_lists_what_is_in_dispute_with_a_link_to_the_task(tmp_path, capsys):
    text = "Hon lovade mer. Ja."
    article, link = write(tmp_path, "a.txt", text), "http://127.0.0.1:8080/projects/1/data?task=7"
    row = {"document": hashlib.sha256(text.encode()).hexdigest(), "ground_truth": False, "task_url": link}
    spans = [[{"id": "s", "start": 0, "end": 15, "label": "quote", "kind": kind}] for kind in ("direct", "indirect")]
    first = {**row, "annotator": "ann", "topics": ["other"], "spans": spans[0]}
    second = {**row, "annotator": "bo", "topics": [], "spans": [*spans[1], {"id": "t", "start": 16, "end": 19, "label": "commitment"}]}
    annotations = write(tmp_path, "annotations.jsonl", f"{json.dumps(first)}\n{json.dumps(second)}\n")
    assert main(["agreement", str(article), "--annotations", str(annotations)]) == 0
    assert capsys.readouterr().out.split("\nin dispute: ")[1].splitlines() == [
        "2 passages, 3 spans, the topics of 1 document",
        "",
        f"a.txt: 2 passages, 3 spans {link}",
        "  topics ann: other; bo: none",
        "  passage 0–15 ann: quote (direct); bo: quote (indirect) | Hon lovade mer.",
        "  passage 16–19 ann: none; bo: commitment | Ja.",
        "  span 0–15 quote (direct) by ann, not by bo | Hon lovade mer.",
        "  span 0–15 quote (indirect) by bo, not by ann | Hon lovade mer.",
        "  span 16–19 commitment by bo, not by ann | Ja.",
    ]


def test_a_dispute_that_a_ground_truth_decides_is_no_longer_reported(capsys):
    assert main(["agreement", str(SEEDS), "--annotations", str(ANNOTATIONS)]) == 0
    out = capsys.readouterr().out
    assert out.endswith("\nin dispute: 0 passages, 0 spans, the topics of 0 documents; left out: 5 documents with a ground truth\n")


def test_check_and_agreement_answer_in_json_for_scripts(tmp_path, capsys):
    assert main(["check", str(SEEDS), "--annotations", str(ANNOTATIONS), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["documents"], len(answer["annotations"]), answer["without_annotation"]) == (5, 15, [])
    swedish = next(one for one in answer["annotations"] if one["name"].startswith("001") and one["ground_truth"])
    assert (swedish["passages"], swedish["labels"]["quote"], swedish["none"]) == (20, 11, 6)
    assert swedish["document"] == hashlib.sha256((SEEDS / swedish["name"]).read_bytes()).hexdigest()

    undecided = [line for line in ANNOTATIONS.read_text(encoding="utf-8").splitlines() if not json.loads(line)["ground_truth"]]
    annotations = write(tmp_path, "annotations.jsonl", "\n".join(undecided))
    assert main(["agreement", str(SEEDS), "--annotations", str(annotations), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (pair,) = answer["pairs"]
    assert pair["annotators"] == ["reader-1", "reader-2"]
    assert (pair["labels"]["commitment"]["first_count"], round(pair["labels"]["commitment"]["passage_kappa"], 2), pair["topic_f1"]) == (8, 0.88, 1)
    assert (round(answer["alpha"]["quote"], 2), answer["topic_alpha"], answer["decided"]) == (0.89, 1, 0)
    assert {key for dispute in answer["disputes"] for key in dispute} == {"document", "name", "task_url", "topics", "passages", "spans"}
    assert all(set(span["marked_by"]) | set(span["not_by"]) == {"reader-1", "reader-2"} for one in answer["disputes"] for span in one["spans"])


def test_check_says_who_was_not_offered_a_label_and_how_many_suffice_where_annotators_differ(tmp_path, capsys):
    rows = [json.loads(line) for line in ANNOTATIONS.read_text(encoding="utf-8").splitlines() if not json.loads(line)["ground_truth"]]
    name = rows[0]["name"]
    own = [row | {"offered": ["quote"], "spans": [span for span in row["spans"] if span["label"] == "quote"]} if row is rows[0] else row for row in rows]
    annotations = write(tmp_path, "annotations.jsonl", "\n".join(map(json.dumps, own)))
    assert main(["check", str(SEEDS), "--annotations", str(annotations)]) == 0
    *_, differ, dash = capsys.readouterr().out.splitlines()
    assert differ.startswith("5 documents of several annotators without a ground truth: a passage gets the labels that at least half")
    assert dash == "–: the annotator was not offered the label, so nothing is said about it"
    assert main(["check", str(SEEDS), "--annotations", str(annotations), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = next(one for one in answer["annotations"] if (one["name"], one["annotator"]) == (name, rows[0]["annotator"]))
    assert (answer["undecided"], found["labels"]["statistic"]) == (5, None)
    assert isinstance(found["labels"]["quote"], int)


def test_a_score_that_is_not_a_number_is_null_in_json(tmp_path, capsys):
    rows = [json.loads(line) | {"spans": []} for line in ANNOTATIONS.read_text(encoding="utf-8").splitlines()]
    annotations = write(tmp_path, "annotations.jsonl", "\n".join(map(json.dumps, rows)))
    assert main(["agreement", str(SEEDS), "--annotations", str(annotations), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["alpha"]["quote"] is None


def test_the_documents_and_annotations_are_the_seeds_by_default(command):
    done = command("annotation", "check")
    assert done.returncode == 0
    assert done.stdout.endswith("5 documents, 15 annotations\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["split", "empty.txt"], "empty.txt: the file is empty"),
        (["split", "picture.txt"], "picture.txt: NUL at byte 1"),
        (["split", "rows.jsonl"], "rows.jsonl, line 1: broken JSON"),
        (["split", "folder"], "folder: no files with an article each in this folder"),
        (["check", "good.txt", "--annotations", "folder"], "folder: Is a directory"),
        (["check", "good.txt", "--annotations", str(ANNOTATIONS)], "line 1: unknown document"),
        (["agreement", "good.txt", "--annotations", "none.jsonl"], "none.jsonl: no document has two annotators"),
    ],
    ids=lambda value: " ".join(value[:2]) + f" {Path(value[-1]).name}" if isinstance(value, list) else "",
)
def test_a_failure_is_one_line_and_exit_code_1(tmp_path, monkeypatch, capsys, arguments, problem):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "picture.txt").write_bytes(b"a\0")
    for name, content in {"empty.txt": "", "good.txt": "Bonjour.", "rows.jsonl": "{", "none.jsonl": "", "labels.yaml": "a: [\n  b: c"}.items():
        write(tmp_path, name, content)
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("annotate: error: ")
    assert output.err.count("\n") == 1
    assert problem in output.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["split", str(SEEDS), "absent.txt"], "absent.txt: no such file or folder"),
        (["check", "--annotations", "absent.jsonl"], "absent.jsonl: no such file"),
        (["agreement", "--labels", "absent.yaml"], "absent.yaml: no such file or folder"),
    ],
)
def test_a_path_that_does_not_exist_is_wrong_usage_with_exit_code_2(capsys, arguments, problem):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.endswith(f"annotate: error: {problem}\n")


def test_a_broken_labels_file_is_wrong_usage_with_exit_code_2(tmp_path, capsys):
    labels = write(tmp_path, "labels.yaml", "a: [\n  b: c")
    assert main(["check", "--labels", str(labels)]) == 2
    assert f"annotate: error: {labels}: broken YAML" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["splti"], ["split"], ["split", "seeds", "--colour"], ["check", "--annotations"]], ids=" ".join)
def test_wrong_usage_is_reported_with_exit_code_2(command, arguments):
    done = command("annotation", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: annotate")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(command):
    assert "Traceback" in command("annotation", "split", "absent.txt", "--debug").stderr
    assert "Traceback" not in command("annotation", "split", "absent.txt").stderr


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    article = write(tmp_path, "long.txt", f"{'a' * 1000}\n" * 3000)
    with subprocess.Popen([sys.executable, "-m", "annotation", "split", str(article)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        first = process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
    assert json.loads(first)["end"] == 1000


def test_a_terminal_that_is_not_utf_8_gets_no_traceback(command):
    done = command("annotation", "split", SEEDS, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_file_names_in_any_encoding_are_read_in_any_locale(tmp_path, locale):
    folder = os.fsencode(tmp_path)
    for name, content in ((b"caf\xe9.txt", "Hon kom."), ("été.txt".encode(), "Il parle."), (b"absent\xe9", None)):
        if content:
            Path(os.fsdecode(folder + b"/" + name)).write_text(content, encoding="utf-8")
    run = [sys.executable, "-m", "annotation", "split"]
    done = subprocess.run([*run, folder], capture_output=True, check=False, timeout=120, env={**os.environ, **locale})
    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["caf\\xe9.txt", "été.txt"]
    done = subprocess.run([*run, folder + b"/absent\xe9"], capture_output=True, check=False, timeout=120, env={**os.environ, **locale})
    assert done.returncode == 2
    assert done.stderr == f"annotate: error: {tmp_path}/absent\\xe9: no such file or folder\n".encode()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        *((f"annotation split seeds {closed}", 0) for closed in (">&-", "<&-", "2>&-", "<&- >&- 2>&-")),
        ("annotation splti <&- >&- 2>&-", 2),
        ("training --config absent.yaml <&- >&- 2>&-", 2),
        ("training --help <&- >&- 2>&-", 0),
        ("models absent.txt <&- >&- 2>&-", 2),
        ("models --help >&-", 0),
    ],
)
def test_closed_standard_streams_are_no_failure(line, code):
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m {line}"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["annotation", "training", "models"])
def test_the_help_of_a_command_loads_nothing_heavy(package):
    code = "import sys\n"
    code += f"from newsmark.{package}.cli import main\ntry:\n    main(['--help'])\nfinally:\n    print('loaded:', *sorted(set(sys.modules) & set({HEAVY})))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0
    assert done.stdout.startswith("usage:")
    assert done.stdout.endswith("loaded:\n")


@pytest.mark.parametrize("name", ["split", "check", "agreement"])
def test_each_command_has_help(command, name):
    done = command("annotation", name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: annotate {name}")


def test_turns_go_on_after_a_failure_until_somebody_ends_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(turn_command.time, "sleep", lambda _: None)
    failures = iter((OSError(28, "No space left on device", "own.jsonl"), NewsmarkError("the server is down"), KeyboardInterrupt()))

    def take_turn(*_):
        raise next(failures)

    turn = ["turn", "seeds", "--config", "configs/baseline.yaml", "--every", "1", "--notify", f"tee -a {tmp_path / 'notified'}"]
    assert main(turn, take_turn=take_turn) == 130
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("the next turn")]
    assert said == ["annotate: error: own.jsonl: No space left on device", "annotate: error: the server is down", "annotate: interrupted"]
    assert '"error": "own.jsonl: No space left on device"' in (tmp_path / "notified").read_text()
