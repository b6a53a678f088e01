"""The truth: documents, passages, sentences, vectors and the text index, in one SQLite file.

Every change is one transaction, numbered, and readers see one such number from start to end.
Nothing here knows files, models or FAISS. What is read back is compared with a checksum made when
it was written: SQLite notices broken structure, but not a flipped bit in somebody's sentence.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import EncoderIdentity, PassageVectors, Vector
from index.embedding.projection import Packed
from index.errors import LibraryDamaged
from index.search.vectors import Ids, stack
from index.storage.database import WORDS, Database
from index.tokenization import index_form, sound
from index.types import Document, DocumentRecord, Passage, Span, title_from_id

# A title names the subject once; matching it says less than matching the passage itself.
_TITLE_WEIGHT = 0.5
# Squared lengths of unit vectors differ from 1 by less, unless they are damaged.
_ROUNDING = 1e-3


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
    vectors: Iterable[PassageVectors]
    """One for each passage; taken once."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a document stands: its id, the place it was added from, its path and its content."""

    id: str
    place: str
    path: str
    content: int
    hash: str


class Store:
    """One library file, as states to read and changes to write. May be shared between threads."""

    def __init__(self, path: Path) -> None:
        """Open an existing file; raises what `Database` raises."""
        self._database = Database(path)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """One consistent state of the library, for as long as the block runs."""
        with self._database.reading() as connection:
            yield Reader(connection)

    @contextmanager
    def writing(self, *, counted: bool = True) -> Iterator[Writer]:
        """One change: everything in the block is kept, or after an exception nothing.

        Args:
            counted: whether readers need to know; drafts are nobody's business.
        """
        with self._database.writing() as connection:
            writer = Writer(connection)
            yield writer
            if counted:
                writer.finish()

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, when no reader needs it."""
        self._database.checkpoint()


class Reader:
    """Questions to one state of the library."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through a connection that is inside a transaction."""
        self._db = connection

    @property
    def change(self) -> int:
        """Number of the last change; grows by one with each."""
        (number,) = self._db.execute("SELECT max(number) FROM changes").fetchone()
        return int(number or 0)

    @property
    def token(self) -> str:
        """The last change's own random name; empty before the first."""
        return self._token_of(self.change)

    @property
    def library(self) -> str:
        """The library's own random id."""
        return self.meta("library")

    @property
    def encoder(self) -> EncoderIdentity | None:
        """What the stored vectors were made with; None while there are none."""
        stored = self.meta("encoder")
        try:
            return EncoderIdentity(**json.loads(stored)) if stored else None
        except (ValueError, TypeError) as error:
            raise _unnoted("encoder") from error

    @property
    def chunker(self) -> str:
        """Name of the splitting rules the passages were made with; empty while there are none."""
        return self.meta("chunker")

    def _token_of(self, change: int) -> str:
        row = self._db.execute("SELECT token FROM changes WHERE number = ?", (change,)).fetchone()
        return "" if row is None else str(row[0])

    def meta(self, key: str) -> str:
        """One stored fact about the library; every one is there from the beginning."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise _unnoted(key)
        return str(row[0])

    def _number(self, key: str) -> int:
        try:
            return int(self.meta(key))
        except ValueError as error:
            raise _unnoted(key) from error

    def knows(self, change: int, token: str) -> bool:
        """Whether this state grew out of that change, and what was removed since is known."""
        return bool(token) and self._token_of(change) == token

    def counts(self) -> dict[str, int]:
        """How many documents, passages and sentences there are; kept with every change."""
        (documents,) = self._db.execute("SELECT count(*) FROM documents").fetchone()
        return {
            "documents": int(documents),
            "passages": self._number("passages"),
            "sentences": self._number("sentences"),
        }

    def recounted(self) -> dict[str, int]:
        """The same, counted one by one."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM documents), count(*), "
            f"coalesce(sum({_COUNTED}), 0) FROM passages"
        ).fetchone()
        return dict(zip(("documents", "passages", "sentences"), map(int, row), strict=True))

    def integrity(self) -> str:
        """What SQLite finds wrong with its file; empty when nothing."""
        (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        return "" if found == "ok" else str(found)

    def strays(self) -> int:
        """Contents that no document stands for, and documents without one."""
        (found,) = self._db.execute(
            "SELECT (SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM documents))"
            " + (SELECT count(*) FROM documents WHERE content NOT IN (SELECT id FROM contents))"
            " + (SELECT count(*) FROM passages WHERE content NOT IN (SELECT id FROM contents))"
        ).fetchone()
        return int(found)

    def bad_contents(self) -> list[int]:
        """The contents that are not what was written."""
        rows = self._raw(f"SELECT c.id, c.seal, {_CONTENT} FROM contents c")
        return [int(row[0]) for row in rows if _seal(row[2:]) != row[1]]

    def bad_passages(self) -> list[tuple[int, int]]:
        """The passages that are not what was written, each with its content."""
        rows = self._raw(
            f"SELECT p.id, p.seal, {_PASSAGE} FROM passages p JOIN contents c ON c.id = p.content"
        )
        return [(int(row[0]), int(row[2])) for row in rows if _seal(row[2:]) != row[1]]

    def _raw(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Rows with their texts as bytes: damaged ones may be no UTF-8."""
        cursor = self._db.execute(query, values)
        while True:
            self._db.text_factory = bytes
            try:
                rows = cursor.fetchmany(64)
            finally:
                self._db.text_factory = str
            if not rows:
                return
            yield from rows

    def places(self) -> list[str]:
        """Every folder and file that was ever added and not removed, as absolute paths."""
        return [os.fsdecode(row[0]) for row in self._db.execute("SELECT path FROM places")]

    def excluded(self) -> set[str]:
        """Files that a person took out, as absolute paths."""
        return {os.fsdecode(row[0]) for row in self._db.execute("SELECT path FROM excluded")}

    def placed(self) -> list[Placed]:
        """Every document with its whereabouts."""
        return self._placed("ORDER BY d.id")

    def placed_in(self, place: str) -> list[Placed]:
        """The documents that were added with this file or folder."""
        return self._placed("WHERE d.place = ? ORDER BY d.id", _stored(place))

    def placed_at(self, path: str) -> Placed | None:
        """The document that this file stands for."""
        return next(iter(self._placed("WHERE d.path = ?", _stored(path))), None)

    def placed_as(self, document_id: str) -> Placed | None:
        """The document with this id."""
        return next(iter(self._placed("WHERE d.id = ?", _storable(document_id))), None)

    def placed_with(self, content: int) -> list[Placed]:
        """The documents with this content."""
        return self._placed("WHERE d.content = ? ORDER BY d.id", content)

    def _placed(self, which: str, *values: object) -> list[Placed]:
        rows = self._db.execute(
            "SELECT d.id, d.place, d.path, d.content, c.hash FROM documents d "
            f"JOIN contents c ON c.id = d.content {which}",
            values,
        )
        return [Placed(r[0], os.fsdecode(r[1]), os.fsdecode(r[2]), r[3], r[4]) for r in rows]

    def records(self) -> list[DocumentRecord]:
        """Every document as a library lists it, by id."""
        rows = self._db.execute(
            "SELECT d.id, c.title, c.source, c.author, c.date, count(DISTINCT p.paragraph), "
            f"count(p.id), coalesce(sum({_COUNTED}), 0), length(c.text), c.hash, "
            "d.path, d.added_at FROM documents d JOIN contents c ON c.id = d.content "
            "LEFT JOIN passages p ON p.content = c.id GROUP BY d.id ORDER BY d.id"
        )
        return [
            DocumentRecord(*(id_, title or title_from_id(id_), *more, os.fsdecode(path), added))
            for id_, title, *more, path, added in rows
        ]

    def document(self, document_id: str) -> Document | None:
        """One document, whole."""
        row = self._db.execute(
            f"SELECT c.seal, {_CONTENT} FROM documents d "
            "JOIN contents c ON c.id = d.content WHERE d.id = ?",
            (_storable(document_id),),
        ).fetchone()
        if row is None:
            return None
        _require_seal(row, f"the stored text of {document_id!r}")
        (_, _, title, source, author, date, text, furniture) = row
        parts = tuple(Span(*span) for span in json.loads(furniture))
        return Document(document_id, title, text, source, author, date, parts)

    def passages_of(self, document_id: str) -> list[StoredPassage]:
        """A document's passages in order."""
        rows = self._db.execute(
            "SELECT p.id FROM passages p JOIN documents d ON d.content = p.content "
            "WHERE d.id = ? ORDER BY p.start",
            (_storable(document_id),),
        ).fetchall()
        found = self.passages([int(row[0]) for row in rows])
        return sorted(found, key=lambda p: p.start)

    def passages(self, ids: Sequence[int]) -> list[StoredPassage]:
        """The passages with these ids, as far as they are in the library, in no set order."""
        rows = self._db.execute(
            "SELECT p.id, (SELECT json_group_array(id) FROM documents WHERE content = c.id), "
            f"p.seal, {_PASSAGE} FROM passages p JOIN contents c ON c.id = p.content "
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
        only, of = _among(contents)
        rows = self._db.execute(
            "SELECT rowid, -bm25(words, ?, 1.0) AS score FROM words WHERE words MATCH ? "
            f"{only}ORDER BY score DESC, rowid LIMIT ?",
            (_TITLE_WEIGHT, query, *of, k),
        )
        return {int(row[0]): float(row[1]) for row in rows}

    def passages_with(self, word: str, contents: Collection[int] | None = None) -> int:
        """How many passages hold a word (or another form of it).

        Args:
            word: from `lexical.words`.
            contents: only passages of these contents; all when None.
        """
        only, of = _among(contents)
        row = self._db.execute(
            f"SELECT count(*) FROM words WHERE words MATCH ? {only}", (f'"{word}"', *of)
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
            "SELECT id, vector FROM passages WHERE id > ? AND length(vector) = ? ORDER BY id",
            (passage_id, 4 * dimension),
        ).fetchall()
        ids = np.array([row[0] for row in rows], np.int64)
        found = stack((row[1] for row in rows), dimension)
        lengths = np.einsum("nd,nd->n", found, found)
        if not np.all(np.abs(lengths - 1) < _ROUNDING):  # one that is no number would hide the rest
            raise _damaged("a vector")
        return ids, found

    def changed_after(self, passage_id: int, change: int) -> int:
        """How many passages have a greater id or were removed by later changes."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM passages WHERE id > ?) "
            "+ (SELECT count(*) FROM removed WHERE change > ?)",
            (passage_id, change),
        ).fetchone()
        return int(row[0])

    def removed_after(self, change: int) -> Ids:
        """Ids of passages removed by later changes, ascending."""
        rows = self._db.execute(
            "SELECT passage FROM removed WHERE change > ? ORDER BY passage", (change,)
        ).fetchall()
        return np.array([row[0] for row in rows], np.int64)

    def rows_left(self, passages: Collection[int]) -> int:
        """How many rows there are about passages with these ids: 0 once they are removed."""
        ids = json.dumps(list(passages))
        (left,) = self._db.execute(
            "SELECT (SELECT count(*) FROM passages WHERE id IN (SELECT value FROM json_each(?1))) "
            "+ (SELECT count(*) FROM words WHERE rowid IN (SELECT value FROM json_each(?1)))",
            (ids,),
        ).fetchone()
        return int(left)

    def content_of(self, hash_: str) -> int | None:
        """The content with this hash, if it is stored."""
        row = self._db.execute("SELECT id FROM contents WHERE hash = ?", (hash_,)).fetchone()
        return None if row is None else int(row[0])

    def known_digests(self, digests: Collection[bytes], *, drafts_only: bool = False) -> set[bytes]:
        """Which of these digests have sound vectors already, in drafts or passages."""
        return {one for one in digests if self._vectors_of(one, drafts_only) is not None}

    def known_vectors(
        self, digests: Collection[bytes], dimension: int
    ) -> dict[bytes, PassageVectors]:
        """Vectors already made for passages with these digests, in drafts or passages."""
        rows = {digest: self._vectors_of(digest) for digest in digests}
        return {digest: _vectors(row, dimension) for digest, row in rows.items() if row is not None}

    def _vectors_of(self, digest: bytes, drafts_only: bool = False) -> Sequence[Any] | None:
        draft: Sequence[Any] | None = self._db.execute(
            f"SELECT {_VECTORS} FROM drafts WHERE digest = ?", (digest,)
        ).fetchone()
        if draft is not None or drafts_only:
            return draft
        rows = self._raw(
            f"SELECT p.seal, {_PASSAGE} FROM passages p JOIN contents c ON c.id = p.content "
            "WHERE p.digest = ?",
            digest,
        )
        sound = (row[1:] for row in rows if _seal(row[1:]) == row[0])
        return next((row[_FIRST_VECTOR : _FIRST_VECTOR + 4] for row in sound), None)


class Writer(Reader):
    """One change in the making."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write through a connection that is inside a write transaction."""
        super().__init__(connection)
        self._rows_before = connection.total_changes
        self._moved: set[int] = set()  # contents that gained or lost a document
        self.dropped: list[tuple[int, int]] = []
        """Passages taken out so far, each with its number of sentences."""

    def finish(self) -> None:
        """Settle what documents were moved from and to; number and name the change, if any."""
        while self._moved:
            content = self._moved.pop()
            self._drop_unused(content)
            self._name_anew(content)
        if self._db.total_changes != self._rows_before:
            name = (self.change + 1, uuid.uuid4().hex)
            self._db.execute("INSERT INTO changes VALUES (?, ?)", name)
            self._rows_before = self._db.total_changes

    def forget_changes_before(self, change: int) -> None:
        """Forget what earlier changes removed; snapshots from before then are made anew."""
        self._db.execute("DELETE FROM removed WHERE change <= ?", (change,))
        self._db.execute("DELETE FROM changes WHERE number < ?", (change,))

    def set_meta(self, key: str, value: str) -> None:
        """Store one fact about the library."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def set_encoder(self, identity: EncoderIdentity, chunker: str) -> None:
        """Record what the vectors and passages are made with."""
        self.set_meta("encoder", json.dumps(asdict(identity)))
        self.set_meta("chunker", chunker)

    def add_place(self, path: str) -> None:
        """Remember a folder or file, so that `rebuild` looks there again."""
        self._db.execute("INSERT OR IGNORE INTO places VALUES (?)", (_stored(path),))

    def exclude(self, path: str) -> None:
        """Remember that a person took this file out, so that a rebuild does not bring it back."""
        self._db.execute("INSERT OR IGNORE INTO excluded VALUES (?)", (_stored(path),))

    def include(self, paths: Iterable[str]) -> None:
        """Forget that files were taken out."""
        self._db.executemany(
            "DELETE FROM excluded WHERE path = ?", ((_stored(path),) for path in paths)
        )

    def drop_place(self, path: str) -> None:
        """Forget a folder or file."""
        self._db.execute("DELETE FROM places WHERE path = ?", (_stored(path),))

    def add_content(self, new: NewContent) -> int:
        """Store an article with its passages, vectors and words; returns its content id."""
        document = new.document
        furniture = json.dumps([[s.start, s.end] for s in document.furniture])
        row = (new.hash, document.title, document.source, document.author, document.date,
               document.text, furniture)  # fmt: skip
        cursor = self._db.execute(
            "INSERT INTO contents (hash, title, source, author, date, text, furniture, seal) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, _seal(row)),
        )
        content = int(cursor.lastrowid or 0)
        title = index_form(document.name)
        for passage, digest, vectors in zip(new.passages, new.digests, new.vectors, strict=True):
            self._add_passage(content, document, passage, digest, vectors, title)
        self._count_more(len(new.passages), sum(len(one.sentences) for one in new.passages))
        return content

    def _add_passage(
        self,
        content: int,
        document: Document,
        passage: Passage,
        digest: bytes,
        vectors: PassageVectors,
        title: str,
    ) -> None:
        spans = json.dumps([[s.start, s.end] for s in passage.sentences])
        blobs = _blobs(vectors)
        place = (content, passage.paragraph, passage.start, passage.end, digest, spans)
        article = (document.title, document.source, document.author, document.date)
        cursor = self._db.execute(
            f'INSERT INTO passages (content, paragraph, start, "end", digest, spans, {_VECTORS}, '
            "seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*place, *blobs, _seal((*place, *blobs, *article, passage.text))),
        )
        self._db.execute(
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
            (cursor.lastrowid, title, index_form(passage.text)),
        )

    def place_document(self, document_id: str, content: int, place: str, path: str) -> None:
        """Let a document id stand for a content.

        What it stood for before goes when the change is complete, unless another document stands
        for it then.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = self._db.execute(
            "SELECT content FROM documents WHERE id = ?", (document_id,)
        ).fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
            (document_id, content, _stored(place), _stored(path), now),
        )
        self._moved |= {content} if row is None else {content, int(row[0])}

    def remove_document(self, document_id: str) -> None:
        """Take a document out; its content goes too unless another path holds the same."""
        row = self._db.execute(
            "DELETE FROM documents WHERE id = ? RETURNING content", (document_id,)
        ).fetchone()
        if row is not None:
            self._moved.add(int(row[0]))

    def save_drafts(self, drafts: Iterable[tuple[bytes, PassageVectors]]) -> None:
        """Keep vectors of passages whose document is not complete yet."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO drafts (digest, {_VECTORS}) VALUES (?, ?, ?, ?, ?)",
            ((digest, *_blobs(vectors)) for digest, vectors in drafts),
        )

    def clear_drafts(self) -> None:
        """Forget all drafts."""
        self._db.execute("DELETE FROM drafts")

    def words_fault(self) -> str:
        """What is wrong with the text index; empty when nothing. It changes nothing."""
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

    def rebuild_words(self) -> None:
        """Make the text index anew from the stored texts."""
        self._db.execute("DROP TABLE words")  # rows of a damaged one could not be deleted
        self._db.execute(WORDS)
        rows = self._raw(
            'SELECT p.id, c.title, substr(c.text, p.start + 1, p."end" - p.start), '
            "(SELECT min(id) FROM documents WHERE content = c.id) "
            "FROM passages p JOIN contents c ON c.id = p.content ORDER BY p.id"
        )
        for id_, *texts in rows:
            title, text, name = (str(one, "utf-8", "replace") for one in texts)
            self._db.execute(
                "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
                (id_, index_form(title or title_from_id(name)), index_form(text)),
            )

    def shred_words(self) -> None:
        """Write the text index without the words of what was removed; FTS5 only marks them."""
        self._db.execute("INSERT INTO words (words) VALUES ('optimize')")

    def drop_strays(self) -> None:
        """Take out documents, contents and passages that have lost each other."""
        self._db.execute("DELETE FROM documents WHERE content NOT IN (SELECT id FROM contents)")
        rows = self._db.execute(
            "SELECT id FROM contents WHERE id NOT IN (SELECT content FROM documents) UNION "
            "SELECT content FROM passages WHERE content NOT IN (SELECT id FROM contents)"
        ).fetchall()
        for (content,) in rows:
            self._drop_unused(int(content))

    def recount(self) -> None:
        """Count passages and sentences one by one, and keep the result."""
        self._count(**{name: n for name, n in self.recounted().items() if name != "documents"})

    def replace_content(self, content: int, new: NewContent) -> None:
        """Write a content anew; the same documents stand for it."""
        placed = self.placed_with(content)
        self._db.execute("DELETE FROM documents WHERE content = ?", (content,))
        self._drop_unused(content)
        made = self.content_of(new.hash) or self.add_content(new)
        for one in placed:
            self.place_document(one.id, made, one.place, one.path)

    def clear(self) -> None:
        """Take everything out but the places; passage ids go on counting, never return."""
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('library', ?)", (uuid.uuid4().hex,))
        self.recount()
        self._db.execute("DELETE FROM documents")
        for (content,) in self._db.execute("SELECT id FROM contents").fetchall():
            self._drop_unused(int(content))

    def _drop_unused(self, content: int) -> None:
        used = self._db.execute(
            "SELECT 1 FROM documents WHERE content = ? LIMIT 1", (content,)
        ).fetchone()
        if used:
            return
        gone = self._db.execute(
            f"SELECT id, {_COUNTED} FROM passages WHERE content = ?", (content,)
        ).fetchall()
        self.dropped += gone
        ids = [(row[0],) for row in gone]
        change = self.change + 1
        self._db.executemany("INSERT INTO removed VALUES (?, ?)", ((id_, change) for (id_,) in ids))
        self._db.executemany("DELETE FROM words WHERE rowid = ?", ids)
        self._db.execute("DELETE FROM passages WHERE content = ?", (content,))
        self._db.execute("DELETE FROM contents WHERE id = ?", (content,))
        self._count_more(-len(gone), -sum(row[1] for row in gone))

    def _name_anew(self, content: int) -> None:
        """An article without a title of its own is found by its file's name: the present one."""
        row = self._db.execute(
            "SELECT (SELECT min(id) FROM documents WHERE content = c.id), w.title "
            "FROM contents c JOIN words w ON w.rowid = "
            "(SELECT min(id) FROM passages WHERE content = c.id) WHERE c.id = ? AND c.title = ''",
            (content,),
        ).fetchone()
        if row is not None and (name := index_form(title_from_id(row[0]))) != row[1]:
            self._db.execute(
                "UPDATE words SET title = ? WHERE rowid IN "
                "(SELECT id FROM passages WHERE content = ?)",
                (name, content),
            )

    def _count_more(self, passages: int, sentences: int) -> None:
        counts = self.counts()
        self._count(counts["passages"] + passages, counts["sentences"] + sentences)

    def _count(self, passages: int, sentences: int) -> None:
        self.set_meta("passages", str(passages))
        self.set_meta("sentences", str(sentences))


# The sentences of a passage; a damaged one has none.
_COUNTED = "CASE WHEN json_valid(spans) THEN json_array_length(spans) ELSE 0 END"
_VECTORS = "vector, sentence_vectors, token_counts, tokens"
# What a seal is made over: everything a content or a passage is shown or found by.
_CONTENT = "c.hash, c.title, c.source, c.author, c.date, c.text, c.furniture"
_PASSAGE = (
    'p.content, p.paragraph, p.start, p."end", p.digest, p.spans, p.vector, p.sentence_vectors, '
    "p.token_counts, p.tokens, c.title, c.source, c.author, c.date, "
    'substr(c.text, p.start + 1, p."end" - p.start)'
)
_FIRST_VECTOR = _PASSAGE.split(", ").index("p.vector")


def _seal(values: Sequence[Any]) -> int:
    """A checksum over a row's values, one after the other."""
    return zlib.crc32(
        b"".join(
            value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
            for value in values
        )
    )


def _require_seal(sealed: Sequence[Any], what: str, otherwise_sound: bool = True) -> None:
    """Refuse a row, its seal first, that is not what was written."""
    if _seal(sealed[1:]) != sealed[0] or not otherwise_sound:
        raise _damaged(what)


def _damaged(what: str) -> LibraryDamaged:
    return LibraryDamaged(f"{what} is damaged. Mend it with: pilcrow check --repair")


def _unnoted(key: str) -> LibraryDamaged:
    return LibraryDamaged(
        f"what is noted about the library ({key}) is damaged. Make it anew with: "
        "pilcrow rebuild --full"
    )


def _stored(path: str) -> str | bytes:
    """A path as SQLite can hold it: names that are no Unicode as their bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _storable(document_id: object) -> str:
    """An id as SQLite can be asked for it; empty, as none is, when it can be no id."""
    known = isinstance(document_id, str) and sound(document_id) == document_id
    return str(document_id) if known else ""


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
    id_, named, *sealed = row
    names = sorted(json.loads(named))
    _require_seal(sealed, f"a passage of {', '.join(names) or 'no document'}", bool(names))
    (_, content, paragraph, start, end, _, spans, vector, sentence_vectors, counts, tokens,
     title, source, author, date, text) = sealed  # fmt: skip
    passage_vector = np.frombuffer(vector, "<f4").astype(np.float32)
    token_counts = json.loads(counts)
    return StoredPassage(
        id=id_,
        content=content,
        document_ids=tuple(names),
        title=title,
        source=source,
        author=author,
        date=date,
        paragraph=paragraph,
        start=start,
        end=end,
        text=text,
        sentences=tuple(Span(*span) for span in json.loads(spans)),
        vector=passage_vector,
        sentence_vectors=np.frombuffer(sentence_vectors, "<f2").reshape(-1, len(passage_vector)),
        token_counts=tuple(token_counts),
        tokens=_packed(tokens, token_counts),
    )


def _among(contents: Collection[int] | None) -> tuple[str, tuple[str, ...]]:
    """The condition that rows of the text index belong to some contents, and its value."""
    if contents is None:
        return "", ()
    only = (
        "AND rowid IN (SELECT id FROM passages WHERE content IN (SELECT value FROM json_each(?))) "
    )
    return only, (json.dumps(sorted(contents)),)


def _within(date: str, dates: tuple[str, str]) -> bool:
    """Whether a stated date may lie in a range; `2024` lies in any range that touches 2024."""
    first, last = dates
    return bool(date) and date >= first[: len(date)] and date[: len(last)] <= last
