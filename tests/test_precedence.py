"""Questions go first: what changes the library waits between two steps, but not for ever."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from index import Library
from index.encoder import Embeddable, PassageVectors
from index.precedence import Precedence
from index.types import Progress
from tests.fakes import BagOfWordsEncoder


def test_work_waits_for_the_last_of_many_questions() -> None:
    precedence, went_on = Precedence(), threading.Event()
    first, second = precedence.question(), precedence.question()
    first.__enter__()
    second.__enter__()

    def wait() -> None:
        if precedence.give_way(60.0):
            went_on.set()

    work = threading.Thread(target=wait)
    work.start()
    first.__exit__(None, None, None)
    assert not went_on.is_set()  # one is still under way
    second.__exit__(None, None, None)
    work.join(60)
    assert went_on.is_set()


def test_work_does_not_wait_for_ever_and_not_at_all_when_nobody_asks() -> None:
    precedence = Precedence()
    assert precedence.give_way(0.0)
    with precedence.question():
        assert not precedence.give_way(0.0)
    assert precedence.give_way(0.0)


def test_a_question_that_fails_holds_nobody_up() -> None:
    precedence = Precedence()
    try:
        with precedence.question():
            raise ValueError
    except ValueError:
        pass
    assert precedence.give_way(0.0)


class Counting(BagOfWordsEncoder):
    """Notes whether a question was under way when passages were embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        self.begun.set()
        return super().encode(passages)


def test_embedding_begins_when_the_question_is_answered(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The bank opened in May.")
    encoder = Counting()
    library = Library.open(tmp_path / "library", encoder=encoder)
    near = threading.Event()

    def progress(step: Progress) -> None:
        if step.stage == "embedding":
            near.set()

    def add() -> None:
        library.update([tmp_path / "a.txt"], progress=progress)

    adding = threading.Thread(target=add)
    with library.asking():
        adding.start()
        assert near.wait(60)
        assert not encoder.begun.is_set()
    adding.join(60)
    assert encoder.begun.is_set()
    assert [hit.document_id for hit in library.search("When did the bank open?")] == ["a.txt"]
