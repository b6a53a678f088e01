"""A name is read in the form that the library has it in, in full or short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.query.short_forms import full_name, shortened, unknown_short_forms

KNOWN = {"itu", "lto", "the", "cables", "broken", "union", "international", "does", "what", "ab"}


def test_a_full_name_that_is_nowhere_is_read_as_its_short_form() -> None:
    told, change = shortened("What does the International Telecommunication Union do?", KNOWN)
    assert told == "What does the ITU do?"
    assert change == ("International Telecommunication Union", "ITU")


def test_joining_words_have_no_letter() -> None:
    known = KNOWN | {"who"}
    assert shortened("the League for Tidy Oceans", known)[0] == "the LTO"


def test_two_letters_need_capitals() -> None:
    assert shortened("are acres burnt", KNOWN)[1] is None
    assert shortened("the Acre Bank", KNOWN) == ("the AB", ("Acre Bank", "AB"))


def test_a_name_does_not_go_over_the_end_of_a_sentence() -> None:
    assert shortened("Is it interesting? Tell us", KNOWN)[1] is None


def test_a_short_form_that_is_nowhere_has_its_name_in_the_texts() -> None:
    question = "What did the LTO find?"
    assert unknown_short_forms(question, {"what", "did", "find"}) == ["LTO"]
    texts = ["Nothing. Lost Tales.", "Ann of the League for Tidy Oceans said so."]
    assert full_name("LTO", texts) == "League for Tidy Oceans"
    assert full_name("LTX", texts) == ""


@given(st.lists(st.sampled_from(sorted(KNOWN)), max_size=8).map(" ".join))
def test_what_the_library_knows_stays_as_typed(question: str) -> None:
    assert shortened(question, KNOWN) == (question, None)
    assert unknown_short_forms(question.upper(), KNOWN) == []
