"""Questions go first: what changes the library waits between two steps, but not for ever."""

from __future__ import annotations

import threading
from pathlib import Path

from index import Library
from index.system.priority import QueryPriority
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
    library._priority = noting = Noting()
    library.update([tmp_path / "a.txt"])
    assert noting.seen and not any(noting.seen)
    noting.seen.clear()
    with library.query_priority():
        library.rebuild(full=True)
    assert set(noting.seen) == {1}
    noting.seen.clear()
    assert library.search("When did the bank open?")
    assert noting.seen == []
