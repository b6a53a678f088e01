"""The trained network as it runs: its own six layers on the default encoder's word pieces.

`span_reader.onnx` holds what was trained, a byte a weight; the table of word pieces, which was not,
is the default encoder's own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from index.embedding.embedding_table import EmbeddingTable
from index.embedding.encoder import default_folder
from index.embedding.onnx_backend import Graph
from index.errors import ModelMissing
from index.system.checksums import sha256
from rag.reader.span_inputs import Pair
from rag.reader.span_reader import TokenLogits, calibration

FILE = "span_reader.onnx"


class SpanModel:
    """The packaged network; loaded on first use, safe to call from many threads.

    One question at a time goes through it: several at once would only make each other late.
    """

    def __init__(self, threads: int, file: Path | None = None) -> None:
        """Read on at most so many cores, with the network of another file if one is given."""
        self._threads = threads
        self._file = file
        self._turn = threading.Lock()
        self._embeddings = EmbeddingTable(default_folder() / "model.safetensors")

    def token_logits(self, pairs: Sequence[Pair]) -> list[TokenLogits]:
        """The logits of each pair's word pieces; a core reads a pair, the longest first.

        Raises:
            ModelMissing: when the packaged network is not the one that it should be.
        """
        longest_first = sorted(range(len(pairs)), key=lambda i: -len(pairs[i].ids))
        with self._turn, ThreadPoolExecutor(self._threads) as pool:
            _ = self._graph  # loaded by one thread only
            logits = list(pool.map(self._read, [pairs[i] for i in longest_first]))
        return [logits[longest_first.index(i)] for i in range(len(pairs))]

    def _read(self, pair: Pair) -> TokenLogits:
        rows = self._embeddings.rows(pair.ids)
        second = (np.arange(len(pair.ids)) >= pair.question_length).astype(np.int64)
        logits = self._graph.run("marks", rows=rows[None], second=second[None])
        return np.asarray(logits[0])

    @cached_property
    def _graph(self) -> Graph:
        if self._file is not None:
            return Graph(self._file)
        with as_file(files("rag.reader").joinpath(FILE)) as path:
            if not path.is_file() or sha256(path) != calibration().network:
                raise ModelMissing(
                    f"the reader's network {str(path)!r} is missing, damaged or another one. "
                    "Reinstall Pilcrow, or go without: PILCROW_READER=none"
                )
            return Graph(path)
