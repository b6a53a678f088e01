"""A short answer is the sentence's own words, and only where they are nearly certain to answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.grounding.short_answer import in_dateline, short_answer
from rag.query.question import QueryVariant
from rag.types import RankedSentence
from tests.support.sentences import hit


def read(sentence: str, short: str, likely: float = 1.0) -> RankedSentence:
    """A sentence as a reranker hands it on that found these words in it."""
    return replace(RankedSentence.of(hit(sentence), 0, 0.9), short=short, likely=likely)


@pytest.mark.parametrize(
    ("question", "sentence", "short", "expected"),
    [
        ("How many cables were cut?", "Three submarine cables were cut.", "Three", "Three"),
        ("How many cables were cut?", "Cables were cut off Yemen.", "off Yemen", None),
        ("When did the war end?", "The war ended in 1918.", "in 1918", "in 1918"),
        ("When did the war end?", "The war ended with a treaty.", "with a treaty", None),
        ("Who cut them?", "An anchor cut them.", "An anchor", "An anchor"),
        ("Where was the vote?", "NEW YORK, Sept 25 - The vote was close.", "NEW YORK", None),
        ("Who cut them?", "Nobody knows.", "", None),
    ],
)
def test_words_of_the_kind_asked_for_head_the_reply(
    question: str, sentence: str, short: str, expected: str | None
) -> None:
    assert short_answer(QueryVariant.of(question), read(sentence, short), 0.78) == expected


@pytest.mark.parametrize(("likely", "expected"), [(0.9, "Three"), (0.8, None)])
def test_words_that_are_not_certain_enough_do_not(likely: float, expected: str | None) -> None:
    sentence = read("Three submarine cables were cut.", "Three", likely)
    asked = QueryVariant.of("How many cables were cut?")
    assert short_answer(asked, sentence, 0.78) == expected


@pytest.mark.parametrize(
    ("text", "sentence", "expected"),
    [
        ("BRUSSELS", "BRUSSELS, Aug 9 - The act entered into force on August 1.", True),
        ("NEW YORK", "NEW YORK (AP) — The vote was close.", True),
        ("NATO", "NATO proposed the exercise in May.", False),
        ("Brussels", "BRUSSELS, Aug 9 - The act was proposed by Brussels.", False),
        ("IBM", "IBM - then a maker of scales - hired him.", True),  # the price: no short answer
    ],
)
def test_where_a_report_was_written_is_no_answer(text: str, sentence: str, expected: bool) -> None:
    assert in_dateline(text, sentence) is expected
