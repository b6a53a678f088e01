"""When a question means: "latest", "in 2024", "before 2020", "since the summit". Pure text.

A time never hides a sentence; it only moves scores between sentences that answer about equally
well. What a sentence says of its own time counts first, its document's date where it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast

from index.formats.dates import MONTHS, FoundDate, find_dates, parse_date
from index.languages.numbers import in_english_form
from index.languages.word_lists import any_word, word_list

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
    r"|at the moment|now)\b(?! that\b)",
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
    """ISO date it refers to, `2024`, `2024-10` or `2024-10-08`; empty for `newest` and `oldest`,
    and for an event whose date is not known yet."""
    event: str = ""
    """What it refers to instead of a date ("the summit")."""

    def resolve(self, date_of: Callable[[str], str]) -> TimeScope | None:
        """The scope with its event's date; None when the event has none.

        Args:
            date_of: the ISO date of an event, empty when unknown.
        """
        if not self.event:
            return self
        date = date_of(self.event)
        return replace(self, date=date) if date else None


_RELATIONS: tuple[Relation, ...] = ("before", "until", "after", "since", "in")
_BARE_YEAR = re.compile(r"(?<![\d.,/])[12]\d{3}(?=\s?[年년]|(?!\d|[.,/]\d))\s?[年년]?")


def time_scope(question: str, language: str = "en") -> TimeScope | None:
    """The time a question asks about, by date or by event; None when it names none.

    Args:
        question: as typed.
        language: its code; in others than English events are not read.
    """
    if language != "en":
        return _scope_in(language, in_english_form(question))
    for relation, form in _FORMS.items():
        if match := form.search(question):
            return TimeScope(relation, parse_date(match["date"]) or match["year"])
    if match := _EVENT.search(question):
        return TimeScope(cast(Relation, match["relation"].lower()), event=match["event"])
    if _NEWEST.search(question):
        return TimeScope("newest")
    return TimeScope("oldest") if _OLDEST.search(question) else None


def _scope_in(language: str, question: str) -> TimeScope | None:
    """The time a question in another language than English asks about."""
    for found in find_dates(question, day_first=True):
        if found.iso:
            return TimeScope(_relation(language, question, found) or "in", found.iso)
    for year in _BARE_YEAR.finditer(question):
        found = FoundDate(*year.span(), year[0][:4])
        if relation := _relation(language, question, found):
            return TimeScope(relation, found.iso)
        if year[0][-1] in "年년":
            return TimeScope("in", found.iso)
    asked = question.lower()
    ends: tuple[Relation, ...] = ("newest", "oldest")
    for end in ends:
        if re.search(any_word(word_list(language, end), language), asked):
            return TimeScope(end)
    return None


def _relation(language: str, question: str, date: FoundDate) -> Relation | None:
    """How a question stands to a date, by the words before it, or after it in Chinese."""
    before, after = question[: date.start].lower(), question[date.end :].lstrip(" の")
    for relation in _RELATIONS:
        phrases = "|".join(map(re.escape, word_list(language, f"time_{relation}")))
        if phrases and re.search(rf"(?<!\w)(?:{phrases})(?:\s\w{{1,4}}\.?)?\W*$", before):
            return relation
        if after.startswith(word_list(language, f"date_{relation}") or ("\0",)):
            return relation
    return None
