"""The truth: documents, passages, sentences, vectors and the text index, in one SQLite file.

Every change is one transaction, numbered, and readers see one such number from start to end.
Nothing here knows files, models or FAISS. What is read back is compared with a checksum made when
it was written: SQLite notices broken structure, but not a flipped bit in somebody's sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.storage.database import UNSEALED, UNSTEMMED, Database, bring_up
from index.storage.snapshot import Snapshot
from index.storage.transaction import Transaction


class Store:
    """One library file, as states to read and changes to write. May be shared between threads."""

    def __init__(self, path: Path) -> None:
        """Open an existing file; raises what `Database` raises."""
        self._database = Database(path)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """One consistent state of the library, for as long as the block runs."""
        with self._database.reading() as connection:
            yield Snapshot(connection)

    @contextmanager
    def writing(self, *, counted: bool = True) -> Iterator[Transaction]:
        """One change: everything in the block is kept, or after an exception nothing.

        Args:
            counted: whether readers need to know; drafts are nobody's business.
        """
        with self._database.writing() as connection:
            had = bring_up(connection)
            if had <= UNSEALED:
                Transaction(connection).seal_documents()
            writer = Transaction(connection)
            if had <= UNSTEMMED:
                writer.rebuild_words()
            yield writer
            if counted:
                writer.finish()

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, when no reader needs it."""
        self._database.checkpoint()
