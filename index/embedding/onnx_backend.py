"""The encoder's network as an ONNX graph, made once a machine: what a question needs of torch.

Each graph has a folder of its own in the user's cache, named after the weights it was made from.
It is taken only when it is what was written there, and written only when it gives the vectors that
the network itself gives.

The only import of onnxruntime.
"""

from __future__ import annotations

import ctypes
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.embedding.torch_backend import PROBE, TorchNetwork, padded
from index.system.checksums import sha256
from index.system.files import cache_folder, replacing_folder
from index.system.offline import no_telemetry

_GRAPH, _WEIGHTS, _DIGESTS = "graph.onnx", "weights.bin", "digests.json"
_FORMAT = "1"  # of the folder; another one is another folder
_ALIKE = 1e-3  # the greatest difference of a number for two networks to be one; MiniLM's is 3e-6


class Network(Protocol):
    """Rows of word pieces → their vectors."""

    pieces_per_pass: int
    """How many at a time, padding included."""
    passes: int
    """How many passes may run beside one another."""

    def forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Vectors, shape (rows, longest row, d), float32, not normalised; any in the padding."""
        ...


class Graph:
    """An ONNX graph in a file; each run takes one core, and many threads may run it at once."""

    def __init__(self, file: Path) -> None:
        """Load a graph.

        Raises:
            Exception: whatever sort onnxruntime raises when it cannot run it.
        """
        no_telemetry()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        _give_back()

    def run(self, output: str, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """One output of the graph, from its inputs by name."""
        (found,) = self._session.run([output], inputs)
        made: NDArray[np.float32] = found
        return made


class OnnxNetwork:
    """A network that onnxruntime runs; each pass on one core, from as many threads as there are."""

    # 512 pieces are read as fast as 2,048, and nobody who asks meanwhile waits long for them
    pieces_per_pass = 512

    def __init__(self, graph: Path, threads: int) -> None:
        """Load a graph; whatever onnxruntime raises when it cannot run it."""
        self._graph = Graph(graph)
        self.passes = threads

    def forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Vectors, shape (rows, longest row, d), float32, not normalised."""
        pieces, mask = padded(ids)
        return self._graph.run("vectors", pieces=pieces, mask=mask)


def _give_back() -> None:
    """Return what loading has left free to the system: 56 MB after our reader's network.

    glibc keeps it otherwise; where there is another C library, nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def cache_path(revision: str) -> Path:
    """The folder for the graph of weights with this digest; nothing is made."""
    return cache_folder() / "encoders" / f"{revision}-{_FORMAT}"


def load(folder: Path, threads: int) -> OnnxNetwork | None:
    """The network kept in a folder; None when there is none, or it is not as it was written."""
    try:
        digests = json.loads((folder / _DIGESTS).read_text(encoding="utf-8"))
        if digests == _digests(folder):
            return OnnxNetwork(folder / _GRAPH, threads)
    except Exception as error:  # another machine's, another version's: it is made again
        if folder.exists():
            logging.getLogger(__name__).info("cannot use %s: %s", folder, error)
    return None


def export_to_onnx(network: TorchNetwork, folder: Path, threads: int) -> OnnxNetwork | None:
    """Export a network into a folder; None when that cannot be done, and nothing is left then."""
    try:
        with replacing_folder(folder) as trial:
            network.export(trial / _GRAPH, trial / _WEIGHTS)
            (trial / _DIGESTS).write_text(json.dumps(_digests(trial)), encoding="utf-8")
            if not _alike(network, OnnxNetwork(trial / _GRAPH, threads)):
                raise ValueError("the exported network gives other vectors")
        return load(folder, threads)
    except Exception as error:  # an unknown architecture, a full disk: torch runs it, as before
        logging.getLogger(__name__).warning("the encoder could not be exported: %s", error)
        return None


def _alike(one: Network, other: Network) -> bool:
    a, b = one.forward(PROBE), other.forward(PROBE)
    return all(
        bool(np.abs(a[row, : len(ids)] - b[row, : len(ids)]).max() < _ALIKE)
        for row, ids in enumerate(PROBE)
    )


def _digests(folder: Path) -> dict[str, str]:
    return {name: sha256(folder / name) for name in (_GRAPH, _WEIGHTS)}
