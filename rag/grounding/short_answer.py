"""The few words that head a reply, when they are nearly certain to be what is asked for.

The reranker's network finds them. What it cannot know is looked at here: whether they are of the
kind that is asked for, and whether they only say where a report was written.
"""

from __future__ import annotations

from rag.grounding.composition import dateline_length
from rag.query.question import QueryVariant
from rag.query.text_features import TextFeatures
from rag.types import RankedSentence


def short_answer(question: QueryVariant, sentence: RankedSentence, threshold: float) -> str | None:
    """The words of the sentence that answer, or None when that cannot be said with confidence.

    Args:
        question: in the wording that was searched for.
        sentence: the one that answers best, as the reranker has read it.
        threshold: how likely the words have to be the answer, in [0, 1].

    Returns:
        A part of the sentence, character for character.
    """
    words = sentence.short
    if not words or sentence.score * sentence.likely < threshold:
        return None
    if in_dateline(words, sentence.text) or not has_asked_type(question, words):
        return None
    return words


def has_asked_type(question: QueryVariant, text: str) -> bool:
    """Whether words may answer at all: a number where one is asked for, a time likewise."""
    if question.answer_type not in ("number", "when"):
        return True
    return question.has_answer_type(TextFeatures(text)) is True


def in_dateline(text: str, sentence: str) -> bool:
    """Whether words are where a report was written ("BRUSSELS, Aug 9 - …"), not what it says."""
    return bool(text) and text in sentence[: dateline_length(sentence)]
