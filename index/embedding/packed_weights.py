"""A packed 4-bit file of a multilingual encoder → the same as a sentence-transformers folder.

The file has the numbers of a BERT network four bits each, as llama.cpp's `Q4_0` packs them (blocks
of 32: a scale, then 16 bytes whose lower halves are the first 16 weights and whose upper halves the
others), and the vocabulary of its unigram tokenizer. Nothing of the package that it comes from is
run. What it says of itself is believed only where its SHA-256 has been compared before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embedding.model_folder import Prompts, write_settings

_MAGIC = b"E5S1"
_BLOCK = 32
_BLOCK_BYTES = 18
_PACKED = 1
"""How a packed tensor is marked in the directory; others are float32."""
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_UNKNOWN = 3
# What SentencePiece's `nmt_nfkc` does beyond NFKC.
_NOTHING = r"[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_BLANK = "[\\t\\n\\x0c\\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"


@dataclass(frozen=True, slots=True)
class _Shape:
    """The sizes of the network, as the file's head gives them."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    places: int
    types: int
    epsilon: float


def unpack_weights(packed: Path, folder: Path, prompts: Prompts) -> None:
    """Write what a packed file holds into an empty folder, as sentence-transformers reads it.

    Args:
        packed: a file whose SHA-256 has been compared.
        folder: is there, and empty.
        prompts: what the network was trained to read before a text.

    Raises:
        ValueError: it is no such file.
        OSError: when the disk refuses.
    """
    from safetensors.numpy import save_file

    data = packed.read_bytes()
    shape, pieces, at = _head(data)
    # what four bits told apart needs no more than half precision; it is read as float32
    tensors = {
        name: np.ascontiguousarray(values, np.float16) for name, values in _tensors(data, at, shape)
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    _tokenizer(pieces).save(str(folder / "tokenizer.json"))
    write_settings(folder, _config(shape), prompts)


def _config(shape: _Shape) -> dict[str, Any]:
    """The network as transformers describes it."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "layer_norm_eps": float(f"{shape.epsilon:.3g}"),
        "max_position_embeddings": shape.places,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": _SPECIAL.index("<pad>"),
        "type_vocab_size": shape.types,
        "vocab_size": shape.vocabulary,
    }


def _head(data: bytes) -> tuple[_Shape, list[tuple[str, float]], int]:
    """Sizes, word pieces with their scores, and where the tensors' directory begins.

    Raises:
        ValueError: it is another sort of file.
    """
    form = struct.Struct("<4sI7ifi")
    magic, _, *numbers, epsilon, block = form.unpack_from(data)
    sizes: list[int] = numbers
    if magic != _MAGIC or block != _BLOCK:
        raise ValueError("not a packed encoder")
    at = form.size
    counts = struct.Struct("<5iQ")
    count, *special, length = counts.unpack_from(data, at)
    if tuple(special) != (0, 2, 1, _UNKNOWN):
        raise ValueError("its special pieces are others")
    at += counts.size
    offsets = np.frombuffer(data, "<u4", count + 1, at)
    scores = np.frombuffer(data, "<f4", count, at + offsets.nbytes)
    at += offsets.nbytes + scores.nbytes
    text = data[at : at + length]
    names = [text[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    at += length
    # a table of how characters are changed before they are split: NFKC, see `_tokenizer`
    _, table = struct.unpack_from("<iI", data, at)
    pieces = list(zip(names, map(float, scores), strict=True))
    width, layers, heads, inner, vocabulary, places, types = sizes
    shape = _Shape(width, layers, heads, inner, vocabulary, places, types, epsilon)
    return shape, pieces, at + 8 + table


def _tensors(data: bytes, at: int, shape: _Shape) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each tensor under the name that transformers knows it by."""
    rows = {"emb.word": shape.vocabulary, "emb.pos": shape.places, "emb.type": shape.types}
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode("ascii")
        kind, numbers, offset, _ = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
        if kind == _PACKED:
            values = _unpacked(data, offset, numbers)
        else:
            values = np.frombuffer(data, "<f4", numbers, offset)
        height = rows.get(name)
        if height is None and name.endswith(".w") and not name.endswith("ln.w"):
            height = shape.inner if ".fi." in name else shape.width
        yield _name(name), values if height is None else values.reshape(height, -1)


def _unpacked(data: bytes, offset: int, numbers: int) -> NDArray[np.float32]:
    blocks = numbers // _BLOCK
    rows = np.frombuffer(data, np.uint8, blocks * _BLOCK_BYTES, offset)
    rows = rows.reshape(blocks, _BLOCK_BYTES)
    scales = rows[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.hstack([rows[:, 2:] & 0x0F, rows[:, 2:] >> 4]).astype(np.float32)
    values: NDArray[np.float32] = ((halves - 8) * scales).reshape(-1)
    return values


def _name(short: str) -> str:
    """`encoder.layer.0.attention.self.query.weight` for `l0.q.w`."""
    if short in _EMBEDDINGS:
        return _EMBEDDINGS[short]
    layer, part, kind = short.split(".")
    end = {"w": "weight", "b": "bias"}[kind]
    return f"encoder.layer.{int(layer[1:])}.{_LAYER[part]}.{end}"


def _tokenizer(pieces: list[tuple[str, float]]) -> Any:
    """The unigram tokenizer with these word pieces, as XLM-RoBERTa splits texts."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
    from tokenizers import pre_tokenizers as before
    from tokenizers.processors import TemplateProcessing

    tokenizer: Any = Tokenizer(models.Unigram(pieces, _UNKNOWN, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_NOTHING), ""),
            normalizers.Replace(Regex(_BLANK), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    metaspace = before.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.pre_tokenizer = before.Sequence([before.WhitespaceSplit(), metaspace])
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )  # fmt: skip
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, lstrip=name == "<mask>") for name in _SPECIAL]
    )
    return tokenizer
