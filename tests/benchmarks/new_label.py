"""Benchmark of a label that comes later: F1 with 10, 30 and 100 passages that have it: ``make bench``.

A label is taken out of the cold-start corpus and the annotated seeds, and given back in some articles: whole documents of the corpus, drawn
at random until enough of their passages have it. Scores need labelled passages that nobody trains on: name a file with ``--test``. Without
one, the annotated seeds are that file.
"""

import argparse
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from newsmark.annotation.commandline import run_command
from newsmark.annotation.errors import UsageError, unknown_name
from newsmark.annotation.labels import load_labels
from newsmark.models.calibration import calibrated, read_odds
from newsmark.models.kinds import KINDS
from newsmark.models.model import decide
from newsmark.training.config import load_config
from newsmark.training.cross_validation import Fitter
from newsmark.training.dataset import HARD_PAIRS, joined, load_passages
from newsmark.training.labelled import load_labelled
from newsmark.training.metrics import evaluate
from newsmark.training.splits import make_folds

SCHEME = load_labels()
NOTE = """
others: mean F1 of the other labels; train: seconds.
- not judged: what newsmark does: the corpus and the seeds say nothing about the label.
- taken for no: each of their passages counts as one without the label.
- articles alone: neither corpus nor seeds.
- all judged: the corpus and the seeds have the label, too: what many more annotations would give.
One draw of articles, one seed: small differences say nothing.
""".strip()


class Unlogged:
    """What of a recorder a fitter needs."""

    def run(self, _name):
        """Log nothing."""
        return nullcontext()

    def log_params(self, values):
        """Log nothing."""

    def log_metrics(self, *values, **options):
        """Log nothing."""


def compare(arguments):
    """Train and score each way of treating what was not judged; its row appears as soon as it is there."""
    if arguments.label not in SCHEME.label_names:
        raise UsageError(f"--label: {unknown_name('label', arguments.label, SCHEME.label_names)}")
    config = load_config(Path(f"configs/{arguments.model}.yaml"), {"max_folds": str(arguments.folds)})
    column = SCHEME.label_names.index(arguments.label)
    seeds, corpus = load_passages(["seeds"], "seeds/annotations.jsonl"), load_labelled(arguments.corpus, SCHEME)
    test = load_labelled(arguments.test, SCHEME) if arguments.test else seeds
    print(f"{arguments.label}, {arguments.model}, scored on {len(test.texts):,} passages, {test.truth[:, column].sum()} of them with the label\n")
    print(f"{'positives':>9}  {'articles':>8}  {'':15}{'F1 [95 %]':>18}{'others':>8}{'train s':>9}")
    for size in arguments.sizes:
        given, rest = draw(corpus, column, size, config.data.seed)
        articles = corpus.subset(given)
        old = corpus.subset(rest) if arguments.test is None else joined(corpus.subset(rest), seeds)
        for way, before in (
            ("not judged", marked(old, column, np.nan)),
            ("taken for no", marked(old, column, 0)),
            ("articles alone", None),
            ("all judged", old),
        ):
            start = time.perf_counter()
            found = score(config, before, articles, test)
            others = np.mean([row.f1.value for row in found.labels if row.label != arguments.label])
            f1, seconds = found.labels[column].f1, time.perf_counter() - start
            counts = f"{articles.truth[:, column].sum():9}  {len(set(articles.documents)):8}"
            print(f"{counts}  {way:15}{f1.value:6.2f} [{f1.low:.2f}–{f1.high:.2f}]{others:8.2f}{seconds:9.1f}", flush=True)
    print(f"\n{NOTE}")


def draw(corpus, column, size, seed):
    """Draw documents until this number of their passages have the label; the indices of their passages, and of all others."""
    documents = np.random.default_rng(seed).permutation(sorted(set(corpus.documents[corpus.kinds != HARD_PAIRS])))
    positives = np.cumsum([corpus.truth[corpus.documents == document, column].sum() for document in documents])
    if positives[-1] < size:
        raise UsageError(f"--sizes: the corpus has only {positives[-1]} passages with the label; name smaller ones")
    drawn = np.isin(corpus.documents, documents[: int(np.searchsorted(positives, size)) + 1])
    return np.flatnonzero(drawn), np.flatnonzero(~drawn)


def marked(data, column, value):
    """The same passages with another truth of a label."""
    targets = data.targets.copy()
    targets[:, column] = value
    return replace(data, targets=targets)


def score(config, before, articles, test):
    """Train as newsmark does, on what there was before and on annotated articles, and score on others."""
    fitter = Fitter(Unlogged(), config, config.data.max_folds + 1, before is not None, lambda _: None)
    start = fitter.begin(before)
    found = fitter.cross_validate(articles, make_folds(articles, config.data.max_folds), start, SCHEME.exclusive_names)
    final = fitter.fit(articles, start)
    fitter.bar.close()
    calibrations = start.learn_calibrations(found.odds[found.rows], articles.targets[found.rows], start.tuning_odds(final))
    probabilities = calibrated(read_odds(final, test.contexts), calibrations)
    decisions = decide(probabilities, [rule.threshold for rule in calibrations], SCHEME.label_names, SCHEME.exclusive_names)
    return evaluate(test, probabilities, decisions, config.data.seed)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--test", type=Path, metavar="FILE", help="labelled passages to score on (default: the annotated seeds, then not trained on)")
    parser.add_argument("--label", default="statistic", metavar="NAME", help="the label that comes later (default: %(default)s)")
    parser.add_argument("--sizes", type=lambda text: [int(one) for one in text.split(",")], default=[10, 30, 100], metavar="N,N", help="passages that have it")
    parser.add_argument("--model", choices=list(KINDS), default="baseline", help="kind of model (default: %(default)s)")
    parser.add_argument("--folds", type=int, default=4, metavar="N", help="parts of the annotated articles for calibration (default: %(default)s)")
    parser.add_argument("--corpus", type=Path, default=Path("seeds/bootstrap"), metavar="PATH", help="labelled passages: a JSONL file or a folder of them")
    arguments = parser.parse_args()
    return run_command("new_label.py", False, lambda: compare(arguments))


if __name__ == "__main__":
    sys.exit(main())
