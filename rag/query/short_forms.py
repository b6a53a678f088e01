"""Names under their short form: the library has `ITU` where a question says it in full, or not.

Only words that the library does not know are read otherwise, so what is there as typed is found as
typed; and only as what stands in capitals in the passages that are then found, for any words in a
row begin with some letters. Pure text.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from itertools import pairwise

from index.tokenization import STOP_WORDS

_WORD = re.compile(r"[^\W\d_][\w’'&-]*")
_SHORT = re.compile(r"\b[A-Z]{2,6}\b")
_BETWEEN = re.compile(
    r"(?:[\s-]+(?:of|the|for|and|on|de|du|des|la|und|für)\b)*[\s-]+", re.IGNORECASE
)
"""What may stand between two words of a name."""
_LETTERS = range(2, 7)
"""Of a short form. One of two letters is any two words', so these need their capitals."""


def unknown_names(question: str, known: Container[str]) -> list[tuple[str, str]]:
    """The words of a question that may be a full name, and its short form that is known.

    The longest first; at least one of the words is not known. All words of a name have capitals
    or none has, and no short form is a word of one: "how did the IANA transition unfold".

    Args:
        question: as typed.
        known: the library's words, lower case.
    """
    return [
        (name, short)
        for many in reversed(_LETTERS)
        for name, short, texts in _names(question, many)
        if short.lower() in known
        and (many > min(_LETTERS) or name.istitle())
        and len({text[:1].isupper() for text in texts}) == 1
        and not any(_SHORT.fullmatch(text) for text in texts)
        and any(text.lower() not in known for text in texts)
    ]


def unknown_short_forms(question: str, known: Container[str]) -> list[str]:
    """The short forms of a question, by their capitals, that the library does not know."""
    if question.isupper():
        return []
    return [word for word in _SHORT.findall(question) if word.lower() not in known]


def has_short_form(short: str, texts: Iterable[str]) -> bool:
    """Whether a short form stands in one of the texts, in its capitals."""
    return any(short in _SHORT.findall(text) for text in texts)


def full_name(short: str, texts: Iterable[str]) -> str:
    """The name in the texts whose capitalised words begin with a short form's letters; or empty."""
    for text in texts:
        for name, letters, parts in _names(text, len(short)):
            if letters == short and all(part[0].isupper() for part in parts):
                return name
    return ""


def _names(text: str, many: int) -> Iterator[tuple[str, str, list[str]]]:
    """So many words in a row, but for those that join them: the text, its letters, the words."""
    found = [word for word in _WORD.finditer(text) if word[0].lower() not in STOP_WORDS]
    for at in range(len(found) - many + 1):
        run = found[at : at + many]
        if all(_BETWEEN.fullmatch(text[a.end() : b.start()]) for a, b in pairwise(run)):
            letters = "".join(word[0][0] for word in run).upper()
            yield text[run[0].start() : run[-1].end()], letters, [word[0] for word in run]
