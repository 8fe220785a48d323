"""Files of every kind become articles or rows, in all commands alike; what is damaged or not known is named in one line.

The files are made by the libraries that other programs make them with.
"""

import gzip
import io
import json
import re
import shutil
import zipfile
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import datasets
import docx
import openpyxl
import pyarrow as pa
import pypdf
import pytest
from newsmark.annotation.documents import read_documents
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.reading.html import html_text
from newsmark.annotation.reading.lines import unwrap
from newsmark.annotation.reading.sources import ReadingOptions
from newsmark.models.prediction.rows import read_rows
from pyarrow import parquet
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

gzipped = partial(gzip.compress, mtime=0)  # the same bytes in each process that runs tests: they name tests

FIRST = "Ministern talade i Göteborg på måndagen. Många lyssnade."
SECOND = "Regeringen svarade inte på frågorna. Det gjorde ingen annan heller."
PAGE = f"""<!DOCTYPE html><html lang="sv"><head><meta charset="utf-8"><title>Ministern talade – Bladet</title>
<meta property="og:title" content="Ministern talade"><meta name="author" content="Eva Ek"><meta property="og:site_name" content="Bladet">
<meta property="article:published_time" content="2026-11-28"><link rel="canonical" href="https://example.org/a"><style>p {{}}</style></head>
<body><nav><a href="/">Hem</a><a href="/s">Sport</a></nav><h1>Ministern talade</h1><p>{FIRST.replace("Många", "<b>Mån</b>ga")}</p>
<script>var hidden = 1</script><div style="display: none">Dold</div><p hidden>Dold</p><ul><li>Ett<li>Två</ul>
<table><tr><td>Parti</td><td>Röster</td></tr></table><p>{SECOND}</p></body></html>"""
LINES = f"Hem Sport\nMinistern talade\n{FIRST}\nEtt\nTvå\nParti\tRöster\n{SECOND}"


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def documents(path, **options):
    return list(read_documents([path], ReadingOptions(**options)))


def texts(path, **options):
    """The texts of a file's articles, which predict must see as well."""
    found = [document.text for document in documents(path, **options)]
    assert "".join("".join(row.text.split()) for row in read_rows([str(path)], options=ReadingOptions(**options))) == "".join("".join(found).split())
    return found


def workbook(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def table(rows):
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


ROWS = [{"text": FIRST, "name": "one", "url": "https://example.org/1"}, {"text": SECOND, "name": "two", "url": "https://example.org/2"}]
OF_ROWS = {
    "rows.jsonl": "\n".join(map(json.dumps, ROWS)),
    "rows.ndjson": "\n".join(map(json.dumps, ROWS)),
    "rows.json": json.dumps(ROWS, indent=2),
    "lines.json": "\n".join(map(json.dumps, ROWS)),
    "rows.csv": f"name,url,text\none,https://example.org/1,{FIRST}\n\ntwo,https://example.org/2,{SECOND}\n",
    "semicolons.csv": f"﻿name;url;text\r\none;https://example.org/1;{FIRST}\r\ntwo;https://example.org/2;{SECOND}\r\n",
    "rows.tsv": f"name\turl\ttext\none\thttps://example.org/1\t{FIRST}\ntwo\thttps://example.org/2\t{SECOND}\n",
    "rows.xlsx": workbook(["name", "url", "text"], ["one", "https://example.org/1", FIRST], [None, None, None], ["two", "https://example.org/2", SECOND]),
    "rows.parquet": table(ROWS),
    "rows.csv.gz": gzipped(f"name,url,text\none,https://example.org/1,{FIRST}\ntwo,https://example.org/2,{SECOND}\n".encode()),
    "rows.jsonl.gz": gzipped("\n".join(map(json.dumps, ROWS)).encode()),
    "rows.zip": archive(**{"rows.jsonl": "\n".join(map(json.dumps, ROWS))}),
}


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_of_every_kind_of_file_are_articles_with_what_they_say_about_themselves(tmp_path, name):
    path = write(tmp_path / name, OF_ROWS[name])
    assert texts(path) == [FIRST, SECOND]
    assert [(one.name, one.metadata) for one in documents(path)] == [("one", {"url": "https://example.org/1"}), ("two", {"url": "https://example.org/2"})]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", f"{FIRST}\n", f"{FIRST}\n"),
        ("a.md", f"# Rubrik\n\n{FIRST}", f"# Rubrik\n\n{FIRST}"),
        ("a.html", PAGE, LINES),
        ("a.HTM", PAGE, LINES),
        ("a.html.gz", gzipped(PAGE.encode()), LINES),
        ("page", PAGE, LINES),
        ("article", FIRST, FIRST),
        ("packed.zip", archive(**{"pages/a.html": PAGE, "README.md": "About", "picture.png": b"\x89PNG"}), LINES),
    ],
)
def test_a_file_of_one_article(tmp_path, name, content, expected):
    assert texts(write(tmp_path / name, content)) == [expected]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FIRST, [FIRST]),
        (PAGE, [LINES]),
        (FIRST.encode("utf-16"), [FIRST]),
        (OF_ROWS["rows.jsonl"], [FIRST, SECOND]),
        (OF_ROWS["rows.json"], [FIRST, SECOND]),
        (OF_ROWS["rows.xlsx"], [FIRST, SECOND]),
        (gzipped(FIRST.encode()), [FIRST]),
    ],
)
def test_standard_input_is_what_its_content_says(monkeypatch, content, expected):
    raw = content if isinstance(content, bytes) else content.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(raw))))
    assert [document.text for document in documents(Path("-"))] == expected


def test_a_page_says_what_it_is(tmp_path):
    said = {"title": "Ministern talade", "url": "https://example.org/a", "author": "Eva Ek", "date": "2026-11-28", "source": "Bladet"}
    path = write(tmp_path / "a.html", PAGE)
    (document,) = documents(path)
    assert (document.name, document.metadata) == ("a.html", said)
    row = json.loads(next(read_rows([str(path)])).fields + "}")
    assert {key: row[key] for key in said} == said
    assert LINES[row["start"] : row["end"]] == row["text"]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>One<br>two&nbsp;three", "One\ntwo\xa0three"),
        ("<div>a<div>b</div>c</div>d", "a\nb\nc\nd"),
        ("<a>Home</a><a>News</a> and <a>x</a>y", "Home News and xy"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<table><tr><th>a</th><td><p>b</p><p>c</p></td></tr></table>", "a\nb\nc"),
        ("<select><option>x</option></select><noscript>y</noscript><!-- z -->after", "after"),
        ("", ""),
        ("<div>" * 1000 + "deep", "deep"),
    ],
)
def test_each_visible_block_is_a_line(page, text):
    assert html_text(page) == text


def test_lines_that_the_width_of_a_page_broke_are_joined():
    wide = "The minister spoke for two hours in front of a full house on Mon-"
    assert unwrap([wide, "day evening, and nobody asked what she meant by it, which was a", "surprise.", "", "Read more"]) == [
        "The minister spoke for two hours in front of a full house on Monday evening, and nobody asked what she meant by it, which was a surprise.",
        "Read more",
    ]


def test_the_only_column_of_long_texts_is_the_text(tmp_path):
    path = write(tmp_path / "a.csv", f"id,link,body\n1,https://example.org/a-very-long-address-of-an-article,{FIRST}\n")
    assert texts(path) == [FIRST]


def test_a_column_can_be_named(tmp_path):
    rows = f"lead,body\n{SECOND},{FIRST}\n"
    said = "a.csv: the texts may be in 'lead' or 'body'; name the column with --text-column, or call it 'text' (its columns are 'lead', 'body')"
    with pytest.raises(NewsmarkError, match=re.escape(said)):
        documents(write(tmp_path / "a.csv", rows))
    assert texts(tmp_path / "a.csv", text_column="body") == [FIRST]
    assert texts(write(tmp_path / "a.jsonl", json.dumps({"body": FIRST, "text": "x"})), text_column="body") == [FIRST]
    with pytest.raises(NewsmarkError, match=r"there is no column 'bdy'"):
        documents(tmp_path / "a.csv", text_column="bdy")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le-mark", "utf-32", "latin-1", "cp1251", "shift_jis"])
def test_texts_in_other_encodings_are_read(tmp_path, capsys, encoding):
    text = {"cp1251": "Министр выступил в понедельник. Никто не задал ему вопросов.", "shift_jis": "大臣は月曜日に話した。誰も質問しなかった。"}.get(
        encoding, FIRST
    )
    raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding.endswith("mark") else text.encode(encoding)
    (document,) = documents(write(tmp_path / "a.txt", raw))
    assert document.text.removeprefix("\ufeff") == text
    said = capsys.readouterr().err
    assert ("not UTF-8; read as" in said) == (not encoding.startswith("utf"))


def test_an_encoding_can_be_named_and_a_page_names_its_own(tmp_path, capsys):
    assert texts(write(tmp_path / "a.txt", FIRST.encode("cp865")), encoding="cp865") == [FIRST]
    assert texts(write(tmp_path / "a.html", f'<meta charset="iso-8859-1"><p>{FIRST}'.encode("latin-1"))) == [FIRST]
    assert texts(write(tmp_path / "a.csv", f"name,text\na,{FIRST}".encode("cp865")), encoding="cp865") == [FIRST]
    assert texts(write(tmp_path / "a.jsonl", json.dumps({"text": f"{FIRST}\n"}, ensure_ascii=False).encode("cp865")), encoding="cp865") == [f"{FIRST}\n"]
    assert capsys.readouterr().err == ""


def test_sub_folders_are_read_where_that_is_asked_for_without_what_belongs_to_a_page(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "a_files").mkdir()
    write(tmp_path / "a.html", PAGE)
    write(tmp_path / "a_files" / "advert.html", "<p>Advert")
    write(tmp_path / "more" / "b.txt", SECOND)
    assert [one.name for one in documents(tmp_path)] == ["a.html"]
    assert [one.name for one in documents(tmp_path, recursive=True)] == ["a.html", "b.txt"]


def warc(*pages, compressed=False):
    """A web archive as crawlers write it: a request and an answer per page."""
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=compressed)
    for address, content, kind, status in pages:
        uri, headers = f"https://example.org/{address}", {"WARC-Date": "2026-11-28T10:00:00Z"}
        writer.write_record(writer.create_warc_record(uri, "request", http_headers=StatusAndHeaders("GET / HTTP/1.1", [], is_http_request=True)))
        answer = StatusAndHeaders(status, [("Content-Type", kind)], protocol="HTTP/1.1")
        writer.write_record(writer.create_warc_record(uri, "response", payload=io.BytesIO(content), http_headers=answer, warc_headers_dict=headers))
    return stream.getvalue()


CRAWL = (
    ("a", PAGE.encode(), "text/html", "200 OK"),
    ("b", f"<p>{SECOND}".encode("latin-1"), "text/html; charset=iso-8859-1", "200 OK"),
    ("c", b"<p>No.", "text/html", "404 Not Found"),
    ("d.png", b"\x89PNG", "image/png", "200 OK"),
    ("a?again", PAGE.encode(), "text/html", "200 OK"),
)


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_the_pages_of_a_web_archive_are_articles_and_its_other_records_are_counted(tmp_path, capsys, name):
    path = write(tmp_path / name, warc(*CRAWL, compressed=name.endswith(".gz")))
    assert texts(path) == [LINES, SECOND]
    one, two = documents(path)
    assert (one.metadata["url"], one.metadata["date"], one.metadata["source"]) == ("https://example.org/a", "2026-11-28", "Bladet")
    assert two.metadata == {"url": "https://example.org/b", "date": "2026-11-28T10:00:00Z"}
    said = "read 2 pages, passed over 8 other records: 5 × request, 1 × answer 404, 1 × image/png, 1 × page that was there before\n"
    assert capsys.readouterr().err.endswith(said)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """Folder with a Hugging Face data set in two files, and one with splits."""
    folder = tmp_path_factory.mktemp("sets")
    rows = datasets.Dataset.from_list(ROWS)
    rows.save_to_disk(folder / "rows", num_shards=2)
    datasets.DatasetDict({"train": rows.select([1]), "test": rows.select([0])}).save_to_disk(folder / "splits")
    return folder


def test_a_folder_that_is_a_data_set_gives_its_rows(data_set):
    assert texts(data_set / "rows") == [FIRST, SECOND]
    assert [one.name for one in documents(data_set / "splits")] == ["two", "one"]
    assert texts(data_set / "rows" / "data-00001-of-00002.arrow") == [SECOND]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: (folder / "train" / "data-00000-of-00001.arrow").write_bytes(b"\xff\xff"), "no readable Arrow file"),
        (lambda folder: (folder / "train" / "data-00000-of-00001.arrow").unlink(), "data-00000-of-00001.arrow of this data set is missing"),
        (lambda folder: (folder / "train" / "state.json").write_text("{}"), "names no files"),
        (lambda folder: shutil.rmtree(folder / "train"), "its split 'train' of this data set is missing"),
        (lambda folder: (folder / "dataset_dict.json").write_text("{"), "broken JSON"),
    ],
    ids=["cut", "file", "state", "split", "list of splits"],
)
def test_a_damaged_data_set_is_one_line(data_set, tmp_path, damage, problem):
    folder = shutil.copytree(data_set / "splits", tmp_path / "splits")
    damage(folder)
    with pytest.raises(NewsmarkError, match=problem) as raised:
        documents(folder)
    assert str(raised.value).startswith(str(folder))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a.doc", "a.rtf", "a.ods", "a.png", "a.tar.gz", "a.xyz"])
def test_what_is_not_known_is_refused_by_name_with_what_is(tmp_path, name):
    content = gzipped(b"x") if name.endswith(".gz") else "x"
    with pytest.raises(NewsmarkError, match=rf"{name}: this kind of file is not known; known are \.txt, .*\.html, .*\.zip"):
        documents(write(tmp_path / name, content))


def cut(content):
    return content[: len(content) // 2] if isinstance(content, bytes) else content[:20]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.html", "<script>only()</script>", "nothing is visible on this page"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", f'text,name\n"{FIRST},a\n', "line 2: no readable row"),
        ("a.csv", f"text,name\n{FIRST},a,b\n", "line 2: 3 values for 2 columns"),
        ("a.csv", "text,text\na,b\n", "two columns are called 'text'"),
        ("a.csv", "a,b\n1,2\n", "no column holds long texts"),
        ("a.csv", "name,text\na,\n", "line 2: there is no 'text'"),
        ("a.json", "[{", "broken JSON"),
        ("a.json", "[5]", "object 1: expected a JSON object"),
        ("a.json", '{"text": "\\ud800"}', "lone surrogate"),
        ("a.xlsx", cut(OF_ROWS["rows.xlsx"]), "damaged, or no .xlsx file"),
        ("a.xlsx", workbook(), "no sheet of this workbook holds anything"),
        ("a.xlsx", "text", "damaged, or no .xlsx file"),
        ("a.parquet", cut(OF_ROWS["rows.parquet"]), "no readable Parquet file"),
        ("a.txt.gz", cut(gzipped(Path(__file__).read_bytes())), "damaged, or no .txt file"),
        ("a.txt.gz", b"\x1f\x8b", "can't be unpacked"),
        ("a.zip", cut(OF_ROWS["rows.zip"]), "damaged, or no .zip file"),
        ("a.zip", OF_ROWS["rows.zip"][1:], "rows.jsonl: can't be unpacked"),
        ("a.warc", warc(*CRAWL)[:-400], "damaged"),
        ("a.warc", cut(warc(*CRAWL[:1])), "damaged"),
        ("a.warc", "text", "no HTML page in this web archive|damaged"),
        ("a.warc", warc(*CRAWL[2:4]), r"no HTML page in this web archive \(2 × request, 1 × answer 404, 1 × image/png\)"),
        ("a.warc.gz", cut(gzipped(warc(*CRAWL))), "damaged"),
        ("a.arrow", "text", "no readable Arrow file"),
        (
            "a.xml",
            '<?xml version="1.0"?>\n<urlset xmlns="x"><url><loc>https://example.org/</loc></url></urlset>',
            "a sitemap: it holds 1 addresses and no text; save",
        ),
        ("a.xml", "<sitemapindex><sitemap><loc>https://example.org/b</loc></sitemap>", "a sitemap: it holds 1 addresses of other sitemaps"),
        ("a.zip", archive(**{"a.png": b""}), r"nothing in this archive can be read \(there are: a.png\)"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, name, content, problem):
    with pytest.raises(NewsmarkError, match=problem) as raised:
        documents(write(tmp_path / name, content))
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / name))


def test_the_content_decides_where_the_name_is_wrong(tmp_path):
    assert texts(write(tmp_path / "a.txt", OF_ROWS["rows.xlsx"])) == [FIRST, SECOND]
    assert texts(write(tmp_path / "b.csv", OF_ROWS["rows.csv.gz"])) == [FIRST, SECOND]


def test_a_missing_library_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    from newsmark.annotation.reading import kinds

    monkeypatch.setitem(kinds._BY_ENDING, ".html", kinds.Kind((".html",), "html.read_html_file", requires=("no_such_module", "no-such-package")))
    with pytest.raises(NewsmarkError, match=r"reading \.html files needs no-such-package; in newsmark's folder run: pip install"):
        documents(write(tmp_path / "a.html", PAGE))


def word(*paragraphs):
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Ministern talade", "Eva Ek"
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Parti", "Röster"
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def portable(*lines):
    """A PDF as matplotlib makes one."""
    from matplotlib.figure import Figure

    figure = Figure()
    for number, line in enumerate(lines):
        figure.text(0.05, 0.9 - number / 15, line)
    stream = io.BytesIO()
    figure.savefig(stream, format="pdf", metadata={"Title": "Ministern talade", "Author": "Eva Ek"})
    return stream.getvalue()


def protected(content):
    writer = pypdf.PdfWriter(io.BytesIO(content))
    writer.encrypt("secret")
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def mail(text, kind="plain"):
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = "Eva Ek <eva@example.org>", "Ministern talade på måndagen", "Sat, 28 Nov 2026 10:00:00 +0100"
    message.set_content("Open this in a browser." if kind == "html" else text)
    if kind == "html":
        message.add_alternative(text, subtype="html")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="a.png")
    return message.as_bytes()


# No library that is at hand writes these two; they follow the published layouts.
ODF = "urn:oasis:names:tc:opendocument:xmlns"
ODT = archive(
    **{
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f'<o:document-content xmlns:o="{ODF}:office:1.0" xmlns:t="{ODF}:text:1.0" xmlns:b="{ODF}:table:1.0"><o:body><o:text>'
        f"<t:tracked-changes><t:p>Borta</t:p></t:tracked-changes><t:h>Ministern<t:s/>talade</t:h><t:p>{FIRST.replace('Många', '<t:span>Mån</t:span>ga')}</t:p>"
        "<t:list><t:list-item><t:p>Ett</t:p></t:list-item></t:list><b:table><b:table-row><b:table-cell><t:p>Parti</t:p></b:table-cell><b:table-cell>"
        "<t:p>Röster</t:p></b:table-cell></b:table-row></b:table></o:text></o:body></o:document-content>",
        "meta.xml": f'<o:document-meta xmlns:o="{ODF}:office:1.0" xmlns:d="http://purl.org/dc/elements/1.1/"><o:meta><d:title>Rubrik</d:title></o:meta></o:document-meta>',
    }
)
EPUB = archive(
    **{
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="o/a.opf"/></rootfiles></container>',
        "o/a.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:d="http://purl.org/dc/elements/1.1/"><metadata><d:title>Boken</d:title></metadata><manifest>'
        '<item id="b" href="b.xhtml"/><item id="a" href="a%20a.xhtml"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
        "o/a a.xhtml": f'<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>{FIRST}</p></body></html>',
        "o/b.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{SECOND}</p></body></html>',
    }
)
RSS = f"""<?xml version="1.0"?><rss version="2.0"><channel><title>Bladet</title><link>https://example.org</link>
<item><title>Ett &amp; två</title>
<link>https://example.org/1</link><pubDate>Sat, 28 Nov 2026 10:00:00 GMT</pubDate>
<description>&lt;p&gt;{FIRST}&lt;/p&gt;</description></item></channel></rss>"""
ATOM = f"""<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Bladet</title><entry><title>Ett &amp;amp; två</title>
<link href="https://example.org/1"/><updated>2026-11-28T10:00:00Z</updated>
<summary>Kort.</summary><content type="html">&lt;p&gt;{FIRST}&lt;/p&gt;</content></entry></feed>"""


@pytest.mark.parametrize(
    ("name", "content", "expected", "said"),
    [
        ("a.docx", word("Ministern talade", FIRST), f"Ministern talade\n{FIRST}\nParti\tRöster", {"title": "Ministern talade", "author": "Eva Ek"}),
        ("a.odt", ODT, f"Ministern talade\n{FIRST}\nEtt\nParti\tRöster", {"title": "Rubrik"}),
        ("a.pdf", portable("Ministern talade", FIRST), f"Ministern talade\n{FIRST}", {"title": "Ministern talade", "author": "Eva Ek"}),
        ("noname", portable(FIRST), FIRST, {}),
        ("a.eml", mail(FIRST), FIRST, {"title": "Ministern talade på måndagen", "author": "Eva Ek", "date": "2026-11-28T10:00:00+01:00"}),
        ("b.eml", mail(PAGE, "html"), LINES, {"author": "Eva Ek"}),
        ("a.rss", RSS, f"Ett & två\n{FIRST}", {"title": "Ett & två", "url": "https://example.org/1", "date": "2026-11-28T10:00:00Z", "source": "Bladet"}),
        ("a.xml", ATOM, f"Ett & två\n{FIRST}", {"title": "Ett & två", "url": "https://example.org/1", "date": "2026-11-28T10:00:00Z", "source": "Bladet"}),
    ],
)
def test_documents_of_other_programs(tmp_path, name, content, expected, said):
    path = write(tmp_path / name, content)
    assert texts(path) == [expected]
    (document,) = documents(path)
    assert document.metadata.items() >= said.items()


def test_the_chapters_of_a_book_are_articles_in_their_order(tmp_path):
    path = write(tmp_path / "a.epub", EPUB)
    assert texts(path) == [FIRST, SECOND]
    assert [(one.name, one.metadata) for one in documents(path)] == [(f"a.epub, chapter {number}", {"source": "Boken"}) for number in (1, 2)]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.docx", cut(word(FIRST)), "damaged, or no .docx file"),
        ("a.docx", archive(a="b"), "damaged, or no .docx file"),
        ("a.odt", cut(ODT), "damaged, or no .odt file"),
        ("a.odt", archive(**{"content.xml": "<a>"}), "damaged, or no .odt file"),
        ("a.odt", archive(**{"content.xml": "<a/>"}), "there is no text in this document"),
        ("a.epub", cut(EPUB), "damaged, or no .epub file"),
        ("a.pdf", cut(portable(FIRST)), "damaged, or no .pdf file|there is no text"),
        ("a.pdf", "text", "damaged, or no .pdf file"),
        ("a.pdf", portable(), "there is no text in this PDF"),
        ("a.pdf", protected(portable(FIRST)), "this PDF needs a password"),
        ("a.eml", FIRST, "no mail with a text"),
        ("a.rss", RSS[:60], "no feed with entries"),
        ("a.xml", "<letter>Hej</letter>", "no feed with entries"),
    ],
)
def test_a_damaged_document_of_another_program_is_one_line(tmp_path, name, content, problem):
    test_a_damaged_file_is_one_line(tmp_path, name, content, problem)
