"""What is asked for and has a form of its own is missed where it is not."""

from __future__ import annotations

import pytest

from rag.grounding.coverage import missing_form


@pytest.mark.parametrize(
    ("question", "passage", "missing"),
    [
        ("How much did the forum cost?", "It met in Kyoto for 12 days.", "amount of money"),
        ("How much did the forum cost?", "It cost 90,000 crowns.", ""),
        ("how old is Ann Olsen", "Ann Olsen leads the body.", "age"),
        ("how old is Ann Olsen", "Ann Olsen, aged 50, leads it.", ""),
        ("how long is the cable in km?", "The cable broke off Abidjan.", "measure"),
        ("how long is the cable in km?", "It is 90 km long.", ""),
        ("Who is the head of the AI Office?", "The AI Office watches them.", "head"),
        ("Where did they meet?", "Nobody says.", ""),
    ],
)
def test_what_is_missing(question: str, passage: str, missing: str) -> None:
    assert missing_form(question, passage) == missing
