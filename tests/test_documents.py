"""Reading articles: the text stays exact, and what cannot be read is refused with its place."""

import hashlib
import json
import os
from pathlib import Path

import py3langid
import pytest
from newsmark.annotation import languages
from newsmark.annotation.documents import Document, identify_language, make_document, read_documents, row_is_passage
from newsmark.annotation.errors import NewsmarkError, printable
from newsmark.annotation.formats.exchange import Entry as ForeignEntry
from newsmark.annotation.formats.importing import Choices, import_entries
from newsmark.annotation.labels import load_labels
from newsmark.annotation.language_codes import language_code
from newsmark.models.prediction.rows import read_rows
from newsmark.training.labelled import load_labelled

import newsmark

SEEDS = Path(__file__).parent.parent / "seeds"
TEXT = "Le ministre a parlé à Paris. La conférence a commencé hier."
URL = "https://example.org/a?b=1"


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(*paths):
    return list(read_documents(paths))


def test_the_text_is_exact_and_the_id_is_the_sha_256_of_its_bytes(tmp_path):
    raw = "\ufeffE\u0301té\u00a0:\tfin.\r\n\r\nAprès 😀.  \n".encode()
    (document,) = read(write(tmp_path, "a.txt", raw))
    assert document.text.encode() == raw
    assert document.id == hashlib.sha256(raw).hexdigest()
    assert document.name == "a.txt"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f"Fin.\nSource : {URL}", URL),
        (f"Slut.\nKälla: {URL}\n", URL),
        (f"Slut.\r\nkälla: {URL}\r\nKommentar (0)", URL),
        (f"Fin.\nSource : https://example.org/old\nSuite.\nSource: {URL}\n\n\nComment (0)\nNo data", URL),
        (f"Fin.\nWebsite: {URL}", None),
        (f"Selon la source : {URL}", None),
        ("Source : Le Monde", None),
        ("Fin.", None),
    ],
)
def test_the_source_url_is_the_last_one_on_a_source_line(text, url):
    document = Document(text, "a.txt", "fr")
    assert document.source_url == url
    assert document.group == (url or document.id)


def test_translations_of_one_article_share_their_group_and_no_other_seed_does():
    groups = [document.group for document in read(SEEDS)]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 4


def test_an_article_that_names_no_source_is_grouped_with_those_of_its_own_url():
    first, second = (Document(text, "a", "sv", {"url": URL}) for text in ("Första versionen.", "Andra versionen."))
    assert first.group == second.group == URL
    assert Document(f"Slut.\nKälla: {URL}x\n", "a", "sv", {"url": URL}).group == f"{URL}x"


def test_the_languages_of_the_seeds_are_identified():
    assert [document.language for document in read(SEEDS)] == ["fr", "sv", "fr", "fr", "fr"]


@pytest.mark.parametrize(("text", "language"), [(TEXT, "fr"), ("Ministern talade i Göteborg och konferensen började i går kväll.", "sv")])
def test_the_language_of_a_short_text_is_identified(text, language):
    assert identify_language(text) == language


def test_the_language_is_that_of_the_middle_where_menus_in_another_stand_around_it():
    menu = "Home\nPolitics\nBusiness\nSubscribe to our newsletter\nContact us\nPrivacy policy\n" * 80
    assert identify_language(f"{menu}{TEXT * 25}\n{menu}") == "fr"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache folder of its own, and no model in memory, before and after."""
    monkeypatch.setenv("NEWSMARK_CACHE", str(tmp_path / "cache"))
    languages.load_identifier.cache_clear()
    yield tmp_path / "cache"
    languages.load_identifier.cache_clear()


def test_the_model_of_languages_is_unpacked_once_and_answers_as_before(empty_cache):
    texts = [TEXT, *(line for document in read(SEEDS) for line in document.text.splitlines()[:20]), "", "政府承诺", "VERSALER ÄR OCKSÅ TEXT"]
    found = []
    for _ in range(2):
        languages.load_identifier.cache_clear()
        found.append([languages.load_identifier().classify(text) for text in texts])
        (folder,) = empty_cache.iterdir()
        found.append({path: path.stat().st_mtime_ns for path in folder.iterdir()})
    assert found[0] == found[2] == [py3langid.classify(text) for text in texts]
    assert found[1] == found[3]


def test_languages_are_identified_without_a_cache_and_with_a_damaged_one(empty_cache):
    empty_cache.touch()
    assert identify_language(TEXT) == "fr"
    empty_cache.unlink()
    languages.load_identifier.cache_clear()
    languages.load_identifier()
    for path in next(empty_cache.iterdir()).iterdir():
        os.truncate(path, 100)
    languages.load_identifier.cache_clear()
    assert identify_language(TEXT) == "fr"


def test_a_given_language_is_kept():
    assert make_document(TEXT, "a.txt", "sv").language == "sv"


def test_a_folder_gives_its_files_of_one_article_each_by_name(tmp_path):
    for name in ("b.txt", "a.md", "rows.jsonl", "README.md"):
        write(tmp_path, name, f"{TEXT} {name}")
    assert [document.name for document in read(tmp_path)] == ["a.md", "b.txt"]


def test_what_a_folder_holds_beside_articles_is_counted_and_named(tmp_path, capsys):
    for name in ("b.TXT", "a.txt", ".hidden.txt", "README.md", "annotations.jsonl", "page.jpeg", "rows.jsonl"):
        write(tmp_path, name, f"{TEXT} {name}")
    (tmp_path / "more.txt").mkdir()
    write(tmp_path / "more.txt", "c.txt", f"{TEXT} c")
    (tmp_path / "rows").mkdir()
    write(tmp_path / "rows", "rows.jsonl", TEXT)  # nobody misses an article there, nor in README.md and annotations.jsonl
    assert [document.name for document in read(tmp_path)] == ["a.txt", "b.TXT"]
    assert [document.name for document in read(tmp_path)] == ["a.txt", "b.TXT"]
    others = ".hidden.txt, more.txt/, page.jpeg, rows.jsonl"
    assert capsys.readouterr().err == f"{tmp_path}: read 2 files, passed over 4 other entries: {others}\n"


def test_of_many_other_entries_the_first_ten_are_named(tmp_path, capsys):
    write(tmp_path, "a.txt", TEXT)
    for number in range(12):
        write(tmp_path, f"{number:02}.js", TEXT)
    read(tmp_path)
    assert capsys.readouterr().err.endswith("passed over 12 other entries: " + ", ".join(f"{number:02}.js" for number in range(10)) + " and 2 more\n")


def test_a_folder_of_txt_files_alone_is_read_without_a_word(tmp_path, capsys):
    write(tmp_path, "a.txt", TEXT)
    read(tmp_path)
    assert capsys.readouterr().err == ""


def test_a_name_that_is_not_utf_8_is_stored_with_its_bytes(tmp_path):
    for name, content in ((b"caf\xe9.txt", TEXT), (b"caf\xe9.jsonl", json.dumps({"text": f"{TEXT} Oui."}))):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(content, encoding="utf-8")
    (text,) = read(tmp_path)
    (row,) = read(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl")))
    assert text.name == "caf\\xe9.txt"
    assert row.name == f"{tmp_path}/caf\\xe9.jsonl, line 1"


@pytest.mark.parametrize(
    ("text", "shown"), [("été 😀\n", "été 😀\n"), ("caf\udce9", "caf\\xe9"), ("\udcc3\udca9té", "été"), ("a\ud800b", "a\\ud800b"), ("", "")]
)
def test_names_become_printable(text, shown):
    assert printable(text) == shown


def test_jsonl_rows_are_documents_with_their_own_name_and_language(tmp_path):
    rows = [{"text": "Un 😀 jour.", "name": "one", "lang": "fr"}, {"text": TEXT}]
    path = write(tmp_path, "a.jsonl", "\n\n".join(json.dumps(row) for row in rows))
    assert read(path) == [Document("Un 😀 jour.", "one", "fr"), Document(TEXT, f"{path}, line 3", "fr")]


@pytest.mark.parametrize(
    ("fields", "is_passage"),
    [
        *(({key: value, "name": "a"}, True) for key, value in {"labels": [], "document": "a", "page": 1, "start": 0, "before": "", "after": ""}.items()),
        *(({key: "a"}, False) for key in ("name", "title", "url", "source", "date")),
        ({"text": "A title\nA sentence."}, False),
        ({"text": "One sentence.\n"}, None),
        ({"labels": None, "title": "a"}, False),
        ({"lang": "sv", "id": 7}, None),
    ],
)
def test_a_row_says_whether_it_is_a_passage_or_an_article(fields, is_passage):
    assert row_is_passage({"text": "One sentence."} | fields) is is_passage


def test_a_row_that_is_a_passage_is_no_document(tmp_path):
    path = write(tmp_path, "a.jsonl", json.dumps({"text": TEXT}) + "\n" + json.dumps({"text": "Il parle.", "labels": []}))
    with pytest.raises(NewsmarkError, match=r"a\.jsonl, line 2: this row is a passage \(it has 'labels'\)"):
        read(path)


@pytest.mark.parametrize("content", ["", " \n\t\r\n", "\ufeff", "\u200b\n"], ids=["no bytes", "white space", "only a BOM", "only a zero-width space"])
def test_an_empty_file_is_refused_with_its_name(tmp_path, content):
    with pytest.raises(NewsmarkError, match=r"a\.txt: the file is empty"):
        read(write(tmp_path, "a.txt", content))


@pytest.mark.parametrize("name", ["absent.txt", "absent.jsonl", "absent"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(NewsmarkError, match=f"{name}: no such file"):
        read(tmp_path / name)


def test_a_folder_without_articles_is_refused(tmp_path):
    write(tmp_path, "rows.jsonl", TEXT)
    with pytest.raises(NewsmarkError, match=r"no files with an article each in this folder \(there are: rows\.jsonl\)"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (TEXT.encode() + b"\xe9", "a.txt: not UTF-8 at byte 63"),
        (TEXT.encode("utf-16-le"), "a.txt: NUL at byte 1"),
        (b"\x89PNG\r\n\x00\x00", "a.txt: NUL at byte 6"),
        (b"abc \xed\xa0\x80", "a.txt: not UTF-8 at byte 4"),
    ],
    ids=["damaged UTF-8", "utf-16 without a mark", "image", "surrogate in bytes"],
)
def test_a_file_that_is_no_text_or_damaged_is_refused_with_the_byte(tmp_path, content, problem):
    with pytest.raises(NewsmarkError, match=problem):
        read(write(tmp_path, "a.txt", content))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b'{"title": "x"}', "there is no 'text'"),
        (b'{"text": 5}', "'text' is int"),
        (b'{"text": null}', "'text' is NoneType"),
        (b'{"text": " \\n"}', "'text' is empty"),
        (b'{"text": "ab\\u0000c"}', "holds a NUL at character 2"),
        (b'{"text": "a \\ud800 b"}', "lone surrogate"),
        (b'{"text": "a"', "broken JSON"),
        (b"Le ministre", "broken JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"text": "a b", "n": ' + b"1" * 5000 + b"}", "broken JSON"),
        (b'["a"]', "expected a JSON object, got list"),
        (b'"a"', "expected a JSON object, got str"),
        ('{"text": "Été"}'.encode("latin-1"), "not UTF-8 at byte 10"),
        (b'{"text": "Bonjour.", "lang": 5}', "lang"),
        (b'{"text": "Bonjour.", "lang": ["fr"]}', "lang"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_bad_jsonl_row_is_refused_with_its_line(tmp_path, row, problem):
    path = write(tmp_path, "a.jsonl", json.dumps({"text": TEXT}).encode() + b"\n\n" + row + b"\n")
    with pytest.raises(NewsmarkError, match=rf"a\.jsonl, line 3: .*{problem}"):
        read(path)


def test_a_surrogate_pair_is_one_character(tmp_path):
    (document,) = read(write(tmp_path, "a.jsonl", r'{"text": "Bonjour \ud83d\ude00"}'))
    assert document.text == "Bonjour 😀"


@pytest.mark.parametrize("name", ["big.txt", "big.jsonl"])
def test_a_file_of_50_mb_is_too_large_for_one_article(tmp_path, name):
    with (tmp_path / name).open("wb") as stream:
        stream.truncate(50_000_000)
    with pytest.raises(NewsmarkError, match=f"{name}.*: 50 MB; one article may have 20 MB at most"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        *[(said, "de") for said in ("de", "DE", "de-AT", "de_CH", "deu", "ger", " German ")],
        *[("zh_Hant", "zh"), ("cmn", "zh"), ("norwegian bokmål", "nb"), ("iw", "he"), ("fil", "fil"), ("tlh", "tlh")],
        *[(said, None) for said in ("und", "xx", "tyska", "", None)],
    ],
)
def test_a_language_has_one_code_however_it_is_written(said, code):
    assert language_code(said) == code


@pytest.mark.parametrize("said", ["DE", "de-DE", "deu", "ger", "german"])
def test_a_german_text_is_split_by_german_rules_whatever_its_language_is_called(tmp_path, said):
    text = "Er kam am 3. Mai nach Berlin."
    path = write(tmp_path, "a.jsonl", json.dumps({"text": text, "name": "a", "lang": said}))
    (document,) = read(path)
    assert document.language == "de"
    assert [passage.text for passage in newsmark.split(text, said)] == [text]
    assert {row.language for row in read_rows([str(path)])} == {"de"}
    labelled = write(tmp_path, "b.jsonl", json.dumps({"text": text, "labels": [], "judged": ["quote"], "lang": said}))
    assert list(load_labelled(labelled, load_labels()).languages) == ["de"]
    (imported,) = import_entries([ForeignEntry("a", text, language=said)], load_labels(), Choices("ann")).documents.values()
    assert imported.language == "de"


def test_what_is_no_language_is_named_and_the_text_says_it(tmp_path, capsys):
    rows = [{"text": TEXT, "name": "a", "lang": "klingonska"}, {"text": f"{TEXT} Oui.", "name": "b", "lang": "klingonska"}]
    found = read(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert [document.language for document in found] == ["fr", "fr"]
    assert capsys.readouterr().err == "lang 'klingonska' is no code of a language, such as de, deu or de-AT, and is passed over\n"


def test_two_documents_with_one_text_are_refused_with_both_names(tmp_path):
    first, second = write(tmp_path, "first.txt", TEXT), write(tmp_path, "second.txt", TEXT)
    with pytest.raises(NewsmarkError, match=r"second\.txt: the same text as .*first\.txt"):
        read(first, second)


def test_a_new_kind_of_file_is_one_record_for_every_command(tmp_path, monkeypatch):
    from newsmark.annotation.reading import kinds
    from newsmark.models.prediction.rows import read_rows

    monkeypatch.setitem(kinds._BY_ENDING, ".shout", kinds.Kind((".shout",), "text.read_text_file"))
    (tmp_path / "a.shout").write_text("Hon kom hem. Han gick.", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Det regnade.", encoding="utf-8")
    assert [document.text for document in read_documents([tmp_path])] == ["Hon kom hem. Han gick.", "Det regnade."]
    assert [row.text for row in read_rows([str(tmp_path)])] == ["Hon kom hem.", "Han gick.", "Det regnade."]
