"""Rows of an encoder's embedding tables, read where they stand in its weights file.

A network that grew from the encoder and kept its tables need not bring them along a second time,
nor hold them: of 30,000 word pieces a question and a passage have two hundred. They are read, not
mapped, for a mapped table counts as this process's memory page by page (46 MB in the end).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_PIECES = "embeddings.word_embeddings.weight"
_PLACES = "embeddings.position_embeddings.weight"


@dataclass(frozen=True, slots=True)
class _Table:
    begins: int
    """Where its first row begins in the file, in bytes."""
    rows: int
    width: int

    def read(self, file: BinaryIO, row: int) -> NDArray[np.float32]:
        if not 0 <= row < self.rows:
            raise IndexError(f"a table of {self.rows} rows has no row {row}")
        file.seek(self.begins + row * self.width * 4)
        return np.frombuffer(file.read(self.width * 4), "<f4")


class Embeddings:
    """Word pieces → the rows that stand for them and for their places; nothing is kept."""

    def __init__(self, weights: Path) -> None:
        """Look up in a `model.safetensors`; opened on first use."""
        self._weights = weights

    def rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The sum of each piece's row and its place's, shape (pieces, d), float32.

        Raises:
            IndexError: when there is no such word piece, or no place for so many.
        """
        pieces, places = self._tables
        with self._weights.open("rb", buffering=0) as file:
            found = [pieces.read(file, one) + places.read(file, at) for at, one in enumerate(ids)]
        return np.stack(found)

    @cached_property
    def _tables(self) -> tuple[_Table, _Table]:
        with self._weights.open("rb") as file:
            # a safetensors file: the length of its table of contents, that table, the numbers
            length = int.from_bytes(file.read(8), "little")
            contents = json.loads(file.read(length))
        pieces, places = (_table(contents[name], 8 + length) for name in (_PIECES, _PLACES))
        return pieces, places


def _table(entry: dict[str, object], base: int) -> _Table:
    match entry:
        case {"dtype": "F32", "shape": [int(rows), int(width)], "data_offsets": [int(begins), _]}:
            return _Table(base + begins, rows, width)
    raise ValueError(f"a table of another kind: {entry}")
