"""English words that more than one rule goes by, each list once; months are in `formats/dates.py`.

`rag.evaluation.metrics` has lists of its own on purpose, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable

from index.formats.dates import MONTHS

NUMBER = r"\d+(?:[.,]\d+)*"
"""Regular expression of a number in digits: `5`, `1,200`, `5.3`."""

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
_TENS = "thirty forty fifty sixty seventy eighty ninety".split()
NUMBER_WORDS: dict[str, int] = {word: value for value, word in enumerate(_UP_TO_TWENTY)} | {
    word: value for value, word in zip(range(30, 100, 10), _TENS, strict=True)
}
"""`zero` to `twenty` and the tens up to `ninety`, with what they are worth."""

SCALES: tuple[str, ...] = ("hundred", "thousand", "million", "billion", "trillion")
"""What multiplies the number before it."""

REFERRING_WORDS = tuple("he she it they his her its their this that these those there then".split())
"""Pronouns and the like, whose meaning stands somewhere before them."""

MONTH_NAMES = tuple(month.capitalize() for month in MONTHS)
"""`January` to `December`, as prose writes them."""


def any_of(words: Iterable[str]) -> str:
    """The regular expression of one of these words, without a group around it."""
    return "|".join(words)
