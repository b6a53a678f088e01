"""The question, analysed once from its words and the turns before it, and handed along from there.

`Question` says what is asked and in which wordings it is searched for; every later step reads it
and none derives any of it again. Pure text: nothing here looks into the library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.embedding.encoder import QuestionVectors
from index.errors import QuestionError
from rag.query.answer_type import AnswerType, answer_type, asks_for_list, has_answer_type
from rag.query.follow_ups import (
    History,
    asked_of_another,
    attribution_of,
    language_in_talk,
    needs_context,
    query_variants,
    topic_question,
)
from rag.query.task import TOPIC_TASKS, Request, title_to_summarise, understand
from rag.query.task_classifier import PLAIN
from rag.query.text_features import TextFeatures
from rag.query.time_scope import TimeScope, time_scope

LONGEST_QUESTION = 2_000
"""Characters. A question longer than a page is a document: add it instead."""
TALK_ELSEWHERE = 0.5
"""Probability from which on words of another language than English, which the task is told by, are
small talk or about the library: either is answered without looking into a document."""


@dataclass(frozen=True, slots=True)
class QueryVariant:
    """One wording in which a question is searched for."""

    features: TextFeatures
    answer_type: AnswerType
    """What an answer to this wording should look like."""
    speaker: frozenset[str] = frozenset()
    """Words of whoever is said to have said it: only passages that name one of them count. They
    are no part of the wording then. Empty when anybody may have said it."""

    @classmethod
    def of(cls, text: str, speaker: frozenset[str] = frozenset()) -> QueryVariant:
        """A wording with what can be told from it."""
        return cls(TextFeatures(text), answer_type(text), speaker)

    @property
    def text(self) -> str:
        """The wording."""
        return self.features.text

    def has_answer_type(self, text: TextFeatures) -> bool | None:
        """Whether a text has something new of the type asked for; None when any type will do."""
        return has_answer_type(self.answer_type, self.features, text)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    as_typed: QueryVariant
    variants: tuple[QueryVariant, ...]
    """The wordings that are searched for, the one as typed first; the one that the documents
    answer best counts."""
    language: str
    """The code of the language it is asked in: `de`, `zh`; `en` where nothing tells."""
    request: Request
    """What it asks to be done, and in which form."""
    wants_list: bool
    """Whether one sentence may not be enough."""
    time: TimeScope | None
    """The time that is asked about; None when none is named."""
    is_follow_up: bool
    """Whether it needs the turns before it to be understood."""
    previous: str
    """The question of the turn before, empty at the beginning."""
    last_answer: str
    """The answer of the turn before, empty at the beginning."""
    history: History
    """The turns before it, oldest first."""
    topic: str
    """What a follow-up's conversation is about: the last question that stood alone; else empty."""

    @property
    def text(self) -> str:
        """The question as typed."""
        return self.as_typed.text


def analyze(text: str, history: History = (), vectors: QuestionVectors | None = None) -> Question:
    """A question with all that its words and the turns before it say.

    What only names another one ("and in Paris?") is the question before it, asked of that one.

    Args:
        text: as typed.
        history: earlier turns, oldest first.
        vectors: of the text, or of what `asked_of_another` makes of it, by the encoder that
            `task_classifier` was fitted with; None without.
    """
    if again := asked_of_another(text, history):
        previous, last_answer = history[-1]
        return replace(
            analyze(again, vectors=vectors),
            previous=previous,
            last_answer=last_answer,
            history=tuple(history),
        )
    code = language_in_talk(text, history)
    request = understand(text, follow_up=bool(history), vectors=vectors)
    if code != "en" and request.intent and request.confidence < TALK_ELSEWHERE:
        request = replace(request, task="fact", intent="")  # what documents are asked
    if title := title_to_summarise(text):
        request = replace(request, task="summarise", topic=title, intent="")
    # what to do with a topic is no part of what is searched for
    to_do = request.task in TOPIC_TASKS or request.count is not None
    is_follow_up = bool(history) and needs_context(text, code)
    asked = request.topic if to_do and not is_follow_up else core_of(text)
    if request.task in PLAIN and code == "en" and not history and "?" not in asked:
        asked += "?"
    wordings = [*query_variants(asked, history, code), *_without_remark(asked)]
    variants = [variant for wording in wordings for variant in _of(wording)]
    previous, last_answer = history[-1] if history else ("", "")
    return Question(
        as_typed=variants[0] if asked == text else QueryVariant.of(text),
        variants=tuple(variants),
        language=code,
        request=request,
        wants_list=request.task == "list" or asks_for_list(text),
        time=time_scope(text, code),
        is_follow_up=is_follow_up,
        previous=previous,
        last_answer=last_answer,
        history=tuple(history),
        topic=topic_question(history) if is_follow_up else "",
    )


def core_of(question: str) -> str:
    """A question without the words around it: "do you happen to know who came" asks who came."""
    found = _INDIRECT.match(question)
    return _EMPHASIS.sub("", question[found.end() :] if found else question) or question


def _without_remark(question: str) -> list[str]:
    """The question without what is remarked after it; nothing where nothing is.

    "Were there 80 or 90? My sources disagree." is searched for with and without the remark, which
    may as well say what is meant.
    """
    asked, _, remark = question.partition("?")
    said = remark[:1].isspace() and any(c.isalnum() for c in remark) and "?" not in remark
    return [f"{asked}?"] if said and any(c.isalnum() for c in asked) else []


_INDIRECT = re.compile(
    r"^\W*(?:(?:so|hi|hello|hey|ok|okay|well|please|pls|sorry|and|but)\b[\s,]*)*"
    r"(?:(?:do|would|did) (?:you|u)(?: happen to)? (?:know|remember|recall)"
    r"|(?:can|could|would|will) (?:you|u)(?: please| kindly)? (?:tell|remind|find out|look up"
    r"|explain|say)(?: to)?(?: me| us)?(?: again)?"
    r"|(?:have you )?(?:got )?any (?:idea|clue)|(?:please |pls )?(?:tell|remind) me(?: again)?"
    r"|i(?: am|['’]m| was|['’]d)?(?: just)?(?: only)? (?:wonder(?:ing)?|curious|asking myself"
    r"|(?:want(?:ed)?|need|like|love) to know|trying to find out))"
    r"[\s,:]+(?:(?:about|if|whether)\s+)?"
    r"(?=(?:who|whom|whose|what|when|where|why|which|how|in which|the|is|are|was|were|did|does)\b)",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(
    r" (?:on earth|in the world|the hell)\b|[,\s]+(?:please|pls|plz)(?=\W*$)", re.IGNORECASE
)


def _of(wording: str) -> list[QueryVariant]:
    """A wording, and without the words that name who said it when it has such."""
    variants = [QueryVariant.of(wording)]
    if attributed := attribution_of(wording):
        variants.append(QueryVariant.of(*attributed))
    return variants


def checked_question(question: object) -> str:
    """The question, if it is one.

    Raises:
        QuestionError: when it is not text, has no letter or digit, or is too long.
    """
    if not isinstance(question, str):
        raise QuestionError(f"a question is text, not {type(question).__name__}")
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"the question has {len(question):,} characters, the limit is {LONGEST_QUESTION:,}: "
            "ask more briefly, or add the text as a document"
        )
    if not any(c.isalnum() for c in question):
        raise QuestionError("the question is empty: type what you want to know")
    return question


def check_history(history: object) -> None:
    """Make sure the history is a sequence of (question, answer) pairs of text.

    Raises:
        QuestionError: when it is not.
    """
    if isinstance(history, str) or not isinstance(history, Sequence):
        raise QuestionError("history is a list of (question, answer) pairs")
    for turn in history:
        pair = isinstance(turn, Sequence) and not isinstance(turn, str) and len(turn) == 2
        if not pair or not all(isinstance(part, str) for part in turn):
            raise QuestionError("history is a list of (question, answer) pairs of text")
        if not any(c.isalnum() for c in turn[0]):
            raise QuestionError(f"history holds an empty question: {tuple(turn)!r:.80}")
