"""Benchmark of newsmark's models against what else one would use, on the same passages, in one run: ``make bench``.

Scores need labelled passages that nobody trains on: name a file with ``--test``. Without one, the annotated seeds are that file.
"""

import argparse
import importlib.metadata
import os
import random
import sys
import tempfile
import time
import warnings
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
from newsmark.annotation.commandline import run_command
from newsmark.annotation.errors import UsageError, unknown_name
from newsmark.annotation.labels import load_labels
from newsmark.models.calibration import read_odds
from newsmark.models.encoder.packaged import DEFAULT_ENCODER, encoder_source
from newsmark.models.kinds import KINDS
from newsmark.models.model import TrainedModel
from newsmark.training.calibration import fit_calibrations
from newsmark.training.config import load_config
from newsmark.training.cross_validation import TUNING_PARTS
from newsmark.training.dataset import joined, load_passages
from newsmark.training.labelled import load_labelled
from newsmark.training.leaks import check_leaks
from newsmark.training.metrics import evaluate
from newsmark.training.splits import set_aside

SCHEME = load_labels()
TRANSFORMER = load_config(Path("configs/transformer.yaml"), {})
SEED, MAX_TOKENS = TRANSFORMER.data.seed, TRANSFORMER.settings.max_tokens
E5_PREFIX = "query: "
"""What the authors of e5 put before every text whose embedding is compared or classified."""
FLOAT32 = {"dtype": "float32"}
"""The encoder is stored as float16, which nobody should train in, and which a CPU computes in at a crawl."""
SETFIT_BATCH = 16  # pairs: SetFit's default
SPACY_EPOCHS, SPACY_BATCH, SPACY_DROPOUT = 20, 32, 0.1

NOTE = f"""
macro-F1: mean over the labels, with its 95 % bootstrap interval over documents; train: seconds, loading the encoder included.
One machine, one run, one seed ({SEED}): small differences say nothing. Every peer decides by its own predict, at .5; a peer knows
nothing of labels that exclude others. newsmark's own learn from seven of eight documents, their calibration and thresholds from the
eighth. Passages are cut at {MAX_TOKENS} tokens for every transformer.
- frozen e5: mean pooling, length 1, "{E5_PREFIX}" before each text (as for SetFit), logistic regression with a label's positives weighted ("balanced").
- Trainer: AutoModelForSequenceClassification with its default head (the pooler starts untrained) and TrainingArguments' defaults.
- SetFit: all pairs of thousands of passages are too many; max_steps lets it see as many passages (two a pair) as newsmark's training does;
  like the Trainer it also trains the word embeddings, which takes longer.
- spaCy: blank "xx" pipeline, textcat_multilabel as it comes, no pretrained vectors; {SPACY_EPOCHS} epochs, batches of {SPACY_BATCH}, dropout {SPACY_DROPOUT}.
""".strip()


def fit_newsmark(kind, train):
    """newsmark's own: the only place that trains and asks its models."""
    settings = load_config(Path(f"configs/{kind}.yaml"), {}).settings
    part = set_aside(train, TUNING_PARTS, SEED)
    learned, kept = train.subset(part.train), train.subset(part.test)
    classifier = KINDS[kind].load_trainer().fit(learned.texts, learned.targets, settings, SEED, lambda *_: None)
    calibrations = fit_calibrations(read_odds(classifier, kept.contexts), kept.targets)
    model = TrainedModel(kind, train.labels, SCHEME.exclusive_names, calibrations, classifier)
    return lambda test: model.decide(model.scores(test.contexts))


def fit_majority(train):
    """Give the commonest answer of the training passages, label by label."""
    from sklearn.dummy import DummyClassifier

    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(train.texts), 1)), train.targets)
    return lambda test: dummy.predict(np.zeros((len(test.texts), 1)))


def sentence_encoder():
    """Make e5 a sentence-transformers model: mean pooling, then length 1, as its authors do."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    encoder = Transformer(encoder_source(DEFAULT_ENCODER), max_seq_length=MAX_TOKENS, model_kwargs=FLOAT32)
    return SentenceTransformer(modules=[encoder, Pooling(encoder.get_embedding_dimension(), "mean"), Normalize()])


def prefixed(data):
    """Texts as e5 wants them."""
    return [E5_PREFIX + text for text in data.texts]


def fit_frozen(train):
    """Logistic regression on embeddings that stay as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    encoder = sentence_encoder()
    head = OneVsRestClassifier(LogisticRegression(class_weight="balanced", max_iter=1000))
    head.fit(encoder.encode(prefixed(train), show_progress_bar=False), train.targets.astype(int))
    return lambda test: head.predict(encoder.encode(prefixed(test), show_progress_bar=False))


def fit_trainer(train):
    """Fine-tune with ``transformers.Trainer`` as its documentation shows it."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, PrinterCallback, Trainer, TrainingArguments, set_seed

    set_seed(SEED)
    source = encoder_source(DEFAULT_ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(source)
    head = {"num_labels": len(train.labels), "problem_type": "multi_label_classification"}
    model = AutoModelForSequenceClassification.from_pretrained(source, **head, **FLOAT32)

    def rows(data):
        ids = tokenizer(data.texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return [{"input_ids": one, "labels": target} for one, target in zip(ids, data.targets, strict=True)]

    with tempfile.TemporaryDirectory() as unused:
        arguments = TrainingArguments(unused, seed=SEED, save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True)
        trainer = Trainer(model=model, args=arguments, train_dataset=rows(train), data_collator=DataCollatorWithPadding(tokenizer))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return lambda test: trainer.predict(rows(test)).predictions >= 0  # a probability of .5


def fit_setfit(train):
    """Contrastive fine-tuning of e5, then one logistic regression a label (``one-vs-rest``)."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments, logging
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from transformers import PrinterCallback

    logging.set_verbosity_error()
    model = SetFitModel(sentence_encoder(), OneVsRestClassifier(LogisticRegression()), multi_target_strategy="one-vs-rest", labels=list(train.labels))
    steps = -(-TRANSFORMER.settings.epochs * len(train.texts) // (2 * SETFIT_BATCH))
    rows = Dataset.from_dict({"text": prefixed(train), "label": train.targets.astype(int).tolist()})
    with tempfile.TemporaryDirectory() as unused:
        quiet = {"save_strategy": "no", "logging_strategy": "no", "logging_first_step": False, "report_to": "none", "show_progress_bar": False}
        arguments = TrainingArguments(unused, SETFIT_BATCH, max_steps=steps, seed=SEED, **quiet)
        trainer = Trainer(model, arguments, train_dataset=rows)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return lambda test: model.predict(prefixed(test), as_numpy=True, show_progress_bar=False)


def fit_spacy(train):
    """Train spaCy's text categoriser in a blank pipeline."""
    import spacy
    from spacy.training import Example
    from spacy.util import fix_random_seed, minibatch

    fix_random_seed(SEED)
    chance = random.Random(SEED)
    nlp = spacy.blank("xx")
    nlp.add_pipe("textcat_multilabel")
    cats = [dict(zip(train.labels, map(float, row), strict=True)) for row in train.targets]
    examples = [Example.from_dict(nlp.make_doc(text), {"cats": own}) for text, own in zip(train.texts, cats, strict=True)]
    nlp.initialize(lambda: examples)
    for _ in range(SPACY_EPOCHS):
        chance.shuffle(examples)
        for batch in minibatch(examples, SPACY_BATCH):
            nlp.update(batch, drop=SPACY_DROPOUT)
    return lambda test: np.array([[doc.cats[label] for label in test.labels] for doc in nlp.pipe(test.texts)]) >= 0.5


PEERS = {
    "majority": ("majority", fit_majority, "sklearn"),
    "baseline": ("newsmark baseline (TF-IDF)", partial(fit_newsmark, "baseline"), "models.baseline"),
    "static": ("newsmark static", partial(fit_newsmark, "static"), "models.static"),
    "frozen": ("frozen e5, logistic regression", fit_frozen, "sentence_transformers"),
    "trainer": ("transformers.Trainer", fit_trainer, "transformers"),
    "setfit": ("SetFit", fit_setfit, "setfit"),
    "spacy": ("spaCy textcat_multilabel", fit_spacy, "spacy"),
    "newsmark": ("newsmark transformer", partial(fit_newsmark, "transformer"), "models.transformer"),
}
"""By the name for ``--only``: what it is, what trains it, and the module that is imported before the clock starts."""


def compare(arguments):
    """Train and score each peer; its row appears as soon as it is there."""
    chosen = arguments.only.split(",") if arguments.only else list(PEERS)
    for name in chosen:
        if name not in PEERS:
            raise UsageError(f"--only: {unknown_name('peer', name, PEERS)}")
    train, test = passages(arguments)
    check_leaks(train, test, SCHEME.exclusive_names)
    train = train.subset(np.arange(len(train.texts))[: arguments.limit])
    counts = ", ".join(f"{label} {count:.0f}" for label, count in zip(test.labels, test.targets.sum(axis=0), strict=True))
    print(f"trained on {len(train.texts):,} passages, digest {train.digest[:12]}")
    print(f"scored on {len(test.texts):,} passages of {len(set(test.groups))} documents ({counts}), digest {test.digest[:12]}\n")
    print(f"{'':31}{'macro-F1 [95 %]':20}{''.join(f'{label:>12}' for label in test.labels)}{'train s':>10}{'passages/s':>12}")
    quieten()
    for name in chosen:
        title, fit, module = PEERS[name]
        import_module(module)
        start = time.perf_counter()
        predict = fit(train)
        trained = time.perf_counter()
        decisions = np.asarray(predict(test)).astype(bool)
        done = time.perf_counter()
        scores = evaluate(test, decisions.astype(float), decisions, SEED)
        macro = f"{scores.macro_f1.value:.2f} [{scores.macro_f1.low:.2f}–{scores.macro_f1.high:.2f}]"
        labels = "".join(f"{row.f1.value:12.2f}" for row in scores.labels)
        print(f"{title:31}{macro:20}{labels}{trained - start:10.1f}{len(test.texts) / (done - trained):12,.0f}", flush=True)
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("scikit-learn", "torch", "transformers", "sentence-transformers", "setfit", "spacy")]
    print(f"\n{NOTE}\n{', '.join(versions)}; {os.cpu_count()} processors")


def passages(arguments):
    """Read what to train on and what to score on."""
    train = load_labelled(arguments.train, SCHEME)
    seeds = load_passages(["seeds"], "seeds/annotations.jsonl")
    if arguments.test is None:
        return train, seeds
    return train if arguments.no_seeds else joined(train, seeds), load_labelled(arguments.test, SCHEME)


def quieten():
    """Leave the table alone on the screen."""
    import transformers

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--train", type=Path, default=Path("seeds/bootstrap"), metavar="PATH", help="labelled passages: a JSONL file or a folder of them")
    parser.add_argument("--test", type=Path, metavar="FILE", help="labelled passages to score on (default: the annotated seeds, then not trained on)")
    parser.add_argument("--no-seeds", action="store_true", help="with --test: do not train on the annotated seeds too")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--limit", type=int, metavar="N", help="train on the first N passages only, to try it out")
    arguments = parser.parse_args()
    return run_command("classifiers.py", False, lambda: compare(arguments))


if __name__ == "__main__":
    sys.exit(main())
