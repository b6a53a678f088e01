"""A long document is summed up part by part, and only what its sentences carry is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Library, Passage
from index.errors import ModelFailed
from rag import Assistant
from rag.llm.generator import Message
from rag.replies.wording.digest import LIMITS, in_parts
from rag.types import Answer
from tests.rag.test_assistant import check_pointers
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator

TOWNS = "Aldern Brent Corva Dunmoor Eskwell Fallow Garvel Hexby Ivemoor Jarrow Kelso Lindal".split()
MILLS = "Mills of the Ravenport Valley\n\n" + "\n\n".join(
    f"The mill of {town} was built in {1800 + at} by the miller of {town}. Grain came to {town} on "
    f"carts from the farms of the valley. The river of {town} drives the wheel of the mill."
    for at, town in enumerate(TOWNS)
)
SUMMARISE = "Summarise the article Mills of the Ravenport Valley"


class Copying(ScriptedGenerator):
    """Notes the first sentence of what it reads, and sums notes up in their own words."""

    prompt_tokens = 60

    def __init__(self, wrong: str = "") -> None:
        super().__init__()
        self._wrong = wrong

    def reply(self, messages: Sequence[Message]) -> str:
        text = messages[-1]["content"].partition(": ")[2].partition("\n\n")[0]
        if "This is a part" in messages[-1]["content"]:
            return f"{self._wrong or text.split('. ')[0].rstrip('.') + '.'} "
        return f"{text} "


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "mills.txt").write_text(MILLS)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "mills.txt"])
    return library


def ask(library: Library, generator: ScriptedGenerator, question: str = SUMMARISE) -> list[Answer]:
    return list(Assistant(library, generator).stream(question, explain=True))


def test_a_long_document_is_read_in_parts_and_its_progress_is_told(library: Library) -> None:
    snapshots = ask(library, Copying())
    told = [one.progress for one in snapshots if one.progress]
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert {one.total for one in told} == {LIMITS.parts + 1}
    assert snapshots[1].statements and all(one.quoted for one in snapshots[1].statements)
    last = snapshots[-1]
    assert last.complete and last.progress is None and last.model == "scripted"
    towns = {town for town in TOWNS for one in last.statements if town in one.text}
    assert len(towns) >= LIMITS.least
    check_pointers(library, last)


def test_notes_that_no_sentence_carries_are_not_told(library: Library) -> None:
    *_, last = ask(library, Copying("The mill of Aldern was sold to Otto Berg for 900 crowns."))
    assert "Otto" not in last.text and "900" not in last.text
    assert all(one.quoted for one in last.statements) and last.explain
    assert {draft.outcome for draft in last.explain.drafts} == {"dropped"}
    check_pointers(library, last)


def test_notes_in_doubt_the_model_is_asked_about(library: Library) -> None:
    generator = Copying("The miller built the mill of Aldern in 1800.")
    asked: list[object] = []

    def odds(messages: object) -> float:
        asked.append(messages)
        return -9.0

    generator.odds = odds
    *_, last = ask(library, generator)
    assert all(one.quoted for one in last.statements)
    doubted = len(asked)
    answer = Assistant(library, generator, judge=False).answer(SUMMARISE)
    assert answer.complete and doubted > 0 and len(asked) == doubted


def test_a_short_document_and_an_exact_number_of_sentences_stay_quotes(library: Library) -> None:
    generator = Copying()
    generator.prompt_tokens = 3000
    *_, last = ask(library, generator)
    assert last.model == "none" and not generator.asked


def test_stopping_leaves_the_quotes(library: Library) -> None:
    generator = Copying()
    seen: list[Answer] = []
    for snapshot in Assistant(library, generator).stream(SUMMARISE, stop=lambda: len(seen) > 3):
        seen.append(snapshot)
    assert seen[-1].complete and seen[-1].statements
    assert all(one.quoted for one in seen[-1].statements)


@pytest.mark.fault("E4")
def test_a_model_that_fails_in_the_middle_leaves_the_quotes_and_one_line(library: Library) -> None:
    class Failing(Copying):
        def reply(self, messages: Sequence[Message]) -> str:
            if len(self.asked) > 2:
                raise ModelFailed("the language model's process ended")
            return super().reply(messages)

    *_, last = ask(library, Failing())
    assert last.complete and all(one.quoted for one in last.statements)
    assert last.notes == ("Finished with quotes only: the language model's process ended",)


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 9))
def test_parts_hold_every_passage_once_in_order(lengths: list[int], most: int) -> None:
    passages = [
        (Passage(number, 0, 1, "word " * length, ()), np.zeros((length, 3), np.float32))
        for number, length in enumerate(lengths)
    ]
    parts = in_parts(passages, most)
    told = [passage.paragraph for part in parts for passage, _ in part]
    assert told == [number for number, length in enumerate(lengths) if length]
    assert len(parts) <= most and all(parts)
