"""Benchmark of what goes through all annotations: ``make bench``.

Prints seconds per step for 1,000 and for 10,000 documents of two annotators each, and how much longer one document takes among
ten times as many: 1.0 where the time grows with the number of documents. The documents are random sentences of a seed article.
"""

import os
import random
import tempfile
import time
from pathlib import Path

from newsmark.annotation.annotations import Annotation, Span, read_annotations, write_annotations
from newsmark.annotation.documents import read_documents
from newsmark.annotation.files import atomic_write
from newsmark.annotation.label_studio.adjudication import settle
from newsmark.annotation.labels import load_labels
from newsmark.annotation.reports import agreement_answer, check_answer
from newsmark.annotation.splitting.passages import split_passages
from newsmark.models.prediction.rows import as_line
from newsmark.training.dataset import load_passages

SMALL, LARGE = 1_000, 10_000
SCHEME = load_labels()


def make(folder, count):
    """Write documents of ten sentences, and what two annotators marked in them; they differ in one of ten spans."""
    sentences = [one.text for one in split_passages(Path("seeds/004_01df7fd14f7a8f34.txt").read_text(encoding="utf-8"), "fr")]
    chance = random.Random(13)
    articles, annotations = folder / f"{count}.jsonl", folder / f"{count} annotations.jsonl"
    with atomic_write(articles) as stream:
        for number in range(count):
            text = "\n".join([f"Document {number}.", *chance.choices(sentences, k=10)])
            stream.write(as_line({"text": text, "name": f"document {number}", "lang": "fr"}))
    write_annotations(annotations, [mark(document, name, chance) for document in read_documents([articles]) for name in ("first", "second")])
    return articles, annotations


def mark(document, annotator, chance):
    """Mark the lines of a document by their length."""
    spans, start = [], 0
    for number, line in enumerate(document.text.split("\n")):
        label = "boilerplate" if (len(line) + (chance.random() < 0.1)) % 2 else "commitment"
        spans.append(Span(f"s{number}", start, start + len(line), label))
        start += len(line) + 1
    return Annotation(document.id, document.name, annotator, ground_truth=False, topics=("other",), spans=tuple(spans))


def measure(folder, count):
    """Seconds per step."""
    articles, file = make(folder, count)
    seconds, start = {}, time.perf_counter()

    def done(step):
        nonlocal start
        seconds[step] = time.perf_counter() - start
        start = time.perf_counter()

    documents = list(read_documents([articles]))
    annotations = read_annotations(file, documents, SCHEME)
    done("read")
    check_answer(documents, annotations, SCHEME)
    done("check")
    agreement_answer(documents, annotations, SCHEME)
    done("agreement")
    settle(documents, annotations, SCHEME)
    done("adjudicate")
    load_passages([str(articles)], str(file))
    done("data set")
    return seconds


def main():
    """Measure both sizes and print them."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NEWSMARK_CACHE"] = folder
        measure(Path(folder), 100)  # loads all libraries
        small, large = (measure(Path(folder), count) for count in (SMALL, LARGE))
    print(f"{'':12}{SMALL:>9,} {LARGE:>9,} documents, two annotators each")
    for step, seconds in small.items():
        print(f"{step:12}{seconds:8.1f} s {large[step]:8.1f} s  {large[step] / seconds * SMALL / LARGE:.2f} times as long per document")


if __name__ == "__main__":
    main()
