"""Conversations, kept in one SQLite file in the library's folder, or beside a library on a server.

Each turn holds its whole answer as JSON, sources and quotes included, so that it reads the same
when the documents it was drawn from have changed or gone. Without accounts whoever may open the
page sees all conversations; with them each account has its own: its id stands before the ids of its
conversations and turns, so that nothing which is asked for by an id can be another's. What is
deleted can be taken back until the next deletion or the next start; then it is overwritten on disk
(`secure_delete`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args
from uuid import uuid4

from index import Library
from index.errors import PilcrowError
from index.system.files import open_private
from index.tokenization import sound, strip_invisible
from index.types import SearchScope
from rag.types import Answer
from ui.language.catalogue import gettext, gettext_noop

if TYPE_CHECKING:
    from index.storage.postgres.tables import PeoplesTables

FILE = "conversations.sqlite"
LONGEST_TITLE = 120
"""Characters."""
DAMAGED = gettext_noop("What was kept of this answer is damaged. Ask again.")
WITHHELD = gettext_noop("This answer is from documents that your account may not see now.")
# Conversations, and turns of each, that are remembered while they cannot be kept.
_MOST_UNKEPT, _MOST_TURNS = 50, 200
_OLDEST = datetime.fromtimestamp(0, UTC)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
FAILURES = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What a file that cannot be used raises; what SQLite quotes of a damaged one may be no text."""

Phase = Literal["done", "stopped", "failed"]
Verdict = Literal["", "up", "down"]

SCHEMA = """
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


FILTERS = ("tags", "authors", "sources", "folders", "kinds", "sections", "collections")
"""What documents are chosen by besides their names and dates, as `Scope` and the page name it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a question may look; everywhere unless told otherwise."""

    documents: tuple[str, ...] = ()
    """Document ids; empty for all."""
    since: str = ""
    """ISO dates, both ends included; empty for open ends."""
    until: str = ""
    tags: tuple[str, ...] = ()
    """Of the following, each with several values: any of them counts; empty for all."""
    authors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()

    @property
    def dates(self) -> tuple[str, str] | None:
        """The range as `Assistant.stream` takes it."""
        if not (self.since or self.until):
            return None
        return self.since or "0000", self.until or "9999"

    @property
    def search_scope(self) -> SearchScope:
        """The same as the library takes it."""
        return SearchScope(
            self.documents or None, self.dates, self.tags, self.authors, self.sources,
            self.folders, self.kinds, self.sections, self.collections,
        )  # fmt: skip


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
    evidence: float | None = None
    """Seconds from the question until its first evidence was on the screen; None when unknown."""
    unread: int = 0
    """How many files were being read when it was asked, and could not be found yet."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation as the list shows it."""

    id: str
    title: str
    updated: datetime
    """When it was last added to, in UTC."""


class Statements(Protocol):
    """Runs statements in one transaction: a connection of SQLite, or of a server."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Any:
        """The cursor of a statement that was run, with `?` for each value."""


class ConversationFile:
    """The file in a library's folder; each call opens it anew."""

    def __init__(self, folder: Path) -> None:
        """Use the file in `folder`, made when it is written."""
        self._path = folder / FILE

    @property
    def shown(self) -> str:
        """The file's path."""
        return repr(str(self._path))

    def rows(self, query: str, values: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query finds, one by one; nothing when the file is not there."""
        if self._path.exists():
            with closing(opened(self._path)) as db:
                yield from db.execute(query, values)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection to a file with our tables; the block is one transaction, kept at its end."""
        open_private(self._path)
        with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
            prepare(db)
            yield db


def drawer_of(library: Library) -> ConversationFile | PeoplesTables:
    """Where the conversations of a library lie: with it, in its folder or on its server."""
    if isinstance(library.place, Path):
        return ConversationFile(library.place)
    from index.storage.postgres.tables import PeoplesTables

    return PeoplesTables(library.place)


class ConversationsUnusable(PilcrowError):
    """The file cannot be read or written."""


class Conversations:
    """All conversations of a library. Safe from many threads, and on a server from many machines.

    What cannot be kept (the disk is full, the file is damaged, the folder is read-only) is
    remembered until it can be, or until the program ends; asking and answering go on.
    """

    def __init__(
        self,
        place: Path | ConversationFile | PeoplesTables,
        owner: str = "",
        may_see: Callable[[Turn], bool] | None = None,
    ) -> None:
        """Use a folder's file, or another drawer; what was deleted last time goes for good.

        Args:
            place: where they lie.
            owner: the id of the account whose they are; empty where there are no accounts.
            may_see: whether a turn's answer may still be seen; without it every one may.
        """
        self._drawer = ConversationFile(place) if isinstance(place, Path) else place
        self._before = f"{owner}:" if owner else ""
        """What stands before the ids of conversations and turns where they lie."""
        self._may_see = may_see
        self._unkept: dict[str, list[tuple[Turn, str]]] = {}
        """By conversation: turns that are not in the file, each with what it takes the place of."""
        self._lock = threading.Lock()
        self.problem = ""
        """Why conversations cannot be kept at present, with the way out; empty when they can."""
        with suppress(ConversationsUnusable), self._writing() as db:
            db.execute(f"DELETE FROM conversations WHERE deleted = 1 AND {self._mine}", self._form)

    @property
    def _mine(self) -> str:
        """The condition of SQL that a conversation is of this owner, with one place for `_form`."""
        return "id LIKE ?" if self._before else "id NOT LIKE ?"

    @property
    def _form(self) -> tuple[str]:
        return (f"{self._before}%" if self._before else "%:%",)

    def _id(self, id_: str) -> str:
        """An id as it lies; what nobody could have been given names nothing."""
        given = sound(id_)
        return f"{self._before}{given}" if ":" not in given else ""

    @property
    def tables(self) -> PeoplesTables | None:
        """The tables on a server that they are kept in; None for a file."""
        return None if isinstance(self._drawer, ConversationFile) else self._drawer

    def listed(self, words: str = "") -> list[Listed]:
        """The conversations whose title, questions or answers hold every word; newest first.

        Those that cannot be read are left out; `problem` says why.
        """
        wanted = words.casefold().split()
        rows = self._rows(
            f"SELECT id, title, updated FROM conversations WHERE deleted = 0 AND {self._mine}",
            *self._form,
        )
        texts = self._said() if wanted else defaultdict[str, list[str]](list)
        skip = len(self._before)
        listed = {
            id_[skip:]: Listed(id_[skip:], str(title), when(updated) or _OLDEST)
            for id_, title, updated in rows
            if all(word in f"{title} {' '.join(texts[id_])}".casefold() for word in wanted)
        }
        for id_, waiting in self._waiting():
            asked = " ".join(
                f"{t.question} {t.answer.text if t.answer else ''}"
                for t in (self._seen(turn) for turn, _ in waiting)
            )
            if all(word in asked.casefold() for word in wanted):
                title = listed[id_].title if id_ in listed else shortened(waiting[0][0].question)
                listed[id_] = Listed(id_, title, datetime.now(UTC))
        return sorted(listed.values(), key=lambda row: row.updated, reverse=True)

    def _said(self) -> defaultdict[str, list[str]]:
        """What was asked, and answered as far as it may be seen, by conversation as it lies."""
        said = defaultdict[str, list[str]](list)
        query = "SELECT conversation, key, question, words, kept FROM turns WHERE conversation"
        like = self._mine.removeprefix("id")
        for id_, key, question, words, kept in self._rows(query + like, *self._form):
            turn = self._shown(read_turn(key, question, kept, "")) if self._may_see else None
            seen = turn is None or turn.answer is not None
            said[id_].append(f"{question} {words if seen else ''}")
        return said

    def _shown(self, turn: Turn) -> Turn:
        """A turn from where it lies, as its owner may see it now."""
        return self._seen(replace(turn, key=turn.key[len(self._before) :]))

    def _seen(self, turn: Turn) -> Turn:
        if self._may_see is None or self._may_see(turn):
            return turn
        return replace(turn, answer=None, phase="failed", problem=WITHHELD, scope=Scope())

    def turns(self, conversation: str) -> list[Turn]:
        """The turns of a conversation in order; empty when there is no such conversation."""
        rows = self._rows(
            "SELECT t.key, t.question, t.kept, t.verdict FROM turns t JOIN conversations c"
            " ON c.id = t.conversation WHERE c.id = ? AND c.deleted = 0 ORDER BY t.position",
            self._id(conversation),
        )
        turns = [self._shown(read_turn(*row)) for row in rows]
        for turn, replaced in dict(self._waiting()).get(conversation, ()):
            at = next((n for n, old in enumerate(turns) if old.key == replaced), len(turns))
            turns[at : at + 1] = [self._seen(turn)]
        return turns

    def turn(self, key: str) -> Turn | None:
        """One turn; None when it is not there."""
        for _, waiting in self._waiting():
            for turn, _ in reversed(waiting):
                if turn.key == key:
                    return self._seen(turn)
        rows = self._rows(
            "SELECT key, question, kept, verdict FROM turns WHERE key = ?", self._id(key)
        )
        return self._shown(read_turn(*rows[0])) if rows else None

    def title(self, conversation: str) -> str:
        """What a conversation is called; empty when there is no such conversation."""
        rows = self._rows(
            "SELECT title FROM conversations WHERE id = ? AND deleted = 0", self._id(conversation)
        )
        waiting = dict(self._waiting()).get(conversation)
        return str(rows[0][0]) if rows else shortened(waiting[0][0].question) if waiting else ""

    def keep(self, conversation: str, turn: Turn, replaces: str = "") -> bool:
        """Add a turn to a conversation, made when it is new; a deleted one stays deleted.

        What could not be kept before is kept with it.

        Args:
            conversation: its id.
            turn: what was asked and answered.
            replaces: the key of a turn of this conversation that gives way to it.

        Returns:
            Whether it is in the file; else it is remembered, and `problem` says why.
        """
        with self._lock:
            waiting = [*self._unkept.get(conversation, ()), (turn, replaces)]
            try:
                with self._writing() as db:
                    for unkept, replaced in waiting:
                        kept = replace(unkept, key=self._id(unkept.key))
                        _insert(db, self._id(conversation), kept, self._id(replaced))
            except ConversationsUnusable:
                self._remember(conversation, waiting)
                return False
            self._unkept.pop(conversation, None)
            return True

    def rate(self, key: str, verdict: Verdict) -> None:
        """Remember what the person thought of an answer.

        Raises:
            ConversationsUnusable: when it cannot be written.
        """
        with self._writing() as db:
            db.execute("UPDATE turns SET verdict = ? WHERE key = ?", (verdict, self._id(key)))

    def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title; an empty one changes nothing.

        Raises:
            ConversationsUnusable: when it cannot be written.
        """
        if title := shortened(title):
            with self._writing() as db:
                db.execute(
                    "UPDATE conversations SET title = ? WHERE id = ?",
                    (title, self._id(conversation)),
                )

    def delete(self, conversation: str) -> None:
        """Delete a conversation; the one deleted before it is now gone for good.

        Raises:
            ConversationsUnusable: when it cannot be written.
        """
        with self._lock:
            forgotten = self._unkept.pop(conversation, None)
        try:
            with self._writing() as db:
                id_ = self._id(conversation)
                db.execute(
                    f"DELETE FROM conversations WHERE deleted = 1 AND id != ? AND {self._mine}",
                    (id_, *self._form),
                )
                db.execute("UPDATE conversations SET deleted = 1 WHERE id = ?", (id_,))
        except ConversationsUnusable:
            if forgotten is None:  # it was in the file, and still is
                raise

    def restore(self, conversation: str) -> bool:
        """Take the last deletion back; False when it is too late or cannot be done."""
        id_ = (self._id(conversation),)
        with suppress(ConversationsUnusable):
            if self._rows("SELECT 1 FROM conversations WHERE id = ? AND deleted = 1", *id_):
                with self._writing() as db:
                    done = db.execute(
                        "UPDATE conversations SET deleted = 0 WHERE id = ? AND deleted = 1", id_
                    )
                    return bool(done.rowcount == 1)
        return False

    def delete_all(self) -> None:
        """Delete every conversation of this owner for good.

        Raises:
            ConversationsUnusable: when it cannot be written.
        """
        with self._writing() as db:
            db.execute(f"DELETE FROM conversations WHERE {self._mine}", self._form)

    def _waiting(self) -> list[tuple[str, list[tuple[Turn, str]]]]:
        """What is not in the file, by conversation."""
        with self._lock:
            return [(id_, list(turns)) for id_, turns in self._unkept.items()]

    def _remember(self, conversation: str, waiting: list[tuple[Turn, str]]) -> None:
        """Hold what could not be kept; of a turn its last state, of too many conversations none."""
        last = waiting[-1][0].key
        same = [n for n, (turn, _) in enumerate(waiting[:-1]) if turn.key == last]
        if same:  # the same turn, further on: where it was, in place of what it took the place of
            waiting = [*waiting[: same[0]], (waiting[-1][0], waiting[same[0]][1])]
        self._unkept.pop(conversation, None)
        self._unkept[conversation] = waiting[-_MOST_TURNS:]
        while len(self._unkept) > _MOST_UNKEPT:
            self._unkept.pop(next(iter(self._unkept)))

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What a query finds, as far as it can be read."""
        rows: list[tuple[Any, ...]] = []
        with suppress(ConversationsUnusable), self._explained():
            for row in self._drawer.rows(query, values):
                rows.append(row)  # one by one: what comes before the damage is sound
        return rows

    @contextmanager
    def _writing(self) -> Iterator[Statements]:
        """Statements of one transaction, kept at the end of the block."""
        with self._explained():
            with self._drawer.writing() as db:
                yield db
            self.problem = ""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Failures of disk and file become one line, which `problem` holds until it is over."""
        try:
            yield
        except PilcrowError as error:  # a server's, which says the way out
            self.problem = str(error)
            raise ConversationsUnusable(self.problem) from error
        except FAILURES as error:
            damaged = isinstance(error, UnicodeDecodeError)
            damaged |= getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
            mend = gettext("Mend them with: pilcrow check --repair")
            free = gettext("Free some space, or make the folder writable for you")
            self.problem = gettext(
                "conversations cannot be kept in {path} ({reason}). {way}",
                path=self._drawer.shown,
                reason=getattr(error, "strerror", None) or error,
                way=mend if damaged else free,
            )
            raise ConversationsUnusable(self.problem) from error


def prepare(db: sqlite3.Connection) -> None:
    """Bring a file to its present form: our tables, no log beside it, what is deleted is gone."""
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")
    if db.execute("PRAGMA journal_mode").fetchone() != ("delete",):
        with suppress(sqlite3.OperationalError):  # somebody reads it just now
            db.execute("PRAGMA journal_mode = DELETE")
    for statement in filter(str.strip, SCHEMA.split(";")):
        db.execute(statement)


def opened(path: Path) -> sqlite3.Connection:
    """A connection for reading; text that is damaged is read as far as it goes."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        # A file with a log, of an earlier version, needs files beside it, which a folder where
        # nothing may be written does not get. Where the log is empty, none are needed.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        db = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    return db


def _insert(db: Statements, conversation: str, turn: Turn, replaces: str) -> None:
    """Write a turn at the end, or where the one that gives way to it was."""
    conversation, replaces = sound(conversation), sound(replaces)
    db.execute(
        "INSERT INTO conversations (id, title, updated) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET updated = excluded.updated",
        (conversation, shortened(turn.question), now()),
    )
    old = db.execute(
        "SELECT position FROM turns WHERE key = ? AND conversation = ?", (replaces, conversation)
    ).fetchone()
    if old:
        # a title that is the question which gives way was given by nobody
        ((before,),) = db.execute("SELECT question FROM turns WHERE key = ?", (replaces,))
        db.execute(
            "UPDATE conversations SET title = ? WHERE id = ? AND title = ?",
            (shortened(turn.question), conversation, shortened(before)),
        )
        db.execute("DELETE FROM turns WHERE key = ?", (replaces,))
    (last,) = db.execute(
        "SELECT coalesce(max(position), 0) FROM turns WHERE conversation = ?", (conversation,)
    ).fetchone()
    db.execute(
        "INSERT INTO turns (key, conversation, position, question, words, kept)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (turn.key, conversation, old[0] if old else last + 1, *turn_columns(turn)),
    )


def turn_columns(turn: Turn) -> tuple[str, str, str]:
    """A turn's question, its words for searching, and all of it as JSON."""
    kept = {"answer": turn.answer and asdict(turn.answer), "phase": turn.phase,
            "seconds": turn.seconds, "evidence": turn.evidence, "unread": turn.unread,
            "scope": asdict(turn.scope),
            "problem": turn.problem}  # fmt: skip
    words = turn.answer.text if turn.answer else ""
    return sound(turn.question), sound(words), sound(json.dumps(kept, ensure_ascii=False))


def new_key() -> str:
    """An id for a turn or a conversation that nobody can guess."""
    return uuid4().hex


def read_turn(key: str, question: str, kept: str, verdict: str) -> Turn:
    """A turn from its row; of one that is damaged its question, and that it is."""
    try:
        return _turn(key, question, kept, verdict)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Turn(key, question, phase="failed", problem=DAMAGED)


def _turn(key: str, question: str, kept: str, verdict: str) -> Turn:
    saved: dict[str, Any] = json.loads(kept)
    phase: Phase = saved["phase"]
    if phase not in get_args(Phase):
        raise ValueError(phase)
    seen = saved.get("evidence")
    return Turn(
        key,
        question,
        Answer.from_dict(saved["answer"]) if saved["answer"] else None,
        phase,
        float(saved["seconds"]),
        _scope(saved["scope"]),
        str(saved["problem"]),
        "up" if verdict == "up" else "down" if verdict else "",
        None if seen is None else float(seen),
        int(saved.get("unread", 0)),
    )


def _scope(saved: dict[str, Any]) -> Scope:
    """Where a question looked; those kept before there were filters have none."""
    lists = {name: tuple(map(str, saved.get(name, ()))) for name in ("documents", *FILTERS)}
    return Scope(since=str(saved["since"]), until=str(saved["until"]), **lists)


def when(updated: object) -> datetime | None:
    """When a conversation was last added to; None when that is damaged."""
    try:
        date = datetime.fromisoformat(str(updated))
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def shortened(text: str) -> str:
    """A title: one line of a bounded length."""
    flat = strip_invisible(" ".join(sound(text).split()))
    return flat if len(flat) <= LONGEST_TITLE else flat[: LONGEST_TITLE - 1].rstrip() + "…"


def now() -> str:
    """The time, as it is stored."""
    return datetime.now(UTC).isoformat()
