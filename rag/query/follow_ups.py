"""What a follow-up means, given the turns before it; no extra model call.

A question that stands on its own is passed through byte for byte. One that leans on what was said
("and in 2024?", "who signed it?") is searched for in up to three forms: as typed, with the content
words of the questions before it, and with the names in the last answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from index.tokenization import ASKING, words
from rag.query.answer_type import fits
from rag.query.text_features import content_stems, dates, names, numbers
from rag.reader import Reading, ReadSentence

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
_ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth last next other".split()
)
# Turns looked back for the question that stood alone, and names taken from an answer.
_TURNS, _NAMES = 4, 6
# Belief in a sentence that was quoted in the turn before, and in one of other documents than the
# talk has been about. Hand-set on the conversations of tests/rag/test_real_follow_ups.py.
_REPEATED, _ELSEWHERE = 0.3, 0.5
# Fewer content words than this cannot name a subject by themselves.
_STANDS_ALONE = 2


def resolve(question: str, history: History) -> tuple[str, ...]:
    """The forms in which to search for a question, the one as typed first.

    One form when there is no history or the question stands on its own. Else two more: with the
    content words of the questions before it, back to one that stands alone, and with the names in
    the last answer. The form that the documents answer best counts.
    """
    if not history or not leans(question):
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
        found = [word for word in words(asked) if word not in ASKING] + found
        if not leans(asked):
            break
    return list(dict.fromkeys(found))


def _told(answer: str) -> list[str]:
    """Names in an answer in order of mention, the first few: what "he" or "there" may mean."""
    there = names(answer)
    return list(dict.fromkeys(word for word in words(answer) if word in there))[:_NAMES]


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


def about_what(history: History) -> str:
    """The last question that stood alone: what the talk has been about since."""
    alone = [asked for asked, _ in history[-_TURNS:] if not leans(asked)]
    return alone[-1] if alone else history[-1][0]


def speaks_to(question: str, reading: Reading, here: Collection[str]) -> float:
    """How far a reading answers the follow-up itself rather than what was carried along, in [0, 1].

    Carried words are answered well by what was said already. What is asked now is in the
    question's own words, and a talk mostly stays with its documents.

    Args:
        question: as typed.
        reading: of one of its forms.
        here: the documents the talk has been about.
    """
    if not reading.sentences:
        return 0.0
    best = reading.sentences[0]
    own = set(content_stems(question)) | numbers(question)
    there = set(content_stems(best.text)) | numbers(best.text)
    around = there | set(content_stems(f"{best.hit.title} {best.hit.text}"))
    held = (len(own & there) + len(own & around)) / (2 * len(own)) if own else 1.0
    return (1 + held) / 2 * (1.0 if best.hit.document_id in here else _ELSEWHERE)


def fresh(question: str, reading: Reading, told: str, here: Collection[str]) -> Reading:
    """The reading with belief moved to what the talk is about and has not said yet.

    "When was it?" may be answered by the sentence quoted before, "What did he say?" is not: a
    repeated sentence must hold the question's own words and something of the kind asked for.

    Args:
        question: as typed.
        reading: of one of its forms.
        told: the last answer.
        here: the documents the talk has been about.
    """
    own = set(content_stems(question))

    def weight(one: ReadSentence) -> float:
        again = " ".join(one.text.split()) in told
        answers = fits(question, one.text) and own <= set(content_stems(one.text))
        repeated = _REPEATED if again and not answers else 1.0
        return repeated * (1.0 if one.hit.document_id in here else _ELSEWHERE)

    weighed = [replace(one, score=one.score * weight(one)) for one in reading.sentences]
    return replace(reading, sentences=tuple(sorted(weighed, key=lambda one: -one.score)))


def leans(question: str) -> bool:
    """Whether a question needs the turns before it to be understood."""
    content = [word for word in words(question) if word not in ASKING]
    if len(content) < _STANDS_ALONE:
        return True
    return bool(_LEANS.search(question)) and not names(question)
