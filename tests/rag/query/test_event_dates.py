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
        ("It opens on January 12.", ["2026-01-12"]),
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


@pytest.mark.parametrize(
    ("sentence", "told", "date"),
    [
        ("The ship, hit on February 18, sank on March 2.", "2024-02-24", "2024-02-18"),
        ("It met on February 26 and 27.", "2024-11-29", "2025-02-26"),
        ("In November two more were cut.", "2024-03-14", "2024-11"),
        ("In November two more were cut.", "", "2024-11"),
        ("It opens on May 3.", "", "2025-05-03"),
    ],
)
def test_a_day_without_a_year_goes_on_from_what_was_told_before(
    sentence: str, told: str, date: str
) -> None:
    assert event_dates(sentence, "2025-03-06", told)[0] == date


def test_of_a_document_that_has_only_a_year_the_day_is_in_it() -> None:
    assert event_dates("It opens on November 3.", "2023") == ["2023-11-03"]
