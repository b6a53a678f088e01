"""Conversations, kept in one SQLite file in the library's folder.

Each turn holds its whole answer as JSON, sources and quotes included, so that it reads the same
when the documents it was drawn from have changed or gone. A library has one owner: whoever may
open the page sees all its conversations. What is deleted can be taken back until the next deletion
or the next start; then it is overwritten on disk (`secure_delete`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from index.errors import PilcrowError
from rag.types import Answer

FILE = "conversations.sqlite"
LONGEST_TITLE = 120
"""Characters."""

Phase = Literal["done", "stopped", "failed"]
Verdict = Literal["", "up", "down"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, updated TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS turns (
    key TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
    position INTEGER NOT NULL, question TEXT NOT NULL, words TEXT NOT NULL, kept TEXT NOT NULL,
    verdict TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS turns_in_order ON turns (conversation, position);
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a question may look; everywhere unless told otherwise."""

    documents: tuple[str, ...] = ()
    """Document ids; empty for all."""
    since: str = ""
    """ISO dates, both ends included; empty for open ends."""
    until: str = ""

    @property
    def dates(self) -> tuple[str, str] | None:
        """The range as `Assistant.stream` takes it."""
        if not (self.since or self.until):
            return None
        return self.since or "0000", self.until or "9999"


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished question: answered, stopped, or failed with a problem in one line."""

    key: str
    question: str
    answer: Answer | None = None
    phase: Phase = "done"
    seconds: float = 0.0
    scope: Scope = field(default_factory=Scope)
    problem: str = ""
    verdict: Verdict = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation as the list shows it."""

    id: str
    title: str
    updated: datetime
    """When it was last added to, in UTC."""


class ConversationsUnusable(PilcrowError):
    """The file cannot be read or written."""


class Conversations:
    """All conversations of a library. Safe from many threads: each call opens the file anew."""

    def __init__(self, folder: Path) -> None:
        """Use the file in `folder`, made when missing; what was deleted last time goes for good.

        Raises:
            ConversationsUnusable: when it cannot be read or written.
        """
        self._path = folder / FILE
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
            db.execute("DELETE FROM conversations WHERE deleted")

    def listed(self, words: str = "") -> list[Listed]:
        """The conversations whose title, questions or answers hold every word; newest first."""
        wanted = words.casefold().split()
        with self._open() as db:
            rows = db.execute(
                "SELECT id, title, updated, (SELECT group_concat(question || ' ' || words, ' ')"
                " FROM turns WHERE conversation = c.id) FROM conversations c"
                " WHERE NOT deleted ORDER BY updated DESC"
                if wanted
                else "SELECT id, title, updated, '' FROM conversations"
                " WHERE NOT deleted ORDER BY updated DESC"
            ).fetchall()
        return [
            Listed(id_, title, datetime.fromisoformat(updated))
            for id_, title, updated, said in rows
            if all(word in f"{title} {said}".casefold() for word in wanted)
        ]

    def turns(self, conversation: str) -> list[Turn]:
        """The turns of a conversation in order; empty when there is no such conversation."""
        with self._open() as db:
            rows = db.execute(
                "SELECT t.key, t.question, t.kept, t.verdict FROM turns t JOIN conversations c"
                " ON c.id = t.conversation WHERE c.id = ? AND NOT c.deleted ORDER BY t.position",
                (conversation,),
            ).fetchall()
        return [_turn(*row) for row in rows]

    def turn(self, key: str) -> Turn | None:
        """One turn; None when it is not there."""
        with self._open() as db:
            row = db.execute(
                "SELECT key, question, kept, verdict FROM turns WHERE key = ?", (key,)
            ).fetchone()
        return _turn(*row) if row else None

    def title(self, conversation: str) -> str:
        """What a conversation is called; empty when there is no such conversation."""
        with self._open() as db:
            row = db.execute(
                "SELECT title FROM conversations WHERE id = ? AND NOT deleted", (conversation,)
            ).fetchone()
        return str(row[0]) if row else ""

    def keep(self, conversation: str, turn: Turn, replaces: str = "") -> None:
        """Add a turn to a conversation, made when it is new; a deleted one stays deleted.

        Args:
            conversation: its id.
            turn: what was asked and answered.
            replaces: the key of a turn of this conversation that gives way to it.
        """
        kept = {"answer": turn.answer and asdict(turn.answer), "phase": turn.phase,
                "seconds": turn.seconds, "scope": asdict(turn.scope),
                "problem": turn.problem}  # fmt: skip
        saved = _sound(json.dumps(kept, ensure_ascii=False))
        words = turn.answer.text if turn.answer else ""
        with self._open() as db:
            db.execute(
                "INSERT INTO conversations (id, title, updated) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET updated = excluded.updated",
                (conversation, _shortened(turn.question), _now()),
            )
            old = db.execute(
                "SELECT position FROM turns WHERE key = ? AND conversation = ?",
                (replaces, conversation),
            ).fetchone()
            if old:
                db.execute("DELETE FROM turns WHERE key = ?", (replaces,))
            (last,) = db.execute(
                "SELECT coalesce(max(position), 0) FROM turns WHERE conversation = ?",
                (conversation,),
            ).fetchone()
            db.execute(
                "INSERT INTO turns (key, conversation, position, question, words, kept)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (turn.key, conversation, old[0] if old else last + 1,
                 _sound(turn.question), _sound(words), saved),
            )  # fmt: skip

    def judge(self, key: str, verdict: Verdict) -> None:
        """Remember what the person thought of an answer."""
        with self._open() as db:
            db.execute("UPDATE turns SET verdict = ? WHERE key = ?", (verdict, key))

    def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title; an empty one changes nothing."""
        if title := _shortened(title):
            with self._open() as db:
                db.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation))

    def delete(self, conversation: str) -> None:
        """Delete a conversation; the one deleted before it is now gone for good."""
        with self._open() as db:
            db.execute("DELETE FROM conversations WHERE deleted AND id != ?", (conversation,))
            db.execute("UPDATE conversations SET deleted = 1 WHERE id = ?", (conversation,))

    def restore(self, conversation: str) -> bool:
        """Take the last deletion back; False when it is too late."""
        with self._open() as db:
            done = db.execute(
                "UPDATE conversations SET deleted = 0 WHERE id = ? AND deleted", (conversation,)
            )
            return done.rowcount == 1

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection; the block is one transaction."""
        try:
            with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA secure_delete = ON")
                # a power cut may cost the last turn, never the file
                db.execute("PRAGMA synchronous = NORMAL")
                yield db
        except sqlite3.Error as error:
            raise ConversationsUnusable(
                f"conversations cannot be kept in {str(self._path)!r} ({error}). "
                "Free some space or make it writable; if it is damaged, move it away"
            ) from error


def new_key() -> str:
    """An id for a turn or a conversation that nobody can guess."""
    return uuid4().hex


def _turn(key: str, question: str, kept: str, verdict: str) -> Turn:
    saved: dict[str, Any] = json.loads(kept)
    scope = saved["scope"]
    scope["documents"] = tuple(scope["documents"])
    turn = Turn(
        key,
        question,
        Answer.from_dict(saved["answer"]) if saved["answer"] else None,
        saved["phase"],
        saved["seconds"],
        Scope(**scope),
        saved["problem"],
    )
    return replace(turn, verdict="up" if verdict == "up" else "down") if verdict else turn


def _shortened(text: str) -> str:
    flat = " ".join(_sound(text).split())
    return flat if len(flat) <= LONGEST_TITLE else flat[: LONGEST_TITLE - 1].rstrip() + "…"


def _sound(text: str) -> str:
    """`text` without halves of characters, which no file can hold; its length stays."""
    return text.encode("utf-8", "replace").decode()


def _now() -> str:
    return datetime.now(UTC).isoformat()
