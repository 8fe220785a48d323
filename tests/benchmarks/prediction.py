"""``predict`` against a twenty-line script with the transformers pipeline, as whole processes, on the same passages.

The pipeline runs the same encoder with a linear layer on top (untrained: it computes what a fine-tuned one would). Prints passages a second from start
to end, peak memory (of the process itself; workers and Ray's processes have their own), and the time to the first line; how memory grows with ten
times the passages; two processes, and Ray; and with --baseline the same of a baseline, beside scikit-learn's own ``predict_proba``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from annotation.errors import run_command
from annotation.labels import load_labels
from models.classifier import Excerpt, load_model
from models.encoder import DEFAULT_ENCODER, encoder_source
from models.prediction import predict_passages
from models.store import find_folder
from training.dataset import load_labelled

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="run id, MLflow URI or folder of a transformer (default: the newest model)")
    parser.add_argument("--baseline", help="run id, MLflow URI or folder of a baseline, to be measured too")
    parser.add_argument("--passages", type=int, default=2000, help="how many for the transformer (default: %(default)s)")
    parser.add_argument("--many", type=int, default=1_000_000, help="how many at most for the baseline (default: %(default)s)")
    arguments = parser.parse_args()
    return run_command("prediction", False, lambda: bench(arguments))


def bench(arguments):
    count, many = arguments.passages, arguments.many
    predict = [sys.executable, "-m", "models"]
    own = [*predict, *(["--model", arguments.model] if arguments.model else [])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        few, tenfold = write(folder / "few.jsonl", count), write(folder / "tenfold.jsonl", 10 * count)
        rows = [
            ["transformers pipeline", count, *run([sys.executable, "-c", PIPELINE, encoder_source(DEFAULT_ENCODER), str(few)], count)],
            ["predict", count, *run([*own, str(few)], count)],
            ["predict", 10 * count, *run([*own, str(tenfold)], 10 * count)],
            ["predict --workers 2", 10 * count, *run([*own, "--workers", "2", str(tenfold)], 10 * count)],
            ["predict --engine ray", 10 * count, *run([*own, "--engine", "ray", str(tenfold)], 10 * count)],
        ]
        ratios = [f"predict over pipeline: {rows[1][2] / rows[0][2]:.1f} times the rate, {rows[1][3] / rows[0][3]:.2f} of the memory"]
        if arguments.baseline:
            baseline = [*predict, "--model", arguments.baseline]
            for size in sorted({many // 100, many}):
                rows.append(["predict, baseline", size, *run([*baseline, str(write(folder / "baseline.jsonl", size))], size)])
            ratios.append(against_scikit_learn(arguments.baseline, few))
    print(f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n")
    print(tabulate(rows, headers=["", "passages", "passages/s", "peak MB", "first line after s"], floatfmt=".1f"))
    print("\n" + "\n".join(ratios))


def against_scikit_learn(name, path):
    """The loaded baseline against its own pipeline's predict_proba, in this process, on the same texts; the best of three."""
    model = load_model(find_folder(name))
    texts = [json.loads(line)["text"] for line in path.open(encoding="utf-8")]
    calls = {
        "predict_passages": lambda: predict_passages(model, [Excerpt(text) for text in texts]),
        "predict_proba": lambda: model.classifier.pipeline.predict_proba(texts),
    }
    rates = {name: len(texts) / min(timed(call) for _ in range(3)) for name, call in calls.items()}
    return ", ".join(f"{name} {rate:,.0f} passages/s" for name, rate in rates.items())


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


def run(command, count):
    """Passages a second over the whole process, peak memory in MB, seconds to the first line."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    first = time.perf_counter() - begun
    found = 1 + sum(1 for _ in process.stdout)
    _, status, usage = os.wait4(process.pid, 0)
    if status or found != count:
        raise RuntimeError(f"{command[:4]} ended with {status} after {found} of {count} rows")
    return count / (time.perf_counter() - begun), usage.ru_maxrss / 1000, first


if __name__ == "__main__":
    sys.exit(main())
