"""The words of passages as SQLite's text index has them, for a table of our own on a server.

FTS5 itself parts and stems them here, in memory: the same words on both, and one set of rules.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from index.storage.sqlite.database import TOKENIZER

_LONGEST = 200
"""Bytes of a term; a longer one (no word of anybody's) is kept as its digest."""
_LOCAL = threading.local()


class Frequency(NamedTuple):
    """How often a term occurs in a passage."""

    title: int
    body: int


def frequencies(texts: Sequence[tuple[str, str]]) -> list[dict[str, Frequency]]:
    """The terms of each title and text, with how often they occur in either."""
    found: list[dict[str, Frequency]] = [{} for _ in texts]
    counted = (
        "SELECT doc, term, sum(col = 'title'), sum(col = 'text') FROM terms GROUP BY doc, term"
    )
    for at, term, title, body in _asked(texts, counted):
        found[at - 1][_kept(term)] = Frequency(title, body)
    return found


def phrases(query: str) -> list[tuple[str, ...]]:
    """The terms of each quoted form in a query of `languages.stemming.any_of`."""
    forms = re.findall('"([^"]+)"', query)
    found: list[list[str]] = [[] for _ in forms]
    placed = "SELECT doc, term FROM terms ORDER BY doc, offset"
    for at, term in _asked([("", form) for form in forms], placed):
        found[at - 1].append(_kept(term))
    return [tuple(terms) for terms in found if terms]


def _asked(texts: Sequence[tuple[str, str]], query: str) -> list[tuple[Any, ...]]:
    """What a query says of the terms of some titles and texts, counted from 1."""
    db = _database()
    try:
        db.executemany(
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
            ((at, *both) for at, both in enumerate(texts, start=1)),
        )
        return db.execute(query).fetchall()
    finally:
        db.execute("INSERT INTO words (words) VALUES ('delete-all')")


def _kept(term: str) -> str:
    data = term.encode()
    return term if len(data) <= _LONGEST else f"\1{hashlib.sha256(data).hexdigest()}"


def _database() -> sqlite3.Connection:
    """A text index in memory, one for each thread."""
    db: sqlite3.Connection | None = getattr(_LOCAL, "database", None)
    if db is None:
        db = _LOCAL.database = sqlite3.connect(":memory:", isolation_level=None)
        db.execute(f"CREATE VIRTUAL TABLE words USING fts5(title, text, content = '', {TOKENIZER})")
        db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, 'instance')")
    return db
