"""The dates that a sentence gives to what it tells. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from index.formats.dates import MONTHS, find_dates
from index.types import ScoredSentence, Sentence

_Sentence = TypeVar("_Sentence", Sentence, ScoredSentence)

_MONTH = "|".join(month.title() for month in MONTHS)
_DAY_MONTH = re.compile(
    rf"\b(?:(?P<m>{_MONTH})(?: (?P<d>\d{{1,2}})(?!\d))?(?:,? (?P<y>[12]\d{{3}}))?"
    rf"|(?P<d2>\d{{1,2}}) (?P<m2>{_MONTH})(?:,? (?P<y2>[12]\d{{3}}))?)\b"
)
_YEAR = re.compile(r"(?<![\d.,/])(1[5-9]\d\d|20\d\d)(?![\d/]|[.,]\d)")
_ALSO_WORDS = ("May", "March")
_BACK = 3
"""Months by which an event may lie before the one told last, or after its document."""


def event_dates(sentence: str, document_date: str = "", told: str = "") -> list[str]:
    """The dates in a sentence, as ISO dates: `2024-03-13`, `2024-03` or `2024`.

    A day or month without a year is of the last year that the sentence names, else of the year
    that suits what was told before: a story goes on, and news are of what has been. In other
    languages than English only whole dates are read.

    Args:
        sentence: what is looked at.
        document_date: an ISO date, may be empty.
        told: the last date with a month that was told before in the same paragraph.
    """
    years = _YEAR.findall(sentence)
    dates = []
    for match in _DAY_MONTH.finditer(sentence):
        name, day = match["m"] or match["m2"], match["d"] or match["d2"]
        year = match["y"] or match["y2"]
        if not day and not year and name in _ALSO_WORDS:
            continue
        month = MONTHS.index(name.lower()) + 1
        in_year = month + int(day or 15) / 31
        year = year or (years[-1] if years else "")
        year = year or (
            _year_of(in_year, told, _BACK) if told else _year_of(in_year, document_date, 12 - _BACK)
        )
        if year:
            dates.append(f"{year}-{month:02d}" + (f"-{int(day):02d}" if day else ""))
    return dates or [date.iso for date in find_dates(sentence) if date.iso] or years


def dated_sentences(
    sentences: Iterable[_Sentence], document_date: str
) -> Iterator[tuple[str, _Sentence]]:
    """The sentences of a paragraph that tell a date, in order, each with the first one it tells.

    Args:
        sentences: in order.
        document_date: an ISO date, may be empty.
    """
    told = ""
    for sentence in sentences:
        dates = event_dates(sentence.text, document_date, told)
        told = next((date for date in reversed(dates) if len(date) > len("2024")), told)
        if dates:
            yield dates[0], sentence


def _year_of(in_year: float, near: str, back: int) -> str:
    """The year in which a day, in months, is at most `back` months before an ISO date.

    Of a date without a month its own year; empty where it is empty.
    """
    if len(near) < len("2024-03"):
        return near[:4]
    year, month, *day = map(int, near.split("-"))
    months = in_year - (month + (day or [15])[0] / 31)
    return str(year + 1 if months < -back else year - 1 if months > 12 - back else year)
