"""What makes a library's search fast and can be made again from what SQLite holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from index.errors import LibraryUnwritable
from index.formats.sandbox import Cancelled
from index.search.search import Search
from index.search.vector_cache import VectorCache
from index.search.word_cache import WordCache
from index.storage.sqlite.store import SQLiteStore
from index.storage.store import Snapshot
from index.types import Progress


class SearchCaches(Search):
    """One library's vector index and posting lists. Readers ask them, the writer refreshes them."""

    def __init__(self, store: SQLiteStore, threads: int, exact_up_to: int) -> None:
        """Nothing is read yet.

        Args:
            store: what they are made from.
            threads: cores to use.
            exact_up_to: passages up to which every vector and every passage with a word is
                looked at.
        """
        self._store = store
        self._vectors = VectorCache(store, threads, exact_up_to)
        self._words = WordCache(store, exact_up_to)

    @property
    def vectors(self) -> VectorCache:
        """The FAISS index."""
        return self._vectors

    @property
    def words(self) -> WordCache:
        """The posting lists of a large library."""
        return self._words

    def faults(self) -> dict[str, Callable[[Snapshot], str]]:
        """What says what is wrong with each file; of words only where there is one."""
        words = {"word cache": self.words.fault} if self.words.path.exists() else {}
        return {"vector cache": self.vectors.fault, **words}

    def drop(self) -> None:
        """Forget both in memory: what they were made from has been repaired."""
        self.vectors.drop()
        self.words.drop()

    def refresh(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        *,
        clean: bool = False,
        anew: bool = False,
    ) -> None:
        """Make each file anew when it is missing, unfit or far behind: the writer's duty.

        Args:
            progress: told how many vectors are in.
            cancelled: when it says True the old files stay; the next writer will see to it.
            clean: whether nothing of what was removed may be left in them, as far as can be.
            anew: whether the old ones are no good.
        """
        with self._store.reading() as reader:
            total = reader.passages_held

        def tick(done: int) -> None:
            if progress:
                progress(Progress("saving", done, total))
            if cancelled and cancelled():
                raise Cancelled

        made = self.words.refresh(lambda places: tick(0), anew=anew)
        made = self.vectors.refresh(tick, clean=clean, anew=anew) or made
        if not made:
            return
        with self._store.reading() as reader:
            headers = self.vectors.header(reader), self.words.header(reader)
        if needed := [header.change for header in headers if header]:
            with suppress(OSError, LibraryUnwritable), self._store.writing(counted=False) as writer:
                writer.forget_changes_before(min(needed))
