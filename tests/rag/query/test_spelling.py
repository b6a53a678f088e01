"""A word typed wrong is read as the nearest one that the library knows; a known one never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.spelling import correct, spelled_out


def nothing(_: str) -> bool:
    return False


KNOWN = {"convention": 9, "malabo": 4, "adopted": 6, "ratifications": 2, "starting": 5, "when": 1}


def test_a_mistyped_word_is_read_as_it_was_meant() -> None:
    question = "wen was the Malbo convetion adoptd"
    read = correct(question, KNOWN, question, nothing)
    assert read.text == "when was the Malabo convention adopted"
    assert ("convetion", "convention") in read.changes


@pytest.mark.parametrize("marks", ['""', "“”", "„“", "«»", "「」"])
def test_what_stands_in_quotation_marks_is_meant_as_it_is_typed(marks: str) -> None:
    question = f"when was the {marks[0]}Malbo convetion{marks[1]} adoptd"
    read = correct(question, KNOWN, question, nothing)
    assert read.text == f"when was the {marks[0]}Malbo convetion{marks[1]} adopted"
    assert read.changes == (("adoptd", "adopted"),)


def test_what_is_far_from_every_word_stays() -> None:
    question = "what do they say about starlink"
    assert correct(question, KNOWN, question, nothing).changes == ()


def test_words_of_the_language_stay_though_the_library_lacks_them() -> None:
    known = {"mixed": 3, "reach": 2, "prime": 8}
    for question in ("who fixed it", "how did they react", "when is pride"):
        assert correct(
            question, known, question, {"fixed", "react", "pride"}.__contains__
        ).text == (question)
    assert correct("who fixed it", known, "who fixed it", nothing).text == "who mixed it"


def test_a_short_word_is_a_slip_only_where_a_question_begins() -> None:
    short = {"wen", "die"}.__contains__
    for question, meant in (("wen was it adopted", "when"), ("anyone did die", "anyone")):
        assert correct(question, KNOWN, question, short).text == (
            f"{meant} {question.partition(' ')[2]}"
        )


def test_words_that_ask_stay() -> None:
    question = "summarise the convetion"
    assert correct(question, KNOWN, "convetion", nothing).text == "summarise the convention"


@given(st.lists(st.sampled_from(sorted(KNOWN)), max_size=8).map(" ".join))
def test_known_words_are_never_changed(question: str) -> None:
    assert correct(question, KNOWN, question, nothing).text == question


def test_short_names_of_countries_are_written_out() -> None:
    assert spelled_out("why didn't the US and the UK sign?") == (
        "why didn't the United States and the Britain sign?"
    )
    assert spelled_out("tell us more about USB") == "tell us more about USB"


@pytest.mark.parametrize(
    ("typed", "language", "read"),
    [
        ("wann wurde die brükce eröffnet", "de", "wann wurde die brücke eröffnet"),
        ("wann wurden die Brücken eröffnet", "de", "wann wurden die Brücken eröffnet"),  # a form
        ("когда постоили мост", "ru", "когда построили мост"),
        ("cuándo se contruyó el puente", "es", "cuándo se construyó el puente"),
        ("ningún puente", "es", "ningún puente"),  # a word of the language
    ],
)
def test_slips_are_put_right_in_other_languages_too(typed: str, language: str, read: str) -> None:
    known = {"brücke": 3, "eröffnet": 1, "построили": 1, "мост": 2, "construyó": 1, "puente": 2,
             "nines": 1}  # fmt: skip
    assert correct(typed, known, typed, nothing, language).text == read
