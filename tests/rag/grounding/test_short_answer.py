"""A short answer is the sentence's own words, and only where there is no choice between two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.grounding.short_answer import in_dateline, short_answer
from rag.query.question import QueryVariant


@pytest.mark.parametrize(
    ("question", "sentence", "answer"),
    [
        ("How many points did they give up?", "The defense gave up just 308 points.", "308"),
        ("How many cables were cut?", "Three submarine cables were cut.", "Three"),
        ("How much did it cost?", "The deal cost $12.5 million at the time.", "$12.5 million"),
        ("What percentage voted no?", "In May 2014, 62 % voted no.", "62 %"),
        ("How long is the river?", "The river is 310 miles long.", "310 miles"),
        ("How many yards was the kick?", "A 39-yard kick ended it on 7 February 2016.", "39"),
        ("When did the crisis begin?", "The crisis began in October 1973.", "October 1973"),
        ("In which year did he die?", "He died on 7 January 1943 in his room.", "7 January 1943"),
        ("What year was the 1973 crisis over?", "The 1973 crisis was over by 1974.", "1974"),
    ],
)
def test_the_one_new_thing_of_the_kind_asked_for_is_the_answer(
    question: str, sentence: str, answer: str
) -> None:
    assert short_answer(QueryVariant.of(question), sentence) == answer


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How many cables were cut?", "Of 12 cables, 3 were cut."),  # two: which one?
        ("How many cables were cut?", "Cables were cut in February 2024."),  # a date is no count
        ("How many of the 12 cables were cut?", "All 12 cables were cut."),  # nothing new
        ("When did the war end?", "The war lasted from 1914 to 1918."),
        ("Who hired him when he moved?", "In June 1884 he was hired by Edison."),  # asks who
        ("What did they cut?", "Three submarine cables were cut."),  # rules know no such kind
        ("How many cables were cut?", ""),
    ],
)
def test_where_there_is_a_choice_or_nothing_new_it_is_silent(question: str, sentence: str) -> None:
    assert short_answer(QueryVariant.of(question), sentence) is None


@given(
    st.sampled_from(["How many?", "When was it?", "How long is it?", "What percentage is it?"]),
    st.lists(
        st.sampled_from(
            ["12", "39-yard", "$1,200", "in", "May", "1973", "June 5, 2001", "two", "5 %", "3–4"]
        )
        | st.text(max_size=8)
    ).map(" ".join),
)
def test_it_is_always_a_part_of_the_sentence(question: str, sentence: str) -> None:
    answer = short_answer(QueryVariant.of(question), sentence)
    assert answer is None or (answer.strip() and answer in sentence)


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
