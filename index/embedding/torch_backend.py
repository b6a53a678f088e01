"""The encoder's network as sentence-transformers runs it, and its export to a graph.

Importing torch and sentence_transformers costs seconds and 300 MB. So the network is exported once
a machine, to the user's cache folder, and from then on runs without them (`onnx_backend.py`):
a question is read in a third of the time, passages in two thirds, with the same numbers to 1e-5.

The only import of torch, sentence_transformers, transformers and their hub.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelMissing
from index.system.offline import stay_offline

# Below this many pieces a second thread mostly waits for the first: 229 ms against 19 for a
# question on a busy pair of cores.
_WORTH_THREADS = 128
# What a graph is tried on before it is trusted: rows of different lengths, padded.
PROBE = ([101, 2073, 2001, 1996, 3057, 2218, 1029, 102], [101, 2054, 102])
_OPSET = 18


class TorchNetwork:
    """Word pieces → vectors, on the CPU, offline. One forward pass at a time."""

    pieces_per_pass = 8192
    """Padding included: keeps the activations of 6 layers near 100 MB."""
    passes = 1
    """One takes all the cores."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Use the model in a sentence-transformers folder; it is loaded on first use."""
        self._folder = folder
        self._threads = threads
        self._lock = threading.Lock()

    def forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Vectors of word pieces, shape (texts, longest, d), float32, not normalised."""
        import torch

        pieces, mask = padded(ids)
        with self._lock, torch.inference_mode():
            torch.set_num_threads(self._threads if pieces.size >= _WORTH_THREADS else 1)
            found: NDArray[np.float32] = self._network(
                torch.from_numpy(pieces), torch.from_numpy(mask)
            ).numpy()
        return found

    def export(self, graph: Path, weights: Path) -> None:
        """Write the network as an ONNX graph, and its weights into a file in the same folder.

        The weights are apart so that they are mapped into memory, not read: what a question does
        not look up in 47 MB of embeddings is never loaded.

        Raises:
            Exception: whatever sort torch raises when this network cannot be exported.
        """
        import onnx
        import torch

        names = {0: "texts", 1: "pieces"}
        whole = graph.with_name("whole.onnx")
        with warnings.catch_warnings(), self._lock, torch.inference_mode():
            # the exporter warns of its own successor, which needs packages of its own, and of
            # checks that it cannot record
            warnings.simplefilter("ignore")
            torch.onnx.export(
                self._network,
                tuple(map(torch.from_numpy, padded(PROBE))),
                str(whole),
                input_names=["pieces", "mask"],
                output_names=["vectors"],
                dynamic_axes={"pieces": names, "mask": names, "vectors": names},
                opset_version=_OPSET,
                dynamo=False,
            )
        onnx.save_model(
            onnx.load(str(whole)),
            str(graph),
            save_as_external_data=True,
            location=weights.name,
        )
        whole.unlink()

    @cached_property
    def _network(self) -> Any:
        import torch

        class Network(torch.nn.Module):
            """Two tensors in, one out: what an exporter can follow."""

            def __init__(self, read: Any) -> None:
                super().__init__()
                self.read = read

            def forward(self, pieces: Any, mask: Any) -> Any:
                seen = {"input_ids": pieces, "attention_mask": mask, "token_type_ids": pieces * 0}
                return self.read(seen)["token_embeddings"].float()

        return Network(self.model[0]).eval()

    @cached_property
    def model(self) -> Any:
        """The `SentenceTransformer` itself."""
        stay_offline()
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()  # a pooler that nobody uses is missing
        return SentenceTransformer(
            str(self._folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            # half precision is for disks: a processor is no faster with it
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        ).eval()


class CrossEncoder:
    """A cross-encoder of the person's choice, on the CPU, offline; loaded on first use."""

    def __init__(self, name: str, threads: int) -> None:
        """Use the model of this folder, or of this name in the local cache of models.

        Raises:
            ModelMissing: when there is none.
        """
        self._folder = _cross_encoder_folder(name)
        self._threads = threads
        self._lock = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """How well each text answers, as the model's last layer says it; shape (texts,).

        Raises:
            ModelMissing: when it cannot be loaded, or gives more than one number for a text.
        """
        import torch

        with self._lock, torch.inference_mode():
            torch.set_num_threads(self._threads)
            found = self._model.predict(
                [(question, text) for text in texts],
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
            )
        return np.asarray(found, np.float64)

    @cached_property
    def _model(self) -> Any:
        stay_offline()
        from sentence_transformers import CrossEncoder as Loaded

        try:
            model = Loaded(
                str(self._folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise ModelMissing(
                f"the cross-encoder in {str(self._folder)!r} cannot be used: {reason}"
            ) from error
        if model.num_labels != 1:
            raise ModelMissing(
                f"the model in {str(self._folder)!r} gives {model.num_labels} numbers for a text, "
                "a cross-encoder for ranking gives one: choose another, or PILCROW_READER=own"
            )
        return model


def _cross_encoder_folder(name: str) -> Path:
    folder = model_folder(name)
    if folder is None:
        raise ModelMissing(
            f"no cross-encoder {name!r}: give a folder that holds one (config.json, "
            "model.safetensors), the name of one in this machine's Hugging Face cache, or `own`"
        )
    return folder


def model_folder(name: str) -> Path | None:
    """A folder of this name with a model, else that of this machine's Hugging Face cache."""
    folder = Path(name)
    if (folder / "config.json").is_file():
        return folder
    stay_offline()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def padded(ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of word pieces filled up with zeros, and which of them are not; (texts, longest)."""
    longest = max(len(row) for row in ids)
    pieces = np.zeros((len(ids), longest), np.int64)
    mask = np.zeros((len(ids), longest), np.int64)
    for row, text_ids in enumerate(ids):
        pieces[row, : len(text_ids)] = text_ids
        mask[row, : len(text_ids)] = 1
    return pieces, mask
