"""Question and evidence → messages. The one place where prompts live.

Sentences carry numbers, and the model writes the number first: it commits to its evidence before
it writes, and the screen can light the source before the words arrive. Sentences come before the
question, so that a follow-up about the same evidence shares its beginning with the prompt before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.llm.generator import Generator, Message
from rag.types import Evidence

SYSTEM = (
    "Answer the question from the numbered sentences. "
    "Start with the number of the sentence that answers it."
)
# Two examples turn a 135 M model from copying the list of sentences into answering in a short one.
# They stand before everything that changes, so that the model reads them once a session.
_EXAMPLES: tuple[Message, ...] = (
    {
        "role": "user",
        "content": "[1] The bridge opened in 1932.\n[2] Building it took eight years.\n\n"
        "Question: How long did the bridge take to build?",
    },
    {"role": "assistant", "content": "[2] The bridge took eight years to build."},
    {
        "role": "user",
        "content": "[1] The ministry paid for the study.\n[2] Ann Lee wrote the report.\n\n"
        "Question: Who is the author of the report?",
    },
    {"role": "assistant", "content": "[2] The author of the report is Ann Lee."},
)


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """What may be read and written for one answer."""

    prompt_tokens: int = 350
    """Tokens of the part of a prompt that changes: the question and its sentences."""
    answer_tokens: int = 120
    """Tokens of an answer."""
    continued_prompts: int = 2
    """How many times `prompt_tokens` a prompt may have that goes on with the one before."""
    characters_per_token: int = 4
    """To budget the sentences when there is no model to count tokens."""


LIMITS = PromptLimits()
# Brackets in a source would pose as our markers.
_BRACKETS = str.maketrans("[]【】", "()()")


def messages(question: str, evidence: Sequence[Evidence]) -> list[Message]:
    """The messages for one answer."""
    shown = "\n".join(f"[{sentence.id}] {plain(sentence.text)}" for sentence in evidence)
    return [
        {"role": "system", "content": SYSTEM},
        *_EXAMPLES,
        {"role": "user", "content": f"{shown}\n\nQuestion: {plain(question)}"},
    ]


def question_of(question: str) -> str:
    """The part of a prompt that asks, for counting what it costs."""
    return f"\n\nQuestion: {plain(question)}"


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """What texts cost and what is left for sentences; estimated where there is no model."""

    generator: Generator | None

    def count(self, text: str) -> int:
        """Tokens of a text."""
        if self.generator is None:
            return len(text) // LIMITS.characters_per_token + 1
        return self.generator.count_text(text)

    def room(self, question: str, prompts: int = 1) -> int:
        """Tokens left for sentences beside the question.

        Args:
            question: as the prompt has it.
            prompts: how many times `PromptLimits.prompt_tokens` there may be.
        """
        room = prompts * LIMITS.prompt_tokens - self.count(question_of(question))
        if self.generator is not None:
            fixed = self.generator.count(messages(question, ()))
            room = min(room, self.generator.context_tokens - LIMITS.answer_tokens - fixed)
        return max(room, 0)


def plain(text: str) -> str:
    """A text on one line, without brackets that could pose as markers and without hidden signs."""
    visible = "".join(c for c in text if c.isprintable() or c.isspace())
    return re.sub(r"\s+", " ", visible).strip().translate(_BRACKETS)
