"""How a statement can say something else in its source's own words. Pure text, English.

Three ways that can be told from words alone: a word of the source turned into its opposite, two
numbers that have changed places, and words that stand beside others than there. All are rather
suspected too often than too seldom: a statement that is suspected gives way to its source's own
sentence, which is right in any case. How many they tell: tests/benchmarks/RESULTS.md, Statements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise

from index.dates import MONTHS
from index.tokenization import STOP_WORDS, words
from rag.query.text_features import names, number_of, stem, years
from rag.query.word_lists import NUMBER

_BY = re.compile(r"\bby\b", re.IGNORECASE)
_NEW_NEIGHBOURS = 3
"""From how many on. Of the 229 statements it was chosen on, 3 brings 18 false and 3 true ones, 2
brings 32 and 12, 4 brings 1 and none; of 100 others 3 brings 9 and 6."""
_WORD = re.compile(rf"{NUMBER}|[^\W\d_]+")


def contradicts(statement: str, sources: Sequence[str]) -> str:
    """How a statement says something else in its sources' own words; empty when it does not."""
    if has_antonym(statement, " ".join(sources)):
        return "turned round"
    if swapped_numbers(statement, sources):
        return "numbers exchanged"
    return "rearranged" if reordered_words(statement, sources) else ""


def has_antonym(statement: str, source: str) -> str | None:
    """The word by which a statement says the opposite of its source; None when there is none.

    It is one that the source lacks and that has an opposite in the source, not in the statement:
    "sales fell in May" of "sales rose in May".
    """
    said, there = set(words(statement)), set(words(source))
    for word in sorted(said - there):
        others = antonyms().get(word, frozenset())
        if others & there and not others & said:
            return word
    return None


@cache
def antonyms() -> dict[str, frozenset[str]]:
    """The words that stand in a row of `antonyms.tsv` with a word, by that word."""
    text = files("rag.grounding").joinpath("antonyms.tsv").read_text("utf-8")
    opposites: dict[str, set[str]] = {}
    for row in (line.split("\t") for line in text.splitlines() if not line.startswith("#")):
        for word in row:
            opposites.setdefault(word, set()).update(other for other in row if other != word)
    return {word: frozenset(others) for word, others in opposites.items()}


def swapped_numbers(statement: str, sources: Sequence[str]) -> tuple[str, str] | None:
    """Two numbers that stand the other way round in one of the sources; None when none do.

    "46 in favour and 523 against" of "523 were in favour, 46 against". Amounts are compared with
    amounts and dates with dates, for a date is easily put first or last.
    """
    amounts, dates = _in_order(statement)
    for source in sources:
        there, on = _in_order(source)
        if pair := _crossed(amounts, there, on) or _crossed(dates, on, there):
            return pair
    return None


def _crossed(said: list[str], there: list[str], elsewhere: list[str]) -> tuple[str, str] | None:
    """Two numbers in another order than there, of those that stand nowhere else in their source.

    "May 5" told without its month is not the amount 5 that its source also names.
    """
    first = {number: at for at, number in reversed(list(enumerate(there)))}
    last = {number: at for at, number in enumerate(there)}
    unclear = set(elsewhere)
    told = [number for number in dict.fromkeys(said) if number in first and number not in unclear]
    latest = told[0] if told else ""  # of those told so far, the source's last
    for number in told[1:]:
        if first[latest] > last[number]:
            return latest, number
        latest = max(latest, number, key=first.__getitem__)
    return None


def reordered_words(statement: str, sources: Sequence[str]) -> bool:
    """Whether words stand beside or around others than in one of the sources.

    "Ann of Oslo and Bob of Rome" for "Ann of Rome and Bob of Oslo": counted are neighbours,
    whichever comes first, among the words that are once in both; leaving words out adds none. And
    "Bob sued Ann" for "Ann sued Bob": two names have gone to the other side of a word between them.
    Numbers and dates do not count (see `swapped_numbers`), and a statement with `by` where the
    source has none, or the reverse, is passed over: going from active to passive moves everything.
    """
    for source in sources:
        if bool(_BY.search(statement)) != bool(_BY.search(source)):
            continue
        said, there = _once_in_both(_naming(statement), _naming(source))
        beside = {frozenset(pair) for pair in pairwise(there)}
        if sum(frozenset(pair) not in beside for pair in pairwise(said)) >= _NEW_NEIGHBOURS:
            return True
        if _names_cross(said, there, {stem(name) for name in names(statement) | names(source)}):
            return True
    return False


def _names_cross(said: list[str], there: list[str], named: set[str]) -> bool:
    """Whether two names have gone to the other side, each, of a word between them."""
    place = {word: at for at, word in enumerate(there)}
    told = (place[word] if word in named else -1 for word in said)
    coming = (place[word] if word in named else len(there) for word in reversed(said))
    last, first = list(accumulate(told, max)), list(accumulate(coming, min))[::-1]
    return any(
        last[at] > place[word] > first[at] for at, word in enumerate(said) if word not in named
    )


def _naming(text: str) -> list[str]:
    """Stems of the words that name something, but for numbers and months, as they come."""
    kept = (
        w for w in words(text) if w not in STOP_WORDS and w not in MONTHS and not w[0].isdigit()
    )
    return [stem(word) for word in kept]


def _once_in_both(one: list[str], other: list[str]) -> tuple[list[str], list[str]]:
    here, there = Counter(one), Counter(other)
    both = {word for word in here if here[word] == there[word] == 1}
    return [word for word in one if word in both], [word for word in other if word in both]


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
