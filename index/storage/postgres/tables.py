"""Tables of a library's schema that hold what people do with it: their conversations, their thumbs.

They change without the library changing: no number, no notice to its readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from index.storage.postgres.address import Address
from index.storage.postgres.connections import Connection, Connections

_MOST = 8
"""Connections of a process for these, beside those for the library."""


class PeoplesTables:
    """Statements as SQLite takes them, with `?` for each value, on a server. Safe from threads."""

    def __init__(self, address: Address) -> None:
        """Use the schema at an address, which a library has been opened at."""
        self._connections = Connections(address, _MOST)
        self.shown = address.shown
        """Where they are, as people may read it."""

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query finds.

        Raises:
            PilcrowError: what `connections.explained` raises.
        """
        with self._connections.reading() as connection:
            found: list[tuple[Any, ...]] = Statements(connection).execute(query, values).fetchall()
        return found

    @contextmanager
    def writing(self) -> Iterator[Statements]:
        """Statements that are all kept at the end of the block, or after an exception none."""
        with self._connections.writing() as connection:
            yield Statements(connection)

    def secret(self, name: str, new: bytes) -> bytes:
        """The secret of a name that all machines of the library know; `new` where there is none."""
        with self._connections.writing() as connection:
            connection.execute(
                "INSERT INTO secrets VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, new)
            )
            row = connection.execute(
                "SELECT secret FROM secrets WHERE name = %s", (name,)
            ).fetchone()
        return bytes(row[0]) if row else new


class Statements:
    """Runs statements in one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Run them on a connection that is inside a transaction."""
        self._connection = connection

    def execute(self, query: str, values: Sequence[object] = ()) -> Any:
        """The cursor of a statement that was run; characters 0, which no server takes, are marked.

        Args:
            query: with `?` for each value, and no other `?` or `%`.
            values: as many.
        """
        storable = [
            value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
            for value in values
        ]
        return self._connection.execute(query.replace("?", "%s").encode(), storable)
