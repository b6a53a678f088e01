"""Is the file of conversations whole? And a new one with every row that can still be read.

A damaged file is not thrown away: it is put aside, under another name in the same folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from index.system.files import open_private, replacing
from index.types import CheckLine
from ui.page.conversations import (
    DAMAGED,
    FAILURES,
    FILE,
    now,
    opened,
    prepare,
    read_turn,
    shortened,
    turn_columns,
    when,
)

NAME = "conversations"
ASIDE = "conversations-damaged.sqlite"
"""Where a damaged file is put; the next one takes its place."""
_COLUMNS = {
    "conversations": "id, title, updated, deleted",
    "turns": "key, conversation, position, question, kept, verdict",
}
# Rows looked for one by one where the file is damaged between the first and the last that is read.
_MOST_PROBED, _MOST_MISSED = 200_000, 10_000

Rows = list[tuple[Any, ...]]


def check(folder: Path, *, repair: bool = False) -> CheckLine:
    """One line on the conversations in a library's folder.

    Args:
        folder: the library's.
        repair: whether to mend what is wrong: every row that can be read is kept.
    """
    path = folder / FILE
    if not path.exists():
        return CheckLine(NAME, True, "none are kept")
    fault = _fault(path)
    if not fault:
        return CheckLine(NAME, True, "ok")
    if not repair:
        return CheckLine(NAME, False, f"{fault}; mend with: pilcrow check --repair")
    try:
        kept, damaged = _mend(path)
    except OSError as error:
        return CheckLine(NAME, False, f"{fault}; it cannot be mended ({error.strerror or error})")
    lost = f", of {damaged} only the question" if damaged else ""
    done = f"made anew with the {kept} answers that can be read{lost}; the damaged file is {ASIDE}"
    return CheckLine(NAME, not (fault := _fault(path)), fault or done)


def _fault(path: Path) -> str:
    """What is wrong with the file; empty when nothing."""
    try:
        with closing(opened(path)) as db:
            verdict = [row[0] for row in db.execute("PRAGMA integrity_check(1)")]
            if verdict != ["ok"]:
                return f"the file is damaged ({verdict[0]})"
            lost = db.execute("PRAGMA foreign_key_check").fetchall()
            db.text_factory = bytes
            titles = db.execute("SELECT updated, id, title FROM conversations").fetchall()
            turns = db.execute("SELECT key, question, kept, verdict FROM turns").fetchall()
    except FAILURES as error:
        return f"the file cannot be read ({error})"
    bad = len(lost) + sum(_garbled(*row) for row in turns)
    bad += sum(not _sound(row) or when(str(row[0], "ascii", "replace")) is None for row in titles)
    return f"{bad} rows are damaged" if bad else ""


def _garbled(*row: bytes) -> bool:
    """Whether a turn's row is not what was written."""
    if not _sound(row):
        return True
    turn = read_turn(*(column.decode() for column in row))
    return turn.problem == DAMAGED and DAMAGED.encode() not in row[2]


def _sound(row: Sequence[object]) -> bool:
    """Whether all of it is text."""
    try:
        return all(isinstance(column, bytes) and column.decode() is not None for column in row)
    except UnicodeDecodeError:
        return False


def _mend(path: Path) -> tuple[int, int]:
    """Make the file anew; says how many turns are kept and of how many only the question."""
    rows: dict[str, Rows] = {name: list(_salvaged(path, name)) for name in _COLUMNS}
    image, turns, damaged = _made(rows["conversations"], rows["turns"])
    aside = path.with_name(ASIDE)
    open_private(aside)
    aside.write_bytes(path.read_bytes())
    for ending in ("-wal", "-shm", "-journal"):  # SQLite would play them into the new file
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with replacing(path) as file:
        file.write(image)
    return turns, damaged


def _salvaged(path: Path, table: str) -> Iterator[tuple[Any, ...]]:
    """The rows that can be read, each once: from both ends, and one by one between them."""
    query = f"SELECT rowid, {_COLUMNS[table]} FROM {table} NOT INDEXED"
    seen: set[int] = set()
    try:
        with closing(opened(path)) as db:
            ahead = _until_damaged(db, f"{query} ORDER BY rowid")
            back = _until_damaged(db, f"{query} ORDER BY rowid DESC")
            between: Rows = []
            rowid, missed = (ahead or [(0,)])[-1][0], 0
            end = back[-1][0] if back else rowid + _MOST_PROBED
            while (rowid := rowid + 1) < end and missed < _MOST_MISSED:
                at_row = _until_damaged(db, f"{query} WHERE rowid = {rowid}")
                missed = 0 if at_row else missed + 1
                between += at_row
    except FAILURES:  # nothing of it is a database
        return
    for rowid, *row in (*ahead, *between, *reversed(back)):
        if rowid not in seen:
            seen.add(rowid)
            yield tuple(row)


def _until_damaged(db: sqlite3.Connection, query: str) -> Rows:
    rows: Rows = []
    with suppress(*FAILURES):
        for row in db.execute(query):
            rows.append(row)
    return rows


def _made(conversations: Rows, turns: Rows) -> tuple[bytes, int, int]:
    """A new file's bytes, how many turns are in it, and of how many only the question is left."""
    damaged = kept = 0
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        for id_, title, updated, deleted in conversations:
            date = updated if when(updated) else now()
            named = (str(id_), str(title), date, 1 if deleted == 1 else 0)
            db.execute("INSERT OR IGNORE INTO conversations VALUES (?, ?, ?, ?)", named)
        for key, conversation, position, question, saved, verdict in turns:
            turn = read_turn(str(key), str(question), str(saved), str(verdict))
            # a turn whose conversation is lost becomes one of its own name
            lost = (str(conversation), shortened(str(question)), now())
            db.execute("INSERT OR IGNORE INTO conversations VALUES (?, ?, ?, 0)", lost)
            order = position if isinstance(position, int) else kept
            row = (turn.key, str(conversation), order, *turn_columns(turn), turn.verdict)
            done = db.execute("INSERT OR IGNORE INTO turns VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            kept += done.rowcount
            damaged += turn.problem == DAMAGED and DAMAGED not in str(saved)
        db.commit()
        return bytes(db.serialize()), kept, damaged
