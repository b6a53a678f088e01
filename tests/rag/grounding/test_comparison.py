"""What a statement may not change: where a number stands, and what is denied."""

from __future__ import annotations

import pytest

from rag.grounding.verification.attribution import Attributor
from rag.grounding.verification.comparison import moved_number
from rag.types import Quotation
from tests.support.fakes import BagOfWordsEncoder

SUMMIT = "South Korea and Britain hosted the second meeting in Seoul on May 21 and 22, 2024."
SHIP = (
    "The cargo ship Rubymar, hit by a Houthi missile on February 18 and abandoned by its crew, had "
    "drifted across the area before it sank on March 2, dragging its anchor behind it."
)
SHARES = "Worldwide, 70 percent of men and 65 percent of women use the Internet."
COUNTS = "The organisers counted 1,480 participants from 97 countries."


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("The second summit was held in Seoul in May 2024, hosted by South Korea.", SUMMIT),
        ("The Rubymar was hit by a Houthi missile on February 18 and sank on March 2.", SHIP),
        ("65 percent of women use the Internet, and 70 percent of men do.", SHARES),
        ("1,480 participants came from 97 countries.", COUNTS),
    ],
)
def test_a_number_that_stays_where_it_was_is_not_moved(statement: str, source: str) -> None:
    assert not moved_number(statement, source)


@pytest.mark.fault("D9")
@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("Worldwide 70 percent of women use the Internet.", SHARES),
        ("The organisers counted 97 participants from 1,480 countries.", COUNTS),
        ("The Rubymar sank on February 18 and was hit by a Houthi missile on March 2.", SHIP),
    ],
)
def test_a_number_that_was_moved_to_another_word_is_found_out(statement: str, source: str) -> None:
    assert moved_number(statement, source)


@pytest.mark.fault("D9")
@pytest.mark.parametrize(
    ("statement", "source", "asked"),
    [
        ("Nigeria and Kenya were among the 15.", "Nigeria and Kenya were not among the 15.", False),
        ("Nigeria is not among the 15.", "Nigeria and Kenya are among the 15.", False),
        ("The treaty will harm the rebels.", "The treaty may harm the rebels.", False),
        (
            "The share of women online fell in 2024.",
            "The share of women online rose in 2024.",
            False,
        ),
        ("Kenya is one of the 15.", "Nigeria and Kenya are among the 15.", True),
    ],
)
def test_no_model_is_asked_whether_what_is_denied_holds(
    statement: str, source: str, asked: bool
) -> None:
    quoted = Quotation("a.txt", "A", "", "", 1, 0, len(source), source, 0.0)
    found = Attributor(BagOfWordsEncoder().encode_query, [quoted]).attribute(statement)
    assert found is not None and found.may_ask is asked
    assert asked or not found.is_doubtful
