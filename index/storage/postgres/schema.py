"""The tables of a library on a server, laid out by numbered migrations."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from psycopg import errors, sql

from index.errors import LibraryDamaged, LibraryMismatch, LibraryMissing, LibraryUnwritable
from index.storage.postgres.connections import Connection, Connections, lock_key

_TRUTH = """
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE places (path bytea PRIMARY KEY, exclude text NOT NULL DEFAULT '');
CREATE TABLE excluded (path bytea PRIMARY KEY);
CREATE TABLE languages (code text PRIMARY KEY);
CREATE TABLE tags (document text COLLATE "C" PRIMARY KEY, tags text NOT NULL);
CREATE TABLE changes (
    number bigint PRIMARY KEY, token text NOT NULL,
    passages bigint NOT NULL, sentences bigint NOT NULL, words bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE contents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash text NOT NULL UNIQUE,
    title text NOT NULL, source text NOT NULL, author text NOT NULL, date text NOT NULL,
    text text NOT NULL, furniture text NOT NULL, labels text NOT NULL, outline text NOT NULL,
    seal bigint NOT NULL, edition integer NOT NULL,
    indexed_as text NOT NULL -- the file's name that it is found by where it has no title
);
CREATE TABLE documents (
    id text COLLATE "C" PRIMARY KEY,
    content bigint NOT NULL REFERENCES contents (id),
    place bytea NOT NULL, path bytea NOT NULL UNIQUE, added_at text NOT NULL,
    seal bigint NOT NULL DEFAULT -1
);
CREATE INDEX documents_content ON documents (content);
CREATE INDEX documents_place ON documents (place);
CREATE TABLE passages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content bigint NOT NULL REFERENCES contents (id),
    paragraph integer NOT NULL, start integer NOT NULL, "end" integer NOT NULL,
    digest bytea NOT NULL, spans text NOT NULL, sentences integer NOT NULL,
    vector bytea NOT NULL, sentence_vectors bytea NOT NULL,
    token_counts text NOT NULL, tokens bytea NOT NULL, places text NOT NULL,
    seal bigint NOT NULL
);
CREATE INDEX passages_content ON passages (content);
CREATE INDEX passages_digest ON passages (digest);
CREATE TABLE neighbours (passage bigint PRIMARY KEY, embedding halfvec NOT NULL);
CREATE TABLE drafts (
    digest bytea PRIMARY KEY, vector bytea NOT NULL, sentence_vectors bytea NOT NULL,
    token_counts text NOT NULL, tokens bytea NOT NULL, at timestamptz NOT NULL DEFAULT now()
);
"""
# Numbers of eight bits do not compress; trying costs most of the time of writing them.
_AS_THEY_ARE = ";".join(
    f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL"
    for table in ("passages", "drafts")
    for column in ("vector", "sentence_vectors", "tokens")
)
_WORDS = """
CREATE TABLE postings (
    term text COLLATE "C" NOT NULL, passage bigint NOT NULL,
    title integer NOT NULL, body integer NOT NULL, length integer NOT NULL,
    PRIMARY KEY (term, passage) INCLUDE (title, body, length)
);
CREATE INDEX postings_passage ON postings (passage);
CREATE TABLE terms (term text COLLATE "C" PRIMARY KEY, passages bigint NOT NULL);
"""
_CATALOGUE = """
CREATE TABLE cards (path bytea PRIMARY KEY, card text NOT NULL);
CREATE TABLE collections (path bytea PRIMARY KEY, name text NOT NULL);
"""
# What people do with a library: `tables.py`; the first two are as in the file of one in a folder.
_PEOPLE = """
CREATE TABLE conversations (
    id text PRIMARY KEY, title text NOT NULL, updated text NOT NULL,
    deleted integer NOT NULL DEFAULT 0
);
CREATE TABLE turns (
    key text PRIMARY KEY,
    conversation text NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position bigint NOT NULL, question text NOT NULL, words text NOT NULL, kept text NOT NULL,
    verdict text NOT NULL DEFAULT ''
);
CREATE INDEX turns_in_order ON turns (conversation, position);
CREATE TABLE feedback (key text PRIMARY KEY, verdict text NOT NULL, entry text NOT NULL);
CREATE TABLE secrets (name text PRIMARY KEY, secret bytea NOT NULL);
"""
# Who may use it, where there are accounts, and who changed what.
_ACCOUNTS = """
CREATE TABLE accounts (
    id text PRIMARY KEY, called text NOT NULL UNIQUE, name text NOT NULL, role text NOT NULL,
    collections text NOT NULL, password text NOT NULL, key text NOT NULL, session bigint NOT NULL,
    made text NOT NULL
);
CREATE TABLE audit (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text NOT NULL);
"""
MIGRATIONS = (_TRUTH + _AS_THEY_ARE, _WORDS, _CATALOGUE, _PEOPLE, _ACCOUNTS)
"""What turns a schema of each version, 0 being an empty one, into the next."""


def open_schema(
    connections: Connections, *, create: bool, migrations: Sequence[str] = MIGRATIONS
) -> None:
    """Make the library's tables where there are none, or bring them up to today's version.

    Raises:
        LibraryMissing: when there are none and `create` is False.
        LibraryMismatch: when a newer Pilcrow made them.
        LibraryUnwritable: when the server has no pgvector, or lets nobody make tables.
    """
    address = connections.address
    with connections.outside() as connection:
        had = _version(connection, address.schema)
    if had is not None and had > len(migrations):
        raise LibraryMismatch(
            f"{address.shown} has format {had}, this Pilcrow reads format {len(migrations)}. "
            "Upgrade it: pip install -U pilcrow-rag"
        )
    if had is None and not create:
        raise LibraryMissing(
            f"no library at {address.shown}. Make one: pilcrow --store {address.shown} add ARTICLES"
        )
    if had == len(migrations):
        return
    with connections.writing() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key("lay out"),))
        schema = sql.Identifier(address.schema)
        if _version(connection, address.schema) is None:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
            _require_server(connection, address.shown)
        for version in range(_version(connection, address.schema) or 0, len(migrations)):
            for statement in migrations[version].split(";"):
                if statement.strip():
                    connection.execute(statement.encode())
        made = {"library": uuid.uuid4().hex, "encoder": "", "encoder folder": "", "chunker": ""}
        for key, value in made.items():
            connection.execute("INSERT INTO meta VALUES (%s, %s) ON CONFLICT DO NOTHING",
                               (key, value))  # fmt: skip
        connection.execute(
            "INSERT INTO meta VALUES ('format', %s) ON CONFLICT (key) DO UPDATE "
            "SET value = excluded.value",
            (str(len(migrations)),),
        )
    connections.renew()


def layout_fault(connection: Connection) -> str:
    """What is wrong with tables and indexes of a library; empty when nothing."""
    missing, invalid = _faulty(connection)
    if missing:
        return f"{', '.join(sorted(missing))} missing"
    return f"{', '.join(sorted(invalid))} not valid" if invalid else ""


def mend_indexes(connection: Connection) -> None:
    """Make indexes anew that are missing or not valid.

    Raises:
        LibraryDamaged: when a table is missing.
    """
    missing, invalid = _faulty(connection)
    if tables := sorted(name for name, made in missing.items() if "TABLE" in made):
        raise LibraryDamaged(
            f"{', '.join(tables)} missing. Restore it from a backup of the server, or drop its "
            "schema and add your articles again"
        )
    for statement in missing.values():
        connection.execute(statement.encode())
    for name in invalid:
        connection.execute(sql.SQL("REINDEX INDEX {}").format(sql.Identifier(name)))


def _faulty(connection: Connection) -> tuple[dict[str, str], list[str]]:
    """What is missing, by name with the statement that makes it, and indexes that are not valid."""
    rows = connection.execute(
        "SELECT c.relname, i.indisvalid AND i.indisready FROM pg_class c "
        "LEFT JOIN pg_index i ON i.indexrelid = c.oid "
        "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'i')"
    ).fetchall()
    there = {name for name, _ in rows}
    statements = (line.strip() for part in MIGRATIONS for line in part.split(";"))
    made = {line.split()[2]: line for line in statements if line.startswith("CREATE")}
    invalid = [name for name, valid in rows if valid is False and not name.startswith(NEAREST)]
    return {name: line for name, line in made.items() if name not in there}, invalid


_OLDEST_SERVER, _OLDEST_VECTORS = 150_000, (0, 7)
NEAREST = "neighbours_hnsw_"
"""What the graphs over vectors are called, with the number of dimensions behind it."""


def _version(connection: Connection, schema: str) -> int | None:
    """The format of the library in a schema; None where there is no library."""
    found = connection.execute("SELECT to_regclass(%s)", (f"{schema}.meta",)).fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    return int(row[0]) if row else 0


def _require_server(connection: Connection, shown: str) -> None:
    """Refuse a server that cannot keep a library, with the way out."""
    row = connection.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), "
        "(SELECT extversion FROM pg_extension WHERE extname = 'vector'), "
        "(SELECT default_version FROM pg_available_extensions WHERE name = 'vector')"
    ).fetchone()
    assert row is not None
    server, encoding, here, known = row
    if server < _OLDEST_SERVER or encoding != "UTF8":
        raise LibraryUnwritable(
            f"{shown} is PostgreSQL {server // 10_000} with {encoding}; a library needs 15 or "
            "newer and a database in UTF8: createdb --encoding UTF8 --template template0 NAME"
        )
    version = here or known
    if version is None or tuple(map(int, version.split(".")[:2])) < _OLDEST_VECTORS:
        raise LibraryUnwritable(
            f"the server of {shown} has {f'pgvector {version}' if version else 'no pgvector'}. "
            f"Install 0.7 or newer there, for example: apt install postgresql-{server // 10_000}"
            "-pgvector"
        )
    if here:
        return
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    except errors.InsufficientPrivilege:
        raise LibraryUnwritable(
            f"{shown} has no pgvector yet. Let who keeps the server run there: "
            "CREATE EXTENSION vector"
        ) from None
