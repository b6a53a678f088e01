"""The dates that sentences give, as ISO dates."""

from __future__ import annotations

import pytest

from rag.query.event_dates import event_dates


@pytest.mark.parametrize(
    ("sentence", "dates"),
    [
        ("The vote came on March 13, 2024.", ["2024-03-13"]),
        ("It met on 8 June 2023 in Oslo.", ["2023-06-08"]),
        ("It entered into force on August 1.", ["2025-08-01"]),
        ("In May 2023 the leaders met.", ["2023-05"]),
        ("Founded in 1998, it grew.", ["1998"]),
        ("Die Abstimmung war am 13. März 2024.", ["2024-03-13"]),
        ("会议于2023年6月8日举行。", ["2023-06-08"]),
        ("They may march on.", []),
        ("It has 1,998 members.", []),
    ],
)
def test_dates_of_a_sentence(sentence: str, dates: list[str]) -> None:
    assert event_dates(sentence, "2025-12-17") == dates


def test_a_day_without_any_year_has_no_date() -> None:
    assert event_dates("It began on August 1.") == []
