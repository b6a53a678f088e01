"""The dates that a sentence gives to what it tells. Pure text."""

from __future__ import annotations

import re

from index.formats.dates import MONTHS, find_dates

_MONTH = "|".join(month.title() for month in MONTHS)
_DAY_MONTH = re.compile(
    rf"\b(?:(?P<m>{_MONTH})(?: (?P<d>\d{{1,2}})(?!\d))?(?:,? (?P<y>[12]\d{{3}}))?"
    rf"|(?P<d2>\d{{1,2}}) (?P<m2>{_MONTH})(?:,? (?P<y2>[12]\d{{3}}))?)\b"
)
_YEAR = re.compile(r"(?<![\d.,/])(1[5-9]\d\d|20\d\d)(?![\d/]|[.,]\d)")
_ALSO_WORDS = ("May", "March")


def event_dates(sentence: str, document_date: str = "") -> list[str]:
    """The dates in a sentence, as ISO dates: `2024-03-13`, `2024-03` or `2024`.

    A day without a year is of the last year that the sentence names, else of its document's year;
    in other languages than English only whole dates are read.
    """
    years = _YEAR.findall(sentence)
    dates = []
    for match in _DAY_MONTH.finditer(sentence):
        name, day = match["m"] or match["m2"], match["d"] or match["d2"]
        year = match["y"] or match["y2"]
        if not day and not year and name in _ALSO_WORDS:
            continue
        year = year or (years[-1] if years else document_date[:4])
        if year:
            month = MONTHS.index(name.lower()) + 1
            dates.append(f"{year}-{month:02d}" + (f"-{int(day):02d}" if day else ""))
    return dates or [date.iso for date in find_dates(sentence) if date.iso] or years
