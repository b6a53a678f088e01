"""When a question means: "latest", "in 2024", "before 2020", "since the summit". Pure text.

A time never hides a sentence; it only moves belief between sentences that answer about equally
well. What a sentence says of its own time counts first, its document's date where it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from index.dates import MONTHS, parse_date

Relation = Literal["in", "before", "until", "after", "since", "newest", "oldest"]

_DAY = r"(?:\d{1,2}(?:st|nd|rd|th)?,? )?"
_DATE = rf"(?P<date>{_DAY}(?:(?:{'|'.join(MONTHS)}) )?{_DAY}(?P<year>[12]\d{{3}}))\b"
_WORDS: dict[Relation, str] = {
    "before": "before|prior to",
    "until": "until|till|up to|by(?: the end of)?",
    "after": "after",
    "since": "since|from",
    "in": "in|during|of|for|at the end of",
}
_FORMS = {
    relation: re.compile(rf"\b(?:{form}) {_DATE}", re.IGNORECASE)
    for relation, form in _WORDS.items()
}
_NEWEST = re.compile(
    r"\b(?:latest|newest|most recent(?:ly)?|current(?:ly)?|nowadays|today|up[- ]to[- ]date"
    r"|at the moment|right now)\b",
    re.IGNORECASE,
)
_OLDEST = re.compile(r"\b(?:earliest|oldest|first ever)\b", re.IGNORECASE)
_EVENT = re.compile(
    r"\b(?P<relation>before|until|after|since) (?P<event>the [^,?.;]{3,60})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class TimeScope:
    """What a question says about time."""

    relation: Relation
    date: str = ""
    """ISO date it refers to, `2024`, `2024-10` or `2024-10-08`; empty for `newest` and `oldest`."""


def time_scope(question: str, date_of: Callable[[str], str] = lambda event: "") -> TimeScope | None:
    """The time a question asks about; None when it names none.

    Args:
        question: as typed.
        date_of: tells the ISO date of an event ("the summit"), empty when unknown.
    """
    for relation, form in _FORMS.items():
        if found := form.search(question):
            return TimeScope(relation, parse_date(found["date"]) or found["year"])
    if found := _EVENT.search(question):
        date = date_of(found["event"])
        return TimeScope(cast(Relation, found["relation"].lower()), date) if date else None
    if _NEWEST.search(question):
        return TimeScope("newest")
    return TimeScope("oldest") if _OLDEST.search(question) else None
