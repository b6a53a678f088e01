"""The full-text index from inside: its words as FTS5 has cut them, and where each stands."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from index.storage.sqlite.database import WORDS
from index.types import Ids

_VOCABULARY = "CREATE VIRTUAL TABLE temp.places_of_words USING fts5vocab(main, words, instance)"
# Words at a time: what they hold of a million passages fits into some megabytes.
_STRIDE = 1_024
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class WordPlaces:
    """Some words of the index, in its order, with every place they stand."""

    words: Sequence[bytes]
    passages: Ids
    """Of each place, word by word, ascending in each."""
    in_text: NDArray[np.bool_]
    """Whether a place is in the passage itself; else it is in its document's title."""
    counts: NDArray[np.int64]
    """Places of each word."""


def word_places(connection: sqlite3.Connection) -> Iterator[WordPlaces]:
    """Every word of the index with its places, some at a time."""
    connection.execute(_VOCABULARY)
    try:
        # SQLite gathers the places of a word, so that they come as one text and not as objects
        rows = connection.execute(
            "SELECT CAST(term AS BLOB), group_concat(2 * doc + (col = 'text')) "
            "FROM temp.places_of_words GROUP BY term"
        )
        while some := rows.fetchmany(_STRIDE):
            places = np.fromstring(",".join(row[1] for row in some), np.int64, sep=",")
            counts = np.array([row[1].count(",") + 1 for row in some], np.int64)
            words = [row[0] for row in some]
            yield WordPlaces(words, places >> 1, (places & 1).astype(bool), counts)
        rows.close()
    finally:
        connection.execute("DROP TABLE temp.places_of_words")


@lru_cache(maxsize=65_536)
def index_words(form: str) -> tuple[bytes, ...]:
    """What FTS5 makes of a word: mostly one, its stem. Some 50 microseconds, once a word."""
    with _LOCK:
        connection = _scratch()
        connection.execute("INSERT INTO words (rowid, text) VALUES (1, ?)", (form,))
        rows = connection.execute("SELECT CAST(term AS BLOB) FROM places ORDER BY offset")
        found = tuple(row[0] for row in rows)
        connection.execute("DELETE FROM words")
    return found


@cache
def _scratch() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(WORDS)
    connection.execute("CREATE VIRTUAL TABLE places USING fts5vocab(words, instance)")
    return connection
