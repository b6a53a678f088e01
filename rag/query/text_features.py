"""What a sentence says on its surface: content words, numbers, names, negation. Pure text.

Used wherever two texts are compared without a model: does this sentence speak to this question,
does it support this statement? English rules, harmless elsewhere; CJK runs count as pairs of
characters, so overlap works there too.
"""

from __future__ import annotations

import re
from functools import lru_cache

from index.dates import MONTHS
from index.tokenization import STOP_WORDS, words

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"[^\W\d_a-z][\w’'&.-]*")
_TOKEN = re.compile(r"[^\W_][\w’'&-]*(?:\.(?=\w)\w+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly|barely|failed?"
    r"|refused?|denie[sd]|den(?:y|ying))\b|n[’']t\b",
    re.IGNORECASE,
)
# Six passages of SQuAD or MultiHop-RAG hold .24 to .50 of such words, one of XQuAD-de .12 at most.
_ENGLISH = 0.18
_SMALL_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
    if word != "one"  # mostly a pronoun
} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70",
    "eighty": "80", "ninety": "90", "hundred": "100", "dozen": "12",
}  # fmt: skip
_ENDINGS = (
    "ational", "ization", "fulness", "ousness", "iveness", "ations", "ation", "ments", "ment",
    "ness", "ities", "ity", "ings", "ing", "ions", "ion", "ers", "er", "ors", "or", "ies", "ied",
    "ed", "es", "ly", "al", "s", "e", "y",
)  # fmt: skip


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its ending, so that `governs`, `governing` and `governed` are one.

    Cruder than Porter's: endings are cut once, longest first, when four letters are left.
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            cut = word[: -len(ending)]
            return cut[:-1] if len(cut) > 4 and cut[-1] == cut[-2] else cut
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word


@lru_cache(maxsize=1024)
def content_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that name something, in order, repeated as often as they occur."""
    return tuple(stem(word) for word in words(text) if word not in STOP_WORDS)


@lru_cache(maxsize=1024)
def numbers(text: str) -> frozenset[str]:
    """Numbers in a text, as digits: `5.3`, `1200` for `1,200`, `12` for `twelve`."""
    found = {_plain(match.group()) for match in _NUMBER.finditer(text)}
    found.update(told for word in words(text) if (told := _SMALL_NUMBERS.get(word)))
    return frozenset(found)


def number_of(word: str) -> str | None:
    """The number that a word is, in the form of `numbers`; None when it is none."""
    return _plain(word) if word[:1].isdigit() else _SMALL_NUMBERS.get(word.lower())


@lru_cache(maxsize=1024)
def names(text: str) -> frozenset[str]:
    """Capitalised words that are more than the start of a sentence, lower case, possessive cut.

    The first word counts when it is capitalised inside as well (`UNESCO`, `McDonald`), or when it
    is no everyday word.
    """
    found = set()
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not _NAME.fullmatch(token):
            continue
        plain = re.sub(r"[’']s?$", "", token).rstrip(".").lower()
        first = _opens_sentence(text, match.start())
        if first and (token[1:].islower() or len(token) == 1):
            continue
        if len(plain) > 1 and plain not in STOP_WORDS:
            found.add(plain)
    return frozenset(found)


def dates(text: str) -> frozenset[str]:
    """Years (four digits from 1000 to 2999) and month names in a text."""
    return years(text) | {word for word in words(text) if word in MONTHS and word != "may"}


def years(text: str) -> frozenset[str]:
    """Years from 1000 to 2999 in a text."""
    return frozenset(n for n in numbers(text) if len(n) == 4 and n[0] in "12" and n.isdigit())


def in_english(text: str) -> bool:
    """Whether a text of some length is English: every third word of English only joins others."""
    found = words(text)
    return sum(word in STOP_WORDS for word in found) >= _ENGLISH * len(found)


def negations(text: str) -> int:
    """How many words deny something."""
    return len(_NEGATION.findall(text))


def _plain(number: str) -> str:
    """`1,200` is 1200, `5,3` stays apart from `53`, and a full stop that ends a sentence goes."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        number = number.replace(",", "")
    return number.rstrip(".,")


def _opens_sentence(text: str, at: int) -> bool:
    """Whether the word at this place begins a sentence, so that its capital says nothing."""
    before = text[:at].rstrip(" \t\n\"'“”‘’([")
    return not before or before[-1] in ".!?:;。！？…"
