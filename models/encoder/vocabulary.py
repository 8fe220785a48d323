"""A smaller vocabulary: the word pieces that the languages in use need, instead of a multilingual encoder's quarter of a million."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate
from tokenizers import Tokenizer

from ...annotation.errors import NewsmarkError
from ...annotation.files import atomic_write
from ...annotation.folders import cache_folder

_WORDS = 20_000
"""Commonest words of a language that are read as before."""

_REPORTED_WORDS, _EVERY = 30_000, 10
"""The report looks at every tenth of this number of commonest words."""


def prune(tokenizer: Tokenizer, texts: Iterable[str], languages: Sequence[str], commonest: int = 0) -> tuple[Tokenizer, NDArray[np.intp]] | None:
    """Leave out the pieces that neither the commonest words of some languages nor some texts need, nor are among the commonest of all.

    A word that loses its piece is read in smaller ones: every single character, number and sign stays.

    Args:
        tokenizer: a Unigram tokenizer.
        texts: what must be read as before.
        languages: ISO 639-1; word lists are those of the package ``wordfreq`` (Speer 2022).
        commonest: this number of pieces stay that are most probable to the tokenizer, whatever their language.

    Returns:
        The smaller tokenizer, and the pieces it keeps: its ids' ids in the larger one. None for a tokenizer of another kind than Unigram.

    Raises:
        NewsmarkError: there is no word list of a language.
    """
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    model, added = content["model"], content["added_tokens"]
    if model["type"] != "Unigram" or model.get("byte_fallback"):
        return None
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.no_truncation()
    needed = {model["unk_id"], *(token["id"] for token in added)}
    needed.update(number for number, (piece, _) in enumerate(model["vocab"]) if _is_elementary(piece))
    needed.update(np.argsort([-score for _, score in model["vocab"]], kind="stable")[:commonest].tolist())
    needed.update(_remembered(["needed", whole.to_str(), *languages], lambda: _needed_by(whole, languages)))
    needed.update(_ids(whole, list(texts)))
    kept = sorted(needed)
    new = {old: number for number, old in enumerate(kept)}
    model["vocab"] = [model["vocab"][old] for old in kept if old < len(model["vocab"])]
    model["unk_id"] = new[model["unk_id"]]
    for token in added:
        token["id"] = new[token["id"]]
    for special in (content["post_processor"] or {}).get("special_tokens", {}).values():
        special["ids"] = [new[old] for old in special["ids"]]
    return Tokenizer.from_str(json.dumps(content)), np.array(kept)


def _needed_by(tokenizer: Tokenizer, languages: Sequence[str]) -> list[int]:
    """Pieces of the commonest words of languages, at the beginning of a word, and after a sign."""
    found: set[int] = set()
    for language in languages:
        common = list(_words(language, _WORDS))
        forms = [*common, *(word.capitalize() for word in common)]
        found.update(_ids(tokenizer, forms), _ids(tokenizer, [f"'{word}" for word in forms]))
    return sorted(found)


def _remembered(parts: Sequence[str], make: Callable[[], Any]) -> Any:
    """What was made once of the same parts and word lists: it takes a minute of processor time. A damaged file is made again."""
    key = hashlib.sha256(json.dumps([*parts, version("wordfreq"), _WORDS, _REPORTED_WORDS, _EVERY]).encode()).hexdigest()
    path = cache_folder() / "vocabularies" / f"{key[:32]}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        made = make()
    with atomic_write(path) as stream:
        json.dump(made, stream)
    return made


def report(before: Tokenizer, after: Tokenizer, languages: Sequence[str]) -> str:
    """Say what a smaller vocabulary loses, for each language that there is a word list of."""
    return str(_remembered(["report", before.to_str(), after.to_str(), *languages], lambda: _report(before, after, languages)))


def _report(before: Tokenizer, after: Tokenizer, languages: Sequence[str]) -> str:
    import wordfreq

    rows = []
    for language in sorted(wordfreq.available_languages(), key=lambda name: (name not in languages, name)):
        words = dict(islice(_words(language, _REPORTED_WORDS).items(), 0, None, _EVERY))
        weights = np.array(list(words.values()))
        old, new = (np.array([len(one.ids) for one in tokenizer.encode_batch_fast(list(words), add_special_tokens=False)]) for tokenizer in (before, after))
        same = np.average(old == new, weights=weights)
        lengths = [f"{np.average(one, weights=weights):.2f}" for one in (old, new)]
        rows.append([language, "yes" if language in languages else "", f"{same:.1%}", *lengths])
    headers = ["language", "in use", "words in as many pieces", "pieces per word before", "after"]
    counts = f"{after.get_vocab_size():,} of {before.get_vocab_size():,} word pieces are kept."
    table = tabulate(rows, headers=headers, disable_numparse=True)
    return f"{counts} Words by how often they occur (wordfreq, every tenth of the {_REPORTED_WORDS:,} commonest):\n\n{table}\n"


def _words(language: str, count: int) -> dict[str, float]:
    """A number of the commonest words of a language with their frequencies, commonest first."""
    import wordfreq

    try:
        buckets = wordfreq.get_frequency_list(language)  # words of one frequency each; a dictionary of all of them takes twice as long
    except LookupError:
        known = ", ".join(sorted(wordfreq.available_languages()))
        raise NewsmarkError(f"languages: there is no list of common words of {language!r}; choose among {known}") from None
    return dict(islice(((word, wordfreq.cB_to_freq(-place)) for place, bucket in enumerate(buckets) for word in bucket), count))


def _is_elementary(piece: str) -> bool:
    """Whether a piece is a single character, or holds no letter."""
    return len(piece.replace("▁", "")) <= 1 or not any(character.isalpha() for character in piece)


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> set[int]:
    return {number for one in tokenizer.encode_batch_fast(texts) for number in one.ids}
