"""A library in a folder, copied to a PostgreSQL server as it is: how a benchmark fills one.

Rows go over in bulk, words in the order of their index and without indexes of the server's until
all are there; what a change of a library does is not done. A million passages take minutes so, and
hours one change after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.embedding.encoder import Encoder
from index.languages.splitting import CHUNKER
from index.storage.codec import checksum
from index.storage.document_seals import DOCUMENT_COLUMNS, DOCUMENT_TABLES
from index.storage.postgres.address import parse_address
from index.storage.postgres.connections import Connection, connect
from index.storage.postgres.store import PostgresStore
from index.storage.sqlite.snapshot import SQLiteSnapshot
from index.storage.sqlite.store import open_folder

_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_ROWS = 2_000
_PASSAGES = {
    "id": "int8", "content": "int8", "paragraph": "int4", "start": "int4", '"end"': "int4",
    "digest": "bytea", "spans": "text", "vector": "bytea", "sentence_vectors": "bytea",
    "token_counts": "text", "tokens": "bytea", "places": "text", "seal": "int8",
}  # fmt: skip
_CONTENTS = {
    "id": "int8", "hash": "text", "title": "text", "source": "text", "author": "text",
    "date": "text", "text": "text", "furniture": "text", "labels": "text", "outline": "text",
    "seal": "int8", "edition": "int4",
}  # fmt: skip


def copy_library(folder: Path, address: str, encoder: Encoder) -> None:
    """Make a library on a server of all that one in a folder has, without a graph.

    Args:
        folder: of a library whose documents have titles.
        address: of an empty schema.
        encoder: whose vectors it has.
    """
    Library.open(address, encoder=encoder).close()  # lays it out
    with (
        closing(open_folder(folder, create=False)) as held,
        closing(connect(parse_address(address))) as server,
        held.reading() as reader,
    ):
        _copy_articles(reader, server)
        _copy_passages(reader, server, has_vectors=_count(server, "neighbours") > 0)
        words = _copy_words(reader, server)
        counts = reader.counts()
        languages = reader.languages()
    with closing(PostgresStore(parse_address(address), create=False)) as store:
        with store.writing() as writer:
            writer.set_encoder(encoder, CHUNKER)
            writer._new_languages |= {*languages}
            writer._added = [counts["passages"], counts["sentences"], words]
        store.tidy()


def _copy_articles(reader: SQLiteSnapshot, server: Connection) -> None:
    rows = reader._db.execute(f"SELECT {', '.join(_CONTENTS)} FROM contents ORDER BY id")
    _copy(server, "contents", _CONTENTS | {"indexed_as": "text"}, ((*row, "") for row in rows))
    rows = reader._db.execute("SELECT id, content, place, path, added_at FROM documents")
    kinds = {"id": "text", "content": "int8", "place": "bytea", "path": "bytea", "added_at": "text"}
    _copy(
        server, "documents", kinds,
        ((id_, made, place.encode(), path.encode(), at) for id_, made, place, path, at in rows),
    )  # fmt: skip
    made = server.execute(f"SELECT {DOCUMENT_COLUMNS} FROM {DOCUMENT_TABLES}".encode()).fetchall()
    server.execute(
        "UPDATE documents d SET seal = s.seal FROM unnest(%s::text[], %s::bigint[]) s (id, seal) "
        "WHERE s.id = d.id",
        ([row[0] for row in made], [checksum(row) for row in made]),
    )
    _count_on(server, "contents")


def _copy_passages(reader: SQLiteSnapshot, server: Connection, *, has_vectors: bool) -> None:
    columns = list(_PASSAGES)
    spans = columns.index("spans")
    rows = reader._db.execute(f"SELECT {', '.join(columns)} FROM passages ORDER BY id")
    sentences = ((*row, len(json.loads(row[spans]))) for row in rows)
    _copy(server, "passages", _PASSAGES | {"sentences": "int4"}, sentences)
    _count_on(server, "passages")
    if has_vectors:
        return
    rows = reader._db.execute("SELECT id, vector FROM passages ORDER BY id")
    with (
        server.cursor() as cursor,
        cursor.copy("COPY neighbours FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(_HEAD)
        for some in _some_at_a_time(rows):
            vectors = np.frombuffer(b"".join(blob for _, blob in some), "<f4")
            copy.write(_halves([id_ for id_, _ in some], vectors.reshape(len(some), -1)))
        copy.write(_END)


def _halves(ids: Sequence[int], vectors: NDArray[np.float32]) -> bytes:
    """Rows of `neighbours` as the server's binary format has them."""
    width = vectors.shape[1]
    fields = [("fields", ">i2"), ("a", ">i4"), ("id", ">i8"), ("b", ">i4"), ("width", ">i2")]
    rows = np.zeros(len(ids), np.dtype([*fields, ("none", ">i2"), ("vector", ">f2", (width,))]))
    rows["fields"], rows["a"], rows["id"] = 2, 8, ids
    rows["b"], rows["width"], rows["vector"] = 4 + 2 * width, width, vectors
    return rows.tobytes()


def _copy_words(reader: SQLiteSnapshot, server: Connection) -> int:
    """Words of all passages together, each counted as often as it stands somewhere."""
    server.execute("ALTER TABLE postings DROP CONSTRAINT postings_pkey")
    server.execute("DROP INDEX postings_passage")
    lengths = _lengths(reader)
    counted: list[tuple[str, int]] = []
    with server.cursor() as cursor, cursor.copy("COPY postings FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_HEAD)
        for part in reader.words():
            ends = np.cumsum(part.counts).tolist()
            for term, begin, end in zip(part.words, [0, *ends], ends, strict=False):
                passages, first = np.unique(part.passages[begin:end], return_index=True)
                body = np.add.reduceat(part.in_text[begin:end].astype(np.int64), first)
                title = np.diff([*first, end - begin]) - body
                counted.append((term.decode(), len(passages)))
                copy.write(_postings(term, passages, title, body, lengths[passages]))
        copy.write(_END)
    server.execute("SET maintenance_work_mem = '1GB'")
    server.execute(
        "ALTER TABLE postings ADD CONSTRAINT postings_pkey PRIMARY KEY (term, passage) "
        "INCLUDE (title, body, length)"
    )
    server.execute("CREATE INDEX postings_passage ON postings (passage)")
    _copy(server, "terms", {"term": "text", "passages": "int8"}, counted)
    return int(lengths.sum())


def _postings(term: bytes, passages: NDArray[np.int64], *counts: NDArray[np.int64]) -> bytes:
    """Rows of `postings` as the server's binary format has them."""
    fields = [("fields", ">i2"), ("a", ">i4"), ("term", f"S{len(term)}")]
    fields += [("b", ">i4"), ("passage", ">i8")]
    for number in range(len(counts)):
        fields += [(f"size{number}", ">i4"), (f"count{number}", ">i4")]
    rows = np.zeros(len(passages), np.dtype(fields))
    rows["fields"], rows["a"], rows["term"] = 2 + len(counts), len(term), term
    rows["b"], rows["passage"] = 8, passages
    for number, each in enumerate(counts):
        rows[f"size{number}"], rows[f"count{number}"] = 4, each
    return rows.tobytes()


def _lengths(reader: SQLiteSnapshot) -> NDArray[np.int64]:
    """Words of each passage, its title's included, by its id; FTS5 keeps them as two varints."""
    sizes = reader._db.execute("SELECT id, sz FROM words_docsize ORDER BY id").fetchall()
    lengths = np.zeros(sizes[-1][0] + 1, np.int64)
    for id_, stored in sizes:
        value = 0
        for byte in stored:
            value = value << 7 | byte & 127
            if byte < 128:
                lengths[id_] += value
                value = 0
    return lengths


def _copy(
    server: Connection, table: str, kinds: dict[str, str], rows: Iterable[Sequence[object]]
) -> None:
    copied = f"COPY {table} ({', '.join(kinds)}) FROM STDIN (FORMAT BINARY)"
    with server.cursor() as cursor, cursor.copy(copied.encode()) as copy:
        copy.set_types([*kinds.values()])
        for row in rows:
            copy.write_row(row)


def _some_at_a_time(rows: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    some: list[tuple[int, bytes]] = []
    for row in rows:
        some.append(row)
        if len(some) == _ROWS:
            yield some
            some = []
    if some:
        yield some


def _count(server: Connection, table: str) -> int:
    row = server.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else 0


def _count_on(server: Connection, table: str) -> None:
    """The next id is one that is free."""
    server.execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}".encode()
    )
