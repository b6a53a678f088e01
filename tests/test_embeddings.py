"""Rows of the encoder's tables, read where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from index.embeddings import Embeddings

PIECES = np.arange(40, dtype=np.float32).reshape(10, 4)
PLACES = np.arange(12, dtype=np.float32).reshape(3, 4) / 100


def tables(file: Path, pieces: NDArray[Any] = PIECES) -> Embeddings:
    named = {
        "another.table": np.ones((2, 3), np.float32),
        "embeddings.word_embeddings.weight": pieces,
        "embeddings.position_embeddings.weight": PLACES,
    }
    save_file(named, file)
    return Embeddings(file)


def test_a_row_is_its_piece_and_its_place(tmp_path: Path) -> None:
    found = tables(tmp_path / "model.safetensors").rows([7, 0, 7])
    np.testing.assert_array_equal(found, PIECES[[7, 0, 7]] + PLACES)
    assert found.dtype == np.float32


@pytest.mark.parametrize("ids", [[10], [-1], [0, 0, 0, 0]])
def test_there_is_no_row_beside_the_tables(tmp_path: Path, ids: list[int]) -> None:
    with pytest.raises(IndexError, match="has no row"):
        tables(tmp_path / "model.safetensors").rows(ids)


def test_another_kind_of_table_is_refused(tmp_path: Path) -> None:
    halves = tables(tmp_path / "model.safetensors", PIECES.astype(np.float16))
    with pytest.raises(ValueError, match="another kind"):
        halves.rows([1])
