"""One consistent view of a library in SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from index.embedding.encoder import Vector
from index.languages.stemming import any_of, term_forms
from index.storage.codec import (
    CONTENT_COLUMNS,
    FIRST_VECTOR,
    PASSAGE_COLUMNS,
    PASSAGE_COLUMNS_BUT_TEXT,
    SENTENCE_COUNT,
    UNLABELLED_COLUMNS,
    UNPLACED_COLUMNS,
    VECTOR_COLUMNS,
    checksum,
    collection_of,
    damaged_meta,
    damaged_row,
    decode_card,
    stack_vectors,
    storable_id,
    stored_path,
    unplaced,
)
from index.storage.document_seals import DOCUMENT_COLUMNS, DOCUMENT_TABLES, SEAL_JOIN, TYPE_CHECK
from index.storage.records import DocumentLocation
from index.storage.row_snapshot import Row, RowSnapshot, located, located_soundly
from index.storage.sqlite.database import UNEXCLUDED, UNLABELLED, UNPLACED, UNSEALED, UNSTEMMED
from index.storage.sqlite.word_index import WordPlaces, word_places
from index.types import (
    NO_CARD,
    CatalogueCard,
    Document,
    Ids,
)

# A title names the subject once; matching it says less than matching the passage itself.
TITLE_WEIGHT = 0.5


# Squared lengths of unit vectors differ from 1 by less, unless they are damaged.
_ROUNDING = 1e-3


COLLECTION, COLLECTION_END = "collection ", "collection!"
"""What the names begin with under which `meta` holds the collections of files and folders."""


def printable(path: str) -> str:
    """A path as part of a name in `meta`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def card_key(path: str) -> str:
    """Under which name `meta` holds what is known of a file."""
    return f"card {printable(path)}"


class SQLiteSnapshot(RowSnapshot):
    """Questions to one state of the library."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through a connection that is inside a transaction."""
        self._db = connection

    @property
    def generation(self) -> int:
        """The number of the last change; it grows by one with each."""
        (number,) = self._db.execute("SELECT max(number) FROM changes").fetchone()
        return int(number or 0)

    @property
    def generation_id(self) -> str:
        """The last change's own random name; empty before the first."""
        return self._id_of_generation(self.generation)

    @property
    def encoder_folder(self) -> str:
        """Where that encoder was loaded from; empty for the packaged one."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'encoder folder'").fetchone()
        return "" if row is None else str(row[0])

    def _id_of_generation(self, generation: int) -> str:
        row = self._db.execute(
            "SELECT token FROM changes WHERE number = ?", (generation,)
        ).fetchone()
        return "" if row is None else str(row[0])

    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that documents are indexed in by stems."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'languages'").fetchone()
        return tuple(json.loads(row[0])) if row else ()

    def _meta(self, key: str) -> str:
        """One stored fact about the library; every one is there from the beginning."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise damaged_meta(key)
        return str(row[0])

    def _number(self, key: str) -> int:
        try:
            return int(self._meta(key))
        except ValueError as error:
            raise damaged_meta(key) from error

    def knows(self, generation: int, generation_id: str) -> bool:
        """Whether this state grew out of that generation, and what was removed since is known."""
        return bool(generation_id) and self._id_of_generation(generation) == generation_id

    def counts(self) -> dict[str, int]:
        """How many documents, passages and sentences there are; kept with every change."""
        (documents,) = self._db.execute("SELECT count(*) FROM documents").fetchone()
        return {
            "documents": int(documents),
            "passages": self._number("passages"),
            "sentences": self._number("sentences"),
        }

    @property
    def passages_held(self) -> int:
        """How many passages there are."""
        return self._number("passages")

    def _counted_row(self) -> Row:
        """How many documents, passages and sentences there are, counted one by one."""
        row: Row = self._db.execute(
            "SELECT (SELECT count(*) FROM documents), count(*), "
            f"coalesce(sum({SENTENCE_COUNT}), 0) FROM passages"
        ).fetchone()
        return row

    def integrity(self) -> str:
        """What SQLite finds wrong with its file; empty when nothing."""
        (fault,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        return "" if fault == "ok" else str(fault)

    def orphans(self) -> int:
        """Contents that no document stands for, and documents without one."""
        (count,) = self._db.execute(
            "SELECT (SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM documents))"
            " + (SELECT count(*) FROM documents WHERE content NOT IN (SELECT id FROM contents))"
            " + (SELECT count(*) FROM passages WHERE content NOT IN (SELECT id FROM contents))"
        ).fetchone()
        if self._sealed:
            count += self._db.execute(
                "SELECT count(*) FROM seals WHERE document NOT IN (SELECT id FROM documents)"
            ).fetchone()[0]
        return int(count)

    def _all_contents(self) -> Iterator[Row]:
        """Id, seal and what it is made over, of every content."""
        return self._raw(f"SELECT c.id, c.seal, {self._content_columns} FROM contents c")

    def bad_documents(self) -> list[str]:
        """Ids of the documents of which something is not what was written."""
        if not self._sealed:
            return []
        rows = self._raw(
            f"SELECT {TYPE_CHECK}, s.seal, {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES} "
            f"{SEAL_JOIN} WHERE d.id >= '' ORDER BY d.id"
        )
        return [
            str(id_, "utf-8", "replace")
            for typed, seal, id_, *more in rows
            if not typed or checksum((id_, *more)) != seal
        ]

    def _all_passages(self) -> Iterator[Row]:
        """Id, seal and what it is made over, the content first, of every passage."""
        return self._raw(
            f"SELECT p.id, p.seal, {self._passage_columns} FROM passages p "
            "JOIN contents c ON c.id = p.content"
        )

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

    def roots(self) -> list[str]:
        """Every folder and file that was ever added and not removed, as absolute paths."""
        return [os.fsdecode(row[0]) for row in self._db.execute("SELECT path FROM places")]

    def excludes(self) -> dict[str, tuple[str, ...]]:
        """The globs of what is ignored in a folder, by its absolute path."""
        if self._format <= UNEXCLUDED:
            return {}
        rows = self._db.execute("SELECT path, exclude FROM places WHERE exclude != ''")
        return {os.fsdecode(path): tuple(globs.split("\n")) for path, globs in rows}

    def excluded(self) -> set[str]:
        """Files that a person took out, as absolute paths."""
        return {os.fsdecode(row[0]) for row in self._db.execute("SELECT path FROM excluded")}

    def card(self, path: str) -> CatalogueCard:
        """What is known of a file from where it was got; by its absolute path."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (card_key(path),)).fetchone()
        return decode_card(row[0]) if row else NO_CARD

    def own_collection(self, path: str) -> str | None:
        """The collection that a file or folder was put into itself; None for wherever it lies."""
        key = f"{COLLECTION}{printable(path)}"
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _collection_of(self) -> Callable[[str], str]:
        """What tells a file's collection: its own, else that of the nearest folder that has one."""
        start = len(COLLECTION)
        rows = self._db.execute(
            "SELECT key, value FROM meta WHERE key >= ? AND key < ?", (COLLECTION, COLLECTION_END)
        )
        known = {key[start:]: str(value) for key, value in rows}
        return collection_of(known, printable)

    def by_path(self, path: str) -> DocumentLocation | None:
        """The document that this file stands for."""
        return next(iter(self._sound("WHERE d.path = ?", stored_path(path))), None)

    def by_id(self, document_id: str) -> DocumentLocation | None:
        """The document with this id, sound or not: so it can be removed."""
        return next(iter(self._locations("WHERE d.id = ?", storable_id(document_id))), None)

    def by_content(self, content: int) -> list[DocumentLocation]:
        """The documents with this content, sound or not: so they can be mended."""
        return self._locations("WHERE d.content = ? ORDER BY d.id", content)

    def _locations(self, which: str, *values: object) -> list[DocumentLocation]:
        rows = self._db.execute(
            "SELECT d.id, d.place, d.path, d.content, c.hash FROM documents d "
            f"JOIN contents c ON c.id = d.content {which}",
            values,
        )
        return [located(row) for row in rows]

    def _sound(self, which: str, *values: object) -> list[DocumentLocation]:
        """As `_locations`, of documents that are what was written; a damaged one is an error."""
        if not self._sealed:
            return self._locations(which, *values)
        rows = self._db.execute(
            f"SELECT {TYPE_CHECK}, s.seal, {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES} "
            f"{SEAL_JOIN} {which}",
            values,
        )
        return [located_soundly(row, bool(typed)) for typed, *row in rows]

    def _sealed_document(self, document_id: str) -> list[DocumentLocation]:
        """The document with an id, compared with its seal; none when there is none."""
        return self._sound("WHERE d.id = ?", document_id)

    def _sealed_documents_with(self, contents: Sequence[int]) -> list[DocumentLocation]:
        """The documents with any of these contents, each compared with its seal."""
        chosen = "WHERE d.content IN (SELECT value FROM json_each(?))"
        return self._sound(chosen, json.dumps(contents))

    def locations(self) -> list[DocumentLocation]:
        """Every document with its whereabouts, by id; there are as many as there are seals."""
        # by the table itself: an index on it may be damaged, and hide one
        locations = self._sound("WHERE d.id >= '' ORDER BY d.id")
        if self._sealed:
            (sealed,) = self._db.execute("SELECT count(*) FROM seals").fetchone()
            if sealed != len(locations):
                raise damaged_row("the list of documents")
        return locations

    @cached_property
    def _format(self) -> int:
        """The layout of the file: an earlier one is read as it is."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    @property
    def _sealed(self) -> bool:
        """Whether documents have seals; in libraries made before they have none."""
        return self._format > UNSEALED

    @property
    def _content_columns(self) -> str:
        """What a content's seal is made over, as this file has it."""
        if self._format <= UNLABELLED:
            return UNLABELLED_COLUMNS
        return CONTENT_COLUMNS if self._format > UNPLACED else UNPLACED_COLUMNS

    @property
    def _passage_columns(self) -> str:
        """The same for a passage's seal."""
        return PASSAGE_COLUMNS if self._format > UNPLACED else unplaced(PASSAGE_COLUMNS)

    @property
    def _labels(self) -> str:
        """The column of an article's labels; empty in files from before there were any."""
        return "c.labels" if self._format > UNLABELLED else "''"

    def _record_rows(self) -> Iterable[Row]:
        """What `document_record` takes, of every document, by id."""
        return self._db.execute(
            "SELECT d.id, c.title, c.source, c.author, c.date, count(DISTINCT p.paragraph), "
            f"count(p.id), coalesce(sum({SENTENCE_COUNT}), 0), length(c.text), c.hash, "
            f"d.path, d.added_at, {self._labels} "
            "FROM documents d JOIN contents c ON c.id = d.content "
            "LEFT JOIN passages p ON p.content = c.id WHERE d.id >= '' GROUP BY d.id ORDER BY d.id"
        )

    def tags(self) -> dict[str, tuple[str, ...]]:
        """The tags that a person has given documents here, by document id."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'tags'").fetchone()
        try:
            stored = json.loads(row[0]) if row else {}
            return {str(id_): tuple(map(str, tags)) for id_, tags in stored.items()}
        except (ValueError, TypeError, AttributeError):
            return {}

    def document(self, document_id: str) -> Document | None:
        """One document, whole."""
        document = super().document(document_id)
        # what is listed and not found: the order of the rows is damaged
        if document is None and any(at.id == document_id for at in self.locations()):
            raise damaged_row(f"what is noted of {document_id!r}")
        return document

    def _content_row(self, document_id: str) -> Row | None:
        """Seal and `CONTENT_COLUMNS` of a document's content."""
        row: Row | None = self._db.execute(
            f"SELECT c.seal, {self._content_columns} FROM documents d "
            "JOIN contents c ON c.id = d.content WHERE d.id = ?",
            (storable_id(document_id),),
        ).fetchone()
        return row

    def _passage_rows_of(self, content: int, paragraphs: Collection[int] | None) -> Iterable[Row]:
        """Id, seal, `PASSAGE_COLUMNS_BUT_TEXT`, start and end of a content's passages, in order."""
        wanted = json.dumps(None if paragraphs is None else sorted(paragraphs))
        columns = PASSAGE_COLUMNS_BUT_TEXT
        columns = columns if self._format > UNPLACED else unplaced(columns)
        return self._db.execute(
            f'SELECT p.id, p.seal, {columns}, p.start, p."end" FROM passages p '
            "JOIN contents c ON c.id = p.content WHERE p.content = ?1 AND (?2 = 'null' "
            "OR p.paragraph IN (SELECT value FROM json_each(?2))) ORDER BY p.start",
            (content, wanted),
        ).fetchall()

    def _passage_rows(self, ids: list[int]) -> Sequence[Row]:
        """Id, seal, `PASSAGE_COLUMNS` and the article's labels of some passages."""
        return self._db.execute(
            f"SELECT p.id, p.seal, {self._passage_columns}, {self._labels} FROM passages p "
            "JOIN contents c ON c.id = p.content WHERE p.id IN (SELECT value FROM json_each(?))",
            (json.dumps(ids),),
        ).fetchall()

    def matches(
        self, query: str, k: int, among: Collection[int] | None = None, after: int = 0
    ) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` for an FTS5 query.

        Args:
            query: from `languages.stemming.any_of`.
            k: how many at most.
            among: only passages with these ids; all when None. Looked up here, for SQLite takes
                seconds to compare many matches with many ids.
            after: only passages with a greater id.
        """
        if not query:
            return {}
        rows = self._db.execute(
            "SELECT rowid, -bm25(words, ?, 1.0) AS score FROM words WHERE words MATCH ? "
            "AND rowid > ? ORDER BY score DESC, rowid"
            + (f" LIMIT {int(k)}" if among is None else ""),
            (TITLE_WEIGHT, query, after),
        )
        wanted = (row for row in rows if among is None or row[0] in among)
        return {int(id_): float(score) for id_, score in islice(wanted, k)}

    def passages_with(self, word: str, among: Collection[int] | None = None, after: int = 0) -> int:
        """How many passages hold a word (or another form of it).

        Args:
            word: from `tokenization.words`.
            among: only passages with these ids; all when None.
            after: only passages with a greater id.
        """
        what = "count(*)" if among is None else "rowid"
        rows = self._db.execute(
            f"SELECT {what} FROM words WHERE words MATCH ? AND rowid > ?",
            (any_of(self.forms_of(word)), after),
        )
        if among is None:
            return int(rows.fetchone()[0])
        return sum(id_ in among for (id_,) in rows)

    def forms_of(self, word: str) -> tuple[str, ...]:
        """The forms that a word is looked for in, given the languages of the library."""
        return term_forms(word, self.languages())

    def words(self) -> Iterator[WordPlaces]:
        """Every word of the text index with its places, some at a time."""
        return word_places(self._db)

    @property
    def reworded(self) -> int:
        """The generation in which words of stored passages last changed in place; 0 for never."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'reworded'").fetchone()
        return int(row[0]) if row else 0

    @property
    def has_old_words(self) -> bool:
        """Whether the text index is of an earlier layout, which cuts words in another way."""
        return self._format <= UNSTEMMED

    def article_texts(self, every: int = 1) -> Iterator[str]:
        """The text of every so many-th article, none compared with its checksum: to be counted."""
        rows = self._raw("SELECT text FROM contents WHERE id % ? = 0", every)
        return (str(text, "utf-8", "replace") for (text,) in rows)

    def beginnings(self, contents: Collection[int], length: int) -> dict[int, str]:
        """The first characters of some contents, none compared with its checksum."""
        rows = self._raw(
            "SELECT id, substr(text, 1, ?) FROM contents "
            "WHERE id IN (SELECT value FROM json_each(?))",
            length,
            json.dumps(sorted(contents)),
        )
        return {int(id_): str(text, "utf-8", "replace") for id_, text in rows}

    def article_names(self) -> Iterator[str]:
        """What articles are called and who published them, as one text each."""
        rows = self._db.execute("SELECT title, source, author FROM contents")
        return (" ".join(row) for row in rows)

    def _fact_rows(self) -> Iterable[Row]:
        """Id, path, author, source, date, labels and content of every document."""
        return self._db.execute(
            f"SELECT d.id, d.path, c.author, c.source, c.date, {self._labels}, d.content "
            "FROM documents d JOIN contents c ON c.id = d.content"
        )

    def every_passage_id(self) -> Ids:
        """Ids of all passages, ascending."""
        rows = self._db.execute("SELECT id FROM passages ORDER BY id")
        return np.fromiter((row[0] for row in rows), np.int64)

    def passage_ids(self, contents: Collection[int]) -> Ids:
        """Ids of the passages of some contents, ascending."""
        rows = self._db.execute(
            "SELECT id FROM passages WHERE content IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(contents)),),
        ).fetchall()
        return np.array([row[0] for row in rows], np.int64)

    def _section_rows(self, ids: list[int]) -> Iterable[Row]:
        """Id, content and places of those of some passages that have places."""
        if self._format <= UNPLACED:
            return ()
        return self._db.execute(
            "SELECT id, content, places FROM passages WHERE places != '' "
            "AND id IN (SELECT value FROM json_each(?))",
            (json.dumps(ids),),
        )

    def _outlines(self) -> Iterator[str]:
        """The outlines of the documents that have one, as stored."""
        if self._format <= UNPLACED:
            return iter(())
        rows = self._db.execute(
            "SELECT c.outline FROM documents d JOIN contents c ON c.id = d.content "
            "WHERE c.outline != ''"
        )
        return (stored for (stored,) in rows)

    def vectors_after(self, passage_id: int, dimension: int) -> tuple[Ids, Vector]:
        """Ids, ascending, and vectors, shape (n, d), of passages with a greater id."""
        rows = self._db.execute(
            "SELECT id, vector FROM passages WHERE id > ? AND length(vector) = ? ORDER BY id",
            (passage_id, 4 * dimension),
        ).fetchall()
        ids = np.array([row[0] for row in rows], np.int64)
        vectors = stack_vectors((row[1] for row in rows), dimension)
        lengths = np.einsum("nd,nd->n", vectors, vectors)
        if not np.all(np.abs(lengths - 1) < _ROUNDING):  # one that is no number would hide the rest
            raise damaged_row("a vector")
        return ids, vectors

    def _vector_rows(self, dimension: int) -> Iterable[Row]:
        """Document id and passage vector of all vectors of this length, by document."""
        return self._db.execute(
            "SELECT d.id, p.vector FROM documents d JOIN passages p ON p.content = d.content "
            "WHERE length(p.vector) = ? ORDER BY d.id",
            (4 * dimension,),
        )

    def changed_after(self, passage_id: int, generation: int) -> int:
        """How many passages have a greater id or were removed after that generation."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM passages WHERE id > ?) "
            "+ (SELECT count(*) FROM removed WHERE change > ?)",
            (passage_id, generation),
        ).fetchone()
        return int(row[0])

    def removed_after(self, generation: int) -> Ids:
        """Ids of passages removed after that generation, ascending."""
        rows = self._db.execute(
            "SELECT passage FROM removed WHERE change > ? ORDER BY passage", (generation,)
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

    def edition_of(self, content: int) -> int:
        """Which edition of its format's reader a content was made by."""
        if self._format <= UNPLACED:
            return 0
        row = self._db.execute("SELECT edition FROM contents WHERE id = ?", (content,)).fetchone()
        return 0 if row is None else int(row[0])

    def _stored_vectors(self, digests: Collection[bytes], drafts_only: bool) -> dict[bytes, Row]:
        """`VECTOR_COLUMNS` of sound drafts, and of sound passages, with these digests."""
        rows = {digest: self._vectors_of(digest, drafts_only) for digest in digests}
        return {digest: row for digest, row in rows.items() if row is not None}

    def _vectors_of(self, digest: bytes, drafts_only: bool) -> Row | None:
        draft: Row | None = self._db.execute(
            f"SELECT {VECTOR_COLUMNS} FROM drafts WHERE digest = ?", (digest,)
        ).fetchone()
        if draft is not None or drafts_only:
            return draft
        rows = self._raw(
            f"SELECT p.seal, {self._passage_columns} FROM passages p "
            "JOIN contents c ON c.id = p.content WHERE p.digest = ?",
            digest,
        )
        sound = (row[1:] for row in rows if checksum(row[1:]) == row[0])
        return next((row[FIRST_VECTOR : FIRST_VECTOR + 4] for row in sound), None)
