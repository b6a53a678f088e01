"""A packed encoder of a few numbers, as `index.embedding.packed_weights` reads it."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

WIDTH, INNER, PLACES = 32, 64, 16
PIECES = [
    ("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0), ("a", -4.0),
    ("\u2581die", -2.0), ("\u2581br\u00fccke", -2.5), ("n", -4.5), ("?", -3.5),
    ("\u5317\u4eac", -3.0), ("\u2581query", -2.0), ("\u2581passage", -2.0), (":", -2.0),
    ("\u2581a", -2.0), ("<mask>", 0.0),
]  # fmt: skip


def packed_encoder(seed: int = 1) -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """The bytes of such a file, and its tensors by their short names."""
    rng = np.random.default_rng(seed)
    shapes = {"emb.word": (len(PIECES), WIDTH), "emb.pos": (PLACES, WIDTH), "emb.type": (2, WIDTH),
              "emb.ln.w": (WIDTH,), "emb.ln.b": (WIDTH,)}  # fmt: skip
    for part in ("q", "k", "v", "ao", "fi", "fo"):
        tall = INNER if part == "fi" else WIDTH
        wide = INNER if part == "fo" else WIDTH
        shapes |= {f"l0.{part}.w": (tall, wide), f"l0.{part}.b": (tall,)}
    for part in ("aln", "oln"):
        shapes |= {f"l0.{part}.w": (WIDTH,), f"l0.{part}.b": (WIDTH,)}
    tensors, blobs = {}, {}
    for name, shape in shapes.items():
        is_packed = name == "emb.word" or (name.endswith(".w") and "ln" not in name)
        if is_packed:
            tensors[name], blobs[name] = _packed(rng, shape)
        else:
            tensors[name] = rng.integers(-8, 8, shape).astype(np.float32)
            blobs[name] = tensors[name].tobytes()
    return _file(blobs, shapes), tensors


def _packed(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], bytes]:
    """Numbers that four bits hold exactly, and how they are packed."""
    whole = rng.integers(0, 16, (int(np.prod(shape)) // 32, 32))
    blocks = [
        np.float16(0.5).tobytes() + bytes(int(row[j]) | int(row[j + 16]) << 4 for j in range(16))
        for row in whole
    ]
    return ((whole - 8) * 0.5).astype(np.float32).reshape(shape), b"".join(blocks)


def _file(blobs: dict[str, bytes], shapes: dict[str, tuple[int, ...]]) -> bytes:
    head = struct.pack(
        "<4sI7ifi", b"E5S1", 1, WIDTH, 1, 2, INNER, len(PIECES), PLACES, 2, 1e-12, 32
    )
    texts = [piece.encode() for piece, _ in PIECES]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = np.array([score for _, score in PIECES], "<f4")
    text = b"".join(texts)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text))
    head += offsets.tobytes() + scores.tobytes() + text
    head += struct.pack("<iI", 1, 5) + struct.pack("<IB", 1, 0)  # one character that goes
    entries = sum(2 + len(name) + 21 for name in blobs)
    at = len(head) + 4 + entries
    directory = struct.pack("<i", len(blobs))
    for name, blob in blobs.items():
        numbers = int(np.prod(shapes[name]))
        kind = int(len(blob) != 4 * numbers)
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, numbers, at, len(blob))
        at += len(blob)
    return head + directory + b"".join(blobs.values())
