"""What a question asks to be done is told by its words, and its topic is what is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.task import compared, only_points, parts, small_talk, understand


@pytest.mark.parametrize(
    ("question", "task"),
    [
        ("Who opened the forum in Kyoto?", "fact"),
        ("how many people were offline in 2023", "fact"),
        ("Why did the contract end?", "explain"),
        ("what is a usage gap", "explain"),
        ("compare the Oslo and Rome meetings", "compare"),
        ("multilateral vs multistakeholder", "compare"),
        ("summarise the article about cables", "summarise"),
        ("tl;dr of the harbour report pls", "summarise"),
        ('What\'s "The Long Night" about?', "summarise"),
        ("what do my documents say about China?", "overview"),
        ("list all the cables that broke", "list"),
        ("timeline of the treaty please", "timeline"),
        ("Did China sign the declaration?", "yes_no"),
        ("give me a quote by Ann Olsen about the bridge", "quote"),
        ("submarine cables", "keyword"),
        ("Write a 3-bullet briefing on the Seoul summit", "order"),
        ("hello", "small_talk"),
    ],
)
def test_the_task_is_told_by_the_words(question: str, task: str) -> None:
    assert understand(question).task == task


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Write a 3-bullet briefing on the Seoul summit", "the Seoul summit"),
        ("what do my documents say about China?", "China"),
        ("summarise the article about submarine cables", "submarine cables"),
        ("timeline of the EU AI Act please", "the EU AI Act"),
        ("Who opened the forum?", "Who opened the forum?"),
    ],
)
def test_the_topic_is_what_is_left(question: str, topic: str) -> None:
    assert understand(question).topic == topic


def test_form_and_number_are_told() -> None:
    assert understand("make a table with the deadlines").form == "table"
    briefing = understand("Write a 3-bullet briefing on the Seoul summit")
    assert (briefing.form, briefing.count) == ("bullets", 3)
    assert understand("in one sentence, who is Ann Olsen?").count == 1


def test_more_and_other_words_need_a_turn_before() -> None:
    assert understand("tell me more", follow_up=True).task == "more"
    assert understand("explain that in simpler words", follow_up=True).task == "rephrase"
    assert understand("tell me more").task not in ("more", "rephrase")


def test_both_sides_of_a_comparison_are_whole() -> None:
    assert compared("compare the Oslo and Rome meetings") == ("Oslo meetings", "Rome meetings")
    rich = compared("internet use in rich countries compared to poor ones")
    assert rich == ("internet use in rich countries", "poor countries")
    assert compared("Who compared notes?") == ()


def test_several_questions_are_parted() -> None:
    asked = "who steered the talks, and who steered the review?"
    assert parts(asked) == ("who steered the talks", "who steered the review")
    assert parts("Who met Ann and Bob?") == ("Who met Ann and Bob?",)
    assert parts("What was built in Oslo and in Rome?") == (
        "What was built in Oslo", "What was built in Rome"
    )  # fmt: skip
    assert parts("How did prices change from 2019 to 2021 in Oslo?") == (
        "How did prices change in 2019 in Oslo", "How did prices change in 2021 in Oslo"
    )  # fmt: skip
    asked = "Were there 8 or 9 boats? My sources disagree"
    assert parts(asked) == (asked,)


@pytest.mark.parametrize("said", ["hi", "Good morning, how are you?", "ok bye", "thanks a lot!"])
def test_small_talk_asks_nothing(said: str) -> None:
    assert small_talk(said)


@pytest.mark.parametrize("asked", ["hi-tech exports in 2020?", "Who said thanks?", "bye-laws", ""])
def test_a_question_is_no_small_talk(asked: str) -> None:
    assert small_talk(asked) is None


@pytest.mark.parametrize(
    ("question", "points"),
    [
        ("when was it adopted?", True),
        ("what did he say", True),
        ("When was the Malabo Convention adopted?", False),
        ("how many people were offline in 2023?", False),
    ],
)
def test_a_pronoun_alone_names_nothing(question: str, points: bool) -> None:
    assert only_points(understand(question)) is points


@pytest.mark.parametrize(
    ("question", "follow_up", "paragraph"),
    [
        ("Why did they vote against it?", False, True),
        ("emergency kit", True, True),
        ("Can I have the filing fees waived?", True, True),
        ("What sports programs does it offer?", True, True),
        ("And in 2024?", True, True),
        ("How many ratifications are needed?", False, False),
    ],
)
def test_what_is_open_deserves_a_paragraph(question: str, follow_up: bool, paragraph: bool) -> None:
    assert understand(question, follow_up=follow_up).wants_paragraph is paragraph


@given(st.text(max_size=300), st.booleans())
def test_anything_is_understood_somehow(text: str, follow_up: bool) -> None:
    request = understand(text, follow_up=follow_up)
    assert request.topic == " ".join(text.split()) or request.topic
    assert request.count is None or request.count >= 0
