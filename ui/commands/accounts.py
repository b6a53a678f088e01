"""Accounts, where several people share a library: `pilcrow accounts add | list | remove | …`."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import InputError
from ui.commands.session import (
    JsonOption,
    Session,
    StoreOption,
    print_json,
    print_text,
    say,
    session_of,
)

if TYPE_CHECKING:
    from index import Library
    from ui.http.accounts.audit import Audit
    from ui.http.accounts.people import Person
    from ui.http.accounts.store import Accounts

app = typer.Typer(
    help="Accounts, where several people share a library; without any, nobody has to sign in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
RoleOption = Annotated[
    str, typer.Option("--role", metavar="ROLE", help="reader, editor or admin; see `role`.")
]
PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What these commands work with."""

    session: Session
    library: Library
    accounts: Accounts
    audit: Audit

    def note(self, what: str, person: Person, **about: object) -> None:
        """Note a change to an account: by whoever sits at the command line."""
        self.audit.note(f"command line: {_user()}", what, account=person.name, **about)


@contextmanager
def _desk(ctx: typer.Context, store: str | None, as_json: bool = False) -> Iterator[_Desk]:
    from ui.http.accounts.audit import audit_of
    from ui.http.accounts.store import accounts_of

    session = session_of(ctx, store, as_json)
    with session.library(create=True) as library:
        yield _Desk(session, library, accounts_of(library), audit_of(library))


@app.command()
def add(
    ctx: typer.Context,
    name: NameArgument,
    role: RoleOption = "reader",
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", help="May see this collection (several times: these)."),
    ] = None,
    password_stdin: PasswordOption = False,
    no_password: Annotated[
        bool,
        typer.Option("--no-password", help="For a program's key, or who signs in at a proxy."),
    ] = False,
    store: StoreOption = None,
) -> None:
    """Make an account. From the first one on, everybody has to sign in."""
    with _desk(ctx, store) as desk:
        first = not desk.accounts
        password = None if no_password else _new_password(desk.session, name, password_stdin)
        person = desk.accounts.add(name, role, collection or (), password)
        desk.note("account added", person, role=role, collections=list(person.collections))
        say(f"{person.name} is {_article(person.role)} and {_sees(person)}")
        _say_unknown(desk.library, person)
        if first:
            say("from now on everybody signs in: start `pilcrow chat` and `serve` anew")


@app.command("list")
def list_accounts(
    ctx: typer.Context, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Who has an account, with role and collections, and how they may sign in."""
    with _desk(ctx, store, as_json) as desk:
        people = desk.accounts.listed()
    if desk.session.json:
        shown = ("name", "role", "collections", "has_password", "has_key")
        print_json([{name: asdict(person)[name] for name in shown} for person in people])
        return
    for person in people:
        ways = [*["password"] * person.has_password, *["key"] * person.has_key]
        print_text(
            f"{person.name:<20} {person.role:<7} {', '.join(ways) or '-':<14} "
            f"{', '.join(person.collections) or 'all collections'}"
        )
    if not people:
        say("there are no accounts: nobody has to sign in")


@app.command()
def remove(ctx: typer.Context, name: NameArgument, store: StoreOption = None) -> None:
    """Take an account out, with its conversations; its sessions end at once."""
    import shutil

    from ui.page import feedback
    from ui.page.conversations import Conversations, drawer_of

    with _desk(ctx, store) as desk:
        gone = desk.accounts.remove(name)
        desk.note("account removed", gone)
        Conversations(drawer_of(desk.library), gone.id).delete_all()
        shutil.rmtree(feedback.folder_of(desk.library.path, gone.id), ignore_errors=True)
        say(f"{gone.name} has no account any more; their conversations are deleted")
        if not desk.accounts:
            say("there are no accounts left: once started anew, nobody has to sign in")


@app.command()
def password(
    ctx: typer.Context,
    name: NameArgument,
    password_stdin: PasswordOption = False,
    store: StoreOption = None,
) -> None:
    """Set another password; who signed in with the one before has to do so again."""
    with _desk(ctx, store) as desk:
        given = _new_password(desk.session, name, password_stdin)
        person = desk.accounts.set_password(name, given)
        desk.note("password changed", person)
        say(f"{person.name} has another password; earlier sessions have ended")


@app.command()
def role(
    ctx: typer.Context,
    name: NameArgument,
    role: Annotated[str, typer.Argument(metavar="reader|editor|admin", show_default=False)],
    store: StoreOption = None,
) -> None:
    """Set what somebody may do.

    A reader asks and reads; an editor also adds, tags, collects and removes documents; an admin
    also changes the models.
    """
    with _desk(ctx, store) as desk:
        person = desk.accounts.set_role(name, role)
        desk.note("role changed", person, role=role)
        say(f"{person.name} is {_article(person.role)}")


@app.command()
def collections(
    ctx: typer.Context,
    name: NameArgument,
    collection: Annotated[
        list[str] | None, typer.Argument(metavar="[COLLECTION]...", show_default=False)
    ] = None,
    store: StoreOption = None,
) -> None:
    """Set the collections that somebody may see: these alone, or all where none is named."""
    with _desk(ctx, store) as desk:
        person = desk.accounts.set_collections(name, collection or ())
        desk.note("collections changed", person, collections=list(person.collections))
        say(f"{person.name} {_sees(person)}")
        _say_unknown(desk.library, person)


@app.command()
def key(
    ctx: typer.Context,
    name: NameArgument,
    end: Annotated[bool, typer.Option("--end", help="Take the key away.")] = False,
    store: StoreOption = None,
) -> None:
    """Make a key with which somebody's programs ask (`pilcrow serve`); the one before ends.

    It is shown once, on stdout.
    """
    with _desk(ctx, store) as desk:
        if end:
            person = desk.accounts.end_key(name)
            desk.note("key ended", person)
            say(f"{person.name} has no key any more")
            return
        made = desk.accounts.new_key(name)
        owner = desk.accounts.by_key(made)
        assert owner is not None
        desk.note("key made", owner)
        print_text(made)
        say(f"this is the key of {owner.name}, shown this once: “Authorization: Bearer KEY”")


@app.command()
def log(ctx: typer.Context, store: StoreOption = None) -> None:
    """Who changed what, and when: one line of JSON each, the oldest first."""
    with _desk(ctx, store) as desk:
        for line in desk.audit.lines():
            print_text(line)


def _new_password(session: Session, name: str, from_stdin: bool) -> str:
    """A password as it was typed twice, or the first line of standard input.

    Raises:
        InputError: when nobody is there to be asked.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not session.parts.at_terminal():
        raise InputError("nobody is at the terminal to be asked for a password: --password-stdin")
    return session.parts.ask_password(f"Password for {name}")


def _say_unknown(library: Library, person: Person) -> None:
    """Say which of somebody's collections have no document."""
    there = {record.collection.casefold() for record in library.documents()}
    for name in person.collections:
        if name.casefold() not in there:
            say(f"no document is in the collection {name!r} so far")


def _article(role: str) -> str:
    return f"{'an' if role[0] in 'ae' else 'a'} {role}"


def _sees(person: Person) -> str:
    names = ", ".join(map(repr, person.collections))
    return f"sees what is in {names} alone" if names else "sees all of the library"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account of the system that has no name
        return "somebody"
