"""What documents mention of a category: "all the treaties mentioned in my articles". Pure, English.

A question for what is mentioned names a category and nothing that is said of it, so that a sentence
belongs which has the category's word, and of people one that has somebody's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from index.tokenization import words
from rag.query.text_features import stem
from rag.types import RankedSentence


@dataclass(frozen=True, slots=True)
class MentionLimits:
    """What makes a sentence one of a list of mentions; chosen on questions about the samples."""

    names: int = 4
    """Names in a sentence that count: the one that tells which ambassadors comes first."""
    name: float = 0.1
    """Added to its relevance for each of them."""
    words: int = 3
    """Words of a category at most: what is longer says something of it."""


LIMITS = MentionLimits()
_MENTIONED = re.compile(
    r"\b(?:mention(?:s|ed)?|named?|names|quoted|cited|appear(?:s|ing)?|occur(?:s|ring)?|come up)\b",
    re.IGNORECASE,
)
PEOPLE = frozenset(stem(word) for word in ("people", "persons", "names", "everybody", "speakers"))
"""The stems of a category whose members are told by their names."""
_NAMES = re.compile(
    r"\b(?!(?:The|On|In|By|After|When|At|For|But|And)\b)[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)+"
)
_TITLE = re.compile(
    r"(?:Vice |Prime |UN )*(?:Presidents?|Ministers?|Secretary-General|Chancellor|Senator|Judge"
    r"|King|Queen|Mr|Mrs|Ms|Dr|Professor|Sir) [A-Z]"
)
_TOLD = re.compile(r"(?:, (?:the|an?|who|then) | (?:said|told|argued|warned|wrote) )")
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][\w'’-]+")


def category_of(question: str, topic: Sequence[str]) -> frozenset[str]:
    """The stems of the category whose mentions are asked for; empty where something else is.

    Args:
        question: as typed.
        topic: its words that name something, without the document's.
    """
    if not topic or len(topic) > LIMITS.words or not _MENTIONED.search(question):
        return frozenset()
    return frozenset(map(stem, topic))


def mentions(
    category: frozenset[str], sentences: Sequence[RankedSentence], is_word: Callable[[str], bool]
) -> list[RankedSentence]:
    """The sentences that mention what is of a category, those with most names first.

    Args:
        category: its stems.
        sentences: scored by their relevance.
        is_word: whether a word in lower case is one of the language, and so hardly a name.
    """

    def belongs(sentence: RankedSentence) -> bool:
        if category & PEOPLE:
            return bool(people_in(sentence.text, is_word))
        return category <= sentence.features.stems

    def score(sentence: RankedSentence) -> float:
        names = min(len(_NAME.findall(sentence.text)), LIMITS.names)
        return sentence.relevance + LIMITS.name * names

    found = [replace(one, score=score(one)) for one in sentences if belongs(one)]
    return sorted(found, key=lambda sentence: -sentence.score)


def people_in(text: str, is_word: Callable[[str], bool]) -> list[str]:
    """The people that a text names by more than one word, in order, each once.

    Of a name whose last part is no word of the language: "Vint Cerf", not "Red Sea"; or that has a
    title, or is told who it is: "Thierry Breton, the commissioner".

    Args:
        text: a sentence.
        is_word: whether a word in lower case is one of the language, and so hardly a name.
    """

    def is_person(found: re.Match[str]) -> bool:
        name = found[0]
        last = words(name.split()[-1])
        if name.split()[-1].isupper() or re.search(r"['’]s ", name) or not last:
            return False
        told = _TOLD.match(text, found.end()) and not text[: found.start()].lower().endswith("the ")
        return not is_word(last[-1]) or bool(_TITLE.match(name) or told)

    return list(dict.fromkeys(found[0] for found in _NAMES.finditer(text) if is_person(found)))
