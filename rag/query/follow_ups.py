"""What a follow-up means, given the turns before it; no extra model call.

A question that stands on its own is passed through byte for byte. One that leans on what was said
("and in 2024?", "who signed it?") is searched for in up to three forms: as typed, with the content
words of the questions before it, and with the names in the last answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.tokenization import STOP_WORDS, words
from rag.query.text_features import dates, names
from rag.query.word_lists import REFERRING_WORDS, any_of

History = Sequence[tuple[str, str]]
"""Earlier turns, oldest first: (question, answer text)."""

_LEANS = re.compile(
    r"^\s*(?:and|but|so|also|what about|how about|why|since when|which one)\b"
    rf"|\b(?:{any_of(REFERRING_WORDS)}|him|them|hers|theirs|one|ones|former|latter|same)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r",?\s*\b(?:according to|in the (?:words|opinion|view) of|as (?:stated|reported|told) by)\s+"
    r"([^,?!;]{1,80})",
    re.IGNORECASE,
)
_ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth last next other".split()
)
# Turns looked back for the question that stood alone, and names taken from an answer.
_TURNS, _NAMES = 4, 6
# Fewer content words than this cannot name a subject by themselves.
_STANDS_ALONE = 2


def query_variants(question: str, history: History) -> tuple[str, ...]:
    """The forms in which to search for a question, the one as typed first.

    One form when there is no history or the question stands on its own. Else two more: with the
    content words of the questions before it, back to one that stands alone, and with the names in
    the last answer. The form that the documents answer best counts.
    """
    if not history or not needs_context(question):
        return (question,)
    mine = set(words(question))
    asked = [word for word in _asked(history) if word not in mine]
    if dates(question):  # "and in 2024?" after a question about 2023 is not about 2023
        asked = [word for word in asked if not dates(word)]
    if mine & _ORDINALS:  # nor is "and the second?" about the first
        asked = [word for word in asked if word not in _ORDINALS]
    told = [name for name in _told(history[-1][1]) if name not in mine]
    forms = [question]
    forms += [f"{' '.join(carried)} {question}" for carried in (asked, told) if carried]
    return tuple(dict.fromkeys(forms))


def _asked(history: History) -> list[str]:
    """Content words of the last question that stood alone and of what leaned on it, in order."""
    found: list[str] = []
    for asked, _ in reversed(history[-_TURNS:]):
        found = [word for word in words(asked) if word not in STOP_WORDS] + found
        if not needs_context(asked):
            break
    return list(dict.fromkeys(found))


def _told(answer: str) -> list[str]:
    """Names in an answer in order of mention, the first few: what "he" or "there" may mean."""
    there = names(answer)
    return list(dict.fromkeys(word for word in words(answer) if word in there))[:_NAMES]


def attribution_of(question: str) -> tuple[str, frozenset[str]] | None:
    """A question without the words that name its source, and that source's words; None without.

    "How many are there, according to Li Junru?" asks for a number; who gave it may stand in another
    sentence than the number, so the two are looked for apart.
    """
    found = _SPEAKER.search(question)
    if found is None:
        return None
    rest = (question[: found.start()] + question[found.end() :]).strip(" ,")
    named = frozenset(word for word in words(found.group(1)) if word not in STOP_WORDS)
    return (rest, named) if named and any(c.isalnum() for c in rest) else None


def topic_question(history: History) -> str:
    """The last question that stood alone: what the talk has been about since."""
    alone = [asked for asked, _ in history[-_TURNS:] if not needs_context(asked)]
    return alone[-1] if alone else history[-1][0]


def needs_context(question: str) -> bool:
    """Whether a question needs the turns before it to be understood."""
    content = [word for word in words(question) if word not in STOP_WORDS]
    if len(content) < _STANDS_ALONE:
        return True
    return bool(_LEANS.search(question)) and not names(question)
