"""Who changed what, and when: one line of JSON each, added to and never rewritten.

In a file of the library's folder that its owner alone can read, or on the library's server. What
cannot be noted (the disk is full) is told once in the log; no question and no change waits for it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from index import Library
from index.errors import PilcrowError
from index.system.files import FILE_MODE

if TYPE_CHECKING:
    from index.storage.postgres.tables import PeoplesTables

FILE = "audit.jsonl"
_LONGEST = 200
"""Characters of one value, and values of a list; the rest is counted."""

log = logging.getLogger(__name__)


class Record(Protocol):
    """Where the lines are."""

    def append(self, line: str) -> None:
        """Add one line."""

    def lines(self) -> Iterator[str]:
        """All of them, the oldest first."""


class AuditFile:
    """The file in a library's folder."""

    def __init__(self, folder: Path) -> None:
        """Use the file there, made when the first line comes."""
        self._path = folder / FILE

    def append(self, line: str) -> None:
        """Add one line: in one write, so that several processes do not mix theirs."""
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            os.write(file, f"{line}\n".encode())
        finally:
            os.close(file)

    def lines(self) -> Iterator[str]:
        """All of them, the oldest first."""
        if self._path.exists():
            with self._path.open(encoding="utf-8", errors="replace") as file:
                yield from (line.rstrip("\n") for line in file)


class AuditTable:
    """The table on a library's server."""

    def __init__(self, tables: PeoplesTables) -> None:
        """Use the table there."""
        self._tables = tables

    def append(self, line: str) -> None:
        """Add one line."""
        with self._tables.writing() as db:
            db.execute("INSERT INTO audit (line) VALUES (?)", (line,))

    def lines(self) -> Iterator[str]:
        """All of them, the oldest first."""
        yield from (line for (line,) in self._tables.rows("SELECT line FROM audit ORDER BY number"))


class Audit:
    """What is noted of changes to a library. Safe from many threads."""

    def __init__(self, record: Record) -> None:
        """Note there."""
        self._record = record
        self.problem = ""
        """Why nothing could be noted the last time; empty when it could."""

    def note(self, who: str, what: str, **about: Any) -> None:
        """Add a line; when that cannot be, it is told in the log and in `problem`.

        Args:
            who: the account's name, or whoever sits at the command line.
            what: `add`, `remove`, `restore`, `tag`, `collect`, `sign-in failed` …
            about: what it was about: texts, numbers, or lists of them.
        """
        entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "who": who, "what": what}
        try:
            # letters of ASCII alone: no name can break a line, or turn it around on a terminal
            self._record.append(json.dumps(entry | {k: _short(v) for k, v in about.items()}))
            self.problem = ""
        except (OSError, PilcrowError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"changes are made and cannot be noted ({reason}). Make room for {FILE}"
            if problem != self.problem:
                log.warning(problem)
            self.problem = problem

    def lines(self) -> Iterator[str]:
        """All that was noted, the oldest first, as JSON."""
        return self._record.lines()


def audit_of(library: Library) -> Audit:
    """What is noted of a library: with it, in its folder or on its server."""
    if isinstance(library.place, Path):
        return Audit(AuditFile(library.place))
    from index.storage.postgres.tables import PeoplesTables

    return Audit(AuditTable(PeoplesTables(library.place)))


def _short(value: Any) -> Any:
    """A value of bounded length."""
    if isinstance(value, list | tuple):
        more = [f"and {len(value) - _LONGEST} more"] if len(value) > _LONGEST else []
        return [*map(_short, value[:_LONGEST]), *more]
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + "…"
    return value
