"""What is asked for and has a form of its own is missed where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.tokenization import words
from index.types import Document
from rag.grounding.coverage import (
    large_numbers,
    missing_form,
    missing_number,
    not_mentioned,
    reason,
)
from rag.query.text_features import content_stems


@pytest.mark.parametrize(
    ("question", "passage", "missing"),
    [
        ("How much did the forum cost?", "It met in Kyoto for 12 days.", "amount of money"),
        ("How much does data cost there?", "It costs 14 times as much as here.", ""),
        ("How much does data cost there?", "A plan takes 9 percent of a month's income.", ""),
        ("How much did the forum cost?", "It cost 90,000 crowns.", ""),
        ("how old is Ann Olsen", "Ann Olsen leads the body.", "age"),
        ("how old is Ann Olsen", "Ann Olsen, aged 50, leads it.", ""),
        ("how old is Ann Olsen", "Ann Olsen has led it since 2020.", "age"),
        ("how old was it then", "It was six months old.", ""),
        ("how long is the cable in km?", "The cable broke off Abidjan.", "measure"),
        ("how long is the cable in km?", "It is 90 km long.", ""),
        ("Who is the head of the AI Office?", "The AI Office watches them.", "head"),
        ("Where did they meet?", "Nobody says.", ""),
    ],
)
def test_what_is_missing(question: str, passage: str, missing: str) -> None:
    assert missing_form(question, passage) == missing


def rarity(question: str, *unknown: str) -> dict[str, float]:
    return {word: 1.0 if word in unknown else 0.4 for word in words(question)}


@pytest.mark.parametrize(
    ("question", "unknown", "told"),
    [
        ("what did elon musk say at the forum?", ("elon", "musk"), "elon musk"),
        ("What did Ursula von der Leyen say?", ("ursula", "von", "der", "leyen"),
         "Ursula von der Leyen"),
        ("did Ann Olsen attend swimmingly", ("attend", "swimmingly", "olsen"), "Olsen"),
        ("what do they actually do", ("actually",), ""),
        ("Kyoto vs Paris in 2999", ("vs", "2999"), ""),
        ("What is Olsen's plan?", ("olsen", "olsen's"), "Olsen"),
        ("who leads the forum?", (), ""),
    ],
)  # fmt: skip
def test_a_name_that_is_nowhere_is_told_as_typed(
    question: str, unknown: tuple[str, ...], told: str
) -> None:
    assert not_mentioned(question, rarity(question, *unknown), {"vs"}) == told


@pytest.mark.parametrize(
    ("question", "unknown", "said"),
    [
        ("Who is Elon Musk?", ("elon", "musk"), "Your documents do not mention “Elon Musk”."),
        (
            "Who sold tickets to the Kyoto forum?",
            (),
            "They speak of “Kyoto forum”, but the closest passages do not mention “sold tickets”. "
            "The closest passage is in “A Forum”.",
        ),
        (
            "When did the Kyoto forum meet?",
            (),
            "They speak of “Kyoto forum meet”, but the closest passages do not clearly say when. "
            "The closest passage is in “A Forum”.",
        ),
        ("Which shoes are best?", (), ""),
    ],
)
def test_the_reason_names_the_subject_and_what_is_missing(
    question: str, unknown: tuple[str, ...], said: str
) -> None:
    held = set(content_stems("The Kyoto forum meets again."))
    told = reason(question, rarity(question, *unknown), frozenset(), "A Forum", held)
    assert told.text == said
    assert told.certain == ("clearly" not in said)


def test_a_word_of_every_day_is_not_missed() -> None:
    held, question = set(content_stems("The Kyoto forum meets again.")), "Who went to the forum?"
    told = reason(question, rarity(question), frozenset({"went", "forum"}), "A Forum", held)
    assert "went" not in told.text
    assert "A Forum" in told.text
    assert not told.certain


def test_whose_something_is_is_no_other_name() -> None:
    question = "Why is the forum's mandate odd?"
    held = set(content_stems("The mandate of the forum is odd."))
    told = reason(question, rarity(question), frozenset(), "A Forum", held)
    assert "mention" not in told.text
    assert "do not clearly say why" in told.text


@given(st.text(max_size=80), st.booleans())
def test_what_is_told_stands_in_the_question(question: str, nowhere: bool) -> None:
    told = not_mentioned(question, dict.fromkeys(words(question), 1.0 if nowhere else 0.4), set())
    assert told in question
    assert nowhere or not told


def article(text: str, date: str = "") -> Document:
    return Document("a.txt", "A", text, date=date)


@pytest.mark.parametrize(
    ("question", "text", "date", "missing"),
    [
        ("Where will they meet in 2026?", "They met in Kyoto in 2023.", "", "2026"),
        ("Where did they meet in 2023?", "They met in Kyoto in 2023.", "", ""),
        ("Where did they meet in 2023?", "They met in Kyoto.", "2023-10-12", ""),
        ("Where did they meet in 2022?", "They met in Kyoto.", "2023-10-12", "2022"),
        ("Where did they meet in 2022?", "Last year they met in Addis.", "2023-10-12", ""),
        ("Where did they meet in 1994?", "In the 1990s they met in Kyoto.", "", ""),
        ("Where did they meet in the 1990s?", "They met in Kyoto.", "", ""),
        ("Who counted 9,000 people?", "Ann Olsen counted 9000.", "", ""),
        ("Who counted 9000 people?", "Ann Olsen counted 9,000.", "", ""),
        ("Who counted 9000 people?", "Ann Olsen counted 19,000.", "", "9000"),
        ("Who walked 100 miles?", "Ann Olsen walked a hundred miles.", "", ""),
        ("Who named 12 reasons?", "Ann Olsen named some.", "", ""),
    ],
)
def test_a_large_number_that_is_nowhere_is_missing(
    question: str, text: str, date: str, missing: str
) -> None:
    numbers = large_numbers(question)
    assert missing_number(numbers, [article(text, date)]) == missing
    assert missing_number(numbers, [article("Nobody says."), article(text, date)]) == missing
