"""Where an encoder's vectors lie when they say nothing, so that what they say can be told apart.

Many encoders put all texts into one corner: of multilingual-e5-small's passages two that have
nothing to do with each other have a cosine of .74, a question and its answer .86. Its mean taken
away (Mu and Viswanath, 2018, "All-but-the-Top"), they lie apart like the default encoder's, for
which all that follows was fitted, and late interaction finds more (nDCG@10 of Chinese questions
about English paragraphs, 120 of XQuAD: .875 to .904).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from index.system.files import make_folder, replacing

RECIPE = "centred 1"
"""Goes into the identity of an encoder that is centred: another one gives other vectors."""
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, BadZipFile)
_TEXTS = "centring_texts.json"

Vector = NDArray[np.float32]
Read = Callable[[Sequence[str]], list[Vector]]
"""Texts → the vectors of their pieces, shape (pieces, d) each, not normalised."""
Pool = Callable[[Vector], Vector]
"""The vectors of a text's pieces → the one that stands for it, of length 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Centre:
    """What is taken away from vectors of length 1; they are then made that long again."""

    texts: Vector
    """Of vectors that stand for texts, shape (d,)."""
    tokens: Vector
    """Of those of word pieces, shape (d,)."""


def measure(read: Read, pool: Pool) -> Centre:
    """The centre of an encoder's vectors, from sentences and paragraphs in a dozen languages."""
    stored = json.loads(files("index.embedding").joinpath(_TEXTS).read_text("utf-8"))
    read_pieces = read([text for texts in stored.values() for text in texts])
    return Centre(
        np.mean([pool(pieces) for pieces in read_pieces], axis=0).astype(np.float32),
        np.mean([unit(pieces).mean(axis=0) for pieces in read_pieces], axis=0).astype(np.float32),
    )


def kept(path: Path, make: Callable[[], Centre]) -> Centre:
    """What was kept in a file, measured and kept where there is nothing that can be read."""
    with suppress(*_UNREADABLE), np.load(path, allow_pickle=False) as held:
        return Centre(held["texts"], held["tokens"])
    centre = make()
    stream = BytesIO()
    np.savez(stream, texts=centre.texts, tokens=centre.tokens)
    with suppress(OSError):  # without a cache folder it is measured each time
        make_folder(path.parent)
        with replacing(path) as file:
            file.write(stream.getvalue())
    return centre


def unit(vectors: Vector) -> Vector:
    """Rows scaled to length 1; a row of zeros stays zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vector = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled
