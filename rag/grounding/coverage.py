"""What a question asks for and the passage that is closest to it does not have. Pure text.

A near miss is about the right subject and lacks what is asked: an amount of money, an age, a
length. Only what can be told by its form is looked for; chosen on the near misses of the everyday
set, where an answer of another kind misleads most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNIT = (
    r"(?:km|kilomet\w+|met(?:er|re)s?|miles?|feet|foot|inch(?:es)?|kg|kilograms?|tons?|tonnes?"
    r"|hectares?|acres?|cm|mm)"
)
_CURRENCY = (
    r"(?:dollars?|euros?|pounds?|yen|yuan|francs?|crowns?|kron\w+|rupees?|pesos?|rand|naira"
    r"|shillings?|cents?|usd|eur|gbp|chf|marks?|lira|roubles?|rubles?|won)"
)
_AMOUNT = (
    r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|hundreds?|thousands?|millions?"
    r"|billions?|trillions?)"
)


@dataclass(frozen=True, slots=True)
class Demand:
    """Something that a question may ask for and that has a form of its own."""

    name: str
    asked: re.Pattern[str]
    given: re.Pattern[str]


def _demand(name: str, asked: str, given: str) -> Demand:
    return Demand(name, re.compile(asked, re.IGNORECASE), re.compile(given, re.IGNORECASE))


DEMANDS = (
    _demand(
        "amount of money",
        r"\bhow much (?:did|does|do|will|would|has|have|was|is|were|are)\b[^?]*\b(?:cost|pay|paid"
        r"|spen[dt]|charge|earn|rais(?:e|ed)|price|worth|invest(?:ed)?)\b"
        r"|\bhow much money\b|\b(?:what|how (?:big|large|high)) (?:is|was|are|were|did)\b[^?]*"
        r"\b(?:cost|price|budget|salar(?:y|ies)|fees?|revenue|wages?)\b"
        r"|\bwhat (?:salary|price|budget|fees?|cost|wages?|pay)\b",
        r"[$€£¥]\s?\d"
        rf"|\b{_AMOUNT}(?:\s+{_AMOUNT})?\s+(?:\w+\s+)?{_CURRENCY}\b",
    ),
    _demand(
        "age",
        r"\bhow old (?:is|was|are|were)\b|\bwhat age\b|\bage of\b",
        r"\b(?:aged?|years?[- ]old|born|birthday|centur(?:y|ies)|since|founded|built"
        r"|\d+-year-old)\b",
    ),
    _demand(
        "measure",
        rf"\bhow (?:long|tall|high|deep|wide|far|big|heavy)\b[^?]*\b{_UNIT}\b",
        rf"\d[\d.,]*\s*-?{_UNIT}\b",
    ),
    _demand(
        "head",
        r"\bwho (?:is|was|are) (?:the )?(?:head|director|chief|leader|boss|chair(?:man|woman"
        r"|person)?"
        r"|president|ceo) of\b|\bwho (?:heads|leads|runs|chairs|directs)\b",
        r"\b(?:head(?:s|ed)?|direct(?:s|ed|or)|chief|led|leads?|leader|boss|chair\w*|president|ceo"
        r"|minister|secretary|governor|runs?|under)\b",
    ),
)


def missing_form(question: str, passage: str) -> str:
    """What kind of thing is asked for that the passage has nowhere; empty when nothing is."""
    for demand in DEMANDS:
        if demand.asked.search(question) and not demand.given.search(passage):
            return demand.name
    return ""
