"""Names under their short form: the library has `ITU` where a question says it in full, or not.

Only words that the library does not know are read otherwise, so what is there as typed is found as
typed. Pure text, by capitals and first letters.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

from index.tokenization import STOP_WORDS

_WORD = re.compile(r"[^\W\d_][\w’'&-]*")
_SHORT = re.compile(r"\b[A-Z]{2,6}\b")
_LETTERS = range(2, 7)
"""Of a short form. One of two letters is any two words', so these need their capitals."""


def shortened(question: str, known: Container[str]) -> tuple[str, tuple[str, str] | None]:
    """The question with a full name that the library lacks as the short form that it has.

    With the full name and its short form; None when nothing was changed.

    Args:
        question: as typed.
        known: the library's words, lower case.
    """
    named = [word for word in _WORD.finditer(question) if word[0].lower() not in STOP_WORDS]
    for many in reversed(_LETTERS):
        for at in range(len(named) - many + 1):
            run = named[at : at + many]
            texts = [word[0] for word in run]
            letters = "".join(text[0] for text in texts)
            capitals = many > min(_LETTERS) or letters.isupper()
            unknown = any(text.lower() not in known for text in texts)
            name = question[run[0].start() : run[-1].end()]
            if capitals and unknown and letters.lower() in known and _is_name(name, many):
                short = letters.upper()
                told = question[: run[0].start()] + short + question[run[-1].end() :]
                return told, (name, short)
    return question, None


def unknown_short_forms(question: str, known: Container[str]) -> list[str]:
    """The short forms of a question, by their capitals, that the library does not know."""
    if question.isupper():
        return []
    return [word for word in _SHORT.findall(question) if word.lower() not in known]


def full_name(short: str, texts: Iterable[str]) -> str:
    """The name in the texts whose capitalised words begin with a short form's letters; or empty."""
    for text in texts:
        found = [word for word in _WORD.finditer(text) if word[0].lower() not in STOP_WORDS]
        for at in range(len(found) - len(short) + 1):
            run = found[at : at + len(short)]
            name = text[run[0].start() : run[-1].end()]
            if "".join(word[0][0] for word in run) == short and _is_name(name, len(short)):
                return name
    return ""


def _is_name(name: str, many: int) -> bool:
    """Whether only spaces, hyphens and a few joining words stand between the words of a name."""
    parts: Sequence[str] = re.split(r"[ \n-]+", name)
    return len(parts) <= 2 * many and not re.search(r"[.!?;:,()]", name)
