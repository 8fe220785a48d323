"""The network of the transformer: the encoder with its head, as it is trained and as it is written as a graph."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...annotation.errors import NewsmarkError
from .settings import TransformerSettings


class MeanPoolingHead(nn.Module):
    """An encoder, the standardised mean of a passage's token vectors, dropout and a linear layer with one logit per label."""

    encoder: Any
    center: torch.Tensor
    scale: torch.Tensor

    def __init__(self, encoder: Any, hidden: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("center", torch.zeros(hidden))
        self.register_buffer("scale", torch.ones(hidden))
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(hidden, labels)

    def pool(
        self, input_ids: torch.Tensor | None = None, attention_mask: torch.Tensor | None = None, inputs_embeds: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Mean of each passage's token vectors (batch × hidden), less the center, over the scale.

        Inputs are batch × tokens; ``inputs_embeds`` (batch × tokens × hidden) stand in place of ``input_ids`` where the encoder is an upper part
        (see ``divide``).
        """
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds).last_hidden_state
        if attention_mask is None:
            mean = hidden.mean(dim=1)
        else:
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        pooled: torch.Tensor = (mean - self.center) / self.scale
        return pooled

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        weights: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute logits (batch × labels), and the loss where targets are given; inputs are those of ``pool``.

        Targets that are NaN were not judged and add nothing; all others count by their passage's weight (batch; default: 1), in whatever batch they are.
        """
        logits = self.head(self.dropout(self.pool(input_ids, attention_mask, inputs_embeds)))
        if labels is None:
            return {"logits": logits}
        counts = (~torch.isnan(labels)).to(logits.dtype)
        if weights is not None:
            counts = counts * weights.unsqueeze(1)
        return {"loss": nn.functional.binary_cross_entropy_with_logits(logits, torch.nan_to_num(labels), weight=counts), "logits": logits}


class Probabilities(nn.Module):
    """The network that is written as a graph: of passages of one length, so that there is no padding to mask.

    The mean and the linear layer are products of one passage's matrices. As the usual operators, ONNX Runtime would round them otherwise
    for one passage than for several.
    """

    def __init__(self, model: MeanPoolingHead) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Probabilities (batch × labels), what they are made from, the standardised means (batch × hidden), and those of the tokens (see ``middle``).

        The input is batch × tokens.
        """
        encoded = self.model.encoder(input_ids=input_ids, output_hidden_states=True)
        hidden = encoded.last_hidden_state
        ones = torch.ones_like(hidden[:, :, :1]).transpose(1, 2)
        mean = torch.matmul(ones, hidden).squeeze(1) / hidden.shape[1]
        pooled = (mean - self.model.center) / self.model.scale
        logits = torch.matmul(self.model.head.weight, pooled.unsqueeze(2)).squeeze(2) + self.model.head.bias
        return torch.sigmoid(logits), pooled, middle(encoded.hidden_states)


def middle(layers: Sequence[torch.Tensor]) -> torch.Tensor:
    """The vectors of the tokens (batch × tokens × hidden) as half of the layers leave them: where words begin and end is lost above.

    Args:
        layers: what goes into the first layer, and what comes out of each.
    """
    return layers[len(layers) // 2]


def lower_half(encoder: Any, **inputs: torch.Tensor) -> torch.Tensor:
    """Compute the ``middle`` vectors of the tokens, without the layers above where these can be told apart."""
    parts = divide(encoder, (encoder.config.num_hidden_layers + 1) // 2)
    found: torch.Tensor = parts[0](**inputs).last_hidden_state if parts else middle(encoder(**inputs, output_hidden_states=True).hidden_states)
    return found


def halve_embeddings(model: Any) -> None:
    """Keep the tables that a graph looks rows up in as float16."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    tables = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in tables:
            table = tables[node.input[0]]
            if table.data_type == TensorProto.FLOAT:
                table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table).astype(np.float16), table.name))
            found = node.output[0]
            node.output[0] = f"{found}_half"
            nodes.append(helper.make_node("Cast", [node.output[0]], [found], to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)


def freeze(encoder: Any, settings: TransformerSettings) -> int:
    """Leave the word embeddings and the lowest layers as they are.

    Returns:
        The number of these layers: ``frozen_layers``, or, of an encoder with fewer layers than that, two thirds of them.

    Raises:
        NewsmarkError: the encoder's layers can't be told apart.
    """
    if settings.freeze_embeddings:
        encoder.get_input_embeddings().requires_grad_(False)
    if not settings.frozen_layers:
        return 0
    parts = [part for part in (getattr(encoder, "encoder", None), getattr(encoder, "transformer", None), encoder) if part is not None]
    layers = next((found for part in parts for name in ("layer", "layers") if (found := getattr(part, name, None)) is not None), None)
    if not layers:
        raise NewsmarkError(f"frozen_layers {settings.frozen_layers}: the layers of this encoder can't be told apart; choose 0")
    frozen = settings.frozen_layers if settings.frozen_layers <= len(layers) else len(layers) * 2 // 3
    for part in (encoder.get_input_embeddings(), getattr(encoder, "embeddings", None), *layers[:frozen]):
        if part is not None:
            part.requires_grad_(False)
    return frozen


class _Given(nn.Module):
    """In place of embeddings: the vectors that are given."""

    def forward(self, inputs_embeds: torch.Tensor, **_: Any) -> torch.Tensor:
        """Return them."""
        return inputs_embeds


def divide(encoder: Any, lowest: int) -> tuple[Any, Any] | None:
    """Divide an encoder above its lowest layers, so that what frozen layers say of a passage need be computed only once.

    Args:
        encoder: of ``transformers``.
        lowest: number of layers of the lower part.

    Returns:
        The lower part, and the upper one, which takes the vectors of the lower one as ``inputs_embeds``; both share the encoder's weights. None
        where its parts can't be told apart.
    """
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    if not lowest or layers is None or not hasattr(encoder, "embeddings"):
        return None
    lower, upper = _shared(encoder), _shared(encoder)
    lower.encoder, upper.encoder = _shared(encoder.encoder), _shared(encoder.encoder)
    lower.encoder.layer, upper.encoder.layer = layers[:lowest], layers[lowest:]
    upper.embeddings = _Given()
    return lower, upper


def _shared(module: Any) -> Any:
    """A module with the same parts, of which others can be put in their place without changing the first."""
    twin = copy.copy(module)
    vars(twin)["_modules"] = dict(vars(module)["_modules"])
    return twin
