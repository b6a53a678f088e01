"""What people do with a library on a server: every machine that opens it knows of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from index import Library
from rag.evaluation import load_questions
from rag.grounding import sealing
from rag.types import Answer, Citation, Statement
from tests.index.storage import postgres_server
from tests.index.storage.postgres_server import Given, Server
from tests.support.fakes import BagOfWordsEncoder
from ui.page import feedback
from ui.page.conversations import Conversations, Turn, new_key, tables_of

pytestmark = pytest.mark.adapters


@pytest.fixture(scope="module")
def server() -> Iterator[Given | Server]:
    if reason := postgres_server.missing():
        pytest.skip(f"PostgreSQL: {reason}")
    with postgres_server.anyones() as server:
        yield server


@pytest.fixture
def address(
    server: Given | Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "one"))
    yield server.address()


@pytest.fixture
def library(address: str) -> Iterator[Library]:
    with Library.open(address, encoder=BagOfWordsEncoder()) as library:
        yield library


def talk(library: Library) -> Conversations:
    return Conversations(tables_of(library))


def turn(question: str = "Who came?", **changes: object) -> Turn:
    cited = Citation(1, "a.txt", "A", "S", 2, 5, 15, "Nine came.")
    answer = Answer(
        question, "answered", "Nine came. [1]", (Statement("Nine came.", "supported", (1,)),),
        (cited,), complete=True, stage="done",
    )  # fmt: skip
    return replace(Turn(new_key(), question, answer), **changes)  # type: ignore[arg-type]


def test_another_machine_goes_on_with_a_conversation(library: Library) -> None:
    here, there = talk(library), talk(library)
    first, second, third = turn("One?\0"), turn("Two?"), turn("Three?")
    assert here.keep("c1", first)
    assert there.keep("c1", second)
    assert here.keep("c1", third, replaces=second.key)
    assert [t.question for t in there.turns("c1")] == ["One?\N{REPLACEMENT CHARACTER}", "Three?"]
    assert there.turn(third.key) == third
    there.rename("c1", "Numbers")
    assert [(c.id, c.title) for c in here.listed()] == [("c1", "Numbers")]
    assert [c.id for c in here.listed("THREE came")] == ["c1"]
    assert here.listed("four") == []
    here.rate(third.key, "up")
    assert [t.verdict for t in there.turns("c1")] == ["", "up"]
    there.delete("c1")
    assert here.turns("c1") == []
    assert here.restore("c1")
    assert len(there.turns("c1")) == 2
    assert library.change == 0, "the library itself has not changed"


def test_what_was_deleted_goes_for_good_with_the_next_start(library: Library) -> None:
    here = talk(library)
    here.keep("c1", turn())
    here.delete("c1")
    talk(library)
    assert not here.restore("c1")
    tables = here.tables
    assert tables is not None
    assert tables.rows("SELECT key FROM turns") == []


def test_many_add_to_one_conversation_at_once(library: Library) -> None:
    def add(number: int) -> None:
        assert talk(library).keep("c1", turn(f"Question {number}?"))

    people = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    kept = {t.question for t in talk(library).turns("c1")}
    assert kept == {f"Question {number}?" for number in range(12)}


@pytest.mark.fault("P13")
def test_what_cannot_be_kept_is_remembered_and_kept_with_what_comes_next() -> None:
    if reason := postgres_server.missing(own=True):
        pytest.skip(f"PostgreSQL: {reason}")
    with (
        postgres_server.running() as server,
        Library.open(server.address(), encoder=BagOfWordsEncoder()) as library,
    ):
        here = talk(library)
        assert here.keep("c1", turn("one"))
        server.stop()
        assert not here.keep("c1", turn("two"))
        assert "does not answer" in here.problem and "\n" not in here.problem
        assert "correct" not in here.problem, "no password"
        assert [t.question for t in here.turns("c1")] == ["two"]
        server.start()
        assert here.keep("c1", turn("three"))
        assert here.problem == ""
        assert [t.question for t in talk(library).turns("c1")] == ["one", "two", "three"]


def test_thumbs_of_all_machines_become_one_file_of_questions(
    library: Library, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, wrong = turn("Who came?"), turn("Who went?")
    assert good.answer and wrong.answer
    feedback.record(library.path, "k1", good.answer, "up", tables=talk(library).tables)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "two"))
    with Library.open(address, encoder=BagOfWordsEncoder()) as there:
        assert there.path != library.path
        feedback.record(there.path, "k2", wrong.answer, "up", tables=talk(there).tables)
        assert [q.id for q in load_questions(there.path / feedback.GOOD)] == ["k1", "k2"]
        feedback.record(there.path, "k1", good.answer, "down", tables=talk(there).tables)
        assert [q.id for q in load_questions(there.path / feedback.GOOD)] == ["k2"]
        assert '"k1"' in (there.path / feedback.WRONG).read_text()
        feedback.record(there.path, "k1", good.answer, "", tables=talk(there).tables)
        assert (there.path / feedback.WRONG).read_text() == ""


def test_every_machine_seals_with_the_same_key(
    library: Library, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = sealing.key_of(library, create=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "two"))
    with closing(Library.open(address, encoder=BagOfWordsEncoder())) as there:
        assert sealing.key_of(there) == key
    with Library.open(tmp_path / "folder", encoder=BagOfWordsEncoder()) as folder:
        assert sealing.key_of(folder, create=True) == sealing.key_in(folder.path) != key
