"""Accounts: who there is, what is stored of them, and what is noted of changes."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from index import Library
from index.errors import InputError
from tests.index.storage import postgres_server
from tests.support.fakes import BagOfWordsEncoder
from tests.support.page_fakes import make_library
from ui.cli import app
from ui.commands.session import Parts
from ui.http.accounts import audit, passwords, store
from ui.http.accounts.audit import Audit, AuditFile, audit_of
from ui.http.accounts.people import ROLES, Person
from ui.http.accounts.store import AccountFile, Accounts, AccountsUnusable, accounts_of

RIGHT, WRONG = "a horse and a staple", "a horse and a stable"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(AccountFile(tmp_path))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.adapters)])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Library]:
    """A library in a folder, and one on a server."""
    if request.param == "sqlite":
        with make_library(tmp_path) as made:
            yield made
        return
    if reason := postgres_server.missing():
        pytest.skip(f"PostgreSQL: {reason}")
    with (
        postgres_server.anyones() as server,
        Library.open(server.address(), encoder=BagOfWordsEncoder()) as made,
    ):
        yield made


# --- who there is ---------------------------------------------------------------------------------


def test_an_account_is_found_by_name_id_and_password(library: Library) -> None:
    accounts = accounts_of(library)
    assert not accounts
    added = accounts.add("Ada  Byron", "editor", ["Law", "Law", "The  News"], RIGHT)
    assert accounts
    assert added.name == "Ada Byron"
    assert added.collections == ("Law", "The News")
    assert accounts.listed() == [added]
    assert accounts.by_id(added.id) == added == accounts.by_name("ADA byron")
    assert accounts.by_password("ada byron", RIGHT) == added
    assert accounts.by_password("ada byron", WRONG) is None
    assert accounts.by_name("nobody") is None
    with pytest.raises(InputError, match="there is an account"):
        accounts.add("ada BYRON", "reader")
    accounts.set_role("Ada Byron", "reader")
    accounts.set_collections("Ada Byron", [])
    now = accounts.by_id(added.id)
    assert now == replace(added, role="reader", collections=())
    assert accounts.remove("ada byron").id == added.id
    assert accounts.by_id(added.id) is None
    with pytest.raises(InputError, match="no account"):
        accounts.remove("ada byron")
    assert accounts.add("Ada Byron", "reader").id != added.id, "another one of the same name"


def test_another_password_ends_earlier_sessions(accounts: Accounts) -> None:
    before = accounts.add("ada", "reader", (), RIGHT)
    after = accounts.set_password("ada", WRONG)
    assert after.session > before.session
    assert accounts.by_password("ada", RIGHT) is None
    assert accounts.by_password("ada", WRONG) == after


def test_a_key_is_shown_once_and_stored_as_a_digest(accounts: Accounts, tmp_path: Path) -> None:
    accounts.add("ada", "reader")
    key = accounts.new_key("ada")
    found = accounts.by_key(key)
    assert found is not None
    assert found.has_key
    assert not found.has_password
    assert key.encode() not in (tmp_path / store.FILE).read_bytes()
    assert accounts.by_key(key[:-1]) is None
    assert accounts.by_key("") is None
    another = accounts.new_key("ada")
    assert accounts.by_key(key) is None
    accounts.end_key("ada")
    assert accounts.by_key(another) is None


def test_an_account_without_a_password_has_none_that_is_right(accounts: Accounts) -> None:
    accounts.add("robot", "reader")
    assert accounts.by_password("robot", "") is None
    assert accounts.by_password("robot", RIGHT) is None


@pytest.mark.fault("U1")
def test_a_wrong_name_costs_the_same_work_as_a_wrong_password(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.add("ada", "reader", (), RIGHT)
    compared: list[str] = []
    real = passwords.is_right

    def counted(stored: str, password: str) -> bool:
        compared.append(stored)
        return real(stored, password)

    monkeypatch.setattr(passwords, "is_right", counted)
    for name in ("ada", "nobody", ""):
        assert accounts.by_password(name, WRONG) is None
    assert len(compared) == 3, "a hash is computed for each"


def test_what_is_stored_is_argon2_and_its_owners_alone(accounts: Accounts, tmp_path: Path) -> None:
    accounts.add("ada", "reader", (), RIGHT)
    path = tmp_path / store.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as db:
        ((stored,),) = db.execute("SELECT password FROM accounts").fetchall()
    assert stored.startswith("$argon2id$")
    assert RIGHT not in stored


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "a\u202eb", "a\0b", "\u200b"])
def test_a_name_that_nobody_could_read_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(InputError, match="a name has"):
        accounts.add(name, "reader")


@pytest.mark.parametrize("password", ["", "short", "a" * 1001, "half \ud83d a character"])
def test_a_password_that_is_none_is_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(InputError, match="password"):
        accounts.add("ada", "reader", (), password)
    assert not accounts


@given(st.text(max_size=1200), st.text(max_size=1200))
def test_no_name_and_no_key_lets_in_where_there_is_none(name: str, password: str) -> None:
    class Empty:
        def rows(self, query: str, values: object = ()) -> list[tuple[object, ...]]:
            return []

        def writing(self) -> object:
            raise AssertionError

    assert Accounts(Empty()).by_name(name) is None  # type: ignore[arg-type]
    assert Accounts(Empty()).by_key(password) is None  # type: ignore[arg-type]


def test_roles_contain_each_other() -> None:
    person = {role: Person("1", "ada", role) for role in ROLES}
    assert [[person[has].may_be(role) for role in ROLES] for has in ROLES] == [
        [True, False, False], [True, True, False], [True, True, True],
    ]  # fmt: skip


@pytest.mark.fault("U4")
def test_a_file_that_is_held_is_waited_for_and_then_told(tmp_path: Path) -> None:
    accounts = Accounts(AccountFile(tmp_path, patience=0.05))
    accounts.add("ada", "reader", (), RIGHT)
    with closing(sqlite3.connect(tmp_path / store.FILE)) as held:
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AccountsUnusable, match="locked"):
            accounts.by_name("ada")
        with pytest.raises(AccountsUnusable, match="locked"):
            accounts.set_role("ada", "admin")
        held.rollback()
    again = accounts.by_name("ada")
    assert again is not None
    assert again.role == "reader"


@pytest.mark.fault("U4")
def test_a_damaged_file_lets_nobody_in(accounts: Accounts, tmp_path: Path) -> None:
    (tmp_path / store.FILE).write_bytes(
        b"no database at all, and long enough to be read as one" * 9
    )
    with pytest.raises(AccountsUnusable, match="backup"):
        accounts.by_name("ada")
    with pytest.raises(AccountsUnusable):
        bool(accounts)


# --- what is noted --------------------------------------------------------------------------------


@pytest.mark.fault("U5")
@given(st.text(), st.lists(st.text(), max_size=5))
def test_no_name_breaks_a_line(name: str, documents: list[str]) -> None:
    class Kept(list[str]):
        def lines(self) -> Iterator[str]:
            return iter(self)

    kept = Kept()
    Audit(kept).note(name, "remove", documents=documents)
    (line,) = kept
    assert line.isascii()
    assert len(line.splitlines()) == 1
    entry = json.loads(line)
    assert entry["who"] == name
    assert len(entry["documents"]) == len(documents)


def test_lines_are_added_and_their_owners_alone(library: Library) -> None:
    noted = audit_of(library)
    noted.note("ada", "remove", documents=["a.txt"])
    audit_of(library).note("bob", "add", documents=[f"{n}" for n in range(1000)])
    first, second = map(json.loads, noted.lines())
    assert (first["who"], first["what"], first["documents"]) == ("ada", "remove", ["a.txt"])
    assert first["at"] < "9999"
    assert second["documents"][-1] == "and 800 more"
    if isinstance(library.place, Path):
        assert stat.S_IMODE((library.path / audit.FILE).stat().st_mode) == 0o600


@pytest.mark.fault("U6")
def test_what_cannot_be_noted_is_told_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        os.mkfifo(tmp_path / audit.FILE)  # nothing can be appended without a reader, either
    else:
        (tmp_path / audit.FILE).symlink_to(full)
    noted = Audit(AuditFile(tmp_path))
    noted.note("ada", "remove")
    noted.note("ada", "remove")
    assert "cannot be noted" in noted.problem
    assert len(caplog.records) == 1, "told once"


# --- the command ----------------------------------------------------------------------------------

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    make_library(tmp_path).close()
    asked: list[str] = []

    def ask_password(question: str) -> str:
        asked.append(question)
        return RIGHT

    parts = Parts(
        open_library=lambda path, create, threads: Library.open(
            path, create=create, encoder=BagOfWordsEncoder()
        ),
        at_terminal=lambda: True,
        ask_password=ask_password,
    )

    def run_command(*arguments: str, given: str = "") -> Result:
        command = ["--store", str(tmp_path / "library"), "accounts", *arguments]
        return CliRunner().invoke(app, command, obj=parts, input=given)

    return run_command


def test_accounts_from_the_command_line(run: Run, tmp_path: Path) -> None:
    accounts = Accounts(AccountFile(tmp_path / "library"))
    assert "nobody has to sign in" in run("list").stderr
    done = run("add", "ada", "--role", "admin")
    assert done.exit_code == 0, done.output
    assert "ada is an admin and sees all of the library" in done.stderr
    assert "from now on everybody signs in" in done.stderr
    assert accounts.by_password("ada", RIGHT)
    done = run("add", "bob", "--collection", "law", "--password-stdin", given=f"{WRONG}\n")
    assert "bob is a reader and sees what is in 'law' alone" in done.stderr
    assert "no document is in the collection 'law' so far" in done.stderr
    assert accounts.by_password("bob", WRONG)
    assert run("role", "bob", "editor").exit_code == 0
    assert run("collections", "bob").exit_code == 0
    assert run("password", "bob", "--password-stdin", given=RIGHT).exit_code == 0
    made = run("key", "bob")
    assert accounts.by_key(made.stdout.strip())
    listed = json.loads(run("list", "--json").stdout)
    assert listed[1] == {
        "name": "bob", "role": "editor", "collections": [], "has_password": True, "has_key": True,
    }  # fmt: skip
    assert "bob" in run("list").stdout
    assert run("key", "bob", "--end").exit_code == 0
    assert run("remove", "bob").exit_code == 0
    assert "no accounts left" in run("remove", "ada").stderr
    lines = [json.loads(line) for line in run("log").stdout.splitlines()]
    assert [(line["what"], line["account"]) for line in lines] == [
        ("account added", "ada"), ("account added", "bob"), ("role changed", "bob"),
        ("collections changed", "bob"), ("password changed", "bob"), ("key made", "bob"),
        ("key ended", "bob"), ("account removed", "bob"), ("account removed", "ada"),
    ]  # fmt: skip
    assert all(line["who"].startswith("command line: ") for line in lines)
    assert RIGHT not in str(lines)


@pytest.mark.parametrize(
    "command",
    [
        ("add", "ada", "--role", "king"),
        ("add", "\u202e"),
        ("add", "ada", "--password-stdin"),
        ("remove", "nobody"),
        ("password", "nobody"),
        ("role", "nobody", "reader"),
        ("collections", "nobody", "law"),
        ("key", "nobody"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, command: tuple[str, ...]) -> None:
    failed = run(*command, given="short\n")
    assert failed.exit_code == 2, failed.output
    assert failed.exception is None or isinstance(failed.exception, SystemExit)
    assert len(failed.stderr.strip().splitlines()) == 1


def test_without_a_terminal_a_password_is_not_asked_for(tmp_path: Path) -> None:
    make_library(tmp_path).close()
    command = ["--store", str(tmp_path / "library"), "accounts", "add", "ada"]
    failed = CliRunner().invoke(app, command, input="")
    assert failed.exit_code == 2
    assert "--password-stdin" in failed.stderr
