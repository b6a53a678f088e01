"""What a capable model thinks of the closest passages: heard beside the gate, within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from index import Library
from index.errors import ModelFailed
from rag import Assistant
from rag.llm.generator import Message
from rag.reader.gate import gate_coefficients
from rag.snapshots import NOT_FOUND_BY_MODEL
from rag.types import Answer
from tests.rag.test_assistant import CABLES, FORUM, check_pointers
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator

OPENING = "Who gave the opening speech of the forum in Kyoto?"
SAID = "Prime Minister Fumio Kishida gave the opening speech."


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for name, text in {"forum.txt": FORUM, "cables.txt": CABLES}.items():
        (tmp_path / name).write_text(text)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "forum.txt", tmp_path / "cables.txt"])
    return library


class Opinionated(ScriptedGenerator):
    """Is always of the same opinion, and remembers what it was asked for."""

    name = next(iter(gate_coefficients().opinions))
    prompt_tokens = 2000

    def __init__(self, odds: float) -> None:
        super().__init__([f"{SAID} "])
        self.opinions: list[str] = []
        self.odds = self._said
        self._odds = odds

    def _said(self, messages: Sequence[Message]) -> float:
        self.opinions.append(messages[-1]["content"])
        return self._odds


def ask(library: Library, generator: ScriptedGenerator, question: str = OPENING) -> list[Answer]:
    return list(Assistant(library, generator).stream(question, explain=True))


def test_what_the_model_does_not_find_is_withdrawn_and_its_best_sentence_stays_near(
    library: Library,
) -> None:
    generator = Opinionated(-12.0)
    *before, last = ask(library, generator)
    assert any(snapshot.statements for snapshot in before)  # the quotes did not wait for it
    assert last.complete and last.state == "not_found"
    assert last.missing == (NOT_FOUND_BY_MODEL,) and NOT_FOUND_BY_MODEL in last.text
    assert not last.statements and not last.citations and last.headline is None
    assert last.closest and "Kishida" in last.closest.quote
    assert last.explain and last.explain.opinion is not None and last.explain.opinion < 0.5
    assert not generator.asked  # nothing is written of what is not there


def test_what_the_model_finds_is_answered(library: Library) -> None:
    *_, last = ask(library, Opinionated(12.0))
    assert last.state == "answered" and last.statements[0].text == SAID
    assert last.explain and last.explain.opinion is not None and last.explain.opinion > 0.5
    check_pointers(library, last)


def test_the_question_and_what_is_on_screen_are_all_it_reads(library: Library) -> None:
    generator = Opinionated(12.0)
    shown = ask(library, generator)[1]
    (read,) = generator.opinions
    assert OPENING in read and all(one.text in read for one in shown.statements)


def test_a_model_that_reads_slowly_is_not_waited_for(library: Library) -> None:
    generator = Opinionated(-12.0)
    generator.prompt_tokens = 20
    *_, last = ask(library, generator)
    assert last.state == "answered"
    assert not generator.opinions


def test_it_is_not_asked_where_that_is_switched_off(library: Library) -> None:
    generator = Opinionated(-12.0)
    answer = Assistant(library, generator, judge=False).answer(OPENING)
    assert answer.state == "answered"
    assert not generator.opinions


@pytest.mark.parametrize("task", ["Summarise the article on the forum in Kyoto", "Hello!"])
def test_it_is_not_asked_of_what_asks_nothing(library: Library, task: str) -> None:
    generator = Opinionated(-12.0)
    ask(library, generator, task)
    assert not generator.opinions


def test_a_model_whose_opinion_nobody_measured_is_not_asked(library: Library) -> None:
    generator = Opinionated(-12.0)
    generator.name = "another"
    *_, last = ask(library, generator)
    assert last.state == "answered" and not generator.opinions


@pytest.mark.fault("E4")
def test_a_model_that_fails_at_it_leaves_the_quotes(library: Library) -> None:
    def fail(messages: Sequence[Message]) -> float:
        raise ModelFailed("the language model's process ended")

    generator = Opinionated(0.0)
    generator.odds = fail
    quotes = Assistant(library, None).answer(OPENING)
    *_, last = ask(library, generator)
    assert last.state == "answered"
    assert SAID in last.text
    assert quotes.citations[0].quote in {citation.quote for citation in last.citations}
