"""Search on a PostgreSQL server: pgvector keeps and searches the vectors, our tables the words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from index.embedding.encoder import Vector
from index.errors import LibraryUnwritable
from index.formats.sandbox import Cancelled
from index.languages.stemming import any_of
from index.search.search import (
    Kind,
    Neighbours,
    Search,
    VectorSearch,
    WordSearch,
    lost_to_themselves,
)
from index.search.selection import Selection
from index.storage.postgres.snapshot import PostgresSnapshot
from index.storage.postgres.store import PostgresStore
from index.storage.store import Snapshot
from index.types import Ids, Progress

EXACT_UP_TO = 5_000
"""Passages up to which every vector is compared, and among which those of a filter are."""
_GREW = 1.3
"""Passages since the server last counted its rows, from which it is told to."""


@dataclass(frozen=True, slots=True)
class ServerNeighbours(Neighbours):
    """The passage vectors of one state of a library on a server."""

    reader: PostgresSnapshot
    state: int
    way: Kind

    @property
    def generation(self) -> int:
        """The number of the change that they belong to."""
        return self.state

    @property
    def kind(self) -> Kind:
        """`flat` (exact) or `hnsw` (approximate)."""
        return self.way

    def search(self, query: Vector, k: int, allowed: Ids | None = None) -> tuple[Ids, Vector]:
        """The `k` passages nearest to a unit vector, best first, with their cosines.

        Among allowed ones each is compared: a walk along links gets lost there.
        """
        walked = self.way == "hnsw" and allowed is None
        return self.reader.nearest(query, k, allowed, walk=walked)


class ServerVectors(VectorSearch):
    """The search by vectors of one library on a server; nothing is kept here."""

    def __init__(self, exact_up_to: int) -> None:
        """Compare every vector up to so many passages."""
        self.exact_up_to = min(exact_up_to, EXACT_UP_TO)

    def at(self, reader: Snapshot, *, anew: bool = False) -> ServerNeighbours:
        """The vectors at the reader's generation."""
        state = _of_postgres(reader)
        return ServerNeighbours(state, state.generation, self.kind(state))

    def kind(self, reader: Snapshot) -> Kind:
        """How a state is searched: `flat` (exact) or `hnsw` (approximate)."""
        state = _of_postgres(reader)
        made = state.encoder
        large = state.passages_held > self.exact_up_to
        return "hnsw" if made and large and state.has_graph(made.dimension) else "flat"

    def fault(self, reader: Snapshot) -> str:
        """What is wrong with the vectors that are searched; empty when nothing."""
        state = _of_postgres(reader)
        missing = state.unsearchable()
        if missing:
            return f"{missing} passages cannot be found by their vectors"
        return lost_to_themselves(self.at(state), state, np.array(state.some_passages(), np.int64))


class ServerWords(WordSearch):
    """The search by words of one library on a server."""

    def matches(
        self, reader: Snapshot, forms: Sequence[str], k: int, among: Selection | None = None
    ) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` with any of the words."""
        return reader.matches(any_of(forms), k, None if among is None else among.members)

    def passages_with(
        self, reader: Snapshot, word: str, among: Collection[int] | None = None
    ) -> int:
        """How many passages hold a word (or another form of it)."""
        return reader.passages_with(word, among)


class ServerSearch(Search):
    """What searches a library on a server: vectors and words are the server's."""

    def __init__(self, store: PostgresStore, exact_up_to: int) -> None:
        """Search a store.

        Args:
            store: where vectors and words are.
            exact_up_to: passages up to which every vector is compared.
        """
        self._store = store
        self._vectors, self._words = ServerVectors(exact_up_to), ServerWords()

    @property
    def vectors(self) -> ServerVectors:
        """The search by vectors."""
        return self._vectors

    @property
    def words(self) -> ServerWords:
        """The search by words."""
        return self._words

    def faults(self) -> dict[str, Callable[[Snapshot], str]]:
        """What says what is wrong with the vectors; words are a part of what is stored."""
        return {"vector cache": self.vectors.fault}

    def refresh(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        *,
        clean: bool = False,
        anew: bool = False,
    ) -> None:
        """Make a graph over the vectors where there are many and none has been made."""

        def tick() -> None:
            if progress:
                progress(Progress("saving", 0, total))
            if cancelled and cancelled():
                raise Cancelled

        with self._store.reading() as reader:
            made, total = reader.encoder, reader.passages_held
            wanted = bool(made) and total > self.vectors.exact_up_to
            there = made is not None and reader.has_graph(made.dimension)
        if total > _GREW * self._store.rows_last_counted():
            self._store.tidy()
        if made is None or not wanted or (there and not anew):
            return
        # without room for it the library works as well, only slower
        with suppress(Cancelled, LibraryUnwritable):
            self._store.make_graph(made.dimension, tick)

    def drop(self) -> None:
        """Nothing is kept in memory."""


def _of_postgres(reader: Snapshot) -> PostgresSnapshot:
    """The state of a store that this was made for."""
    assert isinstance(reader, PostgresSnapshot)
    return reader
