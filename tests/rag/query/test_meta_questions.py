"""Questions about the assistant itself are answered from the library's own facts, no others are."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Library
from rag import Assistant
from rag.query.meta_questions import topic_of
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What can you do?", "abilities"),
        ("who are you", "abilities"),
        ("  Help!  ", "abilities"),
        ("What documents do you have?", "documents"),
        ("Which articles are in the library?", "documents"),
        ("List all documents", "documents"),
        ("What are these articles about?", "documents"),
        ("How many documents do you have?", "count"),
        ("What can you do with a catapult?", None),
        ("Who are the members of the panel?", None),
        ("What documents did the panel have?", None),
        ("How many documents were leaked?", None),
        ("help desk hours", None),
    ],
)
def test_only_whole_questions_of_a_known_form_count(question: str, topic: str | None) -> None:
    assert topic_of(question) == topic


@pytest.fixture
def library(tmp_path: Path) -> Library:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "kyoto.txt").write_text(
        "Forum Meets in Kyoto\nPublished: Oct 13, 2023\n\nThe forum met in Kyoto.\n"
    )
    (folder / "bells.txt").write_text("Old Bells\n\nThe bells of Ghent rang.\n\nThey rang twice.\n")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    return library


def test_the_answer_is_what_the_library_holds_and_costs_no_model_call(library: Library) -> None:
    generator = ScriptedGenerator(["[1] I am a large language model.\n"])
    answer = Assistant(library, generator).answer("What documents do you have?")
    assert answer.complete
    assert answer.state == "answered"
    assert "2 documents" in answer.text
    assert "Forum Meets in Kyoto" in answer.text
    assert "2023-10-13" in answer.text
    assert answer.citations == ()
    assert answer.notes == ("From the library's own list, not from a document.",)
    assert generator.asked == []


def test_an_empty_library_says_so(tmp_path: Path) -> None:
    empty = Library.open(tmp_path / "empty", encoder=BagOfWordsEncoder())
    assert "empty" in Assistant(empty, None).answer("What can you do?").text
