"""One change of a library in SQLite, whole or not at all."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from index.embedding.encoder import Encoder, PassageVectors
from index.languages.detection import BEGINNING, text_language
from index.languages.stemming import has_stemmer
from index.storage.codec import (
    SENTENCE_COUNT,
    VECTOR_COLUMNS,
    checksum,
    damaged_row,
    decode_labels,
    encode_card,
    encode_labels,
    encode_outline,
    encode_places,
    encode_vectors,
    indexed_text,
    indexed_title,
    stored_path,
)
from index.storage.document_seals import (
    ARTICLE_COLUMNS,
    DOCUMENT_COLUMNS,
    DOCUMENT_TABLES,
    mended_row,
    text_or_bytes,
)
from index.storage.records import NewContent
from index.storage.sqlite.database import WORDS, lay_out_documents
from index.storage.sqlite.snapshot import COLLECTION, SQLiteSnapshot, card_key, printable
from index.storage.store import Transaction
from index.types import NO_CARD, CatalogueCard, Document, Passage, title_from_id


class SQLiteTransaction(SQLiteSnapshot, Transaction):
    """One change in the making."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write through a connection that is inside a write transaction."""
        super().__init__(connection)
        self._rows_before = connection.total_changes
        self._moved: set[int] = set()  # contents that gained or lost a document
        self._dropped: list[tuple[int, int]] = []

    @property
    def dropped(self) -> list[tuple[int, int]]:
        """Passages taken out so far, each with its number of sentences."""
        return self._dropped

    def claim(self, names: Iterable[str]) -> None:
        """Nothing more: a change of this library keeps everything to itself."""

    def finish(self) -> None:
        """Settle what documents were moved from and to; number and name the change, if any."""
        if self._moved and (own := self.tags()):
            self.set_tags(own)
        while self._moved:
            content = self._moved.pop()
            self._drop_unused(content)
            self._refresh_title(content)
        if self._db.total_changes != self._rows_before:
            name = (self.generation + 1, uuid.uuid4().hex)
            self._db.execute("INSERT INTO changes VALUES (?, ?)", name)
            self._rows_before = self._db.total_changes

    def forget_changes_before(self, generation: int) -> None:
        """Forget what earlier changes removed; snapshots from before then are made anew."""
        self._db.execute("DELETE FROM removed WHERE change <= ?", (generation,))
        self._db.execute("DELETE FROM changes WHERE number < ?", (generation,))

    def set_meta(self, key: str, value: str) -> None:
        """Store one fact about the library."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def set_card(self, path: str, card: CatalogueCard) -> None:
        """Store what is known of a file from where it was got."""
        if card == NO_CARD:
            self._db.execute("DELETE FROM meta WHERE key = ?", (card_key(path),))
        elif card != self.card(path):
            self.set_meta(card_key(path), encode_card(card))

    def set_collection(self, path: str, name: str) -> None:
        """Put a file, or a folder with what is and comes below it, into a collection, or none."""
        self.set_meta(f"{COLLECTION}{printable(path)}", name)

    def forget_collections(self, paths: Iterable[str]) -> None:
        """No longer note of files and folders which collection they are in."""
        keys = [(f"{COLLECTION}{printable(path)}",) for path in paths]
        self._db.executemany("DELETE FROM meta WHERE key = ?", keys)

    def set_tags(self, own: Mapping[str, Iterable[str]]) -> None:
        """Store which tags a person has given documents; of documents that are gone none stay."""
        there = {id_ for (id_,) in self._db.execute("SELECT id FROM documents")}
        kept = {id_: list(tags) for id_, tags in own.items() if id_ in there and tags}
        if kept != {id_: list(tags) for id_, tags in self.tags().items()}:
            self.set_meta("tags", json.dumps(kept))

    def set_encoder(self, encoder: Encoder, chunker: str) -> None:
        """Record what the vectors and passages are made with."""
        self.set_meta("encoder", json.dumps(asdict(encoder.identity)))
        self.set_meta("encoder folder", str(encoder.folder or ""))
        self.set_meta("chunker", chunker)

    def add_root(self, path: str) -> None:
        """Remember a folder or file, so that `rebuild` looks there again."""
        self._db.execute("INSERT OR IGNORE INTO places (path) VALUES (?)", (stored_path(path),))

    def set_excludes(self, path: str, globs: Iterable[str]) -> None:
        """Remember what is ignored in a folder that is remembered, instead of what was before."""
        self._db.execute(
            "UPDATE places SET exclude = ? WHERE path = ?", ("\n".join(globs), stored_path(path))
        )

    def exclude(self, path: str) -> None:
        """Remember that a person took this file out, so that a rebuild does not bring it back."""
        self._db.execute("INSERT OR IGNORE INTO excluded VALUES (?)", (stored_path(path),))

    def include(self, paths: Iterable[str]) -> None:
        """Forget that files were taken out."""
        self._db.executemany(
            "DELETE FROM excluded WHERE path = ?", ((stored_path(path),) for path in paths)
        )

    def drop_root(self, path: str) -> None:
        """Forget a folder or file."""
        self._db.execute("DELETE FROM places WHERE path = ?", (stored_path(path),))

    def add_content(self, new: NewContent) -> int:
        """The content id of an article, stored with its passages, vectors and words."""
        document = new.document
        boilerplate = json.dumps([[s.start, s.end] for s in document.boilerplate])
        row = (new.hash, document.title, document.source, document.author, document.date,
               document.text, boilerplate, encode_labels(document),
               encode_outline(document))  # fmt: skip
        cursor = self._db.execute(
            "INSERT INTO contents "
            "(hash, title, source, author, date, text, furniture, labels, outline, seal, edition) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, checksum(row), new.edition),
        )
        content = int(cursor.lastrowid or 0)
        language = self._language_of(document.text)
        title = indexed_title(document.name, document.aliases, language)
        written_in = document.written_in
        for passage, digest, vectors in zip(new.passages, new.digests, new.vectors, strict=True):
            names = title, indexed_text(passage.text, language, written_in)
            self._add_passage(content, document, passage, digest, vectors, names)
            written_in = ""
        self._count_more(len(new.passages), sum(len(part.sentences) for part in new.passages))
        return content

    def _add_passage(
        self,
        content: int,
        document: Document,
        passage: Passage,
        digest: bytes,
        vectors: PassageVectors,
        indexed: tuple[str, str],
    ) -> None:
        spans = json.dumps([[s.start, s.end] for s in passage.sentences])
        blobs = encode_vectors(vectors)
        row = (content, passage.paragraph, passage.start, passage.end, digest, spans)
        places = encode_places(document, passage)
        article = (document.title, document.source, document.author, document.date, places)
        cursor = self._db.execute(
            f'INSERT INTO passages (content, paragraph, start, "end", digest, spans, '
            f"{VECTOR_COLUMNS}, places, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, *blobs, places, checksum((*row, *blobs, *article, passage.text))),
        )
        self._db.execute(
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
            (cursor.lastrowid, *indexed),
        )

    def place_document(self, document_id: str, content: int, root: str, path: str) -> None:
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
            (document_id, content, stored_path(root), stored_path(path), now),
        )
        self._moved |= {content} if row is None else {content, int(row[0])}
        self.seal_document(document_id)

    def seal_document(self, document_id: str) -> None:
        """Seal a document as it is now."""
        self.seal_documents("WHERE d.id = ?", document_id)

    def seal_documents(self, which: str = "", *values: object) -> None:
        """Seal documents as they are now; all of them unless told which."""
        rows = self._raw(f"SELECT {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES} {which}", *values)
        seals = [(str(row[0], "utf-8", "replace"), checksum(row)) for row in rows]
        self._db.executemany("INSERT OR REPLACE INTO seals VALUES (?, ?)", seals)

    def mend_database(self) -> str:
        """What was done: the list of documents is what can be written without the rest.

        Raises:
            LibraryDamaged: when fewer of them can be read than there are seals.
        """
        self.mend_documents(all_or_none=True)
        return "the list of documents was written anew"

    def mend_documents(self, *, all_or_none: bool = False) -> None:
        """Write what is noted of documents anew, each as its seal says that it was.

        What one wrong bit or value has done is found by trying; else a row stays as it is.

        Args:
            all_or_none: whether to leave them alone when fewer can be read than there are seals.

        Raises:
            LibraryDamaged: when they are left alone.
        """
        seals = {bytes(id_): int(seal) for id_, seal in self._raw("SELECT * FROM seals")}
        values = set(seals.values())
        known = {
            row[0]: row[1:] for row in self._raw(f"SELECT c.id, {ARTICLE_COLUMNS} FROM contents c")
        }
        rows = [
            mended_row(row, seals, values, known)
            for row in self._raw(
                "SELECT id, content, place, path, added_at FROM documents NOT INDEXED"
            )
        ]
        if all_or_none and len(rows) < len(seals):
            raise damaged_row("the list of documents")
        rows = [(row, seal) for row, seal in rows if row[1] in known]  # the others have no text
        lay_out_documents(self._db)  # rows of damaged indexes could not be deleted
        for row, seal in rows:
            texts = [text_or_bytes(value) if isinstance(value, bytes) else value for value in row]
            self._db.execute("INSERT OR IGNORE INTO documents VALUES (?, ?, ?, ?, ?)", texts)
            self._db.execute("INSERT OR IGNORE INTO seals VALUES (?, ?)", (texts[0], seal))

    def remove_document(self, document_id: str) -> None:
        """Take a document out; its content goes too unless another path holds the same."""
        row = self._db.execute(
            "DELETE FROM documents WHERE id = ? RETURNING content, path", (document_id,)
        ).fetchone()
        self._db.execute("DELETE FROM seals WHERE document = ?", (document_id,))
        if row is not None:
            self._moved.add(int(row[0]))
            self.set_card(os.fsdecode(row[1]), NO_CARD)
            self.forget_collections([os.fsdecode(row[1])])

    def save_drafts(self, drafts: Iterable[tuple[bytes, PassageVectors]]) -> None:
        """Keep vectors of passages whose document is not complete yet."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO drafts (digest, {VECTOR_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            ((digest, *encode_vectors(vectors)) for digest, vectors in drafts),
        )

    def clear_drafts(self, digests: Collection[bytes]) -> None:
        """Forget all drafts: nobody else is making any."""
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
        self._note_rewording()
        self._db.execute("DROP TABLE words")  # rows of a damaged one could not be deleted
        self._db.execute(WORDS)
        rows = self._raw(
            'SELECT p.id, c.title, substr(c.text, p.start + 1, p."end" - p.start), '
            "(SELECT min(id) FROM documents WHERE content = c.id), c.labels, "
            "substr(c.text, 1, ?), p.id = (SELECT min(id) FROM passages WHERE content = c.id) "
            "FROM passages p JOIN contents c ON c.id = p.content ORDER BY p.id",
            BEGINNING,
        )
        for id_, *texts, opens in rows:
            title, text, name, stored, start = (str(value, "utf-8", "replace") for value in texts)
            labels = decode_labels(stored)
            language = self._language_of(start)
            names = indexed_title(title or title_from_id(name), labels.aliases, language)
            self._db.execute(
                "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
                (id_, names, indexed_text(text, language, labels.written_in if opens else "")),
            )

    def purge_text_index(self) -> None:
        """Write the text index without the words of what was removed; FTS5 only marks them."""
        self._db.execute("INSERT INTO words (words) VALUES ('optimize')")

    def drop_orphans(self) -> None:
        """Take out documents, contents and passages that have lost each other."""
        self._db.execute("DELETE FROM documents WHERE content NOT IN (SELECT id FROM contents)")
        self._db.execute("DELETE FROM seals WHERE document NOT IN (SELECT id FROM documents)")
        rows = self._db.execute(
            "SELECT id FROM contents WHERE id NOT IN (SELECT content FROM documents) UNION "
            "SELECT content FROM passages WHERE content NOT IN (SELECT id FROM contents)"
        ).fetchall()
        for (content,) in rows:
            self._drop_unused(int(content))

    def recount(self) -> None:
        """Count passages and sentences one by one, and keep the result."""
        self._count(**{name: n for name, n in self.recounted().items() if name != "documents"})

    def replace_content(self, content: int, new: NewContent) -> int:
        """The content id of an article written anew; the same documents stand for it."""
        placed = self.by_content(content)
        self._db.execute("DELETE FROM documents WHERE content = ?", (content,))
        self._drop_unused(content)
        made = self.content_of(new.hash) or self.add_content(new)
        for location in placed:
            self.place_document(location.id, made, location.root, location.path)
        return made

    def clear(self) -> None:
        """Take everything out but the roots; passage ids go on counting, never return."""
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('library', ?)", (uuid.uuid4().hex,))
        self.recount()
        self._db.execute("DELETE FROM documents")
        self._db.execute("DELETE FROM seals")
        for (content,) in self._db.execute("SELECT id FROM contents").fetchall():
            self._drop_unused(int(content))

    def _drop_unused(self, content: int) -> None:
        used = self._db.execute(
            "SELECT 1 FROM documents WHERE content = ? LIMIT 1", (content,)
        ).fetchone()
        if used:
            return
        gone = self._db.execute(
            f"SELECT id, {SENTENCE_COUNT} FROM passages WHERE content = ?", (content,)
        ).fetchall()
        self._dropped += gone
        ids = [(row[0],) for row in gone]
        generation = self.generation + 1
        self._db.executemany(
            "INSERT INTO removed VALUES (?, ?)", ((id_, generation) for (id_,) in ids)
        )
        self._db.executemany("DELETE FROM words WHERE rowid = ?", ids)
        self._db.execute("DELETE FROM passages WHERE content = ?", (content,))
        self._db.execute("DELETE FROM contents WHERE id = ?", (content,))
        self._count_more(-len(gone), -sum(row[1] for row in gone))

    def _refresh_title(self, content: int) -> None:
        """An article without a title of its own is found by its file's name: the present one."""
        row = self._db.execute(
            "SELECT (SELECT min(id) FROM documents WHERE content = c.id), w.title, c.labels, "
            "substr(c.text, 1, ?) "
            "FROM contents c JOIN words w ON w.rowid = "
            "(SELECT min(id) FROM passages WHERE content = c.id) WHERE c.id = ? AND c.title = ''",
            (BEGINNING, content),
        ).fetchone()
        if row is None:
            return
        language = self._language_of(row[3])
        name = indexed_title(title_from_id(row[0]), decode_labels(row[2]).aliases, language)
        if name != row[1]:
            self._db.execute(
                "UPDATE words SET title = ? WHERE rowid IN "
                "(SELECT id FROM passages WHERE content = ?)",
                (name, content),
            )
            self._note_rewording()

    def _note_rewording(self) -> None:
        """Note that words of stored passages change in place: posting lists are to be made anew."""
        self.set_meta("reworded", str(self.generation + 1))

    def _language_of(self, text: str) -> str:
        """The language of an article by its beginning, noted where words have stems in it."""
        language = text_language(text)
        if has_stemmer(language) and language not in (known := self.languages()):
            self.set_meta("languages", json.dumps(sorted({*known, language})))
        return language

    def _count_more(self, passages: int, sentences: int) -> None:
        counts = self.counts()
        self._count(counts["passages"] + passages, counts["sentences"] + sentences)

    def _count(self, passages: int, sentences: int) -> None:
        self.set_meta("passages", str(passages))
        self.set_meta("sentences", str(sentences))
