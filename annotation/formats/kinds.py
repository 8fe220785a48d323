"""The formats of annotations, one record each: its name, its reader and writer, and what it keeps. A new one is a file beside this and a record here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from . import argilla, brat, conll, doccano, huggingface, label_studio, passages_csv, prodigy, spacy_docs, webanno
from .exchange import CODE_POINTS, UTF16, Annotated, Entry

ASPECTS = ("text", "borders", "overlaps", "kinds", "topics", "notes", "annotator", "metadata", "several", "skipped")
"""What an annotation has and a file may keep: the exact text; the exact borders of spans; spans that overlap; kinds; topics; the annotator's remark and
name; title, URL, author, date and source of the article; several annotations of one document; that a document was passed over."""


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: what ``--format`` takes.
        title: the tool, for people.
        endings: of the files that are read from a folder.
        read: reads a file; the second argument is the name of the field with the text, where the user named one.
        write: writes a file (or a folder) and returns what it had to leave out.
        keeps: those of ``ASPECTS`` that come back from a written file.
        reads: what is read, for the manual.
        unit: what its offsets count.
        folder: "" for a format of files; "write" where a folder of files is written; "read" where a folder is one data set.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    read: Callable[[Path, str | None], Iterator[Entry]]
    write: Callable[[Path, Sequence[Annotated]], list[str]]
    keeps: tuple[str, ...]
    reads: str
    unit: str = CODE_POINTS
    folder: str = ""

    @property
    def several(self) -> bool:
        """Whether it holds several annotations of one document."""
        return "several" in self.keeps

    @property
    def skips(self) -> bool:
        """Whether it says that a document was passed over."""
        return "skipped" in self.keeps


_MARKED = ("text", "borders", "overlaps", "kinds")
FORMATS = (
    Format(
        "label-studio",
        "Label Studio",
        (".json",),
        label_studio.read,
        label_studio.write,
        (*_MARKED, "topics", "notes", "annotator", "metadata", "several", "skipped"),
        "JSON of any project: each label of a region, hypertext, choices for a region (as its kind) and for the task, text areas (as the note); "
        "predictions where nobody annotated",
    ),
    Format(
        "doccano",
        "doccano",
        (".jsonl", ".json"),
        doccano.read,
        doccano.write,
        (*_MARKED, "topics", "notes", "annotator", "metadata"),
        "JSONL or JSON of sequence labelling, with or without relations, of intents and slots, of text classification; comments as the note",
    ),
    Format(
        "prodigy",
        "Prodigy",
        (".jsonl",),
        prodigy.read,
        prodigy.write,
        (*_MARKED, "topics", "notes", "annotator", "metadata", "several", "skipped"),
        "spans, chosen options and labels of accepted answers; an ignored answer is a skip; of a rejected one only the text; the options count as offered",
    ),
    Format(
        "spacy",
        "spaCy",
        (".spacy",),
        spacy_docs.read_docbin,
        spacy_docs.write_docbin,
        (*_MARKED, "topics", "annotator", "metadata"),
        "DocBin: span groups, entities, categories of .5 or more",
    ),
    Format(
        "spacy-json",
        "spaCy",
        (".json", ".jsonl"),
        spacy_docs.read_json_docs,
        spacy_docs.write_json_docs,
        (*_MARKED, "topics", "annotator", "metadata"),
        "what `Doc.to_json` gives, and lists of a text with its entities",
    ),
    Format(
        "webanno",
        "INCEpTION",
        (".tsv",),
        webanno.read,
        webanno.write,
        _MARKED,
        "WebAnno TSV 3: all layers of spans but those of single words; white space between sentences is taken to be line breaks",
        unit=UTF16,
        folder="write",
    ),
    Format(
        "brat",
        "brat",
        (".ann",),
        brat.read,
        brat.write,
        (*_MARKED, "notes"),
        "text-bound annotations, the attribute `kind`, notes; parts of a discontinuous span are spans of their own, unless white space alone is between them; "
        "entities of `annotation.conf` count as offered",
        folder="write",
    ),
    Format(
        "conll",
        "CoNLL",
        (".conll", ".bio", ".iob", ".txt"),
        conll.read,
        conll.write,
        ("text", "borders", "kinds", "annotator"),
        "the first and the last column; tags of BIO, IOB, BIOES and BILUO, which end with their sentence; without `# text =` a space is put between tokens",
    ),
    Format(
        "huggingface",
        "Hugging Face",
        (".parquet",),
        huggingface.read,
        huggingface.write,
        (*_MARKED, "topics", "notes", "annotator", "metadata", "several", "skipped"),
        "data sets with `text` and `spans` (or `entities`) of start, end and label, or in Argilla's layout: a folder of `save_to_disk`, or Parquet; "
        "names of label classes count as offered",
        folder="read",
    ),
    Format(
        "argilla",
        "Argilla",
        (".json", ".jsonl"),
        argilla.read,
        argilla.write,
        (*_MARKED, "topics", "notes", "annotator", "metadata", "several", "skipped"),
        "records as JSON: one annotation per user who submitted or discarded; suggestions where nobody answered; drafts are named where the file knows them "
        "(that of Argilla 2.8 does not)",
    ),
    Format(
        "passages-csv",
        "CSV",
        (".csv", ".tsv"),
        passages_csv.read,
        passages_csv.write,
        ("text", "overlaps", "kinds", "topics", "annotator", "metadata", "several"),
        "a row per passage: `text` and `labels`, and optionally `document` or `name`, `lang`, `annotator`, `topics`, and the metadata",
    ),
)
"""All formats, in the order of the manual."""


def format_named(name: str) -> Format:
    """Find a format.

    Raises:
        KeyError: there is none of that name.
    """
    return {one.name: one for one in FORMATS}[name]


def files_of(chosen: Format, path: Path) -> list[Path]:
    """Find the files that a path stands for: itself, or a folder's files of the format, with those in its sub-folders.

    Raises:
        UsageError: there is none, or the path is an archive.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.suffix.lower() in {".zip", ".gz"}:
        raise UsageError(f"{path}: an archive; unpack it and give the files or the folder")
    if not path.is_dir() or (chosen.folder == "read" and not list(path.glob("*.parquet"))):
        return [path]
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in chosen.endings and one.is_file() and not one.name.startswith("."))
    if not found:
        raise UsageError(f"{path}: no {' or '.join(chosen.endings)} files in this folder")
    return found


def table() -> str:
    """Lay out the manual's table of formats."""
    rows = ["| `--format` | tool | files | reads | keeps | loses |", "|---|---|---|---|---|---|"]
    for one in FORMATS:
        lost = ", ".join(aspect for aspect in ASPECTS if aspect not in one.keeps) or "–"
        files = ", ".join(f"`{ending}`" for ending in one.endings)
        rows.append(f"| `{one.name}` | {one.title} | {files} | {one.reads} | {', '.join(one.keeps)} | {lost} |")
    return "\n".join(rows)
