"""The tables that an encoder looks its word pieces up in, row by row from its file.

A network that grew from the encoder starts from the same rows, and so need not bring them along.
The only import of safetensors, but for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIECES = "embeddings.word_embeddings.weight"
_PLACES = "embeddings.position_embeddings.weight"


class EmbeddingTable:
    """Word pieces → the rows that stand for them and for their places; nothing is kept."""

    def __init__(self, weights: Path) -> None:
        """Look up in a `model.safetensors`."""
        self._weights = weights

    def rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The sum of each piece's row and its place's, shape (pieces, d), float32."""
        from safetensors import safe_open

        # Opened each time, in a millisecond or two: a file that stays mapped counts as this
        # process's memory page by page, 46 MB in the end.
        weights: Any = safe_open(str(self._weights), framework="np")
        with weights as file:
            pieces, places = file.get_slice(_PIECES), file.get_slice(_PLACES)
            return np.stack([pieces[one] + places[at] for at, one in enumerate(ids)])
