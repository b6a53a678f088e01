"""English words that more than one rule goes by, each list once.

Months are in `index/formats/dates.py`, the words for numbers in `index/tokenization.py`.

`rag.evaluation.metrics` has lists of its own on purpose, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable

from index.formats.dates import MONTHS
from index.tokenization import NUMBER_WORDS

__all__ = [
    "MONTH_NAMES",
    "NUMBER",
    "NUMBER_WORDS",
    "ORDINALS",
    "REFERRING_WORDS",
    "SCALES",
    "any_of",
]

NUMBER = r"\d+(?:[.,]\d+)*"
"""Regular expression of a number in digits: `5`, `1,200`, `5.3`."""

SCALES: tuple[str, ...] = ("hundred", "thousand", "million", "billion", "trillion")
"""What multiplies the number before it."""

ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
)
"""Words that say which of several."""

REFERRING_WORDS = tuple("he she it they his her its their this that these those there then".split())
"""Pronouns and the like, whose meaning stands somewhere before them."""

MONTH_NAMES = tuple(month.capitalize() for month in MONTHS)
"""`January` to `December`, as prose writes them."""


def any_of(words: Iterable[str]) -> str:
    """The regular expression of one of these words, without a group around it."""
    return "|".join(words)
