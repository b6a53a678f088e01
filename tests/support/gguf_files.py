"""Small GGUF files, written by hand: a head with a vocabulary and no weights."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = bool | int | str | Sequence[str] | Sequence[int]

_UINT32, _INT32, _BOOL, _STRING, _ARRAY = 4, 5, 7, 8, 9


def letters() -> list[str]:
    """The letter that stands for each byte in GPT-2's vocabulary, worked out the original way."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    found, unprintable = dict(zip(printable, printable, strict=True)), 0
    for byte in range(256):
        if byte not in found:
            found[byte] = 256 + unprintable
            unprintable += 1
    return [chr(found[byte]) for byte in range(256)]


def vocabulary(
    merges: Sequence[str], *, pre: str = "smollm", without: str = "", extra: Mapping[str, int] = {}
) -> dict[str, Value]:
    """Key-values of a byte-level vocabulary: `extra` tokens by kind, all bytes, the merges."""
    words = [letter for letter in letters() if letter not in without]
    words += [merge.replace(" ", "") for merge in merges]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [*extra, *words],
        "tokenizer.ggml.token_type": [*extra.values(), *[1] * len(words)],
        "tokenizer.ggml.merges": list(merges),
        "tokenizer.ggml.add_bos_token": False,
    }


def gguf_bytes(pairs: Mapping[str, Value], *, version: int = 3, magic: bytes = b"GGUF") -> bytes:
    """A whole file without tensors."""
    head = magic + struct.pack("<IQQ", version, 0, len(pairs))
    return head + b"".join(_string(key) + _typed(value) for key, value in pairs.items())


def write_gguf(path: Path, pairs: Mapping[str, Value]) -> Path:
    path.write_bytes(gguf_bytes(pairs))
    return path


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _typed(value: Value) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    kind = _STRING if any(isinstance(one, str) for one in value) else _INT32
    head = struct.pack("<IIQ", _ARRAY, kind, len(value))
    return head + b"".join(
        _string(one) if isinstance(one, str) else struct.pack("<i", one) for one in value
    )
