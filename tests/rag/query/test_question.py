"""A question is analysed once: what it says, in which wordings it is searched for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.question import analyze, core_of
from rag.query.time_scope import TimeScope

TALK = [("Who opened the Kyoto forum in 2023?", "Fumio Kishida opened it in Kyoto. [1]")]


def test_a_question_that_stands_alone_has_one_wording() -> None:
    question = analyze("How many cables were cut in the Red Sea in 2024?", TALK)
    assert [variant.text for variant in question.variants] == [question.text]
    assert question.variants[0] is question.as_typed
    assert question.as_typed.answer_type == "number"
    assert question.as_typed.features.numbers == {"2024"}
    assert question.time == TimeScope("in", "2024")
    assert (question.is_follow_up, question.topic, question.wants_list) == (False, "", False)
    assert question.previous == TALK[0][0]


def test_a_follow_up_knows_what_it_follows() -> None:
    question = analyze("And who closed it?", TALK)
    assert question.is_follow_up
    assert question.topic == question.previous == TALK[0][0]
    assert question.last_answer == TALK[0][1]
    assert len(question.variants) == 3
    assert all(variant.text.endswith("And who closed it?") for variant in question.variants)


def test_who_said_it_makes_a_wording_of_its_own() -> None:
    question = analyze("How many netizens are there, according to Li Junru?")
    plain, attributed = question.variants
    assert (plain.text, plain.speaker) == (question.text, frozenset())
    assert attributed.speaker == {"li", "junru"}
    assert "Junru" not in attributed.text


@pytest.mark.parametrize("history", [(), [("Who came?", "Nobody did. [1]")]])
def test_what_to_do_with_a_topic_is_not_searched_for_in_a_talk_either(
    history: list[tuple[str, str]],
) -> None:
    asked = analyze("make a table of the Harbour Act deadlines", history)
    assert asked.variants[0].text == "Harbour Act deadlines"


def test_a_list_is_known_by_its_form() -> None:
    assert analyze("List all cities.").wants_list


@pytest.mark.fault("D4")
@given(st.text(min_size=1, max_size=200), st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_any_question_in_any_talk_is_searched_for_as_typed_first(
    text: str, history: list[tuple[str, str]]
) -> None:
    question = analyze(text, history)
    assert question.text == text
    assert question.variants[0].text in (text, f"{text}?")
    assert question.is_follow_up or len([v for v in question.variants if not v.speaker]) == 1


@pytest.mark.parametrize(
    ("asked", "searched"),
    [
        ("who opened the forum", "who opened the forum?"),
        ("Who opened the forum?", "Who opened the forum?"),
        ("was it 8 or 9? my sources disagree", "was it 8 or 9? my sources disagree"),
        ("wer hat das Forum eröffnet", "wer hat das Forum eröffnet"),
    ],
)
def test_a_question_typed_without_its_mark_is_searched_for_with_it(
    asked: str, searched: str
) -> None:
    question = analyze(asked)
    assert (question.text, question.variants[0].text) == (asked, searched)


@pytest.mark.parametrize(
    ("asked", "core"),
    [
        ("do you happen to know when the forum was?", "when the forum was?"),
        ("Hi, could you please tell me who signed it", "who signed it"),
        ("any idea why the cables broke", "why the cables broke"),
        ("I was wondering whether the bridge is open", "the bridge is open"),
        ("what on earth is a golden share, please?", "what is a golden share?"),
        ("Who knows the harbour?", "Who knows the harbour?"),
        ("Tell me more", "Tell me more"),
        ("please", "please"),
    ],
)
def test_what_stands_around_a_question_is_not_searched_for(asked: str, core: str) -> None:
    assert core_of(asked) == core
    assert analyze(asked).text == asked
