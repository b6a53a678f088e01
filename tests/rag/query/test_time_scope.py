"""A time in the question decides between sentences that answer equally well, and hides none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.question import analyze
from rag.query.time_scope import TimeScope, time_scope
from rag.reader.priors import rerank_by_time
from rag.types import RankedSentence
from tests.support.sentences import hit


def sentence(text: str, score: float, date: str = "") -> RankedSentence:
    return RankedSentence.of(hit(text, name=f"{text}.txt", date=date, score=score), 0, score)


def test_what_questions_say_about_time() -> None:
    assert time_scope("How many were there in 2024?") == TimeScope("in", "2024")
    assert time_scope("What was said in October 2023?") == TimeScope("in", "2023-10")
    assert time_scope("Who spoke before 8 October 2023?") == TimeScope("before", "2023-10-08")
    assert time_scope("Who spoke after October 8, 2023?") == TimeScope("after", "2023-10-08")
    assert time_scope("Who ruled before 1066?") == TimeScope("before", "1066")
    assert time_scope("What has changed since 2020?") == TimeScope("since", "2020")
    assert time_scope("What is the latest figure?") == TimeScope("newest")
    assert time_scope("What happened before the summit?") == TimeScope("before", event="the summit")
    assert time_scope("Who painted it?") is None


@pytest.mark.parametrize(
    ("question", "scope"),
    [
        ("Wer sprach vor dem 12. Oktober 2023?", TimeScope("before", "2023-10-12")),
        ("Was geschah am 12.10.2023 mit der Brücke?", TimeScope("in", "2023-10-12")),
        ("Wie viele waren es im Jahr 2024?", TimeScope("in", "2024")),
        ("Wie viele der 1900 Kabel sind es?", None),
        ("Was hat sich seit 2020 geändert?", TimeScope("since", "2020")),
        ("Was ist der neueste Stand?", TimeScope("newest")),
        ("Qui a parlé avant le 3 mars 2021 ?", TimeScope("before", "2021-03-03")),
        ("¿Qué pasó después de octubre de 2023?", TimeScope("after", "2023-10")),
        ("Что произошло до 12 октября 2023 года?", TimeScope("before", "2023-10-12")),
        ("2023年10月12日之前谁发言了？", TimeScope("before", "2023-10-12")),
        ("２０２３年には何人いましたか？", TimeScope("in", "2023")),
        ("2023년 이후에 무엇이 바뀌었나요?", TimeScope("after", "2023")),
        ("ماذا حدث منذ عام 2020؟", TimeScope("since", "2020")),
    ],
)
def test_what_questions_in_other_languages_say_about_time(
    question: str, scope: TimeScope | None
) -> None:
    assert analyze(question).time == scope


def test_an_event_stands_for_its_date_or_for_nothing() -> None:
    def date_of(event: str) -> str:
        return "2023-10-08" if event == "the summit" else ""

    summit, flood = TimeScope("before", event="the summit"), TimeScope("before", event="the flood")
    assert summit.resolve(date_of) == TimeScope("before", "2023-10-08", "the summit")
    assert flood.resolve(date_of) is None
    assert TimeScope("newest").resolve(date_of) == TimeScope("newest")


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
    assert rerank_by_time(read, time_scope(question))[0].text == wanted


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
    assert rerank_by_time(read, time_scope(question))[0].text == wanted
    assert rerank_by_time(read[::-1], time_scope(question))[0].text == wanted


def test_a_range_of_years_holds_the_years_between() -> None:
    read = [sentence("He ruled from 1042 to 1066.", 0.5), sentence("He fell in 1070.", 0.5)]
    assert rerank_by_time(read[::-1], time_scope("Who was king in 1050?"))[0].text.startswith(
        "He ruled"
    )


def test_what_hardly_answers_is_not_lifted_by_its_date() -> None:
    read = [sentence("The count was 26.", 0.9, "2020"), sentence("Bells rang.", 0.05, "2025")]
    assert rerank_by_time(read, TimeScope("newest"))[0].text == "The count was 26."


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
    weighed = rerank_by_time(read, time_scope(question))
    assert sorted(one.text for one in weighed) == sorted(one.text for one in read)
    assert [one.score for one in weighed] == sorted((one.score for one in weighed), reverse=True)
