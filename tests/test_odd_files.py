"""Files as other programs write them: what is easily lost or misread without a word."""

import io
import os
import re
import threading
import zipfile

import pypdf
import pytest
import test_reading as made
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.reading.finding import read_entries
from newsmark.annotation.reading.sources import ReadingOptions

SENTENCE = "The minister said that the plan will be ready in May. "


def texts(path, **options):
    return [entry.row["text"] for entry in read_entries([path], ReadingOptions(**options))]


def text_of(folder, name, content, **options):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    [text] = texts(folder / name, **options)
    return text


def written_to_a_pipe(path, content):
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    return path


def test_a_pipe_is_read_whole(tmp_path):
    assert texts(written_to_a_pipe(tmp_path / "pipe", SENTENCE.encode() * 2000)) == [SENTENCE * 2000]
    rows = b'{"text": "One."}\n{"text": "Two."}\n'
    assert texts(written_to_a_pipe(tmp_path / "rows.jsonl", rows)) == ["One.", "Two."]


def test_a_link_to_a_folder_around_it_is_passed_over(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("One.")
    (tmp_path / "loop").symlink_to(".")
    assert texts(tmp_path, recursive=True) == ["One."]
    assert "passed over 1 other entries: loop/" in capsys.readouterr().err


HTML = "<html><head>{}</head><body><p>Près de 100 pays.</p></body></html>"
MAIL = "From: a@example.org\nSubject: T\nMIME-Version: 1.0\n"


def mail(kind, body, more=""):
    return f"{MAIL}Content-Type: {kind}\nContent-Transfer-Encoding: 8bit\n{more}\n".encode() + body


@pytest.mark.parametrize(
    "content",
    [
        mail("text/html", HTML.format("<meta charset='utf-8'>").encode()),
        mail("text/html", HTML.format("<meta charset='iso-8859-1'>").encode("latin-1")),
        mail("text/html; charset=iso-8859-1", HTML.format("").encode("latin-1")),
        mail("text/plain; charset=utf-8", "Près de 100 pays.".encode("latin-1")),  # the header is wrong
        mail("text/plain; charset=cp-850", "Près de 100 pays.".encode()),  # no such encoding
        mail("text/plain; charset=x-unknown-8bit", "Près de 100 pays.".encode()),
        mail("text/plain", "Près de 100 pays.".encode()),
    ],
)
def test_no_letter_of_a_mail_is_lost(tmp_path, content):
    assert text_of(tmp_path, "a.eml", content) == "Près de 100 pays."


def test_the_encoding_of_a_mail_can_be_named(tmp_path):
    assert text_of(tmp_path, "a.eml", mail("text/plain", "Zażółć gęślą".encode("iso8859-2")), encoding="iso8859-2") == "Zażółć gęślą"


def test_a_damaged_mail_is_refused(tmp_path):
    with pytest.raises(NewsmarkError, match=r"a\.eml: not UTF-8 at byte"):
        text_of(tmp_path, "a.eml", mail("text/plain; charset=utf-8", "Près de 100 pays ont signé, dé".encode() + b"\xff."))


def test_japanese_in_the_bytes_of_ascii(tmp_path):
    content = "計画は五月に完成する。".encode("iso-2022-jp")
    assert text_of(tmp_path, "a.eml", mail("text/plain; charset=iso-2022-jp", content)) == "計画は五月に完成する。"
    page = b"<html><head><meta charset='iso-2022-jp'></head><body><p>" + content + b"</p></body></html>"
    assert text_of(tmp_path, "a.html", page) == "計画は五月に完成する。"
    page = b"<html><head><meta charset='utf-16'></head><body><p>Plan.</p></body></html>"  # as it can't be
    assert text_of(tmp_path, "b.html", page) == "Plan."


def part(kind, body, more=""):
    return f"--B\nContent-Type: {kind}\n{more}\n{body}\n"


@pytest.mark.parametrize(
    ("kind", "parts", "expected"),
    [
        (
            "mixed",
            part("text/html", "<p>First half.</p>") + part("image/png", "x", "Content-Disposition: inline\n") + part("text/html", "<p>Second half.</p>"),
            "First half.\nSecond half.",
        ),
        ("mixed", part("text/plain", "Text.") + part("text/plain", "A list.", "Content-Disposition: attachment; filename=list.txt\n"), "Text."),
        ("alternative", part("text/plain", "Plain.") + part("text/html", "<p>Shown.</p>"), "Shown."),
        ("alternative", part("text/plain", "Plain.") + part("text/calendar", "BEGIN:VCALENDAR"), "Plain."),
        ("related", part("text/html", "<p>Shown.</p>") + part("text/html", "<p>A frame of it.</p>"), "Shown."),
    ],
)
def test_a_mail_has_all_parts_that_its_reader_sees(tmp_path, kind, parts, expected):
    assert text_of(tmp_path, "a.eml", f"{MAIL}Content-Type: multipart/{kind}; boundary=B\n\n{parts}--B--\n") == expected


def test_a_mail_of_attachments_alone_is_refused(tmp_path):
    with pytest.raises(NewsmarkError, match="no mail with a text"):
        text_of(tmp_path, "a.eml", f"{MAIL}Content-Type: multipart/mixed; boundary=B\n\n{part('image/png', 'x')}--B--\n")


@pytest.mark.parametrize("declared", ["iso-8859-1", "latin1", "us-ascii", "windows-1252"])
def test_the_quotation_marks_of_pages_are_those_that_browsers_show(tmp_path, declared):
    page = f"<html><head><meta charset='{declared}'></head><body><p>“We will act”, he said – it’s time.</p></body></html>".encode("cp1252")
    assert text_of(tmp_path, "a.html", page) == "“We will act”, he said – it’s time."
    assert text_of(tmp_path, "a.txt", "“We will act”, he said".encode("cp1252"), encoding="latin-1") == "“We will act”, he said"


def test_word_with_changes_and_content_controls(tmp_path):
    import docx
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    def inside(name, content):
        return parse_xml(f"<w:{name} {nsdecls('w')}>{content}</w:{name}>")

    def run(text):
        return f"<w:r><w:t xml:space='preserve'>{text}</w:t></w:r>"

    document = docx.Document()
    changed = document.add_paragraph("The ministers agreed ")
    for name, content in [
        ("ins", run("to train 500 officers")),
        ("del", "<w:r><w:delText>to talk</w:delText></w:r>"),
        ("moveFrom", run("elsewhere")),
        ("ins", f"<w:sdt><w:sdtContent>{run(' in 40 countries')}</w:sdtContent></w:sdt>"),
        ("sdt", f"<w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run('Click here')}</w:sdtContent>"),
        ("fldSimple", run(" by May")),
    ]:
        changed._p.append(inside(name, content))
    changed.add_run(".")
    changed._p.addnext(inside("sdt", f"<w:sdtContent><w:p>{run('A whole paragraph.')}</w:p></w:sdtContent>"))
    document.save(tmp_path / "a.docx")
    assert texts(tmp_path / "a.docx") == ["The ministers agreed to train 500 officers in 40 countries by May.\nA whole paragraph."]


def test_a_sheet_whose_size_is_wrong_is_read_whole(tmp_path):
    import openpyxl

    book, packed = openpyxl.Workbook(), io.BytesIO()
    for row in [["title", "text"], *([f"T{number}", SENTENCE + str(number)] for number in range(3))]:
        book.active.append(row)
    book.save(packed)
    with zipfile.ZipFile(packed) as whole, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as wrong:
        for name in whole.namelist():
            wrong.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', whole.read(name)))
    assert texts(tmp_path / "a.xlsx") == [SENTENCE + str(number) for number in range(3)]


def test_a_feed_that_was_cut_off_is_named(tmp_path, capsys):
    items = "".join(f"<item><title>T{number}</title><description>{SENTENCE}</description></item>" for number in range(4))
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>F</title>{items}</channel></rss>'
    (tmp_path / "whole.rss").write_text(feed)
    assert len(texts(tmp_path / "whole.rss")) == 4
    assert capsys.readouterr().err == ""
    (tmp_path / "cut.rss").write_text(feed[: len(feed) // 2])
    assert texts(tmp_path / "cut.rss")
    assert "cut.rss: a damaged feed" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "content"), [("a.csv", "title,text\n"), ("a.json", "[]"), ("a.jsonl", ""), ("b.jsonl", "\n\n")])
def test_a_file_without_rows_is_named(tmp_path, capsys, name, content):
    (tmp_path / name).write_text(content)
    assert texts(tmp_path / name) == []
    assert capsys.readouterr().err == f"{tmp_path / name}: no row of it was read\n"


def test_a_table_in_another_encoding_may_be_larger_than_an_article(tmp_path):
    rows = "text,lang\n" + f"{'Près de 100 pays ont signé. ' * 100},fr\n" * 9000
    (tmp_path / "a.csv").write_bytes(rows.encode("cp1252"))
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "Pr\xe8s de 100 pays ont sign\xe9."}\n' * 500_000)
    assert len(rows) > 20_000_000
    assert len(texts(tmp_path / "a.csv", encoding="cp1252")) == 9000
    assert texts(tmp_path / "a.jsonl", encoding="cp1252")[-1] == "Près de 100 pays ont signé."


def with_member(content, name, change):
    """A copy of a ZIP archive in which a member is changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as after:
        for one in before.namelist():
            after.writestr(one, change(before.read(one)) if one == name else before.read(one))
    return stream.getvalue()


def portable_of(moment):
    writer = pypdf.PdfWriter(io.BytesIO(made.portable("Ministern talade", made.FIRST)))
    writer.add_metadata({"/CreationDate": moment})
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def word_of(moment):
    return with_member(made.word(made.FIRST), "docProps/core.xml", lambda raw: re.sub(rb"(<dcterms:created[^>]*>)[^<]*", rb"\g<1>" + moment.encode(), raw))


@pytest.mark.parametrize("moment", ["2012-05-03", "Thu Jan  5 10:00:00 2012", " ", "", "0000-00-00", "99999-01-01T00:00:00Z", "2012-05-03T10:00:00+99:00"])
def test_a_time_that_is_none_costs_no_text(tmp_path, moment):
    feed = made.RSS.replace("Sat, 28 Nov 2026 10:00:00 GMT", moment)
    letter = made.mail(made.FIRST).replace(b"Sat, 28 Nov 2026 10:00:00 +0100", moment.encode())
    for name, content in (("a.pdf", portable_of(moment)), ("a.docx", word_of(moment)), ("a.rss", feed.encode()), ("a.eml", letter)):
        (tmp_path / name).write_bytes(content)
        [entry] = read_entries([tmp_path / name])
        assert made.FIRST in entry.row["text"]
        assert re.fullmatch(r"|\d{4}-\d\d-\d\d.*", entry.row.get("date", ""))


def test_the_day_of_a_document_is_read(tmp_path):
    for name, content in (("a.pdf", portable_of("D:20120503101500Z")), ("a.docx", word_of("2012-05-03T10:15:00Z"))):
        (tmp_path / name).write_bytes(content)
        assert [entry.row["date"] for entry in read_entries([tmp_path / name])] == ["2012-05-03"]


@pytest.mark.parametrize(
    ("encoding", "declared", "text"),
    [
        ("utf-8", " encoding='utf-8'", "Près de 100 pays ont signé l’accord."),
        ("utf-16", " encoding='utf-16'", "Près de 100 pays ont signé l’accord."),
        ("iso-8859-1", " encoding='iso-8859-1'", "Près de 100 pays ont signé."),
        ("windows-1251", " encoding='windows-1251'", "Министр обещал построить школы."),
        ("cp1252", "", "Près de 100 pays ont signé l’accord à Genève."),
    ],
)
def test_a_chapter_of_a_book_is_read_in_its_encoding(tmp_path, encoding, declared, text):
    page = f"<?xml version='1.0'{declared}?><html><body><p>{text}</p></body></html>".encode(encoding)
    (tmp_path / "a.epub").write_bytes(with_member(made.EPUB, "o/b.xhtml", lambda _: page))
    assert texts(tmp_path / "a.epub")[1] == text


def test_a_damaged_chapter_is_named(tmp_path):
    (tmp_path / "a.epub").write_bytes(with_member(made.EPUB, "o/b.xhtml", lambda raw: raw.replace(b"<p>", b"<p>\xc3\xa5\xc3\xa4\xff")))
    with pytest.raises(NewsmarkError, match=r"^[^\n]*a\.epub/o/b\.xhtml: not UTF-8 at byte \d+[^\n]*$"):
        texts(tmp_path / "a.epub")
