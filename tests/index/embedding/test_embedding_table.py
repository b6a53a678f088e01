"""Rows of the encoder's tables, read where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from index.embedding.embedding_table import EmbeddingTable

PIECES = np.arange(40, dtype=np.float32).reshape(10, 4)
PLACES = np.arange(12, dtype=np.float32).reshape(3, 4) / 100


def test_a_row_is_its_piece_and_its_place(tmp_path: Path) -> None:
    named: dict[str, NDArray[Any]] = {
        "another.table": np.ones((2, 3), np.float32),
        "embeddings.word_embeddings.weight": PIECES,
        "embeddings.position_embeddings.weight": PLACES,
    }
    save_file(named, tmp_path / "model.safetensors")
    found = EmbeddingTable(tmp_path / "model.safetensors").rows([7, 0, 7])
    np.testing.assert_array_equal(found, PIECES[[7, 0, 7]] + PLACES)
    assert found.dtype == np.float32
