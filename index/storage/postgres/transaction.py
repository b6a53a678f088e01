"""One change of a library in PostgreSQL, whole or not at all; many may be in the making at once."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pgvector import HalfVector

from index.embedding.encoder import Encoder, PassageVectors
from index.errors import LibraryMismatch
from index.languages.detection import BEGINNING, text_language
from index.languages.stemming import has_stemmer
from index.storage.codec import (
    checksum,
    decode_labels,
    encode_card,
    encode_labels,
    encode_outline,
    encode_places,
    encode_vectors,
    indexed_text,
    indexed_title,
)
from index.storage.document_seals import DOCUMENT_COLUMNS, DOCUMENT_TABLES
from index.storage.postgres import fulltext
from index.storage.postgres.connections import Connection, lock_key
from index.storage.postgres.schema import mend_indexes
from index.storage.postgres.snapshot import PostgresSnapshot
from index.storage.records import NewContent
from index.storage.store import Transaction
from index.types import NO_CARD, CatalogueCard, Passage, title_from_id

CHANNEL = "pilcrow_changes"
"""What listeners listen to; each note is `SCHEMA NUMBER`."""
_ABANDONED = "7 days"
"""Drafts of this age belong to no run any more."""
_BATCH = 256
# The columns of a passage in the order they are written; the seal comes last.
_PASSAGE = (
    'INSERT INTO passages (content, paragraph, start, "end", digest, spans, vector, '
    "sentence_vectors, token_counts, tokens, places, sentences, seal) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"
)


class PostgresTransaction(PostgresSnapshot, Transaction):
    """One change in the making.

    What all changes share (its number, the totals, how many passages have a term) is written at the
    end, under a lock that is held until the change is kept: so they queue there and nowhere else.
    """

    def __init__(self, connection: Connection, schema: str, wait: float) -> None:
        """Write through a connection that is inside a transaction.

        Args:
            connection: to the server.
            schema: the library's.
            wait: seconds to wait for another change that has the same documents.
        """
        super().__init__(connection)
        self._schema, self._wait = schema, wait
        self._written = 0
        self._moved: set[int] = set()  # contents that gained or lost a document
        self._dropped: list[tuple[int, int]] = []
        self._added = [0, 0, 0]  # passages, sentences and words more than before
        self._terms: Counter[str] = Counter()  # passages more than before, by term
        self._new_languages: set[str] = set()
        self._emptied = False

    def _state(self) -> Any:
        """What is noted just now: this change may have changed it."""
        return self._ask_state()

    @property
    def dropped(self) -> list[tuple[int, int]]:
        """Passages taken out so far, each with its number of sentences."""
        return self._dropped

    def _write(self, query: str, *values: object) -> int:
        """How many rows a statement has changed."""
        count: int = self._db.execute(query.encode(), values or None).rowcount
        self._written += max(count, 0)
        return count

    def _write_many(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        with self._db.cursor() as cursor:
            cursor.executemany(query.encode(), rows)
            self._written += max(cursor.rowcount, 0)

    # --- the change as a whole ------------------------------------------------------------

    def claim(self, names: Iterable[str]) -> None:
        """Keep what has these names to this change until it ends; all that it touches, at once.

        Everybody asks in the same order, so nobody waits for one who waits for them.

        Args:
            names: ids, paths and hashes of documents.

        Raises:
            LibraryBusy: when another change has one of them and does not end soon.
        """
        keys = sorted({lock_key(self._schema, "document", name) for name in names})
        if keys:
            self._db.execute(f"SET LOCAL lock_timeout = {int(1000 * self._wait)}".encode())
            self._db.execute("SELECT pg_advisory_xact_lock(k) FROM unnest(%s::bigint[]) k", (keys,))

    def finish(self) -> None:
        """Settle what documents were moved from and to; number and name the change, if any."""
        if self._moved:
            self._write("DELETE FROM tags WHERE document NOT IN (SELECT id FROM documents)")
        while self._moved:
            content = self._moved.pop()
            self._drop_unused(content)
            self._refresh_title(content)
        if not self._written:
            return
        self._db.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(self._schema, "change"),))
        for code in sorted(self._new_languages):
            self._write("INSERT INTO languages VALUES (%s) ON CONFLICT DO NOTHING", code)
        self._count_terms()
        before = (0, 0, 0) if self._emptied else self._state().totals
        totals = [at + more for at, more in zip(before, self._added, strict=True)]
        number = self.generation + 1
        self._db.execute(
            "INSERT INTO changes (number, token, passages, sentences, words) "
            "VALUES (%s, %s, %s, %s, %s)",
            (number, uuid.uuid4().hex, *totals),
        )
        self._db.execute("DELETE FROM changes WHERE number < %s", (number - 1000,))
        self._db.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"{self._schema} {number}"))
        self._written, self._added, self._emptied = 0, [0, 0, 0], False

    def _count_terms(self) -> None:
        """Bring the number of passages with each term up to date; what nobody has any more goes."""
        changed = sorted((term, more) for term, more in self._terms.items() if more)
        self._terms.clear()
        if not changed:
            return
        terms, more = [term for term, _ in changed], [count for _, count in changed]
        self._db.execute(
            "INSERT INTO terms SELECT * FROM unnest(%s::text[], %s::bigint[]) "
            "ON CONFLICT (term) DO UPDATE SET passages = terms.passages + excluded.passages",
            (terms, more),
        )
        fewer = [term for term, count in changed if count < 0]
        self._db.execute("DELETE FROM terms WHERE term = ANY(%s) AND passages <= 0", (fewer,))

    # --- what is noted --------------------------------------------------------------------

    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that documents are indexed in by stems."""
        return tuple(sorted({*super().languages(), *self._new_languages}))

    def set_card(self, path: str, card: CatalogueCard) -> None:
        """Store what is known of a file from where it was got."""
        if card == NO_CARD:
            self._write("DELETE FROM cards WHERE path = %s", os.fsencode(path))
            return
        self._write(
            "INSERT INTO cards VALUES (%s, %s) ON CONFLICT (path) DO UPDATE "
            "SET card = excluded.card WHERE cards.card != excluded.card",
            os.fsencode(path),
            _storable(encode_card(card)),
        )

    def set_collection(self, path: str, name: str) -> None:
        """Put a file, or a folder with what is and comes below it, into a collection, or none."""
        self._write(
            "INSERT INTO collections VALUES (%s, %s) ON CONFLICT (path) DO UPDATE "
            "SET name = excluded.name WHERE collections.name != excluded.name",
            os.fsencode(path),
            name,
        )

    def forget_collections(self, paths: Iterable[str]) -> None:
        """No longer note of files and folders which collection they are in."""
        names = sorted(map(os.fsencode, paths))
        self._write("DELETE FROM collections WHERE path = ANY(%s)", names)

    def set_tags(self, own: Mapping[str, Iterable[str]]) -> None:
        """Store which tags a person has given documents; of documents that are gone none stay."""
        before = self.tags()
        wanted = {id_: tuple(tags) for id_, tags in own.items()}
        for id_ in sorted({*before, *wanted}):
            tags = wanted.get(id_, ())
            if tags == before.get(id_, ()):
                continue
            if not tags:
                self._write("DELETE FROM tags WHERE document = %s", id_)
                continue
            self._write(
                "INSERT INTO tags SELECT %s::text, %s::text WHERE EXISTS "
                "(SELECT 1 FROM documents WHERE id = %s) "
                "ON CONFLICT (document) DO UPDATE SET tags = excluded.tags",
                id_, json.dumps(tags), id_,
            )  # fmt: skip

    def set_encoder(self, encoder: Encoder, chunker: str) -> None:
        """Record what the vectors and passages are made with.

        Raises:
            LibraryMismatch: when another change has recorded another one meanwhile.
        """
        self._db.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(self._schema, "encoder"),))
        stored = self.encoder
        if stored is not None and stored != encoder.identity and not self._emptied:
            raise LibraryMismatch(
                f"another process has begun this library with {stored.name}. Run it again"
            )
        self._note("encoder", json.dumps(asdict(encoder.identity)))
        self._note("encoder folder", str(encoder.folder or ""))
        self._note("chunker", chunker)

    def _note(self, key: str, value: str) -> None:
        self._write(
            "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE "
            "SET value = excluded.value WHERE meta.value != excluded.value",
            key,
            value,
        )

    def add_root(self, path: str) -> None:
        """Remember a folder or file, so that `rebuild` looks there again."""
        self._write(
            "INSERT INTO places (path) VALUES (%s) ON CONFLICT DO NOTHING", os.fsencode(path)
        )

    def set_excludes(self, path: str, globs: Iterable[str]) -> None:
        """Remember what is ignored in a folder that is remembered, instead of what was before."""
        self._write(
            "UPDATE places SET exclude = %s WHERE path = %s", "\n".join(globs), os.fsencode(path)
        )

    def exclude(self, path: str) -> None:
        """Remember that a person took this file out, so that a rebuild does not bring it back."""
        self._write("INSERT INTO excluded VALUES (%s) ON CONFLICT DO NOTHING", os.fsencode(path))

    def include(self, paths: Iterable[str]) -> None:
        """Forget that files were taken out."""
        self._write("DELETE FROM excluded WHERE path = ANY(%s)", sorted(map(os.fsencode, paths)))

    def drop_root(self, path: str) -> None:
        """Forget a folder or file."""
        self._write("DELETE FROM places WHERE path = %s", os.fsencode(path))

    # --- documents and contents -----------------------------------------------------------

    def content_of(self, hash_: str) -> int | None:
        """The content with this hash, kept from going until this change ends."""
        row = self._row("SELECT id FROM contents WHERE hash = %s FOR KEY SHARE", hash_)
        return None if row is None else int(row[0])

    def add_content(self, new: NewContent) -> int:
        """The content id of an article, stored with its passages, vectors and words."""
        document = new.document
        boilerplate = json.dumps([[s.start, s.end] for s in document.boilerplate])
        row = tuple(map(_storable, (
            new.hash, document.title, document.source, document.author, document.date,
            document.text, boilerplate, encode_labels(document), encode_outline(document),
        )))  # fmt: skip
        made = self._row(
            "INSERT INTO contents "
            "(hash, title, source, author, date, text, furniture, labels, outline, seal, edition, "
            "indexed_as) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            *row, checksum(row), new.edition, "" if document.title else _storable(document.name),
        )  # fmt: skip
        assert made is not None
        content = int(made[0])
        self._written += 1
        vectors = iter(new.vectors)
        article = row[1:5]
        for at in range(0, len(new.passages), _BATCH):
            rows = [
                _passage_row(content, new, number, next(vectors), article)
                for number in range(at, min(at + _BATCH, len(new.passages)))
            ]
            self._add_passages(new, at, rows)
        return content

    def _add_passages(self, new: NewContent, at: int, rows: Sequence[Sequence[Any]]) -> None:
        """Write some passages of an article, with what they are found by."""
        ids: list[int] = []
        with self._db.cursor() as cursor:
            cursor.executemany(_PASSAGE.encode(), rows, returning=True)
            while True:
                ids += [int(made[0]) for made in cursor.fetchall()]
                if not cursor.nextset():
                    break
        with (
            self._db.cursor() as cursor,
            cursor.copy("COPY neighbours FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types(["int8", "halfvec"])
            for id_, row in zip(ids, rows, strict=True):
                copy.write_row((id_, HalfVector(np.frombuffer(row[6], "<f4").astype(np.float32))))
        document = new.document
        language = self._language_of(document.text)
        title = indexed_title(document.name, document.aliases, language)
        texts = [
            (title, indexed_text(p.text, language, "" if at + i else document.written_in))
            for i, p in enumerate(new.passages[at : at + len(rows)])
        ]
        self._added[0] += len(rows)
        self._added[1] += sum(row[-2] for row in rows)
        self._written += len(rows)
        self._index(ids, texts)

    def _index(self, passages: Sequence[int], texts: Sequence[tuple[str, str]]) -> None:
        """Write the words of some passages, each with its title's and its own."""
        with (
            self._db.cursor() as cursor,
            cursor.copy("COPY postings FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types(["text", "int8", "int4", "int4", "int4"])
            for passage, terms in zip(passages, fulltext.frequencies(texts), strict=True):
                length = sum(map(sum, terms.values()))
                self._added[2] += length
                self._terms.update(terms.keys())
                for term, (title, body) in sorted(terms.items()):
                    copy.write_row((term, passage, title, body, length))

    def place_document(self, document_id: str, content: int, root: str, path: str) -> None:
        """Let a document id stand for a content.

        What it stood for before goes when the change is complete, unless another document stands
        for it then.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = self._row("SELECT content FROM documents WHERE id = %s", document_id)
        # a file has one document: who took it in meanwhile by another name gives way
        others = self._rows(
            "DELETE FROM documents WHERE path = %s AND id != %s RETURNING content",
            os.fsencode(path),
            document_id,
        )
        self._moved |= {int(other) for (other,) in others}
        self._write(
            "INSERT INTO documents (id, content, place, path, added_at) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET content = excluded.content,"
            " place = excluded.place, path = excluded.path, added_at = excluded.added_at",
            document_id, content, os.fsencode(root), os.fsencode(path), now,
        )  # fmt: skip
        self._moved |= {content} if row is None else {content, int(row[0])}
        self.seal_document(document_id)

    def remove_document(self, document_id: str) -> None:
        """Take a document out; its content goes too unless another path holds the same."""
        row = self._row(
            "DELETE FROM documents WHERE id = %s RETURNING content, path",
            "" if "\0" in document_id else document_id,
        )
        if row is not None:
            self._written += 1
            self._moved.add(int(row[0]))
            path = os.fsdecode(row[1])
            self.set_card(path, NO_CARD)
            self.forget_collections([path])

    def replace_content(self, content: int, new: NewContent) -> int:
        """The content id of an article written anew; the same documents stand for it."""
        placed = self.by_content(content)
        self._write("DELETE FROM documents WHERE content = %s", content)
        self._drop_unused(content)
        made = self.content_of(new.hash) or self.add_content(new)
        for location in placed:
            self.place_document(location.id, made, location.root, location.path)
        return made

    def clear(self) -> None:
        """Take everything out but the roots; passage ids go on counting, never return."""
        self._dropped += self._rows("SELECT id, sentences FROM passages")
        for table in ("documents", "postings", "terms", "neighbours", "passages", "contents"):
            self._write(f"DELETE FROM {table}")
        self._emptied, self._added = True, [0, 0, 0]
        self._terms.clear()
        self._moved.clear()

    def _drop_unused(self, content: int) -> None:
        # who lets a document stand for it just now is waited for, and then seen
        self._row("SELECT 1 FROM contents WHERE id = %s FOR UPDATE", content)
        if self._row("SELECT 1 FROM documents WHERE content = %s LIMIT 1", content):
            return
        gone = self._rows("SELECT id, sentences FROM passages WHERE content = %s", content)
        self._dropped += gone
        ids = [row[0] for row in gone]
        self._unindex(ids)
        self._write("DELETE FROM neighbours WHERE passage = ANY(%s)", ids)
        self._write("DELETE FROM passages WHERE content = %s", content)
        self._write("DELETE FROM contents WHERE id = %s", content)
        self._added[0] -= len(gone)
        self._added[1] -= sum(row[1] for row in gone)

    def _unindex(self, passages: Sequence[int]) -> None:
        """Take the words of some passages out."""
        (words,) = self._row(
            "SELECT coalesce(sum(length), 0) FROM (SELECT DISTINCT passage, length FROM postings "
            "WHERE passage = ANY(%s)) p",
            passages,
        ) or (0,)
        self._added[2] -= int(words)
        self._terms.subtract(
            dict(
                self._rows(
                    "WITH gone AS (DELETE FROM postings WHERE passage = ANY(%s) RETURNING term) "
                    "SELECT term, count(*) FROM gone GROUP BY term",
                    passages,
                )
            )
        )

    def _refresh_title(self, content: int) -> None:
        """An article without a title of its own is found by its file's name: the present one."""
        row = self._row(
            "SELECT (SELECT min(id) FROM documents WHERE content = c.id), c.indexed_as, c.labels "
            "FROM contents c WHERE c.id = %s AND c.title = ''",
            content,
        )
        if row is None or row[0] is None or title_from_id(row[0]) == row[1]:
            return
        self._index_content(content)

    def _index_content(self, content: int) -> None:
        """Write the words of an article's passages as they are to be found today."""
        passages = self._rows(
            'SELECT p.id, substr(c.text, p.start + 1, p."end" - p.start) FROM passages p '
            "JOIN contents c ON c.id = p.content WHERE p.content = %s ORDER BY p.id",
            content,
        )
        row = self._row(
            "SELECT title, labels, substr(text, 1, %s), "
            "(SELECT min(id) FROM documents WHERE content = c.id) FROM contents c WHERE id = %s",
            BEGINNING,
            content,
        )
        assert row is not None
        title, stored, beginning, name = row
        labels, language = decode_labels(stored), self._language_of(beginning)
        names = indexed_title(title or title_from_id(name or ""), labels.aliases, language)
        ids = [id_ for id_, _ in passages]
        self._unindex(ids)
        texts = [
            (names, indexed_text(text, language, "" if i else labels.written_in))
            for i, (_, text) in enumerate(passages)
        ]
        for at in range(0, len(ids), _BATCH):
            self._index(ids[at : at + _BATCH], texts[at : at + _BATCH])
        self._name_content(content, "" if title else title_from_id(name or ""))

    def _name_content(self, content: int, name: str) -> None:
        self._write("UPDATE contents SET indexed_as = %s WHERE id = %s", name, content)

    def _language_of(self, text: str) -> str:
        """The language of an article by its beginning, noted where words have stems in it."""
        language = text_language(text)
        if has_stemmer(language) and language not in self.languages():
            self._new_languages.add(language)
        return language

    def save_drafts(self, drafts: Iterable[tuple[bytes, PassageVectors]]) -> None:
        """Keep vectors of passages whose document is not complete yet."""
        self._write_many(
            "INSERT INTO drafts (digest, vector, sentence_vectors, token_counts, tokens) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (digest) DO UPDATE SET "
            "vector = excluded.vector, sentence_vectors = excluded.sentence_vectors, "
            "token_counts = excluded.token_counts, tokens = excluded.tokens, at = now()",
            sorted((digest, *encode_vectors(vectors)) for digest, vectors in drafts),
        )

    def clear_drafts(self, digests: Collection[bytes]) -> None:
        """Forget the drafts with these digests, now documents have them, and abandoned ones."""
        self._db.execute(
            f"DELETE FROM drafts WHERE digest = ANY(%s) OR at < now() - interval '{_ABANDONED}'",
            (sorted(digests),),
        )

    # --- mending --------------------------------------------------------------------------

    def seal_document(self, document_id: str) -> None:
        """Seal a document as it is now."""
        row = self._row(f"SELECT {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES} WHERE d.id = %s",
                        document_id)  # fmt: skip
        if row is not None:
            self._write("UPDATE documents SET seal = %s WHERE id = %s", checksum(row), document_id)

    def mend_database(self) -> str:
        """What was done: indexes are made again; a table that is gone is not.

        Raises:
            LibraryDamaged: when a table is gone.
        """
        mend_indexes(self._db)
        return "indexes were made anew"

    def mend_documents(self) -> None:
        """Nothing: the server's own checksums find a wrong bit, and files confirm what is noted."""

    def drop_orphans(self) -> None:
        """Take out contents that no document stands for."""
        rows = self._rows(
            "SELECT id FROM contents c "
            "WHERE NOT EXISTS (SELECT 1 FROM documents WHERE content = c.id)"
        )
        for (content,) in rows:
            self._drop_unused(int(content))

    def recount(self) -> None:
        """Count passages, sentences and words one by one, and keep the result."""
        counted = self.recounted()
        words = self._number(
            "SELECT sum(length) FROM (SELECT DISTINCT passage, length FROM postings) p"
        )
        found = [counted["passages"], counted["sentences"], words]
        self._added = [n - kept for n, kept in zip(found, self._state().totals, strict=True)]
        self._written += any(self._added)

    def words_fault(self) -> str:
        """What is wrong with the text index; empty when nothing. It changes nothing."""
        missing = self._number(
            "SELECT count(*) FROM passages p "
            "WHERE NOT EXISTS (SELECT 1 FROM postings WHERE passage = p.id)"
        )
        orphans = self._number(
            "SELECT count(DISTINCT passage) FROM postings p "
            "WHERE NOT EXISTS (SELECT 1 FROM passages WHERE id = p.passage)"
        )
        if missing or orphans:
            return f"{missing} passages missing, {orphans} too many"
        wrong = self._number(
            "SELECT count(*) FROM (SELECT 1 FROM postings GROUP BY passage "
            "HAVING sum(title + body) != min(length) OR min(length) != max(length)) p"
        )
        miscounted = self._number(
            "SELECT count(*) FROM (SELECT term, count(*) AS n FROM postings GROUP BY term) p "
            "FULL JOIN terms t ON t.term = p.term WHERE t.passages IS DISTINCT FROM p.n"
        )
        if wrong or miscounted:
            return f"{wrong} passages with words missing, {miscounted} words miscounted"
        return ""

    def rebuild_words(self) -> None:
        """Make the text index anew from the stored texts."""
        for table in ("postings", "terms"):
            self._write(f"DELETE FROM {table}")
        self._added[2] = -self._state().totals[2]
        self._terms.clear()
        for (content,) in self._rows("SELECT id FROM contents ORDER BY id"):
            self._index_content(int(content))

    def purge_text_index(self) -> None:
        """Nothing: words go with their passages."""


def _passage_row(
    content: int, new: NewContent, number: int, vectors: PassageVectors, article: Sequence[str]
) -> tuple[Any, ...]:
    """A passage as `_PASSAGE` writes it; sealed over what `PASSAGE_COLUMNS` reads."""
    passage: Passage = new.passages[number]
    spans = json.dumps([[s.start, s.end] for s in passage.sentences])
    row = (content, passage.paragraph, passage.start, passage.end, new.digests[number], spans)
    blobs, places = encode_vectors(vectors), _storable(encode_places(new.document, passage))
    seal = checksum((*row, *blobs, *article, places, _storable(passage.text)))
    return (*row, *blobs, places, len(passage.sentences), seal)


def _storable(text: str) -> str:
    """A text as the server takes it: it has no character 0."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
