"""The table that an encoder looks its word pieces up in, row by row from its file.

A network that grew from the encoder starts from the same rows, and so need not bring them along.
The only import of safetensors, but for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIECES = "embeddings.word_embeddings.weight"
_PLACES = "embeddings.position_embeddings.weight"


class Embeddings:
    """Word pieces → the rows that stand for them and for their places; nothing is kept."""

    def __init__(self, weights: Path) -> None:
        """Look up in a `model.safetensors`; opened on first use."""
        self._weights = weights

    def rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The sum of each piece's row and its place's, shape (pieces, d), float32."""
        pieces, places = self._tables
        return np.stack([pieces[one] + places[at] for at, one in enumerate(ids)])

    @cached_property
    def _tables(self) -> tuple[Any, Any]:
        from safetensors import safe_open

        # mapped: only what is read is loaded
        file: Any = safe_open(str(self._weights), framework="np")
        return file.get_slice(_PIECES), file.get_slice(_PLACES)
