"""Conversations on disk: what was asked and answered is there again, and what is deleted goes."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.evaluation import load_questions
from rag.types import Answer, Citation, Explanation, PassageRead, Statement, Timings
from ui.commands import salvage
from ui.page import feedback
from ui.page.conversations import FILE, Conversations, ConversationsUnusable, Scope, Turn, new_key

TEXT = st.text(st.characters(), max_size=40)


def answer(question: str = "Who came?", said: str = "Nine came.") -> Answer:
    cited = Citation(1, "a.txt", "A", "S", 2, 5, 5 + len(said), said, "2024", ("b.txt",))
    return Answer(
        question, "answered", f"{said} [1]", (Statement(said, "supported", (1,), quoted=True),),
        (cited,), (PassageRead("a.txt", 0, 9, "Nine came", 0.5),), Timings(1.5, None, 3.25), "m",
        complete=True, stage="done", headline=cited, explain=Explanation(form=question),
    )  # fmt: skip


def turn(question: str = "Who came?", **changes: object) -> Turn:
    made = Turn(new_key(), question, answer(question), "done", 1.5, Scope(("a.txt",), "2023"))
    return replace(made, **changes)  # type: ignore[arg-type]


def sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@given(TEXT, TEXT)
def test_a_turn_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, question: str, said: str
) -> None:
    store = Conversations(tmp_path_factory.mktemp("c"))
    kept = turn(question, answer=answer(question, said))
    store.keep("c1", kept)
    clean = replace(kept, question=sound(question), answer=answer(sound(question), sound(said)))
    assert store.turns("c1") == [clean]
    assert store.turn(kept.key) == clean


def test_a_title_that_nobody_gave_follows_the_question_that_was_edited(tmp_path: Path) -> None:
    store, conversation = Conversations(tmp_path), new_key()
    first = Turn(new_key(), "Whn was it?")
    store.keep(conversation, first)
    edited = Turn(new_key(), "When was it?")
    store.keep(conversation, edited, first.key)
    assert [c.title for c in store.listed()] == ["When was it?"]
    store.rename(conversation, "Dates")
    store.keep(conversation, Turn(new_key(), "When?"), edited.key)
    assert [c.title for c in store.listed()] == ["Dates"]


def test_turns_keep_their_order_and_the_last_can_give_way(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    first, second, third = turn("one"), turn("two"), turn("three")
    store.keep("c1", first)
    store.keep("c1", second)
    store.keep("c1", third, replaces=second.key)
    assert [t.question for t in store.turns("c1")] == ["one", "three"]
    assert store.title("c1") == "one"


def test_a_turn_of_another_conversation_never_gives_way(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    mine, theirs = turn("mine"), turn("theirs")
    store.keep("c1", mine)
    store.keep("c2", theirs, replaces=mine.key)
    assert [t.question for t in store.turns("c1")] == ["mine"]


def test_a_failed_turn_is_kept_with_its_problem(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.keep("c1", turn("q", answer=None, phase="failed", problem="too long"))
    (kept,) = Conversations(tmp_path).turns("c1")
    assert (kept.answer, kept.phase, kept.problem) == (None, "failed", "too long")


def test_they_are_listed_newest_first_and_found_by_what_was_said(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.keep("c1", turn("Who opened the forum?"))
    store.keep("c2", turn("Cables", answer=answer("Cables", "Tonga was OFFLINE.")))
    assert [c.id for c in store.listed()] == ["c2", "c1"]
    assert [c.id for c in store.listed("offline tonga")] == ["c2"]
    assert [c.id for c in store.listed("FORUM")] == ["c1"]
    assert store.listed("nothing") == []


def test_a_title_can_be_changed_but_not_emptied(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.keep("c1", turn())
    store.rename("c1", "  Kyoto \n notes ")
    store.rename("c1", "   ")
    assert store.title("c1") == "Kyoto notes"


def test_a_deletion_can_be_undone_until_the_next(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    for name in ("c1", "c2"):
        store.keep(name, turn(name))
    store.delete("c1")
    assert store.turns("c1") == [] and store.title("c1") == ""
    assert store.restore("c1")
    assert [t.question for t in store.turns("c1")] == ["c1"]
    store.delete("c1")
    store.delete("c2")
    assert not store.restore("c1")
    assert store.restore("c2")


def test_what_was_deleted_is_gone_from_the_disk_after_the_next_start(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.keep("c1", turn("Where is the quinquereme?"))
    store.delete("c1")
    Conversations(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert all(b"quinquereme" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_damaged_file_says_what_to_do_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    store = Conversations(tmp_path)
    assert store.listed() == []
    assert "pilcrow check --repair" in store.problem and "\n" not in store.problem
    first, second = turn("one"), turn("two")
    assert not store.keep("c1", first)
    assert not store.keep("c1", second)
    assert not store.keep("c1", replace(second, phase="stopped"), second.key)
    assert store.turns("c1") == [first, replace(second, phase="stopped")]
    assert store.turn(first.key) == first
    assert [(c.id, c.title) for c in store.listed("nine")] == [("c1", "one")]
    assert (tmp_path / FILE).read_bytes() == b"no database at all" * 100


@pytest.mark.fault("G41")
def test_what_could_not_be_kept_is_kept_with_what_comes_next(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.keep("c1", turn("one"))
    (tmp_path / FILE).rename(tmp_path / "away")
    (tmp_path / FILE).mkdir()
    two = turn("two")
    assert not store.keep("c1", replace(two, answer=None, phase="stopped"))
    assert not store.keep("c1", two, two.key)
    assert "cannot be kept" in store.problem
    (tmp_path / FILE).rmdir()
    (tmp_path / "away").rename(tmp_path / FILE)
    assert [t.question for t in store.turns("c1")] == ["one", "two"]
    assert store.keep("c1", turn("three"))
    assert store.problem == ""
    assert [t.question for t in Conversations(tmp_path).turns("c1")] == ["one", "two", "three"]


@pytest.mark.fault("G41")
def test_a_file_that_is_deleted_under_it_is_made_anew(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    store.keep("c1", turn("one"))
    (tmp_path / FILE).unlink()
    assert (store.listed(), store.turns("c1"), store.title("c1")) == ([], [], "")
    assert store.keep("c1", turn("two"))
    assert [t.question for t in store.turns("c1")] == ["two"]
    assert store.problem == ""


def test_an_unkept_conversation_can_be_deleted(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    store = Conversations(tmp_path)
    store.keep("c1", turn("one"))
    store.delete("c1")
    assert store.listed() == []
    with pytest.raises(ConversationsUnusable):
        store.delete("c2")


HARM = {
    "a date": ("UPDATE conversations SET updated = 'x' WHERE id = 'c1'", "damaged"),
    "an answer": ("UPDATE turns SET kept = '{' WHERE conversation = 'c1'", "damaged"),
    "an answer of another shape": ("UPDATE turns SET kept = '[]' WHERE conversation = 'c1'", ""),
    "no Unicode": (
        "UPDATE turns SET question = CAST(x'ff41' AS TEXT) WHERE conversation = 'c1'", ""),
    "a lost conversation": ("DELETE FROM conversations WHERE id = 'c1'", ""),
}  # fmt: skip


@pytest.mark.fault("G42")
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_a_damaged_row_hides_itself_only_and_the_rest_is_mended(
    harm: tuple[str, str], tmp_path: Path
) -> None:
    store = Conversations(tmp_path)
    hurt, sound_one = turn("hurt"), turn("sound")
    store.keep("c1", hurt)
    store.keep("c2", sound_one)
    assert salvage.check(tmp_path).ok
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute(harm[0])
    db.close()
    assert "c2" in [one.id for one in store.listed()]
    assert store.turns("c2") == [sound_one]
    assert len(store.turns("c1")) == ("DELETE" not in harm[0])
    line = salvage.check(tmp_path)
    assert not line.ok and "pilcrow check --repair" in line.detail
    assert salvage.check(tmp_path, repair=True).ok
    assert salvage.check(tmp_path).ok
    assert {one.id for one in store.listed()} == {"c1", "c2"}
    assert store.turns("c2") == [sound_one]
    assert [t.key for t in store.turns("c1")] == [hurt.key]
    assert store.keep("c1", turn("next"))


@cache
def whole_file() -> tuple[bytes, tuple[Turn, ...]]:
    """A file of four conversations, and the twelve turns in it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Conversations(Path(folder))
        kept = tuple(turn(f"question {n}") for n in range(12))
        for number, one in enumerate(kept):
            store.keep(f"c{number % 4}", one)
        return (Path(folder) / FILE).read_bytes(), kept


@pytest.mark.fault("G42")
@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=600))
@example(at=0.9, junk=b"\0")
def test_wherever_the_file_is_damaged_every_row_that_can_be_read_is_kept(
    tmp_path_factory: pytest.TempPathFactory, at: float, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("c")
    whole, kept = whole_file()
    store = Conversations(folder)
    start = int(at * len(whole))
    (folder / FILE).write_bytes((whole[:start] + junk + whole[start + len(junk) :])[: len(whole)])
    before = {t.key: t for number in range(4) for t in store.turns(f"c{number}")}
    line = salvage.check(folder, repair=True)
    assert line.ok, line
    mended = Conversations(folder)
    after = {t.key: t for one in mended.listed() for t in mended.turns(one.id)}
    assert {key for key, one in before.items() if one in kept} <= after.keys()
    assert all(after[one.key] == one for one in kept if before.get(one.key) == one)
    assert mended.keep("c1", turn("next")) and salvage.check(folder).ok


def test_a_file_with_a_log_of_an_earlier_version_is_read_and_brought_up(tmp_path: Path) -> None:
    kept = turn("one")
    Conversations(tmp_path).keep("c1", kept)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert Conversations(tmp_path).turns("c1") == [kept]
    assert (tmp_path / FILE).read_bytes()[18:20] == b"\1\1"


def test_thumbs_become_questions_that_eval_reads(tmp_path: Path) -> None:
    refused = Answer("Who baked it?", "not_found", "Not in your documents.", complete=True)
    feedback.record(tmp_path, "k1", answer("Who\u2028came?"), "up")
    feedback.record(tmp_path, "k2", refused, "up")
    feedback.record(tmp_path, "k3", answer("Wrong?"), "down")
    good, missing = load_questions(tmp_path / feedback.GOOD)
    assert (good.id, good.answerable, good.gold[0].start, good.gold[0].end) == ("k1", True, 5, 15)
    assert (missing.answerable, missing.group) == (False, "other")
    assert '"k3"' in (tmp_path / feedback.WRONG).read_text()


def test_a_verdict_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    feedback.record(tmp_path, "k1", answer(), "up")
    feedback.record(tmp_path, "k2", answer(), "up")
    feedback.record(tmp_path, "k1", answer(), "down")
    assert [q.id for q in load_questions(tmp_path / feedback.GOOD)] == ["k2"]
    feedback.record(tmp_path, "k1", answer(), "")
    assert (tmp_path / feedback.WRONG).read_text() == ""


@pytest.mark.parametrize("words", ["Où\u2028est-ce\x85?".encode(), "Où?".encode("latin-1")])
def test_what_a_person_wrote_beside_the_verdicts_stays_byte_for_byte(
    tmp_path: Path, words: bytes
) -> None:
    feedback.record(tmp_path, "k1", answer(), "down")
    path, theirs = tmp_path / feedback.WRONG, b'{"id": "theirs", "question": "%s"}' % words
    path.write_bytes(path.read_bytes() + theirs + b"\n")
    feedback.record(tmp_path, "k1", answer(), "")
    feedback.record(tmp_path, "k2", answer(), "down")
    first, second = path.read_bytes().split(b"\n")[:-1]
    assert first == theirs and b'"k2"' in second
