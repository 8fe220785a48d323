"""How long ``annotate turn`` takes with twenty annotated articles, with a real Label Studio and a real MLflow: ``make bench``.

The articles are documents of the cold-start corpus, which is trained on without them. Fifteen are annotated, a turn is taken, five more are
annotated, and another turn is taken, which has a champion to compare with; twenty others wait, and get new suggestions and their places in the queue.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from newsmark.annotation.annotations import Annotation, Span, write_annotations
from newsmark.annotation.documents import read_documents
from newsmark.annotation.label_studio.server import start_server
from newsmark.annotation.labels import load_labels
from newsmark.training.dataset import HARD_PAIRS
from newsmark.training.labelled import load_labelled

CORPUS = Path("seeds/bootstrap")
ANNOTATED, LATER, WAITING = 20, 5, 20
SCHEME = load_labels()


def choose_articles():
    """Documents of the corpus, by their names: text and spans of whole passages."""
    data = load_labelled(CORPUS, SCHEME)
    rows = {}
    for row, document in enumerate(data.documents.tolist()):
        if data.kinds[row] != HARD_PAIRS:
            rows.setdefault(document, []).append(row)
    usual = [name for name in sorted(rows) if 12 <= len(rows[name]) <= 40]
    articles = {}
    for name in usual[:: len(usual) // (ANNOTATED + WAITING)][: ANNOTATED + WAITING]:
        text, spans = "", []
        for row in rows[name]:
            labels = [label for label, given in zip(data.labels, data.truth[row], strict=True) if given]
            end = len(text) + len(data.texts[row])
            spans += [Span(f"{len(text)}-{label}", len(text), end, label, next(iter(SCHEME.label(label).kinds), None)) for label in labels]
            text += data.texts[row] + "\n"
        articles[name] = (text, spans, len(rows[name]))
    return articles


def write_corpus(folder, without):
    """Copy the corpus without some of its documents; returns the number of its passages."""
    size = 0
    for path in [*CORPUS.glob("*.jsonl"), *CORPUS.glob("spans/*.jsonl")]:
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line).get("document") not in without]
        size += len(kept) * (path.parent == CORPUS)
        where = folder / path.relative_to(CORPUS)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return size


def write_articles(folder, articles):
    """Write articles into a folder, and beside it an annotation file that says what an annotator marked in them."""
    folder.mkdir()
    for name, (text, *_) in articles.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    spans = {f"{name}.txt": tuple(some) for name, (_, some, _) in articles.items()}
    annotations = [Annotation(one.id, one.name, "anna@example.com", False, (), spans[one.name], offered=SCHEME.label_names) for one in read_documents([folder])]
    write_annotations(folder.with_suffix(".jsonl"), annotations)


def annotate(env, *arguments):
    """Run a command; returns its answer, and the seconds that passed and that processors worked."""
    begun, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "annotation", *map(str, arguments)], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return json.loads(done.stdout), time.perf_counter() - begun, worked


def main():
    """Take both turns, and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/baseline.yaml"), help="training configuration (default: %(default)s)")
    config = parser.parse_args().config
    with tempfile.TemporaryDirectory() as name, start_server(Path(name) / "data") as server:
        folder = Path(name)
        articles = choose_articles()
        names = random.Random(13).sample(list(articles), len(articles))
        first, later, waiting = names[: ANNOTATED - LATER], names[ANNOTATED - LATER : ANNOTATED], names[ANNOTATED:]
        for part, some in (("first", first), ("later", later), ("waiting", waiting)):
            write_articles(folder / part, {one: articles[one] for one in some})
        size = write_corpus(folder / "corpus", articles)
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        (folder / "config.yaml").write_text(yaml.safe_dump({**content, "bootstrap": str(folder / "corpus")}), encoding="utf-8")
        passages = sum(articles[one][2] for one in first + later)
        print(f"{config}: {ANNOTATED} annotated articles of {passages} passages, {WAITING} that wait, and a corpus of {size} passages")
        env = {**os.environ, "LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token, "MLFLOW_DISABLE_TELEMETRY": "1"}
        env |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "XDG_CACHE_HOME": str(folder / "cache")}
        turn = ["turn", *(folder / part for part in ("first", "later", "waiting")), "--annotations", folder / "own.jsonl", "--config", folder / "config.yaml"]
        annotate(env, "push", folder / "waiting", "--json")
        for part, what in (("first", "first turn"), ("later", "next turn")):
            annotate(env, "push", folder / part, "--annotations", folder / f"{part}.jsonl", "--json")
            answer, seconds, worked = annotate(env, *turn, "--json")
            assert answer["trained"], answer
            done = f"{answer['new']} annotations pulled, {'promoted' if answer['promoted'] else 'refused'}, suggestions renewed in {len(answer['renewed'])}"
            print(f"  {what}: {seconds:.0f} s, {worked:.0f} s of processor time ({done}, {answer['reordered']} with a new rank)", flush=True)


if __name__ == "__main__":
    main()
