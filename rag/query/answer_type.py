"""What an answer should look like: a number, a time, a person, a place, a reason, or anything.

English question words, recognised by form; those of other languages stand in their lists. In a
language without a list every question is of type `other`, and nothing is asked of its answer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from index.languages.detection import language
from index.languages.word_lists import any_word, word_list
from rag.query.text_features import TextFeatures

AnswerType = Literal["number", "when", "who", "where", "why", "other"]

_FORMS: tuple[tuple[AnswerType, str], ...] = (
    (
        "number",
        r"\bhow (?:many|much|old|long|far|large|big|high|tall|often)\b"
        r"|\b(?:percent|percentage|number|amount|population|score)\b",
    ),
    (
        "when",
        r"\bwhen\b|\bhow long ago\b|\b(?:what|which|in what|in which) (?:\w+ )?"
        r"(?:year|date|day|month|decade|century|time)\b",
    ),
    (
        "who",
        r"\bwho(?:se|m|['’]s)?\b|\b(?:what|which) (?:\w+ ){0,2}(?:person|man|woman|player|king"
        r"|queen|president|author|leader|scientist|team|company|group|organi[sz]ation)\b",
    ),
    (
        "where",
        r"\bwhere\b|\b(?:what|which) (?:\w+ )?(?:city|country|state|place|region|river"
        r"|continent|town|location|area)\b",
    ),
    ("why", r"\bwhy\b|\b(?:what|which) (?:\w+ )?(?:reason|cause|purpose)\b"),
)
_TYPES = tuple((type_, re.compile(form, re.IGNORECASE)) for type_, form in _FORMS)
_REASON = re.compile(
    r"\b(?:because|since|due to|so that|in order to|reason|therefore|caused? by"
    r"|result(?:ed|s|ing)?|led to|to \w+)\b",
    re.IGNORECASE,
)


_LIST = re.compile(
    r"\b(?:list|name|enumerate|give|mention|find|show)(?: me)? "
    r"(?:all|every|each|the (?:names|different))\b"
    r"|\b(?:what|which|who|where) (?:(?:are|were) )?all (?:of )?(?:the|those|these)\b"
    r"|\bhow many (?:different|distinct)\b"
    r"|\b(?:which|what) (?:different |various |other |two |three |four |five |\d+ )?"
    r"(?:countries|cities|companies|people|persons|organi[sz]ations|documents|articles|states|places"
    r"|years|dates|events|sources|figures|names|reasons|parties|groups|measures|laws|languages)\b"
    r"|^\s*(?:list|enumerate)\b|\beverything (?:that|about)\b|\b(?:each|every) (?:time|mention)\b",
    re.IGNORECASE,
)


def asks_for_list(question: str) -> bool:
    """Whether one sentence may not be enough: "list all …", "which countries …"; English forms."""
    return _LIST.search(question) is not None


def list_topic(question: str) -> str:
    """What is to be listed: the question without the words that ask for a list and name its sort.

    "Which cities hosted AI summits?" is a list of whatever hosted AI summits.
    """
    return _LIST.sub(" ", question, count=1)


def answer_type(question: str, code: str | None = None) -> AnswerType:
    """What an answer to this question should look like.

    Args:
        question: as typed.
        code: of its language; told by its words when None.
    """
    types = _types(language(question) if code is None else code)
    return next((type_ for type_, pattern in types if pattern.search(question)), "other")


@cache
def _types(code: str) -> tuple[tuple[AnswerType, re.Pattern[str]], ...]:
    """The types of answers with what asks for them in a language."""
    if code == "en":
        return _TYPES
    lists = ((type_, word_list(code, f"asks_{type_}")) for type_, _ in _FORMS)
    return tuple(
        (type_, re.compile(any_word(phrases, code), re.IGNORECASE)) for type_, phrases in lists
    )


@cache
def _reasons(code: str) -> re.Pattern[str]:
    reasons = word_list(code, "reasons")
    return re.compile(any_word(reasons, code), re.IGNORECASE) if reasons else _REASON


def has_answer_type(wanted: AnswerType, question: TextFeatures, text: TextFeatures) -> bool | None:
    """Whether a text has something of a type that the question does not hold; None: any will do."""
    match wanted:
        case "number":
            return bool(text.numbers - question.numbers)
        case "when":
            return bool(text.dates - question.numbers - question.word_set)
        case "who" | "where" if text.language == "en":  # elsewhere a capital may mean no name
            return bool(text.names - question.names - question.word_set)
        case "why":
            return _reasons(text.language).search(text.text) is not None
    return None
