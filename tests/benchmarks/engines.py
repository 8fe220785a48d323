"""A model's graphs in ONNX Runtime and in OpenVINO, by turns, on passages of the corpus: rate, and how many decisions differ from those of 32 bits.

OpenVINO and NNCF, which turns a graph of 32 bits into one of 8, are no part of newsmark: ``pip install openvino nncf``, in an environment of their own where
their requirements differ. Each engine computes the same batches, of passages of one length, on all cores.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from newsmark.annotation.commandline import run_command
from newsmark.annotation.labels import load_labels
from newsmark.models.classifier import CORES
from newsmark.models.store import find_folder
from newsmark.models.transformer.reader import FLOAT, INT8, PROBABILITIES, GraphSettings, SavedTransformer, _batches
from newsmark.training.labelled import load_labelled
from tabulate import tabulate

PASSAGES, ROUNDS, CALIBRATION = 2_000, 3, 300


def in_onnxruntime(classifier, tokens, labels):
    """What computes the probabilities of all passages as ``predict`` does."""

    def compute():
        found = np.empty((len(tokens), labels))
        for batch, probabilities in classifier._run_in_batches(tokens, PROBABILITIES):
            found[batch] = probabilities
        return found

    return compute


def in_openvino(model, batches, tokens, labels, **settings):
    """What computes the probabilities of all passages in OpenVINO."""
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": CORES, "NUM_STREAMS": CORES, **settings})

    def compute():
        found, queue = np.empty((len(tokens), labels)), openvino.AsyncInferQueue(compiled, 2 * CORES)
        queue.set_callback(lambda request, batch: found.__setitem__(batch, request.get_tensor("probabilities").data))
        for batch in batches:
            queue.start_async({"input_ids": np.array([tokens[index] for index in batch], dtype=np.int64)}, batch)
        queue.wait_all()
        return found

    return compute


def measure(arguments):
    """Print the table."""
    import nncf
    import openvino

    folder = find_folder(arguments.model)
    data = load_labelled(Path("seeds/bootstrap"), load_labels())
    drawn = np.random.default_rng(13).choice([row for row, text in enumerate(data.texts) if 60 <= len(text) <= 400], PASSAGES, replace=False)
    texts = [data.texts[row] for row in drawn]
    small, large = (SavedTransformer(folder, GraphSettings(192, graph)) for graph in (INT8, FLOAT))
    tokens = [one.ids for parts in small._tokenise(texts) for one in parts]
    batches, exact = _batches(tokens, CORES), large.scores(texts)
    labels = exact.shape[1]
    model = openvino.Core().read_model(folder / FLOAT)
    samples = nncf.Dataset([np.array([ids], dtype=np.int64) for ids in tokens[:CALIBRATION]], lambda ids: {"input_ids": ids})
    engines = {
        "ONNX Runtime, 8 bits": in_onnxruntime(small, tokens, labels),
        "ONNX Runtime, 32 bits": in_onnxruntime(large, tokens, labels),
        "OpenVINO, 32 bits": in_openvino(model, batches, tokens, labels, INFERENCE_PRECISION_HINT="f32"),
        "OpenVINO, bfloat16": in_openvino(model, batches, tokens, labels, INFERENCE_PRECISION_HINT="bf16"),
        "OpenVINO, 8 bits by NNCF": in_openvino(nncf.quantize(model, samples, model_type=nncf.ModelType.TRANSFORMER), batches, tokens, labels),
    }
    rates, differ = {name: [] for name in engines}, {}
    for number in range(ROUNDS + 1):
        for name, compute in engines.items():
            begun = time.perf_counter()
            found = compute()
            if number:  # the first round warms up
                rates[name].append(PASSAGES / (time.perf_counter() - begun))
            differ[name] = ((found > 0.5) != (exact > 0.5)).mean()
    rows = [[name, f"{statistics.median(some):.0f}", f"{min(some):.0f}–{max(some):.0f}", f"{differ[name]:.2%}"] for name, some in rates.items()]
    print(f"{PASSAGES} passages of {np.mean([len(ids) for ids in tokens]):.0f} tokens, {CORES} cores, OpenVINO {openvino.__version__}")
    print(tabulate(rows, headers=["engine", "passages/s", "least and most", "decisions that differ"], disable_numparse=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="newest", help="folder, run id or MLflow URI of a transformer (default: %(default)s)")
    raise SystemExit(run_command("engines", False, lambda: measure(parser.parse_args())))
