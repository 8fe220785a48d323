"""A linear classifier on TF-IDF of words and of characters: what predicts and serves the baseline, without scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from scipy import sparse

from ..calibration import logistic
from ..words import TOKEN, Lists, ends_of, mask_digits, ngrams_of_word

_TERMS, _WEIGHTS = "vocabulary.json", "weights.safetensors"
_MOST_KEPT = 4_000_000
"""Memory for known words, in n-grams and characters (some 50 MB); it is emptied where they are more."""


class Terms(NamedTuple):
    """The n-grams that a classifier knows.

    Attributes:
        terms: n different ones; words are separated by a space. An n-gram of words is known only where what it starts with is.
        idf: inverse document frequency of each: n.
        weights: n × labels.
        known: n × labels, whether a passage that was judged for the label has the n-gram; None where all of them have one.
    """

    terms: list[str]
    idf: NDArray[np.float64]
    weights: NDArray[np.float64]
    known: NDArray[np.bool_] | None = None


class SavedBaseline:
    """Logarithmic odds of labels from n-grams of words and of characters inside words.

    Computes what a union of scikit-learn's vectorizers (sublinear term frequency, l2 norm, the second with ``char_wb``) and one logistic
    regression per label do, several times as fast. Neither a token nor an n-gram of characters crosses white space: so each different word is
    analysed once, from then on it is looked up; only n-grams of words are put together for each text.

    Args:
        words: n-grams of words.
        characters: n-grams of characters.
        intercepts: one per label; infinite for a label that is always or never given.
    """

    def __init__(self, words: Terms, characters: Terms, intercepts: NDArray[np.float64]) -> None:
        self.words, self.characters, self.intercepts = words, characters, intercepts
        self._lexicon = _Lexicon(words, characters)
        self._ngrams = _word_ngrams(words.terms, self._lexicon.tokens_by_name)
        self._lock = Lock()  # threads of a server share this

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        split = [text.split() for text in mask_digits(texts)]
        sizes = np.fromiter(map(len, split), dtype=np.int32, count=len(texts))
        with self._lock:
            numbers = np.fromiter(map(self._lexicon.__getitem__, chain.from_iterable(split)), dtype=np.int32, count=sizes.sum())
            used, places = np.unique(numbers, return_inverse=True)
            columns = self._lexicon.characters.take(used)
            tokens, ends = self._lexicon.tokens.take(numbers)
            self._lexicon.forget()
        in_texts = _counts(places.astype(np.int32), ends_of(sizes), len(used))
        of_words = _counts(*columns, len(self.characters.terms))
        texts_of_tokens = np.repeat(np.repeat(np.arange(len(texts)), sizes), np.diff(ends))
        counts = self._count_words(tokens, texts_of_tokens, len(texts))
        return logistic(_odds(counts, self.words) + _odds(in_texts @ of_words, self.characters) + self.intercepts)

    def _count_words(self, tokens: NDArray[np.int32], texts: NDArray[np.int64], count: int) -> sparse.csr_matrix:
        """Count n-grams of tokens, from their numbers (-1: not known) and the texts they stand in, in reading order."""
        state, columns = tokens.astype(np.int64), [np.where(tokens < 0, -1, self._ngrams[0].columns[tokens])]
        for length, (keys, column) in enumerate(self._ngrams[1:], start=1):
            inside = (state[:-1] >= 0) & (tokens[length:] >= 0) & (texts[:-length] == texts[length:])
            wanted = np.where(inside, state[:-1] * len(self._ngrams[0].keys) + tokens[length:], -1)
            places = np.searchsorted(keys, wanted) % len(keys)
            hits = keys[places] == wanted
            state = np.where(hits, places, -1)
            columns.append(np.where(hits, column[places], -1))
        rows = np.concatenate([texts[: len(one)] for one in columns])
        every = np.concatenate(columns)
        known = every >= 0
        return sparse.csr_matrix((np.ones(known.sum()), (rows[known], every[known])), shape=(count, len(self.words.terms)))

    def save(self, folder: Path) -> None:
        """Write ``vocabulary.json`` and ``weights.safetensors``."""
        parts = {"words": self.words, "characters": self.characters}
        terms = {name: part.terms for name, part in parts.items()}
        (folder / _TERMS).write_text(json.dumps(terms, ensure_ascii=False) + "\n", encoding="utf-8")
        arrays = {f"{name}.{kind}": getattr(part, kind) for name, part in parts.items() for kind in ("idf", "weights", "known")}
        tensors = {name: array for name, array in arrays.items() if array is not None}
        (folder / _WEIGHTS).write_bytes(save(tensors | {"intercepts": self.intercepts}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        terms, tensors = json.loads((folder / _TERMS).read_text(encoding="utf-8")), load_file(folder / _WEIGHTS)
        words, characters = (
            Terms(terms[name], tensors[f"{name}.idf"], tensors[f"{name}.weights"], tensors.get(f"{name}.known")) for name in ("words", "characters")
        )
        for part in (words, characters):
            if not (part.idf.shape, part.weights.shape) == ((len(part.terms),), (len(part.terms), *tensors["intercepts"].shape)):
                raise ValueError("weights that don't fit the vocabulary")
            if part.known is not None and part.known.shape != part.weights.shape:
                raise ValueError("n-grams that don't fit the vocabulary")
        return cls(words, characters, tensors["intercepts"])


class _Lexicon(dict[str, int]):
    """Numbers of the words met, and what is in each: columns of its n-grams of characters, and numbers of its tokens (-1: not known)."""

    def __init__(self, words: Terms, characters: Terms) -> None:
        super().__init__()
        self.tokens_by_name = {token: number for number, token in enumerate(term for term in words.terms if " " not in term)}
        self._columns = {term: column for column, term in enumerate(characters.terms)}
        self._longest = max(map(len, characters.terms))
        self.characters, self.tokens = Lists(), Lists()
        self._kept = 0

    def __missing__(self, word: str) -> int:
        """Analyse a word that is new."""
        lower = word.lower()
        columns = [self._columns[ngram] for ngram in ngrams_of_word(lower, self._longest) if ngram in self._columns]
        tokens = [self.tokens_by_name.get(token, -1) for token in TOKEN.findall(lower)]
        self.characters.append(columns)
        self.tokens.append(tokens)
        self[word] = number = len(self)
        self._kept += len(word) + len(columns) + len(tokens)
        return number

    def forget(self) -> None:
        """Forget all words if they are too many."""
        if self._kept > _MOST_KEPT:
            self.clear()
            self.characters, self.tokens = Lists(), Lists()
            self._kept = 0


class _Ngrams(NamedTuple):
    """Sorted keys to find n-grams of words of one length by, and the column of each.

    The key is the place of what the n-gram starts with among the keys of the length before, times the number of tokens, plus its last
    token's number.
    """

    keys: NDArray[np.int64]
    columns: NDArray[np.int32]


def _word_ngrams(terms: Sequence[str], tokens: dict[str, int]) -> list[_Ngrams]:
    lengths: dict[int, list[tuple[str, int]]] = {}
    for column, term in enumerate(terms):
        lengths.setdefault(term.count(" ") + 1, []).append((term, column))
    places = tokens
    tables = [_Ngrams(np.arange(len(tokens)), np.array([column for _, column in lengths[1]], dtype=np.int32))]
    for length in range(2, max(lengths) + 1):
        parts = (term.rpartition(" ") for term, _ in lengths[length])
        keys = np.array([places[start] * len(tokens) + tokens[last] for start, _, last in parts])
        order = np.argsort(keys)
        if length + 1 in lengths:
            places = {lengths[length][index][0]: place for place, index in enumerate(order.tolist())}
        tables.append(_Ngrams(keys[order], np.array([column for _, column in lengths[length]], dtype=np.int32)[order]))
    return tables


def _odds(counts: sparse.csr_matrix, terms: Terms) -> NDArray[np.float64]:
    """What n-grams add to the logarithmic odds (n × labels), from their counts (n × terms).

    A text has length 1 in the n-grams that a label knows: those that none of its passages had would only make all others count for less.
    """
    values = (1 + np.log(counts.data)) * terms.idf[counts.indices]
    if terms.known is not None:
        lengths = sparse.csr_matrix((values**2, counts.indices, counts.indptr), shape=counts.shape) @ terms.known.astype(np.float64)
        found = sparse.csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape) @ terms.weights
        return np.asarray(found / np.sqrt(np.where(lengths > 0, lengths, 1.0)))
    squares = np.ones(counts.shape[0])
    some = np.diff(counts.indptr) > 0
    squares[some] = np.add.reduceat(values**2, counts.indptr[:-1][some])
    weighted = sparse.csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape) @ terms.weights
    return np.asarray(weighted / np.sqrt(squares)[:, None])


def _counts(columns: NDArray[np.int32], ends: NDArray[np.int32], width: int) -> sparse.csr_matrix:
    """Count what stands in each row, from its columns."""
    return sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(ends) - 1, width))
