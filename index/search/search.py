"""What finds the passages that speak to a question, whatever keeps their vectors and words."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from typing import Literal, Protocol

from index.embedding.encoder import Vector
from index.search.selection import Selection
from index.storage.sqlite.snapshot import SQLiteSnapshot
from index.storage.store import Snapshot
from index.types import Ids, Progress

Kind = Literal["flat", "hnsw"]

_SAMPLE = 50
# An exact index finds every passage by its own vector; HNSW may miss one now and then.
_FIND_THEMSELVES = 0.9


class Neighbours(Protocol):
    """The passage vectors of one state of a library, searchable."""

    @property
    def generation(self) -> int:
        """The number of the change that they belong to."""

    @property
    def kind(self) -> Kind:
        """`flat` (exact) or `hnsw` (approximate)."""

    def search(self, query: Vector, k: int, allowed: Ids | None = None) -> tuple[Ids, Vector]:
        """The `k` passages nearest to a unit vector, best first.

        Args:
            query: shape (d,), unit length.
            k: how many at most.
            allowed: passage ids to choose from, ascending; all when None.

        Returns:
            Ids, shape (<= k,), and their cosines, shape (<= k,), float32.
        """


class VectorSearch(Protocol):
    """One library's search by vectors, the same for all threads."""

    def at(self, reader: Snapshot, *, anew: bool = False) -> Neighbours:
        """The vectors at the reader's generation, or at a newer one.

        Args:
            reader: a state that has vectors.
            anew: whether to trust only what this state itself holds.
        """

    def kind(self, reader: Snapshot) -> Kind:
        """How a state is searched: `flat` (exact) or `hnsw` (approximate)."""


class WordSearch(Protocol):
    """One library's search by words, the same for all threads."""

    def matches(
        self, reader: Snapshot, forms: Sequence[str], k: int, among: Selection | None = None
    ) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` with any of the words.

        Args:
            reader: a state.
            forms: from `languages.stemming.match_forms`.
            k: how many at most.
            among: only passages in these; all when None.
        """

    def passages_with(
        self, reader: Snapshot, word: str, among: Collection[int] | None = None
    ) -> int:
        """How many passages hold a word (or another form of it).

        Args:
            reader: a state.
            word: from `tokenization.words`.
            among: only passages with these ids; all when None.
        """


class Search(Protocol):
    """What finds a library's passages; derived from what is stored, and made again from it."""

    @property
    def vectors(self) -> VectorSearch:
        """The search by vectors."""

    @property
    def words(self) -> WordSearch:
        """The search by words."""

    def refresh(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        *,
        clean: bool = False,
        anew: bool = False,
    ) -> None:
        """Make what is searched anew when it is missing or far behind: the writer's duty.

        Args:
            progress: told how many vectors are in.
            cancelled: when it says True the old state stays; the next writer will see to it.
            clean: whether nothing of what was removed may be left in it, as far as can be.
            anew: whether the old one is no good.
        """

    def faults(self) -> dict[str, Callable[[Snapshot], str]]:
        """What says what is wrong with each part in a state, empty when nothing, by its name."""

    def drop(self) -> None:
        """Forget what is kept in memory: what it was made from has been repaired."""


def of_sqlite(reader: Snapshot) -> SQLiteSnapshot:
    """The state of a file, for what searches files."""
    assert isinstance(reader, SQLiteSnapshot)
    return reader


def lost_to_themselves(index: Neighbours, reader: Snapshot, known: Ids) -> str:
    """How many passages of a sample are not found by their own vectors; empty when enough are."""
    sample = random.Random(0).sample(known.tolist(), min(_SAMPLE, len(known)))
    stored = reader.passages(sample)
    missing = [p.id for p in stored if not _finds(index, p.id, p.vector)]
    missing += set(sample) - {p.id for p in stored}
    enough = 1.0 if index.kind == "flat" else _FIND_THEMSELVES
    if len(missing) > (1 - enough) * len(sample):
        return f"{len(missing)} of {len(sample)} passages do not find themselves"
    return ""


def _finds(index: Neighbours, passage: int, vector: Vector) -> bool:
    """Whether a passage, or one just like it, is the nearest to its own vector."""
    nearest, scores = index.search(vector, 1)
    return len(nearest) > 0 and (int(nearest[0]) == passage or scores[0] > 0.999)
