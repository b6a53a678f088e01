"""A large library's posting lists in their cache file, kept up with what SQLite holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from index.errors import LibraryUnwritable
from index.formats.sandbox import Cancelled
from index.languages.stemming import any_of
from index.search import postings
from index.search.postings import Postings
from index.search.search import WordSearch, of_sqlite
from index.search.selection import Selection
from index.search.vectors import CacheUnusable, is_fresh
from index.storage.sqlite.snapshot import TITLE_WEIGHT, SQLiteSnapshot
from index.storage.sqlite.store import SQLiteStore
from index.storage.sqlite.word_index import index_words
from index.storage.store import Snapshot

FILE = "words.cache"


class WordCache(WordSearch):
    """Which passages hold a question's words, by posting lists where there are any, else by FTS5.

    There are some where a library is large. What came after they were made FTS5 is asked for, what
    went is left out; both give the same passages with the same BM25, but that how rare a word is
    and how long texts are is as it was when they were made.
    """

    def __init__(self, store: SQLiteStore, small_up_to: int) -> None:
        """Nothing is read yet.

        Args:
            store: what the lists are made from.
            small_up_to: passages up to which FTS5 alone is fast enough.
        """
        self.path = store.folder / FILE
        self._store = store
        self._small_up_to = small_up_to
        self._postings: Postings | None = None
        self._counts: tuple[str, dict[str, int]] = ("", {})
        """How many passages hold a word, in the state of that name."""
        self._gone: tuple[tuple[str, str], NDArray[np.int64]] | None = None
        self._lock = threading.Lock()

    def drop(self) -> None:
        """Forget the lists in memory: what they were made from has been repaired."""
        self._postings = None

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
        reader = of_sqlite(reader)
        members = None if among is None else among.members
        query, lists, words = any_of(forms), self._at(reader), _words(forms)
        if lists is None or words is None:
            return reader.matches(query, k, members)
        try:
            ids = None if among is None else among.ids
            gone = self._gone_from(lists, reader)
            cached = lists.best(words, TITLE_WEIGHT, k, gone, ids)
        except CacheUnusable:
            self._discard()
            return reader.matches(query, k, members)
        every = cached | reader.matches(query, k, members, after=lists.header.newest)
        return dict(sorted(every.items(), key=lambda pair: (-pair[1], pair[0]))[:k])

    def passages_with(
        self, reader: Snapshot, word: str, among: Collection[int] | None = None
    ) -> int:
        """How many passages hold a word (or another form of it).

        Args:
            reader: a state.
            word: from `tokenization.words`.
            among: only passages with these ids; all when None.
        """
        reader = of_sqlite(reader)
        if among is not None:
            return reader.passages_with(word, among)
        state, counts = self._counts
        if state != reader.generation_id:
            state, counts = self._counts = reader.generation_id, {}
        if word not in counts:
            counts[word] = self._counted(reader, word)
        return counts[word]

    def _counted(self, reader: SQLiteSnapshot, word: str) -> int:
        words = _words(reader.forms_of(word))
        lists = self._at(reader) if words and len({*words}) == 1 else None
        if lists is None or words is None:
            return reader.passages_with(word)
        try:
            known = lists.passages_with(words[0], self._gone_from(lists, reader))
        except CacheUnusable:
            self._discard()
            return reader.passages_with(word)
        return known + reader.passages_with(word, after=lists.header.newest)

    def header(self, reader: SQLiteSnapshot) -> postings.Header | None:
        """What the cache file says, when it is of this library, its history and a state before."""
        header = postings.peek(self.path)
        return header if header and _is_of(header, reader) else None

    def refresh(
        self,
        tick: Callable[[int], None] = lambda done: None,
        *,
        anew: bool = False,
    ) -> bool:
        """Make the file anew when it is missing, unfit or far behind; whether it was made.

        Args:
            tick: called now and then; what it raises ends the work, and the old file stays.
            anew: whether the old one is no good.
        """
        with self._store.reading() as reader:
            total = reader.passages_held
            if total <= self._small_up_to or reader.has_old_words:
                self._discard()
                return False
            header = None if anew else self.header(reader)
            if header and is_fresh(
                reader.changed_after(header.newest, header.change), header.passages
            ):
                return False
            # without room for it the library works as well, only slower
            with suppress(Cancelled, OSError, LibraryUnwritable):
                made_from = reader.generation, reader.generation_id
                ids = reader.every_passage_id()
                postings.save(self.path, reader.library, made_from, ids, reader.words(), tick)
                self.drop()
                return True
        return False

    def fault(self, reader: Snapshot) -> str:
        """What is wrong with the posting lists; missing ones are not wrong."""
        if not self.path.exists():
            return ""
        try:
            postings.load(self.path, reader.library).check()
        except CacheUnusable as error:
            return str(error)
        return ""

    def _at(self, reader: SQLiteSnapshot) -> Postings | None:
        """The lists that a state can be searched with; None when there are none."""
        lists = self._postings
        if lists is not None and _is_of(lists.header, reader):
            return lists
        with self._lock:
            header = self.header(reader)
            if header is None:
                return None
            if self._postings is None or self._postings.header != header:
                self._postings = None
                try:
                    self._postings = postings.load(self.path, header.library)
                except CacheUnusable:
                    self._discard()
            return self._postings

    def _gone_from(self, lists: Postings, reader: SQLiteSnapshot) -> NDArray[np.int64]:
        """Where in the lists the passages stand that were removed since."""
        state = lists.header.token, reader.generation_id
        known = self._gone
        if known is None or known[0] != state:
            removed = reader.removed_after(lists.header.change)
            known = self._gone = state, postings.positions_of(lists.ids, removed)
        return known[1]

    def _discard(self) -> None:
        """Take the file away, so that the next writer makes another."""
        self.drop()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _is_of(header: postings.Header, reader: SQLiteSnapshot) -> bool:
    """Whether a state grew out of the one that the lists were made from, and can be told from it.

    Titles of documents that have none of their own change with their files' names, in place.
    """
    return (
        header.library == reader.library
        and max(reader.reworded, 0) <= header.change <= reader.generation
        and reader.knows(header.change, header.token)
    )


def _words(forms: Sequence[str]) -> list[bytes] | None:
    """The words of the index that forms stand for; None where one of them is several or none."""
    words = [index_words(form) for form in forms]
    return [word for (word,) in words] if all(len(cut) == 1 for cut in words) else None
