"""What a library is about, seen from above: documents put together by their vectors. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.tokenization import STOP_WORDS, words

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MapLimits:
    """How coarse the map is: as many topics as are read at a glance."""

    topics: int = 10
    rounds: int = 20
    read: int = 6
    """Documents of a topic that its words are looked for in."""
    characters: int = 4000
    """That are read of each."""
    words: int = 3
    shortest: int = 4
    """Letters of a word that tells anything."""


LIMITS = MapLimits()


@dataclass(frozen=True, slots=True)
class MapTopic:
    """Documents about something alike, and where they stand among the others."""

    words: tuple[str, ...]
    """What its documents speak of and others less."""
    documents: tuple[str, ...]
    """Their ids, the most typical first."""
    across: float
    """In [0, 1]: topics that are alike stand near each other, as far as two directions can tell."""
    down: float


def topics_of(
    ids: Sequence[str], vectors: Vectors, text_of: Callable[[str], str]
) -> list[MapTopic]:
    """The topics of some documents, the largest first; every document is in one of them.

    Args:
        ids: of the documents.
        vectors: a unit vector for each, shape (n, d).
        text_of: gives a document's title and text.
    """
    if not len(ids):
        return []
    count = max(1, min(LIMITS.topics, round(math.sqrt(len(ids) / 2))))
    middles, nearest = _clustered(vectors, count)
    closeness = np.einsum("nd,nd->n", vectors, middles[nearest])
    members = []
    for topic in range(len(middles)):
        inside = np.flatnonzero(nearest == topic)
        members.append([ids[i] for i in inside[np.argsort(-closeness[inside], kind="stable")]])
    told = _telling([[text_of(id_) for id_ in some[: LIMITS.read]] for some in members])
    across, down = _places(middles)
    topics = [
        MapTopic(told[i], tuple(some), float(across[i]), float(down[i]))
        for i, some in enumerate(members)
        if some
    ]
    return sorted(topics, key=lambda topic: -len(topic.documents))


def _clustered(vectors: Vectors, count: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Spherical k-means from the vectors that lie farthest apart: middles, and whose each is."""
    chosen = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    best = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        chosen.append(int(np.argmin(best)))
        best = np.maximum(best, vectors @ vectors[chosen[-1]])
    middles = vectors[chosen]
    nearest = np.argmax(vectors @ middles.T, axis=1)
    for _ in range(LIMITS.rounds):
        sums = np.zeros_like(middles)
        np.add.at(sums, nearest, vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        middles = np.where(lengths > 0, sums / np.maximum(lengths, 1e-9), middles)
        moved = np.argmax(vectors @ middles.T, axis=1)
        if np.array_equal(moved, nearest):
            break
        nearest = moved
    return middles.astype(np.float32), nearest


def _places(middles: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ranks of the middles along their two main directions, in [0, 1]: so none hides another."""
    centred = middles - middles.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2] if len(directions) > 1 else np.repeat(directions, 2, axis=0)
    seen = centred @ directions.T
    ranks = np.argsort(np.argsort(seen, axis=0, kind="stable"), axis=0, kind="stable")
    shares = ranks / max(1, len(middles) - 1)
    return shares[:, 0], shares[:, 1]


def _telling(texts: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """For each topic the words that many of its texts have and few of the other topics'."""
    having = [
        Counter(word for text in some for word in {w for w in words(text) if _says_much(w)})
        for some in texts
    ]
    common = Counter(word for counted in having for word in counted)

    def most_telling(counted: Counter[str]) -> tuple[str, ...]:
        weights = {w: n * math.log(1 + len(texts) / common[w]) for w, n in counted.items()}
        return tuple(sorted(weights, key=lambda word: (-weights[word], word))[: LIMITS.words])

    return [most_telling(counted) for counted in having]


def _says_much(word: str) -> bool:
    long = len(word) >= LIMITS.shortest or not word.isascii()
    return long and word not in STOP_WORDS and not any(char.isdigit() for char in word)
