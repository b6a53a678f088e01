"""Connections to a PostgreSQL server, its transactions, and its failures in plain words.

psycopg's own pool connects in threads of its own, which live on after a fork, and tells a wrong
password as a time that is up; the few connections that a library needs are kept here.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors
from psycopg.conninfo import make_conninfo

from index.errors import (
    LibraryBusy,
    LibraryDamaged,
    LibraryUnreachable,
    LibraryUnwritable,
    PilcrowError,
)
from index.storage.postgres.address import Address

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
MOST = 16
"""Connections of one process at once; who comes later waits for one."""
WAIT = 10.0
"""Seconds to wait for a connection, or for a lock that another change holds."""
_MOST_IDLE = 4
BEAM = 400
"""How many vectors a search along the graph looks at."""
# A server that is gone without a word is noticed in half a minute, not in two hours.
_OPTIONS = {
    "connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "5",
    "keepalives_count": "3", "tcp_user_timeout": "30000", "application_name": "pilcrow",
}  # fmt: skip
# The library's schema, and the one that pgvector is in, wherever that was installed.
_SEARCH_PATH = """
SELECT set_config('search_path', quote_ident(%s) || ', ' || coalesce((
    SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector'), 'public'), false)
"""
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"


def lock_key(*names: str) -> int:
    """The number of an advisory lock, the same for everybody: 64 bits, signed."""
    joined = "\0".join(names).encode("utf-8", "surrogatepass")
    high, low = zlib.crc32(joined), zlib.crc32(joined[::-1] + b"\1")
    return int.from_bytes(((high << 32) | low).to_bytes(8, "big"), "big", signed=True)


class Connections:
    """The connections of one process to one library. May be shared between threads."""

    def __init__(self, address: Address, most: int = MOST, wait: float = WAIT) -> None:
        """Nothing is connected yet.

        Args:
            address: where to.
            most: how many connections at once.
            wait: seconds to wait for one of them.
        """
        self.address = address
        self._most, self._wait = most, wait
        self._closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._free = threading.BoundedSemaphore(self._most)
        self._idle: list[Connection] = []
        self._open = threading.local()

    def close(self) -> None:
        """Close every connection; one that is in use closes when its block ends."""
        self._closed = True
        while self._idle and self._process == os.getpid():
            self._idle.pop().close()

    def renew(self) -> None:
        """Close what is idle: today's tables have types that it does not know."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state for as long as the block runs.

        Inside another such block of the same thread it is the same state.
        """
        outer: Connection | None = getattr(self._open, "connection", None)
        if outer is not None and self._process == os.getpid():
            yield outer
            return
        with self._transaction(_READ) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are all kept at the end, or after an exception none."""
        with self._transaction(_WRITE) as connection:
            yield connection

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """A connection where each statement is kept by itself: for locks, indexes, listening."""
        with explained(self.address):
            connection = self._begun("SELECT")
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with explained(self.address):
            connection = self._begun(begin)
            try:
                self._open.connection = connection
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(psycopg.Error):  # the server may be gone
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._open.connection = None
                self._give_back(connection)

    def _begun(self, begin: str) -> Connection:
        """A connection in a transaction; one that was cut off while idle is replaced."""
        while True:
            connection, used_before = self._lend()
            try:
                connection.execute(begin)
                return connection
            except BaseException as error:
                self._give_back(connection)
                if not (used_before and isinstance(error, psycopg.OperationalError)):
                    raise

    def _lend(self) -> tuple[Connection, bool]:
        """A connection, and whether it was used before."""
        if self._process != os.getpid():
            self._begin_anew()  # a fork: the parent's connections are the parent's
        if not self._free.acquire(timeout=self._wait):
            raise LibraryBusy(
                f"all {self._most} connections to {self.address.shown} are in use. "
                "Try again in a moment"
            )
        try:
            with suppress(IndexError):
                return self._idle.pop(), True
            return connect(self.address), False
        except BaseException:
            self._free.release()
            raise

    def _give_back(self, connection: Connection) -> None:
        idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if idle and not self._closed and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        self._free.release()


def connect(address: Address) -> Connection:
    """A new connection to a server, its search path set to the library's schema."""
    ours = {k: v for k, v in _OPTIONS.items() if k not in address.url.partition("?")[2]}
    connection: Connection = psycopg.connect(make_conninfo(address.url, **ours), autocommit=True)
    try:
        connection.execute(_SEARCH_PATH, (address.schema,))
        connection.execute("SET client_min_messages TO warning")
        connection.execute(f"SET hnsw.ef_search TO {BEAM}".encode())
        with suppress(psycopg.ProgrammingError):  # a database that is empty yet
            register_vector(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Failures of server, network and disk become errors with a way out; bugs stay what they are.

    What the driver says is shown without the address: that may hold a password.
    """
    try:
        yield
    except psycopg.Error as error:
        meant = _meant(error, address)
        if meant is None:
            raise
        raise meant from None


def _meant(error: psycopg.Error, address: Address) -> PilcrowError | None:
    """What the server's error means for a person; None when it can only be a bug of ours."""
    at, why = address.shown, _first_line(error)
    if isinstance(error, errors.DiskFull | errors.OutOfMemory | errors.InsufficientResources) and (
        not isinstance(error, errors.TooManyConnections)
    ):
        return LibraryUnwritable(
            f"the server's disk or memory is full ({why}); {at} is as it was. Free some space "
            "there, then try again"
        )
    # whom the server does not even let in it tells without a code
    if isinstance(error, errors.TooManyConnections) or "too many" in why or "slots are" in why:
        return LibraryBusy(f"the server has no connection left for {at}. Try again in a moment")
    if isinstance(error, _CONCURRENT):
        return LibraryBusy(
            "another process is changing the same documents. Try again when it is done"
        )
    if isinstance(error, errors.InvalidPassword | errors.InvalidAuthorizationSpecification) or (
        "password" in why or "authentication failed" in why
    ):
        return LibraryUnreachable(
            f"the server does not let you in to {at}. Check user and password: in the address, "
            "PGPASSWORD or ~/.pgpass"
        )
    if isinstance(error, errors.InvalidCatalogName) or ("database" in why and "exist" in why):
        return LibraryUnreachable(f"there is no database at {at}. Make one: createdb NAME")
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return LibraryUnwritable(f"{at} cannot be written ({why}). Ask who keeps the server")
    if isinstance(error, errors.DataCorrupted | errors.IndexCorrupted | errors.IoError):
        return LibraryDamaged(f"{at} is damaged ({why}). Restore it from a backup of the server")
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.InvalidSchemaName):
        return LibraryDamaged(
            f"{at} is damaged ({why}). Restore it from a backup of the server, or drop its schema "
            "and add your articles again"
        )
    if isinstance(error, psycopg.OperationalError):
        return LibraryUnreachable(
            f"the server at {at} does not answer ({why}); nothing is half done. Start it, then "
            "try again"
        )
    return None


_CONCURRENT = (
    errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure,
    errors.UniqueViolation, errors.ForeignKeyViolation,
)  # fmt: skip


def _first_line(error: psycopg.Error) -> str:
    """What went wrong in a few words; psycopg names host and user at length, never the password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines or [type(error).__name__])[0]
    for before in ("FATAL: ", "failed: ", "ERROR: "):
        text = text.rpartition(before)[2].strip()
    return text[:200].rstrip(".")
