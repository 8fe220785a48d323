"""8-bit weights and arithmetic for an ONNX graph."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime import InferenceSession
from onnxruntime.quantization import QuantType, quantize_dynamic

from models.onnx import graph_inputs

_MIGRATION = 0.75
"""How much of the activations' range moves into the weights, 0 to 1; SmoothQuant's alpha."""
_LEAST = 1e-5


def quantize(source: Path, target: Path, passages: Sequence[list[int]]) -> None:
    """Write a graph with 8-bit word embeddings and matrix products (dynamic: activations are scaled as they come; a scale a column).

    A few channels of an encoder's activations are many times larger than the others, which 8 bits then hardly see. So each
    channel is divided by a constant, and the weights that it meets are multiplied by it: the products stay the same, and both
    sides are even enough for 8 bits (SmoothQuant: Xiao et al. 2023, https://arxiv.org/abs/2211.10438).

    Args:
        source: graph of 32 bits.
        target: to write.
        passages: token ids of some hundred passages, to see how large each channel gets; none leaves the graph as it is.
    """
    graph = onnx.load(source)
    if passages:
        _smooth(graph, passages)
    with tempfile.TemporaryDirectory() as temporary:
        smooth = Path(temporary) / "smooth.onnx"
        onnx.save(graph, smooth)
        logging.disable(logging.WARNING)  # it recommends a step that changes nothing here
        try:
            quantize_dynamic(smooth, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gather"])
        finally:
            logging.disable(logging.NOTSET)


def _smooth(model: Any, passages: Sequence[list[int]]) -> None:
    """Even out the channels that matrix products with weights read, in place."""
    graph = model.graph
    uses = Counter(name for node in graph.node for name in node.input)
    weights = {tensor.name: tensor for tensor in graph.initializer if uses[tensor.name] == 1}  # layers that share weights stay as they are
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            readers.setdefault(node.input[0], []).append(node)
    divisions = {}
    for name, largest in _largest(model, list(readers), passages).items():
        tables = [(weights[node.input[1]], numpy_helper.to_array(weights[node.input[1]])) for node in readers[name]]
        heaviest = np.max([np.abs(table).max(axis=1) for _, table in tables], axis=0)
        scale = np.maximum(largest, _LEAST) ** _MIGRATION / np.maximum(heaviest, _LEAST) ** (1 - _MIGRATION)
        for tensor, table in tables:
            tensor.CopyFrom(numpy_helper.from_array((table * scale[:, None]).astype(table.dtype), tensor.name))
        graph.initializer.append(numpy_helper.from_array((1 / scale).astype(np.float32), f"{name}_evener"))
        divisions[name] = helper.make_node("Mul", [name, f"{name}_evener"], [f"{name}_even"])
    nodes = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            name = node.input[0]
            nodes += [divisions.pop(name)] if name in divisions else []  # once, before the first that reads it
            node.input[0] = f"{name}_even"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _largest(model: Any, names: Sequence[str], passages: Sequence[list[int]]) -> dict[str, NDArray[np.float32]]:
    """Largest absolute value of each channel of some tensors, over passages."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for name in names:
        watched.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, NDArray[np.float32]] = {}
    for ids in passages:
        for name, value in zip(names, session.run(list(names), graph_inputs(ids)), strict=True):
            largest = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            found[name] = np.maximum(found.get(name, largest), largest)
    return found
