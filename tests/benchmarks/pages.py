"""Benchmark of saved web pages: how much of the article is kept, and how much of its furniture: ``make bench PAGES=FILE``.

A file of pages has a row per page (.jsonl or .jsonl.gz): ``html``, ``present`` (strings of the article) and ``absent`` (strings of its furniture). A
string is kept where it stands in what is taken for the article, white space left out. Intervals are of 2,000 draws of pages.

``--fit`` learns the weights in annotation/reading/furniture.py again, from the labelled pages in tests/data/pages, and prints them.
"""

import argparse
import gzip
import io
import json
import re
import sys
from dataclasses import astuple, fields, replace
from pathlib import Path

import numpy as np
import trafilatura
from newsmark.annotation.commandline import run_command
from newsmark.annotation.documents import document_of
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.reading.furniture import Signals, read_signals
from newsmark.annotation.reading.html import head_of, parse, read_html_file, visible_lines
from newsmark.annotation.reading.sources import ReadingOptions, Source
from newsmark.annotation.splitting.passages import split_passages
from newsmark.models.calibration import log_odds
from newsmark.models.context import in_reading_order
from newsmark.models.prediction.article import FURNITURE
from newsmark.models.prediction.predict import predict_articles
from newsmark.models.saved import load_model
from newsmark.models.store import find_folder
from sklearn.linear_model import LogisticRegression

LABELLED = Path("tests/data/pages")
DRAWS = 2000


def compare(path, most, model):
    """Print how each way of taking the article does."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        pages = [json.loads(line) for line, _ in zip(stream, range(most), strict=False)]
    documents = [document_of_page(page["html"]) for page in pages]
    ways = {
        "all lines": lambda _, document: document.text,
        "trafilatura": lambda page, _: trafilatura.extract(page["html"]) or "",
        "newsmark, words alone": lambda _, document: article(model, replace(document, furniture=())),
        "newsmark": lambda _, document: article(model, document),
    }
    print(f"{len(pages)} pages, {model.version}\n{'':24}precision   recall   F1 [95 %]")
    for name, way in ways.items():
        counts = np.array([count(page, way(page, document) if document else "") for page, document in zip(pages, documents, strict=True)])
        drawn = counts[np.random.default_rng(13).integers(len(counts), size=(DRAWS, len(counts)))].sum(axis=1)
        low, high = np.percentile([scores(row)[2] for row in drawn], [2.5, 97.5])
        precision, recall, f1 = scores(counts.sum(axis=0))
        print(f"{name:24}{precision:9.3f}{recall:9.3f}   {f1:.3f} [{low:.3f}–{high:.3f}]", flush=True)


def document_of_page(page):
    """Read a page as the commands do; None where nothing is visible on it."""
    source = Source("page.html", "page.html", ".html", lambda: io.BytesIO(page.encode()))
    try:
        return document_of(next(read_html_file(source, ReadingOptions(encoding="utf-8", furniture=True))))
    except NewsmarkError:
        return None


def article(model, document):
    """What ``predict --article`` prints, white space left out of account."""
    return " ".join(passage.text for passage, found in predict_articles(model, [document])[0] if FURNITURE not in found.labels)


def count(page, kept):
    """Strings of the article that are kept, strings of furniture that are kept, strings of the article that are lost."""
    kept = squeeze(kept)
    present, absent = ([squeeze(one) in kept for one in page[name]] for name in ("present", "absent"))
    return sum(present), sum(absent), len(present) - sum(present)


def scores(counts):
    """Precision, recall and F1."""
    right, wrong, lost = counts
    return right / max(right + wrong, 1), right / max(right + lost, 1), 2 * right / max(2 * right + wrong + lost, 1)


def squeeze(text):
    """Leave white space out."""
    return re.sub(r"\s+", "", text)


def fit(model):
    """Learn the weights of the signals and of the model's own odds, and print them and how they do on pages that they were not learned from."""
    column = model.labels.index(FURNITURE)
    rows, truth, groups = [], [], []
    for number, path in enumerate(sorted(LABELLED.glob("*.html"))):
        marked = path.read_text(encoding="utf-8")
        page = re.sub(r' data-label="\w+"', "", marked)
        root = parse(page)
        lines = visible_lines(root)
        is_furniture = [label_of(line.block) == "furniture" for line in visible_lines(parse(marked))]
        signals = [astuple(one) for one in read_signals(lines, page, head_of(root, page)["title"] or "")]
        text = "\n".join(line.text for line in lines)
        passages = split_passages(text, path.name[3:5])
        scores_of_words = model.scores(in_reading_order([one.text for one in passages]))[:, column]
        odds = log_odds(scores_of_words) - log_odds(np.array(model.calibrations[column].threshold))
        places = [text.count("\n", 0, one.start) for one in passages]
        rows += [[own, *signals[place]] for own, place in zip(odds, places, strict=True)]
        truth += [is_furniture[place] for place in places]
        groups += [number] * len(places)
    rows, truth, groups = np.array(rows, dtype=float), np.array(truth), np.array(groups)
    print(f"{len(set(groups))} pages, {len(rows)} passages, {truth.mean():.0%} of them furniture; own odds of {model.version}")
    for name, evidence in (("words alone", rows[:, :1]), ("words and page", rows)):
        right = np.zeros(len(rows), dtype=bool)
        for part in range(8):
            others = groups % 8 != part
            right[~others] = learn(evidence[others], truth[others]).predict(evidence[~others]) == truth[~others]
        print(f"{name}: {right.mean():.3f} of the passages of other pages right")
    learned = learn(rows, truth)
    for name, weight in zip(["words", *(one.name for one in fields(Signals))], learned.coef_[0], strict=True):
        print(f"{name:10}{weight:7.2f}")
    print(f"{'constant':10}{learned.intercept_[0]:7.2f}")


def learn(evidence, truth):
    """A logistic regression in which furniture and article weigh the same: how much of a page is furniture is not what a page should say."""
    return LogisticRegression(class_weight="balanced", max_iter=5000).fit(evidence, truth)


def label_of(block):
    """What the block or the nearest one around it is labelled as."""
    return next((one.get("data-label") for one in (block, *block.iterancestors()) if one.get("data-label")), "article")


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, metavar="FILE", help="pages to score on")
    parser.add_argument("--most", type=int, default=10**9, metavar="N", help="take the first N pages")
    parser.add_argument("--model", metavar="MODEL", help="folder, run id or MLflow URI (default: the champion, else the newest trained model)")
    parser.add_argument("--fit", action="store_true", help="learn the weights from the labelled pages and print them")
    arguments = parser.parse_args()

    def run():
        model = load_model(find_folder(arguments.model))
        if arguments.fit:
            fit(model)
        if arguments.pages:
            compare(arguments.pages, arguments.most, model)
        elif not arguments.fit:
            print("pages: not scored; name a file of pages with --pages (make bench PAGES=FILE)")

    return run_command("pages", False, run)


if __name__ == "__main__":
    sys.exit(main())
