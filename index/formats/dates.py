"""Dates as articles write them, as ISO dates, in the languages of `index/languages/lists`.

Strict: what may be something else is no date. dateparser knows more languages; it takes 2 seconds
for the first line that is no date, reads `12 May 2566` as a year to come and half a date as whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

from index.languages.word_lists import load

LINE_LIMIT = 600
"""Longer lines are prose whatever they say; it also bounds the work on a line of 50 MB."""

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTHS = {name[:3]: number for number, name in enumerate(MONTHS, start=1)}
_MONTHS |= {name: number for number, name in enumerate(MONTHS, start=1)} | {"sept": 9}

MONTH_NAME = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_TH = "(?:st|nd|rd|th)?"


_WORD = r"[^\W\d_][^\s\d.,;:/|()\[\]–—-]{1,14}"
"""What may be a month's name; marks above and below letters are no letters to `re`."""
_OF = r"(?:(?:of|de|del|d['’]|του)\s*)?"

# A group's first letter says what it holds: year, month, day, or one of two numbers a and b.
_CANDIDATE = re.compile(
    rf"""(?<!\d)(?P<y1>\d{{4}})(?P<sep>[-/.])(?P<m1>\d{{1,2}})(?P=sep)(?P<d1>\d{{1,2}})(?!\d)
    | (?<!\d)(?P<d2>\d{{1,2}})(?:st|nd|rd|th|er|\.|º|ª|°)?(?:\s+|-|(?<=\.)){_OF}
      (?P<m2>{_WORD}(?:\sال\w+)?)\.?,?[\s-]+{_OF}(?P<y2>\d{{4}})(?!\d)
    | (?<![^\W_])(?P<m3>{_WORD})\.?\s+(?P<d3>\d{{1,2}}){_TH},?\s+(?P<y3>\d{{4}})(?!\d)
    | (?<![^\W_])(?P<m4>{_WORD}(?:\sال\w+)?)\.?,?\s+{_OF}(?P<y4>\d{{4}})(?!\d)
    | (?<!\d)(?P<y5>\d{{4}})\s?[年년]\s?(?P<m5>\d{{1,2}})\s?[月월]
      (?:\s?(?P<d5>\d{{1,2}})\s?[日号號일])?
    | (?<!\d)(?P<y6>\d{{4}})-(?P<m6>\d\d)(?![\d-])
    | (?<!\d)(?P<a7>\d{{1,2}})[/.](?P<b7>\d{{1,2}})[/.](?P<y7>\d{{4}})(?!\d)
    | (?<!\d)(?P<y8>\d{{4}})\.\s(?:(?P<m8>\d{{1,2}})\.|(?P<m9>{_WORD}))\s(?P<d8>\d{{1,2}})(?!\d)\.?
    | (?<!\d)(?:ngày\s+)?(?:(?P<d10>\d{{1,2}})\s+)?tháng\s+(?P<m10>\d{{1,2}}),?\s+
      (?:năm\s+)?(?P<y10>\d{{4}})(?!\d)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_YEAR = re.compile(r"\d{4}")
"""In every date: nearly all lines have none, and are not looked through for ten forms."""
_BUDDHIST = 543
"""Years by which Thai calendars are ahead."""


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in a text, to the day or the month."""

    start: int
    end: int
    iso: str
    """Empty for one that may mean two days."""


def find_dates(text: str, *, day_first: bool = False) -> Iterator[FoundDate]:
    """The dates in a text, in order.

    Args:
        text: a line, a value or a question.
        day_first: whether `04/09/2024` is in September, as everywhere but in English; else it
            means two different days in two countries and is no date to us; `24/09/2024` is.
    """
    at = 0 if _YEAR.search(text) else len(text)
    while match := _CANDIDATE.search(text, at):
        part = {name[0]: found for name, found in match.groupdict().items() if found}
        month = 0 if "a" in part else _month(part["m"])
        if "a" not in part and not month:
            at = match.start() + 1  # a word and a number: a date may begin with the number
            continue
        yield FoundDate(*match.span(), _iso(part, month, day_first))
        at = match.end()


def parse_date(value: str, *, day_first: bool = False) -> str:
    """The first date in a short text as `2024-09-04` or `2024-09`; empty when there is none."""
    found = find_dates(value[:LINE_LIMIT], day_first=day_first)
    return next((one.iso for one in found if one.iso), "")


def without_dates(text: str) -> str:
    """The text with a space for every date, also for one that may mean two days."""
    parts, at = [], 0
    for found in find_dates(text):
        parts.append(text[at : found.start])
        at = found.end
    return " ".join([*parts, text[at:]])


def _iso(part: dict[str, str], month: int, day_first: bool) -> str:
    day, year = int(part.get("d", 1)), int(part["y"])
    if "a" in part:
        month, day = sorted((int(part["a"]), int(part["b"])))
        if day <= 12 and day != month:
            if not day_first:
                return ""
            day, month = int(part["a"]), int(part["b"])
    if year > 2400 and "\u0e00" <= part.get("m", "")[:1] <= "\u0e7f":
        year -= _BUDDHIST
    try:
        found = date(year, month, day)
    except ValueError:
        return ""
    return found.isoformat() if {"a", "d"} & part.keys() else found.isoformat()[:7]


def _month(name: str) -> int:
    """The number of a month by its name or number; 0 for any other word."""
    if name[0].isdigit():
        return int(name)
    name = " ".join(name.lower().split())
    known = _month_names()
    return (
        known.get(name)
        or known.get(name.partition(" ")[0])
        or known.get(name[1:], 0)
        * (
            name[0] == "ב"  # "in", which Hebrew writes together with the month
        )
    )


@cache
def _month_names() -> dict[str, int]:
    """The months of all languages by their names; a name of two different ones is none."""
    named = dict(_MONTHS)
    doubtful = set()
    for lists in load().values():
        for number, names in enumerate(lists.get("months", ()), start=1):
            for name in names.split(", "):
                if named.setdefault(name, number) != number:
                    doubtful.add(name)
    return {name: number for name, number in named.items() if name not in doubtful - _MONTHS.keys()}
