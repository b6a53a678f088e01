"""What is asked about the answer before: more of it, less of it, in another form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Library
from rag import Answer, Assistant
from rag.assistant import UNTRANSLATED
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator

HARBOUR = """Harbour Gets a Breakwater
Published: 2024-05-02

The council of Vintrop voted for a breakwater on May 2, 2024. Only the mayor was against it.

The breakwater will be 840 metres long. Its stones come from the quarry at Holm.

In the old days fishermen prayed for calm weather. A chapel still stands on the pier.
"""
BRIDGE = """A Bridge for Solnes
Published: 2023-01-10

Parliament approved the Solnes bridge on January 9, 2023. It replaces two ferries.
"""
VOTE = "When did the council of Vintrop vote for a breakwater?"
FIRST = "The council of Vintrop voted for a breakwater on May 2, 2024. [1]"
TWO = f"{FIRST} The breakwater will be 840 metres long. [2]"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    for name, text in (("harbour.txt", HARBOUR), ("bridge.txt", BRIDGE)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "harbour.txt", tmp_path / "bridge.txt"])
        yield made


def ask(library: Library, question: str, *history: tuple[str, str]) -> Answer:
    answer = Assistant(library, None, reader=None).answer(question, history)
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
    return answer


@pytest.mark.parametrize("asked", ["tell me more", "go on", "Anything else?"])
def test_more_goes_on_where_the_answer_ended(library: Library, asked: str) -> None:
    answer = ask(library, asked, (VOTE, FIRST))
    assert (answer.task, answer.state) == ("more", "answered")
    assert answer.text.startswith("Only the mayor was against it.")
    assert "840 metres" in answer.text
    assert "voted" not in answer.text


def test_more_of_more_does_not_repeat_itself(library: Library) -> None:
    told = f"{FIRST} Only the mayor was against it. The breakwater will be 840 metres long. [2]"
    answer = ask(library, "tell me more", (VOTE, FIRST), ("tell me more", told))
    assert answer.text.startswith("Its stones come from the quarry at Holm.")
    assert "840" not in answer.text


@pytest.mark.parametrize("asked", ["shorter", "in one sentence", "make it shorter please"])
def test_shorter_is_one_of_its_sentences(library: Library, asked: str) -> None:
    answer = ask(library, asked, (VOTE, TWO))
    assert answer.task == "rephrase"
    assert len(answer.statements) == 1
    assert answer.statements[0].text in TWO


def test_as_a_table_and_as_a_list_each_sentence_has_its_line(library: Library) -> None:
    table = ask(library, "as a table", (VOTE, TWO))
    assert table.form == "table"
    assert "| 2024-05-02 | The council of Vintrop voted" in table.text
    bullets = ask(library, "as a list please", (VOTE, TWO))
    assert bullets.form == "bullets"
    assert bullets.text.count("- ") == 2
    assert {s.text for s in table.statements} == {s.text for s in bullets.statements}


def test_simpler_words_take_a_larger_model_which_is_said(library: Library) -> None:
    answer = ask(library, "explain simply", (VOTE, FIRST))
    assert "voted for a breakwater" in answer.text
    assert any("simpler words would take a larger" in note for note in answer.notes)


@pytest.mark.parametrize("generator", [None, ScriptedGenerator(["Der Rat stimmte dafür. "])])
def test_what_cannot_be_checked_is_not_translated_and_that_is_said(
    library: Library, generator: ScriptedGenerator | None
) -> None:
    answer = Assistant(library, generator).answer("translate it into French", [(VOTE, FIRST)])
    assert "voted for a breakwater" in answer.text and UNTRANSLATED in answer.notes
    assert generator is None or not generator.asked


@pytest.mark.parametrize("asked", ["which was first?", "Which of these came first?"])
def test_the_last_two_answers_are_put_in_order(library: Library, asked: str) -> None:
    second = ("And the Solnes bridge?", "Parliament approved the Solnes bridge on January 9, 2023.")
    answer = ask(library, asked, (VOTE, FIRST), second)
    assert answer.task == "which_first"
    assert [group.label for group in answer.groups] == ["2023-01-09", "2024-05-02"]
    assert {citation.document_id for citation in answer.citations} == {"harbour.txt", "bridge.txt"}


def test_how_it_works_is_about_the_talk_once_there_is_one(library: Library) -> None:
    assert "I answer questions from your own documents" in ask(library, "What can you do?").text
    assert "I answer" not in ask(library, "How does it work?", (VOTE, FIRST)).text


def test_without_an_answer_before_more_is_a_question_like_any_other(library: Library) -> None:
    assert ask(library, "more about the breakwater").task != "more"
