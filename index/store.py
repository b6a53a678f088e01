"""The truth: one SQLite file with documents, passages, sentences, vectors and the text index.

Every change is one transaction, numbered. Readers see one such number from start to end and never
wait for a writer (WAL). Nothing here knows files, models or FAISS.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.encoder import EncoderIdentity, PassageVectors, Vector
from index.errors import LibraryDamaged, LibraryMismatch
from index.lexical import index_form
from index.projection import Packed
from index.types import Document, DocumentRecord, Passage, Sentence, Span, title_from_id
from index.vectors import Ids, stack

FORMAT = 1
"""Number of the file's layout, in SQLite's `user_version`; raised when older code cannot read it."""
_APPLICATION = 0x50494C43  # 'PILC', in SQLite's application_id

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, source TEXT NOT NULL, author TEXT NOT NULL, date TEXT NOT NULL,
    text TEXT NOT NULL, furniture TEXT NOT NULL
);
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    content INTEGER NOT NULL REFERENCES contents (id),
    place TEXT NOT NULL, path TEXT NOT NULL UNIQUE, added_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX documents_content ON documents (content);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content INTEGER NOT NULL REFERENCES contents (id),
    paragraph INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    digest BLOB NOT NULL, spans TEXT NOT NULL,
    vector BLOB NOT NULL, sentence_vectors BLOB NOT NULL,
    token_counts TEXT NOT NULL, tokens BLOB NOT NULL
);
CREATE INDEX passages_content ON passages (content);
CREATE INDEX passages_digest ON passages (digest);
CREATE TABLE removed (passage INTEGER PRIMARY KEY, change INTEGER NOT NULL);
CREATE TABLE drafts (
    digest BLOB PRIMARY KEY, vector BLOB NOT NULL, sentence_vectors BLOB NOT NULL,
    token_counts TEXT NOT NULL, tokens BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE excluded (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    title, text, tokenize = 'porter unicode61 remove_diacritics 2'
);
"""
# A title names the subject once; matching it says less than matching the passage itself.
_TITLE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with everything a search needs of it."""

    id: int
    content: int
    document_ids: tuple[str, ...]
    title: str
    source: str
    author: str
    date: str
    paragraph: int
    start: int
    end: int
    text: str
    sentences: tuple[Span, ...]
    vector: Vector
    """Shape (d,), unit length."""
    sentence_vectors: NDArray[np.float16]
    """Shape (sentences, d), unit length."""
    token_counts: tuple[int, ...]
    """Word pieces of each sentence."""
    tokens: Packed
    """Their packed vectors, sentence after sentence, shape (pieces, width)."""


@dataclass(frozen=True, slots=True)
class NewContent:
    """A parsed article with its passages and their vectors, ready to be written."""

    hash: str
    document: Document
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]
    vectors: tuple[PassageVectors, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a document stands: its id, the place it was added from, its path and its content."""

    id: str
    place: str
    path: str
    content: int
    hash: str


class Store:
    """One library file. Connections are per thread; the object may be shared."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it when there is none.

        Raises:
            LibraryDamaged: when the file is not a SQLite file of ours.
            LibraryMismatch: when a newer Pilcrow made it.
        """
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        try:
            self._prepare(self._connection())
        except sqlite3.DatabaseError as error:
            self.close()
            raise LibraryDamaged(
                f"{str(path)!r} cannot be read as a library ({error}). Restore it from a backup, "
                "or move it away and run: pilcrow add ARTICLES"
            ) from error

    def close(self) -> None:
        """Close every thread's connection."""
        while self._all:
            self._all.pop().close()
        self._local = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """One consistent state of the library, for as long as the block runs."""
        connection = self._connection()
        if connection.in_transaction:  # a reader inside a reader or writer sees the same state
            yield Reader(connection)
            return
        connection.execute("BEGIN")
        try:
            yield Reader(connection)
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def writing(self, *, counted: bool = True) -> Iterator[Writer]:
        """One change: everything in the block is kept, or after an exception nothing.

        Args:
            counted: whether readers need to know; drafts are nobody's business.
        """
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            writer = Writer(connection)
            yield writer
            if counted:
                writer.finish()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, when no reader needs it."""
        self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(
                self._path, isolation_level=None, timeout=30, check_same_thread=False
            )
            self._all.append(found)
            self._local.connection = found
            found.execute("PRAGMA journal_mode = WAL")
            # a commit that was reported survives a power cut
            found.execute("PRAGMA synchronous = FULL")
            found.execute("PRAGMA foreign_keys = ON")
            # deleted means gone: freed pages are overwritten
            found.execute("PRAGMA secure_delete = ON")
        return found

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (made_by,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if made_by == _APPLICATION:
            if version > FORMAT:
                raise LibraryMismatch(
                    f"{str(self._path)!r} has format {version}, this Pilcrow reads up to "
                    f"{FORMAT}. Upgrade it: pip install -U pilcrow"
                )
            return
        connection.execute("BEGIN IMMEDIATE")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (made_by,) = connection.execute("PRAGMA application_id").fetchone()
        if made_by == _APPLICATION:  # another process was faster
            connection.execute("COMMIT")
            return
        if tables:
            connection.execute("ROLLBACK")
            raise sqlite3.DatabaseError("another program's database")
        for statement in _SCHEMA.split(";"):
            if statement.strip():
                connection.execute(statement)
        made = {"change": "0", "library": uuid.uuid4().hex, "title_weight": str(_TITLE_WEIGHT)}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", made.items())
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")


class Reader:
    """Questions to one state of the library."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through a connection that is inside a transaction."""
        self._db = connection

    @property
    def change(self) -> int:
        """Number of the last change; grows by one with each."""
        return int(self.meta("change") or 0)

    @property
    def library(self) -> str:
        """The library's own random id."""
        return self.meta("library") or ""

    @property
    def encoder(self) -> EncoderIdentity | None:
        """What the stored vectors were made with; None while there are none."""
        stored = self.meta("encoder")
        return EncoderIdentity(**json.loads(stored)) if stored else None

    @property
    def chunker(self) -> str:
        """Name of the splitting rules the passages were made with; empty while there are none."""
        return self.meta("chunker") or ""

    def meta(self, key: str) -> str | None:
        """One stored fact about the library."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def counts(self) -> dict[str, int]:
        """How many documents, passages and sentences there are."""
        one = self._db.execute(
            "SELECT (SELECT count(*) FROM documents), count(*), "
            "coalesce(sum(json_array_length(spans)), 0) FROM passages"
        ).fetchone()
        return dict(zip(("documents", "passages", "sentences"), map(int, one), strict=True))

    def integrity(self) -> str:
        """What SQLite finds wrong with its file; empty when nothing."""
        (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        return "" if found == "ok" else str(found)

    def words_integrity(self) -> str:
        """What is wrong with the text index; empty when nothing."""
        try:
            # FTS5 compares the index with the texts it keeps; it is asked in this odd form
            self._db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        except sqlite3.DatabaseError as error:
            return str(error)
        (missing,) = self._db.execute(
            "SELECT count(*) FROM passages WHERE id NOT IN (SELECT rowid FROM words)"
        ).fetchone()
        (orphans,) = self._db.execute(
            "SELECT count(*) FROM words WHERE rowid NOT IN (SELECT id FROM passages)"
        ).fetchone()
        return f"{missing} passages missing, {orphans} too many" if missing or orphans else ""

    def vector_sizes(self) -> Iterator[tuple[int, int, int, int]]:
        """Per passage: id, bytes of its vector, number of sentences, bytes of their vectors."""
        yield from self._db.execute(
            "SELECT id, length(vector), json_array_length(spans), length(sentence_vectors) "
            "FROM passages"
        )

    def places(self) -> list[str]:
        """Every folder and file that was ever added and not removed, as absolute paths."""
        return [str(row[0]) for row in self._db.execute("SELECT path FROM places ORDER BY path")]

    def excluded(self) -> set[str]:
        """Files that a person took out, as absolute paths."""
        return {str(row[0]) for row in self._db.execute("SELECT path FROM excluded")}

    def placed(self) -> list[Placed]:
        """Every document with its whereabouts."""
        rows = self._db.execute(
            "SELECT d.id, d.place, d.path, d.content, c.hash FROM documents d "
            "JOIN contents c ON c.id = d.content ORDER BY d.id"
        )
        return [Placed(*row) for row in rows]

    def records(self) -> list[DocumentRecord]:
        """Every document as a library lists it, by id."""
        rows = self._db.execute(
            "SELECT d.id, c.title, c.source, c.author, c.date, count(DISTINCT p.paragraph), "
            "count(p.id), coalesce(sum(json_array_length(p.spans)), 0), length(c.text), c.hash, "
            "d.path, d.added_at FROM documents d JOIN contents c ON c.id = d.content "
            "LEFT JOIN passages p ON p.content = c.id GROUP BY d.id ORDER BY d.id"
        ).fetchall()
        return [DocumentRecord(row[0], row[1] or title_from_id(row[0]), *row[2:]) for row in rows]

    def document(self, document_id: str) -> Document | None:
        """One document, whole."""
        row = self._db.execute(
            "SELECT c.title, c.text, c.source, c.author, c.date, c.furniture FROM documents d "
            "JOIN contents c ON c.id = d.content WHERE d.id = ?",
            (document_id,),
        ).fetchone()
        if row is None:
            return None
        furniture = tuple(Span(*span) for span in json.loads(row[5]))
        return Document(document_id, *row[:5], furniture=furniture)

    def passages_of(self, document_id: str) -> list[StoredPassage]:
        """A document's passages in order."""
        rows = self._db.execute(
            "SELECT p.id FROM passages p JOIN documents d ON d.content = p.content "
            "WHERE d.id = ? ORDER BY p.start",
            (document_id,),
        ).fetchall()
        found = self.passages([int(row[0]) for row in rows])
        return sorted(found, key=lambda p: p.start)

    def passages(self, ids: Sequence[int]) -> list[StoredPassage]:
        """The passages with these ids, as far as they are in the library, in no set order."""
        rows = self._db.execute(
            'SELECT p.id, p.content, p.paragraph, p.start, p."end", p.spans, p.vector, '
            "p.sentence_vectors, c.title, c.source, c.author, c.date, "
            'substr(c.text, p.start + 1, p."end" - p.start), '
            "(SELECT json_group_array(id) FROM documents WHERE content = c.id), "
            "p.token_counts, p.tokens FROM passages p JOIN contents c ON c.id = p.content "
            "WHERE p.id IN (SELECT value FROM json_each(?))",
            (json.dumps([int(one) for one in ids]),),
        )
        return [_stored_passage(row) for row in rows]

    def matches(
        self, query: str, k: int, contents: Collection[int] | None = None
    ) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` for an FTS5 query.

        Args:
            query: from `lexical.match_query`.
            k: how many at most.
            contents: only passages of these contents; all when None.
        """
        if not query:
            return {}
        only = ""
        values: list[object] = [_TITLE_WEIGHT, query]
        if contents is not None:
            only = (
                "AND rowid IN (SELECT id FROM passages WHERE content IN "
                "(SELECT value FROM json_each(?))) "
            )
            values.append(json.dumps(list(contents)))
        rows = self._db.execute(
            "SELECT rowid, -bm25(words, ?, 1.0) AS score FROM words WHERE words MATCH ? "
            f"{only}ORDER BY score DESC, rowid LIMIT ?",
            (*values, k),
        )
        return {int(row[0]): float(row[1]) for row in rows}

    def passages_with(self, word: str) -> int:
        """How many passages hold a word (or another form of it)."""
        row = self._db.execute(
            "SELECT count(*) FROM words WHERE words MATCH ?", (f'"{word}"',)
        ).fetchone()
        return int(row[0])

    def contents(
        self, documents: Collection[str] | None, dates: tuple[str, str] | None
    ) -> set[int]:
        """The contents behind chosen documents, dated within `dates` (both ends included)."""
        wanted = None if documents is None else set(documents)
        rows = self._db.execute(
            "SELECT d.id, d.content, c.date FROM documents d JOIN contents c ON c.id = d.content"
        )
        return {
            int(content)
            for document_id, content, date in rows
            if (wanted is None or document_id in wanted) and (dates is None or _within(date, dates))
        }

    def passage_ids(self, contents: Collection[int]) -> Ids:
        """Ids of the passages of some contents, ascending."""
        rows = self._db.execute(
            "SELECT id FROM passages WHERE content IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(contents)),),
        ).fetchall()
        return np.array([row[0] for row in rows], np.int64)

    def vectors_after(self, passage_id: int, dimension: int) -> tuple[Ids, Vector]:
        """Ids, ascending, and vectors, shape (n, d), of passages with a greater id."""
        rows = self._db.execute(
            "SELECT id, vector FROM passages WHERE id > ? ORDER BY id", (passage_id,)
        ).fetchall()
        ids = np.array([row[0] for row in rows], np.int64)
        return ids, stack((row[1] for row in rows), dimension)

    def removed_after(self, change: int) -> Ids:
        """Ids of passages removed by later changes, ascending."""
        rows = self._db.execute(
            "SELECT passage FROM removed WHERE change > ? ORDER BY passage", (change,)
        ).fetchall()
        return np.array([row[0] for row in rows], np.int64)

    def content_of(self, hash_: str) -> int | None:
        """The content with this hash, if it is stored."""
        row = self._db.execute("SELECT id FROM contents WHERE hash = ?", (hash_,)).fetchone()
        return None if row is None else int(row[0])

    def known_digests(self, digests: Collection[bytes], *, drafts_only: bool = False) -> set[bytes]:
        """Which of these digests have vectors already, in documents or drafts."""
        tables = ("drafts",) if drafts_only else ("passages", "drafts")
        return {
            digest
            for digest in digests
            for table in tables
            if self._db.execute(
                f"SELECT 1 FROM {table} WHERE digest = ? LIMIT 1", (digest,)
            ).fetchone()
        }

    def known_vectors(
        self, digests: Collection[bytes], dimension: int
    ) -> dict[bytes, PassageVectors]:
        """Vectors already made for passages with these digests, in documents or drafts."""
        found: dict[bytes, PassageVectors] = {}
        for digest in digests:
            row = self._db.execute(
                f"SELECT {_VECTORS} FROM passages WHERE digest = ?1 "
                f"UNION ALL SELECT {_VECTORS} FROM drafts WHERE digest = ?1 LIMIT 1",
                (digest,),
            ).fetchone()
            if row is not None:
                found[digest] = _vectors(row, dimension)
        return found


class Writer(Reader):
    """One change in the making."""

    def finish(self) -> None:
        """Count the change, if there was one."""
        (rows,) = self._db.execute("SELECT total_changes()").fetchone()
        if rows != self._rows_before:
            self.set_meta("change", str(self.change + 1))

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write through a connection that is inside a write transaction."""
        super().__init__(connection)
        (self._rows_before,) = connection.execute("SELECT total_changes()").fetchone()

    def set_meta(self, key: str, value: str) -> None:
        """Store one fact about the library."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def set_encoder(self, identity: EncoderIdentity, chunker: str) -> None:
        """Record what the vectors and passages are made with."""
        self.set_meta("encoder", json.dumps(asdict(identity)))
        self.set_meta("chunker", chunker)

    def add_place(self, path: str) -> None:
        """Remember a folder or file, so that `rebuild` looks there again."""
        self._db.execute("INSERT OR IGNORE INTO places VALUES (?)", (path,))

    def exclude(self, path: str) -> None:
        """Remember that a person took this file out, so that a rebuild does not bring it back."""
        self._db.execute("INSERT OR IGNORE INTO excluded VALUES (?)", (path,))

    def include(self, paths: Iterable[str]) -> None:
        """Forget that files were taken out."""
        self._db.executemany("DELETE FROM excluded WHERE path = ?", ((path,) for path in paths))

    def drop_place(self, path: str) -> None:
        """Forget a folder or file."""
        self._db.execute("DELETE FROM places WHERE path = ?", (path,))

    def add_content(self, new: NewContent) -> int:
        """Store an article with its passages, vectors and words; returns its content id."""
        document = new.document
        furniture = json.dumps([[s.start, s.end] for s in document.furniture])
        cursor = self._db.execute(
            "INSERT INTO contents (hash, title, source, author, date, text, furniture) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (new.hash, document.title, document.source, document.author, document.date,
             document.text, furniture),
        )  # fmt: skip
        content = int(cursor.lastrowid or 0)
        title = index_form(document.name)
        for passage, digest, vectors in zip(new.passages, new.digests, new.vectors, strict=True):
            spans = json.dumps([[s.start, s.end] for s in passage.sentences])
            cursor = self._db.execute(
                f'INSERT INTO passages (content, paragraph, start, "end", digest, spans, {_VECTORS}) '
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (content, passage.paragraph, passage.start, passage.end, digest, spans,
                 *_blobs(vectors)),
            )  # fmt: skip
            self._db.execute(
                "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
                (cursor.lastrowid, title, index_form(passage.text)),
            )
        return content

    def place_document(self, document_id: str, content: int, place: str, path: str) -> None:
        """Let a document id stand for a content; what it stood for before goes if unused."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = self._db.execute(
            "SELECT content FROM documents WHERE id = ?", (document_id,)
        ).fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
            (document_id, content, place, path, now),
        )
        if row is not None and row[0] != content:
            self._drop_unused(int(row[0]))

    def remove_document(self, document_id: str) -> None:
        """Take a document out; its content goes too unless another path holds the same."""
        row = self._db.execute(
            "DELETE FROM documents WHERE id = ? RETURNING content", (document_id,)
        ).fetchone()
        if row is not None:
            self._drop_unused(int(row[0]))

    def save_drafts(self, drafts: Iterable[tuple[bytes, PassageVectors]]) -> None:
        """Keep vectors of passages whose document is not complete yet."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO drafts (digest, {_VECTORS}) VALUES (?, ?, ?, ?, ?)",
            ((digest, *_blobs(vectors)) for digest, vectors in drafts),
        )

    def clear_drafts(self) -> None:
        """Forget all drafts."""
        self._db.execute("DELETE FROM drafts")

    def rebuild_words(self) -> None:
        """Make the text index anew from the stored texts."""
        self._db.execute("DELETE FROM words")
        rows = self._db.execute(
            'SELECT p.id, c.title, substr(c.text, p.start + 1, p."end" - p.start), '
            "(SELECT min(id) FROM documents WHERE content = c.id) "
            "FROM passages p JOIN contents c ON c.id = p.content ORDER BY p.id"
        ).fetchall()
        self._db.executemany(
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
            (
                (id_, index_form(title or title_from_id(document_id)), index_form(text))
                for id_, title, text, document_id in rows
            ),
        )

    def clear(self) -> None:
        """Take everything out but the places; passage ids go on counting, never return."""
        self._db.execute("DELETE FROM documents")
        for (content,) in self._db.execute("SELECT id FROM contents").fetchall():
            self._drop_unused(int(content))

    def _drop_unused(self, content: int) -> None:
        used = self._db.execute(
            "SELECT 1 FROM documents WHERE content = ? LIMIT 1", (content,)
        ).fetchone()
        if used:
            return
        of_content = "SELECT id FROM passages WHERE content = ?"
        self._db.execute(
            f"INSERT INTO removed SELECT id, ? FROM ({of_content})", (self.change + 1, content)
        )
        self._db.execute(f"DELETE FROM words WHERE rowid IN ({of_content})", (content,))
        self._db.execute("DELETE FROM passages WHERE content = ?", (content,))
        self._db.execute("DELETE FROM contents WHERE id = ?", (content,))


_VECTORS = "vector, sentence_vectors, token_counts, tokens"


def _blobs(vectors: PassageVectors) -> tuple[bytes, bytes, str, bytes]:
    return (
        vectors.passage.astype("<f4").tobytes(),
        vectors.sentences.astype("<f2").tobytes(),
        json.dumps(vectors.counts),
        vectors.tokens.tobytes(),
    )


def _vectors(row: Sequence[Any], dimension: int) -> PassageVectors:
    passage, sentences, counts, tokens = row
    return PassageVectors(
        np.frombuffer(passage, "<f4").astype(np.float32),
        np.frombuffer(sentences, "<f2").reshape(-1, dimension).astype(np.float32),
        _packed(tokens, json.loads(counts)),
        tuple(json.loads(counts)),
    )


def _packed(blob: bytes, counts: Sequence[int]) -> Packed:
    """Packed tokens as rows; the width follows from how many there are."""
    total = sum(counts)
    width = len(blob) // total if total else 1
    return np.frombuffer(blob, np.int8).reshape(-1, width)


def _stored_passage(row: Sequence[Any]) -> StoredPassage:
    (id_, content, paragraph, start, end, spans, vector, sentence_vectors) = row[:8]
    passage_vector = np.frombuffer(vector, "<f4").astype(np.float32)
    counts = json.loads(row[14])
    return StoredPassage(
        id=id_,
        content=content,
        document_ids=tuple(sorted(json.loads(row[13]))),
        title=row[8],
        source=row[9],
        author=row[10],
        date=row[11],
        paragraph=paragraph,
        start=start,
        end=end,
        text=row[12],
        sentences=tuple(Span(*span) for span in json.loads(spans)),
        vector=passage_vector,
        sentence_vectors=np.frombuffer(sentence_vectors, "<f2").reshape(-1, len(passage_vector)),
        token_counts=tuple(counts),
        tokens=_packed(row[15], counts),
    )


def _within(date: str, dates: tuple[str, str]) -> bool:
    """Whether a stated date may lie in a range; `2024` lies in any range that touches 2024."""
    first, last = dates
    return bool(date) and date >= first[: len(date)] and date[: len(last)] <= last
