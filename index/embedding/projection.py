"""Token vectors made small: 384 numbers of four bytes become 96 of one.

Late interaction needs the vectors of a passage's word pieces. Kept whole they would be twenty times
the size of the text; projected on their main directions, scaled to length 1 and rounded to a byte
they are a quarter of that again, and put the right sentence first as often (.729 against .731 on
900 SQuAD questions).

`train_projection.py` fits the directions for the default encoder.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

WIDTH = 96
"""Numbers kept of each token vector."""
FITTED_FOR = "53aa51172d142c89"
FILE = "projection.npy"
RECIPE = "whole tokens"
"""Goes into the identity of any other encoder: directions fewer than its dimensions, as there were
before, give other vectors."""
_SEED = 20261122

Projected = NDArray[np.float32]
Packed = NDArray[np.int8]


@cache
def directions(revision: str, dimension: int) -> NDArray[np.float32]:
    """The directions for an encoder, shape (dimension, width), orthonormal columns.

    Fitted ones for the default encoder. For any other, random ones from a fixed seed, four times as
    many: up to 384 dimensions they only turn the vectors and lose nothing, of more they keep most
    (Johnson and Lindenstrauss, 1984). Half as many put the right sentence first less often across
    languages: .60 for .65 (`tests/benchmarks/RESULTS.md`).
    """
    if revision == FITTED_FOR:
        with files("index.embedding").joinpath(FILE).open("rb") as file:
            fitted: NDArray[np.float32] = np.load(file, allow_pickle=False).astype(np.float32)
        return fitted
    width = min(4 * WIDTH, dimension)
    random = np.random.default_rng(_SEED).standard_normal((dimension, width))
    orthonormal, _ = np.linalg.qr(random)
    chosen: NDArray[np.float32] = orthonormal.astype(np.float32)
    return chosen


def project(tokens: NDArray[np.float32], onto: NDArray[np.float32]) -> Projected:
    """Token vectors along the directions, scaled to length 1; shape (n, width), float32."""
    small = tokens @ onto
    length = np.linalg.norm(small, axis=1, keepdims=True)
    scaled: Projected = (small / np.maximum(length, 1e-9)).astype(np.float32)
    return scaled


def pack(projected: Projected) -> Packed:
    """Unit vectors as bytes: a step of 1/127 moves a cosine by about .002."""
    return np.round(projected * 127).astype(np.int8)


def unpack(packed: Packed) -> Projected:
    """Bytes as vectors of about length 1."""
    vectors: Projected = packed.astype(np.float32) / np.float32(127)
    return vectors
