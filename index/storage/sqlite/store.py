"""A library in one SQLite file: documents, passages, sentences, vectors and the text index.

One process writes at a time; readers never wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import InputError, LibraryMissing, LibraryUnwritable
from index.storage.sqlite.database import FILE, UNSEALED, UNSTEMMED, Database, bring_up
from index.storage.sqlite.folder import folder_size, make_library, write_lock
from index.storage.sqlite.snapshot import SQLiteSnapshot
from index.storage.sqlite.transaction import SQLiteTransaction
from index.storage.store import Store
from index.system import files, roots


class SQLiteStore(Store):
    """One library file, as states to read and changes to write. May be shared between threads."""

    def __init__(self, path: Path) -> None:
        """Open an existing file; raises what `Database` raises."""
        self._folder = path.parent
        self._database = Database(path)

    @property
    def place(self) -> Path:
        """The same folder."""
        return self._folder

    @property
    def folder(self) -> Path:
        """The folder that the file lies in, with all that belongs to the library."""
        return self._folder

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def reading(self) -> Iterator[SQLiteSnapshot]:
        """One consistent state of the library, for as long as the block runs."""
        with self._database.reading() as connection:
            yield SQLiteSnapshot(connection)

    @contextmanager
    def writing(self, *, counted: bool = True) -> Iterator[SQLiteTransaction]:
        """One change: everything in the block is kept, or after an exception nothing.

        Args:
            counted: whether readers need to know; drafts are nobody's business.
        """
        with self._database.writing() as connection:
            had = bring_up(connection)
            if had <= UNSEALED:
                SQLiteTransaction(connection).seal_documents()
            writer = SQLiteTransaction(connection)
            if had <= UNSTEMMED:
                writer.rebuild_words()
            yield writer
            if counted:
                writer.finish()

    @contextmanager
    def changing(self, *, alone: bool = False) -> Iterator[None]:
        """The one right to write in the folder; whoever has it is alone."""
        with write_lock(self._folder):
            files.sweep(self._folder)
            yield

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, when no reader needs it."""
        self._database.checkpoint()

    def size(self) -> int:
        """Bytes on disk of everything in the folder."""
        return folder_size(self._folder)


def open_folder(path: str | Path, *, create: bool) -> SQLiteStore:
    """The store in a library's folder, made when it is missing.

    Raises:
        InputError: when `path` is no path, or a file.
        LibraryMissing: when there is none and `create` is False.
        LibraryDamaged: when its file cannot be read.
        LibraryMismatch: when another version of Pilcrow made it.
        LibraryUnwritable: when the disk or its permissions refuse.
    """
    roots.settled(path)  # refuses what is no path
    folder = Path(path).absolute()
    file = roots.look(folder / FILE)
    if file.kind == "closed":
        raise LibraryUnwritable(
            f"no library can be looked for in {str(path)!r} ({file.reason}). Make the folder "
            "readable for you, or choose another with --store"
        )
    if file.kind == "missing":
        if not create:
            raise LibraryMissing(
                f"no library at {str(path)!r}. Make one: pilcrow --store {path} add ARTICLES"
            )
        if roots.look(folder).kind == "file":
            raise InputError(f"{str(path)!r} is a file; a library is a folder")
        make_library(folder)
    files.make_private(folder)
    return SQLiteStore(folder / FILE)
