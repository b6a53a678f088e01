"""Words that a library does not know, read as words it does: mistyped ones, never names it has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from index.languages.stemming import has_stemmer, stem
from index.languages.word_lists import load
from index.tokenization import STOP_WORDS, has_cjk

_ASKING = (
    "what when where which who whose why how many much does did the was were people about said"
).split()
_WHOLE = 4
"""Letters from which on a word that the encoder has whole is one of the language, no slip; a
shorter one is one unless it begins the question: "wen was", but "did anyone die"."""
_SHORTEST = 5
"""Letters: shorter words are as near to each other as to what was meant."""
_WORD = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile('["“”„«»「][^"“”„«»「」]+["“”«»」]')


@dataclass(frozen=True, slots=True)
class Corrected:
    """A question with its mistyped words put right."""

    text: str
    changes: tuple[tuple[str, str], ...] = ()
    """Each word as typed, and as it was read."""


def correct(
    question: str,
    known: Mapping[str, int],
    topic: str,
    is_word: Callable[[str], bool],
    language: str = "en",
) -> Corrected:
    """The question with each word the library does not know read as the nearest one it does.

    A word that everybody writes is no mistake, though the library may lack it: "Who fixed it?".
    Nor is what stands in quotation marks: so a word is searched for as it is typed.

    Args:
        question: as typed.
        known: the library's words, lower case, with how often they occur.
        topic: the part that is about the documents; the words around it ask, and stay.
        is_word: whether a word, in lower case, is one of the language, as `Encoder.is_word`.
        language: that it is asked in, by its code; words of its lists are no mistakes.
    """
    everyday = STOP_WORDS if language == "en" else _everyday(language)
    told = {word.lower() for word in _WORD.findall(topic)}
    meant_so = [found.span() for found in _QUOTED.finditer(question)]
    changes: list[tuple[str, str]] = []

    def read(match: re.Match[str]) -> str:
        typed = match.group()
        word = typed.lower()
        if word in known or word in everyday or word not in told:
            return typed
        if any(begin < match.start() < end for begin, end in meant_so):
            return typed
        if (len(word) >= _WHOLE or match.start()) and is_word(word):
            return typed
        asking = _ASKING if language == "en" else load().get(language, {}).get("asking", ())
        # of German capitals no name is told
        proper = typed[0].isupper() and match.start() > 0 and language != "de"
        meant = _nearest(word, known, asking, proper=proper, sure=language != "en")
        if meant is None or meant == word or _same_stem(meant, word, language):
            return typed
        changes.append((typed, meant))
        return meant.capitalize() if typed[0].isupper() else meant

    return Corrected(_WORD.sub(read, question), tuple(changes))


@cache
def _everyday(language: str) -> frozenset[str]:
    """Words of a language that a library may lack and that are no mistakes."""
    lists = load().get(language, {}).values()
    return STOP_WORDS.union(*(_WORD.findall(" ".join(words)) for words in lists))


def _same_stem(word: str, other: str, language: str) -> bool:
    """Whether both are forms of one word, of which either finds the other."""
    return has_stemmer(language) and stem(word, language) == stem(other, language)


def _nearest(
    word: str, known: Mapping[str, int], asking: Iterable[str], *, proper: bool, sure: bool
) -> str | None:
    """The known word that was meant; None when none is near enough.

    Args:
        word: that nobody knows, lower case.
        known: words with how often they occur.
        asking: short words that people ask with.
        proper: whether it may be a name.
        sure: whether nobody can tell a rare word from a slip, so that one mistake is the most.
    """
    if has_cjk(word) or len(word) < 3:
        return None
    if len(word) < _SHORTEST:
        meant = process.extractOne(word, asking, scorer=OSA.distance, score_cutoff=1)
        return str(meant[0]) if meant else None
    most = 1 if proper or sure or len(word) < 9 else 2 if len(word) < 13 else 3
    choices = [
        w
        for w in known
        if abs(len(w) - len(word)) <= most
        and w.isalpha()
        and len(w) > 3
        and (w[0] == word[0] or not sure)
    ]
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
