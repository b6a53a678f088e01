"""The library's one SQLite file: layout, connections, transactions; its failures in plain words.

Readers see one state from start to end and never wait for a writer (write-ahead log). Nothing here
knows what the tables mean.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path

from index.errors import (
    LibraryBusy,
    LibraryDamaged,
    LibraryMismatch,
    LibraryUnwritable,
    PilcrowError,
)
from index.system import files

FILE = files.LIBRARY_FILE
"""What the file is called in a library's folder."""
FORMAT = 7
"""The file's layout, in SQLite's `user_version`; raised when older code could not read it."""
UNSEALED, UNLABELLED, UNEXCLUDED, UNPLACED, UNSTEMMED = 2, 3, 4, 5, 6
"""Those before: without seals over documents; with them, without tags, aliases and descriptions;
with these, without globs of what is ignored in a place; with these, without pages and sections;
with these, with words of other languages than English as they stand. They are read as they are and
brought up by the next writer."""
_APPLICATION = files.LIBRARY_APPLICATION

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE excluded (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, source TEXT NOT NULL, author TEXT NOT NULL, date TEXT NOT NULL,
    text TEXT NOT NULL, furniture TEXT NOT NULL, seal INTEGER NOT NULL
);
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    content INTEGER NOT NULL REFERENCES contents (id),
    place TEXT NOT NULL, path TEXT NOT NULL UNIQUE, added_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX documents_content ON documents (content);
CREATE INDEX documents_place ON documents (place);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content INTEGER NOT NULL REFERENCES contents (id),
    paragraph INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    digest BLOB NOT NULL, spans TEXT NOT NULL, seal INTEGER NOT NULL,
    vector BLOB NOT NULL, sentence_vectors BLOB NOT NULL,
    token_counts TEXT NOT NULL, tokens BLOB NOT NULL
);
CREATE INDEX passages_content ON passages (content);
CREATE INDEX passages_digest ON passages (digest);
CREATE TABLE drafts (
    digest BLOB PRIMARY KEY, vector BLOB NOT NULL, sentence_vectors BLOB NOT NULL,
    token_counts TEXT NOT NULL, tokens BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE changes (number INTEGER PRIMARY KEY, token TEXT NOT NULL);
CREATE TABLE removed (passage INTEGER PRIMARY KEY, change INTEGER NOT NULL);
CREATE INDEX removed_change ON removed (change);
"""
_SEALS = "CREATE TABLE seals (document TEXT PRIMARY KEY, seal INTEGER NOT NULL) WITHOUT ROWID"
_LABELS = "ALTER TABLE contents ADD COLUMN labels TEXT NOT NULL DEFAULT ''"
_EXCLUDES = "ALTER TABLE places ADD COLUMN exclude TEXT NOT NULL DEFAULT ''"
_PLACES = """ALTER TABLE contents ADD COLUMN outline TEXT NOT NULL DEFAULT '';
ALTER TABLE contents ADD COLUMN edition INTEGER NOT NULL DEFAULT 0;
ALTER TABLE passages ADD COLUMN places TEXT NOT NULL DEFAULT ''"""
WORDS_AS_THEY_STAND = """CREATE VIRTUAL TABLE words USING fts5(
    title, text, tokenize = 'porter unicode61 remove_diacritics 2'
)"""
"""The text index of earlier layouts."""
TOKENIZER = """tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\""""
"""How the text index parts and stems words."""
WORDS = f"""CREATE VIRTUAL TABLE words USING fts5(
    title, text, {TOKENIZER}
)"""
_ADDED = {
    UNSEALED: _SEALS,
    UNLABELLED: _LABELS,
    UNEXCLUDED: _EXCLUDES,
    UNPLACED: _PLACES,
    UNSTEMMED: f"DROP TABLE words;{WORDS}",  # the next writer fills it
}
"""What turns each earlier layout into the next."""
# Connections kept for the next reader. While others are open SQLite keeps the files of those that
# are closed; so after a crowd the first quiet moment closes them all.
_MOST_IDLE = 4
# Connections made before a fork. Closing them in the child would end the parent's transactions.
_LEFT_TO_THE_PARENT: list[sqlite3.Connection] = []


def create(path: Path) -> None:
    """Make an empty library file; it is there whole or not at all. One process at a time.

    Raises:
        OSError: when the disk or its permissions refuse.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _lay_out(connection)
        made = {"library": uuid.uuid4().hex, "encoder": "", "chunker": "", "passages": 0,
                "sentences": 0}  # fmt: skip
        connection.executemany("INSERT INTO meta VALUES (?, ?)", made.items())
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        image = bytearray(connection.serialize())
    image[18:20] = b"\2\2"  # read and written with a write-ahead log (SQLite's file format, 1.3)
    for ending in ("-wal", "-shm"):  # of a file that is no more; SQLite would play them into ours
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with files.replacing(path) as file:
        file.write(image)


def bring_up(connection: sqlite3.Connection) -> int:
    """The layout that a file had before it was given ours; inside a write transaction.

    Up to `UNSEALED` documents have no seals yet, up to `UNSTEMMED` the text index is empty now.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != FORMAT:
        for earlier in range(version, FORMAT):
            _add(connection, earlier)
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    return int(version)


def lay_out_documents(connection: sqlite3.Connection) -> None:
    """Make the tables of documents and their seals anew, empty, whatever their indexes hold."""
    connection.execute("DROP TABLE documents")
    connection.execute("DROP TABLE seals")
    for statement in _SCHEMA.split(";"):
        if " documents" in statement:
            connection.execute(statement)
    connection.execute(_SEALS)


class Database:
    """An existing library file. May be shared between threads and carried over a fork."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            LibraryDamaged: when the file is not a SQLite file of ours.
            LibraryMismatch: when another version of Pilcrow made it.
            LibraryUnwritable: when the disk or its permissions refuse.
        """
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._closed = False
        self._open = threading.local()
        self._counting = threading.Lock()
        self._lent, self._crowded = 0, False
        # who forgets to close has it done when the object goes
        weakref.finalize(self, _close_all, self._idle, self._process).atexit = False
        with self.reading() as connection:
            _require_ours(connection, path)

    def close(self) -> None:
        """Close every connection; one that is in use closes when its block ends."""
        self._closed = True
        _close_all(self._idle, self._process)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state for as long as the block runs.

        Inside another such block of the same thread it is the same state.
        """
        outer: sqlite3.Connection | None = getattr(self._open, "connection", None)
        if outer is not None:
            yield outer
            return
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are all kept at the end, or after an exception none."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, unless a reader needs it still."""
        with explained(self._path):
            connection = self._borrow()
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._give_back(connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with explained(self._path):
            connection = self._borrow()
            try:
                connection.execute(begin)
                self._open.connection = connection
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # after a failure of the disk it may be gone already
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._open.connection = None
                self._give_back(connection)

    def _borrow(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            _LEFT_TO_THE_PARENT.extend(self._idle)
            self._idle.clear()
            self._process, self._open = os.getpid(), threading.local()
            self._counting, self._lent = threading.Lock(), 0
        with suppress(IndexError):
            return self._lend(self._idle.pop())
        return self._lend(self._made())

    def _lend(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        with self._counting:
            self._lent += 1
        return connection

    def _made(self) -> sqlite3.Connection:
        try:
            return _opened(str(self._path))
        except UnicodeDecodeError as error:  # what SQLite quotes of a damaged file is no text
            raise damaged(self._path, "malformed") from error
        except sqlite3.OperationalError:
            # In a folder where nothing may be written SQLite cannot keep the side files that
            # readers of a log share. Where there is no log, nobody writes, and none are needed.
            log = self._path.with_name(self._path.name + "-wal")
            if log.exists() and log.stat().st_size:
                raise
            connection = _opened(f"{self._path.as_uri()}?immutable=1")
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        # what was opened as unchanging is looked at once: later there may be a log
        (unchanging,) = connection.execute("PRAGMA query_only").fetchone()
        if self._closed or unchanging or connection.in_transaction:
            connection.close()
        else:
            self._idle.append(connection)
        with self._counting:
            self._lent -= 1
            self._crowded |= len(self._idle) > _MOST_IDLE
            if self._crowded and not self._lent:
                self._crowded = False
                _close_all(self._idle, self._process)


def _close_all(connections: list[sqlite3.Connection], process: int) -> None:
    with suppress(IndexError):  # all are closed, or somebody takes the last one
        while process == os.getpid():
            connections.pop().close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Failures of disk and file become errors with a way out; bugs keep their traceback."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        meant = _meant(error, path)
        if meant is None:
            raise
        raise meant from error


def damaged(path: Path, why: object) -> LibraryDamaged:
    """The file is not what was written."""
    return LibraryDamaged(
        f"{str(path)!r} is damaged ({why}). Restore it from a backup, or move the folder away and "
        "add your articles again: pilcrow add ARTICLES"
    )


def _meant(error: sqlite3.DatabaseError, path: Path) -> PilcrowError | None:
    """What SQLite's error means for a person; None when it can only be a bug of ours."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of the number is detail
    if kind == sqlite3.SQLITE_FULL:
        return LibraryUnwritable(
            f"the disk is full; {str(path.parent)!r} is as it was. Free some space, then try again"
        )
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LibraryUnwritable(
            f"{str(path.parent)!r} cannot be written ({error}). Make the folder writable for you, "
            "or choose another with --store"
        )
    if kind == sqlite3.SQLITE_IOERR:
        return LibraryUnwritable(
            f"the disk failed under {str(path.parent)!r} ({error}); the library is as it was. "
            "Look after the disk, then run: pilcrow check"
        )
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryBusy("another process is changing this library. Try again when it is done")
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, error)
    if "Could not decode to UTF-8" in str(error):  # this one has no number
        return LibraryDamaged(
            f"{str(path)!r} holds a damaged text. Mend it with: pilcrow check --repair"
        )
    return None


def _opened(place: str) -> sqlite3.Connection:
    """A connection to a path or a `file:` address that can be read from."""
    connection = sqlite3.connect(
        place,
        isolation_level=None,
        timeout=30,
        check_same_thread=False,
        uri=place.startswith("file:"),
    )
    try:
        # a commit that was reported survives a power cut
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # deleted means gone: freed pages are overwritten
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is another program's, another version's, or not laid out as ours."""
    if not path.stat().st_size:
        raise damaged(path, "it is empty")
    (made_by,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if made_by != _APPLICATION:
        raise damaged(path, "not a library of Pilcrow's")
    if version > FORMAT:
        raise LibraryMismatch(
            f"{str(path)!r} has format {version}, this Pilcrow reads format {FORMAT}. "
            "Upgrade it: pip install -U pilcrow-rag"
        )
    if version < UNSEALED:
        raise LibraryMismatch(
            f"{str(path)!r} has the older format {version}, this Pilcrow reads format {FORMAT}. "
            "Move the folder away and add your articles again: pilcrow add ARTICLES"
        )
    if _layout(connection) != _our_layout(version):
        raise damaged(path, "its tables are not laid out as they were made")


def _lay_out(connection: sqlite3.Connection, version: int = FORMAT) -> None:
    for statement in (*_SCHEMA.split(";"), WORDS_AS_THEY_STAND):
        connection.execute(statement)
    for earlier in range(UNSEALED, version):
        _add(connection, earlier)


def _add(connection: sqlite3.Connection, earlier: int) -> None:
    for statement in _ADDED[earlier].split(";"):
        connection.execute(statement)


def _layout(connection: sqlite3.Connection) -> list[object]:
    layout: list[object] = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()
    return layout


@cache
def _our_layout(version: int) -> list[object]:
    with closing(sqlite3.connect(":memory:")) as connection:
        _lay_out(connection, version)
        return _layout(connection)
