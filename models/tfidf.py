"""TF-IDF features of many texts: the numbers of scikit-learn's vectorizers, several times as fast."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import normalize

_MOST_KEPT = 4_000_000
"""Memory for known words, in n-grams and characters (some 50 MB); it is emptied where they are more."""


class WordwiseTfidf:
    """What a union of a fitted word vectorizer and a fitted ``char_wb`` vectorizer computes, word by word.

    Neither a token nor an n-gram of characters crosses white space. So the vectorizers analyse each different word once, from
    then on it is looked up; only n-grams of tokens are put together for each text.

    Args:
        union: both vectorizers, with sublinear term frequency and l2 norm; every n-gram of words starts with one that is known.
    """

    def __init__(self, union: FeatureUnion) -> None:
        (_, self._words), (_, self._characters) = union.transformer_list
        self._lexicon = _Lexicon(self._words, self._characters)
        self._ngrams = _word_ngrams(self._words.vocabulary_, self._lexicon.token_numbers)
        self._lock = Lock()  # threads of a server share this

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Features of n texts: n × columns, those of the words first."""
        split = [text.split() for text in texts]
        with self._lock:
            numbers = np.fromiter(map(self._lexicon.__getitem__, chain.from_iterable(split)), dtype=np.int32)
            used, places = np.unique(numbers, return_inverse=True)
            columns = [self._lexicon.columns[number] for number in used]
            tokens = [self._lexicon.tokens[number] for number in numbers]
            self._lexicon.forget()
        of_words = _rows([np.empty(0, np.int32), *columns], len(self._characters.vocabulary_))[1:]
        in_texts = sparse.csr_matrix((np.ones(len(numbers)), places, _ends([len(words) for words in split])), shape=(len(texts), len(used)))
        sizes = np.fromiter(map(len, tokens), dtype=np.int32, count=len(tokens))
        texts_of_tokens = np.repeat(np.repeat(np.arange(len(texts)), [len(words) for words in split]), sizes)
        found = self._count_words(np.concatenate([np.empty(0, np.int32), *tokens]), texts_of_tokens, len(texts))
        return sparse.hstack([_weighted(found, self._words), _weighted(in_texts @ of_words, self._characters)], format="csr")

    def _count_words(self, tokens: NDArray[np.int32], texts: NDArray[np.int32], count: int) -> sparse.csr_matrix:
        """Count n-grams of tokens, from their numbers (-1: not known) and the texts they stand in, in reading order."""
        width = len(self._lexicon.token_numbers)
        state, columns = tokens, [np.where(tokens < 0, -1, self._ngrams[0][1][tokens])]
        for length, (keys, column) in enumerate(self._ngrams[1:], start=1):
            inside = (state[:-1] >= 0) & (tokens[length:] >= 0) & (texts[:-length] == texts[length:])
            wanted = np.where(inside, state[:-1] * width + tokens[length:], -1)
            places = np.searchsorted(keys, wanted) % len(keys)
            hits = keys[places] == wanted
            state = np.where(hits, places, -1)
            columns.append(np.where(hits, column[places], -1))
        rows = np.concatenate([texts[: len(one)] for one in columns])
        every = np.concatenate(columns)
        known = every >= 0
        shape = (count, len(self._words.vocabulary_))
        return sparse.csr_matrix((np.ones(known.sum()), (rows[known], every[known])), shape=shape)


class _Lexicon(dict[str, int]):
    """Numbers of the words met, each with what the vectorizers find in it: columns of character n-grams, and numbers of tokens."""

    def __init__(self, words: TfidfVectorizer, characters: TfidfVectorizer) -> None:
        super().__init__()
        self._preprocess, self._tokenize = words.build_preprocessor(), words.build_tokenizer()
        self._analyze, self._columns = characters.build_analyzer(), characters.vocabulary_
        self.token_numbers = {token: number for number, token in enumerate(term for term in words.vocabulary_ if " " not in term)}
        self.columns: list[NDArray[np.int32]] = []
        self.tokens: list[NDArray[np.int32]] = []
        self._kept = 0

    def __missing__(self, word: str) -> int:
        """Analyse a word that is new."""
        known = self._columns
        columns = np.array([known[ngram] for ngram in self._analyze(word) if ngram in known], dtype=np.int32)
        tokens = np.array([self.token_numbers.get(token, -1) for token in self._tokenize(self._preprocess(word))], dtype=np.int32)
        self[word] = number = len(self.columns)
        self.columns.append(columns)
        self.tokens.append(tokens)
        self._kept += len(word) + len(columns) + len(tokens)
        return number

    def forget(self) -> None:
        """Forget all words if they are too many."""
        if self._kept > _MOST_KEPT:
            self.clear()
            self.columns.clear()
            self.tokens.clear()
            self._kept = 0


def _word_ngrams(vocabulary: dict[str, int], tokens: dict[str, int]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Tables to find n-grams of words by: for each length sorted keys, and the columns of these.

    The key of an n-gram is the place of what it starts with among the keys of the length before, times the number of tokens, plus
    its last token's number.
    """
    lengths: dict[int, list[str]] = {}
    for term in vocabulary:
        lengths.setdefault(term.count(" ") + 1, []).append(term)
    places = tokens
    tables: list[tuple[NDArray[Any], NDArray[Any]]] = [(np.arange(len(tokens)), np.array([vocabulary[token] for token in tokens]))]
    for length in range(2, max(lengths) + 1):
        terms = lengths[length]
        parts = (term.rpartition(" ") for term in terms)
        keys = np.array([places[start] * len(tokens) + tokens[last] for start, _, last in parts])
        order = np.argsort(keys)
        places = {terms[index]: place for place, index in enumerate(order)}
        tables.append((keys[order], np.array([vocabulary[term] for term in terms])[order]))
    return tables


def _weighted(counts: sparse.csr_matrix, vectorizer: TfidfVectorizer) -> sparse.csr_matrix:
    """Turn counts into TF-IDF."""
    counts.data = (1 + np.log(counts.data)) * vectorizer.idf_[counts.indices]
    return normalize(counts, copy=False)


def _rows(parts: Sequence[NDArray[np.int32]], columns: int) -> sparse.csr_matrix:
    indices = np.concatenate(parts)
    return sparse.csr_matrix((np.ones(len(indices)), indices, _ends([len(part) for part in parts])), shape=(len(parts), columns))


def _ends(sizes: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int32)])
