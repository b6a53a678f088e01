"""Words that a library does not know, read as words it does: mistyped ones, never names it has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from index.tokenization import STOP_WORDS

_ASKING = (
    "what when where which who whose why how many much does did the was were people about said"
).split()
_WHOLE = 4
"""Letters from which on a word that the encoder has whole is one of the language, no slip; a
shorter one is one unless it begins the question: "wen was", but "did anyone die"."""
_SHORTEST = 5
"""Letters: shorter words are as near to each other as to what was meant."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Corrected:
    """A question with its mistyped words put right."""

    text: str
    changes: tuple[tuple[str, str], ...] = ()
    """Each word as typed, and as it was read."""


def correct(
    question: str, known: Mapping[str, int], topic: str, is_word: Callable[[str], bool]
) -> Corrected:
    """The question with each word the library does not know read as the nearest one it does.

    A word that everybody writes is no mistake, though the library may lack it: "Who fixed it?".

    Args:
        question: as typed.
        known: the library's words, lower case, with how often they occur.
        topic: the part that is about the documents; the words around it ask, and stay.
        is_word: whether a word, in lower case, is one of the language, as `Encoder.is_word`.
    """
    told = {word.lower() for word in _WORD.findall(topic)}
    changes: list[tuple[str, str]] = []

    def read(match: re.Match[str]) -> str:
        typed = match.group()
        word = typed.lower()
        if word in known or word in STOP_WORDS or word not in told:
            return typed
        if (len(word) >= _WHOLE or match.start()) and is_word(word):
            return typed
        meant = _nearest(word, known, proper=typed[0].isupper() and match.start() > 0)
        if meant is None or meant == word:
            return typed
        changes.append((typed, meant))
        return meant.capitalize() if typed[0].isupper() else meant

    return Corrected(_WORD.sub(read, question), tuple(changes))


def _nearest(word: str, known: Mapping[str, int], *, proper: bool) -> str | None:
    """The known word that was meant; None when none is near enough."""
    if not word.isascii() or len(word) < 3:
        return None
    if len(word) < _SHORTEST:
        asking = process.extractOne(word, _ASKING, scorer=OSA.distance, score_cutoff=1)
        return str(asking[0]) if asking else None
    most = 1 if proper or len(word) < 9 else 2 if len(word) < 13 else 3
    choices = [w for w in known if abs(len(w) - len(word)) <= most and w.isalpha() and len(w) > 3]
    near = process.extract(word, choices, scorer=OSA.distance, score_cutoff=most, limit=8)

    def distance(meant: str, mistakes: float) -> tuple[float, int]:
        """A word begins right more often than it ends right; of two take the commoner."""
        begins = 0.4 * (meant[0] == word[0]) + 0.2 * (meant[:2] == word[:2])
        return mistakes - begins, -known[meant]

    return min(near, key=lambda word: distance(str(word[0]), float(word[1])))[0] if near else None


_SHORT_FORMS = {
    r"(?<![\w.])(?:US|U\.S\.|USA|U\.S\.A\.)(?![\w])": "United States",
    r"(?<![\w.])(?:UK|U\.K\.)(?![\w])": "Britain",
}


def spelled_out(question: str) -> str:
    """The question with the countries' short forms written out."""
    for short, long in _SHORT_FORMS.items():
        question = re.sub(short, long, question)
    return question
