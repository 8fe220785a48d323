"""Benchmark of topics: the kinds of text of the cold-start corpus, taken for topics, learned or compared with a definition: ``make bench``.

Nothing else has topics that are known in such numbers. Kinds of text are no topics of news, so this says how the ways compare, and how much
ever more articles bring, not how well a desk's topics are found. The passages' vectors are those of a trained model (``--model``), or of words.
"""

import argparse
from pathlib import Path

import numpy as np
from newsmark.annotation.commandline import run_command
from newsmark.annotation.labels import Topic, load_labels
from newsmark.models.saved import load_model
from newsmark.models.store import find_folder
from newsmark.models.topics import article_vector
from newsmark.training.dataset import HARD_PAIRS
from newsmark.training.labelled import load_corpus
from newsmark.training.topics import _definition_lines, _line, _reaches
from tabulate import tabulate

KINDS = {
    "sports": "Matches, athletes, clubs and results.",
    "company-report": "Companies reporting on their business, results and plans.",
    "religion": "Faith, worship, churches and sermons.",
    "science": "Research, studies and what they found out about nature.",
    "culture": "Arts, theatre, music, festivals and heritage.",
    "legal": "Law, courts, contracts and judgments.",
    "municipal": "What a town or its council decides and offers to residents.",
    "manifesto": "Programmes of parties and candidates for an election.",
    "how-to": "Instructions for doing something step by step.",
    "shop": "Goods for sale, delivery and returns.",
}
"""Definitions in the manner of a labels file, written before anything was measured."""

DRAWS = 5
OTHERS = 3  # articles without a topic per article with it, in what is learned from


def read_articles(folder, classifier):
    """The corpus's documents of whole texts: their passages, vectors (n × size) and kinds."""
    scheme = load_labels()
    corpus, _ = load_corpus(folder, scheme)
    corpus = corpus.subset(np.flatnonzero(corpus.kinds != HARD_PAIRS))
    exclusive = [column for column, name in enumerate(corpus.labels) if name in scheme.exclusive_names]
    outside = corpus.truth[:, exclusive].any(axis=1)
    vectors, kinds = [], []
    for document in dict.fromkeys(corpus.documents.tolist()):
        rows = np.flatnonzero(corpus.documents == document)
        inside = [row for row in rows if not outside[row]] or rows
        vectors.append(article_vector(classifier, [corpus.texts[row] for row in inside]))
        kinds.append(str(corpus.kinds[rows[0]]))
    return corpus, exclusive, np.stack(vectors), np.array(kinds)


def row_of(name, right, wrong, asked):
    """Precision, recall, and the share of actions saved: a topic that is right saves one, one that is wrong costs one."""
    return [name, f"{right / max(right + wrong, 1):.2f}", f"{right / asked:.2f}", f"{(right - wrong) / asked:.2f}"]


def by_definition(classifier, corpus, exclusive, vectors, kinds):
    """Compare each article with each definition."""
    topics = [Topic(name, definition, "#000000", str(number)) for number, (name, definition) in enumerate(KINDS.items())]
    lines = _definition_lines(classifier, topics, corpus, exclusive)
    if not lines:
        return []
    given = np.stack([_reaches(line, vectors) for line in lines], axis=1)
    truth = np.stack([kinds == name for name in KINDS], axis=1)
    return [row_of("definitions", (given & truth).sum(), (given & ~truth).sum(), truth.sum())]


def by_learning(vectors, kinds, count):
    """Learn each kind from this number of articles with it, and judge all others, those without it as often as in what was learned from."""
    right = wrong = asked = 0.0
    draw = np.random.default_rng(13)
    for name in KINDS:
        having, lacking = np.flatnonzero(kinds == name), np.flatnonzero(kinds != name)
        if len(having) < 2 * count:
            continue
        for _ in range(DRAWS):
            own, other = draw.permutation(having), draw.permutation(lacking)
            learned = np.r_[own[:count], other[: OTHERS * count]]
            line = _line(vectors[learned], kinds[learned] == name)
            weight = OTHERS * len(own[count:]) / len(other[OTHERS * count :])
            right += _reaches(line, vectors[own[count:]]).sum()
            wrong += weight * _reaches(line, vectors[other[OTHERS * count :]]).sum()
            asked += len(own[count:])
    return [row_of(f"learned from {count} with and {OTHERS * count} without", right, wrong, asked)] if asked else []


def measure(arguments):
    """Print the table."""
    classifier = load_model(find_folder(arguments.model)).classifier if arguments.model else None
    corpus, exclusive, vectors, kinds = read_articles(arguments.corpus, classifier)
    rows = by_definition(classifier, corpus, exclusive, vectors, kinds)
    for count in (3, 5, 10, 20):
        rows += by_learning(vectors, kinds, count)
    print(f"{len(kinds)} articles of the corpus, {len(KINDS)} kinds of text as topics, vectors of {arguments.model or 'words'}")
    print(tabulate(rows, headers=["topics", "precision", "recall", "actions saved"], disable_numparse=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("seeds/bootstrap"), help="cold-start corpus (default: %(default)s)")
    parser.add_argument("--model", help="folder, run id or MLflow URI of the model whose vectors are taken (default: those of words)")
    arguments = parser.parse_args()
    raise SystemExit(run_command("topics", False, lambda: measure(arguments)))
