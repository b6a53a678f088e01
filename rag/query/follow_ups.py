"""What a follow-up means, given the turns before it; no extra model call.

A question that stands on its own is passed through byte for byte. One that leans on what was said
("and in 2024?", "who signed it?") is searched for in up to three wordings: as typed, with the
content words of the questions before it, and with the names in the last answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from index.languages.detection import language
from index.languages.word_lists import any_word, word_list
from index.tokenization import STOP_WORDS, words
from rag.query.text_features import dates, names
from rag.query.word_lists import ORDINALS

History = Sequence[tuple[str, str]]
"""Earlier turns, oldest first: (question, answer text)."""

_SPEAKER = re.compile(
    r",?\s*\b(?:according to|in the (?:words|opinion|view) of|as (?:stated|reported|told) by)\s+"
    r"([^,?!;]{1,80})",
    re.IGNORECASE,
)
_WHICH_ONE = ORDINALS | {"last", "next", "other"}
_NAMED = (
    r"(?P<word>(?:in|at|on|for|of|by|from|to|with) )?(?P<the>the )?"
    r"(?P<name>[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*)"
)
_NAME = re.compile(rf"(?!^)\b{_NAMED}")
_ANOTHER = re.compile(rf"\W*(?:[Aa]nd|(?:[Aa]nd )?(?:[Ww]hat|[Hh]ow) about) {_NAMED}\W*")


@dataclass(frozen=True, slots=True)
class FollowUpLimits:
    """How far a follow-up looks back. Hand-set on the conversations of test_real_follow_ups.py."""

    turns: int = 4
    """Turns looked back for the question that stood alone."""
    names: int = 6
    """Names taken from the last answer."""
    own_content_words: int = 2
    """Fewer cannot name a subject by themselves."""
    own_without_name: int = 3
    """Fewer, without a name or a number, speak of what is talked of: "how many countries came?"."""


LIMITS = FollowUpLimits()


def query_variants(question: str, history: History, code: str | None = None) -> tuple[str, ...]:
    """The wordings in which to search for a question, the one as typed first.

    One when there is no history or the question stands on its own. Else two more: with the content
    words of the questions before it, back to one that stands alone, and with the names in the last
    answer. The wording that the documents answer best counts.

    Args:
        question: as typed.
        history: earlier turns, oldest first.
        code: of its language; told by its words when None.
    """
    if not history or not needs_context(question, code):
        return (question,)
    own = set(words(question))
    subject = [word for word in _subject_words(history) if word not in own]
    if dates(question):  # "and in 2024?" after a question about 2023 is not about 2023
        subject = [word for word in subject if not dates(word)]
    if own & _WHICH_ONE:  # nor is "and the second?" about the first
        subject = [word for word in subject if word not in _WHICH_ONE]
    mentioned = [name for name in _names_in_order(history[-1][1]) if name not in own]
    variants = [question]
    variants += [f"{' '.join(carried)} {question}" for carried in (subject, mentioned) if carried]
    return tuple(dict.fromkeys(variants))


def asked_of_another(question: str, history: History) -> str:
    """The last question that stood alone, asked of the name that a follow-up only gives; or empty.

    "And in Paris?" takes the place of the name after the same word, else of the last one, and "And
    Modi?" that of the first one. English: capitals tell names, what opens a question asks, and of
    short forms nothing is said.

    Args:
        question: as typed.
        history: earlier turns, oldest first.
    """
    follow_up = _ANOTHER.fullmatch(question)
    before = topic_question(history) if follow_up and history else ""
    found = [name for name in _NAME.finditer(before) if any(map(str.islower, name["name"]))]
    if not follow_up or not found:
        return ""
    word, the = follow_up["word"], follow_up["the"]
    alike = [old for old in found if word and old["word"] == word]
    old = (alike or found)[-1 if word else 0]
    head, tail = before[: old.start()], before[old.end() :]
    if word and re.match(r" [a-z]", tail):  # a noun before which it stands: "the Paris summit"
        word, the = old["word"], old["the"]
    return f"{head}{word or old['word'] or ''}{the or ''}{follow_up['name']}{tail}"


def _subject_words(history: History) -> list[str]:
    """Content words of the last question that stood alone and of its follow-ups, in order."""
    content: list[str] = []
    for question, _ in reversed(history[-LIMITS.turns :]):
        joining = _joining(language(question))
        content = [word for word in words(question) if word not in joining] + content
        if not needs_context(question):
            break
    return list(dict.fromkeys(content))


def _names_in_order(answer: str) -> list[str]:
    """The first few names in an answer, in order of mention: what "he" or "there" may mean."""
    known = names(answer)
    return list(dict.fromkeys(word for word in words(answer) if word in known))[: LIMITS.names]


def attribution_of(question: str) -> tuple[str, frozenset[str]] | None:
    """A question without the words that name its source, and that source's words; None without.

    "How many are there, according to Li Junru?" asks for a number; who gave it may stand in another
    sentence than the number, so the two are looked for apart.
    """
    match = _SPEAKER.search(question)
    if match is None:
        return None
    rest = (question[: match.start()] + question[match.end() :]).strip(" ,")
    speaker = frozenset(word for word in words(match.group(1)) if word not in STOP_WORDS)
    return (rest, speaker) if speaker and any(c.isalnum() for c in rest) else None


def topic_question(history: History) -> str:
    """The last question that stood alone: what the talk has been about since."""
    alone = [question for question, _ in history[-LIMITS.turns :] if not needs_context(question)]
    return alone[-1] if alone else history[-1][0]


def needs_context(question: str, code: str | None = None) -> bool:
    """Whether a question needs the turns before it to be understood.

    Args:
        question: as typed.
        code: of its language; told by its words when None.
    """
    code = language(question) if code is None else code
    content = [word for word in words(question) if word not in _joining(code)]
    if len(content) < LIMITS.own_content_words:
        return True
    if code == "en" and len(content) < LIMITS.own_without_name and not _names_anything(question):
        return True
    opener, pronoun = _pointing(code)
    if code != "en" and opener.search(question):
        return True  # what a capital means differs, see `answer_type`
    points = opener.search(question) or any(m["points"] for m in pronoun.finditer(question))
    if code == "en":
        return bool(points) and not names(question)
    return bool(points) and not any(word[0].isupper() for word in question.split()[1:])


def _names_anything(question: str) -> bool:
    return bool(names(question)) or any(c.isdigit() for c in question)


def language_in_talk(question: str, history: History) -> str:
    """The code of a question's language; too short to tell, that of the question before it."""
    code = language(question)
    if code != "en" or not history or not STOP_WORDS.isdisjoint(words(question)):
        return code
    return language(history[-1][0])


@cache
def _pointing(code: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What a follow-up begins with in a language, and the words that point back."""
    openers = any_word(word_list(code, "openers"), code)
    start = r"^\s*" if code == "en" else r"^\W*"
    others = "|".join(map(re.escape, word_list(code, "no_pronouns"))) or r"(?!)"
    pronouns = rf"{others}|(?P<points>{any_word(word_list(code, 'pronouns'), code)})"
    return re.compile(start + openers, re.IGNORECASE), re.compile(pronouns, re.IGNORECASE)


@cache
def _joining(code: str) -> frozenset[str]:
    """Words that ask or join and name nothing."""
    return STOP_WORDS.union(word_list(code, "small"), word_list(code, "asking"))
