"""The fine-tuned transformer as an ONNX graph: what predicts and serves, without PyTorch."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ...annotation.errors import NewsmarkError
from ..classifier import CORES, TokenVectors

INT8, FLOAT = "model.int8.onnx", "model.onnx"
"""The graphs of a model folder: weights and arithmetic in 8 bits, and the same in 32."""

PROBABILITIES, VECTORS, TOKENS = "probabilities", "vectors", "tokens"
"""What a graph computes of each passage: probabilities of the labels, the passage's vector, and a vector of each of its tokens."""

_SETTINGS, _TOKENIZER = "settings.json", "tokenizer.json"
LONGEST = 50_000
"""Characters of a passage that are read: some 8,000 words, five times as many as a passage of an article can have."""

_OVERLAP = 4
"""Neighbouring windows share this part of their tokens (one in four), so that what is no longer than that is whole in one of them."""

_BATCH_TOKENS = 512
"""Tokens computed at once at most: more are not computed faster."""

_MANY = 16
"""Texts from which on several threads tokenise: waking them for fewer takes longer."""


@dataclass(frozen=True)
class GraphSettings:
    """How a graph is used.

    Attributes:
        max_tokens: a passage of more tokens than this is read in windows of this number.
        graph: name of the graph that answers.
    """

    max_tokens: int
    graph: str = INT8


class SavedTransformer:
    """A fine-tuned encoder as an ONNX graph, with its tokenizer.

    Passages of as many tokens are computed together, and several such batches at the same time; nothing is padded. No operator of the
    graph mixes passages or rounds one otherwise beside others, so that an interrupted run equals a whole one to the last digit.

    A long passage is read in windows, which are computed as passages are. It has a label as soon as a part of it has: its probability is
    that of the window where it is highest. Its vector is the mean of theirs.
    """

    def __init__(self, folder: Path, settings: GraphSettings) -> None:
        self.settings = settings
        self._folder = folder
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(settings.max_tokens, stride=settings.max_tokens // _OVERLAP)
        self._special = [token.content for token in self._tokenizer.get_added_tokens_decoder().values() if token.special]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(folder / settings.graph), options, providers=["CPUExecutionProvider"])
        self._sizes = {output.name: int(output.shape[-1]) for output in self._session.get_outputs()}
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True  # the tokens' vectors need half of the layers
        self._workers = ThreadPoolExecutor(CORES)
        self._callers, self._lock = 0, threading.Lock()
        self._free = threading.Semaphore(CORES)

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        found, starts = self._compute(texts, PROBABILITIES)
        return np.maximum.reduceat(found, starts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Standardised mean of each text's token vectors; see ``classifier.Embeds``.

        Raises:
            NewsmarkError: a former version wrote the graph, which does not give them.
        """
        self._needs(VECTORS, "no vectors")
        found, starts = self._compute(texts, VECTORS)
        return np.asarray(np.add.reduceat(found, starts) / np.diff(starts, append=len(found))[:, None])

    def _compute(self, texts: Sequence[str], output: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Compute one of the graph's outputs for each window (windows × its size), and say with which window each text begins."""
        windows = self._tokenise(texts)
        tokens = [one.ids for parts in windows for one in parts]
        result = np.empty((len(tokens), self._sizes[output]))
        for batch, found in self._run_in_batches(tokens, output):
            result[batch] = found
        return result, np.cumsum([0, *map(len, windows)], dtype=np.intp)[:-1]

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Vectors of the tokens of each text, as half of the encoder's layers leave them; see ``classifier.EmbedsTokens``.

        Raises:
            NewsmarkError: a former version wrote the graph, which does not give them.
        """
        self._needs(TOKENS, "no vectors of tokens")
        windows = self._tokenise(texts, offsets=True)
        flat = [one for parts in windows for one in parts]
        vectors: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(flat)
        for batch, found in self._run_in_batches([one.ids for one in flat], TOKENS):
            for index, one in zip(batch, found, strict=True):
                vectors[index] = one
        rows = iter(vectors)
        return [self._joined([(one, next(rows)) for one in parts]) for parts in windows]

    def _joined(self, windows: Sequence[tuple[Encoding, NDArray[np.float32]]]) -> TokenVectors:
        """The tokens of a text, each from the window that it stands further inside of."""
        overlap, places, vectors = self.settings.max_tokens // _OVERLAP, [], []
        for number, (window, found) in enumerate(windows):
            own = np.flatnonzero(np.array(window.special_tokens_mask) == 0)
            own = own[overlap // 2 if number else 0 : len(own) if number + 1 == len(windows) else len(own) - (overlap - overlap // 2)]
            places.append(np.array(window.offsets, dtype=np.intp).reshape(-1, 2)[own])
            vectors.append(found[own])
        return TokenVectors(np.concatenate(places), np.concatenate(vectors))

    def _run_in_batches(self, tokens: Sequence[list[int]], output: str) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Compute one of the graph's outputs; gives the numbers of the windows of each batch with what is computed of them."""
        with self._sharing() as cores:
            batches = _batches(tokens, cores)
            several = self._workers.map if cores > 1 and len(batches) > 1 else map
            yield from zip(batches, several(self._run, ([tokens[index] for index in batch] for batch in batches), repeat(output)), strict=True)

    def _needs(self, output: str, lack: str) -> None:
        if output not in self._sizes:
            raise NewsmarkError(f"{self._folder}: an older newsmark wrote this model, and it makes {lack}; train it again")

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is longer than what is read of it; see ``classifier.ReadsBeginnings``."""
        return [len(text) > LONGEST for text in texts]

    @contextmanager
    def _sharing(self) -> Iterator[int]:
        """Give a caller its share of the cores; callers that are many compute in their own threads, as many at a time as there are cores."""
        with self._lock:
            self._callers += 1
        try:
            yield max(CORES // self._callers, 1)
        finally:
            with self._lock:
                self._callers -= 1

    def _tokenise(self, texts: Sequence[str], offsets: bool = False) -> list[list[Encoding]]:
        """The windows of each passage, with the offsets of their tokens where these are asked for; most passages are one window."""
        clean = [without_special_tokens(text[:LONGEST], self._special) for text in texts]
        together = self._tokenizer.encode_batch if offsets else self._tokenizer.encode_batch_fast
        found = together(clean) if len(clean) >= _MANY else map(self._tokenizer.encode, clean)
        return [[one, *one.overflowing] for one in found]

    def _run(self, tokens: Sequence[list[int]], output: str) -> NDArray[np.float32]:
        """One of the graph's outputs for n windows of one length: n × its size, or n × tokens × its size."""
        with self._free:
            found: NDArray[np.float32] = self._session.run([output], {"input_ids": np.array(tokens, dtype=np.int64)}, self._options)[0]
        return found

    def save(self, folder: Path) -> None:
        """Copy the graphs, the tokenizer and the settings."""
        for name in (INT8, FLOAT, _TOKENIZER):
            shutil.copyfile(self._folder / name, folder / name)
        write_settings(self.settings, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        return cls(folder, GraphSettings(**json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))))


def _batches(tokens: Sequence[list[int]], cores: int) -> list[list[int]]:
    """Indices of the windows that are computed together: of one length, and few enough that each core has some; long ones first."""
    lengths: dict[int, list[int]] = {}
    for index, ids in enumerate(tokens):
        lengths.setdefault(len(ids), []).append(index)
    batches = []
    for length, indices in sorted(lengths.items(), reverse=True):
        size = max(1, min(_BATCH_TOKENS // length, -(-len(indices) // cores)))
        batches += [indices[start : start + size] for start in range(0, len(indices), size)]
    return batches


def write_settings(settings: GraphSettings, folder: Path) -> None:
    """Write a folder's ``settings.json``."""
    (folder / _SETTINGS).write_text(json.dumps(asdict(settings)) + "\n", encoding="utf-8")


def without_special_tokens(text: str, special: Sequence[str]) -> str:
    """Break up what looks like a special token, "</s>" say: the tokenizer would take it for the real one. The text stays as long as it is."""
    for token in special:
        if token in text:
            text = text.replace(token, f"{token[0]} {token[2:]}")
    return text
