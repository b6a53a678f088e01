"""What is each account's own: conversations and thumbs where they are kept, and its work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from index import Library
from index.errors import InputError
from rag.settings import Settings
from rag.types import Answer, Citation, Statement
from tests.index.storage import postgres_server
from tests.support.fakes import BagOfWordsEncoder
from tests.support.page_fakes import make_library
from ui.commands.serving import sign_in_of
from ui.http.accounts.sharing import SignIn
from ui.http.accounts.store import accounts_of
from ui.page import feedback
from ui.page.conversations import Conversations, Turn, drawer_of, new_key
from ui.page.jobs import JobRunner, OneAtATime

ADA, BOB = "a" * 32, "b" * 32
"""Ids of accounts."""


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


def turn(question: str) -> Turn:
    cited = Citation(1, "a.txt", "A", "S", 2, 5, 15, "Nine came.")
    answer = Answer(
        question, "answered", "Nine came. [1]", (Statement("Nine came.", "supported", (1,)),),
        (cited,), complete=True, stage="done",
    )  # fmt: skip
    return Turn(new_key(), question, answer)


@pytest.mark.fault("U7")
def test_conversations_are_each_accounts_own(library: Library) -> None:
    ada, bob, nobody = (Conversations(drawer_of(library), owner) for owner in (ADA, BOB, ""))
    first, second, third = turn("Ada asks?"), turn("Bob asks?"), turn("Nobody asks?")
    assert ada.keep("c1", first)
    assert bob.keep("c1", second, replaces=first.key), "the same id, and another conversation"
    assert nobody.keep("c1", third)
    for mine, asked in ((ada, first), (bob, second), (nobody, third)):
        assert [t.question for t in mine.turns("c1")] == [asked.question]
        assert [(c.id, c.title) for c in mine.listed()] == [("c1", asked.question)]
        assert [c.id for c in mine.listed("nine")] == ["c1"]
        assert mine.turn(asked.key) == asked
        assert all(mine.turn(t.key) is None for t in (first, second, third) if t is not asked)
    for guess in (f"{ADA}:c1", f"{ADA}:{first.key}", "%", "_", f"{ADA}%"):
        for other in (bob, nobody):
            assert other.turns(guess) == []
            assert other.turn(guess) is None
            assert other.title(guess) == ""
            other.rename(guess, "Taken")
            other.delete(guess)
            assert not other.restore(guess)
    bob.rate(first.key, "down")
    bob.delete("c1")
    assert [t.verdict for t in ada.turns("c1")] == [""]
    assert not ada.restore("c1"), "another's deletion"
    Conversations(drawer_of(library), ADA)  # a start of hers
    assert bob.restore("c1")
    ada.delete_all()
    assert (ada.listed(), len(bob.listed()), len(nobody.listed())) == ([], 1, 1)


def test_thumbs_are_each_accounts_own(library: Library) -> None:
    for owner, key in ((ADA, "k1"), (BOB, "k2"), ("", "k3")):
        tables = Conversations(drawer_of(library), owner).tables
        answer = turn("Who came?").answer
        assert answer is not None
        feedback.record(library.path, key, answer, "up", tables=tables, owner=owner)
    for folder, key in (
        (feedback.folder_of(library.path, ADA), "k1"),
        (feedback.folder_of(library.path, BOB), "k2"),
        (library.path, "k3"),
    ):
        lines = (folder / feedback.GOOD).read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == [key]


def test_one_works_at_a_time_and_sees_nothing_of_the_others_work(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:
        together = OneAtATime()
        ada, bob = (JobRunner(library, others=together) for _ in range(2))
        library.go_on.clear()
        hers = ada.rebuild()
        assert next(hers).running
        assert (ada.busy, bob.busy, bob.anybody_busy) == (True, False, True)
        his = bob.add_folder(tmp_path / "articles")
        seen = next(his)
        assert "somebody else" in seen.title
        assert not seen.rows
        bob.cancel()
        library.go_on.set()
        *_, last = hers
        assert (last.title, last.cancelled) == ("Library rebuilt", False), "nobody else ends it"
        *_, done = his
        assert not done.running
        assert not bob.anybody_busy


def test_from_the_first_account_on_everybody_signs_in(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:
        assert sign_in_of(Settings(), library) is None
        accounts_of(library).add("ada", "admin")
        assert sign_in_of(Settings(), library) == SignIn()
        for around in (
            Settings(password=SecretStr("p")), Settings(api_key=SecretStr("k")),
        ):  # fmt: skip
            with pytest.raises(InputError, match="unset it"):
                sign_in_of(around, library)


@pytest.mark.fault("U3")
def test_a_header_needs_the_proxy_that_alone_may_send_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILCROW_ACCOUNT_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("PILCROW_ACCOUNT_DEFAULT_ROLE", "reader")
    with make_library(tmp_path) as library:
        with pytest.raises(InputError, match="PILCROW_TRUSTED_PROXY"):
            sign_in_of(Settings(), library)
        monkeypatch.setenv("PILCROW_TRUSTED_PROXY", "10.0.0.1")
        assert sign_in_of(Settings(), library) == SignIn("X-Forwarded-User", "reader")
