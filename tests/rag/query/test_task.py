"""The task of a question and its topic are told by fitted models, its form by words."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.task import ALL_PEOPLE, only_points, parts, understand
from rag.query.task_classifier import ABOUT_LAST_ANSWER, PLAIN, classify, model
from rag.query.topic_tagger import BEGINS, topics, viterbi

DATA = Path(__file__).parents[3] / "rag" / "training" / "tasks.jsonl"


@pytest.mark.parametrize(
    ("question", "task"),
    [
        ("Who opened the forum in Kyoto?", "fact"),
        ("how many people were offline in 2023", "fact"),
        ("Why did the contract end?", "explain"),
        ("what's the difference between the Oslo and the Rome meetings", "compare"),
        ("summarise the article about cables", "summarise"),
        ("what do my documents say about China?", "overview"),
        ("list all the cables that broke", "list"),
        ("timeline of the treaty please", "timeline"),
        ("Did China sign the declaration?", "yes_no"),
        ("give me a quote by Ann Olsen about the bridge", "quote"),
        ("submarine cables", "keyword"),
        ("Write a 3-bullet briefing on the Seoul summit", "order"),
        ("thank you", "small_talk"),
        ("which documents do you have?", "library"),
    ],
)
def test_the_task_is_told_by_words_alone_where_nothing_else_is_known(
    question: str, task: str
) -> None:
    assert understand(question).task == task


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Write a 3-bullet briefing on the Seoul summit", "Seoul summit"),
        ("what do my documents say about China?", "China"),
        ("summarise the article about submarine cables", "submarine cables"),
        ("timeline of the EU AI Act please", "EU AI Act"),
        ("Who opened the forum?", "Who opened the forum?"),
    ],
)
def test_the_topic_is_what_the_question_names(question: str, topic: str) -> None:
    assert understand(question).topic == topic


@pytest.mark.parametrize(
    ("message", "task", "intent"),
    [
        ("Guten Tag!", "small_talk", "greeting"),
        ("¡Hola!", "small_talk", "greeting"),
        ("Merci beaucoup.", "small_talk", "thanks"),
        ("谢谢！", "small_talk", "thanks"),
        ("До свидания", "small_talk", "goodbye"),
        ("من أنت؟", "library", "abilities"),
        ("Was kannst du?", "library", "abilities"),
    ],
)
def test_who_greets_in_another_language_is_greeted(message: str, task: str, intent: str) -> None:
    told = classify(message)
    assert (told.task, told.intent) == (task, intent)
    assert classify(f"{message} Kyoto 2023").task != "small_talk"


@pytest.mark.parametrize(
    "question",
    [
        "Was war das Thema des Forums in Kyoto?",
        "Combien de pays ne participaient pas au forum ?",
        "¿Cuántos países firmaron la declaración?",
    ],
)
def test_words_of_another_language_are_not_read_as_english_ones(question: str) -> None:
    assert understand(question).task == "fact"
    assert understand(question).confidence == 0.0


def test_form_and_number_are_told() -> None:
    assert understand("make a table with the deadlines").form == "table"
    briefing = understand("Write a 3-bullet briefing on the Seoul summit")
    assert (briefing.form, briefing.count) == ("bullets", 3)
    person = understand("in one sentence, who is Ann Olsen?")
    assert (person.count, person.topic) == (1, "who is Ann Olsen?")


def test_a_table_with_dates_is_a_timeline() -> None:
    dated = understand("make a table of the boat fairs with dates")
    assert (dated.task, dated.form) == ("timeline", "table")
    assert understand("make a table of the boat fairs").task != "timeline"


def test_more_and_other_words_need_a_turn_before() -> None:
    assert understand("tell me more", follow_up=True).task == "more"
    assert understand("explain that in simpler words", follow_up=True).task == "rephrase"
    assert understand("tell me more").task not in ABOUT_LAST_ANSWER


def test_both_sides_of_a_comparison_are_whole() -> None:
    request = understand("compare the Oslo and Rome meetings")
    assert request.subjects == ("Oslo meetings", "Rome meetings")
    assert understand("Who compared notes?").subjects == ()


def test_several_questions_are_parted() -> None:
    asked = "who steered the talks, and who steered the review?"
    assert parts(asked) == ("who steered the talks?", "who steered the review?")
    assert parts("Who met Ann and Bob?") == ("Who met Ann and Bob?",)
    assert parts("What was built in Oslo and in Rome?") == (
        "What was built in Oslo?", "What was built in Rome?"
    )  # fmt: skip
    assert parts("How did prices change from 2019 to 2021 in Oslo?") == (
        "How did prices change in 2019 in Oslo?", "How did prices change in 2021 in Oslo?"
    )  # fmt: skip
    asked = "Were there 8 or 9 boats? My sources disagree"
    assert parts(asked) == (asked,)
    assert parts("When did the Oslo Act and the Rome Treaty enter into force?") == (
        "When did the Oslo Act enter into force?", "When did the Rome Treaty enter into force?"
    )  # fmt: skip
    assert parts("Where were the fairs of 2023 and 2024 held?") == (
        "Where were the fairs of 2023 held?", "Where were the fairs of 2024 held?"
    )  # fmt: skip
    assert parts("Who led the talks of the treaty and who led those of the review?") == (
        "Who led the talks of the treaty?", "who led the talks of the review?"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Who hosted the talks in Oslo, Rome and Cairo?", ("Oslo", "Rome", "Cairo")),
        ("how many came to the fairs in oslo, rome and cairo", ("oslo", "rome", "cairo")),
        ("How many came to the fairs in Oslo and New York?", ("Oslo", "New York")),
    ],
)
def test_what_is_asked_of_each_of_several_is_parted(question: str, asked: tuple[str, ...]) -> None:
    told = [part.removesuffix("?") for part in parts(question)]
    assert len({part.removesuffix(name) for part, name in zip(told, asked, strict=True)}) == 1
    assert all(part.endswith(f" in {name}") for part, name in zip(told, asked, strict=True))


def test_two_things_without_capitals_are_one() -> None:
    assert parts("what is the price of bread and butter?") == (
        "what is the price of bread and butter?",
    )


@pytest.mark.parametrize("asked", ["hi-tech exports in 2020?", "Who said thanks?", "bye-laws", ""])
def test_a_question_is_no_small_talk(asked: str) -> None:
    assert understand(asked).task != "small_talk"


@pytest.mark.parametrize(
    "question",
    [
        "What can you do with a catapult?",
        "Who are the members of the panel?",
        "What documents did the panel have?",
        "How many documents were leaked?",
    ],
)
def test_what_somebody_else_has_and_does_is_no_question_about_the_library(question: str) -> None:
    assert understand(question).task != "library"


@pytest.mark.parametrize("question", ["谁在开幕式上致辞？", "Когда открылся форум?"])
def test_what_is_in_other_letters_is_a_plain_question(question: str) -> None:
    assert understand(question).task == "fact"


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
        ("And in 2024?", True, True),
        ("How many ratifications are needed?", False, False),
    ],
)
def test_what_is_open_deserves_a_paragraph(question: str, follow_up: bool, paragraph: bool) -> None:
    assert understand(question, follow_up=follow_up).wants_paragraph is paragraph


@given(st.text(max_size=300), st.booleans())
def test_anything_is_understood_somehow(text: str, follow_up: bool) -> None:
    request = understand(text, follow_up=follow_up)
    assert request.topic or not text.strip()
    assert request.count is None or request.count >= 0
    told = classify(text, follow_up=follow_up)
    assert 0 <= told.probability <= 1
    assert follow_up or told.task not in ABOUT_LAST_ANSWER


@given(st.text(max_size=200), st.sampled_from(["summarise", "compare", "list"]))
def test_a_topic_is_copied_from_the_question(text: str, task: str) -> None:
    assert all(part in text for part in topics(text, task))  # type: ignore[arg-type]


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=9))
def test_the_best_words_are_chosen(logits: list[float]) -> None:
    def worth(inside: list[bool]) -> float:
        begins = sum(
            now and not before for before, now in zip([False, *inside[:-1]], inside, strict=True)
        )
        return sum(x for x, here in zip(logits, inside, strict=True) if here) - BEGINS * begins

    every = [
        [bool(number >> at & 1) for at in range(len(logits))] for number in range(2 ** len(logits))
    ]
    best = max(map(worth, every))
    assert worth(viterbi(np.array(logits, np.float32))) == pytest.approx(best, abs=1e-4)


def test_the_training_questions_are_sound() -> None:
    rows = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
    assert len({row["question"].lower() for row in rows}) == len(rows)
    tasks = Counter(row["task"] for row in rows)
    assert set(tasks) == {label.partition("/")[0] for label in model().labels}
    assert set(tasks) > PLAIN
    for row in rows:
        assert all(part in row["question"] for part in row.get("about", ())), row
        assert row["task"] not in ABOUT_LAST_ANSWER or row["follow_up"], row


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Who is mentioned in the article about submarine cables?", "submarine cables"),
        ("and who all is quoted in the Hiroshima article?", "Hiroshima"),
        ("List all the people named in the article on IANA", "IANA"),
        ("Which people does the Kyoto report mention?", "Kyoto"),
        ("Which names appear in my documents?", ALL_PEOPLE),
    ],
)
def test_whom_a_document_mentions_is_a_list(question: str, topic: str) -> None:
    request = understand(question)
    assert (request.task, request.topic, request.people) == ("list", topic, True)


@pytest.mark.parametrize(
    "question",
    [
        "Who named the ship in the article about Solnes?",
        "Who was named in the report as the culprit?",
        "Who is mentioned as the winner?",
        "Which ships are mentioned in the article about Solnes?",
    ],
)
def test_who_did_something_is_no_list_of_people(question: str) -> None:
    assert not understand(question).people
