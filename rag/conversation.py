"""What a follow-up means, given the turns before it; no extra model call.

A question that stands on its own is passed through byte for byte. One that leans on what was said
("and in 2024?", "who signed it?") is searched for in two forms: as typed, and with the content
words of the question before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.lexical import ASKING, words
from rag.wording import names

History = Sequence[tuple[str, str]]
"""Earlier turns, oldest first: (question, answer text)."""

_LEANS = re.compile(
    r"^\s*(?:and|but|so|also|what about|how about|why|since when|which one)\b"
    r"|\b(?:he|she|it|they|him|her|them|his|hers|its|their|theirs|this|that|these|those|there|"
    r"then|one|ones|former|latter|same)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r",?\s*\b(?:according to|in the (?:words|opinion|view) of|as (?:stated|reported|told) by)\s+"
    r"([^,?!;]{1,80})",
    re.IGNORECASE,
)
# Fewer content words than this cannot name a subject by themselves.
_STANDS_ALONE = 2


def resolve(question: str, history: History) -> tuple[str, ...]:
    """The forms in which to search for a question, the one as typed first.

    One form when there is no history or the question stands on its own; else a second one with the
    last question's content words before it.
    """
    if not history or not leans(question):
        return (question,)
    last = history[-1][0]
    mine = set(words(question))
    carried = [w for w in dict.fromkeys(words(last)) if w not in ASKING and w not in mine]
    return (question, f"{' '.join(carried)} {question}") if carried else (question,)


def speaker_of(question: str) -> tuple[str, frozenset[str]] | None:
    """A question without the words that name its source, and that source's words; None without.

    "How many are there, according to Li Junru?" asks for a number; who gave it may stand in another
    sentence than the number, so the two are looked for apart.
    """
    found = _SPEAKER.search(question)
    if found is None:
        return None
    rest = (question[: found.start()] + question[found.end() :]).strip(" ,")
    named = frozenset(word for word in words(found.group(1)) if word not in ASKING)
    return (rest, named) if named and any(c.isalnum() for c in rest) else None


def leans(question: str) -> bool:
    """Whether a question needs the turns before it to be understood."""
    content = [word for word in words(question) if word not in ASKING]
    if len(content) < _STANDS_ALONE:
        return True
    return bool(_LEANS.search(question)) and not names(question)
