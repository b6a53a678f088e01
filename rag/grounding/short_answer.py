"""The few words that answer, cut out of a sentence: a number, a date, or nothing.

Rules by what the question asks for. They speak only when the sentence holds exactly one new thing
of that kind: with two, which one is meant is beyond rules, and a wrong number in large type is
worse than none.

How often they speak and are right: tests/benchmarks/RESULTS.md, Numbers.
"""

from __future__ import annotations

import re

from rag.query.question import QueryVariant
from rag.query.text_features import TextFeatures
from rag.query.word_lists import MONTH_NAMES, NUMBER, NUMBER_WORDS, SCALES, any_of

_MONTH = rf"(?:{any_of(MONTH_NAMES)})"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:1\d{3}|20\d{2})"
_DATE = re.compile(
    rf"\b(?:{_DAY} {_MONTH}(?:,? {_YEAR})?|{_MONTH} {_DAY}(?:,? {_YEAR})?\b|{_MONTH},? {_YEAR}"
    rf"|{_YEAR}s?|the \d{{1,2}}(?:st|nd|rd|th) century)(?!\w|[.,]\d)"
)
_COUNT = rf"(?i:{any_of(NUMBER_WORDS)})"
_AMOUNT = re.compile(
    rf"(?<![\w.,])(?:US)?[$€£¥]?{NUMBER}(?:[–-]{NUMBER})?"
    rf"(?:\s?%|(?:\s|-)(?:percent|per cent|{any_of(SCALES[1:])})\b)?(?!\w|[–-]\d)"
    rf"|\b{_COUNT}(?:-{_COUNT})?(?: (?:{any_of(SCALES[:-1])}))?\b",
)
_LINKING = r"(?:in|per|of|to|and|or|on|by|for|at|from|as|the|a)"
_MEASURE = re.compile(rf"(?:{_AMOUNT.pattern})(?:[ -](?!{_LINKING}\b)[a-z]+)?")
_SIZE = re.compile(r"\bhow (?:long|far|large|big|high|tall|old|much)\b", re.IGNORECASE)
# "Who hired Tesla when he moved?" does not ask when.
_ASIDE = re.compile(
    r"\b(?:who|where|why|how)\b|\bwhat\b(?! (?:\w+ )?(?:year|date|day|month|decade|century|time))",
    re.IGNORECASE,
)
_DATELINE = re.compile(
    r"[A-Z][A-Z .'-]{2,}(?:, [A-Z][a-z]+\.?(?: \d{1,2})?)?(?: \([^)]*\))? ?[-–—] "
)
_ALONE = re.compile(r"one", re.IGNORECASE)


def short_answer(question: QueryVariant, sentence: str) -> str | None:
    """The words of the sentence that answer, or None when that cannot be said with confidence.

    Args:
        question: in the wording that was searched for.
        sentence: the sentence that answers it best.

    Returns:
        A part of `sentence`, character for character.
    """
    match question.answer_type:
        case "number":
            found = _amounts(question.text, sentence)
        case "when" if not _ASIDE.search(question.text):
            found = _new(_DATE, question.text, sentence)
        case _:
            return None
    return found[0] if len(found) == 1 else None


def has_asked_type(question: QueryVariant, text: str) -> bool:
    """Whether words may answer at all: a number where one is asked for, a time likewise."""
    if question.answer_type not in ("number", "when"):
        return True
    return question.has_answer_type(TextFeatures(text)) is True


def in_dateline(text: str, sentence: str) -> bool:
    """Whether words are where a report was written ("BRUSSELS, Aug 9 - …"), not what it says."""
    opening = _DATELINE.match(sentence)
    return opening is not None and text in opening.group()


def _amounts(question: str, sentence: str) -> list[str]:
    """The new numbers that are no part of a date; with their unit where a measure is asked for."""
    taken = [match.span() for match in _DATE.finditer(sentence)]
    pattern = _MEASURE if _SIZE.search(question) else _AMOUNT
    plain = "".join(
        "\0" if any(start <= i < end for start, end in taken) else c for i, c in enumerate(sentence)
    )
    return _new(pattern, question, plain)


def _new(pattern: re.Pattern[str], question: str, sentence: str) -> list[str]:
    """The distinct matches that the question does not hold already."""
    asked = question.lower()
    matches = (match.group() for match in pattern.finditer(sentence))
    fresh = (one for one in matches if one.lower() not in asked and not _ALONE.fullmatch(one))
    return list(dict.fromkeys(fresh))
