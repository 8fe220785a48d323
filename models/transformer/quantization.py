"""8-bit weights and arithmetic for an ONNX graph."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime import InferenceSession
from onnxruntime.quantization import QuantType, quantize_dynamic

_MIGRATION = 0.75
"""How much of the activations' range moves into the weights, 0 to 1; SmoothQuant's alpha."""
_LEAST = 1e-5
_BLOCK = 32  # values of the packaged encoder's word vectors that have a scale in common
_NEAR = 0.01  # of a step: how far a value may be from the one in 4 bits that stands for it


class _Range(NamedTuple):
    """Least and greatest value of each channel of a tensor; 0 lies between them."""

    least: NDArray[np.float32]
    greatest: NDArray[np.float32]


def quantize(source: Path, target: Path, passages: Sequence[list[int]]) -> None:
    """Write a graph with 8-bit matrix products, and word embeddings in 4 bits where these lose nothing, else in 8.

    A few channels of an encoder's activations are many times larger than the others, which 8 bits then hardly see. So each
    channel is divided by a constant, and the weights that it meets are multiplied by it: the products stay the same, and both
    sides are even enough for 8 bits (SmoothQuant: Xiao et al. 2023, https://arxiv.org/abs/2211.10438).

    The scales of the activations are constants too, which saves looking for the largest of each passage.

    Args:
        source: graph of 32 bits, with the input ``input_ids``.
        target: to write.
        passages: token ids of some hundred passages, to see how large each channel gets.
    """
    graph = onnx.load(source)
    _quantize_products(graph, passages)
    _pack_embeddings(graph)
    with tempfile.TemporaryDirectory() as temporary:
        products = Path(temporary) / "products.onnx"
        onnx.save(graph, products)
        logging.disable(logging.WARNING)  # it recommends a step that changes nothing here
        try:
            quantize_dynamic(products, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["Gather"])
        finally:
            logging.disable(logging.NOTSET)


def _pack_embeddings(model: Any) -> None:
    """Keep tables in 4 bits, in place, where these say all: the packaged encoder's word vectors were made so, and mostly stay as they are in training."""
    graph = model.graph
    tables = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    uses = Counter(name for node in graph.node for name in node.input)
    nodes = []
    for node in graph.node:
        name = node.input[0] if node.op_type == "Gather" else ""
        packed = _in_nibbles(numpy_helper.to_array(tables[name])) if name in tables and uses[name] == 1 else None
        if packed is None:
            nodes.append(node)
            continue
        values, scales = packed
        zeros = np.full(-(-scales.size // 2), 0x88, dtype=np.uint8)  # twice the 8 that stands for 0
        inputs = [f"{name}_nibbles", node.input[1], f"{name}_scales", f"{name}_zeros"]
        graph.initializer.remove(tables[name])
        for part, value, shape in ((inputs[0], values, tables[name].dims), (inputs[3], zeros, scales.shape)):
            graph.initializer.append(onnx.TensorProto(name=part, data_type=onnx.TensorProto.UINT4, dims=shape, raw_data=value.tobytes()))
        graph.initializer.append(numpy_helper.from_array(scales, inputs[2]))
        found = f"{node.output[0]}_half"
        nodes.append(helper.make_node("GatherBlockQuantized", inputs, [found], domain="com.microsoft", block_size=_BLOCK, gather_axis=0, quantize_axis=1))
        nodes.append(helper.make_node("Cast", [found], [node.output[0]], to=onnx.TensorProto.FLOAT))
        model.ir_version = max(model.ir_version, 10)  # the first with 4 bits
    del graph.node[:]
    graph.node.extend(nodes)


def _in_nibbles(table: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]] | None:
    """Turn a table (n × width) into steps from -8 to 7 (two in a byte) and scales per block (n × width / 32); None where that would lose something."""
    if table.dtype != np.float32 or table.shape[1] % _BLOCK:
        return None
    blocks = table.reshape(len(table), -1, _BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)
    scales = (largest / -8).astype(np.float16)
    steps = np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales != 0, dtype=np.float32)
    whole = np.round(steps)
    if np.abs(steps - whole).max() > _NEAR or whole.max() > 7 or whole.min() < -8:
        return None
    nibbles = (whole + 8).astype(np.uint8).reshape(table.shape)
    return (nibbles[:, ::2] | nibbles[:, 1::2] << 4).astype(np.uint8), scales[..., 0]


def _quantize_products(model: Any, passages: Sequence[list[int]]) -> None:
    """Replace the products of activations with weights, in place."""
    graph = model.graph
    tables = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
    readers: dict[str, list[Any]] = {}  # of activations
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in tables and tables[node.input[1]].ndim == 2:
            readers.setdefault(node.input[0], []).append(node)
    biases = {}  # of products: the node that adds one, and its name
    for node in graph.node:
        for product, bias in (node.input, reversed(node.input)) if node.op_type == "Add" else ():
            if bias in tables and tables[bias].ndim == 1 and uses[product] == 1:
                biases[product] = node.output[0], bias
    before: dict[str, list[Any]] = {}  # what goes before the product of this name
    instead: dict[str, Any] = {}
    made: dict[str, NDArray[Any]] = {}
    for name, seen in _ranges(model, list(readers), passages).items():
        weights = [node.input[1] for node in readers[name]]
        evener = _evener(seen, [tables[one] for one in weights]) if all(uses[one] == 1 for one in weights) else np.ones_like(seen.least)
        scale, zero = _scale(float((seen.least / evener).min()), float((seen.greatest / evener).max()))
        made |= {f"{name}_evener": 1 / evener, f"{name}_scale": scale, f"{name}_zero": zero}
        before[readers[name][0].output[0]] = [
            helper.make_node("Mul", [name, f"{name}_evener"], [f"{name}_even"]),
            helper.make_node("QuantizeLinear", [f"{name}_even", f"{name}_scale", f"{name}_zero"], [f"{name}_small"]),
        ]
        for node in readers[name]:
            table = tables[node.input[1]] * evener[:, None]
            scales = np.maximum(np.abs(table).max(axis=0) / 127, _LEAST)
            made |= {f"{node.input[1]}_small": np.round(table / scales).astype(np.int8), f"{node.input[1]}_scales": scales}
            output, bias = biases.get(node.output[0], (node.output[0], ""))
            inputs = [f"{name}_small", f"{node.input[1]}_small", f"{name}_scale", f"{node.input[1]}_scales", f"{name}_zero", "", bias]
            instead[node.output[0]] = helper.make_node("MatMulIntegerToFloat", inputs, [output], domain="com.microsoft")
    added = {output for product, (output, _) in biases.items() if product in instead}
    nodes = []
    for node in graph.node:
        if node.output[0] not in added:
            nodes += [*before.get(node.output[0], ()), instead.get(node.output[0], node)]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in made.items())
    read = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _evener(seen: _Range, tables: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What to divide each channel by, from its range and the weights that it meets."""
    largest = np.maximum(-seen.least, seen.greatest)
    heaviest = np.max([np.abs(table).max(axis=1) for table in tables], axis=0)
    return np.asarray(np.maximum(largest, _LEAST) ** _MIGRATION / np.maximum(heaviest, _LEAST) ** (1 - _MIGRATION), dtype=np.float32)


def _scale(least: float, greatest: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Size of a step, and the step that stands for 0, of 256 steps over a range."""
    size = max(greatest - least, _LEAST) / 255
    return np.array(size, dtype=np.float32), np.array(round(-least / size), dtype=np.uint8)


def _ranges(model: Any, names: Sequence[str], passages: Sequence[list[int]]) -> dict[str, _Range]:
    """Range of each channel of some tensors, over passages."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for name in names:
        watched.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, _Range] = {}
    for ids in passages:
        for name, value in zip(names, session.run(list(names), {"input_ids": np.array([ids])}), strict=True):
            channels = value.reshape(-1, value.shape[-1])
            known = found.get(name, _Range(np.zeros_like(channels[0]), np.zeros_like(channels[0])))
            found[name] = _Range(np.minimum(known.least, channels.min(axis=0)), np.maximum(known.greatest, channels.max(axis=0)))
    return found
