"""One consistent view of a library in PostgreSQL."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from pgvector import HalfVector
from psycopg import sql

from index.embedding.encoder import Vector
from index.languages.stemming import any_of, term_forms
from index.storage.codec import (
    CONTENT_COLUMNS,
    FIRST_VECTOR,
    PASSAGE_COLUMNS,
    PASSAGE_COLUMNS_BUT_TEXT,
    VECTOR_COLUMNS,
    checksum,
    collection_of,
    damaged_meta,
    decode_card,
    storable_id,
)
from index.storage.document_seals import DOCUMENT_COLUMNS, DOCUMENT_TABLES
from index.storage.postgres import fulltext
from index.storage.postgres.connections import BEAM, Connection
from index.storage.postgres.schema import NEAREST, layout_fault
from index.storage.records import DocumentLocation
from index.storage.row_snapshot import Row, RowSnapshot, located, located_soundly
from index.types import (
    NO_CARD,
    CatalogueCard,
    Ids,
)

# BM25 as FTS5 has it, so that both backends rank alike; titles count half, as there.
_K1, _B, _TITLE_WEIGHT, _LEAST_IDF = 1.2, 0.75, 0.5, 1e-6
# How many more candidates half precision hands on than are wanted: they are compared exactly.
_MORE = 2
_MATCHES = """
SELECT p.passage, sum(
    w.times * greatest(
        {least}, ln((greatest(0, %(total)s - t.passages) + 0.5) / (t.passages + 0.5))
    )
    * f.count * {k1_1} / (f.count + p.length * %(by_length)s + {low})
)
FROM unnest(%(terms)s::text[], %(times)s::float8[]) AS w (term, times)
JOIN terms t ON t.term = w.term JOIN postings p ON p.term = w.term
CROSS JOIN LATERAL (SELECT ({title} * p.title + p.body)::float8 AS count) f
{where} GROUP BY p.passage ORDER BY 2 DESC, 1 LIMIT %(k)s
"""
_STATE = f"""
SELECT (SELECT coalesce(json_object_agg(key, value), '{{}}') FROM meta),
    ARRAY(SELECT code FROM languages ORDER BY code),
    ARRAY(SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'neighbours'::regclass AND i.indisvalid
        AND starts_with(c.relname, '{NEAREST}')),
    c.number, c.token, c.passages, c.sentences, c.words
FROM (SELECT 1) one LEFT JOIN (SELECT * FROM changes ORDER BY number DESC LIMIT 1) c ON true
"""


class _State(NamedTuple):
    """What is noted of one state of a library."""

    meta: dict[str, str]
    languages: tuple[str, ...]
    graphs: frozenset[str]
    """Names of the graphs over vectors that can be searched."""
    generation: int
    token: str
    totals: tuple[int, int, int]
    """Passages, sentences, words."""


class PostgresSnapshot(RowSnapshot):
    """Questions to one state of the library."""

    def __init__(self, connection: Connection) -> None:
        """Read through a connection that is inside a transaction."""
        self._db = connection
        self._noted: _State | None = None

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._db.execute(query.encode(), values or None).fetchall()
        return rows

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(query.encode(), values or None).fetchone()
        return row

    def _number(self, query: str, *values: object) -> int:
        row = self._row(query, *values)
        return int(row[0] or 0) if row else 0

    # --- which state ----------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """The number of the last change; it grows by one with each."""
        return self._state().generation

    @property
    def generation_id(self) -> str:
        """The last change's own random name; empty before the first."""
        return self._state().token

    @property
    def encoder_folder(self) -> str:
        """Where that encoder was loaded from; empty for the packaged one."""
        return self._meta("encoder folder")

    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that documents are indexed in by stems."""
        return self._state().languages

    @property
    def passages_held(self) -> int:
        """How many passages there are."""
        return self._state().totals[0]

    def counts(self) -> dict[str, int]:
        """How many documents, passages and sentences there are; kept with every change."""
        passages, sentences, _ = self._state().totals
        documents = self._number("SELECT count(*) FROM documents")
        return {"documents": documents, "passages": passages, "sentences": sentences}

    def _meta(self, key: str) -> str:
        try:
            return self._state().meta[key]
        except KeyError:
            raise damaged_meta(key) from None

    def _state(self) -> _State:
        """What is noted of this state: asked for once, since it never changes."""
        if self._noted is None:
            self._noted = self._ask_state()
        return self._noted

    def _ask_state(self) -> _State:
        row = self._row(_STATE)
        assert row is not None
        meta, languages, graphs, number, token, *totals = row
        return _State(
            meta, tuple(languages), frozenset(graphs), number or 0, token or "",
            (totals[0] or 0, totals[1] or 0, totals[2] or 0),
        )  # fmt: skip

    # --- where it came from ---------------------------------------------------------------

    def roots(self) -> list[str]:
        """Every folder and file that was ever added and not removed, as absolute paths."""
        return [os.fsdecode(path) for (path,) in self._rows("SELECT path FROM places ORDER BY 1")]

    def excludes(self) -> dict[str, tuple[str, ...]]:
        """The globs of what is ignored in a folder, by its absolute path."""
        rows = self._rows("SELECT path, exclude FROM places WHERE exclude != ''")
        return {os.fsdecode(path): tuple(globs.split("\n")) for path, globs in rows}

    def excluded(self) -> set[str]:
        """Files that a person took out, as absolute paths."""
        return {os.fsdecode(path) for (path,) in self._rows("SELECT path FROM excluded")}

    def card(self, path: str) -> CatalogueCard:
        """What is known of a file from where it was got; by its absolute path."""
        row = self._row("SELECT card FROM cards WHERE path = %s", os.fsencode(path))
        return decode_card(row[0]) if row else NO_CARD

    def own_collection(self, path: str) -> str | None:
        """The collection that a file or folder was put into itself; None for wherever it lies."""
        row = self._row("SELECT name FROM collections WHERE path = %s", os.fsencode(path))
        return None if row is None else str(row[0])

    def _collection_of(self) -> Callable[[str], str]:
        """What tells a file's collection: its own, else that of the nearest folder that has one."""
        rows = self._rows("SELECT path, name FROM collections")
        return collection_of({os.fsdecode(path): name for path, name in rows})

    def locations(self) -> list[DocumentLocation]:
        """Every document with its whereabouts, by id."""
        return self._sound("ORDER BY d.id")

    def by_path(self, path: str) -> DocumentLocation | None:
        """The document that this file stands for."""
        return next(iter(self._sound("WHERE d.path = %s", os.fsencode(path))), None)

    def by_id(self, document_id: str) -> DocumentLocation | None:
        """The document with this id, sound or not: so it can be removed."""
        return next(iter(self._locations("WHERE d.id = %s", _id(document_id))), None)

    def by_content(self, content: int) -> list[DocumentLocation]:
        """The documents with this content, sound or not: so they can be mended."""
        return self._locations("WHERE d.content = %s ORDER BY d.id", content)

    def _locations(self, which: str, *values: object) -> list[DocumentLocation]:
        rows = self._rows(
            "SELECT d.id, d.place, d.path, d.content, c.hash FROM documents d "
            f"JOIN contents c ON c.id = d.content {which}",
            *values,
        )
        return [located(row) for row in rows]

    def _sound(self, which: str, *values: object) -> list[DocumentLocation]:
        """As `_locations`, of documents that are what was written; a damaged one is an error."""
        rows = self._rows(
            f"SELECT d.seal, {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES} {which}", *values
        )
        return [located_soundly(row) for row in rows]

    def _sealed_document(self, document_id: str) -> list[DocumentLocation]:
        """The document with an id, compared with its seal; none when there is none."""
        return self._sound("WHERE d.id = %s", document_id)

    def _sealed_documents_with(self, contents: Sequence[int]) -> list[DocumentLocation]:
        """The documents with any of these contents, each compared with its seal."""
        return self._sound("WHERE d.content = ANY(%s)", list(contents))

    def content_of(self, hash_: str) -> int | None:
        """The content with this hash, if it is stored."""
        row = self._row("SELECT id FROM contents WHERE hash = %s", hash_)
        return None if row is None else int(row[0])

    def edition_of(self, content: int) -> int:
        """Which edition of its format's reader a content was made by."""
        return self._number("SELECT edition FROM contents WHERE id = %s", content)

    # --- documents and passages -----------------------------------------------------------

    def _record_rows(self) -> Iterable[Row]:
        """What `document_record` takes, of every document, by id."""
        return self._rows(
            "SELECT d.id, c.title, c.source, c.author, c.date, p.paragraphs, p.passages, "
            "p.sentences, length(c.text), c.hash, d.path, d.added_at, c.labels "
            "FROM documents d JOIN contents c ON c.id = d.content JOIN LATERAL ("
            "SELECT count(DISTINCT paragraph) AS paragraphs, count(*) AS passages, "
            "coalesce(sum(sentences), 0) AS sentences FROM passages WHERE content = c.id"
            ") p ON true ORDER BY d.id"
        )

    def tags(self) -> dict[str, tuple[str, ...]]:
        """The tags that a person has given documents here, by document id."""
        rows = self._rows("SELECT document, tags FROM tags")
        return {id_: tuple(map(str, json.loads(tags))) for id_, tags in rows}

    def _content_row(self, document_id: str) -> Row | None:
        """Seal and `CONTENT_COLUMNS` of a document's content."""
        return self._row(
            f"SELECT c.seal, {CONTENT_COLUMNS} FROM documents d "
            "JOIN contents c ON c.id = d.content WHERE d.id = %s",
            _id(document_id),
        )

    def _passage_rows_of(self, content: int, paragraphs: Collection[int] | None) -> Iterable[Row]:
        """Id, seal, `PASSAGE_COLUMNS_BUT_TEXT`, start and end of a content's passages, in order."""
        some = "" if paragraphs is None else "AND p.paragraph = ANY(%s)"
        wanted = () if paragraphs is None else (list(paragraphs),)
        return self._rows(
            f'SELECT p.id, p.seal, {PASSAGE_COLUMNS_BUT_TEXT}, p.start, p."end" FROM passages p '
            f"JOIN contents c ON c.id = p.content WHERE p.content = %s {some} ORDER BY p.start",
            content,
            *wanted,
        )

    def _passage_rows(self, ids: list[int]) -> Sequence[Row]:
        """Id, seal, `PASSAGE_COLUMNS` and the article's labels of some passages."""
        return self._rows(
            f"SELECT p.id, p.seal, {PASSAGE_COLUMNS}, c.labels FROM passages p "
            "JOIN contents c ON c.id = p.content WHERE p.id = ANY(%s)",
            ids,
        )

    def _fact_rows(self) -> Iterable[Row]:
        """Id, path, author, source, date, labels and content of every document."""
        return self._rows(
            "SELECT d.id, d.path, c.author, c.source, c.date, c.labels, d.content "
            "FROM documents d JOIN contents c ON c.id = d.content"
        )

    def passage_ids(self, contents: Collection[int]) -> Ids:
        """Ids of the passages of some contents, ascending."""
        rows = self._rows(
            "SELECT id FROM passages WHERE content = ANY(%s) ORDER BY id", list(contents)
        )
        return np.array([row[0] for row in rows], np.int64)

    def _section_rows(self, ids: list[int]) -> Iterable[Row]:
        """Id, content and places of those of some passages that have places."""
        return self._rows(
            "SELECT id, content, places FROM passages WHERE places != '' AND id = ANY(%s)", ids
        )

    def _outlines(self) -> Iterator[str]:
        """The outlines of the documents that have one, as stored."""
        rows = self._rows(
            "SELECT c.outline FROM documents d JOIN contents c ON c.id = d.content "
            "WHERE c.outline != ''"
        )
        return (stored for (stored,) in rows)

    # --- words ----------------------------------------------------------------------------

    def matches(self, query: str, k: int, among: Collection[int] | None = None) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` for a query of words.

        A form that falls into several terms, which no word of our splitting does, counts for each.

        Args:
            query: from `languages.stemming.any_of`.
            k: how many at most.
            among: only passages with these ids; all when None.
        """
        wanted = Counter(term for phrase in fulltext.phrases(query) for term in phrase)
        total, _, words = self._state().totals
        if not wanted or not words:
            return {}
        asked = _MATCHES.format(
            k1_1=_K1 + 1, low=_K1 * (1 - _B), title=_TITLE_WEIGHT, least=_LEAST_IDF,
            where="" if among is None else "WHERE p.passage = ANY(%(among)s)",
        )  # fmt: skip
        rows = self._db.execute(
            asked.encode(),
            {
                "terms": list(wanted),
                "times": [float(times) for times in wanted.values()],
                "total": float(total),
                "by_length": _K1 * _B * total / words,
                "k": k,
                "among": None if among is None else list(among),
            },
        )
        return {int(id_): float(score) for id_, score in rows}

    def passages_with(self, word: str, among: Collection[int] | None = None) -> int:
        """How many passages hold a word (or another form of it).

        Args:
            word: from `tokenization.words`.
            among: only passages with these ids; all when None.
        """
        phrases = fulltext.phrases(any_of(term_forms(word, self.languages())))
        terms = sorted({term for phrase in phrases for term in phrase})
        if among is not None:
            return self._number(
                "SELECT count(DISTINCT passage) FROM postings "
                "WHERE term = ANY(%s) AND passage = ANY(%s)",
                terms,
                list(among),
            )
        known = self._rows("SELECT term, passages FROM terms WHERE term = ANY(%s)", terms)
        if len(known) <= 1:
            return sum(int(passages) for _, passages in known)
        return self._number(
            "SELECT count(DISTINCT passage) FROM postings WHERE term = ANY(%s)", terms
        )

    def article_texts(self, every: int = 1) -> Iterator[str]:
        """The text of every so many-th article, none compared with its checksum: to be counted."""
        last = 0
        while rows := self._rows(
            "SELECT id, text FROM contents WHERE id > %s AND mod(id, %s) = 0 ORDER BY id LIMIT 64",
            last,
            every,
        ):
            yield from (text for _, text in rows)
            last = rows[-1][0]

    def beginnings(self, contents: Collection[int], length: int) -> dict[int, str]:
        """The first characters of some contents, none compared with its checksum."""
        if not contents:
            return {}
        rows = self._rows(
            "SELECT id, substr(text, 1, %s) FROM contents WHERE id = ANY(%s)",
            length,
            sorted(contents),
        )
        return {int(id_): text for id_, text in rows}

    def article_names(self) -> Iterator[str]:
        """What articles are called and who published them, as one text each."""
        return (" ".join(row) for row in self._rows("SELECT title, source, author FROM contents"))

    # --- vectors --------------------------------------------------------------------------

    def has_graph(self, dimension: int) -> bool:
        """Whether there is a graph over vectors of this length that can be searched."""
        return f"{NEAREST}{dimension}" in self._state().graphs

    def unsearchable(self) -> int:
        """How many passages have no vector to be found by, or none that is theirs."""
        return self._number(
            "SELECT count(*) FROM passages p FULL JOIN neighbours n ON n.passage = p.id "
            "WHERE p.id IS NULL OR n.passage IS NULL"
        )

    def some_passages(self) -> list[int]:
        """The ids of a thousand passages, spread over all."""
        rows = self._rows(
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS at FROM passages) p "
            "WHERE mod(at, greatest(1, (SELECT count(*) FROM passages) / 1000)) = 0"
        )
        return [int(id_) for (id_,) in rows]

    def nearest(
        self, query: Vector, k: int, among: Ids | None = None, *, walk: bool = False
    ) -> tuple[Ids, Vector]:
        """The `k` passages nearest to a unit vector, best first, with their cosines.

        Candidates come by vectors of half precision and are compared again as they were made.

        Args:
            query: shape (d,).
            k: how many at most.
            among: only passages with these ids; all when None.
            walk: whether to walk along the graph, rather than to compare every vector.
        """
        dimension = len(query)
        depth = _MORE * k
        exact = sql.SQL("embedding")
        walked = sql.SQL("(embedding::halfvec({}))").format(sql.Literal(dimension))
        if walk and depth > BEAM:  # else it is as every connection has it
            wider = sql.SQL("SET LOCAL hnsw.ef_search = {}").format(min(1000, depth))
            self._db.execute(wider)
        condition = sql.SQL("WHERE passage = ANY(%(among)s)" if among is not None else "").format()
        if walk:  # as the graph has it
            condition = sql.SQL("WHERE vector_dims(embedding) = {}").format(sql.Literal(dimension))
        rows = self._db.execute(
            sql.SQL(
                "SELECT p.id, p.vector FROM (SELECT passage FROM neighbours {} ORDER BY {} <#> "
                "{}::halfvec({}) LIMIT {}) n JOIN passages p ON p.id = n.passage"
            ).format(
                condition,
                walked if walk else exact,
                sql.SQL("%(query)s"),
                sql.Literal(dimension),
                sql.Literal(depth),
            ),
            {
                "query": HalfVector(query.astype(np.float32)),
                "among": None if among is None else among.tolist(),
            },
            binary=True,
        ).fetchall()
        ids = np.array([row[0] for row in rows], np.int64)
        vectors = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(-1, dimension)
        scores: Vector = (vectors @ query).astype(np.float32)
        best = np.lexsort((ids, -scores))[:k]
        return ids[best], scores[best]

    def _vector_rows(self, dimension: int) -> Iterable[Row]:
        """Document id and passage vector of all vectors of this length, by document."""
        return self._rows(
            "SELECT d.id, p.vector FROM documents d JOIN passages p ON p.content = d.content "
            "WHERE length(p.vector) = %s ORDER BY d.id, p.id",
            4 * dimension,
        )

    def _stored_vectors(self, digests: Collection[bytes], drafts_only: bool) -> dict[bytes, Row]:
        """`VECTOR_COLUMNS` of sound drafts, and of sound passages, with these digests."""
        wanted = list(digests)
        drafts = self._rows(
            f"SELECT digest, {VECTOR_COLUMNS} FROM drafts WHERE digest = ANY(%s)", wanted
        )
        found: dict[bytes, Row] = {row[0]: row[1:] for row in drafts}
        missing = [digest for digest in wanted if digest not in found]
        if drafts_only or not missing:
            return found
        rows = self._rows(
            f"SELECT p.digest, p.seal, {PASSAGE_COLUMNS} FROM passages p "
            "JOIN contents c ON c.id = p.content WHERE p.digest = ANY(%s)",
            missing,
        )
        for digest, seal, *values in rows:
            if digest not in found and checksum(values) == seal:
                found[digest] = values[FIRST_VECTOR : FIRST_VECTOR + 4]
        return found

    # --- is it sound ----------------------------------------------------------------------

    def integrity(self) -> str:
        """What is wrong with tables and indexes; the server itself looks after its pages."""
        return layout_fault(self._db)

    def _counted_row(self) -> Row:
        """How many documents, passages and sentences there are, counted one by one."""
        row = self._row(
            "SELECT (SELECT count(*) FROM documents), count(*), coalesce(sum(sentences), 0) "
            "FROM passages"
        )
        assert row is not None
        return row

    def orphans(self) -> int:
        """Contents that no document stands for; the server lets nothing refer to what is not."""
        return self._number(
            "SELECT count(*) FROM contents c "
            "WHERE NOT EXISTS (SELECT 1 FROM documents WHERE content = c.id)"
        )

    def _all_contents(self) -> Iterator[Row]:
        """Id, seal and what it is made over, of every content."""
        return self._all(f"SELECT c.id, c.seal, {CONTENT_COLUMNS} FROM contents c")

    def bad_documents(self) -> list[str]:
        """Ids of the documents of which something is not what was written."""
        rows = self._rows(f"SELECT d.seal, {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES} ORDER BY d.id")
        return [str(row[1]) for row in rows if checksum(row[1:]) != row[0]]

    def _all_passages(self) -> Iterator[Row]:
        """Id, seal and what it is made over, the content first, of every passage."""
        return self._all(
            f"SELECT p.id, p.seal, {PASSAGE_COLUMNS} FROM passages p "
            "JOIN contents c ON c.id = p.content"
        )

    def _all(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a query about everything, some at a time: they need not fit into memory."""
        with self._db.cursor(name="all") as cursor:
            cursor.itersize = 256
            yield from cursor.execute(query.encode())

    def rows_left(self, passages: Collection[int]) -> int:
        """How many rows there are about passages with these ids: 0 once they are removed."""
        ids = list(passages)
        return sum(
            self._number(f"SELECT count(*) FROM {table} WHERE {column} = ANY(%s)", ids)
            for table, column in (
                ("passages", "id"), ("neighbours", "passage"), ("postings", "passage"),
            )
        )  # fmt: skip


def _id(document_id: object) -> str:
    """An id as the server can be asked for it; empty, as none is, when it can be no id."""
    known = storable_id(document_id)
    return "" if "\0" in known else known
