"""The static model as it is saved: what predicts and serves it, with NumPy and a tokenizer alone.

What a passage says is looked for in windows of three word pieces. A filter's answer to a window is the sum of three numbers, one for each piece
and place: so they are computed once, for all pieces, and predicting is looking them up, adding, and taking the greatest and the mean of each
passage (a convolution over words: Kim 2014, https://arxiv.org/abs/1408.5882). The numbers are 8-bit and their sums exact, so that a passage's
scores are the same to the last digit whatever stands beside it.

Beside that, what words are spelled like counts: n-grams of their characters, and the words, each with a weight for each label, as in TF-IDF; and
their form: digits, capitals, quotation marks. What a word adds is computed once, too.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from tokenizers import Tokenizer

from ..calibration import logistic
from ..classifier import CORES
from ..words import TOKEN, Lists, ends_of, mask_digits, ngrams_of_word

BORDER = 0
"""The piece before and after each passage; those of the tokenizer follow, their numbers raised by one."""

WINDOW = 3
"""Pieces that a filter sees at once."""

_TOKENIZER, _WEIGHTS = "tokenizer.json", "weights.safetensors"
_BLOCK = 4000
"""Pieces computed at once: as many as a processor's cache holds."""

_LONGEST = 4
"""Longest n-gram of characters."""

_QUOTATION, _SIGNS = frozenset("«»“”„\"‘’'「」『』《》"), "?!%:|"
_OPENING, _CLOSING, _STOPS = _QUOTATION | frozenset("–—-•"), _QUOTATION, frozenset(".!?…。")
_MARKS = 5 + 1 + len(_SIGNS) + 3
"""Numbers that say what form a word has (see ``_marks``)."""

FORMS = 5 + 2 + len(_SIGNS) + 3
"""Numbers that say what form a passage has (see ``_forms``)."""

_SHORTEST = 1e-9
"""Square of the length of a passage that has no known n-gram."""

_MOST_KEPT = 4_000_000
"""Memory for known words, in pieces and characters (some 100 MB); it is emptied where they are more."""


class SavedStatic:
    """Logarithmic odds of labels from windows of word pieces.

    Args:
        tokenizer: of words; it adds nothing to them.
        answers: what each piece adds to each filter at each place of a window: 3 × pieces × filters.
        bias: added to each filter's sum: filters.
        weights: 2 · filters + FORMS × labels: of the filters' greatest answers, of their mean ones, and of the passage's form.
        spelling: what each bucket of n-grams adds to each label, and to the square of a passage's length: buckets × labels + 1.
        intercepts: one per label; infinite for a label that is always or never given.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        answers: NDArray[np.int8],
        bias: NDArray[np.int16],
        weights: NDArray[np.float64],
        spelling: NDArray[np.float16],
        intercepts: NDArray[np.float64],
    ) -> None:
        filters, labels = len(bias), len(intercepts)
        fitting = (WINDOW, filters, (2 * filters + FORMS, labels), labels + 1)
        if (len(answers), answers.shape[2], weights.shape, spelling.shape[1]) != fitting or answers.shape[1] <= tokenizer.get_vocab_size():
            raise ValueError("weights that don't fit the vocabulary")
        self.tokenizer, self.answers, self.bias, self.weights, self.spelling, self.intercepts = tokenizer, answers, bias, weights, spelling, intercepts
        self._words = Words(tokenizer, spelling)
        self._workers = ThreadPoolExecutor(CORES)

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each label for each passage; see ``Classifier.scores``."""
        pieces, ends, spelled, forms = self._words.of(texts)
        greatest, means = np.empty((len(texts), len(self.bias))), np.empty((len(texts), len(self.bias)))

        def answer(passages: slice) -> None:
            rows = slice(ends[passages.start], ends[passages.stop] + 2)
            starts = ends[passages.start : passages.stop] - rows.start
            found = self._answer(pieces[rows])
            found[ends[passages.start + 1 : passages.stop + 1] - rows.start - 1] = 0  # windows whose middle is a border
            greatest[passages] = np.maximum.reduceat(found, starts)
            means[passages] = np.add.reduceat(found, starts, dtype=np.int32)

        blocks = list(_blocks(ends))
        for _ in self._workers.map(answer, blocks) if min(len(blocks), CORES) > 1 else map(answer, blocks):
            pass
        means /= np.maximum(np.diff(ends) - 1, 1)[:, None]
        features = np.concatenate([greatest, means, forms], axis=1)
        # not a product of matrices, which would round one row otherwise beside others
        found = np.einsum("nf,fl->nl", features, self.weights, optimize=False)
        return logistic(found + spelled[:, :-1] / np.sqrt(np.maximum(spelled[:, -1:], _SHORTEST)) + self.intercepts)

    def _answer(self, pieces: NDArray[np.int32]) -> NDArray[np.int16]:
        """Positive answers of the filters to each window: n - 2 × filters, from n pieces."""
        first, middle, last = self.answers
        found: NDArray[np.int16] = np.add(first.take(pieces[:-2], axis=0), middle.take(pieces[1:-1], axis=0), dtype=np.int16)
        found += last.take(pieces[2:], axis=0)
        found += self.bias
        np.maximum(found, 0, out=found)
        return found

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``weights.safetensors``."""
        self.tokenizer.save(str(folder / _TOKENIZER))
        tensors = {"answers": self.answers, "bias": self.bias, "weights": self.weights, "spelling": self.spelling, "intercepts": self.intercepts}
        (folder / _WEIGHTS).write_bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        return cls(Tokenizer.from_file(str(folder / _TOKENIZER)), **load_file(folder / _WEIGHTS))


class CutTexts(NamedTuple):
    """What n texts are made of.

    Attributes:
        pieces: of all texts, one after another, with a border before each and two after the last one.
        ends: places of these borders but for the last: n + 1.
        spelled: sum of what the n-grams of each text's words add: n × values.
        forms: of each text (see ``_forms``): n × FORMS.
    """

    pieces: NDArray[np.int32]
    ends: NDArray[np.int32]
    spelled: NDArray[np.float64]
    forms: NDArray[np.float64]


class Words(dict[str, int]):
    """Numbers of the words met, and what is known of each: its pieces, what its n-grams add, and its form.

    Neither crosses white space: so each different word is analysed once, from then on it is looked up.

    Args:
        tokenizer: cuts words into pieces.
        spelling: what each bucket of n-grams adds: buckets × values.
    """

    def __init__(self, tokenizer: Tokenizer, spelling: NDArray[np.float16]) -> None:
        super().__init__()
        self._tokenizer, self._spelling = tokenizer, spelling
        self._width = spelling.shape[1] + _MARKS
        self._lock = Lock()  # threads of a server share this
        self._new: list[str] = []
        self._forget()

    def __missing__(self, word: str) -> int:
        """Give a word that is new the next number; it is analysed later, together with other new ones."""
        self[word] = number = len(self)
        self._new.append(word)
        return number

    def of(self, texts: Sequence[str]) -> CutTexts:
        """Take texts apart."""
        split = [text.split() for text in mask_digits(texts)]
        sizes = np.fromiter(map(len, split), dtype=np.int32, count=len(texts))
        with self._lock:
            words = np.fromiter(map(self.__getitem__, chain.from_iterable(split)), dtype=np.int32, count=sizes.sum())
            self._analyse()
            pieces, ends = self._pieces.take(words)
            added = np.frombuffer(self._added).reshape(len(self) + 1, -1)[np.append(words + 1, 0)]
            if self._kept > _MOST_KEPT:
                self._forget()
        places = ends_of(sizes)
        some = sizes > 0
        sums = np.zeros((len(texts), added.shape[1]))
        if some.any():
            sums[some] = np.add.reduceat(added[:-1], places[:-1][some])
        spelled, marks = np.split(sums, [self._spelling.shape[1]], axis=1)
        edges = [np.where(some[:, None], added[place, -_MARKS:], 0.0) for place in (places[:-1], places[1:] - 1)]
        borders = ends[places]
        forms = _forms(marks, *edges)
        return CutTexts(np.append(np.insert(pieces, borders, BORDER), np.int32(BORDER)), borders + np.arange(len(borders), dtype=np.int32), spelled, forms)

    def _analyse(self) -> None:
        for word, found in zip(self._new, self._tokenizer.encode_batch_fast(self._new), strict=True):
            self._pieces.append([number + 1 for number in found.ids])
            buckets = buckets_of(word, len(self._spelling))
            self._added.frombytes(self._spelling[buckets].sum(axis=0, dtype=np.float64).tobytes())
            self._added.extend(_marks(word))
            self._kept += len(word) + len(found.ids) + self._width
        self._new.clear()

    def _forget(self) -> None:
        self.clear()
        self._pieces, self._added = Lists(), array("d", bytes(8 * self._width))  # zeros first, for what is no word
        self._kept = 0


def buckets_of(word: str, count: int) -> list[int]:
    """Buckets, of this number, of a word's n-grams of characters and of the words in it, which signs may separate: CRC-32 chooses them."""
    lower = word.lower()
    ngrams = chain(ngrams_of_word(lower, _LONGEST), (f"\0{token}" for token in TOKEN.findall(lower)))
    return [crc32(ngram.encode(errors="surrogatepass")) % count for ngram in ngrams]


def _marks(word: str) -> tuple[float, ...]:
    """Form of a word: 1, its characters, digits and capitals; whether it begins with a capital; which signs it has; how it begins and ends."""
    signs = (not _QUOTATION.isdisjoint(word), *(sign in word for sign in _SIGNS))
    edges = (word[0] in _OPENING, word[-1] in _CLOSING, word[-1] in _STOPS)
    return 1.0, len(word), sum(map(str.isdigit, word)), sum(map(str.isupper, word)), word[0].isupper(), *signs, *edges


def _forms(marks: NDArray[np.float64], first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Form of n texts (n × FORMS), from the sums of their words' marks, and the marks of the first and the last word of each.

    The logarithms of the numbers of words and characters; the shares of digits, capitals, and words with a capital; whether there are digits,
    quotation marks and other signs; whether the text begins or ends with a quotation mark, and ends as sentences do.
    """
    words, characters = (np.maximum(column, 1.0) for column in marks.T[:2])
    shares = [marks[:, 2] / characters, marks[:, 3] / characters, marks[:, 4] / words]
    some = (marks[:, [2, *range(5, _MARKS - 3)]] > 0).astype(np.float64)
    return np.column_stack([np.log1p(marks[:, :2]), *shares, some, first[:, -3], last[:, -2:]])


def bare(tokenizer: Tokenizer) -> Tokenizer:
    """A tokenizer that adds, cuts off and recognises nothing special: "</s>" in a text is text."""
    content = json.loads(tokenizer.to_str())
    return Tokenizer.from_str(json.dumps(content | {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}))


def _blocks(ends: NDArray[np.int32]) -> Iterator[slice]:
    """Passages that are computed together, from the places of the borders."""
    start = 0
    while start < len(ends) - 1:
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + _BLOCK)))
        yield slice(start, min(stop, len(ends) - 1))
        start = stop
