"""Questions for a list look at every passage."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Library
from rag import Assistant
from rag.query.answer_type import asks_for_list, list_topic
from tests.support.fakes import BagOfWordsEncoder

TOWNS = ["Ghent", "Bruges", "Liege", "Namur", "Mons", "Leuven"]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Which cities hosted a bell festival?", True),
        ("List all bell festivals", True),
        ("Name every town with a bell.", True),
        ("How many different towns hosted a festival?", True),
        ("What are all the towns with bells?", True),
        ("Which city hosted the first festival?", False),
        ("How many bells hang in Ghent?", False),
        ("Where are nearly all bells made?", False),
        ("Who rang the bells?", False),
    ],
)
def test_which_questions_ask_for_a_list(question: str, wanted: bool) -> None:
    assert asks_for_list(question) is wanted


def test_the_words_that_ask_are_not_part_of_what_is_listed() -> None:
    assert "cities" not in list_topic("Which cities hosted a bell festival?")
    assert "festival" in list_topic("Which cities hosted a bell festival?")


def test_every_member_is_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    for number, town in enumerate(TOWNS):
        filler = "\n\n".join(f"Cloth {i} was sold in {town} on day {i}." for i in range(9))
        (folder / f"{town}.txt").write_text(
            f"{filler}\n\nIn {1900 + number} the town of {town} hosted a bell festival.\n"
        )
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    answer = Assistant(library, None).answer("Which cities hosted a bell festival?")
    assert all(town in answer.text for town in TOWNS)
    assert len({citation.document_id for citation in answer.citations}) == len(TOWNS)
    assert any("Every passage was looked at" in note for note in answer.notes)
    one = Assistant(library, None).answer("Which town hosted a bell festival in 1903?")
    assert "Namur" in one.text
    assert len(one.citations) < len(TOWNS)


def test_a_longer_list_is_whole_or_says_what_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(
            f"Zanzibar reading club {number} meets in room {100 + number}. It reads novels.\n"
        )
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    answer = Assistant(library, None).answer("Which Zanzibar reading clubs are there?")
    assert answer.task == "list"
    assert len(answer.statements) > 8
    assert any("to this list. Ask for a part of it to read on." in note for note in answer.notes)
    assert "may be more" not in " ".join(answer.notes)
