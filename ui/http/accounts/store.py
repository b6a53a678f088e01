"""Accounts, kept in one SQLite file in the library's folder, or beside a library on a server.

They are looked up anew with each request: what is changed on the command line holds at once, for
every process and machine.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from index import Library
from index.errors import InputError, PilcrowError
from index.system.files import open_private
from index.tokenization import sound, strip_invisible
from ui.http.accounts import passwords
from ui.http.accounts.people import ROLES, Person

FILE = "accounts.sqlite"
LONGEST_NAME = 64
"""Characters."""
_PATIENCE = 5.0
"""Seconds that somebody who holds the file is waited for."""
_KEY = "pcw_"
"""What a key begins with, so that one which lies about is known for what it is."""
_COLUMNS = "id, name, role, collections, session, password != '', key != ''"
# `called` is the name as it is compared; of a key, which is long and random, there is its digest
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY, called TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL,
    collections TEXT NOT NULL, password TEXT NOT NULL, key TEXT NOT NULL, session INTEGER NOT NULL,
    made TEXT NOT NULL
) STRICT
"""


class AccountsUnusable(PilcrowError):
    """The accounts cannot be read or written; until they can, nobody is let in."""


class Statements(Protocol):
    """Runs statements in one transaction."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Any:
        """The cursor of a statement that was run, with `?` for each value."""


class Drawer(Protocol):
    """Where the accounts lie."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterable[tuple[Any, ...]]:
        """What a query finds."""

    def writing(self) -> AbstractContextManager[Statements]:
        """Statements of one transaction, kept at the end of the block."""


class AccountFile:
    """The file in a library's folder; each call opens it anew."""

    def __init__(self, folder: Path, patience: float = _PATIENCE) -> None:
        """Use the file there, made when it is written; wait so many seconds for who holds it."""
        self._path = folder / FILE
        self._patience = patience

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds; nothing where there is no file.

        Raises:
            AccountsUnusable: when it cannot be read.
        """
        if not self._path.exists():
            return []
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        with (
            self._explained("read"),
            closing(sqlite3.connect(address, uri=True, timeout=self._patience)) as db,
        ):
            return db.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[Statements]:
        """A connection to a file with our table; the block is one transaction, kept at its end.

        Raises:
            AccountsUnusable: when it cannot be written.
        """
        with self._explained("written"):
            open_private(self._path)
            with closing(sqlite3.connect(self._path, timeout=self._patience)) as db, db:
                db.execute("PRAGMA secure_delete = ON")
                db.execute(_SCHEMA)
                yield db

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AccountsUnusable(
                f"the accounts in {str(self._path)!r} cannot be {done} ({reason}). Try again; if "
                "it stays so, bring the file back from a backup"
            ) from error


class Accounts:
    """The accounts of a library. Safe from many threads, processes and machines."""

    def __init__(self, drawer: Drawer) -> None:
        """Those that lie there."""
        self._drawer = drawer

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(list(self._drawer.rows("SELECT 1 FROM accounts LIMIT 1")))

    # --- who there is -----------------------------------------------------------------------

    def listed(self) -> list[Person]:
        """All of them, by name."""
        return self._people("SELECT {} FROM accounts ORDER BY called")

    def by_id(self, id_: str) -> Person | None:
        """Whoever has this id; None when nobody has."""
        return next(iter(self._people("SELECT {} FROM accounts WHERE id = ?", id_)), None)

    def by_name(self, name: str) -> Person | None:
        """Whoever is called so, in any case; None when nobody is."""
        query = "SELECT {} FROM accounts WHERE called = ?"
        return next(iter(self._people(query, _called(name))), None)

    def by_key(self, key: str) -> Person | None:
        """Whose program has this key; None when it is nobody's."""
        query = "SELECT {} FROM accounts WHERE key = ?"
        found = self._people(query, _digest(key)) if key.startswith(_KEY) else []
        return next(iter(found), None)

    def by_password(self, name: str, password: str) -> Person | None:
        """Whoever is called so and has this password.

        None otherwise, after as long a time whichever of the two is wrong. It takes a tenth of a
        second of a core.
        """
        called = _called(name)
        query = f"SELECT password, {_COLUMNS} FROM accounts WHERE called = ?"
        row = next(iter(self._drawer.rows(query, (called,))), None)
        stored = str(row[0]) if row else ""
        right = passwords.is_right(stored, password)
        return _person(row[1:]) if row and right else None

    # --- changing ---------------------------------------------------------------------------

    def add(
        self, name: str, role: str, collections: Iterable[str] = (), password: str | None = None
    ) -> Person:
        """A new account; without a password it is for a key, or for who signs in elsewhere.

        Raises:
            InputError: when the name is none or taken, or the password too short.
            AccountsUnusable: when it cannot be written.
        """
        name, role, chosen = _named(name), _role(role), _collections(collections)
        stored = "" if password is None else passwords.hashed(password)
        with self._drawer.writing() as db:
            if db.execute("SELECT 1 FROM accounts WHERE called = ?", (_called(name),)).fetchone():
                raise InputError(
                    f"there is an account {name!r} already. See: pilcrow accounts list"
                )
            db.execute(
                "INSERT INTO accounts (id, called, name, role, collections, password, key, session,"
                " made) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (uuid4().hex, _called(name), name, role, json.dumps(chosen), stored, "", 0,
                 datetime.now(UTC).isoformat(timespec="seconds")),
            )  # fmt: skip
        return self._there(name)

    def remove(self, name: str) -> Person:
        """The account that was taken out: its sessions have ended, its key opens nothing.

        Raises:
            InputError: when there is none.
            AccountsUnusable: when it cannot be written.
        """
        gone = self._there(name)
        with self._drawer.writing() as db:
            db.execute("DELETE FROM accounts WHERE id = ?", (gone.id,))
        return gone

    def set_password(self, name: str, password: str) -> Person:
        """Another password; who signed in with the one before has to do so again."""
        return self._set(name, "password = ?, session = session + 1", passwords.hashed(password))

    def set_role(self, name: str, role: str) -> Person:
        """Another role."""
        return self._set(name, "role = ?", _role(role))

    def set_collections(self, name: str, collections: Iterable[str]) -> Person:
        """Other collections that may be seen; all where none is named."""
        return self._set(name, "collections = ?", json.dumps(_collections(collections)))

    def new_key(self, name: str) -> str:
        """A key for programs, in the place of the one before; it is shown now and never again."""
        key = _KEY + secrets.token_urlsafe(32)
        self._set(name, "key = ?", _digest(key))
        return key

    def end_key(self, name: str) -> Person:
        """Take the key for programs away."""
        return self._set(name, "key = ?", "")

    # --- how --------------------------------------------------------------------------------

    def _set(self, name: str, change: str, value: str) -> Person:
        person = self._there(name)
        with self._drawer.writing() as db:
            db.execute(f"UPDATE accounts SET {change} WHERE id = ?", (value, person.id))
        return self._there(name)

    def _there(self, name: str) -> Person:
        person = self.by_name(name)
        if person is None:
            raise InputError(f"there is no account {name!r:.80}. See: pilcrow accounts list")
        return person

    def _people(self, query: str, *values: str) -> list[Person]:
        return [_person(row) for row in self._drawer.rows(query.format(_COLUMNS), values)]


def accounts_of(library: Library) -> Accounts:
    """The accounts of a library: with it, in its folder or on its server."""
    if isinstance(library.place, Path):
        return Accounts(AccountFile(library.place))
    from index.storage.postgres.tables import PeoplesTables

    return Accounts(PeoplesTables(library.place))


def _person(row: Sequence[Any]) -> Person:
    id_, name, role, collections, session, has_password, has_key = row
    if role not in ROLES:  # of a later Pilcrow: then as little as there is
        role = ROLES[0]
    chosen = tuple(map(str, json.loads(collections)))
    return Person(id_, name, role, chosen, int(session), bool(has_password), bool(has_key))


def _named(name: str) -> str:
    """A name as it is shown.

    Raises:
        InputError: when it is none.
    """
    shown = " ".join(strip_invisible(sound(name)).split())
    if not 1 <= len(shown) <= LONGEST_NAME or shown != " ".join(name.split()):
        raise InputError(f"a name has 1 to {LONGEST_NAME} characters, none of them invisible")
    return shown


def _called(name: str) -> str:
    """A name as it is compared: in any case, however its letters are put together."""
    return unicodedata.normalize("NFKC", " ".join(sound(name).split())).casefold()


def _role(role: str) -> str:
    if role not in ROLES:
        raise InputError(f"{role!r:.40} is no role; there are {', '.join(ROLES)}")
    return role


def _collections(names: Iterable[str]) -> list[str]:
    wanted = [" ".join(sound(name).split()) for name in names]
    if not all(wanted):
        raise InputError("a collection without a name cannot be permitted")
    return list(dict.fromkeys(wanted))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
