"""How a statement can say something else in its source's own words. Pure text, English.

Two ways that can be told from words alone: a word of the source turned into its opposite, and two
numbers that have changed places. Both are rather suspected too often than too seldom: a statement
that is suspected gives way to its source's own sentence, which is right in any case. On 229
statements written to find out (tests/bench_statements.py) they tell 40 of 122 false ones, which
share nearly all words with their sources, and suspect 3 of 107 true ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.credits import MONTHS
from index.lexical import words
from rag.wording import number_of, years

_PAIRS = (
    "first last", "north south", "northern southern", "east west", "eastern western", "more less",
    "more fewer", "before after", "won lost", "wins loses", "rose fell", "increase decrease",
    "increased decreased", "increases decreases", "higher lower", "highest lowest", "high low",
    "maximum minimum", "larger smaller", "largest smallest", "large small", "male female",
    "men women", "older younger", "oldest youngest", "early late", "earlier later", "began ended",
    "begins ends", "beginning end", "inside outside", "import export", "imported exported",
    "agreed disagreed", "supported opposed", "support oppose", "supporters opponents",
    "majority minority", "upper lower", "above below", "opened closed", "bought sold",
    "accepted rejected", "allowed banned", "allow forbid", "succeeded failed", "success failure",
    "start finish", "started stopped", "cause prevent", "caused prevented", "include exclude",
    "included excluded", "gained lost", "best worst", "better worse", "strong weak",
    "stronger weaker", "rich poor", "public private", "legal illegal", "possible impossible",
    "always never", "old new", "long short", "longer shorter", "longest shortest",
    "positive negative", "common rare", "married divorced", "born died", "attack defend",
    "attacked defended", "victory defeat", "strengthened weakened", "expanded shrank",
    "faster slower", "hot cold", "warm cool", "heavy light", "wet dry", "front rear",
    "internal external", "direct indirect", "able unable", "visible invisible", "active inactive",
    "natural artificial", "ancient modern", "urban rural", "local national",
    "permanent temporary", "parents children", "teachers students", "sea land", "day night",
    "summer winter", "arrived departed", "approved rejected", "praised criticized",
    "complex simple", "wide narrow", "thick thin", "deep shallow", "near far", "few many",
    "often rarely", "increasing decreasing", "growing shrinking", "growth decline",
    "grew declined", "added removed", "built destroyed", "created destroyed",
    "appointed dismissed", "online offline", "granted refused", "guilty innocent",
    "convicted acquitted", "alive dead", "survived died", "passed failed", "true false",
    "safe dangerous", "cheap expensive", "buyer seller", "buyers sellers", "lender borrower",
    "employer employee", "winner loser", "winners losers", "win lose", "profit loss",
    "profits losses", "surplus deficit", "raise lower", "raised lowered", "raised cut",
    "rise fall", "rises falls", "rising falling", "upstream downstream", "husband wife",
    "father mother", "son daughter", "brother sister", "king queen", "boys girls",
    "morning evening", "lent borrowed", "taught learned", "entered left",
    "advantage disadvantage", "minor major", "adults children", "ally enemy", "allies enemies",
    "friend enemy", "defeated lost", "remembered forgot", "hired fired", "lengthened shortened",
    "widened narrowed", "deepened eased", "tightened loosened", "improved worsened",
    "accelerated slowed", "appeared disappeared", "arrival departure", "ascent descent",
)  # fmt: skip
_OPPOSITES: dict[str, set[str]] = {}
for _pair in _PAIRS:
    _one, _other = _pair.split()
    _OPPOSITES.setdefault(_one, set()).add(_other)
    _OPPOSITES.setdefault(_other, set()).add(_one)
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")


def turned_round(statement: str, source: str) -> str | None:
    """The word by which a statement says the opposite of its source; None when there is none.

    It is one that the source lacks and that has an opposite in the source, not in the statement:
    "sales fell in May" of "sales rose in May".
    """
    said, there = set(words(statement)), set(words(source))
    for word in sorted(said - there):
        others = _OPPOSITES.get(word, set())
        if others & there and not others & said:
            return word
    return None


def exchanged(statement: str, sources: Sequence[str]) -> tuple[str, str] | None:
    """Two numbers that stand the other way round in one of the sources; None when none do.

    "46 in favour and 523 against" of "523 were in favour, 46 against". Amounts are compared with
    amounts and dates with dates, for a date is easily put first or last.
    """
    for source in sources:
        for said, there in zip(_in_order(statement), _in_order(source), strict=True):
            first = {number: at for at, number in reversed(list(enumerate(there)))}
            last = {number: at for at, number in enumerate(there)}
            told = [number for number in dict.fromkeys(said) if number in first]
            latest = told[0] if told else ""  # of those told so far, the source's last
            for number in told[1:]:
                if first[latest] > last[number]:
                    return latest, number
                latest = max(latest, number, key=first.__getitem__)
    return None


def _in_order(text: str) -> tuple[list[str], list[str]]:
    """The amounts and the numbers of dates, as they come."""
    amounts: list[str] = []
    dates: list[str] = []
    before = ""
    for match in _WORD.finditer(text):
        number = number_of(match.group())
        if number is not None:
            dated = before in MONTHS or number in years(number)
            (dates if dated else amounts).append(number)
        before = match.group().lower()
    return amounts, dates
