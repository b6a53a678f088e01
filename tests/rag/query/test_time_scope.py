"""A time in the question decides between sentences that answer equally well, and hides none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Hit, ScoredSentence
from rag.query.time_scope import Time, time_of
from rag.reader import ReadSentence
from rag.reader.priors import weigh


def sentence(text: str, score: float, date: str = "") -> ReadSentence:
    one = ScoredSentence(0, len(text), text, score)
    hit = Hit(f"{text}.txt", "", "", 0, len(text), text, score, 1, date=date, sentences=(one,))
    return ReadSentence(hit, 0, 0, len(text), text, score)


def test_what_questions_say_about_time() -> None:
    def dated(event: str) -> str:
        return "2023-10-08" if event == "the summit" else ""

    assert time_of("How many were there in 2024?", dated) == Time("in", "2024")
    assert time_of("What was said in October 2023?", dated) == Time("in", "2023-10")
    assert time_of("Who spoke before 8 October 2023?", dated) == Time("before", "2023-10-08")
    assert time_of("Who spoke after October 8, 2023?", dated) == Time("after", "2023-10-08")
    assert time_of("Who ruled before 1066?", dated) == Time("before", "1066")
    assert time_of("What has changed since 2020?", dated) == Time("since", "2020")
    assert time_of("What is the latest figure?", dated) == Time("newest")
    assert time_of("What happened before the summit?", dated) == Time("before", "2023-10-08")
    assert time_of("What happened before the flood?", dated) is None
    assert time_of("Who painted it?", dated) is None


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How many in 2024?", "In 2024 it was 23."),
        ("How many before 2024?", "In 2023 it was 26."),
        ("How many until 2023?", "In 2023 it was 26."),
        ("How many after 2023?", "In 2024 it was 23."),
        ("How many since 2024?", "In 2024 it was 23."),
        ("How many?", "In 2023 it was 26."),
    ],
)
def test_a_sentence_is_judged_by_the_years_it_names(question: str, wanted: str) -> None:
    read = [sentence("In 2023 it was 26.", 0.5), sentence("In 2024 it was 23.", 0.45)]
    assert weigh(read, time_of(question))[0].text == wanted


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What is the latest count?", "It is 23 now."),
        ("What was the earliest count?", "It is 26 now."),
        ("What was the count in 2021?", "It is 26 now."),
        ("What was the count in October 2025?", "It is 23 now."),
        ("What was the count before 2025?", "It is 26 now."),
    ],
)
def test_a_sentence_without_years_is_as_old_as_its_document(question: str, wanted: str) -> None:
    read = [
        sentence("It is 26 now.", 0.4, "2021-03-04"),
        sentence("It is 23 now.", 0.4, "2025-10-01"),
    ]
    assert weigh(read, time_of(question))[0].text == wanted
    assert weigh(read[::-1], time_of(question))[0].text == wanted


def test_a_range_of_years_holds_the_years_between() -> None:
    read = [sentence("He ruled from 1042 to 1066.", 0.5), sentence("He fell in 1070.", 0.5)]
    assert weigh(read[::-1], time_of("Who was king in 1050?"))[0].text.startswith("He ruled")


def test_what_hardly_answers_is_not_lifted_by_its_date() -> None:
    read = [sentence("The count was 26.", 0.9, "2020"), sentence("Bells rang.", 0.05, "2025")]
    assert weigh(read, Time("newest"))[0].text == "The count was 26."


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=20),
            st.floats(0, 1),
            st.sampled_from(["", "2020", "2021-05", "2022-01-09"]),
        ),
        max_size=6,
    ),
    st.sampled_from(["in 2021", "before 2021", "since 2021-", "the latest", "earliest", "no time"]),
)
def test_no_sentence_is_lost_or_made(parts: list[tuple[str, float, str]], question: str) -> None:
    read = sorted((sentence(*part) for part in parts), key=lambda one: -one.score)
    weighed = weigh(read, time_of(question))
    assert sorted(one.text for one in weighed) == sorted(one.text for one in read)
    assert [one.score for one in weighed] == sorted((one.score for one in weighed), reverse=True)
