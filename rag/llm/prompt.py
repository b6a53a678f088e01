"""Question and evidence → messages. The one place where prompts live.

A small model reads sentences that carry numbers, and writes the number first: it commits to its
evidence before it writes. A capable one reads passages and writes for its task, in prose. Evidence
comes before the question, so that a follow-up about the same evidence shares its beginning with the
prompt before. Whatever comes from a document or a person is put on one line, without brackets that
could pose as markers; what a model makes of it is checked elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.llm.generator import Generator, Message
from rag.query.task import Request
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


# --- a capable model ------------------------------------------------------------------------------

WRITER = (
    "You answer questions about a person's own articles. Use only what the passages say and add "
    "nothing to it. Keep names, numbers and dates exactly as they stand there. Write plain, short "
    "sentences of your own, each of which can be understood alone. Do not mention the passages."
)
_JUDGE = "You check whether a text says what a statement says. Answer Yes or No."


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring text of one document, as the model reads it."""

    title: str
    date: str
    text: str

    def __str__(self) -> str:
        dated = f" ({self.date})" if self.date else ""
        return f"From “{plain(self.title)}”{dated}: {plain(self.text)}"


@dataclass(frozen=True, slots=True)
class Instruction:
    """How the answer to a task is to be written."""

    text: str
    tokens: int
    """Of the answer, at most."""


_PARTS = Instruction("Answer every part of the question, in one or two sentences each.", 160)
_BULLETS = "Write each on a line of its own that begins with “- ”."
_INSTRUCTIONS = {
    "fact": Instruction("Answer in one or two sentences.", 90),
    "yes_no": Instruction("Begin with Yes or No, then say in one sentence what it rests on.", 80),
    "explain": Instruction("Answer in two to five sentences.", 200),
    "keyword": Instruction("Say in three to five sentences what is told of it.", 200),
    "more": Instruction("Tell more of it, in three to five sentences.", 200),
    "overview": Instruction("Say in five to eight sentences what is told of it.", 260),
    "summarise": Instruction("Sum it up in five to eight sentences.", 260),
    "list": Instruction(f"Name all that is asked for. {_BULLETS}", 200),
    "rephrase": Instruction("Say the same in simpler words and short sentences.", 200),
}


def instruction(request: Request) -> Instruction:
    """What the model is told to write for a request."""
    wanted = _INSTRUCTIONS.get(request.task, _INSTRUCTIONS["explain"])
    if request.subjects:
        sides = ", then ".join(f"“{plain(subject)}: …”" for subject in request.subjects)
        return Instruction(f"Write of each what tells it from the other: {sides}.", 240)
    if len(request.parts) > 1:
        return _PARTS
    if request.form == "bullets":
        points = f"exactly {request.count}" if request.count else "three to five"
        return Instruction(f"Answer in {points} points. {_BULLETS}", wanted.tokens)
    if request.count:
        sentences = "one sentence" if request.count == 1 else f"exactly {request.count} sentences"
        return Instruction(f"Answer in {sentences}.", 50 * request.count + 20)
    return wanted


def answer_messages(
    request: Request, question: str, blocks: Sequence[Block], before: str = ""
) -> list[Message]:
    """The messages for one answer.

    Args:
        request: what is asked to be done.
        question: as it was understood.
        blocks: what may be told.
        before: the question that a follow-up goes on with.
    """
    talk = f"Earlier question: {plain(before)}\n" if before else ""
    asked = f"{talk}Question: {plain(question)}\n{instruction(request).text}"
    read = "\n\n".join(map(str, blocks))
    return [
        {"role": "system", "content": WRITER},
        {"role": "user", "content": f"{read}\n\n{asked}"},
    ]


def support_messages(statement: str, sources: Sequence[str]) -> list[Message]:
    """The messages that ask whether sentences say what a statement says: yes or no."""
    text = plain(" ".join(sources))
    asked = f"Text: {text}\n\nStatement: {plain(statement)}\n\nDoes the text say exactly this?"
    return [
        {"role": "system", "content": _JUDGE},
        {"role": "user", "content": f"{asked} Answer Yes or No."},
    ]


NOTE = Instruction(
    "This is a part of an article. Write down in one or two short sentences the facts in it that "
    "matter most. Do not speak of the article.",
    80,
)


def note_messages(block: Block) -> list[Message]:
    """The messages for a note of a part of a document."""
    return [
        {"role": "system", "content": WRITER},
        {"role": "user", "content": f"{block}\n\n{NOTE.text}"},
    ]
