"""Lists of what documents mention: every sentence with the category, and of people every name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from index import Library
from index.types import EVERYWHERE
from rag import Assistant
from rag.query.question import analyze
from rag.query.task import Request
from rag.replies.extractive.composer import Composer
from rag.replies.extractive.mentions import category_of, people_in
from rag.types import Ranking
from tests.support.fakes import BagOfWordsEncoder

TALKS = """Salt Talks End
Published: 2024-05-02

Two guides led the salt talks, Ada Quillfeather of Norway and Bo Tamsin of Chile. They met often.

The salt price fell. The guide of Peru, Cleo Marrowick, stayed away. Nobody asked why.
"""
FERRY = """A Ferry Sinks
Published: 2023-01-10

The ferry sank off Solnes. A guide of the owners came. Its captain, Dov Harrowgate, was saved.
"""


@pytest.fixture
def composer(tmp_path: Path) -> Iterator[Composer]:
    for name, text in (("salt.txt", TALKS), ("ferry.txt", FERRY)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "salt.txt", tmp_path / "ferry.txt"])
        yield Composer(library)


def listed(composer: Composer, question: str, topic: str) -> str:
    request = Request("list", topic, question=question)
    asked = replace(analyze(question), request=request)
    made = composer.compose(asked, question, Ranking((), 0.0), EVERYWHERE)
    return "\n".join(quotation.text for quotation in made)


def test_every_sentence_with_the_sort_is_one_of_the_list(composer: Composer) -> None:
    told = listed(composer, "list all the guides mentioned in my articles", "guides")
    for said in ("Ada Quillfeather", "Cleo Marrowick", "A guide of the owners"):
        assert said in told
    assert "salt price" not in told


def test_a_document_that_is_named_is_the_only_one_looked_in(composer: Composer) -> None:
    told = listed(composer, "list all the guides named in the ferry article", "guides ferry")
    assert told == "A guide of the owners came."


def test_people_are_told_by_their_names(composer: Composer) -> None:
    told = listed(composer, "name all the people mentioned in the salt article", "people salt")
    assert "Quillfeather" in told
    assert "Marrowick" in told
    assert "Harrowgate" not in told
    assert "salt price" not in told


@pytest.mark.parametrize(
    "question",
    [
        "Who is mentioned in the salt article?",
        "which people appear in the article about the salt talks?",
        "Which people does the report on salt name?",
    ],
)
def test_whom_an_article_mentions_is_told_by_name(tmp_path: Path, question: str) -> None:
    (tmp_path / "salt.txt").write_text(TALKS, encoding="utf-8")
    (tmp_path / "ferry.txt").write_text(FERRY, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "salt.txt", tmp_path / "ferry.txt"])
        answer = Assistant(library, None, reader=None).answer(question)
    assert (answer.task, answer.state) == ("list", "answered")
    assert [group.label for group in answer.groups] == [
        "Ada Quillfeather, Bo Tamsin",
        "Cleo Marrowick",
    ]


def test_a_name_is_a_persons_by_its_last_part_a_title_or_what_is_told_of_it() -> None:
    def told(text: str) -> list[str]:
        return people_in(text, {"sea", "brown", "union", "ships"}.__contains__)

    assert told("The Red Sea and Vint Cerf met.") == ["Vint Cerf"]
    assert told("It was Deborah Brown, the lawyer.") == ["Deborah Brown"]
    assert told("The Salt Union, the oldest, spoke.") == []
    assert told("It was Judge Amy Brown of Solnes.") == ["Judge Amy Brown"]
    assert told("The UN ITU met Solnes's Quillfeather.") == []


def test_no_other_sentence_stands_at_the_head_of_a_list(tmp_path: Path) -> None:
    sung = TALKS.replace("The salt price fell.", "People of the salt towns sang.")
    (tmp_path / "salt.txt").write_text(sung, encoding="utf-8")
    (tmp_path / "ferry.txt").write_text(FERRY, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "salt.txt", tmp_path / "ferry.txt"])
        assistant = Assistant(library, None, reader=None)
        answer = assistant.answer("List all the people mentioned in the salt text")
        plain = assistant.answer("What did people of the salt towns do?")
    assert "Quillfeather" in answer.text
    assert "sang" not in answer.text
    assert answer.headline is None
    assert plain.headline is not None
    assert "sang" in plain.headline.quote


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("list all fines in the code", ["fines", "code"]),  # nothing is said of mentions
        (
            "which towns named the bridge after a saint in 1998",
            ["towns", "bridge", "saint", "1998"],
        ),
        ("which are mentioned?", []),
    ],
)
def test_what_asks_for_more_than_mentions_is_an_ordinary_list(
    question: str, topic: list[str]
) -> None:
    assert category_of(question, topic) == frozenset()
