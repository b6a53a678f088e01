"""Dates as articles write them, as ISO dates."""

from __future__ import annotations

import re
from datetime import date

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
_ELSEWHERE = (
    "januar jänner janvier enero janeiro gennaio januari января stycznia يناير",
    "februar février febrero fevereiro febbraio februari февраля lutego فبراير",
    "märz mars marzo março maart марта marca مارس",
    "avril abril aprile апреля kwietnia أبريل",
    "mai mayo maio maggio mei мая maja مايو",
    "juni juin junio junho giugno июня czerwca يونيو",
    "juli juillet julio julho luglio июля lipca يوليو",
    "août agosto augustus августа sierpnia أغسطس",
    "septembre septiembre setembro settembre сентября września سبتمبر",
    "oktober octobre octubre outubro ottobre октября października أكتوبر",
    "novembre noviembre novembro ноября listopada نوفمبر",
    "dezember décembre diciembre dezembro dicembre декабря grudnia ديسمبر",
)
"""Months in other languages. They follow a day and nothing else: Mars 2020 went to Mars."""
_MONTHS |= {name: n for n, names in enumerate(_ELSEWHERE, start=1) for name in names.split()}
_ANY_MONTH = f"(?:{MONTH_NAME}|(?:{'|'.join(' '.join(_ELSEWHERE).split())})\\b)"

_TH = r"(?:st|nd|rd|th|\.|er|º)?"


# A group's first letter says what it holds: year, month, day, or one of two numbers a and b.
DATE = re.compile(
    rf"""(?<!\d)(?P<y1>\d{{4}})(?P<sep>[-/.])(?P<m1>\d{{1,2}})(?P=sep)(?P<d1>\d{{1,2}})(?!\d)
    | (?<!\d)(?P<d2>\d{{1,2}}){_TH}(?:\s+(?:of|de))?[\s-]+(?P<m2>{_ANY_MONTH})
      (?:,|\s+del?)?[\s-]+(?P<y2>\d{{4}})(?!\d)
    | \b(?P<m3>{MONTH_NAME})\s+(?P<d3>\d{{1,2}}){_TH},?\s+(?P<y3>\d{{4}})(?!\d)
    | \b(?P<m4>{MONTH_NAME}),?\s+(?P<y4>\d{{4}})(?!\d)
    | (?<!\d)(?P<y5>\d{{4}})\s?[年년]\s?(?P<m5>\d{{1,2}})\s?[月월](?:\s?(?P<d5>\d{{1,2}})\s?[日일])?
    | (?<!\d)(?P<y6>\d{{4}})-(?P<m6>\d\d)(?![\d-])
    | (?<!\d)(?P<a7>\d{{1,2}})[/.](?P<b7>\d{{1,2}})[/.](?P<y7>\d{{4}})(?!\d)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def parse_date(value: str) -> str:
    """The first date in a short text as `2024-09-04` or `2024-09`; empty when there is none.

    `04/09/2024` means two different days in two countries and is no date to us; `24/09/2024` is.
    """
    return next(
        (iso for match in DATE.finditer(value[:LINE_LIMIT]) if (iso := iso_date(match))), ""
    )


def iso_date(match: re.Match[str]) -> str:
    """The date in a match of `DATE`, to the day or the month; empty when it is none."""
    part = {name[0]: found for name, found in match.groupdict().items() if found and name != "sep"}
    if "a" in part:
        low, high = sorted((int(part["a"]), int(part["b"])))
        if high <= 12 and low != high:
            return ""
        part["d"], part["m"] = str(high), str(low)
    month = _MONTHS.get(part["m"].lower().rstrip("."), 0) or int(part["m"])
    try:
        found = date(int(part["y"]), month, int(part.get("d", 1)))
    except ValueError:
        return ""
    return found.isoformat() if "d" in part else found.isoformat()[:7]
