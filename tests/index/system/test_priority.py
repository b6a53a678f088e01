"""Questions go first: what changes the library waits between two steps, but not for ever."""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic

from index import Library
from index.system.priority import QueryPriority, Turns
from tests.support.fakes import BagOfWordsEncoder
from tests.support.programs import PATIENCE


def test_work_waits_for_the_last_of_many_questions() -> None:
    precedence, went_on = QueryPriority(), threading.Event()
    first, second = precedence.question(), precedence.question()
    first.__enter__()
    second.__enter__()

    def wait() -> None:
        if precedence.wait_for_queries(60.0):
            went_on.set()

    work = threading.Thread(target=wait)
    work.start()
    first.__exit__(None, None, None)
    assert not went_on.is_set()  # one is still under way
    second.__exit__(None, None, None)
    work.join(PATIENCE)
    assert went_on.is_set()


def test_work_does_not_wait_for_ever_and_not_at_all_when_nobody_asks() -> None:
    precedence = QueryPriority()
    assert precedence.wait_for_queries(0.0)
    with precedence.question():
        assert not precedence.wait_for_queries(0.0)
    assert precedence.wait_for_queries(0.0)


def test_who_has_waited_works_before_waiting_again() -> None:
    precedence = QueryPriority()
    with precedence.question():
        assert not precedence.wait_for_queries(0.01)
        assert not precedence.wait_for_queries(3600.0)  # at once: the work comes first now
    with precedence.question():
        assert not precedence.wait_for_queries(3600.0)


def test_a_question_that_fails_holds_nobody_up() -> None:
    precedence = QueryPriority()
    try:
        with precedence.question():
            raise ValueError
    except ValueError:
        pass
    assert precedence.wait_for_queries(0.0)


class Noting(QueryPriority):
    """Notes how many questions were under way whenever work would have waited for them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def wait_for_queries(self, longest: float = 0.0) -> bool:
        self.seen.append(self._asked)
        return super().wait_for_queries(0.0)


def test_changes_of_a_library_give_way_to_whoever_asks_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The bank opened in May.")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library._priority = library._changes._priority = noting = Noting()
    library.update([tmp_path / "a.txt"])
    assert noting.seen and not any(noting.seen)
    noting.seen.clear()
    with library.query_priority():
        library.rebuild(full=True)
    assert set(noting.seen) == {1}
    noting.seen.clear()
    assert library.search("When did the bank open?")
    assert noting.seen == []


def test_turns_go_by_rank_and_then_as_they_came() -> None:
    turns, order = Turns(1), list[tuple[int, str]]()
    threads = []

    def take(rank: int, name: str) -> None:
        with turns.turn(rank, lambda: False):
            order.append((rank, name))

    with turns.turn(0, lambda: False):
        for number, (rank, name) in enumerate([(2, "a"), (1, "b"), (1, "c"), (0, "d")], 1):
            threads.append(threading.Thread(target=take, args=(rank, name)))
            threads[-1].start()
            wait_for_line(turns, number)
        with turns.turn(5, lambda: False):  # inside another one nobody waits for oneself
            assert not order
    for thread in threads:
        thread.join(PATIENCE)
    assert order == [(0, "d"), (1, "b"), (1, "c"), (2, "a")]
    assert turns._free == 1 and not turns._line


def test_who_leaves_the_line_lets_the_others_go_on() -> None:
    turns, left, gone = Turns(1), threading.Event(), threading.Event()
    came = threading.Event()

    def leave() -> None:
        with turns.turn(0, left.is_set):
            gone.set()

    def come() -> None:
        with turns.turn(1, lambda: False):
            came.set()

    with turns.turn(0, lambda: False):
        threads = [threading.Thread(target=leave), threading.Thread(target=come)]
        for number, thread in enumerate(threads, 1):
            thread.start()
            wait_for_line(turns, number)
        left.set()
        assert gone.wait(PATIENCE), "who stops is not kept waiting"
        assert not came.is_set()
    assert came.wait(PATIENCE)
    for thread in threads:
        thread.join(PATIENCE)
    assert turns._free == 1


def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns(1)
    for _ in range(3):
        try:
            with turns.turn(0, lambda: False):
                raise ValueError
        except ValueError:
            pass
    assert turns._free == 1 and not turns._line


def wait_for_line(turns: Turns, count: int) -> None:
    """Wait until so many stand in the line."""
    began = monotonic()
    while len(turns._line) < count:
        threading.Event().wait(0.005)
        assert monotonic() - began < PATIENCE
