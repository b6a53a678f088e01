"""Where rows of what belongs to people lie: a file of SQLite beside the library, or its server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Statements(Protocol):
    """Runs statements in one transaction: a connection of SQLite, or of a server."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Any:
        """The cursor of a statement that was run, with `?` for each value."""


class Tables(Protocol):
    """Tables that are read and written, each time anew."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterable[tuple[Any, ...]]:
        """What a query finds."""

    def writing(self) -> AbstractContextManager[Statements]:
        """Statements of one transaction, kept at the end of the block."""
