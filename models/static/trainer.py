"""Training the static model: word vectors, filters over windows of three of them and a linear layer learn together; spelling learns beside them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from ..classifier import ReportMetric
from ..encoder.loading import load_encoder
from ..encoder.vocabulary import prune
from ..words import mask_digits
from .reader import BORDER, FORMS, WINDOW, SavedStatic, Words, bare
from .settings import StaticSettings
from .spelling import learn_spelling

_SIZE = 128  # principal components of the encoder's word vectors that are kept
_PIECES_LEFT_OUT, _FEATURES_LEFT_OUT = 0.1, 0.2  # at random, while training
_WEIGHT_DECAY = 0.01
_LEAST_SCALE = 0.1  # of a form that hardly ever differs
_RATE_OF_VECTORS = 0.25  # of the learning rate: what changes fast leaves behind the vectors of pieces that are in no passage
_LARGEST, _LARGEST_BIAS = 127, 10_000  # answer in 8 bits, and what is added to three of them in 16
_SHARE_OF_SPELLING = 0.4  # of the logarithmic odds
_SORTED = 2048  # passages that are sorted by length before they are cut into batches

np.finfo(np.float32), np.finfo(np.float64)  # NumPy warns where it looks at these after the next line
torch.set_flush_denormal(True)  # numbers below 1e-38 make a CPU several times slower


class Spelling(NamedTuple):
    """What spelling adds (see ``learn_spelling``), and what it was learned from: texts, targets and weights."""

    added: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    learned_from: tuple[list[str], NDArray[np.float32], NDArray[np.float32]]


class Static:
    """A trained static model.

    Args:
        network: what is learned of windows of pieces.
        spelling: what is learned of n-grams.
        tokenizer: of words (see ``bare``).
    """

    def __init__(self, network: _Network, spelling: Spelling, tokenizer: Tokenizer) -> None:
        self.network, self.spelling, self.tokenizer = network.eval(), spelling, tokenizer

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        targets: NDArray[np.float32],
        settings: StaticSettings,
        seed: int,
        report: ReportMetric,
        start: Self | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> Self:
        """Train; see ``Classifier.fit``. Reports ``loss`` after each epoch.

        The word vectors begin as the principal components of the encoder's. Those of pieces that occur in the passages change with
        the rest; the others stay, and are read by the same filters, so that a language that was never trained on is understood as well.
        Going on, the network learns from the further passages, and spelling from all passages together.

        Raises:
            NewsmarkError: the encoder can't be loaded.
        """
        torch.manual_seed(seed)
        if start is None:
            tokenizer, vectors = _word_vectors(settings, texts)
        else:
            tokenizer = start.tokenizer
        pieces, ends, _, forms = Words(tokenizer, np.zeros((1, 1), dtype=np.float16)).of(texts)
        network = _Network(vectors, forms, settings.filters, targets.shape[1]) if start is None else copy.deepcopy(start.network)
        rows = [torch.from_numpy(pieces[first : last + 1].astype(np.int64)) for first, last in pairwise(ends)]
        counts = np.ones(len(texts), dtype=np.float32) if weights is None else weights
        epochs = settings.epochs if start is None else settings.further_epochs
        network.learn(rows, torch.from_numpy(forms).float(), torch.from_numpy(targets), torch.from_numpy(counts), settings, epochs, report)
        known = (list(texts), targets, counts)
        if start is not None:
            before = start.spelling.learned_from
            known = (before[0] + known[0], np.concatenate([before[1], targets]), np.concatenate([before[2], counts]))
        return cls(network, Spelling(*learn_spelling(*known, seed), known), tokenizer)

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        return self._saved.scores(texts)

    def save(self, folder: Path) -> None:
        """Write what ``SavedStatic`` reads."""
        self._saved.save(folder)

    @cached_property
    def _saved(self) -> SavedStatic:
        """The network as tables of 8-bit answers, with one scale per filter."""
        net = self.network
        with torch.inference_mode():
            answers = torch.einsum("fdw,pd->wpf", net.filters.weight, net.vectors.weight).numpy()
            scales = np.maximum(np.abs(answers).max(axis=(0, 1)), 1e-9) / _LARGEST
            bias = np.clip(np.rint(net.filter_bias.double().numpy() / scales), -_LARGEST_BIAS, _LARGEST_BIAS)
            weights, intercepts = net.head.weight.double().numpy().T.copy(), net.head.bias.double().numpy()
        filters = 2 * len(scales)
        weights[:filters] *= np.tile(scales, 2)[:, None]
        weights[filters:] /= net.scale.double().numpy()[:, None]
        intercepts = intercepts - net.center.double().numpy() @ weights[filters:]
        added = self.spelling.added * np.array([*[_SHARE_OF_SPELLING] * len(intercepts), 1.0])
        total = (1 - _SHARE_OF_SPELLING) * intercepts + _SHARE_OF_SPELLING * self.spelling.intercepts + _constants(self.spelling.learned_from[1])
        return SavedStatic(
            self.tokenizer,
            np.rint(answers / scales).astype(np.int8),
            bias.astype(np.int16),
            (1 - _SHARE_OF_SPELLING) * weights,
            added.astype(np.float16),
            total,
        )


class _Network(nn.Module):
    """Word vectors, filters over windows of them, dropout, and a linear layer on each filter's greatest and mean answer and on the passage's form.

    Args:
        vectors: pieces × size; the first is the border's.
        forms: of the passages that are trained on (see ``CutTexts``), to standardise by.
        filters: their number.
        labels: their number.
    """

    center: torch.Tensor
    scale: torch.Tensor

    def __init__(self, vectors: torch.Tensor, forms: NDArray[np.float64], filters: int, labels: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.from_numpy(forms.mean(axis=0)).float())
        self.register_buffer("scale", torch.from_numpy(forms.std(axis=0) + _LEAST_SCALE).float())
        self.vectors = nn.Embedding(len(vectors), vectors.shape[1], sparse=True, _weight=vectors)
        self.filters = nn.Conv1d(vectors.shape[1], filters, WINDOW, bias=False)
        self.filter_bias = nn.Parameter(torch.zeros(filters))
        self.dropout = nn.Dropout(_FEATURES_LEFT_OUT)
        self.head = nn.Linear(2 * filters + FORMS, labels)

    def forward(self, pieces: torch.Tensor, sizes: torch.Tensor, forms: torch.Tensor) -> torch.Tensor:
        """Logits (batch × labels), from pieces (batch × longest + 2, borders before and after), their numbers without borders, and forms."""
        vectors = self.vectors(pieces)
        if self.training:
            vectors = vectors * (torch.rand(pieces.shape) >= _PIECES_LEFT_OUT).unsqueeze(2)
        inside = (torch.arange(pieces.shape[1] - 2) < sizes.unsqueeze(1)).unsqueeze(1)
        found = torch.relu(self.filters(vectors.transpose(1, 2)) + self.filter_bias.unsqueeze(1)) * inside
        means = found.sum(2) / sizes.unsqueeze(1).clamp(min=1)
        logits: torch.Tensor = self.head(self.dropout(torch.cat([found.amax(2), means, (forms - self.center) / self.scale], dim=1)))
        return logits

    def learn(
        self,
        rows: Sequence[torch.Tensor],
        forms: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
        settings: StaticSettings,
        epochs: int,
        report: ReportMetric,
    ) -> None:
        """Train on passages: their pieces with a border before and after, their forms, targets (n × labels) and weights (n)."""
        others = [parameter for parameter in self.parameters() if parameter is not self.vectors.weight]
        optimisers = [torch.optim.AdamW(others, weight_decay=_WEIGHT_DECAY), torch.optim.SparseAdam([self.vectors.weight])]
        judged = ~torch.isnan(targets)
        truth, counts = torch.nan_to_num(targets), judged * weights.unsqueeze(1)
        steps, done = epochs * -(-len(rows) // settings.batch_size), 0
        self.train()
        for epoch in range(1, epochs + 1):
            total = 0.0
            for batch in _batches([len(row) for row in rows], settings.batch_size):
                rate = settings.learning_rate * min(1.0, (done + 1) / (steps * 0.1)) * (1 - done / steps)
                for optimiser, part in zip(optimisers, (1.0, _RATE_OF_VECTORS), strict=True):
                    optimiser.param_groups[0]["lr"] = part * rate
                    optimiser.zero_grad()
                some = [rows[index] for index in batch]
                pieces = nn.utils.rnn.pad_sequence([*some, torch.zeros(WINDOW, dtype=torch.int64)], batch_first=True, padding_value=BORDER)[:-1]
                logits = self(pieces, torch.tensor([len(row) - 2.0 for row in some]), forms[batch])
                loss = nn.functional.binary_cross_entropy_with_logits(logits, truth[batch], weight=counts[batch])
                loss.backward()  # type: ignore[no-untyped-call]
                for optimiser in optimisers:
                    optimiser.step()
                total, done = total + loss.item() * len(batch), done + 1
            report("loss", total / len(rows), epoch)
        self.eval()


def _batches(lengths: Sequence[int], size: int) -> Iterator[torch.Tensor]:
    """Indices of passages in batches, drawn at random, of passages of about the same length."""
    sizes = torch.tensor(lengths)
    batches: list[torch.Tensor] = []
    for part in torch.split(torch.randperm(len(sizes)), _SORTED):
        batches += torch.split(part[sizes[part].argsort()], size)
    for index in torch.randperm(len(batches)).tolist():
        yield batches[index]


def _word_vectors(settings: StaticSettings, texts: Sequence[str]) -> tuple[Tokenizer, torch.Tensor]:
    """The tokenizer, with the pieces that are kept, and their vectors: principal components, with those of the border (zeros) before them."""
    encoder, whole = load_encoder(settings.encoder)
    tokenizer = bare(whole.backend_tokenizer)
    vectors = encoder.get_input_embeddings().weight.data
    pruned = prune(tokenizer, mask_digits(texts), (), settings.pieces)
    tokenizer, kept = pruned or (tokenizer, np.arange(max(tokenizer.get_vocab().values()) + 1))
    own = vectors[torch.from_numpy(kept)].float()
    own -= own.mean(dim=0)
    _, directions = torch.linalg.eigh(own.T @ own)
    found = own @ directions.flip(1)[:, :_SIZE]
    return tokenizer, torch.cat([torch.zeros(1, found.shape[1]), found / found.std()])


def _constants(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Infinity for a label that all passages have which were judged for it, minus infinity for one that none has or nobody judged; else 0."""
    given, refused = (targets > 0).any(axis=0), (targets == 0).any(axis=0)
    return np.where(~given, -np.inf, np.where(refused, 0.0, np.inf))
