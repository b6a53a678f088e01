"""A name is read in the form that the library has it in, in full or short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.query.short_forms import (
    full_name,
    has_short_form,
    unknown_names,
    unknown_short_forms,
)

KNOWN = {"itu", "lto", "the", "cables", "broken", "union", "international", "does", "what", "ab"}


def test_a_full_name_that_is_nowhere_may_be_known_short() -> None:
    asked = "What does the International Telecommunication Union do?"
    assert unknown_names(asked, KNOWN) == [("International Telecommunication Union", "ITU")]
    assert unknown_names(asked.lower(), KNOWN) == [("international telecommunication union", "ITU")]


def test_words_that_join_have_no_letter() -> None:
    assert unknown_names("the League for Tidy Oceans", KNOWN) == [("League for Tidy Oceans", "LTO")]


def test_words_that_other_words_part_are_no_name() -> None:
    assert unknown_names("Is it tidy? Oceans, like that", KNOWN) == []
    assert unknown_names("lakes did tides have oceans", KNOWN) == []


def test_a_short_form_is_no_word_of_a_name_nor_are_words_written_otherwise() -> None:
    assert unknown_names("how did the LTO tidying out", KNOWN) == []
    assert unknown_names("how did Lakes tidy Oceans", KNOWN) == []


def test_two_letters_need_capitals() -> None:
    assert unknown_names("acres burnt", KNOWN) == []
    assert unknown_names("the Acre Bank", KNOWN) == [("Acre Bank", "AB")]


def test_a_short_form_stands_in_capitals() -> None:
    assert has_short_form("LTO", ["Nothing.", "The LTO said so."])
    assert not has_short_form("SIT", ["They sit.", "SITS"])


def test_a_short_form_that_is_nowhere_has_its_name_in_the_texts() -> None:
    question = "What did the LTO find?"
    assert unknown_short_forms(question, {"what", "did", "find"}) == ["LTO"]
    texts = ["Nothing. Lost Tales.", "Ann of the League for Tidy Oceans said so."]
    assert full_name("LTO", texts) == "League for Tidy Oceans"
    assert full_name("LTX", texts) == ""


@given(st.lists(st.sampled_from(sorted(KNOWN)), max_size=8).map(" ".join))
def test_what_the_library_knows_stays_as_typed(question: str) -> None:
    assert unknown_names(question, KNOWN) == []
    assert unknown_short_forms(question.upper(), KNOWN) == []
