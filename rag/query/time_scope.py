"""When a question means: "latest", "in 2024", "before 2020", "since the summit". Pure text.

A time never hides a sentence; it only moves belief between sentences that answer about equally
well. What a sentence says of its own time counts first, its document's date where it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from index.formats.bylines import MONTHS, parse_date
from rag.query.text_features import years
from rag.reader import ReadSentence

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
# Sentences believed in at least this much as compared with the best one compete by their time.
_WITHIN_REACH = 0.25
# What belief is worth when the time is wrong. Hand-set: it decides between near-equals only.
_WRONG_TIME = 0.2


@dataclass(frozen=True, slots=True)
class Time:
    """What a question says about time."""

    relation: Relation
    date: str = ""
    """ISO date it refers to, `2024`, `2024-10` or `2024-10-08`; empty for `newest` and `oldest`."""


def time_of(question: str, date_of: Callable[[str], str] = lambda event: "") -> Time | None:
    """The time a question asks about; None when it names none.

    Args:
        question: as typed.
        date_of: tells the ISO date of an event ("the summit"), empty when unknown.
    """
    for relation, form in _FORMS.items():
        if found := form.search(question):
            return Time(relation, parse_date(found["date"]) or found["year"])
    if found := _EVENT.search(question):
        date = date_of(found["event"])
        return Time(cast(Relation, found["relation"].lower()), date) if date else None
    if _NEWEST.search(question):
        return Time("newest")
    return Time("oldest") if _OLDEST.search(question) else None


def weigh(sentences: Sequence[ReadSentence], time: Time | None) -> tuple[ReadSentence, ...]:
    """The sentences with belief moved to those of the time asked for, best first again."""
    if time is None or not sentences:
        return tuple(sentences)
    floor = _WITHIN_REACH * max(one.score for one in sentences)
    rivals = [one for one in sentences if one.score >= floor]
    if time.relation in ("newest", "oldest"):
        known = [one.hit.date for one in rivals if one.hit.date]
        if not known:
            return tuple(sentences)
        wanted = max(known) if time.relation == "newest" else min(known)
        wrong = {id(one) for one in rivals if one.hit.date != wanted}
    else:
        wrong = {id(one) for one in rivals if not _suits(one, time)}
    weighed = [replace(s, score=s.score * _WRONG_TIME) if id(s) in wrong else s for s in sentences]
    return tuple(sorted(weighed, key=lambda one: -one.score))


def _suits(one: ReadSentence, time: Time) -> bool:
    """Whether a sentence may be about a time: by its own years, else by its document's date."""
    own = sorted(years(one.text))
    if time.relation == "in":
        year = time.date[:4]
        return own[0] <= year <= own[-1] if own else _overlaps(one.hit.date, time.date)
    if not own and not one.hit.date:
        return True
    earliest, latest = (own[0], own[-1]) if own else (one.hit.date, one.hit.date)
    wanted = time.date[: max(len(earliest), 4)]
    match time.relation:
        case "before":
            return earliest < wanted
        case "until":
            return earliest[: len(wanted)] <= wanted
        case "after":
            return latest[: len(wanted)] > wanted
        case _:
            return latest >= wanted


def _overlaps(date: str, wanted: str) -> bool:
    """Whether one ISO date lies within the other; an undated document may be of any time."""
    return not date or date.startswith(wanted) or wanted.startswith(date)
