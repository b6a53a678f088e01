"""Numbers of other languages in the form that English has; English ones stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.languages.numbers import in_english_form

GERMAN = "Die Stadt hat im Mai {} Menschen auf der neuen Brücke gezählt."
FRENCH = "La ville a compté {} personnes sur le nouveau pont dans le mois de mai."
ENGLISH = "The town has counted {} people on the new bridge over the river in May."


@pytest.mark.parametrize(
    ("text", "number", "wanted"),
    [
        (GERMAN, "1.234", "1234"), (GERMAN, "5,3", "5.3"), (GERMAN, "1.234,5", "1234.5"),
        (GERMAN, "1.234.567", "1234567"), (GERMAN, "am 4.9.2024", "am 4.9.2024"),
        (FRENCH, "1 234", "1234"), (FRENCH, "1\u202f234,5", "1234.5"), (FRENCH, "12", "12"),
        (ENGLISH, "1,234", "1,234"), (ENGLISH, "1.234", "1.234"), (ENGLISH, "5,3", "5,3"),
        (ENGLISH, "12 300", "12 300"), (ENGLISH, "1,234,567.8", "1,234,567.8"),
        (ENGLISH, "1.234,5", "1234.5"), (ENGLISH, "1’234", "1234"),
        ("桥上有{}人。", "１２３４", "1234"), ("桥上有{}人。", "1,234", "1,234"),
        ("{}", "١٬٢٣٤٫٥", "1,234.5"),
    ],
)  # fmt: skip
def test_numbers_of_other_languages(text: str, number: str, wanted: str) -> None:
    assert in_english_form(text.format(number)) == text.format(wanted)


@given(st.text(alphabet="abc 12.,'٣５\u202f"))
def test_what_is_in_english_form_stays(text: str) -> None:
    once = in_english_form(text)
    assert len(once) <= len(text)
    assert not any(char.isdecimal() and not char.isascii() for char in once)
