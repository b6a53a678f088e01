"""A library on a PostgreSQL server with pgvector: many may read and write at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg import errors, sql

from index.errors import LibraryBusy
from index.storage.postgres.address import Address
from index.storage.postgres.connections import MOST, WAIT, Connection, Connections, lock_key
from index.storage.postgres.schema import NEAREST, open_schema
from index.storage.postgres.snapshot import PostgresSnapshot
from index.storage.postgres.transaction import CHANNEL, PostgresTransaction
from index.storage.store import Store
from index.system import files

_RIGHT_WAIT = 0.2
"""Seconds to wait for the right to change the library."""
# A graph that outgrows this memory is built many times slower. It takes 1.1 kB for a vector of 384
# numbers; where a server says how much memory it has to keep pages in, half of that is its limit.
_ROOM_FOR_GRAPH = """
SELECT set_config('maintenance_work_mem', greatest(512 * 1024, least(
    (SELECT count(*) FROM neighbours) * (2 * %s + 600) / 1024,
    pg_size_bytes(current_setting('effective_cache_size')) / 2048
))::bigint || 'kB', false)
"""
_TABLES = ("passages", "neighbours", "postings", "terms", "contents", "documents")


class PostgresStore(Store):
    """One library's schema, as states to read and changes to write. Shared between threads."""

    def __init__(
        self, address: Address, *, create: bool, most: int = MOST, wait: float = WAIT
    ) -> None:
        """Open a library, made when it is missing.

        Args:
            address: where.
            create: whether to make a library where there is none.
            most: connections at once.
            wait: seconds to wait for one of them, and for a change of the same documents.

        Raises:
            LibraryMissing: when there is none and `create` is False.
            LibraryMismatch: when a newer version of Pilcrow made it.
            LibraryUnreachable: when the server does not answer, or lets nobody in.
            LibraryUnwritable: when it has no pgvector, or lets nobody make tables.
        """
        self.address = address
        self._wait = wait
        self._connections = Connections(self.address, most, wait)
        try:
            open_schema(self._connections, create=create)
        except BaseException:
            self._connections.close()
            raise
        files.make_folder(self.folder)
        files.make_private(self.folder)

    @property
    def place(self) -> Address:
        """Its address."""
        return self.address

    @property
    def folder(self) -> Path:
        """A folder of this machine's own: copies of uploads and conversations lie there."""
        return self.address.folder

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    @contextmanager
    def reading(self) -> Iterator[PostgresSnapshot]:
        """One consistent state of the library, for as long as the block runs."""
        with self._connections.reading() as connection:
            yield PostgresSnapshot(connection)

    @contextmanager
    def writing(self, *, counted: bool = True) -> Iterator[PostgresTransaction]:
        """One change: everything in the block is kept, or after an exception nothing.

        Args:
            counted: whether readers need to know; drafts are nobody's business.
        """
        with self._connections.writing() as connection:
            writer = PostgresTransaction(connection, self.address.schema, self._wait)
            yield writer
            if counted:
                writer.finish()

    @contextmanager
    def changing(self, *, alone: bool = False) -> Iterator[None]:
        """The right to change the library: many have it at once, or one alone.

        Args:
            alone: whether nobody else may change anything meanwhile.
        """
        way = "" if alone else "_shared"
        key = lock_key(self.address.schema, "library")
        with self._connections.outside() as connection:
            until = time.monotonic() + _RIGHT_WAIT
            asked = sql.SQL(f"SELECT pg_try_advisory_lock{way}(%s)")
            while not (connection.execute(asked, (key,)).fetchone() or (False,))[0]:
                if time.monotonic() > until:
                    raise LibraryBusy(
                        "another process is changing this library. Try again when it is done"
                    )
                time.sleep(0.05)
            try:
                files.sweep(self.folder)
                yield
            finally:
                with suppress(errors.Error):  # the server may be gone, and the lock with it
                    freed = f"SELECT pg_advisory_unlock{way}(%s)"
                    connection.execute(freed.encode(), (key,))

    def checkpoint(self) -> None:
        """Nothing: the server writes over what was removed when it tidies up."""

    def size(self) -> int:
        """Bytes of the library's tables and indexes."""
        with self._connections.reading() as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
                "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
            ).fetchone()
        return int(row[0] or 0) if row else 0

    # --- for the search by vectors --------------------------------------------------------

    def make_graph(self, dimension: int, tick: Callable[[], None]) -> None:
        """Make a graph over vectors of this length, beside whoever reads and writes.

        Args:
            dimension: of the vectors.
            tick: called before each step; what it raises ends the work.
        """
        name = sql.Identifier(f"{NEAREST}{dimension}")
        with self._connections.outside() as connection, self._one_at_a_time(connection) as first:
            if not first:  # somebody else is making it
                return
            tick()
            connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))
            connection.execute(_ROOM_FOR_GRAPH.encode(), (dimension,))
            tick()
            try:
                connection.execute(
                    sql.SQL(
                        "CREATE INDEX CONCURRENTLY {} ON neighbours USING hnsw "
                        "((embedding::halfvec({})) halfvec_ip_ops) WITH (m = 16, "
                        "ef_construction = 100) WHERE vector_dims(embedding) = {}"
                    ).format(name, sql.Literal(dimension), sql.Literal(dimension))
                )
            finally:
                connection.execute("RESET maintenance_work_mem")

    @contextmanager
    def _one_at_a_time(self, connection: Connection) -> Iterator[bool]:
        """Whether nobody else makes a graph just now, nor will until the block ends."""
        key = (lock_key(self.address.schema, "graph"),)
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", key).fetchone()
        first = bool(row and row[0])
        try:
            yield first
        finally:
            if first:
                with suppress(errors.Error):  # the server may be gone, and the lock with it
                    connection.execute("SELECT pg_advisory_unlock(%s)", key)

    def tidy(self) -> None:
        """Let the server count its rows and mark the pages that everybody sees, after much came."""
        with self._connections.outside() as connection:
            for table in _TABLES:
                connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))

    def rows_last_counted(self) -> int:
        """How many passages there were when the server counted its rows last."""
        with self._connections.reading() as connection:
            row = connection.execute(
                "SELECT reltuples FROM pg_class WHERE oid = 'neighbours'::regclass"
            ).fetchone()
        return max(0, int(row[0])) if row else 0

    # --- news -----------------------------------------------------------------------------

    def changes(self, timeout: float, begun: Callable[[], None] = lambda: None) -> Iterator[int]:
        """The numbers of changes as they are made, by anybody, until none came for a while.

        Args:
            timeout: seconds without a change after which it ends.
            begun: called when it is listening.
        """
        with self._connections.outside() as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            begun()
            try:
                while True:
                    heard = False
                    for note in connection.notifies(timeout=timeout, stop_after=1):
                        heard = True
                        schema, _, number = note.payload.partition(" ")
                        if schema == self.address.schema:
                            yield int(number)
                    if not heard:
                        return
            finally:
                with suppress(errors.Error):
                    connection.execute("UNLISTEN *")
