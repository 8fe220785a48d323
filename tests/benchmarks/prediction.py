"""``predict`` against twenty-line scripts with the transformers pipeline and with SetFit's predict, as whole processes, on the same passages.

They run the same encoder with a linear layer on top (untrained: it computes what a fine-tuned one would). Prints passages a second from start to end,
what a million passages take at that rate, peak memory (of the process itself; workers and Ray's processes have their own), and the time to the first
line; the same with ten times the passages, in two processes, and on Ray; the share of the machine's 8-bit matrix products that the transformer reaches;
the baseline and the static model; how fast each step of ``predict`` is alone, and the baseline beside scikit-learn's own ``predict_proba``.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from newsmark.annotation.commandline import run_command
from newsmark.annotation.documents import identify_language
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import load_labels
from newsmark.annotation.splitting.passages import split_passages
from newsmark.models.baseline.settings import BaselineSettings
from newsmark.models.baseline.trainer import Baseline
from newsmark.models.classifier import CORES
from newsmark.models.context import PassageInContext
from newsmark.models.encoder.packaged import DEFAULT_ENCODER, encoder_source
from newsmark.models.prediction.local import label
from newsmark.models.prediction.output import as_line
from newsmark.models.prediction.rows import read_rows, with_neighbours
from newsmark.models.prediction.run import CHUNK
from newsmark.models.saved import load_model
from newsmark.models.store import connect, find_folder, registered_name
from newsmark.models.transformer.reader import INT8
from newsmark.training.labelled import load_labelled
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession, SessionOptions
from tabulate import tabulate

PIPELINE = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline, logging
logging.set_verbosity_error()
source = sys.argv[1]
model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=4, dtype=torch.float32)
label = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(source), top_k=None, function_to_apply="sigmoid")
for line in open(sys.argv[2], encoding="utf-8"):
    row = json.loads(line)
    row["scores"] = {one["label"]: one["score"] for one in label(row["text"], truncation=True, max_length=192)[0]}
    print(json.dumps(row, ensure_ascii=False))
"""

SETFIT = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from setfit import SetFitModel, logging
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
logging.set_verbosity_error()
encoder = Transformer(sys.argv[1], max_seq_length=192, model_kwargs={"dtype": "float32"})
size = encoder.get_embedding_dimension()
draw = np.random.default_rng(13)
head = OneVsRestClassifier(LogisticRegression()).fit(draw.normal(size=(40, size)), draw.integers(0, 2, (40, 4)))
model = SetFitModel(SentenceTransformer(modules=[encoder, Pooling(size, "mean")]), head, multi_target_strategy="one-vs-rest")
rows = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
for row, labels in zip(rows, model.predict([row["text"] for row in rows], as_numpy=True, show_progress_bar=False)):
    print(json.dumps({**row, "labels": labels.tolist()}, ensure_ascii=False))
"""
TOKENS = 512
"""Of the matrix products that are measured, as many as predict gives the graph at once."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="run id, MLflow URI or folder of a transformer (default: the newest)")
    parser.add_argument("--baseline", help="run id, MLflow URI or folder of a baseline (default: the newest)")
    parser.add_argument("--static", help="run id, MLflow URI or folder of a static model (default: the newest)")
    parser.add_argument("--only", choices=["quick"], help="quick: leave out the transformer and its peers")
    parser.add_argument("--passages", type=int, default=2000, help="how many for the transformer (default: %(default)s)")
    parser.add_argument("--many", type=int, default=1_000_000, help="how many at most for the baseline and the static model (default: %(default)s)")
    arguments = parser.parse_args()
    return run_command("prediction", False, lambda: bench(arguments))


def bench(arguments):
    kinds = ("baseline", "static") if arguments.only else ("transformer", "baseline", "static")
    named = {"transformer": arguments.model, "baseline": arguments.baseline, "static": arguments.static}
    if not (arguments.static or trained("static")):
        print("the static model is left out, as none was trained yet; run: train --config configs/static.yaml\n", file=sys.stderr)
        kinds = tuple(kind for kind in kinds if kind != "static")
    folders = {kind: find_folder(named[kind] or newest(kind)) for kind in kinds}
    models, rows, facts = {kind: load_model(folder) for kind, folder in folders.items()}, [], []
    with tempfile.TemporaryDirectory() as temporary:
        few, tenfold = (write(Path(temporary) / f"{size}.jsonl", size) for size in (arguments.passages, 10 * arguments.passages))
        if "transformer" in kinds:
            rows = beside_peers(predict(folders["transformer"]), few, tenfold, arguments.passages)
            facts = [
                *(f"predict over {row[0]}: {rows[2][2] / row[2]:.1f} times the rate, {rows[2][4] / row[4]:.2f} of the memory" for row in rows[:2]),
                share_of_the_products(folders["transformer"], models["transformer"], texts_of(few)),
            ]
        articles = write_articles(Path(temporary) / "articles", texts_of(tenfold))
        for kind in (one for one in kinds if one != "transformer"):
            rows += quick_ones(kind, predict(folders[kind]), Path(temporary) / "large.jsonl", arguments.many, articles)
        facts.append(against_scikit_learn(texts_of(few)))
        steps = alone(models, few)
    print(f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n")
    print(tabulate(rows, headers=["", "passages", "passages/s", "minutes a million", "peak MB", "first line after s"], floatfmt=".1f", intfmt=","))
    print("\n" + "\n".join(facts) + "\n")
    print(tabulate(steps, headers=["alone, in one process", "passages/s"], floatfmt=",.0f"))


def predict(folder):
    """The command that predicts with a model."""
    return [sys.executable, "-m", "models", "--model", str(folder)]


def beside_peers(transformer, few, tenfold, count):
    """Rows of the transformer and of what else one would use."""
    encoder = encoder_source(DEFAULT_ENCODER)
    commands = (
        ("transformers pipeline", count, [sys.executable, "-c", PIPELINE, encoder, few]),
        ("SetFit predict", count, [sys.executable, "-c", SETFIT, encoder, few]),
        ("predict", count, [*transformer, few]),
        ("predict", 10 * count, [*transformer, tenfold]),
        ("predict --workers 2", 10 * count, [*transformer, "--workers", "2", tenfold]),
        ("predict --engine ray", 10 * count, [*transformer, "--engine", "ray", tenfold]),
    )
    return [[name, *run(command, size)] for name, size, command in commands]


def quick_ones(kind, command, large, many, articles):
    """Rows of a kind that labels a million passages in a minute."""
    rows = []
    for size in sorted({many // 100, many}):
        write(large, size)
        rows.append([f"predict, {kind}", *run([*command, large], size)])
    rows.append([f"predict --workers 2, {kind}", *run([*command, "--workers", "2", large], many)])
    return [*rows, [f"predict, {kind}, of articles", *run([*command, articles])]]


def newest(kind):
    """Run id of the newest model of a kind."""
    runs = trained(kind)
    if not runs:
        raise NewsmarkError(f"no {kind} was trained yet; run: train --config configs/{kind}.yaml")
    return runs[0].info.run_id


def trained(kind):
    """The newest run of a kind, in a list; an empty one where there is none."""
    connect()
    import mlflow

    return mlflow.search_runs(experiment_names=[registered_name()], filter_string=f"params.model = '{kind}'", max_results=1, output_format="list")


def texts_of(path):
    return [json.loads(line)["text"] for line in path.open(encoding="utf-8")]


def share_of_the_products(folder, model, texts):
    """How near the transformer comes to what its 8-bit matrix products alone allow, on all cores: both by turns, for the machine's speed changes."""
    classifier = model.classifier
    sizes = [tensor.dims for tensor in onnx.load(folder / INT8).graph.initializer if tensor.name.endswith("_small")]
    operations = sum(2 * rows * columns for rows, columns in sizes)  # a token
    tokens = sum(len(window.ids) for windows in classifier._tokenise(texts) for window in windows)
    times = tokens // (TOKENS * CORES)  # as many tokens as the texts have, nearly
    with ThreadPoolExecutor(CORES) as pool:
        work = [bare_products(sizes) for _ in range(CORES)]
        rates = [
            (tokens / timed(lambda: in_chunks(classifier.scores, texts)), times * TOKENS * CORES / timed(lambda: list(pool.map(lambda one: one(times), work))))
            for _ in range(6)
        ][1:]  # the first warms up
    shares = sorted(reached / possible for reached, possible in rates)
    reached, possible = (statistics.median(rate) * operations / 1e9 for rate in zip(*rates, strict=True))
    return (
        f"transformer in process: {tokens / len(texts):.0f} tokens a passage, {operations / 1e6:.1f} million 8-bit operations a token; {reached:.0f} billion a "
        f"second where the bare products reach {possible:.0f}: {shares[2]:.0%} of them ({shares[0]:.0%} to {shares[-1]:.0%} in five rounds)"
    )


def bare_products(sizes):
    """What computes, so many times, the products of 8-bit activations of ``TOKENS`` tokens and weights of all sizes in ONNX Runtime, on one core."""
    draw = np.random.default_rng(13)
    options = SessionOptions()
    options.intra_op_num_threads = 1
    sessions = []
    for rows, columns in sizes:
        weights = {"weights": draw.integers(-127, 128, (rows, columns), dtype=np.int8), "scale": np.float32(0.01), "zero": np.uint8(128)}
        scales = {"scales": np.full(columns, 0.01, dtype=np.float32)}
        node = helper.make_node("MatMulIntegerToFloat", ["x", "weights", "scale", "scales", "zero", ""], ["y"], domain="com.microsoft")
        values = [helper.make_tensor_value_info(*one) for one in (("x", TensorProto.UINT8, [TOKENS, rows]), ("y", TensorProto.FLOAT, [TOKENS, columns]))]
        tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights | scales).items()]
        versions = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(helper.make_graph([node], "product", values[:1], values[1:], tensors), opset_imports=versions, ir_version=8)
        session = InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        sessions.append((session, {"x": draw.integers(0, 256, (TOKENS, rows), dtype=np.uint8)}))

    def compute(times):
        for _ in range(times):
            for session, given in sessions:
                session.run(None, given)

    return compute


def in_chunks(call, items):
    """As many at a time as predict takes."""
    return [call(items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]


def alone(models, path):
    """Passages a second of each step."""
    texts, article = texts_of(path), "\n".join(texts_of(path)[:20])
    rows = list(zip(read_rows([str(path)]), label(models["baseline"], [PassageInContext(text) for text in texts], None), strict=False))
    splits = len(split_passages(article, identify_language(article)))

    def labelling(model):
        return len(texts), lambda: in_chunks(lambda some: label(model, [PassageInContext(text) for text in some], None), texts)

    steps = {
        "reading JSONL": (len(texts), lambda: list(with_neighbours(read_rows([str(path)])))),
        "identifying the language and splitting": (50 * splits, lambda: [split_passages(article, identify_language(article)) for _ in range(50)]),
        **{f"labelling, {kind}": labelling(model) for kind, model in models.items()},
        "writing JSONL": (len(texts), lambda: "".join(as_line(*row) for row in rows)),
    }
    words = " ".join(texts).split()
    for length in (10, 30, 100):
        cut = [" ".join(words[start : start + length]) for start in range(0, min(len(words) - length, 200 * length), length)]
        for kind, model in models.items():
            steps[f"labelling, {kind}, {length} words each"] = (len(cut), partial(in_chunks, model.classifier.scores, cut))
    return [[name, count / min(timed(call) for _ in range(3))] for name, (count, call) in steps.items()]


def against_scikit_learn(texts):
    """The baseline against scikit-learn's objects that it was trained with, in this process, on the same texts; the best of three."""
    data = load_labelled(Path("seeds/bootstrap"), load_labels())
    trained = Baseline.fit(data.texts, data.targets, BaselineSettings(), 13, lambda *_: None)

    def predict_proba():
        vectors = trained.features.transform(texts)
        return [regression.predict_proba(vectors) for regression in trained.regressions]

    calls = {"scores": lambda: trained.scores(texts), "predict_proba": predict_proba}
    rates = {name: len(texts) / min(timed(call) for _ in range(3)) for name, call in calls.items()}
    return "baseline in process: " + ", ".join(f"{name} {rate:,.0f} passages/s" for name, rate in rates.items())


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def write(path, count):
    """Passages of the cold-start corpus as long as news sentences are, over and over, each a little different."""
    data = load_labelled(Path("seeds/bootstrap"), load_labels())
    texts = [text for text in data.texts if 60 <= len(text) <= 400]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            stream.write(json.dumps({"text": f"{texts[number % len(texts)]} ({number})"}, ensure_ascii=False) + "\n")
    return path


def write_articles(folder, texts):
    """Articles of ten lines of three texts each."""
    folder.mkdir()
    lines = [" ".join(texts[start : start + 3]) for start in range(0, len(texts), 3)]
    for start in range(0, len(lines), 10):
        (folder / f"{start}.txt").write_text("\n".join(lines[start : start + 10]), encoding="utf-8")
    return folder


def run(command, count=None):
    """Number of passages (checked where given), passages a second over the whole process, minutes a million, peak memory in MB, seconds to the first line."""
    begun = time.perf_counter()
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    first, found, peak = time.perf_counter() - begun, 1, peak_memory(process.pid, 0)
    for found, _ in enumerate(process.stdout, start=2):
        if found % 500 == 0:
            peak = peak_memory(process.pid, peak)
    peak = peak_memory(process.pid, peak)
    if status := process.wait():
        raise RuntimeError(f"{Path(command[0]).name} {str(command[2])[:40]!r} ended with {status}")
    if found != (count or found):
        raise RuntimeError(f"{Path(command[0]).name} {str(command[2])[:40]!r} wrote {found} of {count} rows")
    rate = found / (time.perf_counter() - begun)
    return found, rate, 1e6 / rate / 60, peak, first


def peak_memory(process, before):
    """Megabytes that a process has held at most, or what was known before where it has ended. (What wait4 tells includes the parent's until exec.)"""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text()):
            return int(found.group(1)) / 1000
    return before


if __name__ == "__main__":
    sys.exit(main())
