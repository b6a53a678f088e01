"""The encoder without torch: the same vectors, and never a graph that is not what was written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.embedding import onnx_backend
from index.embedding.encoder import default_folder
from index.embedding.torch_backend import TorchNetwork, padded

ROOT = Path(__file__).resolve().parents[3]
WORD_PIECES = st.lists(st.integers(0, 30_000), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def transformer() -> TorchNetwork:
    return TorchNetwork(default_folder(), threads=1)


@pytest.fixture(scope="module")
def folder(transformer: TorchNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "encoders" / "one"
    assert onnx_backend.export_to_onnx(transformer, folder, threads=1) is not None
    return folder


@pytest.fixture(scope="module")
def network(folder: Path) -> onnx_backend.OnnxNetwork:
    found = onnx_backend.load(folder, threads=1)
    assert found is not None
    return found


@pytest.mark.model
@settings(max_examples=25)
@given(rows=st.lists(WORD_PIECES, min_size=1, max_size=4))
def test_the_same_vectors_as_torch_for_any_word_pieces(
    transformer: TorchNetwork, network: onnx_backend.OnnxNetwork, rows: list[list[int]]
) -> None:
    ours, theirs = network.forward(rows), transformer.forward(rows)
    for row, ids in enumerate(rows):
        assert np.allclose(ours[row, : len(ids)], theirs[row, : len(ids)], atol=1e-4)


@pytest.mark.model
@pytest.mark.parametrize("name", ["graph.onnx", "weights.bin", "digests.json"])
def test_a_changed_file_is_not_loaded_and_is_made_again(
    transformer: TorchNetwork, folder: Path, name: str
) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(100)
        file.write(b"\x00\x01\x02\x03")
    assert onnx_backend.load(folder, threads=1) is None
    assert onnx_backend.export_to_onnx(transformer, folder, threads=1) is not None
    assert onnx_backend.load(folder, threads=1) is not None
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


class Unexportable(TorchNetwork):
    """An architecture that the exporter does not know."""

    def export(self, graph: Path, weights: Path) -> None:
        graph.write_bytes(b"half a graph")
        raise ValueError("unknown operator")


class Otherwise(TorchNetwork):
    """A network whose graph gives other vectors than itself."""

    def forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return super().forward(ids) + 0.01


@pytest.mark.model
@pytest.mark.parametrize("kind", [Unexportable, Otherwise])
def test_what_cannot_be_exported_leaves_nothing(tmp_path: Path, kind: type[TorchNetwork]) -> None:
    network = kind(default_folder(), threads=1)
    assert onnx_backend.export_to_onnx(network, tmp_path / "encoders" / "one", threads=1) is None
    assert list((tmp_path / "encoders").iterdir()) == []


def test_no_place_to_keep_it_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "encoders").write_text("a file where the folder should be")
    network = TorchNetwork(tmp_path, threads=1)
    assert onnx_backend.export_to_onnx(network, tmp_path / "encoders" / "one", threads=1) is None
    assert onnx_backend.load(tmp_path / "encoders" / "one", threads=1) is None


@given(rows=st.lists(WORD_PIECES, min_size=1, max_size=6))
def test_padding_is_masked(rows: list[list[int]]) -> None:
    pieces, mask = padded(rows)
    assert [list(pieces[row][mask[row] == 1]) for row in range(len(rows))] == rows
    assert not pieces[mask == 0].any()


@pytest.mark.model
def test_a_question_is_asked_without_torch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from index.embedding.encoder import SentenceTransformerEncoder\n"
        "SentenceTransformerEncoder().encode_query('Who?')\n"  # makes the export when it is missing
        "from subprocess import run\n"
        "ask = 'import sys; from index.embedding.encoder import SentenceTransformerEncoder as E;'\n"
        'ask += \'E().encode_query("Who?"); sys.exit("torch" in sys.modules)\'\n'
        "sys.exit(run([sys.executable, '-c', ask]).returncode)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0
