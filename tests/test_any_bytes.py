"""Whatever bytes a file holds, its reader gives what can be used, or says in one line why not (``make fuzz`` tries for long)."""

import copy
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import test_reading as made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from newsmark.annotation.annotations import read_annotations, write_annotations
from newsmark.annotation.documents import make_document, read_documents
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.formats.importing import Choices, import_entries
from newsmark.annotation.formats.kinds import FORMATS, files_of, format_named
from newsmark.annotation.labels import DEFAULT_LABELS, load_labels
from newsmark.annotation.splitting.passages import split_passages
from newsmark.annotation.suggestion_files import read_suggestions
from newsmark.models.prediction.rows import read_rows
from newsmark.training.labelled import load_labelled

SCHEME = load_labels()
FILES = Path(__file__).parent / "data" / "formats"
TRIED = settings(
    max_examples=max(settings().max_examples // 4, 1),  # of each file
    deadline=timedelta(seconds=120),  # nothing hangs, and a busy machine is slow
    suppress_health_check=list(HealthCheck),
)

OF_KINDS = {
    **made.OF_ROWS,
    "a.txt": made.FIRST,
    "a.html": made.PAGE,
    "a.html.gz": made.gzipped(made.PAGE.encode()),
    "a.warc": made.warc(*made.CRAWL),
    "a.docx": made.word("Ministern talade", made.FIRST),
    "a.odt": made.ODT,
    "a.epub": made.EPUB,
    "a.pdf": made.portable("Ministern talade", made.FIRST),
    "a.eml": made.mail(made.PAGE, "html"),
    "a.rss": made.RSS,
    "a.xml": made.ATOM,
    "noname": made.PAGE,
}
OF_FORMATS = {
    "label_studio.json": "label-studio",
    "doccano_sequence.jsonl": "doccano",
    "doccano_relations.jsonl": "doccano",
    "doccano_classification.jsonl": "doccano",
    "prodigy.jsonl": "prodigy",
    "docs.spacy": "spacy",
    "docs.json": "spacy-json",
    "inception.tsv": "webanno",
    "brat/a.ann": "brat",
    "conll2003.conll": "conll",
    "biluo.conll": "conll",
    "argilla.parquet": "huggingface",
    "argilla.json": "argilla",
    "passages.csv": "passages-csv",
}

STRANGE = st.sampled_from([
    *(b"", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\xf0\x9f\x87\xb8"),
    *(b"\r", b"\n", b"\r\n", b"\t", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b":", b";", b"\\ud800", b"\\u0000"),
    *(b"1e999", b"NaN", b"-1", b"9" * 30, b"null", b"true", b"0", b"[" * 3000, b"<a>" * 3000, b"<html>", b"<p>", b"<table>"),
    *(b"<", b">", b"</", b"<!--", b"]]>", b"&#0;", b"&#xd800;", b"&lt;", b"&b;", b"<![CDATA[", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>"),
])  # fmt: skip
PLACES = st.floats(0, 1, allow_subnormal=False)  # PyTorch, where it is loaded, makes the processor take them for 0
EDITS = st.lists(st.tuples(PLACES, st.sampled_from([0, 0, 1, 2, 8, 100, 10**6]), STRANGE | st.binary(max_size=6)), min_size=1, max_size=4)


def edited(content, edits):
    """Put something else into the place of some bytes."""
    for place, length, new in edits:
        start = round(place * len(content))
        content = content[:start] + new + content[start + length :]
    return content


def edited_inside(content, edits):
    """The same with one of the files in a ZIP archive, in its place; the archive itself stays whole."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        for number, name in enumerate(names):
            new.writestr(name, edited(old.read(name), edits) if number == round(edits[0][0] * (len(names) - 1)) else old.read(name))
    return stream.getvalue()


def damaged(content, edits, inside):
    return edited_inside(content, edits) if inside and content.startswith(b"PK") else edited(content, edits)


def or_one_line(read):
    """What a reader gives; None where it says in one line why it can't read."""
    try:
        return read()
    except NewsmarkError as error:
        said = str(error)
    assert said
    assert "\n" not in said
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples: a fresh one for each takes longer than the reading."""
    return tmp_path_factory.mktemp("any")


@pytest.mark.parametrize("name", OF_KINDS)
@TRIED
@given(edits=EDITS, inside=st.booleans())
def test_a_damaged_file_is_read_or_refused_in_one_line(folder, name, edits, inside):
    content = OF_KINDS[name]
    path = made.write(folder / name, damaged(content.encode() if isinstance(content, str) else content, edits, inside))
    for document in or_one_line(lambda: list(read_documents([path]))) or ():
        assert document.text.encode()  # what can't be encoded can't be written either
        assert document.name.isprintable()
        for passage in split_passages(document.text, document.language):
            assert passage.text == document.text[passage.start : passage.end] != ""
    for row in or_one_line(lambda: list(read_rows([str(path)]))) or ():
        assert row.text.encode()
        json.loads(f"{row.fields}}}")


@TRIED
@given(content=st.binary(max_size=300), name=st.sampled_from(sorted(OF_KINDS)))
def test_any_bytes_are_read_or_refused_in_one_line(folder, content, name):
    path = made.write(folder / name, content)
    or_one_line(lambda: list(read_documents([path])))


def check_import(path, kind, folder):
    """What is imported is within its text, and is read again as it was written."""
    imported = or_one_line(
        lambda: import_entries((entry for file in files_of(kind, path) for entry in kind.read(file, None)), SCHEME, Choices("me", unit=kind.unit))
    )
    if imported is None:
        return
    for one in imported.annotations.values():
        text = imported.documents[one.document_id].text
        assert all(0 <= span.start < span.end <= len(text) and text[span.start : span.end].strip() for span in one.spans)
    write_annotations(folder / "own.jsonl", imported.annotations.values())
    assert len(read_annotations(folder / "own.jsonl", imported.documents.values(), SCHEME)) == len(imported.annotations)
    assert not any("\n" in line for line in imported.left_out)


@pytest.mark.parametrize("name", OF_FORMATS)
@TRIED
@given(edits=EDITS)
def test_damaged_annotations_of_other_tools_are_imported_or_refused_in_one_line(folder, name, edits):
    kind = format_named(OF_FORMATS[name])
    path = folder / Path(name).name
    path.write_bytes(edited((FILES / name).read_bytes(), edits))
    if path.suffix == ".ann":
        path.with_suffix(".txt").write_bytes((FILES / name).with_suffix(".txt").read_bytes())
    check_import(path, kind, folder)


ANYTHING = st.recursive(
    st.sampled_from(["statistic", "quote:direct", "quote", "other", "", "\0", "\ud800", "a\nb", -1, 0, 1, 5, 10**30, 1e308, float("nan"), None, True])
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "start", "end", "label", "text", "value", "labels"]), inner, max_size=3),
    max_leaves=4,
)


def places(value, path=()):
    """Paths of all values inside JSON."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(one, (*path, key))


def changed(rows, changes):
    """Put another value into some places of JSON."""
    rows = copy.deepcopy(rows)
    for place, value in changes:
        every = list(places(rows))
        if every:
            *path, last = every[round(place * (len(every) - 1))]
            inner = rows
            for key in path:
                inner = inner[key]
            inner[last] = value
    return rows


CHANGES = st.lists(st.tuples(PLACES, ANYTHING), min_size=1, max_size=3)


def json_of(path):
    """The rows of a file of JSON, and what writes such a file again."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()], lambda rows: "".join(json.dumps(row) + "\n" for row in rows)
    return json.loads(text), json.dumps


@pytest.mark.parametrize("name", [name for name in OF_FORMATS if name.endswith(("json", "jsonl"))])
@TRIED
@given(changes=CHANGES)
def test_json_of_other_tools_with_other_values_is_imported_or_refused_in_one_line(folder, name, changes):
    rows, written = json_of(FILES / name)
    (folder / name).write_text(written(changed(rows, changes)), encoding="utf-8")
    check_import(folder / name, format_named(OF_FORMATS[name]), folder)


SEEDS = list(read_documents([Path("seeds")]))
OWN = {
    "annotations.jsonl": (Path("seeds/annotations.jsonl"), lambda path: read_annotations(path, SEEDS, SCHEME)),
    "labels.yaml": (DEFAULT_LABELS, load_labels),
    "labelled.jsonl": (Path("seeds/bootstrap/fi.jsonl"), lambda path: load_labelled(path, SCHEME)),
    "labelled.csv": (FILES / "passages.csv", lambda path: load_labelled(path, SCHEME)),
}


@pytest.mark.parametrize("name", OWN)
@TRIED
@given(edits=EDITS)
def test_damaged_files_of_a_desk_are_read_or_refused_in_one_line(folder, name, edits):
    source, read = OWN[name]
    path = made.write(folder / name, edited(source.read_bytes(), edits))
    or_one_line(lambda: read(path))


SUGGESTED = make_document("Ministern lovar 40 procent.", "a.txt", "sv")
SUGGESTIONS = [
    {"document": SUGGESTED.id, "start": 0, "end": 27, "labels": ["commitment"], "scores": {"commitment": 0.9, "statistic": 0.2}, "model_version": "m"},
    {"document": SUGGESTED.id, "start": 16, "end": 26, "label": "statistic", "score": 0.7, "kind": None, "model_version": "m"},
]


@TRIED
@given(changes=CHANGES)
def test_suggestions_with_other_values_are_read_or_refused_in_one_line(folder, changes):
    path = folder / "suggestions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in changed(SUGGESTIONS, changes)), encoding="utf-8")
    or_one_line(lambda: read_suggestions(path, [SUGGESTED], SCHEME))


def test_each_format_is_tried():
    assert {one.name for one in FORMATS} == set(OF_FORMATS.values())
