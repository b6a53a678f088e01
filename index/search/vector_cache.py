"""The library's vector index in memory and in its cache file, kept up with what SQLite holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np

from index.embedding.encoder import EncoderIdentity
from index.errors import LibraryUnwritable
from index.formats.sandbox import Cancelled
from index.search import vectors
from index.search.search import Kind, VectorSearch, lost_to_themselves, of_sqlite
from index.storage.sqlite.snapshot import SQLiteSnapshot
from index.storage.sqlite.store import SQLiteStore
from index.storage.store import Snapshot

FILE = "vectors.cache"


class VectorCache(VectorSearch):
    """One library's vector index, the same for all threads. Readers ask, the writer refreshes."""

    def __init__(self, store: SQLiteStore, threads: int, exact_up_to: int) -> None:
        """Nothing is read yet.

        Args:
            store: what the index is made from.
            threads: cores to use.
            exact_up_to: passages up to which every vector is compared.
        """
        self.path = store.folder / FILE
        self._store = store
        self._threads = threads
        self._exact_up_to = exact_up_to
        self._index: vectors.VectorIndex | None = None
        self._lock = threading.Lock()

    def kind(self, reader: Snapshot) -> Kind:
        """How the index in memory searches, or else the one in the file."""
        if (index := self._index) is not None:
            return index.kind
        header = self.header(of_sqlite(reader))
        return header.kind if header else "flat"

    def drop(self) -> None:
        """Forget the index in memory: what it was made from has been repaired."""
        self._index = None

    def at(self, reader: Snapshot, *, anew: bool = False) -> vectors.VectorIndex:
        """The vector index at the reader's generation, or at a newer one.

        Args:
            reader: a state that has vectors.
            anew: whether to trust only what this state itself holds.
        """
        reader = of_sqlite(reader)
        identity = reader.encoder
        assert identity is not None
        index = self._index
        if index is not None and index.generation >= reader.generation and not anew:
            return index
        with self._lock:
            index = self._index
            if index is not None and index.generation >= reader.generation and not anew:
                return index  # another thread was faster
            if anew or index is None or not reader.knows(index.generation, index.generation_id):
                index = None if anew else self._load(reader, identity)
                index = index or self._build_exact(reader, identity)
            if index.generation < reader.generation:
                index = self._updated(index, reader)
            self._index = index
            return index

    def _updated(self, index: vectors.VectorIndex, reader: SQLiteSnapshot) -> vectors.VectorIndex:
        """The index with what came and without what went since."""
        ids, added = reader.vectors_after(index.newest, index.dimension)
        removed = reader.removed_after(index.generation)
        return index.after(reader.generation, reader.generation_id, removed, ids, added)

    def _load(
        self, reader: SQLiteSnapshot, identity: EncoderIdentity
    ) -> vectors.VectorIndex | None:
        """The cached index, which may be newer than the reader; None when there is no fit one."""
        header = vectors.peek(self.path)
        if header is None or not (header.change > reader.generation or self.header(reader)):
            return None
        try:
            return vectors.load(self.path, reader.library, identity.dimension)
        except vectors.CacheUnusable:
            with suppress(OSError):  # so that the next writer sees that it has to make one
                self.path.unlink()
            return None

    def _build_exact(
        self, reader: SQLiteSnapshot, identity: EncoderIdentity
    ) -> vectors.VectorIndex:
        """An index over the stored vectors, built in about a second; a reader builds no HNSW."""
        ids, stored = reader.vectors_after(-1, identity.dimension)
        index = vectors.build(
            reader.generation, reader.generation_id, ids, stored, identity.dimension
        )
        if len(index) <= self._exact_up_to:
            with suppress(OSError):  # a cache that cannot be kept (read-only folder) is made again
                vectors.save(index, self.path, reader.library)
        return index

    def header(self, reader: SQLiteSnapshot) -> vectors.Header | None:
        """What the cache file says, when it is of this library and its history."""
        header, identity = vectors.peek(self.path), reader.encoder
        if header is None or identity is None or header.dimension != identity.dimension:
            return None
        ours = header.library == reader.library and reader.knows(header.change, header.token)
        return header if ours else None

    def refresh(
        self,
        tick: Callable[[int], None] = lambda done: None,
        *,
        clean: bool = False,
        anew: bool = False,
    ) -> bool:
        """Make the cache file anew when it is missing, unfit or far behind; whether it was made.

        Args:
            tick: told how many vectors are in; what it raises ends the work, and the old file
                stays.
            clean: whether nothing of what was removed may be left in it, as far as can be.
            anew: whether the old one is no good.
        """
        with self._store.reading() as reader:
            header = None if anew else self.header(reader)
            total = reader.passages_held
            if reader.encoder is None or (header and self._is_fresh(header, reader, clean)):
                return False
            make = self._plan_refresh(reader, header, vectors.kind_for(total, self._exact_up_to))
            library = reader.library
        # without room for it the library works as well, only slower
        with suppress(Cancelled, OSError, LibraryUnwritable):
            index = make(tick, threads=self._threads)
            vectors.save(index, self.path, library)
            self._index = index
            return True
        return False

    def _is_fresh(self, header: vectors.Header, reader: SQLiteSnapshot, clean: bool) -> bool:
        """Whether the cache is good enough as it is."""
        changed = reader.changed_after(header.newest, header.change)
        return header.is_fresh(changed) and not (clean and header.kind == "flat")

    def _plan_refresh(
        self, reader: SQLiteSnapshot, header: vectors.Header | None, wanted: Kind
    ) -> Callable[..., vectors.VectorIndex]:
        """How to make a new cache: add to the old one where that is better, else from the start."""
        if header and header.can_grow(wanted):
            with suppress(vectors.CacheUnusable):
                index = vectors.load(self.path, reader.library, header.dimension, to_grow=True)
                return self._updated(index, reader).merged
        assert reader.encoder is not None
        dimension = reader.encoder.dimension
        ids, stored = reader.vectors_after(-1, dimension)
        return partial(
            vectors.build, reader.generation, reader.generation_id, ids, stored, dimension, wanted
        )

    def fault(self, reader: Snapshot) -> str:
        """What is wrong with the file; a missing one is not wrong, it is made on demand."""
        reader = of_sqlite(reader)
        identity = reader.encoder
        if not self.path.exists() or identity is None:
            return ""
        try:
            index = vectors.load(self.path, reader.library, identity.dimension)
        except vectors.CacheUnusable as error:
            return str(error)
        if not reader.knows(index.generation, index.generation_id):
            # a writer may have been faster than this look
            return "" if index.generation > reader.generation else "of another history"
        known = np.setdiff1d(
            np.delete(index.base_ids, index.gone), reader.removed_after(index.generation)
        )
        return lost_to_themselves(index, reader, known)
