"""What moves scores besides the words of a sentence."""

from __future__ import annotations

import pytest

from rag.query.question import analyze
from rag.reader.priors import rerank_by_ordinal
from rag.types import RankedSentence
from tests.support.sentences import hit

FIRST = "The first fair was held in Vintrop."
THIRD = "The third meeting, in Solnes, had another name."
NEITHER = "The fairs are held every second year."


def order(question: str, history: tuple[tuple[str, str], ...] = ()) -> list[str]:
    told = [
        RankedSentence.of(hit(text, name=f"{text[:9]}.txt", score=score), 0, score)
        for text, score in ((FIRST, 0.7), (THIRD, 0.2), (NEITHER, 0.1))
    ]
    return [s.text for s in rerank_by_ordinal(analyze(question, history), told)]


def test_the_third_of_a_row_is_not_the_first() -> None:
    assert order("Where was the third fair held?")[0] == THIRD


def test_a_follow_up_is_still_about_the_third() -> None:
    assert order("And when?", (("Where was the third fair held?", "In Solnes."),))[0] == THIRD


@pytest.mark.parametrize("question", ["Where was the fair held?", "Where was the first fair held?"])
def test_what_asks_for_none_or_for_the_earliest_is_left_as_it_is(question: str) -> None:
    assert order(question) == [FIRST, THIRD, NEITHER]


def test_one_of_which_nothing_is_told_moves_nothing() -> None:
    assert order("Where was the ninth fair held?") == [FIRST, THIRD, NEITHER]
