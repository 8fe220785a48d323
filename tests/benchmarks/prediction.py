"""``predict`` against a twenty-line script with the transformers pipeline, as whole processes, on the same passages.

The pipeline runs the same encoder with a linear layer on top (untrained: it computes what a fine-tuned one would). Prints passages a second from start
to end, peak memory, and the time to the first line; and how memory grows with ten times the passages.
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
from models.encoder import DEFAULT_ENCODER, encoder_source
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
    parser.add_argument("--model", help="run id, MLflow URI or folder (default: the newest)")
    parser.add_argument("--passages", type=int, default=2000, help="how many (default: %(default)s)")
    arguments = parser.parse_args()
    return run_command("prediction", False, lambda: bench(arguments.model, arguments.passages))


def bench(model, count):
    with tempfile.TemporaryDirectory() as temporary:
        few, many = (write(Path(temporary) / f"{name}.jsonl", size) for name, size in (("few", count), ("many", 10 * count)))
        predict = [sys.executable, "-m", "models", *(["--model", model] if model else [])]
        rows = [
            ["transformers pipeline", count, *run([sys.executable, "-c", PIPELINE, encoder_source(DEFAULT_ENCODER), str(few)], count)],
            ["predict", count, *run([*predict, str(few)], count)],
            ["predict", 10 * count, *run([*predict, str(many)], 10 * count)],
        ]
    print(f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n")
    print(tabulate(rows, headers=["", "passages", "passages/s", "peak MB", "first line after s"], floatfmt=".1f"))
    print(f"\npredict over pipeline: {rows[1][2] / rows[0][2]:.1f} times the rate, {rows[1][3] / rows[0][3]:.2f} of the memory")


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
